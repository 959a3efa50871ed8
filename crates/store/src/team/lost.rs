//! What a server that was put back from a backup has lost of this person's, and
//! how it is sent again.
//!
//! Whoever wrote something brings it back, under the same id. Until that has
//! happened, what depends on it waits here, visibly: a message for its thread,
//! everything of a circle for the circle. What others wrote is theirs to bring.

use super::Team;
use super::effective::effective;
use crate::outbox::{self, Change, NewOp, Target};
use crate::sql::{Id, RowExt};
use crate::{Read, Result, Tx, record};
use meantime_model::{AccountId, ItemId, OpId, PersonId};
use meantime_protocol::kinds::{Member, Role, Space};
use meantime_protocol::{Fields, Kind, Record, Scope};
use rusqlite::params;
use serde_json::{Value, json};
use std::collections::{HashMap, HashSet};
use uuid::Uuid;

/// What the person reads of an op that sends something again; told from others
/// by it.
const SENT_AGAIN: &str = "Sent again: the server was put back from a backup";

/// A circle that a server put back from a backup does not know: whoever made it
/// makes it again, once. The rest of it is sent when it is there.
pub fn bring_back(tx: &Tx<'_>, team: &Team, scope: Scope) -> Result<()> {
    let sql = "UPDATE scope SET lost_epoch = 2 WHERE scope = ?1 AND lost_epoch = 1";
    let Scope::Private(circle) = scope else { return Ok(()) };
    if tx.conn.execute(sql, [scope.to_string()])? == 0 {
        return Ok(());
    }
    match record::get(tx, &Kind::SPACE, circle)? {
        Some(space) => send_record(tx, team, &space),
        None => Ok(()),
    }
}

/// Whether others read a circle now than those it was kept with: after a
/// restore whoever knows its id can make it, with whom they like. That is the
/// person's to look at before words go there that were written for the others.
/// What I changed in a circle of mine goes before my words, and mends it.
pub(super) fn notice_strangers(tx: &Tx<'_>, team: &Team, scope: Scope, row: &Record) -> Result<()> {
    let Scope::Private(circle) = scope else { return Ok(()) };
    if row.kind != Kind::SPACE || row.id != circle {
        return Ok(());
    }
    let Some(kept) = record::old(tx, scope, &row.kind, row.id)? else { return Ok(()) };
    let mine = kept.author == team.me && row.author == team.me;
    let (now, before) = (members(row), members(&kept));
    if !mine && now.iter().any(|person| *person != team.me && !before.contains(person)) {
        let sql = "UPDATE scope SET lost_epoch = 3 WHERE scope = ?1 AND lost_epoch > 0";
        tx.conn.execute(sql, [scope.to_string()])?;
    }
    Ok(())
}

fn members(space: &Record) -> HashSet<PersonId> {
    let listed = space.fields.get("members").and_then(Value::as_array).into_iter().flatten();
    listed.filter_map(uuid_of).map(PersonId).collect()
}

/// What waits for a circle in which [strangers were noticed](notice_strangers)
/// is refused, so that the person sees it and decides.
pub(super) fn ask_first(tx: &Tx<'_>, scope: Scope) -> Result<()> {
    let name = scope.to_string();
    let sql = "SELECT EXISTS (SELECT 1 FROM scope WHERE scope = ?1 AND lost_epoch = 3)";
    if !tx.conn.query_row(sql, [&name], |row| row.get::<_, bool>(0))? {
        return Ok(());
    }
    let message = "The server was put back from a backup, and since then others read this private conversation too. Look \
                   who they are before you send it again.";
    let sql = "UPDATE outbox SET state = 'refused', n = NULL, code = 'forbidden', message = ?2
               WHERE scope = ?1 AND state = 'waiting' AND kind <> 'space'";
    tx.conn.execute(sql, params![name, message])?;
    Ok(())
}

/// A record of mine that the restored server does not have is sent again.
pub(super) fn send_record(tx: &Tx<'_>, team: &Team, row: &Record) -> Result<()> {
    if row.author != team.me || row.deleted || !is_own_word(&row.kind) {
        return Ok(());
    }
    send(tx, team, row, with_who_is_there(tx, row)?, None)
}

