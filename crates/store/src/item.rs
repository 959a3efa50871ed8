//! Table `item`: one row a conversation, with everything a list shows.
//!
//! What follows from the messages (`at`, `unread`, `people`, `note`, …) is
//! recomputed by [`refresh`] whenever one of them changes; what the person
//! decides (done, snoozed, …) is set here. The order of the lists is in
//! [`crate::list`].

// long: one table, whose row is written, changed and read in one place

use crate::account::AccountKind;
use crate::note::start_of;
use crate::sql::{Id, Ms, RowExt, Urg};
use crate::{Read, Result, Tx};
use chrono::{DateTime, Utc};
use meantime_model::{AccountId, BlockId, ItemId, Urgency};
use rusqlite::{OptionalExtension, Row, params};
use uuid::Uuid;

/// `bucket` says which list and group a row is in: 0 handed over, 1 due,
/// 2 for information, 3 begun by me and nobody answered since my last word,
/// 4 snoozed, 5 done. `tally` counts the rows of each, kept by triggers, so
/// that a count never walks an index.
pub(crate) const V1: &str = "
CREATE TABLE item (
    id             BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    account_id     BLOB NOT NULL REFERENCES account(id) ON DELETE CASCADE,
    upstream       TEXT NOT NULL,
    title          TEXT NOT NULL,
    place          TEXT NOT NULL,
    urgency        INTEGER NOT NULL,
    own_urgency    INTEGER,
    addressed      INTEGER NOT NULL,
    people         TEXT NOT NULL DEFAULT '',
    note           TEXT NOT NULL DEFAULT '',
    at             INTEGER NOT NULL,
    own            INTEGER NOT NULL DEFAULT 0,
    last_own       INTEGER NOT NULL DEFAULT 0,
    unread         INTEGER NOT NULL DEFAULT 0,
    unreadable     TEXT,
    done           INTEGER NOT NULL DEFAULT 0,
    done_at        INTEGER,
    snoozed_until  INTEGER,
    woken_at       INTEGER,
    muted          INTEGER NOT NULL DEFAULT 0,
    ask_at         INTEGER,
    due            INTEGER,
    due_stale      INTEGER NOT NULL DEFAULT 1,
    held_block     BLOB,
    handed_block   BLOB,
    why            TEXT,
    asked_count    INTEGER NOT NULL DEFAULT 0,
    answered_count INTEGER NOT NULL DEFAULT 0,
    asks_me        INTEGER NOT NULL DEFAULT 0,
    waiting        INTEGER NOT NULL DEFAULT 0,
    shown_urgency  INTEGER NOT NULL GENERATED ALWAYS AS (coalesce(own_urgency, urgency)) VIRTUAL,
    sort_at        INTEGER NOT NULL GENERATED ALWAYS AS (max(at, coalesce(woken_at, at))) VIRTUAL,
    bucket         INTEGER NOT NULL GENERATED ALWAYS AS (CASE
        WHEN done = 1 THEN 5
        WHEN snoozed_until IS NOT NULL THEN 4
        WHEN own = 1 AND last_own = 1 AND unread = 0 AND asks_me = 0 THEN 3
        WHEN handed_block IS NOT NULL THEN 0
        WHEN due IS NOT NULL THEN 1
        ELSE 2 END) VIRTUAL,
    UNIQUE (account_id, upstream)
) STRICT;
CREATE INDEX item_handed  ON item (shown_urgency, sort_at DESC) WHERE bucket = 0;
CREATE INDEX item_due     ON item (due, sort_at) WHERE bucket = 1;
CREATE INDEX item_info    ON item (sort_at) WHERE bucket = 2;
CREATE INDEX item_later   ON item (snoozed_until) WHERE bucket = 4;
CREATE INDEX item_done    ON item (done_at) WHERE bucket = 5;
CREATE INDEX item_waiting ON item (sort_at) WHERE waiting = 1 AND bucket < 4;
CREATE INDEX item_held    ON item (held_block) WHERE held_block IS NOT NULL;
CREATE INDEX item_stale   ON item (sort_at) WHERE due_stale = 1;
CREATE INDEX item_tail    ON item (substr(hex(id), -4));
CREATE TABLE tally (bucket INTEGER NOT NULL PRIMARY KEY, n INTEGER NOT NULL) STRICT;
INSERT INTO tally (bucket, n) VALUES (0, 0), (1, 0), (2, 0), (3, 0), (4, 0), (5, 0);
CREATE TRIGGER item_added AFTER INSERT ON item BEGIN
    UPDATE tally SET n = n + 1 WHERE bucket = new.bucket;
