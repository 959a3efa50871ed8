//! Tables `focus` and `hold`: focus blocks, and what each of them holds back.

use crate::item::UNSEEN;
use crate::list::HELD_ORDER;
use crate::sql::{Id, Ms, RowExt, Urg};
use crate::{Read, Result, Tx};
use chrono::{DateTime, TimeDelta, Utc};
use meantime_model::{BlockId, ItemId, Urgency};
use rusqlite::{OptionalExtension, Row, params};

pub(crate) const V1: &str = "
CREATE TABLE focus (
    id              BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    since           INTEGER NOT NULL,
    planned_minutes INTEGER,
    ended_at        INTEGER,
    reason          TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX focus_running ON focus (ended_at IS NULL) WHERE ended_at IS NULL;
CREATE TABLE hold (
    block_id BLOB NOT NULL REFERENCES focus(id) ON DELETE CASCADE,
    item_id  BLOB NOT NULL REFERENCES item(id) ON DELETE CASCADE,
    arrived  INTEGER NOT NULL,
    urgency  INTEGER NOT NULL,
    reply    INTEGER NOT NULL,
    asks_me  INTEGER NOT NULL,
    due      INTEGER,
    first_at INTEGER NOT NULL,
    PRIMARY KEY (block_id, item_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX hold_item ON hold (item_id);";

/// A focus block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// Its id.
    pub id: BlockId,
    /// When it was started.
    pub since: DateTime<Utc>,
    /// How long it is to be; `None` until it is stopped.
    pub planned_minutes: Option<u32>,
    /// When it ended.
    pub ended_at: Option<DateTime<Utc>>,
    /// Why it was started, or ended: the engine's own words.
    pub reason: String,
}

/// An item held by a block: what the digest is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hold {
    /// Which.
    pub item: ItemId,
    /// Messages that arrived in it during the block.
    pub arrived: u32,
    /// How urgent, at the last of them.
    pub urgency: Urgency,
    /// An answer in a conversation I wrote in.
    pub reply: bool,
    /// My answer is asked for.
    pub asks_me: bool,
    /// When my answer is due.
    pub due: Option<DateTime<Utc>>,
    /// When the first of them was held.
    pub first_at: DateTime<Utc>,
}

impl Block {
    /// When it is to end; `None` until it is stopped.
    #[must_use]
    pub fn until(&self) -> Option<DateTime<Utc>> {
        self.planned_minutes.map(|minutes| self.since + TimeDelta::minutes(i64::from(minutes)))
    }
}

/// The running block, if any.
pub fn running(r: &Read<'_>) -> Result<Option<Block>> {
    Ok(r.conn.prepare_cached("SELECT * FROM focus WHERE ended_at IS NULL")?.query_row([], read).optional()?)
}

/// One block.
pub fn get(r: &Read<'_>, id: BlockId) -> Result<Option<Block>> {
    Ok(r.conn.prepare_cached("SELECT * FROM focus WHERE id = ?1")?.query_row([Id(id.0)], read).optional()?)
}

/// The block that handed over what stands in the inbox as held, if any.
pub fn handed_over(r: &Read<'_>) -> Result<Option<Block>> {
    let sql = "SELECT * FROM focus WHERE id = (SELECT handed_block FROM item WHERE bucket = 0 LIMIT 1)";
    Ok(r.conn.prepare_cached(sql)?.query_row([], read).optional()?)
}

/// What was handed over when a block ended, is in the inbox and has not been
/// read since.
pub fn items_handed_over(r: &Read<'_>, block: BlockId) -> Result<Vec<ItemId>> {
    let sql = "SELECT item.id AS id FROM hold JOIN item ON item.id = hold.item_id
               WHERE hold.block_id = ?1 AND item.held_block IS NULL AND item.bucket < 3 AND item.unread = 1";
    let mut q = r.conn.prepare_cached(sql)?;
    let ids = q.query_map([Id(block.0)], |row| row.uuid("id"))?.collect::<Result<Vec<_>, _>>()?;
    Ok(ids.into_iter().map(ItemId).collect())
}

/// Starts a block. An error if one runs: there is never more than one.
pub fn start(tx: &Tx<'_>, block: &Block) -> Result<()> {
    let sql = "INSERT INTO focus (id, since, planned_minutes, reason) VALUES (?1, ?2, ?3, ?4)";
    tx.conn.execute(sql, params![Id(block.id.0), Ms(block.since), block.planned_minutes, block.reason])?;
    Ok(())
}

/// Gives the running block another length.
pub fn set_planned(tx: &Tx<'_>, id: BlockId, minutes: Option<u32>) -> Result<()> {
    let sql = "UPDATE focus SET planned_minutes = ?2 WHERE id = ?1 AND ended_at IS NULL";
    tx.conn.execute(sql, params![Id(id.0), minutes])?;
    Ok(())
}

/// Ends a block and hands over what it held and what still waits; answers
/// that, in the order of the list, or `None` if it had ended already. What an
/// earlier block handed over and nobody looked at goes to its usual group,
/// unless this one held nothing.
pub fn end(tx: &Tx<'_>, id: BlockId, at: DateTime<Utc>, reason: &str) -> Result<Option<Vec<Hold>>> {
    let sql = "UPDATE focus SET ended_at = ?2, reason = ?3 WHERE id = ?1 AND ended_at IS NULL";
    if tx.conn.execute(sql, params![Id(id.0), Ms(at), reason])? == 0 {
        return Ok(None);
    }
    let waiting = waiting(tx, id)?;
    let sql = format!("UPDATE item SET handed_block = held_block WHERE held_block = ?1 AND {UNSEEN}");
    tx.conn.execute(&sql, [Id(id.0)])?;
    tx.conn.execute("UPDATE item SET held_block = NULL WHERE held_block = ?1", [Id(id.0)])?;
    let sql = "UPDATE item SET handed_block = NULL WHERE bucket = 0 AND handed_block <> ?1
               AND EXISTS (SELECT 1 FROM item WHERE bucket = 0 AND handed_block = ?1)";
    tx.conn.execute(sql, [Id(id.0)])?;
    Ok(Some(waiting))
}

/// Holds a message of an item back, or one more.
pub fn hold(tx: &Tx<'_>, block: BlockId, hold: &Hold) -> Result<()> {
    let sql = "INSERT INTO hold (block_id, item_id, arrived, urgency, reply, asks_me, due, first_at)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
        ON CONFLICT (block_id, item_id) DO UPDATE SET arrived = arrived + ?3, urgency = min(urgency, ?4),
            reply = max(reply, ?5), asks_me = ?6, due = ?7";
    tx.conn.prepare_cached(sql)?.execute(params![
        Id(block.0),
        Id(hold.item.0),
        hold.arrived,
        Urg(hold.urgency),
        hold.reply,
        hold.asks_me,
        hold.due.map(Ms),
        Ms(hold.first_at),
    ])?;
    let sql = "UPDATE item SET held_block = ?2 WHERE id = ?1";
    tx.conn.prepare_cached(sql)?.execute(params![Id(hold.item.0), Id(block.0)])?;
    Ok(())
}

/// What a running block holds and what still waits, as the inbox will show it
/// when it was handed over.
fn waiting(r: &Read<'_>, block: BlockId) -> Result<Vec<Hold>> {
    let sql = format!(
        "SELECT hold.* FROM hold JOIN item ON item.id = hold.item_id
         WHERE hold.block_id = ?1 AND item.held_block = ?1 AND {UNSEEN} ORDER BY {HELD_ORDER}"
    );
    let mut q = r.conn.prepare_cached(&sql)?;
    let rows = q.query_map([Id(block.0)], |row| {
        Ok(Hold {
            item: ItemId(row.uuid("item_id")?),
            arrived: row.get("arrived")?,
            urgency: row.get::<_, Urg>("urgency")?.0,
            reply: row.get("reply")?,
            asks_me: row.get("asks_me")?,
            due: row.opt_time("due")?,
            first_at: row.time("first_at")?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// How many items a running block holds that still wait.
pub fn count(r: &Read<'_>, block: BlockId) -> Result<u32> {
    let mut q = r.conn.prepare_cached(&format!("SELECT count(*) FROM item WHERE held_block = ?1 AND {UNSEEN}"))?;
    Ok(q.query_row([Id(block.0)], |row| row.get(0))?)
}

/// How many messages came in them, several of one item counted each.
pub fn count_messages(r: &Read<'_>, block: BlockId) -> Result<u32> {
    let sql = format!(
        "SELECT coalesce(sum(hold.arrived), 0) FROM hold JOIN item ON item.id = hold.item_id
         WHERE hold.block_id = ?1 AND item.held_block = ?1 AND {UNSEEN}"
    );
    let mut q = r.conn.prepare_cached(&sql)?;
    Ok(q.query_row([Id(block.0)], |row| row.get(0))?)
}

fn read(row: &Row<'_>) -> rusqlite::Result<Block> {
    Ok(Block {
        id: BlockId(row.uuid("id")?),
        since: row.time("since")?,
        planned_minutes: row.get("planned_minutes")?,
        ended_at: row.opt_time("ended_at")?,
        reason: row.get("reason")?,
    })
}
