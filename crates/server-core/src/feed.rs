//! Reads feeds: what changed since a cursor, and everything there is.

use crate::core::{busy, failed};
use crate::limits::PAGE_BYTES;
use crate::row::{goes_first, weight};
use crate::storage::{Changes, Current, Limit, Page, Storage};
use crate::{Actor, Core, Key, rules};
use meantime_protocol::http::{BootstrapPage, BootstrapQuery, PullPage, PullQuery};
use meantime_protocol::{Code, Cursor, Epoch, Kind, MAX_FIELDS_BYTES, MAX_PAGE, Problem, Record, Scope};
use serde_json::Value;
use std::collections::{HashMap, HashSet, VecDeque};
use uuid::Uuid;

/// A page that is not asked for in rows.
const PAGE: usize = 200;
/// Threads read at once for a page's messages: as much as a page holds, if
/// they are the biggest there are.
const THREADS_AT_ONCE: usize = PAGE_BYTES / MAX_FIELDS_BYTES;

impl<S: Storage> Core<S> {
    /// The next page after a cursor.
    ///
    /// # Errors
    /// `not_found` (for a circle `scope_gone`) for a feed that isn't there or isn't this person's;
    /// `cursor_gone` when it has to be read from the start; `invalid` limits.
    pub async fn pull(&self, actor: &Actor, query: &PullQuery) -> Result<PullPage, Problem> {
        reach(actor, &query.scope)?;
        let limit = limit(query.limit)?;
        let epoch = self.storage.epoch().await.map_err(failed)?;
        let after = query.cursor.seq;
        let changes =
            Changes { scope: query.scope, reader: actor.person, guest: actor.is_guest_in(&query.scope), after, limit };
        let Page { rows, more, upto, min_seq } =
            self.storage.changes(actor.team_scope(), &changes).await.map_err(failed)?;
        self.still(epoch).await?;
        if query.cursor.epoch != epoch || after > upto || after < min_seq {
            return Err(cursor_gone());
        }
        let seq = if more { rows.last().map_or(after, |row| row.seq) } else { upto };
        Ok(PullPage { rows, next: Cursor { epoch, seq }, more, upto })
    }

    /// The next page of the current rows: people, hours and the agreement
    /// first, then the newest. A message never comes without its thread, unless
    /// that was deleted.
    ///
    /// # Errors
    /// As [`Core::pull`]; `cursor_gone` for a page of another epoch.
    pub async fn bootstrap(&self, actor: &Actor, query: &BootstrapQuery) -> Result<BootstrapPage, Problem> {
        reach(actor, &query.scope)?;
        let team = actor.team_scope();
        let limit = limit(query.limit)?;
        let epoch = self.storage.epoch().await.map_err(failed)?;
        let mut place = match &query.page {
            Some(text) => Place::parse(text)?,
            None => {
                let upto = self.storage.upto(team, &[query.scope]).await.map_err(failed)?;
                let seq = upto.into_iter().next().unwrap_or_default();
                Place { start: Cursor { epoch, seq }, first: true, below: seq + 1 }
            }
        };
        if place.start.epoch != epoch {
            return Err(cursor_gone());
        }
        let mut rows: Vec<Record> = Vec::new();
        // What a circle is and who is in it, before what is in it.
        let space = match query.scope {
            Scope::Private(circle) if query.page.is_none() => self.one(team, &rules::space_key(circle)).await?,
            _ => None,
        };
        let mut room = limit.bytes.saturating_sub(space.as_ref().map_or(0, |space| weight(&space.record.fields)));
        let mut more = loop {
            let current = Current {
                scope: query.scope,
                reader: actor.person,
                guest: actor.is_guest_in(&query.scope),
                first: place.first,
                below: place.below,
                limit: Limit { rows: limit.rows - rows.len(), bytes: room },
            };
            let page = self.storage.current(team, &current).await.map_err(failed)?;
            place.below = page.rows.last().map_or(place.below, |row| row.seq);
            if place.first {
                room = room.saturating_sub(page.rows.iter().map(|row| weight(&row.fields)).sum());
            }
            rows.extend(page.rows);
            if page.more {
                break true;
            }
            if !place.first {
                break false;
            }
            (place.first, place.below) = (false, place.start.seq + 1);
            if rows.len() == limit.rows {
                break true;
            }
        };
        if !actor.is_guest_in(&query.scope)
            && let Some(below) = self.add_threads(actor, &query.scope, &mut rows, room).await?
        {
            (place.below, more) = (below, true);
        }
        if let Some(space) = space {
            rows.retain(|row| row.kind != Kind::SPACE);
            rows.insert(0, space.record);
        }
        self.still(epoch).await?;
        Ok(BootstrapPage { rows, next_page: more.then(|| place.text()), start: place.start })
    }

    /// What was read since an epoch was asked for is of that one. A backup may
    /// have been put back meanwhile, under another process that goes on.
    async fn still(&self, epoch: Epoch) -> Result<(), Problem> {
        let now = self.storage.epoch().await.map_err(failed)?;
        if now == epoch { Ok(()) } else { Err(busy()) }
    }

