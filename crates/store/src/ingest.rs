//! A page of a source into the tables, and what of it is new.
//!
//! Pages may come twice, in any order and overlapping: everything is an
//! upsert by (account, upstream name).

use crate::message::{self, NewMessage};
use crate::sql::{Id, Ms, RowExt, Urg};
use crate::{Read, Result, Tx, account, item, team};
use chrono::{DateTime, Utc};
use meantime_model::{AccountId, ItemId, Urgency};
use rusqlite::{OptionalExtension, params};
use serde_json::Value;
use std::collections::BTreeSet;

/// A page of changes, as the engine hands it over.
#[derive(Clone, Debug)]
pub struct Page {
    /// In any order.
    pub changes: Vec<Change>,
    /// Kept in the same transaction.
    pub cursor: Value,
    /// Part of the first reading: nothing in it alerts or comes back.
    pub backfill: bool,
    /// The first reading is through with this page (kept beside the cursor).
    pub backfilled: bool,
}

/// One change.
#[derive(Clone, Debug)]
pub enum Change {
    /// A message came, or is there.
    Message(Box<Incoming>),
    /// A known message's flags changed.
    Flags {
        /// Its upstream name.
        message: String,
        /// Seen there.
        read: bool,
        /// Archived there.
        done: bool,
    },
    /// A known message is gone.
    Gone {
        /// Its upstream name.
        message: String,
    },
}

/// A message and the conversation it belongs to.
#[derive(Clone, Debug)]
pub struct Incoming {
    /// The account's own name of the conversation.
    pub conversation: String,
    /// The conversation's title, as this message shows it.
    pub title: String,
    /// Where it belongs there.
    pub place: String,
    /// By the rules for this account.
    pub urgency: Urgency,
    /// The person is addressed by name.
    pub addressed: bool,
    /// The message.
    pub message: NewMessage,
}

/// What a page changed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Ingested {
    /// Messages that were not there before, in the order of their time.
    pub fresh: Vec<Fresh>,
    /// Every item that changed.
    pub touched: Vec<ItemId>,
}

/// A message that was not there before.
#[derive(Clone, Debug, PartialEq)]
pub struct Fresh {
    /// Its conversation.
    pub item: ItemId,
    /// Its key.
    pub key: i64,
    /// Its upstream name.
    pub upstream: String,
    /// When it was written.
    pub at: DateTime<Utc>,
    /// I wrote it.
    pub own: bool,
    /// It came with a backfill.
    pub backfill: bool,
    /// It was read or archived there already.
    pub seen: bool,
    /// Its conversation was not there before.
    pub first: bool,
    /// It brought its conversation back from done or snoozed.
    pub came_back: bool,
}

/// Applies a page and keeps its cursor; answers what is new, so that what
/// follows from it (alerts, holds) is decided in the same transaction.
pub fn ingest(tx: &Tx<'_>, account: AccountId, page: &Page, now: DateTime<Utc>) -> Result<Ingested> {
    let identity: String = tx
        .conn
        .prepare_cached("SELECT identity FROM account WHERE id = ?1")?
        .query_row([Id(account.0)], |row| row.get(0))?;
    let mut fresh = Vec::new();
    let mut touched = BTreeSet::new();
    for change in &page.changes {
        match change {
            Change::Message(incoming) => {
                let id = ItemId::derived(&identity, &incoming.conversation);
                message_came(tx, account, id, incoming, page.backfill, &mut fresh, &mut touched)?;
            }
            Change::Flags { message, read, done } => flags_changed(tx, account, message, *read, *done, &mut touched)?,
            Change::Gone { message } => {
                let sql = "DELETE FROM message WHERE account_id = ?1 AND upstream = ?2 RETURNING item_id";
                let gone = tx
                    .conn
                    .prepare_cached(sql)?
                    .query_row(params![Id(account.0), message], |row| row.uuid("item_id"))
                    .optional()?;
                touched.extend(gone.map(ItemId));
            }
        }
    }
    for id in &touched {
        item::refresh(tx, *id)?;
    }
    // Marks of another device may have been here before the item was.
    for news in fresh.iter().filter(|f| f.first) {
        team::apply_mark(tx, news.item, now)?;
    }
    for news in fresh.iter().filter(|f| f.came_back) {
        team::clear_snooze(tx, news.item, now)?;
    }
    account::set_cursor(tx, account, &page.cursor, page.backfilled)?;
    fresh.sort_by_key(|f: &Fresh| f.key);
    Ok(Ingested { fresh, touched: touched.into_iter().collect() })
}

