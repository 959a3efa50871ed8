//! Bodies of the HTTP calls. Each call's path and method stand at its
//! request type; all but `/v1/join` and `/v1/sign-in` want `Authorization: Bearer TOKEN`, and
//! all want [`crate::VERSION_HEADER`]. Those about people and devices are in
//! [`crate::people`].

use crate::{Cursor, Fields, Kind, Problem, Record, Scope};
use chrono::{DateTime, Utc};
use meantime_model::{DeviceId, OpId, PersonId, TeamId};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use uuid::Uuid;

/// `POST /v1/join`: turn an invite into a person and a device. `Debug` leaves
/// the secret out.
#[derive(Clone, Serialize, Deserialize)]
pub struct JoinRequest {
    /// The invite's one-use secret.
    pub secret: String,
    /// The person's name, as teammates will see it.
    pub name: String,
    /// What this device is called in the person's list of devices.
    pub device_name: String,
}

/// Answer to [`JoinRequest`]. `Debug` leaves the token out.
#[derive(Clone, Serialize, Deserialize)]
pub struct JoinResponse {
    /// The new person.
    pub person: PersonId,
    /// The team joined.
    pub team: TeamId,
    /// The team's name.
    pub team_name: String,
    /// This device.
    pub device: DeviceId,
    /// The device's secret: 256 bits, base64url. Shown once, kept in the keyring.
    pub token: String,
}

impl fmt::Debug for JoinRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, device_name, .. } = self;
        f.debug_struct("JoinRequest").field("name", name).field("device_name", device_name).finish_non_exhaustive()
    }
}

impl fmt::Debug for JoinResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { person, team, device, .. } = self;
        f.debug_struct("JoinResponse")
            .field("person", person)
            .field("team", team)
            .field("device", device)
            .finish_non_exhaustive()
    }
}

/// `GET /v1/me`: who this device is, and which feeds it may read.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Me {
    /// The person.
    pub person: PersonId,
    /// Their team.
    pub team: TeamId,
    /// This device.
    pub device: DeviceId,
    /// Every feed the person may read, with its newest cursor.
    pub scopes: BTreeMap<Scope, Cursor>,
}

/// `POST /v1/invites`: make an invite link (owners and admins).
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct InviteRequest {
    /// Hours until it lapses, 1 to 72.
    pub valid_hours: u32,
    /// The role of whoever joins with it.
    pub role: crate::kinds::Role,
}

/// Answer to [`InviteRequest`].
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct InviteResponse {
    /// The link, [`crate::Invite`] as text.
    pub link: String,
    /// When it lapses.
    pub expires_at: DateTime<Utc>,
}

/// `POST /v1/push`: changes, in the order the person made them.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PushRequest {
    /// The sending device; must be the token's.
    pub device: DeviceId,
    /// At most [`crate::MAX_OPS`].
    pub ops: Vec<Op>,
}

/// One change of one record.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Op {
    /// Counts up on each device; the server takes each `(device, n)` once.
    pub n: u64,
    /// The same through every retry.
    pub op_id: OpId,
    /// The feed it goes to.
    pub scope: Scope,
    /// What it changes.
    pub kind: Kind,
    /// Which one; a new id makes a new record.
    pub id: Uuid,
    /// JSON merge patch (RFC 7396) on the record's fields.
    #[serde(default)]
    pub fields: Fields,
    /// The record's seq that the person saw; asked for where a change is
    /// compare-and-set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_seq: Option<u64>,
    /// Makes it a tombstone.
    #[serde(default)]
    pub deleted: bool,
    /// Send later: until then only its author sees it. Only on new records.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub visible_from: Option<DateTime<Utc>>,
}

/// Answer to [`PushRequest`]: one outcome an op, in the same order.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PushResponse {
    /// As many as ops were sent.
    pub results: Vec<OpResult>,
}

/// What became of op `n`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OpResult {
    /// The op's number.
    pub n: u64,
    /// What became of it.
    #[serde(flatten)]
    pub outcome: PushOutcome,
}

/// What became of an op.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "lowercase")]
pub enum PushOutcome {
    /// Taken; the record now has this seq.
    Applied {
        /// The record's new place in its feed.
        seq: u64,
    },
    /// Was taken before; nothing was done.
    Duplicate,
    /// Refused for good; retrying won't help.
    Rejected {
        /// Why.
        #[serde(flatten)]
        problem: Problem,
    },
}

/// `GET /v1/pull?scope=…&cursor=…&limit=…`: what changed since a cursor.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PullQuery {
    /// Which feed.
    pub scope: Scope,
    /// Where the device stands.
    pub cursor: Cursor,
    /// Rows wanted, 1 to [`crate::MAX_PAGE`].
    #[serde(default)]
    pub limit: Option<usize>,
}

/// A page of a feed, in the order of seq.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PullPage {
    /// Row images; each record at most once, in its newest state.
    pub rows: Vec<Record>,
    /// Where the device stands once it has stored `rows`.
    pub next: Cursor,
    /// Ask again at once.
    pub more: bool,
    /// The feed's newest seq when this page was made.
    pub upto: u64,
}

/// `GET /v1/bootstrap?scope=…&page=…&limit=…`: the current rows of a feed,
/// newest first. The first call has no `page`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct BootstrapQuery {
    /// Which feed.
    pub scope: Scope,
    /// `next_page` of the page before.
    #[serde(default)]
    pub page: Option<String>,
    /// Rows wanted, 1 to [`crate::MAX_PAGE`].
    #[serde(default)]
    pub limit: Option<usize>,
}

/// A page of the current rows.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct BootstrapPage {
    /// Newest first; tombstones are left out.
    pub rows: Vec<Record>,
    /// For the next call; none on the last page.
    pub next_page: Option<String>,
    /// Where pulling starts, the same on every page of one bootstrap: the
    /// newest cursor when the first page was made.
    pub start: Cursor,
}

/// One event of `GET /v1/live` (server-sent events, `event: poke`): feeds
/// that moved, with their newest seq. Data always comes by pull.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Poke {
    /// Newest seq of each feed that moved.
    pub scopes: BTreeMap<Scope, u64>,
    /// Feeds that this person does not read any more.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gone: Vec<Scope>,
}