END;
CREATE TRIGGER item_removed AFTER DELETE ON item BEGIN
    UPDATE tally SET n = n - 1 WHERE bucket = old.bucket;
END;
CREATE TRIGGER item_moved AFTER UPDATE ON item WHEN old.bucket <> new.bucket BEGIN
    UPDATE tally SET n = n - 1 WHERE bucket = old.bucket;
    UPDATE tally SET n = n + 1 WHERE bucket = new.bucket;
END;";

/// Why no due could be counted where an answer is waited for.
pub(crate) const V2: &str = "ALTER TABLE item ADD COLUMN no_due TEXT;";

/// The closed circle that a team thread belongs to.
pub(crate) const V3: &str = "ALTER TABLE item ADD COLUMN circle BLOB;";

/// Urgent is what an answer is waited for: mine, or others' to what I began.
/// What nobody waits for any more is shown as for information (2), and stands
/// below the rest of what was held.
pub(crate) const V4: &str = "
ALTER TABLE item ADD COLUMN present_urgency INTEGER GENERATED ALWAYS AS (CASE
    WHEN due IS NULL AND no_due IS NULL AND waiting = 0 THEN 2 ELSE coalesce(own_urgency, urgency) END) VIRTUAL;
DROP INDEX item_handed;
CREATE INDEX item_handed ON item (present_urgency, sort_at DESC) WHERE bucket = 0;";

/// When the person said how urgent they see it, and after how many messages of
/// theirs: one more ends it. By number, since the times of messages are of
/// other clocks than this one.
pub(crate) const V5: &str = "
ALTER TABLE item ADD COLUMN own_urgency_at INTEGER;
ALTER TABLE item ADD COLUMN own_urgency_after INTEGER;
UPDATE item SET own_urgency_at = at, own_urgency_after =
    (SELECT count(*) FROM message WHERE item_id = item.id AND own = 1) - last_own WHERE own_urgency IS NOT NULL;";

/// Of the items that a block held back: what still waits for me. What was
/// done, snoozed, muted or read meanwhile has had its look.
pub(crate) const UNSEEN: &str = "item.done = 0 AND item.snoozed_until IS NULL AND item.muted = 0 AND item.unread = 1";

/// Columns [`read`] wants; the account stands beside as `account`.
pub(crate) const COLUMNS: &str = "item.*, account.kind AS kind";

