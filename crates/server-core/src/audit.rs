//! What is noted when somebody does something with people and devices: who,
//! what, when, from which device. Never a secret, and nothing about circles,
//! which only those in them know of.

use crate::core::failed;
use crate::storage::{AuditEntry, Storage};
use crate::{Actor, Core, TeamScope};
use chrono::{DateTime, Utc};
use meantime_protocol::kinds::Role;
use meantime_protocol::people::{AuditEntry as Shown, AuditPage, AuditQuery};
use meantime_protocol::{Code, MAX_PAGE, Problem};
use uuid::Uuid;

/// A page that is not asked for in entries.
const PAGE: usize = 100;

/// What can be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// An invite was made; `note` says for which role.
    InviteMade,
    /// A link was made for a device of `about`.
    DeviceLinkMade,
    /// Somebody new came in.
    Joined,
    /// Somebody who was removed came back.
    Rejoined,
    /// A device was added by a link.
    DeviceAdded,
    /// A device was added by password.
    SignedIn,
    /// Somebody did not get in; noted for the 1st, 2nd, 4th, 8th, … time in a row.
    SignInFailed,
    /// A first password.
    PasswordSet,
    /// A new password in place of one; the other devices were ended.
    PasswordChanged,
    /// The operator took a password away.
    PasswordReset,
    /// An authenticator is asked for from now on.
    TotpOn,
    /// And no more.
    TotpOff,
    /// A retired token was shown: somebody has a copy. The device was ended.
    TokenReused,
    /// A device was ended.
    DeviceRevoked,
    /// Somebody may do more or less than before; `note` says what.
    RoleChanged,
    /// Somebody was removed from the team, or left.
    Removed,
}

impl Event {
    /// As it stands in the log.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::InviteMade => "invite_made",
            Self::DeviceLinkMade => "device_link_made",
            Self::Joined => "joined",
            Self::Rejoined => "rejoined",
            Self::DeviceAdded => "device_added",
            Self::SignedIn => "signed_in",
            Self::SignInFailed => "sign_in_failed",
            Self::PasswordSet => "password_set",
            Self::PasswordChanged => "password_changed",
            Self::PasswordReset => "password_reset",
            Self::TotpOn => "totp_on",
            Self::TotpOff => "totp_off",
            Self::TokenReused => "token_reused",
            Self::DeviceRevoked => "device_revoked",
            Self::RoleChanged => "role_changed",
            Self::Removed => "removed",
        }
    }
}

impl<S: Storage> Core<S> {
    /// A page of the log, newest first; for whoever runs the server.
    ///
    /// # Errors
    /// `invalid` for a limit out of range.
    pub async fn audit(&self, team: TeamScope, query: &AuditQuery) -> Result<AuditPage, Problem> {
        let limit = query.limit.unwrap_or(PAGE);
        if !(1..=MAX_PAGE).contains(&limit) {
            return Err(Problem::new(Code::Invalid, format!("a page has 1 to {MAX_PAGE} entries")));
        }
        let entries = self.storage.audit(team, query.before, limit).await.map_err(failed)?;
        Ok(AuditPage { entries: entries.into_iter().map(shown).collect() })
    }

    /// A page of the log, for an owner.
    ///
    /// # Errors
    /// `forbidden` for others, and those of [`Core::audit`].
    pub async fn audit_as(&self, actor: &Actor, query: &AuditQuery) -> Result<AuditPage, Problem> {
        if actor.role != Role::Owner {
            return Err(Problem::new(Code::Forbidden, "owners read the log"));
        }
        self.audit(actor.team_scope(), query).await
    }
}

/// An entry about a person, device or nobody; by the operator or a stranger
/// until [`by`] says otherwise.
pub(crate) fn entry(at: DateTime<Utc>, what: Event, about: Option<Uuid>) -> AuditEntry {
    AuditEntry { seq: 0, at, what: what.name().to_owned(), by: None, device: None, about, note: String::new() }
}

/// The entry, done by somebody on their device.
pub(crate) fn by(actor: Option<&Actor>, entry: AuditEntry) -> AuditEntry {
    AuditEntry { by: actor.map(|a| a.person), device: actor.map(|a| a.device), ..entry }
}

fn shown(entry: AuditEntry) -> Shown {
    let AuditEntry { seq, at, what, by, device, about, note } = entry;
    Shown { seq, at, what, by, device, about, note }
}