    /// Adds the threads of a page's messages that are not on it themselves. The
    /// page ends before the first row that has no room with its thread; below
    /// which seq the next one begins then.
    async fn add_threads(
        &self,
        actor: &Actor,
        scope: &Scope,
        rows: &mut Vec<Record>,
        mut room: usize,
    ) -> Result<Option<u64>, Problem> {
        let on_page: HashMap<Uuid, usize> =
            rows.iter().filter(|row| row.kind == Kind::THREAD).map(|row| (row.id, weight(&row.fields))).collect();
        let mut known: HashSet<Uuid> = on_page.keys().copied().collect();
        let wanted = rows.iter().enumerate().filter_map(|(i, row)| Some((i, thread_of(row)?)));
        let wanted: Vec<(usize, Uuid)> = wanted.filter(|(_, thread)| known.insert(*thread)).collect();
        let (mut left, mut found) = (wanted.as_slice(), VecDeque::new());
        let (mut threads, mut end): (Vec<Record>, _) = (Vec::new(), None);
        // Threads of the page itself that take of the room already.
        let mut counted: HashSet<Uuid> = HashSet::new();
        for (i, row) in rows.iter().enumerate() {
            if found.is_empty() && left.first().is_some_and(|(at, _)| *at == i) {
                let (some, rest) = left.split_at(left.len().min(THREADS_AT_ONCE));
                let key = |id: Uuid| Key { scope: *scope, kind: Kind::THREAD, id };
                let keys: Vec<Key> = some.iter().map(|(_, id)| key(*id)).collect();
                let rows = self.storage.get(actor.team_scope(), &keys).await.map_err(failed)?;
                found.extend(some.iter().map(|(at, _)| *at).zip(rows));
                left = rest;
            }
            let thread = found.pop_front_if(|(at, _)| *at == i).and_then(|(_, row)| row);
            let thread = thread.filter(|row| !row.record.deleted && row.visible_to(actor.person)).map(|row| row.record);
            // What goes first was counted already, and a thread of the page
            // with the first message that needs it.
            let own = match &row.kind {
                kind if goes_first(kind) => 0,
                kind if *kind == Kind::THREAD && !counted.insert(row.id) => 0,
                _ => weight(&row.fields),
            };
            let further = thread_of(row).and_then(|id| on_page.get(&id).filter(|_| counted.insert(id)).copied());
            let brought = thread.as_ref().map(|thread| weight(&thread.fields)).or(further).unwrap_or_default();
            // One row is on every page, or nobody would get on.
            if i > 0 && own + brought > room {
                end = Some(i);
                break;
            }
            room = room.saturating_sub(own + brought);
            threads.extend(thread);
        }
        let next = end.map(|end| rows.split_off(end));
        let below = next.as_ref().and_then(|next| next.first()).map(|row| row.seq + 1);
        // A thread that stood further down.
        let needed: HashSet<Uuid> = rows.iter().filter_map(thread_of).collect();
        let further = next.into_iter().flatten().filter(|row| row.kind == Kind::THREAD && needed.contains(&row.id));
        threads.extend(further);
        threads.sort_by_key(|row| std::cmp::Reverse(row.seq));
        rows.extend(threads);
        Ok(below)
    }
}

/// The thread of a message.
fn thread_of(row: &Record) -> Option<Uuid> {
    let thread = row.fields.get("thread").and_then(Value::as_str)?;
    (row.kind == Kind::MESSAGE).then(|| thread.parse().ok()).flatten()
}

/// Where a bootstrap stands; opaque to clients. `EPOCH:SEQ.0|1.BELOW`.
struct Place {
    start: Cursor,
    first: bool,
    below: u64,
}

impl Place {
    fn text(&self) -> String {
        format!("{}.{}.{}", self.start, u8::from(self.first), self.below)
    }

    fn parse(text: &str) -> Result<Self, Problem> {
        let bad = || Problem::new(Code::Invalid, "the page is not one that this server gave out");
        let mut parts = text.split('.');
        let (Some(start), Some(first), Some(below), None) = (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(bad());
        };
        let start: Cursor = start.parse().map_err(|_| bad())?;
        let below: u64 = below.parse().map_err(|_| bad())?;
        if start.seq >= i64::MAX.unsigned_abs() || below > start.seq + 1 {
            return Err(bad());
        }
        Ok(Self { start: Cursor { epoch: Epoch(start.epoch.0), seq: start.seq }, first: first == "1", below })
    }
}

pub(crate) fn reach(actor: &Actor, scope: &Scope) -> Result<(), Problem> {
    match scope {
        _ if actor.reaches(scope) => Ok(()),
        Scope::Private(_) => Err(rules::scope_gone()),
        _ => Err(not_there()),
    }
}

/// One answer for a feed that is not there and one that is others'.
pub(crate) fn not_there() -> Problem {
    Problem::new(Code::NotFound, "there is no such feed, or not for you")
}

fn limit(rows: Option<usize>) -> Result<Limit, Problem> {
    match rows.unwrap_or(PAGE) {
        rows @ 1..=MAX_PAGE => Ok(Limit { rows, bytes: PAGE_BYTES }),
        _ => Err(Problem::new(Code::Invalid, format!("a page has 1 to {MAX_PAGE} rows"))),
    }
}

fn cursor_gone() -> Problem {
    Problem::new(Code::CursorGone, "this feed has to be read from the start again")
}