/// One conversation.
#[derive(Clone, Debug, PartialEq)]
pub struct Item {
    /// Its id.
    pub id: ItemId,
    /// The account it was read from.
    pub account: AccountId,
    /// What kind of place that is.
    pub kind: AccountKind,
    /// The account's own name of it; a team thread's id.
    pub upstream: String,
    /// One line.
    pub title: String,
    /// A mailbox, a feed's title, a space.
    pub place: String,
    /// The closed circle that a team thread belongs to; none for everybody.
    pub circle: Option<Uuid>,
    /// The person's own view of it, else what rules or the thread say.
    pub urgency: Urgency,
    /// As lists show it: the same as long as an answer is waited for.
    pub present_urgency: Urgency,
    /// The person's own view, where they have one.
    pub own_urgency: Option<Urgency>,
    /// Since when they have it.
    pub own_urgency_at: Option<DateTime<Utc>>,
    /// The person is addressed by name.
    pub addressed: bool,
    /// Who wrote last, the newest first, without me.
    pub people: String,
    /// The newest message's start.
    pub note: String,
    /// The newest message.
    pub at: DateTime<Utc>,
    /// I began it.
    pub own: bool,
    /// The newest message is mine.
    pub last_own: bool,
    /// Something in it has not been read, or it came back from snoozing.
    pub unread: bool,
    /// It could not be read: why.
    pub unreadable: Option<String>,
    /// Out of the inbox for good.
    pub done: bool,
    /// Since when; a later message brings it back.
    pub done_at: Option<DateTime<Utc>>,
    /// Out of the inbox until then.
    pub snoozed_until: Option<DateTime<Utc>>,
    /// It came back from snoozing then and was not looked at since.
    pub woken_at: Option<DateTime<Utc>>,
    /// Later messages neither notify nor bring it back.
    pub muted: bool,
    /// Since when somebody waits for my answer; the reply window runs from
    /// here. `None`: nobody does.
    pub ask_at: Option<DateTime<Utc>>,
    /// When my answer is due, as [`set_due`] was told.
    pub due: Option<DateTime<Utc>>,
    /// My answer is waited for, and no due can be counted: why.
    pub no_due: Option<String>,
    /// Held by this running block.
    pub held_block: Option<BlockId>,
    /// Handed over when this block ended, not looked at since.
    pub handed_block: Option<BlockId>,
    /// Why it came through a block, in plain words, until it is looked at.
    pub why: Option<String>,
    /// How many are asked.
    pub asked_count: u32,
    /// How many of them answered.
    pub answered_count: u32,
    /// I am asked and have not answered.
    pub asks_me: bool,
    /// I asked, and not all have answered.
    pub waiting: bool,
}

impl Item {
    /// A running block holds it back, and it was not looked at meanwhile.
    #[must_use]
    pub fn is_held(&self) -> bool {
        let away = self.done || self.snoozed_until.is_some() || self.muted;
        self.held_block.is_some() && self.unread && !away
    }
}

/// What a person typed to name an item, looked up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// Exactly one.
    One(ItemId),
    /// None, or too few characters.
    None,
    /// More than one item ends like this.
    Many,
}

/// One conversation.
pub fn get(r: &Read<'_>, id: ItemId) -> Result<Option<Item>> {
    let sql = format!("SELECT {COLUMNS} FROM item JOIN account ON account.id = item.account_id WHERE item.id = ?1");
    Ok(r.conn.prepare_cached(&sql)?.query_row([Id(id.0)], read).optional()?)
}

/// The item whose id is `text` or ends with it (at least four hexadecimal
/// digits; hyphens don't count).
pub fn find(r: &Read<'_>, text: &str) -> Result<Found> {
    let tail: String = text.trim().chars().filter(|c| *c != '-').collect::<String>().to_ascii_uppercase();
    if !(4..=32).contains(&tail.len()) || !tail.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Ok(Found::None);
    }
    let last: String = tail.chars().skip(tail.len() - 4).collect();
    let mut q = r.conn.prepare_cached(
        "SELECT id FROM item WHERE substr(hex(id), -4) = ?1 AND substr(hex(id), -length(?2)) = ?2 LIMIT 2",
    )?;
    let ids = q.query_map([last, tail], |row| row.uuid("id"))?.collect::<Result<Vec<_>, _>>()?;
    Ok(match ids.as_slice() {
        [] => Found::None,
        [id] => Found::One(ItemId(*id)),
        _ => Found::Many,
    })
}

/// Done since then, or (`None`) back in the inbox.
pub fn set_done(tx: &Tx<'_>, id: ItemId, at: Option<DateTime<Utc>>) -> Result<()> {
    let sql = "UPDATE item SET done = ?2 IS NOT NULL, done_at = ?2,
                      snoozed_until = CASE WHEN ?2 IS NULL THEN snoozed_until END,
                      handed_block = CASE WHEN ?2 IS NULL THEN handed_block END
               WHERE id = ?1";
    tx.conn.prepare_cached(sql)?.execute(params![Id(id.0), at.map(Ms)])?;
    Ok(())
}

