//! Attachments of messages: what a message may refer to, and what is noted
//! about it.
//!
//! Which attachments are whole is a record each, in a feed of the team that
//! nobody reads. So a message relies on them as on its thread: in one commit.

use super::{View, invalid, limits};
use crate::limits::MESSAGES_PER_ATTACHMENT;
use crate::{Actor, Key, Row};
use chrono::{DateTime, Utc};
use meantime_model::{PersonId, TeamId};
use meantime_protocol::attachment::{MAX_ATTACHMENTS, is_file_name, is_media_type};
use meantime_protocol::http::Op;
use meantime_protocol::{Attachment, Code, Fields, Kind, Problem, Record, Scope, Sha256, kinds};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::HashSet;
use uuid::Uuid;

/// Makes ids of this module's own.
const SPACE: Uuid = Uuid::from_u128(0x2f0c_9d5e_8a41_4b7d_b3e6_5d1c_70a9_4e18);

/// An attachment that is whole.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Kept {
    /// The feed it belongs to.
    pub scope: Scope,
    /// Its hash.
    pub sha256: Sha256,
    /// How many bytes.
    pub bytes: u64,
    /// Under which tag its bytes are kept.
    pub tag: Uuid,
    /// Messages that have referred to it, deleted ones perhaps among them.
    #[serde(default)]
    pub messages: Vec<Uuid>,
    /// Since when none refers to it.
    #[serde(default)]
    pub idle_since: Option<DateTime<Utc>>,
}

impl Kept {
    /// From its record; `None` when it is not there (any more).
    #[must_use]
    pub fn of(row: &Row) -> Option<Self> {
        let Record { kind, deleted: false, fields, .. } = &row.record else { return None };
        (*kind == kind_of_attachment()).then_some(())?;
        Self::deserialize(fields).ok()
    }

    /// As a record's fields.
    #[must_use]
    pub fn fields(&self) -> Fields {
        match serde_json::to_value(self) {
            Ok(Value::Object(fields)) => fields,
            _ => Fields::new(),
        }
    }
}

/// The feed with a team's attachments. It is nobody's: its id is made from the
/// team's, so that nobody can be given it.
#[must_use]
pub fn cupboard(team: TeamId) -> Scope {
    Scope::User(PersonId(Uuid::new_v5(&SPACE, team.0.as_bytes())))
}

/// The record of an attachment.
#[must_use]
pub fn attachment_key(team: TeamId, scope: Scope, sha256: Sha256) -> Key {
    let id = Uuid::new_v5(&SPACE, format!("{scope}/{sha256}").as_bytes());
    Key { scope: cupboard(team), kind: kind_of_attachment(), id }
}

/// The kind of those records.
#[must_use]
pub fn kind_of_attachment() -> Kind {
    Kind::new("attachment")
}

/// The attachments as they are noted when a message refers to them.
#[must_use]
pub fn referred(actor: &Actor, op: &Op, message: &Record, view: &View, now: DateTime<Utc>) -> Vec<Row> {
    if message.kind != Kind::MESSAGE || !op.fields.contains_key("attachments") {
        return Vec::new();
    }
    let keys: HashSet<Key> = named(&message.fields).map(|sha256| key_in(actor, op, sha256)).collect();
    let noted = |key: &Key| {
        let row = view.row(key)?;
        let mut kept = Kept::of(row).filter(|kept| !kept.messages.contains(&message.id))?;
        kept.messages.push(message.id);
        kept.idle_since = None;
        Some(with(row, &kept, now))
    };
    keys.iter().filter_map(noted).collect()
}

/// Whether a message refers to an attachment.
#[must_use]
pub fn refers(message: &Row, sha256: Sha256) -> bool {
    !message.record.deleted && named(&message.record.fields).any(|named| named == sha256)
}

/// An attachment's record, saying something else.
#[must_use]
pub fn with(row: &Row, kept: &Kept, now: DateTime<Utc>) -> Row {
    Row { record: Record { updated_at: now, fields: kept.fields(), ..row.record.clone() }, ..row.clone() }
}

/// The rows about the attachments of an op.
pub(super) fn looks_at(actor: &Actor, op: &Op) -> Vec<Key> {
    named(&op.fields).take(MAX_ATTACHMENTS).map(|sha256| key_in(actor, op, sha256)).collect()
}

pub(super) fn check(actor: &Actor, message: &kinds::Message, op: &Op, view: &View) -> Result<(), Problem> {
    if !op.fields.contains_key("attachments") {
        return Ok(());
    }
    if message.attachments.len() > MAX_ATTACHMENTS {
        return Err(invalid(format!("a message has at most {MAX_ATTACHMENTS} attachments")));
    }
    message.attachments.iter().try_for_each(|attachment| one(actor, attachment, op, view))
}

fn one(actor: &Actor, attachment: &Attachment, op: &Op, view: &View) -> Result<(), Problem> {
    let Attachment { sha256, name, media_type, bytes } = attachment;
    limits::line("the name of an attachment", name, 255)?;
    if !is_file_name(name) {
        return Err(invalid("an attachment's name is a file's name of at most 255 bytes, without a folder"));
    }
    if !is_media_type(media_type) {
        return Err(invalid("an attachment's media type is written as in image/png"));
    }
    let kept = view.row(&key_in(actor, op, *sha256)).and_then(Kept::of);
    // One answer for what is not whole, not there, or in another feed.
    let is_there = |kept: &Kept| kept.scope == op.scope && kept.sha256 == *sha256 && kept.bytes == *bytes;
    let Some(kept) = kept.filter(is_there) else {
        return Err(invalid("an attachment is not there, or not whole; it has to be uploaded first"));
    };
    if kept.messages.len() >= MESSAGES_PER_ATTACHMENT && !kept.messages.contains(&op.id) {
        let message = format!("the same file is in {MESSAGES_PER_ATTACHMENT} messages already");
        return Err(Problem::new(Code::LimitReached, message));
    }
    Ok(())
}

fn key_in(actor: &Actor, op: &Op, sha256: Sha256) -> Key {
    attachment_key(actor.team, op.scope, sha256)
}

/// The hashes in a message's `attachments`; what is none is left out (and
/// refused when it is checked).
fn named(fields: &Fields) -> impl Iterator<Item = Sha256> {
    let attachments = fields.get("attachments").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    attachments.iter().filter_map(|attachment| attachment.get("sha256")?.as_str()?.parse().ok())
}