fn message_came(
    tx: &Tx<'_>,
    account: AccountId,
    id: ItemId,
    incoming: &Incoming,
    backfill: bool,
    fresh: &mut Vec<Fresh>,
    touched: &mut BTreeSet<ItemId>,
) -> Result<()> {
    let m = &incoming.message;
    let before = State::of(tx, id)?;
    let first = before.is_none();
    // What others wrote says what a conversation is, the newest of it most;
    // mine says so only where nobody else has written.
    let theirs = newest_of_others(tx, id)?;
    let counts = match (m.own, theirs) {
        (false, theirs) => theirs.is_none_or(|at| m.at >= at),
        (true, None) => before.as_ref().is_none_or(|b| m.at >= b.at),
        (true, Some(_)) => false,
    };
    if counts {
        put_item(tx, account, id, incoming)?;
    }
    let known = message::known(tx, account, &m.upstream)?;
    touched.insert(id);
    if let Some(known) = &known {
        touched.insert(known.item);
    }
    let (key, new) = message::put(tx, account, id, m)?;
    if let Some(known) = known {
        return archived_there(tx, id, known.up_done, m.done);
    }
    debug_assert!(new);
    let muted = before.as_ref().is_some_and(|b| b.muted);
    let later = before.as_ref().and_then(|b| b.done_at).is_none_or(|done_at| m.at > done_at);
    let moves = !m.own && !m.done && !muted && (!backfill || later);
    let away = before.as_ref().is_some_and(|b| b.done || b.snoozed);
    let came_back = moves && away;
    if came_back {
        let sql = "UPDATE item SET done = 0, done_at = NULL, snoozed_until = NULL WHERE id = ?1";
        tx.conn.prepare_cached(sql)?.execute([Id(id.0)])?;
    }
    if first && m.done {
        item::set_done(tx, id, Some(m.at))?;
    }
    fresh.push(Fresh {
        item: id,
        key,
        upstream: m.upstream.clone(),
        at: m.at,
        own: m.own,
        backfill,
        seen: m.read || m.done,
        first,
        came_back,
    });
    Ok(())
}

fn newest_of_others(r: &Read<'_>, id: ItemId) -> Result<Option<DateTime<Utc>>> {
    let mut q = r.conn.prepare_cached("SELECT max(at) AS at FROM message WHERE item_id = ?1 AND own = 0")?;
    Ok(q.query_row([Id(id.0)], |row| row.opt_time("at"))?)
}

fn put_item(tx: &Tx<'_>, account: AccountId, id: ItemId, incoming: &Incoming) -> Result<()> {
    let sql = "INSERT INTO item (id, account_id, upstream, title, place, urgency, addressed, at)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
        ON CONFLICT (id) DO UPDATE SET title = CASE WHEN lower(?4) = 're: ' || lower(title) THEN title ELSE ?4 END, place = ?5, urgency = ?6, addressed = ?7, at = ?8";
    tx.conn.prepare_cached(sql)?.execute(params![
        Id(id.0),
        Id(account.0),
        incoming.conversation,
        incoming.title,
        incoming.place,
        Urg(incoming.urgency),
        incoming.addressed,
        Ms(incoming.message.at),
    ])?;
    Ok(())
}

fn flags_changed(
    tx: &Tx<'_>,
    account: AccountId,
    upstream: &str,
    read: bool,
    done: bool,
    touched: &mut BTreeSet<ItemId>,
) -> Result<()> {
    let Some(known) = message::known(tx, account, upstream)? else { return Ok(()) };
    let news = known.up_read != read && !pending(tx, known.item)?;
    let sql = "UPDATE message SET up_read = ?2, up_done = ?3, read = CASE WHEN ?4 THEN ?2 ELSE read END WHERE key = ?1";
    tx.conn.prepare_cached(sql)?.execute(params![known.key, read, done, news])?;
    touched.insert(known.item);
    archived_there(tx, known.item, known.up_done, done)
}

/// Follows the archive of the other side, where it changed there: done once
/// all of the conversation is, back once a message is taken out again. While
/// a change of ours is on its way, ours counts.
fn archived_there(tx: &Tx<'_>, id: ItemId, before: bool, now: bool) -> Result<()> {
    if before == now || pending(tx, id)? {
        return Ok(());
    }
    let sql = if now {
        "UPDATE item SET done = 1, done_at = coalesce(done_at, at), snoozed_until = NULL, handed_block = NULL
         WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM message WHERE item_id = ?1 AND own = 0 AND up_done = 0)"
    } else {
        "UPDATE item SET done = 0, done_at = NULL WHERE id = ?1"
    };
    tx.conn.prepare_cached(sql)?.execute([Id(id.0)])?;
    Ok(())
}

fn pending(r: &Read<'_>, id: ItemId) -> Result<bool> {
    let sql = "SELECT EXISTS (SELECT 1 FROM outbox WHERE item_id = ?1 AND state = 'waiting')";
    Ok(r.conn.prepare_cached(sql)?.query_row([Id(id.0)], |row| row.get(0))?)
}

struct State {
    at: DateTime<Utc>,
    done: bool,
    done_at: Option<DateTime<Utc>>,
    snoozed: bool,
    muted: bool,
}

impl State {
    fn of(r: &Read<'_>, id: ItemId) -> Result<Option<Self>> {
        let sql = "SELECT at, done, done_at, snoozed_until, muted FROM item WHERE id = ?1";
        let found = r.conn.prepare_cached(sql)?.query_row([Id(id.0)], |row| {
            Ok(Self {
                at: row.time("at")?,
                done: row.get("done")?,
                done_at: row.opt_time("done_at")?,
                snoozed: row.opt_time("snoozed_until")?.is_some(),
                muted: row.get("muted")?,
            })
        });
        Ok(found.optional()?)
    }
}
