//! Table `message`: everything somebody wrote.
//!
//! `key` is the rowid and grows with the time of the message, so that
//! "newest first" is the order of the table and of the index
//! ([`crate::search`]).

// long: one table, whose row is written, changed and read in one place

use crate::outbox;
use crate::sql::{Id, Ms, RowExt, json};
use crate::{Read, Result, Tx};
use chrono::{DateTime, Utc};
use meantime_model::{AccountId, ItemId, PersonId};
use meantime_protocol::Sha256;
use rusqlite::{OptionalExtension, Row, params};
use serde::{Deserialize, Serialize};

pub(crate) const V1: &str = "
CREATE TABLE message (
    key          INTEGER PRIMARY KEY,
    item_id      BLOB NOT NULL REFERENCES item(id) ON DELETE CASCADE,
    account_id   BLOB NOT NULL,
    upstream     TEXT NOT NULL,
    title        TEXT NOT NULL,
    author       TEXT NOT NULL,
    address      TEXT NOT NULL,
    person       BLOB,
    recipients   TEXT NOT NULL,
    copies       TEXT NOT NULL,
    own          INTEGER NOT NULL,
    at           INTEGER NOT NULL,
    text         TEXT NOT NULL,
    html         TEXT,
    attachments  TEXT NOT NULL,
    read         INTEGER NOT NULL,
    up_read      INTEGER NOT NULL,
    up_done      INTEGER NOT NULL,
    unreadable   TEXT,
    link         TEXT,
    visible_from INTEGER,
    outbox_id    INTEGER,
    UNIQUE (account_id, upstream)
) STRICT;
CREATE INDEX message_item   ON message (item_id, at, key);
CREATE INDEX message_unread ON message (item_id) WHERE own = 0 AND read = 0;
CREATE INDEX message_person ON message (person, item_id) WHERE person IS NOT NULL;";

pub(crate) const V2: &str = "ALTER TABLE message ADD COLUMN reply_to TEXT NOT NULL DEFAULT '[]';";

// The files of team messages that came before they were shown.
pub(crate) const V3: &str = "
UPDATE message SET attachments = sent.list FROM (
    SELECT lower(hex(id)) AS id, json_extract(fields, '$.attachments') AS list FROM record
    WHERE kind = 'message' AND deleted = 0 AND json_type(fields, '$.attachments') = 'array'
    AND NOT EXISTS (SELECT 1 FROM json_each(fields, '$.attachments') AS f
        WHERE json_type(fields, f.fullkey || '.name') IS NOT 'text'
        OR json_type(fields, f.fullkey || '.media_type') IS NOT 'text'
        OR json_type(fields, f.fullkey || '.bytes') IS NOT 'integer'
        OR json_extract(fields, f.fullkey || '.bytes') < 0
        OR length(json_extract(fields, f.fullkey || '.sha256')) IS NOT 64
        OR json_extract(fields, f.fullkey || '.sha256') GLOB '*[^0-9a-f]*')
) AS sent WHERE message.person IS NOT NULL AND replace(message.upstream, '-', '') = sent.id;";

// Each message that comes asks whether I wrote before it: not through all of a
// long conversation.
pub(crate) const V4: &str = "CREATE INDEX message_own ON message (item_id, key) WHERE own = 1;";

/// Keys of one millisecond. Not more, so that a key stays below 2^53 (the
/// largest whole number a JavaScript number holds) until the year 2248.
const KEYS_PER_MS: i64 = 1 << 10;
const LAST_MS: i64 = (1 << 43) - 1;

/// Somebody, as a system names them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Correspondent {
    /// As shown; may be empty.
    pub name: String,
    /// Mail address or the system's own handle; may be empty.
    pub address: String,
}

/// What hangs on a message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attachment {
    /// File name without a path.
    pub name: String,
    /// Media type as declared.
    pub media_type: String,
    /// Size in bytes.
    pub bytes: u64,
    /// Which bytes, where they are a team's: by it they are fetched and checked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<Sha256>,
}

/// Where a message of mine is on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sending {
    /// Waits in the outbox.
    Pending {
        /// Its row there.
        outbox: i64,
        /// Not sent before then; until then it can be withdrawn.
        not_before: Option<DateTime<Utc>>,
    },
    /// Refused; the text is kept in the outbox.
    Refused {
        /// Its row there.
        outbox: i64,
        /// Why, in plain words.
        message: String,
    },
}