/// A record of mine that it has in an older state: what I changed since is sent
/// again. Where it has it from who I was before, all that can be kept of a
/// change are its words: they are refused, visibly.
pub(super) fn send_change(tx: &Tx<'_>, team: &Team, row: &Record) -> Result<()> {
    let Some(ours) = record::old(tx, row.scope, &row.kind, row.id)? else { return Ok(()) };
    let newer = ours.updated_at > row.updated_at && !ours.deleted;
    if !newer || ours.author != team.me || !is_own_word(&ours.kind) || ours.fields == row.fields {
        return Ok(());
    }
    let mut patch = Fields::new();
    for (name, value) in &ours.fields {
        if row.fields.get(name) != Some(value) {
            patch.insert(name.clone(), value.clone());
        }
    }
    for name in row.fields.keys().filter(|name| !ours.fields.contains_key(*name)) {
        patch.insert(name.clone(), Value::Null);
    }
    if row.author != team.me && words(&patch).is_empty() {
        return Ok(());
    }
    send(tx, team, row, patch, Some(row.seq))
}

/// Threads of others that the bootstrap did not bring stay while something
/// waits in them that was written here, or is being typed: with `lost` those
/// that it has just not brought, else those that were kept before.
pub(super) fn keep_threads(tx: &Tx<'_>, team: &Team, scope: Scope, lost: bool) -> Result<()> {
    const WAITED_FOR: &str = "(EXISTS (SELECT 1 FROM outbox WHERE parent = record.id AND kind = 'message'
                                       AND state = 'waiting')
                               OR EXISTS (SELECT 1 FROM draft WHERE item_id = record.id))";
    let name = scope.to_string();
    let sql = format!("UPDATE record SET old = 1 WHERE scope = ?1 AND old = 2 AND NOT {WAITED_FOR}");
    tx.conn.execute(&sql, [&name])?;
    if lost {
        let sql = format!(
            "UPDATE record SET old = 2 WHERE scope = ?1 AND old = 1 AND kind = 'thread' AND deleted = 0
             AND author <> ?2 AND {WAITED_FOR}"
        );
        tx.conn.execute(&sql, params![name, Id(team.me.0)])?;
    }
    Ok(())
}

/// What has to wait for something else of an account before it can go.
pub(super) struct Waits {
    /// Feeds that are not read through yet, and whether a circle of them may be
    /// made already.
    feeds: HashMap<String, bool>,
    /// Threads that the server does not have.
    threads: HashSet<Uuid>,
    /// Threads that begin with a change that waits, by its row.
    begun: HashMap<Uuid, i64>,
    /// Records that are sent again, by the row of that: what was changed in one
    /// before it was known to be lost is newer, and goes behind it.
    again: HashMap<(Kind, Uuid), i64>,
}

