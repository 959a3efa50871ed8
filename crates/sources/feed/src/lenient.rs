//! For documents no XML parser takes: entries are looked for by their tags.
//!
//! Unclosed elements, bare `&`, wrong versions, a page cut off in the middle:
//! whatever stands between `<item>` (or `<entry>`) and the next is an entry.
//! It knows neither namespaces nor nesting, and is only asked when the strict
//! reader refused.

use crate::entry::{ENTRIES, Feed, Raw, absolute, markup_to_line};
use chrono::{DateTime, Utc};
use meantime_source::{Person, html, text};
use url::Url;

/// Reads what looks like RSS or Atom; `None` where it does not.
#[must_use]
pub fn parse(document: &str, base: Option<&Url>) -> Option<Feed> {
    let root = ["<rss", "<feed", "<rdf:RDF", "<channel", "<RDF"].iter().find_map(|tag| document.find(tag))?;
    // An HTML page may quote a feed.
    if document.get(..root).is_some_and(|before| before.to_ascii_lowercase().contains("<body")) {
        return None;
    }
    let document = document.get(root..)?;
    let name = if starts(document, "item").next().is_some() { "item" } else { "entry" };
    let begins: Vec<usize> = starts(document, name).take(ENTRIES).collect();
    let head = document.get(..begins.first().copied().unwrap_or(document.len())).unwrap_or_default();
    let mut entries = Vec::with_capacity(begins.len());
    for (nth, begin) in begins.iter().enumerate() {
        let end = begins.get(nth + 1).copied().unwrap_or(document.len());
        let piece = document.get(*begin..end).unwrap_or_default();
        let piece = piece.split(&format!("</{name}>")).next().unwrap_or(piece);
        entries.push(entry(piece).finish(base));
    }
    Some(Feed {
        title: element(head, "title").map(|title| markup_to_line(&title)).unwrap_or_default(),
        link: link(head).and_then(|link| absolute(&link, base)),
        ttl_minutes: None,
        entries,
    })
}

fn entry(piece: &str) -> Raw {
    let first =
        |names: &[&str]| names.iter().find_map(|name| element(piece, name)).filter(|found| !found.trim().is_empty());
    let author = first(&["dc:creator", "author"]).map(|author| {
        let name = element(&author, "name").unwrap_or(author);
        Person { name: markup_to_line(&name), address: String::new() }
    });
    Raw {
        guid: first(&["guid", "id"]).unwrap_or_default(),
        title: first(&["title"]).unwrap_or_default(),
        link: link(piece),
        date: first(&["pubDate", "published", "updated", "dc:date", "date"]).and_then(|date| parse_date(&date)),
        people: author.filter(|author| !author.name.is_empty()).into_iter().collect(),
        body: first(&["content:encoded", "content", "description", "summary"]).unwrap_or_default(),
        is_html: true,
        attachments: Vec::new(),
    }
}

/// Where elements of this name begin.
fn starts<'a>(document: &'a str, name: &'a str) -> impl Iterator<Item = usize> + 'a {
    let tag = format!("<{name}");
    let length = tag.len();
    let found: Vec<usize> = document.match_indices(&tag).map(|(at, _)| at).collect();
    found.into_iter().filter(move |at| {
        document.as_bytes().get(at + length).is_some_and(|next| matches!(next, b'>' | b' ' | b'\t' | b'\r' | b'\n'))
    })
}

/// What is in the first element of this name, decoded once; up to the next
/// tag where it is never closed.
fn element(piece: &str, name: &str) -> Option<String> {
    let start = starts(piece, name).next()?;
    let inside = piece.get(start..)?;
    let opened = inside.find('>')?;
    if inside.get(..opened)?.ends_with('/') {
        return None;
    }
    let inside = inside.get(opened + 1..)?;
    if let Some(data) = inside.trim_start().strip_prefix("<![CDATA[") {
        return Some(data.split("]]>").next().unwrap_or(data).to_owned());
    }
    let raw = match inside.find(&format!("</{name}")) {
        Some(end) => inside.get(..end)?,
        None => inside.split('<').next()?,
    };
    // Markup that was written as text; nested elements stay as they are.
    Some(if raw.contains('<') { raw.to_owned() } else { unescape(raw) })
}

fn unescape(raw: &str) -> String {
    if raw.contains('&') {
        ["&lt;", "<", "&gt;", ">", "&quot;", "\"", "&#39;", "'", "&apos;", "'", "&amp;", "&"].chunks(2).fold(
            raw.to_owned(),
            |text, pair| match pair {
                [from, to] => text.replace(from, to),
                _ => text,
            },
        )
    } else {
        raw.to_owned()
    }
}

/// `<link>address</link>`, else `<link href="address">` that is not the feed itself.
fn link(piece: &str) -> Option<String> {
    if let Some(address) = element(piece, "link").map(|text| text::one_line(&text)).filter(|text| !text.is_empty()) {
        return Some(address);
    }
    starts(piece, "link").find_map(|at| {
        let tag = piece.get(at..)?.split('>').next()?;
        if ["\"self\"", "'self'", "\"enclosure\"", "'enclosure'"].iter().any(|rel| tag.contains(rel)) {
            return None;
        }
        attribute(tag, "href")
    })
}

/// An attribute's value in a start tag.
#[must_use]
pub fn attribute(tag: &str, name: &str) -> Option<String> {
    // Lower-casing ASCII alone keeps the offsets.
    let lower = tag.to_ascii_lowercase();
    let mut from = 0;
    while let Some(at) = lower.get(from..)?.find(name).map(|at| at + from) {
        from = at + name.len();
        let before = at == 0 || lower.as_bytes().get(at - 1).is_some_and(u8::is_ascii_whitespace);
        let Some(value) = tag.get(from..)?.trim_start().strip_prefix('=').map(str::trim_start) else { continue };
        if !before {
            continue;
        }
        let value = match value.chars().next()? {
            quote @ ('"' | '\'') => value.split(quote).nth(1)?,
            _ => value.split([' ', '\t', '\n', '\r', '>']).next()?,
        };
        return Some(html::to_text(value));
    }
    None
}

fn parse_date(text: &str) -> Option<DateTime<Utc>> {
    let text = text.trim();
    DateTime::parse_from_rfc2822(text)
        .or_else(|_| DateTime::parse_from_rfc3339(text))
        .or_else(|_| DateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S %z"))
        .ok()
        .map(|date| date.with_timezone(&Utc))
}