/// One message.
#[derive(Clone, Debug, PartialEq)]
pub struct Message {
    /// Place in the order of time, over all accounts.
    pub key: i64,
    /// Its conversation.
    pub item: ItemId,
    /// Its account.
    pub account: AccountId,
    /// The account's own name of it, unique there; a team message's id.
    pub upstream: String,
    /// The subject it came with.
    pub title: String,
    /// Who wrote it, as shown.
    pub author: String,
    /// Their address; may be empty.
    pub address: String,
    /// The teammate, where it is one.
    pub person: Option<PersonId>,
    /// Whom it is addressed to.
    pub to: Vec<Correspondent>,
    /// Who else got it.
    pub cc: Vec<Correspondent>,
    /// Whom an answer goes to instead of its author; empty as a rule.
    pub reply_to: Vec<Correspondent>,
    /// I wrote it.
    pub own: bool,
    /// When, by the server's clock where there is one.
    pub at: DateTime<Utc>,
    /// Plain text or Markdown.
    pub text: String,
    /// Sanitised HTML, where it has any.
    pub html: Option<String>,
    /// What hangs on it.
    pub attachments: Vec<Attachment>,
    /// I have read it.
    pub read: bool,
    /// It could not be read (fully): why.
    pub unreadable: Option<String>,
    /// Where it can be opened in a browser.
    pub link: Option<String>,
    /// Sent later: until then only its author sees it.
    pub visible_from: Option<DateTime<Utc>>,
    /// On its way, or refused.
    pub sending: Option<Sending>,
}

/// A message to put into the table.
#[derive(Clone, Debug, PartialEq)]
pub struct NewMessage {
    /// The account's own name of it, unique there.
    pub upstream: String,
    /// The subject it came with.
    pub title: String,
    /// Who wrote it.
    pub author: Correspondent,
    /// The teammate, where it is one.
    pub person: Option<PersonId>,
    /// Whom it is addressed to.
    pub to: Vec<Correspondent>,
    /// Who else got it.
    pub cc: Vec<Correspondent>,
    /// Whom an answer goes to instead of its author; empty as a rule.
    pub reply_to: Vec<Correspondent>,
    /// I wrote it.
    pub own: bool,
    /// When.
    pub at: DateTime<Utc>,
    /// Plain text or Markdown.
    pub text: String,
    /// Sanitised HTML.
    pub html: Option<String>,
    /// What hangs on it.
    pub attachments: Vec<Attachment>,
    /// Seen, as its system says.
    pub read: bool,
    /// Archived, as its system says.
    pub done: bool,
    /// It could not be read (fully): why.
    pub unreadable: Option<String>,
    /// Where it can be opened in a browser.
    pub link: Option<String>,
    /// Sent later: until then only its author sees it.
    pub visible_from: Option<DateTime<Utc>>,
    /// The outbox row that carries it, while it is on its way.
    pub outbox: Option<i64>,
}

/// A known message, as far as an upsert has to know.
pub(crate) struct Known {
    pub key: i64,
    pub item: ItemId,
    pub at: DateTime<Utc>,
    pub up_read: bool,
    pub up_done: bool,
}

const SELECT: &str = "SELECT message.*, outbox.state AS send_state, outbox.message AS send_message,
    outbox.not_before AS send_not_before
    FROM message LEFT JOIN outbox ON outbox.id = message.outbox_id AND outbox.state <> 'sent'";

/// The newest `limit` messages of a conversation, oldest first.
pub fn of_item(r: &Read<'_>, item: ItemId, limit: u32) -> Result<Vec<Message>> {
    let sql = format!("{SELECT} WHERE message.item_id = ?1 ORDER BY message.at DESC, message.key DESC LIMIT ?2");
    let mut q = r.conn.prepare_cached(&sql)?;
    let mut rows = q.query_map(params![Id(item.0), limit], read)?.collect::<Result<Vec<_>, _>>()?;
    rows.reverse();
    Ok(rows)
}

/// One message.
pub fn get(r: &Read<'_>, key: i64) -> Result<Option<Message>> {
    let sql = format!("{SELECT} WHERE message.key = ?1");
    Ok(r.conn.prepare_cached(&sql)?.query_row([key], read).optional()?)
}

