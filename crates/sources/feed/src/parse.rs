//! A document → a [`Feed`]: RSS, Atom and JSON Feed through feed-rs, what it
//! refuses through [`crate::lenient`].
//!
//! feed-rs panics on some malformed input, so it runs behind `catch_unwind`:
//! nothing of it survives the call, there is no state to be left broken.

use crate::charset::{decode, is_damaged_utf16};
use crate::entry::{ENTRIES, Feed, Raw, absolute, markup_to_line};
use crate::lenient;
use feed_rs::model;
use meantime_source::{Attachment, Person, text};
use serde_json::Value;
use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use url::Url;

/// Reads a document; `None` where there is no feed in it that can be read.
#[must_use]
pub fn parse(bytes: &[u8], content_type: Option<&str>, base: Option<&Url>) -> Option<Feed> {
    let text = decode(bytes, content_type);
    let found = strict(&text, base).or_else(|| strict(&with_ids_as_text(&text)?, base));
    let mut feed = match found {
        Some(found) => shape(found, base),
        None => lenient::parse(&text, base)?,
    };
    // Its entries may well be there, behind the damage.
    if feed.entries.is_empty() && is_damaged_utf16(bytes, content_type) {
        return None;
    }
    let mut seen = HashSet::new();
    feed.entries.retain(|entry| seen.insert(entry.id.clone()));
    Some(feed)
}

fn strict(text: &str, base: Option<&Url>) -> Option<model::Feed> {
    let parsed = catch_unwind(AssertUnwindSafe(|| {
        feed_rs::parser::Builder::new()
            // Ours come from what it says; see `entry`.
            .id_generator(|_, _, _| String::new())
            .base_uri(base.map(Url::as_str))
            .build()
            .parse(text.as_bytes())
            .ok()
    }));
    parsed.ok().flatten()
}

/// A JSON feed some of whose ids are no text: numbers as text, which the
/// specification asks of readers, and nothing else as an id. `None` where there
/// is nothing to change.
fn with_ids_as_text(text: &str) -> Option<String> {
    if !text.trim_start().starts_with('{') {
        return None;
    }
    let mut feed: Value = serde_json::from_str(text.trim()).ok()?;
    let mut changed = false;
    for id in feed.get_mut("items")?.as_array_mut()?.iter_mut().filter_map(|item| item.get_mut("id")) {
        let text = match id {
            Value::String(_) | Value::Null => continue,
            Value::Number(number) if is_exact(number) => Value::String(number.to_string()),
            _ => Value::Null,
        };
        *id = text;
        changed = true;
    }
    changed.then(|| feed.to_string())
}

/// Numbers beyond are rounded on reading: two of them may become one.
fn is_exact(number: &serde_json::Number) -> bool {
    const LIMIT: f64 = (1_u64 << f64::MANTISSA_DIGITS) as f64;
    !number.is_f64() || number.as_f64().is_some_and(|n| n.abs() < LIMIT)
}

fn shape(feed: model::Feed, base: Option<&Url>) -> Feed {
    let title = feed.title.as_ref().map(|title| markup_to_line(&title.content)).unwrap_or_default();
    let authors = people(&feed.authors);
    Feed {
        link: page(&feed.links, base),
        ttl_minutes: feed.ttl,
        entries: feed.entries.into_iter().take(ENTRIES).map(|entry| raw(entry, &authors, base).finish(base)).collect(),
        title,
    }
}

fn raw(entry: model::Entry, authors: &[Person], base: Option<&Url>) -> Raw {
    let own = people(&entry.authors);
    let content = entry.content.as_ref().and_then(|content| {
        let subtype = content.content_type.subty();
        content.body.clone().map(|body| (body, subtype == "html" || subtype.as_str().starts_with("xhtml")))
    });
    let summary = entry.summary.as_ref().map(|summary| {
        (
            summary.content.clone(),
            summary.content_type.subty() == "html" || summary.content_type.subty().as_str().starts_with("xhtml"),
        )
    });
    let (body, is_html) = content.filter(|(body, _)| !body.trim().is_empty()).or(summary).unwrap_or_default();
    let attachments = entry
        .media
        .iter()
        .flat_map(|media| &media.content)
        .filter_map(|content| {
            let url = content.url.as_ref()?;
            Some(Attachment {
                name: text::file_name(url.path(), "attachment"),
                media_type: content
                    .content_type
                    .as_ref()
                    .map_or_else(|| "application/octet-stream".to_owned(), ToString::to_string),
                bytes: content.size.unwrap_or_default(),
            })
        })
        .take(100)
        .collect();
    Raw {
        link: page(&entry.links, base),
        guid: entry.id,
        title: entry.title.map(|title| title.content).unwrap_or_default(),
        date: entry.published.or(entry.updated),
        people: if own.is_empty() { authors.to_vec() } else { own },
        body,
        is_html,
        attachments,
    }
}

fn people(people: &[model::Person]) -> Vec<Person> {
    people
        .iter()
        .take(100)
        .map(|person| Person {
            name: text::one_line(person.name.as_deref().unwrap_or_default()),
            address: text::one_line(person.email.as_deref().unwrap_or_default()),
        })
        .filter(|person| !person.name.is_empty() || !person.address.is_empty())
        .collect()
}

/// The page behind a feed or an entry, not the feed itself or a recording.
fn page(links: &[model::Link], base: Option<&Url>) -> Option<String> {
    let rel = |wanted: &str| links.iter().find(|link| link.rel.as_deref().unwrap_or("alternate") == wanted);
    let link = rel("alternate")
        .or_else(|| links.iter().find(|link| !matches!(link.rel.as_deref(), Some("self" | "enclosure"))))?;
    absolute(&link.href, base)
}
