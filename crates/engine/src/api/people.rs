//! My devices and how I sign in; who is in the team, for those who decide.

use chrono::{DateTime, Utc};
use meantime_model::{DeviceId, PersonId};
use serde::{Deserialize, Serialize};
use std::fmt;
use ts_rs::TS;

/// One of my devices.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct Device {
    /// Its id.
    pub id: DeviceId,
    /// What it is called.
    pub name: String,
    /// When it joined.
    pub since: DateTime<Utc>,
    /// When the server last heard of it, to the hour.
    pub seen_at: DateTime<Utc>,
    /// It is this one.
    pub this: bool,
}

/// A device, by its id.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, TS)]
pub struct DeviceRef {
    /// Which.
    pub id: DeviceId,
}

/// A link for somebody: whoever has it comes in, once.
#[derive(Clone, Serialize, Deserialize, TS)]
pub struct Link {
    /// To be opened, or pasted where a link is asked for.
    pub link: String,
    /// When it lapses.
    pub expires_at: DateTime<Utc>,
}

/// How I sign in on a further device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct SignInInfo {
    /// Where: `HOST:PORT`, and behind `#` the key of the server's own
    /// certificate authority, where it has one.
    pub server: String,
    /// The name to sign in with; none before a password was set.
    pub login: Option<String>,
    /// A code of my authenticator is asked for as well.
    pub totp: bool,
}

/// A further device, by login and password.
#[derive(Clone, Serialize, Deserialize, TS)]
pub struct SignInToTeam {
    /// As [`SignInInfo::server`]; empty for the server that this device was
    /// signed out of.
    #[serde(default)]
    pub server: String,
    /// The name to sign in with.
    pub login: String,
    /// Goes to the server and nowhere else.
    pub password: String,
    /// The authenticator's present code, for those who have one.
    #[serde(default)]
    pub code: Option<String>,
}

/// Login and password, set or changed. A change ends my other devices.
#[derive(Clone, Serialize, Deserialize, TS)]
pub struct SetPassword {
    /// 3 to 100 characters without spaces.
    pub login: String,
    /// 10 to 256 characters.
    pub password: String,
    /// The present one, where there is one.
    #[serde(default)]
    pub current: Option<String>,
}

/// My password, to show that it is me.
#[derive(Clone, Serialize, Deserialize, TS)]
pub struct WithPassword {
    /// Goes to the server and nowhere else.
    pub password: String,
}

/// What an authenticator needs; nothing is asked for until a first code came.
#[derive(Clone, Serialize, Deserialize, TS)]
pub struct Authenticator {
    /// To be typed into it.
    pub secret: String,
    /// The same as an `otpauth:` link.
    pub uri: String,
    /// The link as a picture for its camera (a QR code): rows from the top, a
    /// `#` for each dark square and a `.` for each light one, without the
    /// light margin of four squares that belongs around them. Empty where the
    /// link is too long for one.
    #[serde(default)]
    pub picture: Vec<String>,
}

/// A code of my authenticator.
#[derive(Clone, Serialize, Deserialize, TS)]
pub struct TotpCode {
    /// Six digits.
    pub code: String,
}

/// What somebody may do in the team.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Everything, and makes owners.
    Owner,
    /// Invites, decides about members, writes the agreement.
    Admin,
    /// Reads and writes threads.
    Member,
    /// As a member, in the circles they were added to.
    Guest,
}

/// Who is in the team.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
pub struct Members {
    /// The roles I may give and take; empty for who decides nothing.
    pub may_give: Vec<Role>,
    /// Me first, then by name; those who were removed last.
    pub members: Vec<TeamMember>,
}

/// Somebody of the team.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct TeamMember {
    /// Who.
    pub id: PersonId,
    /// As shown.
    pub name: String,
    /// It is me.
    pub you: bool,
    /// What they may do.
    pub role: Role,
    /// Not in the team any more, since then.
    pub removed_at: Option<DateTime<Utc>>,
}

/// A person, by their id.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, TS)]
pub struct MemberRef {
    /// Who.
    pub person: PersonId,
}

/// What somebody may do from now on.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, TS)]
pub struct SetRole {
    /// Who.
    pub person: PersonId,
    /// Not from or to guest.
    pub role: Role,
}

/// An invite for somebody new.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, TS)]
pub struct NewInvite {
    /// What they become.
    pub role: Role,
    /// For how many hours it is good, 1 to 72.
    pub valid_hours: u32,
}

/// `Debug` that names the type and nothing in it.
macro_rules! secretive {
    ($($name:ident),* $(,)?) => {$(
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($name)).finish_non_exhaustive()
            }
        }
    )*};
}

secretive!(Link, SignInToTeam, SetPassword, WithPassword, Authenticator, TotpCode);
