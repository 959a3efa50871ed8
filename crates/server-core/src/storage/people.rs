//! What is kept about people besides their records: devices and their tokens,
//! invites, how they sign in, who is in which circle, and what was done.

use crate::{Row, SecretHash};
use chrono::{DateTime, Utc};
use meantime_model::{DeviceId, PersonId, TeamId};
use meantime_protocol::kinds::Role;
use uuid::Uuid;

/// A device and whose it is. A device that was revoked is not kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    /// Its id.
    pub id: DeviceId,
    /// Its team.
    pub team: TeamId,
    /// Its person.
    pub person: PersonId,
    /// What its person calls it.
    pub name: String,
    /// When it joined.
    pub since: DateTime<Utc>,
    /// When it was last heard of, coarsely.
    pub seen_at: DateTime<Utc>,
}

/// One of the tokens of a device. It has one in use at most; older ones are
/// kept for a while, so that whoever shows one is found out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// SHA-256 of it.
    pub hash: SecretHash,
    /// Whose it is.
    pub device: DeviceId,
    /// When it was made.
    pub issued_at: DateTime<Utc>,
    /// Somebody has shown it: its holder got it.
    pub used: bool,
    /// Another took its place then.
    pub retired_at: Option<DateTime<Utc>>,
}

/// A device, its person's place in the team, and what they read; one state.
#[derive(Clone, Debug, PartialEq)]
pub struct Standing {
    /// The device.
    pub device: Device,
    /// The `member` record of its person, whatever it says.
    pub member: Option<Row>,
    /// The circles its person is in, in the order of their ids.
    pub circles: Vec<Uuid>,
}

/// Whose a token is.
#[derive(Clone, Debug, PartialEq)]
pub struct Bearer {
    /// The token.
    pub token: Token,
    /// Its device and person.
    pub standing: Standing,
}

/// An invite. Its secret is known only to whoever holds the link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invite {
    /// SHA-256 of its secret.
    pub secret: SecretHash,
    /// The team it leads to.
    pub team: TeamId,
    /// What its bearer becomes.
    pub role: Role,
    /// Useless from then on.
    pub expires_at: DateTime<Utc>,
    /// Somebody joined with it.
    pub used: bool,
    /// Who made it; none for the operator.
    pub by: Option<PersonId>,
    /// Who its bearer is; none for somebody new.
    pub person: Option<PersonId>,
}

/// How a person signs in.
#[derive(Clone, PartialEq, Eq)]
pub struct Account {
    /// Who.
    pub person: PersonId,
    /// By which name; no two in a team have the same.
    pub login: String,
    /// The password's hash, as [`crate::password`] writes it.
    pub password: String,
    /// Their authenticator.
    pub totp: Option<Totp>,
}

/// An authenticator.
#[derive(Clone, PartialEq, Eq)]
pub struct Totp {
    /// What it shares with the server, sealed as [`crate::seal`] does; as
    /// older servers kept it, as it is.
    pub secret: Vec<u8>,
    /// A code of it was shown; before that none is asked for.
    pub confirmed: bool,
    /// The step of the last code that was taken: each is good once.
    pub last_step: u64,
}

/// Whose failed tries to sign in are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Tried {
    /// Somebody's who has an account.
    Person(PersonId),
    /// Those with logins that are nobody's; many share a slot.
    Slot(u16),
}

/// Failed tries to sign in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attempts {
    /// How many in a row.
    pub failures: u32,
    /// When the last one was.
    pub at: DateTime<Utc>,
}

/// One thing that was done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditEntry {
    /// Its number in the team: 1, 2, 3, …; what is handed over says 0.
    pub seq: u64,
    /// When.
    pub at: DateTime<Utc>,
    /// What, by its name in [`crate::audit::Event`].
    pub what: String,
    /// Who; none for the operator and for strangers.
    pub by: Option<PersonId>,
    /// On which device.
    pub device: Option<DeviceId>,
    /// The person, device or circle it was done to.
    pub about: Option<Uuid>,
    /// A few words more; empty for none.
    pub note: String,
}

/// A change of what is kept about people, as part of a [`super::Batch`].
#[derive(Clone, Debug)]
pub enum Change {
    /// Keeps an invite. Moves the access number when a person made it: how many
    /// they may have relies on it.
    AddInvite(Invite),
    /// Uses an invite up. One that is used, or not this team's, makes the
    /// commit [`super::Commit::InviteGone`].
    UseInvite(SecretHash),
    /// Forgets the unused invites that a person made, or that are for them.
    DropInvites(PersonId),
    /// Forgets the unused invites and links that a person made.
    DropInvitesBy(PersonId),
    /// Keeps a device with its first token.
    AddDevice(Device, Token),
    /// Forgets a device, its tokens and its op numbers.
    RemoveDevice(DeviceId),
    /// Keeps a further token of a device. Those that were not used yet are
    /// retired at its `issued_at`.
    AddToken(Token),
    /// Marks a token as used; every other one of the device is retired at
    /// `at`, unless it was already. If the token itself is retired by then, or
    /// gone, the commit is [`super::Commit::Stale`].
    UseToken {
        /// Whose.
        device: DeviceId,
        /// Which.
        token: SecretHash,
        /// When.
        at: DateTime<Utc>,
    },
    /// Keeps how a person signs in, in place of what was there.
    PutAccount(Account),
    /// Forgets how a person signs in.
    RemoveAccount(PersonId),
    /// Who is in a circle from now on.
    Circle {
        /// Which.
        circle: Uuid,
        /// All of them.
        members: Vec<PersonId>,
    },
}

impl Change {
    /// Whether it moves the team's access number ([`super::Storage::access`]).
    #[must_use]
    pub fn moves_access(&self) -> bool {
        match self {
            Self::AddInvite(invite) => invite.by.is_some(),
            Self::UseInvite(_) | Self::AddToken(_) | Self::UseToken { .. } => false,
            Self::DropInvites(_)
            | Self::DropInvitesBy(_)
            | Self::AddDevice(..)
            | Self::RemoveDevice(_)
            | Self::PutAccount(_)
            | Self::RemoveAccount(_)
            | Self::Circle { .. } => true,
        }
    }
}

impl std::fmt::Debug for Account {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Account").field("person", &self.person).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Totp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Totp")
    }
}
