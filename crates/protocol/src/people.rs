//! Bodies of the calls about people, their devices and how they sign in. Each
//! call's path and method stand at its request type, or at its answer when it
//! has none.

use crate::kinds::Role;
use chrono::{DateTime, Utc};
use meantime_model::{DeviceId, PersonId, TeamId};
use serde::{Deserialize, Serialize};
use std::fmt;
use uuid::Uuid;

/// `POST /v1/sign-in`: a further device for somebody who has a password.
/// Answered with [`crate::http::JoinResponse`]. `Debug` leaves the secrets out.
#[derive(Clone, Serialize, Deserialize)]
pub struct SignInRequest {
    /// The team; may be absent where the server has only one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub team: Option<TeamId>,
    /// The name the person chose to sign in with.
    pub login: String,
    /// Their password.
    pub password: String,
    /// The authenticator's present code, for those who have one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub totp: Option<String>,
    /// What this device is called in the person's list of devices.
    pub device_name: String,
}

/// Answer to `POST /v1/token` (no body): the device's next token. The old one
/// is good until the new one was used, and 60 seconds longer; whoever shows it
/// after that ends the device. `Debug` leaves the token out.
#[derive(Clone, Serialize, Deserialize)]
pub struct TokenResponse {
    /// 256 bits, base64url.
    pub token: String,
}

/// Answer to `GET /v1/devices[?person=ID]`: one's own devices, or for owners
/// and admins those of a person.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DevicesResponse {
    /// Oldest first.
    pub devices: Vec<DeviceInfo>,
}

/// One device in the list. `DELETE /v1/devices/ID` ends it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceInfo {
    /// Its id.
    pub id: DeviceId,
    /// What its person calls it.
    pub name: String,
    /// When it joined.
    pub since: DateTime<Utc>,
    /// When it was last heard of, to the hour.
    pub seen_at: DateTime<Utc>,
    /// The device that asks.
    pub this: bool,
}

/// Answer to `GET /v1/account`: how one signs in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountInfo {
    /// The name to sign in with; none before a password was set.
    pub login: Option<String>,
    /// Whether a code of an authenticator is wanted as well.
    pub totp: bool,
}

/// `PUT /v1/account`: sets or changes login and password. A change ends the
/// person's other devices. Answered with [`AccountInfo`]. `Debug` leaves the
/// passwords out.
#[derive(Clone, Serialize, Deserialize)]
pub struct AccountRequest {
    /// One line without spaces, 3 to 100 characters; capitals do not count.
    pub login: String,
    /// 10 to 256 characters.
    pub password: String,
    /// The present one, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub current_password: Option<String>,
}

/// `POST /v1/account/totp`: begins with an authenticator, and
/// `POST /v1/account/totp/end`: ends with it, answered with [`AccountInfo`].
/// `Debug` leaves the password out.
#[derive(Clone, Serialize, Deserialize)]
pub struct TotpRequest {
    /// The present password.
    pub password: String,
}

/// Answer to `POST /v1/account/totp`: for the authenticator. Nothing is asked
/// for until a code of it was shown with [`TotpConfirm`]. `Debug` leaves all out.
#[derive(Clone, Serialize, Deserialize)]
pub struct TotpResponse {
    /// In base32: SHA-1, 6 digits, 30 seconds (RFC 6238).
    pub secret: String,
    /// The same as an `otpauth:` link, to be shown as a picture.
    pub uri: String,
}

/// `PUT /v1/account/totp`: a first code shows that the authenticator works.
/// Answered with [`AccountInfo`].
#[derive(Clone, Serialize, Deserialize)]
pub struct TotpConfirm {
    /// Six digits.
    pub code: String,
}

/// `POST /v1/members/ID/link`: a link that makes its bearer that person (owners
/// and admins): somebody who was removed comes back, or somebody who lost all
/// devices gets one. Answered with [`crate::http::InviteResponse`], as is
/// `POST /v1/devices/link` (no body), a link for a further device of one's own.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct MemberLinkRequest {
    /// What somebody who was removed becomes; what they were when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<Role>,
}

/// `PUT /v1/members/ID/role`: what a person may do from now on. No body in
/// the answer.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct RoleRequest {
    /// Not from or to guest: that is a new invite.
    pub role: Role,
}

/// `GET /v1/audit?before=SEQ&limit=…`: what was done with people and devices
/// (owners).
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct AuditQuery {
    /// Entries with a smaller seq; the newest when absent.
    #[serde(default)]
    pub before: Option<u64>,
    /// Entries wanted, 1 to [`crate::MAX_PAGE`].
    #[serde(default)]
    pub limit: Option<usize>,
}

/// Answer to [`AuditQuery`].
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AuditPage {
    /// Newest first.
    pub entries: Vec<AuditEntry>,
}

/// One thing that was done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditEntry {
    /// Counts up in a team.
    pub seq: u64,
    /// When.
    pub at: DateTime<Utc>,
    /// What: `joined`, `signed_in`, `sign_in_failed`, …
    pub what: String,
    /// Who; none for the operator and for whoever failed to sign in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<PersonId>,
    /// On which device.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<DeviceId>,
    /// The person, device or circle it was done to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub about: Option<Uuid>,
    /// A few words more.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub note: String,
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

secretive!(SignInRequest, TokenResponse, AccountRequest, TotpRequest, TotpResponse, TotpConfirm);
