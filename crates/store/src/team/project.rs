//! From records to rows: a thread is an item, its messages are messages.

use super::effective::{Effective, effective};
use super::mark::{self, mark, newest_from_others};
use super::{Applied, FreshMessage, Team};
use crate::message::{Attachment, Correspondent, NewMessage};
use crate::sql::{Id, Ms, RowExt, Urg};
use crate::{Read, Result, Tx, item, message};
use meantime_model::{ItemId, PersonId, Urgency};
use meantime_protocol::kinds::{Mark, Member, Message, Thread};
use meantime_protocol::{Kind, Scope};
use rusqlite::{OptionalExtension, params};
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use uuid::Uuid;

/// Said of a message whose fields are not what they should be.
const UNREADABLE: &str = "This could not be read: it is not of the form this Meantime knows. A newer one may know it.";

/// What is to be projected anew.
#[derive(Default)]
pub(super) struct Stale {
    pub threads: BTreeSet<Uuid>,
    pub messages: BTreeSet<Uuid>,
    /// Items of any source whose mark changed, with the mark before.
    pub marks: BTreeMap<Uuid, Mark>,
    pub members: BTreeSet<Uuid>,
    pub team_changed: bool,
    pub hours_changed: bool,
}

impl Stale {
    /// Notes that a record changed (or will: `before` is read now).
    pub fn note(&mut self, r: &Read<'_>, kind: &Kind, id: Uuid) -> Result<()> {
        if *kind == Kind::THREAD {
            self.threads.insert(id);
        } else if *kind == Kind::MESSAGE {
            self.messages.insert(id);
        } else if *kind == Kind::MARK {
            if let Entry::Vacant(slot) = self.marks.entry(id) {
                slot.insert(mark(r, ItemId(id))?.unwrap_or_default());
            }
        } else if *kind == Kind::MEMBER {
            self.members.insert(id);
            self.team_changed = true;
        } else {
            self.team_changed = true;
            self.hours_changed |= *kind == Kind::SCHEDULE || *kind == Kind::AGREEMENT;
        }
        Ok(())
    }
}

/// Projects what is stale. `backfill`: none of it is news (a bootstrap).
pub(super) fn project(tx: &Tx<'_>, team: &Team, stale: &Stale, backfill: bool) -> Result<Applied> {
    let mut names = Names(HashMap::new());
    let mut touched: BTreeSet<ItemId> = BTreeSet::new();
    let mut messages: BTreeSet<Uuid> = BTreeSet::new();
    for person in &stale.members {
        rename(tx, PersonId(*person), &names.of(tx, PersonId(*person))?, &mut touched)?;
    }
    for id in &stale.threads {
        let known = exists(tx, ItemId(*id))?;
        touched.insert(ItemId(*id));
        if project_thread(tx, team, *id)? && !known {
            messages.extend(messages_of(tx, *id)?);
        }
    }
    messages.extend(&stale.messages);
    let mut fresh = Vec::new();
    for id in messages {
        touched.extend(message::known(tx, team.account, &id.to_string())?.map(|known| known.item));
        let new = project_message(tx, team, id, &mut names)?;
        touched.extend(new.as_ref().map(|n| n.item));
        fresh.extend(new.filter(|n| n.new).map(|n| n.message));
    }
    for (id, before) in &stale.marks {
        let id = ItemId(*id);
        let kind: Option<bool> = tx
            .conn
            .prepare_cached(
                "SELECT account.kind = 'team' FROM item JOIN account ON account.id = account_id WHERE item.id = ?1",
            )?
            .query_row([Id(id.0)], |row| row.get(0))
            .optional()?;
        match kind {
            None => {}
            Some(true) => {
                touched.insert(id);
                read_up_to(tx, id, before, &mark(tx, id)?.unwrap_or_default())?;
            }
            Some(false) => {
                touched.insert(id);
                mark::bring(tx, id, before, &mark(tx, id)?.unwrap_or_default(), team.now)?;
            }
        }
    }
    // A message in a snoozed thread takes its snooze away, everywhere.
    if !backfill {
        for id in fresh.iter().filter(|f: &&FreshMessage| !f.own).map(|f| f.item).collect::<BTreeSet<_>>() {
            if mark(tx, id)?.is_some_and(|m| !m.muted && m.snoozed_until.is_some_and(|until| until > team.now)) {
                mark::clear_snooze(tx, id, team.now)?;
            }
        }
    }
    for id in &touched {
        settle_thread(tx, team, *id)?;
    }
    for news in &mut fresh {
        news.backfill = backfill;
        describe(tx, news)?;
    }
    fresh.sort_by_key(|f| f.key);
    Ok(Applied {
        touched: touched.into_iter().collect(),
        fresh,
        team_changed: stale.team_changed,
        hours_changed: stale.hours_changed,
    })
}