/// Out of the inbox until then, or (`None`) back in it.
pub fn set_snoozed(tx: &Tx<'_>, id: ItemId, until: Option<DateTime<Utc>>) -> Result<()> {
    let sql = "UPDATE item SET snoozed_until = ?2, woken_at = NULL,
                      handed_block = CASE WHEN ?2 IS NULL THEN handed_block END
               WHERE id = ?1";
    tx.conn.prepare_cached(sql)?.execute(params![Id(id.0), until.map(Ms)])?;
    Ok(())
}

/// Later messages neither notify nor bring it back.
pub fn set_muted(tx: &Tx<'_>, id: ItemId, muted: bool) -> Result<()> {
    tx.conn.prepare_cached("UPDATE item SET muted = ?2 WHERE id = ?1")?.execute(params![Id(id.0), muted])?;
    Ok(())
}

/// The person's own view of how soon an answer is wanted, and when they said so.
pub fn set_own_urgency(tx: &Tx<'_>, id: ItemId, urgency: Option<Urgency>, at: DateTime<Utc>) -> Result<()> {
    let sql = "UPDATE item SET own_urgency = ?2, own_urgency_at = ?3, due_stale = 1,
            own_urgency_after = (SELECT count(*) FROM message WHERE item_id = ?1 AND own = 1) WHERE id = ?1";
    tx.conn.prepare_cached(sql)?.execute(params![Id(id.0), urgency.map(Urg), urgency.map(|_| Ms(at))])?;
    Ok(())
}

/// It stands under what that block handed over.
pub fn set_handed_over(tx: &Tx<'_>, id: ItemId, block: BlockId) -> Result<()> {
    let sql = "UPDATE item SET handed_block = ?2 WHERE id = ?1";
    tx.conn.prepare_cached(sql)?.execute([Id(id.0), Id(block.0)])?;
    Ok(())
}

/// All of it has been read and looked at.
pub fn set_read(tx: &Tx<'_>, id: ItemId) -> Result<()> {
    let sql = "UPDATE message SET read = 1 WHERE item_id = ?1 AND own = 0 AND read = 0";
    tx.conn.prepare_cached(sql)?.execute([Id(id.0)])?;
    let sql = "UPDATE item SET unread = 0, woken_at = NULL, handed_block = NULL, why = NULL WHERE id = ?1";
    tx.conn.prepare_cached(sql)?.execute([Id(id.0)])?;
    Ok(())
}

/// Its newest message from somebody else has not been read.
pub fn set_unread(tx: &Tx<'_>, id: ItemId) -> Result<()> {
    let sql = "UPDATE message SET read = 0 WHERE key =
               (SELECT key FROM message WHERE item_id = ?1 AND own = 0 ORDER BY at DESC, key DESC LIMIT 1)";
    tx.conn.prepare_cached(sql)?.execute([Id(id.0)])?;
    refresh(tx, id)
}

/// It was looked at after it was handed over, or came through: it goes to its
/// usual group.
pub fn set_looked_at(tx: &Tx<'_>, id: ItemId) -> Result<()> {
    let sql = "UPDATE item SET handed_block = NULL, woken_at = NULL, why = NULL,
                      unread = EXISTS (SELECT 1 FROM message WHERE item_id = ?1 AND own = 0 AND read = 0)
               WHERE id = ?1";
    tx.conn.prepare_cached(sql)?.execute([Id(id.0)])?;
    Ok(())
}

/// It came through a block: why, in plain words.
pub fn set_why(tx: &Tx<'_>, id: ItemId, why: &str) -> Result<()> {
    tx.conn.prepare_cached("UPDATE item SET why = ?2 WHERE id = ?1")?.execute(params![Id(id.0), why])?;
    Ok(())
}

