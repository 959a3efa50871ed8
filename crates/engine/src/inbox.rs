//! Lists and search: the store's rows as the window shows them.

use crate::accounts::kind;
use crate::api::*;
use crate::engine::Engine;
use meantime_model::ItemId;
use meantime_model::zone::Zone;
use meantime_store::{Read, focus, item, list, search};

/// Rows of one window at most.
const MAX_ROWS: u32 = 500;
/// Hits of one page at most.
const MAX_HITS: u32 = 200;

impl Engine {
    pub(crate) async fn list(&self, query: InboxQuery) -> Result<InboxPage, Failure> {
        let (offset, limit) = (query.offset, query.limit.min(MAX_ROWS));
        let (now, zone) = (self.now(), self.zone().await);
        self.read(move |db| {
            let day_end = meantime_model::group::end_of_day(now, zone);
            let mut page = InboxPage { total: 0, offset: query.offset, groups: Vec::new(), rows: Vec::new() };
            let window = match query.view {
                View::Inbox => {
                    let inbox = list::inbox(db, day_end, offset, limit)?;
                    let held = focus::handed_over(db)?;
                    for (group, count) in inbox.groups {
                        page.total = page.total.saturating_add(count);
                        let span = match group {
                            list::Group::Held => {
                                held.as_ref().map(|b| Span { start: b.since, end: b.ended_at.unwrap_or(now) })
                            }
                            _ => None,
                        };
                        if count > 0 {
                            page.groups.push(GroupCount { group: shown_group(group), count, held: span });
                        }
                    }
                    page.rows = inbox.rows.into_iter().map(|(g, item)| row(item, Some(shown_group(g)))).collect();
                    return Ok(page);
                }
                View::Waiting => list::waiting(db, offset, limit)?,
                View::Later => list::later(db, offset, limit)?,
                View::Done => list::done(db, offset, limit)?,
            };
            page.total = window.total;
            page.rows = window.rows.into_iter().map(|item| row(item, None)).collect();
            Ok(page)
        })
        .await
    }

    pub(crate) async fn find(&self, query: SearchQuery) -> Result<SearchPage, Failure> {
        let limit = query.limit.clamp(1, MAX_HITS);
        self.read(move |db| {
            let found = search::search(db, &query.words, query.before, limit)?;
            let next = if found.len() < limit as usize { None } else { found.last().map(|hit| hit.key) };
            let hits = found.into_iter().map(|hit| Hit {
                row: row(hit.item, None),
                at: hit.at,
                author: hit.author,
                excerpt: hit.excerpt,
            });
            let hits = hits.collect();
            Ok(SearchPage { hits, next })
        })
        .await
    }

    /// The zone instants are shown in: my schedule's, else this computer's.
    pub(crate) async fn zone(&self) -> Zone {
        match self.my_schedule().await {
            Some(schedule) => schedule.zone(),
            None => self.computer_zone(),
        }
    }
}

/// The item that a person named by its id or the end of it.
pub(crate) fn resolve(db: &Read<'_>, text: &str) -> Result<ItemId, Failure> {
    match item::find(db, text)? {
        item::Found::One(id) => Ok(id),
        item::Found::None => Err(Failure::new(FailureCode::NotFound, format!("there is no item {text}"))),
        item::Found::Many => {
            Err(Failure::new(FailureCode::Invalid, format!("more than one item ends with {text}: give more of its id")))
        }
    }
}

/// An item as a list shows it.
pub(crate) fn row(item: item::Item, group: Option<Group>) -> Row {
    let held = item.is_held();
    let note = match (item.asked_count, item.answered_count) {
        (0, _) | (1, 0) if item.last_own && !item.note.is_empty() => format!("You: {}", item.note),
        (0, _) | (1, 0) => item.note,
        (asked, answered) => format!("{answered} of {asked} answered"),
    };
    let no_due = item.no_due.map(|why| format!("no due: {why}"));
    let why: Vec<String> = item.why.into_iter().chain(no_due).collect();
    Row {
        id: item.id,
        group,
        title: item.title,
        urgency: item.present_urgency,
        source: kind(item.kind),
        private: item.circle.is_some(),
        people: item.people,
        note,
        why: (!why.is_empty()).then(|| why.join("; ")),
        due: item.due,
        at: item.at,
        unread: item.unread,
        held,
        snoozed_until: item.snoozed_until,
        muted: item.muted,
        done: item.done,
        unreadable: item.unreadable,
    }
}

fn shown_group(group: list::Group) -> Group {
    match group {
        list::Group::Held => Group::Held,
        list::Group::DueToday => Group::DueToday,
        list::Group::DueLater => Group::DueLater,
        list::Group::ForInformation => Group::ForInformation,
    }
}
