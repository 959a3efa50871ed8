//! A document and a cursor → a page: what is new or changed since.
//!
//! No clock and no network: what to do with a document is decided here.

use crate::config::FeedConfig;
use crate::cursor::{Seen, State};
use crate::entry::{Entry, Feed, digest};
use crate::fetch::Document;
use chrono::{DateTime, Utc};
use meantime_source::{Budget, Change, Flags, Incoming, Item, Message, Page, Person, SourceResult, text};
use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

/// What is new in `feed`, the newest first.
pub fn page(
    config: &FeedConfig,
    feed: Feed,
    document: &Document,
    mut state: State,
    budget: Budget,
    now: DateTime<Utc>,
) -> SourceResult<Page> {
    state.round += 1;
    let backfill = state.backfilling;
    let place = if config.name.is_empty() { feed.title.clone() } else { text::one_line(&config.name) };
    let here: HashSet<&String> = feed.entries.iter().map(|entry| &entry.id).collect();
    // Feeds that make up new guids for old entries: known by link and title.
    let moved: BTreeMap<String, String> = state
        .seen
        .iter()
        .filter(|(id, _)| !here.contains(id))
        .map(|(id, seen)| (seen.same.clone(), id.clone()))
        .collect();
    let mut pending = Vec::new();
    for mut entry in feed.entries {
        let same = digest(&[entry.link.as_deref().unwrap_or_default(), &entry.title]);
        if !state.seen.contains_key(&entry.id)
            && let Some(before) = moved.get(&same)
            && entry.link.is_some()
        {
            entry.id.clone_from(before);
        }
        let all = said(&entry);
        match state.seen.get_mut(&entry.id) {
            Some(seen) if seen.digest == all => seen.round = state.round,
            before => {
                let first = before.map_or(now.timestamp(), |seen| seen.first);
                pending.push((Seen { digest: all, same, first, round: state.round }, entry));
            }
        }
    }
    // Undated entries stand in the feed's order, the newest first as a rule.
    pending.sort_by_key(|(_, entry)| std::cmp::Reverse(entry.date.map_or(now, |date| text::clamp(date, now))));
    let more = pending.len() > budget.changes.max(1);
    pending.truncate(budget.changes.max(1));
    let mut changes = Vec::with_capacity(pending.len());
    for (seen, entry) in pending {
        let first = DateTime::from_timestamp(seen.first, 0).unwrap_or(now);
        state.seen.insert(entry.id.clone(), seen);
        changes.push(Change::Message(Box::new(incoming(entry, &place, first, now))));
    }
    // While something is left the document is asked for again, whole.
    (state.etag, state.last_modified) =
        if more { (None, None) } else { (document.known.etag.clone(), document.known.last_modified.clone()) };
    state.backfilling = backfill && more;
    state.forget();
    let asked = feed.ttl_minutes.map(|minutes| Duration::from_secs(u64::from(minutes.min(24 * 60)) * 60));
    Ok(Page {
        backfill,
        more,
        changes,
        next: state.write()?,
        poll_after: if more { None } else { document.poll_after.max(asked) },
    })
}

fn incoming(entry: Entry, place: &str, first: DateTime<Utc>, now: DateTime<Utc>) -> Incoming {
    let author =
        entry.people.into_iter().next().unwrap_or_else(|| Person { name: place.to_owned(), address: String::new() });
    Incoming {
        item: Item {
            upstream: entry.id.clone(),
            title: entry.title,
            urgency: None,
            addressed: false,
            place: place.to_owned(),
        },
        message: Message {
            upstream: entry.id,
            author,
            to: Vec::new(),
            cc: Vec::new(),
            reply_to: Vec::new(),
            own: false,
            at: text::clamp(entry.date.unwrap_or(first), now),
            text: entry.text,
            html: entry.html,
            attachments: entry.attachments,
            flags: Flags::default(),
            unreadable: None,
            link: entry.link,
        },
    }
}

fn said(entry: &Entry) -> String {
    let date = entry.date.map(|date| date.to_rfc3339()).unwrap_or_default();
    let html = entry.html.as_deref().unwrap_or_default();
    digest(&[&entry.title, entry.link.as_deref().unwrap_or_default(), &date, &entry.text, html])
}