/// The thread's own columns; false if there is no such thread (any more).
fn project_thread(tx: &Tx<'_>, team: &Team, id: Uuid) -> Result<bool> {
    let Some(record) = effective(tx, &Kind::THREAD, id)? else {
        tx.conn
            .prepare_cached("DELETE FROM item WHERE id = ?1 AND account_id = ?2")?
            .execute([Id(id), Id(team.account.0)])?;
        return Ok(false);
    };
    let thread = read_thread(&record);
    let sql = "INSERT INTO item (id, account_id, upstream, title, place, urgency, addressed, at, own, circle)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)
        ON CONFLICT (id) DO UPDATE SET title = ?4, place = ?5, urgency = ?6, addressed = ?7, own = ?9, circle = ?10";
    tx.conn.prepare_cached(sql)?.execute(params![
        Id(id),
        Id(team.account.0),
        id.to_string(),
        thread.title,
        thread.space.unwrap_or_default(),
        Urg(thread.urgency),
        thread.asked.contains(&team.me),
        Ms(record.shown_at()),
        is_mine(&record, team),
        circle_of(record.scope).map(Id),
    ])?;
    Ok(true)
}

/// The closed circle that a feed is.
fn circle_of(scope: Scope) -> Option<Uuid> {
    match scope {
        Scope::Private(circle) => Some(circle),
        Scope::Team(_) | Scope::User(_) => None,
    }
}

/// A thread's fields; one that is not of the known form is shown as far as it goes.
fn read_thread(record: &Effective) -> Thread {
    record.typed().unwrap_or_else(|| Thread {
        title: record.fields.get("title").and_then(|t| t.as_str()).unwrap_or("A thread that can't be read").into(),
        urgency: Urgency::Yellow,
        asked: Vec::new(),
        space: None,
        outcome: None,
        rest: serde_json::Map::new(),
    })
}

/// A message row that was written.
struct Projected {
    item: ItemId,
    new: bool,
    message: FreshMessage,
}

