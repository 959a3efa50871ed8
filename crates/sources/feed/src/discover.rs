//! The feed of a web page: `<link rel="alternate" type="application/rss+xml" href="…">`.

use crate::lenient::attribute;
use url::Url;

/// Pages are searched up to this many bytes: the links are in the head.
const PAGE_BYTES: usize = 512 << 10;

/// The first feed a page names; `None` where it names none.
#[must_use]
pub fn feed_of_page(page: &str, base: &Url) -> Option<Url> {
    let page = page.get(..meantime_source::text::floor_boundary(page, PAGE_BYTES))?;
    // Lower-casing ASCII alone keeps the offsets.
    let lower = page.to_ascii_lowercase();
    lower.match_indices("<link").find_map(|(at, _)| {
        let tag = page.get(at..)?.split('>').next()?;
        let is = |name: &str, wanted: &[&str]| {
            attribute(tag, name).is_some_and(|value| {
                let value = value.to_ascii_lowercase();
                value.split_whitespace().any(|word| wanted.contains(&word.trim_end_matches(';')))
            })
        };
        let kinds = ["application/rss+xml", "application/atom+xml", "application/feed+json", "application/rdf+xml"];
        if !is("rel", &["alternate"]) || !is("type", &kinds) {
            return None;
        }
        let url = base.join(attribute(tag, "href")?.trim()).ok()?;
        matches!(url.scheme(), "http" | "https").then_some(url)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pages_feed_is_found() {
        let base = Url::parse("https://example.org/blog/").unwrap();
        let find = |page: &str| feed_of_page(page, &base).map(String::from);
        assert_eq!(
            find(r#"<html><head><LINK REL='alternate' type="application/atom+xml" title="x" href="/a?b=1&amp;c=2">"#)
                .as_deref(),
            Some("https://example.org/a?b=1&c=2")
        );
        assert_eq!(
            find("<link rel=stylesheet href=x><link data-href=no href=feed.json rel=alternate type=application/feed+json>").as_deref(),
            Some("https://example.org/blog/feed.json")
        );
        assert_eq!(find("<link rel=alternate hreflang=de href=/de>"), None);
        assert_eq!(find(r#"<link rel=alternate type="application/rss+xml" href="file:///etc/passwd">"#), None);
        assert_eq!(find("<link <link"), None);
    }
}