/// One message by its account's own name of it.
pub fn by_upstream(r: &Read<'_>, account: AccountId, upstream: &str) -> Result<Option<Message>> {
    let sql = format!("{SELECT} WHERE message.account_id = ?1 AND message.upstream = ?2");
    Ok(r.conn.prepare_cached(&sql)?.query_row(params![Id(account.0), upstream], read).optional()?)
}

/// The account's own names of a conversation's messages from others, the
/// newest first: what is written back when it is read or done.
pub fn upstreams(r: &Read<'_>, item: ItemId) -> Result<Vec<String>> {
    let sql = "SELECT upstream FROM message WHERE item_id = ?1 AND own = 0 ORDER BY at DESC, key DESC";
    let mut q = r.conn.prepare_cached(sql)?;
    let rows = q.query_map([Id(item.0)], |row| row.get(0))?.collect::<Result<_, _>>()?;
    Ok(rows)
}

/// The newest message that arrived (not one of mine still on its way): the
/// instant to write into a mark's `read_at` and `done_at`. It is the server's
/// time, so that this computer's clock does not decide what counts as later.
pub fn seen_until(r: &Read<'_>, item: ItemId) -> Result<Option<DateTime<Utc>>> {
    let sql = "SELECT max(at) AS at FROM message WHERE item_id = ?1 AND outbox_id IS NULL";
    Ok(r.conn.prepare_cached(sql)?.query_row([Id(item.0)], |row| row.opt_time("at"))?)
}

/// Whether I wrote in it since I last said how urgent I see it.
pub fn answered_since_said(r: &Read<'_>, item: ItemId) -> Result<bool> {
    let sql = "SELECT (SELECT count(*) FROM message WHERE item_id = ?1 AND own = 1) > own_urgency_after
               FROM item WHERE id = ?1 AND own_urgency_after IS NOT NULL";
    Ok(r.conn.prepare_cached(sql)?.query_row([Id(item.0)], |row| row.get(0)).optional()?.unwrap_or(false))
}

/// Puts a message of mine into a conversation while it is on its way (mail;
/// team messages come from their outbox row by themselves). When the source
/// delivers it back under the same upstream name, that replaces it.
pub fn put_own(tx: &Tx<'_>, account: AccountId, item: ItemId, message: &NewMessage) -> Result<i64> {
    let (key, _) = put(tx, account, item, message)?;
    crate::item::refresh(tx, item)?;
    Ok(key)
}

/// Takes a message out again (an undone reply).
pub fn remove(tx: &Tx<'_>, key: i64) -> Result<()> {
    let sql = "DELETE FROM message WHERE key = ?1 RETURNING item_id";
    let item = tx.conn.prepare_cached(sql)?.query_row([key], |row| row.uuid("item_id")).optional()?;
    item.map_or(Ok(()), |item| crate::item::refresh(tx, ItemId(item)))
}

/// Whether I wrote something in a conversation.
pub fn wrote_in(r: &Read<'_>, item: ItemId) -> Result<bool> {
    let sql = "SELECT EXISTS (SELECT 1 FROM message WHERE item_id = ?1 AND own = 1)";
    Ok(r.conn.prepare_cached(sql)?.query_row([Id(item.0)], |row| row.get(0))?)
}

pub(crate) fn known(r: &Read<'_>, account: AccountId, upstream: &str) -> Result<Option<Known>> {
    let sql = "SELECT key, item_id, at, up_read, up_done FROM message WHERE account_id = ?1 AND upstream = ?2";
    let found = r.conn.prepare_cached(sql)?.query_row(params![Id(account.0), upstream], |row| {
        Ok(Known {
            key: row.get("key")?,
            item: ItemId(row.uuid("item_id")?),
            at: row.time("at")?,
            up_read: row.get("up_read")?,
            up_done: row.get("up_done")?,
        })
    });
    Ok(found.optional()?)
}