impl Waits {
    pub(super) fn read(r: &Read<'_>, account: AccountId) -> Result<Self> {
        let sql = "SELECT scope, lost_epoch = 2 FROM scope WHERE account_id = ?1 AND lost_epoch > 0";
        let mut q = r.conn.prepare_cached(sql)?;
        let feeds = q.query_map([Id(account.0)], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<Result<_, _>>()?;
        let sql = "SELECT id FROM record INDEXED BY record_kept WHERE old = 2";
        let mut q = r.conn.prepare_cached(sql)?;
        let threads = q.query_map([], |row| row.uuid("id"))?.collect::<Result<_, _>>()?;
        let sql = "SELECT record_id, max(id) AS row FROM outbox WHERE account_id = ?1 AND state = 'waiting'
                   AND kind = 'thread' AND json_type(body, '$.fields.title') IS NOT NULL GROUP BY record_id";
        let mut q = r.conn.prepare_cached(sql)?;
        let begun = q
            .query_map([Id(account.0)], |row| Ok((row.uuid("record_id")?, row.get("row")?)))?
            .collect::<Result<_, _>>()?;
        let sql = "SELECT kind, record_id, max(id) AS row FROM outbox
                   WHERE account_id = ?1 AND state = 'waiting' AND what = ?2 GROUP BY kind, record_id";
        let mut q = r.conn.prepare_cached(sql)?;
        let again = q
            .query_map(params![Id(account.0), SENT_AGAIN], |row| {
                Ok(((Kind::new(&row.get::<_, String>("kind")?), row.uuid("record_id")?), row.get("row")?))
            })?
            .collect::<Result<_, _>>()?;
        Ok(Self { feeds, threads, begun, again })
    }

    /// Whether the change in that row can't go yet.
    pub(super) fn hold(&self, row: i64, target: &Target) -> bool {
        let Target::Record { scope, kind, id, change } = target else { return false };
        if self.again.get(&(kind.clone(), *id)).is_some_and(|again| *again > row) {
            return true;
        }
        let feed = if self.feeds.is_empty() { None } else { self.feeds.get(&scope.to_string()) };
        if let Some(makes) = feed {
            return !(*makes && *kind == Kind::SPACE);
        }
        let thread = change.fields.get("thread").filter(|_| *kind == Kind::MESSAGE).and_then(uuid_of);
        thread.is_some_and(|thread| {
            self.threads.contains(&thread) || self.begun.get(&thread).is_some_and(|begun| *begun > row)
        })
    }
}

fn send(tx: &Tx<'_>, team: &Team, row: &Record, fields: Fields, base_seq: Option<u64>) -> Result<()> {
    let item = match row.kind == Kind::MESSAGE {
        true => effective(tx, &row.kind, row.id)?.and_then(|e| e.fields.get("thread").and_then(uuid_of)),
        false => (row.kind == Kind::THREAD || row.kind == Kind::MARK).then_some(row.id),
    };
    let op = NewOp {
        account: team.account,
        op_id: OpId::new(),
        item: item.map(ItemId),
        what: SENT_AGAIN.into(),
        text: words(&fields).to_owned(),
        target: Target::Record {
            scope: row.scope,
            kind: row.kind.clone(),
            id: row.id,
            change: Change {
                fields,
                base_seq,
                deleted: false,
                visible_from: row.visible_from.filter(|t| *t > team.now),
            },
        },
        not_before: None,
        made_at: team.now,
    };
    outbox::push(tx, &op)?;
    Ok(())
}

/// What somebody typed of it.
fn words(fields: &Fields) -> &str {
    let words = ["text", "outcome", "title"].into_iter().find_map(|field| fields.get(field));
    words.and_then(Value::as_str).unwrap_or_default()
}

/// A record's fields without people whom the restored server does not know:
/// they joined after the backup, and no record may name them.
fn with_who_is_there(r: &Read<'_>, row: &Record) -> Result<Fields> {
    let mut fields = row.fields.clone();
    let name = match row.kind.as_str() {
        "thread" => "asked",
        "space" => "members",
        _ => return Ok(fields),
    };
    let Some(Value::Array(people)) = fields.get_mut(name) else { return Ok(fields) };
    let before = people.len();
    let mut there = Vec::with_capacity(before);
    for person in people.drain(..) {
        if uuid_of(&person).map_or(Ok(true), |id| is_there(r, row, PersonId(id)))? {
            there.push(person);
        }
    }
    let nobody_left = there.is_empty() && before > 0;
    *people = there;
    // What is urgent names who is asked.
    if nobody_left && fields.get("urgency") == Some(&json!("red")) {
        fields.insert("urgency".into(), json!("yellow"));
    }
    Ok(fields)
}

fn is_there(r: &Read<'_>, row: &Record, person: PersonId) -> Result<bool> {
    if person == row.author {
        return Ok(true);
    }
    if let (Scope::Private(circle), true) = (row.scope, row.kind == Kind::THREAD) {
        let space: Option<Space> = effective(r, &Kind::SPACE, circle)?.and_then(|space| space.typed());
        return Ok(space.is_some_and(|space| space.members.contains(&person)));
    }
    let sql = "SELECT fields FROM record WHERE kind = 'member' AND id = ?1 AND deleted = 0 AND old = 0";
    let mut q = r.conn.prepare_cached(sql)?;
    let mut rows = q.query([Id(person.0)])?;
    let Some(found) = rows.next()? else { return Ok(false) };
    let member: Option<Member> = serde_json::from_value(found.json("fields")?).ok();
    let guests = row.kind == Kind::SPACE;
    Ok(member.is_some_and(|member| member.removed_at.is_none() && (guests || member.role != Role::Guest)))
}

fn uuid_of(value: &Value) -> Option<Uuid> {
    value.as_str().and_then(|text| Uuid::parse_str(text).ok())
}

/// Kinds that a person writes about their own work; members and agreements
/// are the server's and the admins' matter.
fn is_own_word(kind: &Kind) -> bool {
    [Kind::THREAD, Kind::MESSAGE, Kind::MARK, Kind::SCHEDULE, Kind::SETTINGS, Kind::SPACE].contains(kind)
}
