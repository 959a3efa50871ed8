//! A document and a cursor → a page: what is new or changed since.
//!
//! No clock and no network: what to do with a document is decided here.

use crate::config::FeedConfig;
use crate::cursor::{Seen, State};
use crate::entry::{Entry, Feed, UNREADABLE, digest};
use crate::fetch::{Document, Unreadable};
use chrono::{DateTime, Utc};
use meantime_source::{Budget, Change, Flags, Incoming, Item, Message, Page, Person, SourceError, SourceResult, text};
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::time::Duration;
use url::Url;

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
    if state.backfilling && state.seen.is_empty() {
        state.old = Some(feed.entries.iter().flat_map(|entry| [entry.id.clone(), likeness(entry)]).collect());
    }
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
        let same = likeness(&entry);
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
    // What came since the first document goes first, on pages of its own.
    let is_news = |(seen, entry): &(Seen, Entry)| {
        let was_there = |old: &BTreeSet<String>| old.contains(&entry.id) || old.contains(&seen.same);
        !state.seen.contains_key(&entry.id) && state.old.as_ref().is_some_and(|old| !was_there(old))
    };
    let (news, rest): (Vec<_>, Vec<_>) = pending.into_iter().partition(is_news);
    let backfill = state.backfilling && news.is_empty();
    let behind = !news.is_empty() && !rest.is_empty();
    let mut pending = if news.is_empty() { rest } else { news };
    let more = behind || pending.len() > budget.changes.max(1);
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
    state.backfilling &= more;
    if !state.backfilling {
        state.old = None;
    }
    state.forget();
    changes.extend(readable_again(&mut state));
    let asked = feed.ttl_minutes.map(|minutes| Duration::from_secs(u64::from(minutes.min(24 * 60)) * 60));
    Ok(Page {
        backfill,
        more,
        changes,
        next: state.write()?,
        poll_after: if more { None } else { document.poll_after.max(asked) },
        trouble: None,
    })
}

/// Nothing is new. A document that could not be read gave way to the last one
/// that could.
pub fn unchanged(mut state: State, poll_after: Option<Duration>) -> SourceResult<Page> {
    let changes = readable_again(&mut state).into_iter().collect();
    Ok(Page { changes, next: state.write()?, more: false, backfill: false, poll_after, trouble: None })
}

/// What was sent is no feed: one entry says so, until it can be read again or
/// can't be for another reason. The account's state says it as well.
pub fn unreadable(config: &FeedConfig, found: &Unreadable, mut state: State, now: DateTime<Utc>) -> SourceResult<Page> {
    let mut changes = Vec::new();
    if state.unreadable.as_deref() != Some(found.why) {
        changes.extend(readable_again(&mut state));
        state.unreadable = Some(found.why.to_owned());
        changes.push(Change::Message(Box::new(broken(config, found, now))));
    }
    Ok(Page {
        backfill: state.backfilling,
        more: false,
        changes,
        next: state.write()?,
        poll_after: None,
        trouble: Some(SourceError::Protocol(found.words.clone())),
    })
}

/// Takes back what [`unreadable`] said.
fn readable_again(state: &mut State) -> Option<Change> {
    state.unreadable.take().map(|why| Change::Gone { message: broken_id(&why) })
}

/// No entry is called so: one with such a guid has its digest as its name.
fn broken_id(why: &str) -> String {
    format!("{UNREADABLE}{why}")
}

fn broken(config: &FeedConfig, found: &Unreadable, now: DateTime<Utc>) -> Incoming {
    let id = broken_id(found.why);
    // Not the whole address, which may hold a secret.
    let host = Url::parse(config.url.trim()).ok().and_then(|url| url.host_str().map(str::to_owned)).unwrap_or_default();
    let name = text::one_line(if config.name.is_empty() { &host } else { &config.name });
    let entry = Entry {
        id,
        title: "A feed that can't be read".to_owned(),
        unreadable: Some(found.words.clone()),
        ..Entry::default()
    };
    incoming(entry, &name, now, now)
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
            unreadable: entry.unreadable,
            link: entry.link,
        },
    }
}

/// Two entries of the same link and title are one.
fn likeness(entry: &Entry) -> String {
    digest(&[entry.link.as_deref().unwrap_or_default(), &entry.title])
}

fn said(entry: &Entry) -> String {
    let date = entry.date.map(|date| date.to_rfc3339()).unwrap_or_default();
    let html = entry.html.as_deref().unwrap_or_default();
    digest(&[&entry.title, entry.link.as_deref().unwrap_or_default(), &date, &entry.text, html])
}
