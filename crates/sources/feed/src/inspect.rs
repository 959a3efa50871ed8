//! What Meantime would show of a feed in a file.

use crate::parse;
use chrono::{DateTime, Utc};
use meantime_source::inspect::{InspectedFeed, InspectedItem, Inspection};
use meantime_source::text;

/// Reads a feed as the inbox would. Error codes: `empty`, `too_large`, `not_feed`.
#[must_use]
pub fn inspect(bytes: &[u8], content_type: Option<&str>, now: DateTime<Utc>) -> Inspection {
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Inspection::error("empty", "There is nothing in this file.");
    }
    if bytes.len() > crate::fetch::DOCUMENT_BYTES {
        return Inspection::error(
            "too_large",
            format!(
                "This file is longer than {} MiB; Meantime reads no such feed.",
                crate::fetch::DOCUMENT_BYTES >> 20
            ),
        );
    }
    let Some(feed) = parse::parse(bytes, content_type, None) else {
        return Inspection::error("not_feed", "This is not a feed: neither RSS, Atom nor JSON Feed.");
    };
    let items = feed.entries.into_iter().map(|entry| InspectedItem {
        title: entry.title,
        link: entry.link,
        id: entry.id,
        date: entry.date.map(|date| text::clamp(date, now)),
        people: entry.people,
        text: entry.text,
        html: entry.html,
        attachments: entry.attachments,
        unreadable: entry.unreadable,
    });
    Inspection::Feed(Box::new(InspectedFeed { items: items.collect(), title: feed.title, link: feed.link }))
}
