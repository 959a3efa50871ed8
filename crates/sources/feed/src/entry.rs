//! A feed as it can be shown: what both the strict and the lenient reader
//! make of a document.
//!
//! Titles are lines, bodies text and harmless HTML, dates unchecked.

use chrono::{DateTime, Utc};
use meantime_source::{Attachment, Person, html, text};
use sha2::{Digest, Sha256};
use url::Url;

/// A document.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Feed {
    /// Its own title.
    pub title: String,
    /// The site it belongs to.
    pub link: Option<String>,
    /// In minutes: how long it asks to be left alone.
    pub ttl_minutes: Option<u32>,
    /// In the document's order, each id once.
    pub entries: Vec<Entry>,
}

/// One entry.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Entry {
    /// Its identity: guid, else link, else a digest of title and date, else of
    /// the text and the names of its files.
    pub id: String,
    /// One line.
    pub title: String,
    /// Where it can be opened.
    pub link: Option<String>,
    /// As the feed dates it.
    pub date: Option<DateTime<Utc>>,
    /// Who wrote it.
    pub people: Vec<Person>,
    /// Plain text.
    pub text: String,
    /// Sanitised.
    pub html: Option<String>,
    /// Recordings and the like.
    pub attachments: Vec<Attachment>,
    /// Nothing of it could be read: why.
    pub unreadable: Option<String>,
}

/// What a reader finds of an entry, as it stands in the document.
#[derive(Clone, Debug, Default)]
pub struct Raw {
    /// Its guid.
    pub guid: String,
    /// Its title, perhaps with markup.
    pub title: String,
    /// Its address, perhaps relative.
    pub link: Option<String>,
    /// Its date.
    pub date: Option<DateTime<Utc>>,
    /// Who wrote it.
    pub people: Vec<Person>,
    /// The longest of its texts.
    pub body: String,
    /// The body is HTML for sure.
    pub is_html: bool,
    /// Recordings and the like.
    pub attachments: Vec<Attachment>,
}

/// Names that begin so are ours: they say of a whole feed that it can't be read.
pub const UNREADABLE: &str = "meantime:unreadable:";
/// At most so many entries of one document are looked at.
pub const ENTRIES: usize = 5_000;
/// A guid is kept up to this many bytes; longer ones by a digest.
const ID_BYTES: usize = 512;

impl Raw {
    /// As it is shown; relative links start at `base`.
    #[must_use]
    pub fn finish(self, base: Option<&Url>) -> Entry {
        let link = self.link.as_deref().and_then(|link| absolute(link, base));
        let mut title = markup_to_line(&self.title);
        let looks_html = self.is_html || ["</", "<br", "<p", "<img", "/>"].iter().any(|tag| self.body.contains(tag));
        let (body, markup) = if looks_html {
            let clean = html::sanitise(&self.body).html;
            (html::to_text(&self.body), Some(clean).filter(|clean| !clean.trim().is_empty()))
        } else if self.body.contains('&') {
            (html::to_text(&self.body), None)
        } else {
            (text::plain(&self.body), None)
        };
        let id = identity(&self, link.as_deref(), &title, &body);
        let hangs = |file: &Attachment| file.bytes > 0 || file.media_type != "application/octet-stream";
        let nothing = title.is_empty() && body.is_empty() && link.is_none() && !self.attachments.iter().any(hangs);
        let unreadable = nothing.then(|| "This entry says nothing: no title, no text, no address.".to_owned());
        if title.is_empty() {
            title = body.lines().next().map(text::one_line).unwrap_or_default();
        }
        if title.is_empty() {
            title = link.clone().unwrap_or_else(|| "(no title)".to_owned());
        }
        Entry {
            id,
            title,
            link,
            date: self.date,
            people: self.people,
            text: body,
            html: markup,
            attachments: self.attachments,
            unreadable,
        }
    }
}

/// Of `text` that may hold markup, one line.
#[must_use]
pub fn markup_to_line(raw: &str) -> String {
    if raw.contains(['<', '&']) { text::one_line(&html::to_text(raw)) } else { text::one_line(raw) }
}

/// An http(s) address, made whole.
#[must_use]
pub fn absolute(link: &str, base: Option<&Url>) -> Option<String> {
    let link = link.trim();
    let url = Url::parse(link).ok().or_else(|| base.and_then(|base| base.join(link).ok()))?;
    (matches!(url.scheme(), "http" | "https") && !link.is_empty()).then(|| url.to_string())
}

/// Of a digest, so much is plenty.
#[must_use]
pub fn digest(parts: &[&str]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part.as_bytes());
        hash.update([0]);
    }
    hash.finalize().iter().take(10).map(|byte| format!("{byte:02x}")).collect()
}

fn identity(raw: &Raw, link: Option<&str>, title: &str, body: &str) -> String {
    let guid = &raw.guid;
    let named = text::one_line(guid);
    if named.starts_with(UNREADABLE) {
        return format!("#{}", digest(&[guid]));
    }
    let named = if named.is_empty() { link.unwrap_or_default().to_owned() } else { named };
    if named.is_empty() {
        let date = raw.date.map(|date| date.to_rfc3339()).unwrap_or_default();
        let mut parts = vec![title, &date];
        if title.is_empty() && date.is_empty() {
            // Only here: the others are remembered by title and date.
            parts.extend([body].into_iter().chain(raw.attachments.iter().map(|file| file.name.as_str())));
        }
        format!("#{}", digest(&parts))
    } else if guid.len() > ID_BYTES || named.len() > ID_BYTES {
        format!("#{}", digest(&[guid, &named]))
    } else {
        named
    }
}