/// Inserts or replaces; answers the key and whether it is new. The item must
/// be there; it is not refreshed.
pub(crate) fn put(tx: &Tx<'_>, account: AccountId, item: ItemId, m: &NewMessage) -> Result<(i64, bool)> {
    let at = clamp(m.at);
    let Some(known) = known(tx, account, &m.upstream)? else {
        let key = free_key(tx, at)?;
        insert(tx, key, account, item, at, m)?;
        return Ok((key, true));
    };
    let key = if known.at == at { known.key } else { free_key(tx, at)? };
    // `read` follows its system only where that says something new.
    let sql = "UPDATE message SET key = ?2, item_id = ?3, title = ?4, author = ?5, address = ?6, person = ?7,
            recipients = ?8, copies = ?9, own = ?10, at = ?11, text = ?12, html = ?13, attachments = ?14,
            read = CASE WHEN up_read <> ?15 THEN ?15 ELSE read END, up_read = ?15, up_done = ?16,
            unreadable = ?17, link = ?18, visible_from = ?19, outbox_id = ?20, reply_to = ?21
        WHERE key = ?1";
    tx.conn.prepare_cached(sql)?.execute(params![
        known.key,
        key,
        Id(item.0),
        m.title,
        m.author.name,
        m.author.address,
        m.person.map(|p| Id(p.0)),
        json(&m.to)?,
        json(&m.cc)?,
        m.own,
        Ms(at),
        m.text,
        m.html,
        json(&m.attachments)?,
        m.read,
        m.done,
        m.unreadable,
        m.link,
        m.visible_from.map(Ms),
        m.outbox,
        json(&m.reply_to)?,
    ])?;
    Ok((key, false))
}

fn insert(tx: &Tx<'_>, key: i64, account: AccountId, item: ItemId, at: DateTime<Utc>, m: &NewMessage) -> Result<()> {
    let sql = "INSERT INTO message (key, item_id, account_id, upstream, title, author, address, person, recipients,
            copies, own, at, text, html, attachments, read, up_read, up_done, unreadable, link, visible_from, outbox_id,
            reply_to)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?16, ?17, ?18, ?19, ?20, ?21, ?22)";
    tx.conn.prepare_cached(sql)?.execute(params![
        key,
        Id(item.0),
        Id(account.0),
        m.upstream,
        m.title,
        m.author.name,
        m.author.address,
        m.person.map(|p| Id(p.0)),
        json(&m.to)?,
        json(&m.cc)?,
        m.own,
        Ms(at),
        m.text,
        m.html,
        json(&m.attachments)?,
        m.read,
        m.done,
        m.unreadable,
        m.link,
        m.visible_from.map(Ms),
        m.outbox,
        json(&m.reply_to)?,
    ])?;
    Ok(())
}

/// The first free key of that millisecond, or of the next that has one.
fn free_key(r: &Read<'_>, at: DateTime<Utc>) -> Result<i64> {
    let mut q = r.conn.prepare_cached("SELECT max(key) FROM message WHERE key >= ?1 AND key < ?2")?;
    let mut base = at.timestamp_millis() * KEYS_PER_MS;
    loop {
        let end = base + KEYS_PER_MS;
        match q.query_row([base, end], |row| row.get::<_, Option<i64>>(0))? {
            None => return Ok(base),
            Some(last) if last + 1 < end => return Ok(last + 1),
            Some(_) => base = end,
        }
    }
}

/// Into what a key can hold: 1970 to 2248, whole milliseconds.
fn clamp(at: DateTime<Utc>) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(at.timestamp_millis().clamp(0, LAST_MS)).unwrap_or_default()
}

pub(crate) fn read(row: &Row<'_>) -> rusqlite::Result<Message> {
    let sending = match row.get::<_, Option<String>>("send_state")?.as_deref() {
        Some(outbox::WAITING) => {
            Some(Sending::Pending { outbox: row.get("outbox_id")?, not_before: row.opt_time("send_not_before")? })
        }
        Some(outbox::REFUSED) => Some(Sending::Refused {
            outbox: row.get("outbox_id")?,
            message: row.get::<_, Option<String>>("send_message")?.unwrap_or_default(),
        }),
        _ => None,
    };
    Ok(Message {
        key: row.get("key")?,
        item: ItemId(row.uuid("item_id")?),
        account: AccountId(row.uuid("account_id")?),
        upstream: row.get("upstream")?,
        title: row.get("title")?,
        author: row.get("author")?,
        address: row.get("address")?,
        person: row.opt_uuid("person")?.map(PersonId),
        to: row.json("recipients")?,
        cc: row.json("copies")?,
        reply_to: row.json("reply_to")?,
        own: row.get("own")?,
        at: row.time("at")?,
        text: row.get("text")?,
        html: row.get("html")?,
        attachments: row.json("attachments")?,
        read: row.get("read")?,
        unreadable: row.get("unreadable")?,
        link: row.get("link")?,
        visible_from: row.opt_time("visible_from")?,
        sending,
    })
}