/// One message row; `None` if there is none (any more). Without its thread it
/// waits: it is projected when the thread comes. A thread of another circle,
/// or of the team, is not its thread: what is said there is for others.
fn project_message(tx: &Tx<'_>, team: &Team, id: Uuid, names: &mut Names) -> Result<Option<Projected>> {
    let upstream = id.to_string();
    let record = effective(tx, &Kind::MESSAGE, id)?;
    let thread = record.as_ref().and_then(|r| r.fields.get("thread")?.as_str()?.parse().ok()).map(ItemId);
    let circle = record.as_ref().and_then(|record| circle_of(record.scope));
    let sql = "SELECT title FROM item WHERE id = ?1 AND account_id = ?2 AND circle IS ?3";
    let title: Option<String> = tx
        .conn
        .prepare_cached(sql)?
        .query_row(params![thread.map(|t| Id(t.0)), Id(team.account.0), circle.map(Id)], |row| row.get(0))
        .optional()?;
    let (Some(record), Some(item), Some(title)) = (record, thread, title) else {
        let sql = "DELETE FROM message WHERE account_id = ?1 AND upstream = ?2";
        tx.conn.prepare_cached(sql)?.execute(params![Id(team.account.0), upstream])?;
        return Ok(None);
    };
    let typed: Option<Message> = record.typed();
    let own = is_mine(&record, team);
    let author = record.author.unwrap_or(team.me);
    let at = record.shown_at();
    let read_at = mark(tx, item)?.and_then(|m| m.read_at);
    let unreadable = typed.is_none().then(|| UNREADABLE.to_owned());
    let (text, files) = typed.map(|m| (m.text, m.attachments)).unwrap_or_default();
    let row = NewMessage {
        upstream,
        title,
        author: Correspondent { name: names.of(tx, author)?, address: String::new() },
        person: Some(author),
        to: Vec::new(),
        cc: Vec::new(),
        reply_to: Vec::new(),
        own,
        at,
        text,
        html: None,
        attachments: files.into_iter().map(shown_file).collect(),
        read: own || read_at.is_some_and(|read_at| at <= read_at),
        done: false,
        unreadable,
        link: None,
        visible_from: record.visible_from,
        outbox: record.outbox,
    };
    let (key, new) = message::put(tx, team.account, item, &row)?;
    let message = FreshMessage {
        item,
        key,
        record: id,
        author,
        at,
        own,
        urgency: Urgency::Yellow,
        asks_me: false,
        reply: false,
        // Told by whoever projects it.
        backfill: false,
        seen: row.read,
    };
    Ok(Some(Projected { item, new, message }))
}

fn shown_file(file: meantime_protocol::Attachment) -> Attachment {
    let meantime_protocol::Attachment { sha256, name, media_type, bytes } = file;
    Attachment { name, media_type, bytes, sha256: Some(sha256) }
}

/// Who was asked, who answered, done, snoozed: once its messages are in.
fn settle_thread(tx: &Tx<'_>, team: &Team, id: ItemId) -> Result<()> {
    let Some(record) = effective(tx, &Kind::THREAD, id.0)? else { return item::refresh(tx, id) };
    if !exists(tx, id)? {
        return Ok(());
    }
    let thread = read_thread(&record);
    let author = record.author.unwrap_or(team.me);
    let mut answered_by =
        tx.conn.prepare_cached("SELECT EXISTS (SELECT 1 FROM message WHERE person = ?1 AND item_id = ?2)")?;
    let asked: BTreeSet<PersonId> = thread.asked.iter().copied().filter(|p| *p != author).collect();
    let (mut answered, mut mine) = (0_u32, false);
    for person in &asked {
        if answered_by.query_row([Id(person.0), Id(id.0)], |row| row.get::<_, bool>(0))? {
            answered += 1;
            mine |= *person == team.me;
        }
    }
    drop(answered_by);
    let asked_count = u32::try_from(asked.len()).unwrap_or(u32::MAX);
    let open = thread.outcome.is_none();
    let asks_me = open && asked.contains(&team.me) && !mine;
    let mark = mark(tx, id)?.unwrap_or_default();
    let newest = newest_from_others(tx, id)?;
    let done_at = mark.done_at.filter(|at| mark.muted || newest.is_none_or(|newest| newest <= *at));
    let sql = "UPDATE item SET asked_count = ?2, answered_count = ?3, asks_me = ?4, ask_at = ?5, waiting = ?6,
            done = ?7 IS NOT NULL, done_at = ?7, muted = ?8,
            handed_block = CASE WHEN ?7 IS NULL THEN handed_block END,
            snoozed_until = CASE
                WHEN ?7 IS NOT NULL THEN NULL
                WHEN ?9 > ?10 THEN ?9
                WHEN snoozed_until = ?9 THEN snoozed_until END,
            woken_at = CASE WHEN ?9 > ?10 OR ?7 IS NOT NULL THEN NULL ELSE woken_at END
        WHERE id = ?1";
    tx.conn.prepare_cached(sql)?.execute(params![
        Id(id.0),
        asked_count,
        answered,
        asks_me,
        asks_me.then(|| Ms(record.shown_at())),
        author == team.me && open && answered < asked_count,
        done_at.map(Ms),
        mark.muted,
        mark.snoozed_until.map(Ms),
        Ms(team.now),
    ])?;
    item::refresh(tx, id)
}