/// Wakes what was snoozed until `now`: unread, at the top of its group.
pub fn wake(tx: &Tx<'_>, now: DateTime<Utc>) -> Result<Vec<ItemId>> {
    let sql = "UPDATE item SET snoozed_until = NULL, woken_at = ?1, unread = 1
               WHERE bucket = 4 AND snoozed_until <= ?1 RETURNING id";
    let mut q = tx.conn.prepare_cached(sql)?;
    let ids = q.query_map([Ms(now)], |row| row.uuid("id"))?.collect::<Result<Vec<_>, _>>()?;
    Ok(ids.into_iter().map(ItemId).collect())
}

/// When [`wake`] has something to do next.
pub fn next_wake(r: &Read<'_>) -> Result<Option<DateTime<Utc>>> {
    let mut q = r.conn.prepare_cached("SELECT min(snoozed_until) AS at FROM item WHERE bucket = 4")?;
    Ok(q.query_row([], |row| row.opt_time("at"))?)
}

/// When my answer is due; `None` when nobody waits for it, `Err` with why it
/// can't be counted.
pub fn set_due(tx: &Tx<'_>, id: ItemId, due: Result<Option<DateTime<Utc>>, String>) -> Result<()> {
    let (due, no_due) = match due {
        Ok(due) => (due, None),
        Err(why) => (None, Some(why)),
    };
    let sql = "UPDATE item SET due = ?2, no_due = ?3, due_stale = 0 WHERE id = ?1";
    tx.conn.prepare_cached(sql)?.execute(params![Id(id.0), due.map(Ms), no_due])?;
    Ok(())
}

/// Items whose due is to be computed again, the newest first: their messages
/// or urgency changed. [`set_due`] takes an item off.
pub fn stale_due(r: &Read<'_>, limit: u32) -> Result<Vec<Item>> {
    let sql = format!(
        "SELECT {COLUMNS} FROM item JOIN account ON account.id = item.account_id
         WHERE due_stale = 1 ORDER BY sort_at DESC LIMIT ?1"
    );
    let rows = r.conn.prepare_cached(&sql)?.query_map([limit], read)?.collect::<Result<_, _>>()?;
    Ok(rows)
}

/// Hours or windows changed: everything that waits for an answer is computed again.
pub fn set_all_due_stale(tx: &Tx<'_>) -> Result<()> {
    let sql = "UPDATE item SET due_stale = 1 WHERE ask_at IS NOT NULL OR due IS NOT NULL OR no_due IS NOT NULL";
    tx.conn.execute(sql, [])?;
    Ok(())
}

