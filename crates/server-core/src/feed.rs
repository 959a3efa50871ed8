//! Reads feeds: what changed since a cursor, and everything there is.

use crate::core::failed;
use crate::storage::{Changes, Current, Limit, Page, Storage};
use crate::{Actor, Core, Key, rules};
use meantime_protocol::http::{BootstrapPage, BootstrapQuery, PullPage, PullQuery};
use meantime_protocol::{Code, Cursor, Epoch, Kind, MAX_PAGE, Problem, Record, Scope};
use serde_json::Value;
use std::collections::HashSet;
use uuid::Uuid;

/// A page that is not asked for in rows.
const PAGE: usize = 200;
/// A page ends once it holds this much.
const PAGE_BYTES: usize = 4 << 20;

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
        if query.cursor.epoch != epoch || after > upto || after < min_seq {
            return Err(cursor_gone());
        }
        let seq = if more { rows.last().map_or(after, |row| row.seq) } else { upto };
        Ok(PullPage { rows, next: Cursor { epoch, seq }, more, upto })
    }

    /// The next page of the current rows: people, hours and the agreement
    /// first, then the newest. A message never comes without its thread.
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
        let more = loop {
            let left = Limit { rows: limit.rows - rows.len(), ..limit };
            let current = Current {
                scope: query.scope,
                reader: actor.person,
                guest: actor.is_guest_in(&query.scope),
                first: place.first,
                below: place.below,
                limit: left,
            };
            let page = self.storage.current(team, &current).await.map_err(failed)?;
            place.below = page.rows.last().map_or(place.below, |row| row.seq);
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
        if !actor.is_guest_in(&query.scope) {
            rows.extend(self.threads_of(actor, &query.scope, &rows).await?);
        }
        if let Some(space) = space {
            rows.retain(|row| row.kind != Kind::SPACE);
            rows.insert(0, space.record);
        }
        Ok(BootstrapPage { rows, next_page: more.then(|| place.text()), start: place.start })
    }

    /// The threads of a page's messages that are not on it themselves.
    async fn threads_of(&self, actor: &Actor, scope: &Scope, rows: &[Record]) -> Result<Vec<Record>, Problem> {
        let messages = rows.iter().filter(|row| row.kind == Kind::MESSAGE);
        let mut wanted: HashSet<Uuid> =
            messages.filter_map(|row| row.fields.get("thread").and_then(Value::as_str)?.parse().ok()).collect();
        for row in rows.iter().filter(|row| row.kind == Kind::THREAD) {
            wanted.remove(&row.id);
        }
        let keys: Vec<Key> = wanted.into_iter().map(|id| Key { scope: *scope, kind: Kind::THREAD, id }).collect();
        let threads = self.storage.get(actor.team_scope(), &keys).await.map_err(failed)?;
        let mut threads: Vec<Record> = threads
            .into_iter()
            .flatten()
            .filter(|row| !row.record.deleted && row.visible_to(actor.person))
            .map(|row| row.record)
            .collect();
        threads.sort_by_key(|row| std::cmp::Reverse(row.seq));
        Ok(threads)
    }
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
