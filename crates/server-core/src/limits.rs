//! Every number that bounds what one person, device or address may take of
//! the server. (What bounds a record's contents stands with the rules.)

use chrono::TimeDelta;

/// Longest life of an invite, in hours.
pub const INVITE_HOURS: u32 = 72;
/// Life of a link that adds a device to its maker: it is used at once.
pub const DEVICE_LINK: TimeDelta = TimeDelta::minutes(15);
/// Invites and device links of one person that wait to be used.
pub const INVITES_PER_PERSON: usize = 100;
/// Devices of one person; far more than anybody has, few enough to list.
pub const DEVICES_PER_PERSON: usize = 50;
/// Circles one person may be in: each is a feed that their app follows.
pub const CIRCLES_PER_PERSON: usize = 500;
/// People in one circle; what is for more is for the team.
pub const MEMBERS_PER_CIRCLE: usize = 100;

/// Records that one push may make the server look at: what it changes, and
/// what that refers to. One op alone stays far below.
pub const LOOKED_AT: usize = 5000;
/// How much those records may hold together, in bytes ([`crate::row::weight`]).
pub const LOOKED_AT_BYTES: usize = 8 << 20;

/// A page of a feed ends once its records hold this much, in bytes
/// ([`crate::row::weight`]).
pub const PAGE_BYTES: usize = 4 << 20;
/// More than any page is as text: the row that passes [`PAGE_BYTES`] may be as
/// big as there is and bring as big a thread, and each row has its envelope.
pub const PAGE_TEXT: usize = 2 * PAGE_BYTES;

/// Messages that refer to one and the same attachment: they are listed in its
/// record.
pub const MESSAGES_PER_ATTACHMENT: usize = 1000;

/// How long a token goes on once the one after it was used: for requests that
/// were under way.
pub const TOKEN_GRACE: TimeDelta = TimeDelta::seconds(60);
/// Tokens a device may ask for in an hour; it needs one a day.
pub const TOKENS_PER_HOUR: usize = 10;
/// How long a retired token is known, so that whoever shows it is found out.
pub const TOKENS_KEPT: TimeDelta = TimeDelta::days(30);
/// How exactly it is known when a device was last heard of: at most one write
/// in this time.
pub const SEEN_EVERY: TimeDelta = TimeDelta::hours(1);

/// Requests a device may send at once, before it has to keep to
/// [`REQUESTS_PER_SECOND`]: an app that comes back after a week is not slowed.
pub const REQUESTS_AT_ONCE: u32 = 1000;
/// Requests a device may send in the long run: an app in a loop costs little.
pub const REQUESTS_PER_SECOND: u32 = 200;
/// Devices whose pace is remembered; beyond it those at rest are forgotten.
pub const PACED: usize = 100_000;

/// Live streams of one device; an app has one, and for a moment another when
/// it connects anew. Of more, the newest go on.
pub const STREAMS_PER_DEVICE: usize = 8;

/// Shortest password, in characters: it is all that guards a sign-in.
pub const PASSWORD_AT_LEAST: usize = 10;
/// Longest password, in characters.
pub const PASSWORD_AT_MOST: usize = 256;
/// Passwords hashed at once: each takes 46 MiB and a processor.
pub const HASHES_AT_ONCE: usize = 2;
/// Sign-ins that may wait for their turn to be hashed; beyond it: busy.
pub const HASHES_WAITING: usize = 32;
/// Failed sign-ins of one login before the first wait.
pub const FREE_TRIES: u32 = 3;
/// Failed sign-ins from one address before the first wait; an office shares one.
pub const FREE_TRIES_PER_ADDRESS: u32 = 20;
/// Sign-ins of one login in a day, at most, that come from addresses where
/// nobody failed and are looked at in spite of the login's wait: enough for
/// whose login it is, few for who has many addresses.
pub const TRIES_FROM_ELSEWHERE: u32 = 50;
/// Longest wait after failed sign-ins: never for good, or anybody could shut
/// anybody out.
pub const LONGEST_WAIT: TimeDelta = TimeDelta::minutes(15);
/// How long failed sign-ins count.
pub const TRIES_KEPT: TimeDelta = TimeDelta::hours(24);
/// Addresses whose failed sign-ins are remembered; beyond it the oldest go.
pub const ADDRESSES: usize = 10_000;

/// How long the audit log is kept.
pub const AUDIT_KEPT: TimeDelta = TimeDelta::days(365);
/// How long op numbers are kept. An app that was away for longer is asked to
/// join again rather than to guess what was taken.
pub const OPS_KEPT: TimeDelta = TimeDelta::days(90);
/// How long a tombstone is kept. A device that was away for longer starts over.
pub const TOMBSTONES: TimeDelta = TimeDelta::days(90);