/// Recomputes what follows from the messages. Removes an item that has none
/// left, unless something of the person's hangs on it or it is a team thread
/// (whose first message may be on its way).
pub(crate) fn refresh(tx: &Tx<'_>, id: ItemId) -> Result<()> {
    let mut q = tx.conn.prepare_cached(
        "SELECT author, own, text, at, unreadable, person IS NOT NULL AS markdown FROM message
         WHERE item_id = ?1 ORDER BY at DESC, key DESC LIMIT 20",
    )?;
    let mut people: Vec<String> = Vec::new();
    let mut newest: Option<(String, bool, DateTime<Utc>, Option<String>)> = None;
    let mut rows = q.query([Id(id.0)])?;
    while let Some(row) = rows.next()? {
        let (author, own): (String, bool) = (row.get("author")?, row.get("own")?);
        if !own && people.len() < 3 && !author.is_empty() && !people.contains(&author) {
            people.push(author);
        }
        if newest.is_none() {
            let note = start_of(row.get_ref("text")?.as_str().unwrap_or_default(), row.get("markdown")?);
            newest = Some((note, own, row.time("at")?, row.get("unreadable")?));
        }
    }
    drop(rows);
    let Some((note, last_own, at, unreadable)) = newest else {
        let sql = "DELETE FROM item WHERE id = ?1
                   AND (SELECT kind FROM account WHERE id = item.account_id) <> 'team'
                   AND NOT EXISTS (SELECT 1 FROM draft WHERE item_id = ?1)
                   AND NOT EXISTS (SELECT 1 FROM outbox WHERE item_id = ?1)";
        tx.conn.prepare_cached(sql)?.execute([Id(id.0)])?;
        // A thread stays without its messages; nobody's words stay with it.
        let sql = "UPDATE item SET people = '', note = '', last_own = 0, unreadable = NULL, why = NULL,
                unread = woken_at IS NOT NULL, due_stale = 1 WHERE id = ?1";
        tx.conn.prepare_cached(sql)?.execute([Id(id.0)])?;
        return Ok(());
    };
    // Who waits for me since when: in a mail conversation the first message
    // after my last one; a team thread has said so already.
    let sql = "UPDATE item SET people = ?2, note = ?3, last_own = ?4, at = ?5, unreadable = ?6,
            own = CASE WHEN (SELECT kind FROM account WHERE id = item.account_id) = 'team' THEN own
                ELSE (SELECT own FROM message WHERE item_id = ?1 ORDER BY at, key LIMIT 1) END,
            unread = woken_at IS NOT NULL
                OR EXISTS (SELECT 1 FROM message WHERE item_id = ?1 AND own = 0 AND read = 0),
            why = CASE WHEN done = 0
                AND EXISTS (SELECT 1 FROM message WHERE item_id = ?1 AND own = 0 AND read = 0) THEN why END,
            ask_at = CASE WHEN (SELECT kind FROM account WHERE id = item.account_id) = 'team' THEN ask_at
                WHEN addressed = 1 THEN (SELECT min(at) FROM message WHERE item_id = ?1 AND own = 0
                    AND at > coalesce((SELECT max(at) FROM message WHERE item_id = ?1 AND own = 1), -1)) END,
            due_stale = 1
        WHERE id = ?1";
    tx.conn.prepare_cached(sql)?.execute(params![Id(id.0), people.join(", "), note, last_own, Ms(at), unreadable])?;
    Ok(())
}

pub(crate) fn read(row: &Row<'_>) -> rusqlite::Result<Item> {
    Ok(Item {
        id: ItemId(row.uuid("id")?),
        account: AccountId(row.uuid("account_id")?),
        kind: AccountKind::parse(row.get_ref("kind")?.as_str()?),
        upstream: row.get("upstream")?,
        title: row.get("title")?,
        place: row.get("place")?,
        circle: row.opt_uuid("circle")?,
        urgency: row.get::<_, Urg>("shown_urgency")?.0,
        present_urgency: row.get::<_, Urg>("present_urgency")?.0,
        own_urgency: row.get::<_, Option<Urg>>("own_urgency")?.map(|u| u.0),
        own_urgency_at: row.opt_time("own_urgency_at")?,
        addressed: row.get("addressed")?,
        people: row.get("people")?,
        note: row.get("note")?,
        at: row.time("at")?,
        own: row.get("own")?,
        last_own: row.get("last_own")?,
        unread: row.get("unread")?,
        unreadable: row.get("unreadable")?,
        done: row.get("done")?,
        done_at: row.opt_time("done_at")?,
        snoozed_until: row.opt_time("snoozed_until")?,
        woken_at: row.opt_time("woken_at")?,
        muted: row.get("muted")?,
        ask_at: row.opt_time("ask_at")?,
        due: row.opt_time("due")?,
        no_due: row.get("no_due")?,
        held_block: row.opt_uuid("held_block")?.map(BlockId),
        handed_block: row.opt_uuid("handed_block")?.map(BlockId),
        why: row.get("why")?,
        asked_count: row.get("asked_count")?,
        answered_count: row.get("answered_count")?,
        asks_me: row.get("asks_me")?,
        waiting: row.get("waiting")?,
    })
}