/// Messages up to the mark are read, those after it are not. A mark that
/// changed means that it was looked at.
fn read_up_to(tx: &Tx<'_>, id: ItemId, before: &Mark, mark: &Mark) -> Result<()> {
    let sql = "UPDATE message SET read = at <= ?2, up_read = at <= ?2 WHERE item_id = ?1 AND own = 0
               AND (read <> (at <= ?2) OR up_read <> (at <= ?2))";
    let read_at = mark.read_at.map_or(-1, |at| at.timestamp_millis());
    tx.conn.prepare_cached(sql)?.execute(params![Id(id.0), read_at])?;
    if newest_from_others(tx, id)?.is_none_or(|newest| newest.timestamp_millis() <= read_at) {
        let sql = "UPDATE item SET handed_block = NULL,
                          woken_at = CASE WHEN ?2 THEN NULL ELSE woken_at END WHERE id = ?1";
        tx.conn.prepare_cached(sql)?.execute(params![Id(id.0), before != mark])?;
    }
    Ok(())
}

/// What only the settled thread knows.
fn describe(r: &Read<'_>, news: &mut FreshMessage) -> Result<()> {
    let sql = "SELECT shown_urgency, asks_me, EXISTS (SELECT 1 FROM message
            WHERE item_id = item.id AND own = 1 AND key < ?2) AS reply FROM item WHERE id = ?1";
    let mut q = r.conn.prepare_cached(sql)?;
    q.query_row(params![Id(news.item.0), news.key], |row| {
        news.urgency = row.get::<_, Urg>("shown_urgency")?.0;
        news.asks_me = row.get("asks_me")?;
        news.reply = row.get("reply")?;
        Ok(())
    })
    .optional()?;
    Ok(())
}

/// Members' names, each looked up once.
struct Names(HashMap<PersonId, String>);

impl Names {
    fn of(&mut self, r: &Read<'_>, person: PersonId) -> Result<String> {
        if let Some(name) = self.0.get(&person) {
            return Ok(name.clone());
        }
        let member: Option<Member> = effective(r, &Kind::MEMBER, person.0)?.and_then(|e| e.typed());
        let name = member.map_or_else(|| "Somebody".to_owned(), |m| m.name);
        self.0.insert(person, name.clone());
        Ok(name)
    }
}

/// A member's name changed, or came after what they wrote.
fn rename(tx: &Tx<'_>, person: PersonId, name: &str, touched: &mut BTreeSet<ItemId>) -> Result<()> {
    let sql = "UPDATE message SET author = ?2 WHERE person = ?1 AND author <> ?2 RETURNING item_id";
    let mut q = tx.conn.prepare_cached(sql)?;
    let rows = q.query_map(params![Id(person.0), name], |row| row.uuid("item_id"))?;
    for id in rows {
        touched.insert(ItemId(id?));
    }
    Ok(())
}

/// Messages whose records came before their thread's.
fn messages_of(r: &Read<'_>, thread: Uuid) -> Result<Vec<Uuid>> {
    let sql = "SELECT id FROM record WHERE parent = ?1 AND kind = 'message'
               UNION SELECT record_id FROM outbox WHERE parent = ?1 AND kind = 'message'";
    let mut q = r.conn.prepare_cached(sql)?;
    let ids = q.query_map([Id(thread)], |row| row.uuid("id"))?.collect::<Result<_, _>>()?;
    Ok(ids)
}

fn exists(r: &Read<'_>, id: ItemId) -> Result<bool> {
    let sql = "SELECT EXISTS (SELECT 1 FROM item WHERE id = ?1)";
    Ok(r.conn.prepare_cached(sql)?.query_row([Id(id.0)], |row| row.get(0))?)
}

fn is_mine(record: &Effective, team: &Team) -> bool {
    record.author.is_none_or(|author| author == team.me)
}
