//! How texts are shown: our own Markdown as a small safe subset of HTML. The
//! few words that a list shows are the store's (`note`).

use crate::api::Body;
use ammonia::Builder;
use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

/// Longest text rendered as Markdown, in bytes; a longer one is shown plain.
const MAX_MARKDOWN: usize = 256 * 1024;

/// What of HTML our own messages may be made of.
static SAFE: LazyLock<Builder<'static>> = LazyLock::new(|| {
    let mut builder = Builder::empty();
    builder
        .tags(HashSet::from([
            "p",
            "br",
            "strong",
            "em",
            "del",
            "code",
            "pre",
            "blockquote",
            "ul",
            "ol",
            "li",
            "a",
            "h1",
            "h2",
            "h3",
            "h4",
            "hr",
            "table",
            "thead",
            "tbody",
            "tr",
            "th",
            "td",
        ]))
        .tag_attributes(HashMap::from([("a", HashSet::from(["href"])), ("ol", HashSet::from(["start"]))]))
        .url_schemes(HashSet::from(["http", "https", "mailto"]))
        .link_rel(Some("noopener noreferrer"));
    builder
});

/// A team message, written in Markdown.
#[must_use]
pub fn rich(text: &str) -> Body {
    if text.len() > MAX_MARKDOWN {
        return Body::Text { text: text.to_owned() };
    }
    let mut options = comrak::Options::default();
    options.extension.strikethrough = true;
    options.extension.table = true;
    options.extension.autolink = true;
    options.render.hardbreaks = true;
    let html = comrak::markdown_to_html(text, &options);
    Body::Rich { html: SAFE.clean(&html).to_string(), text: text.to_owned() }
}

/// A message of another source: its HTML was sanitised when it was read.
#[must_use]
pub fn foreign(text: &str, html: Option<&str>) -> Body {
    match html {
        None => Body::Text { text: text.to_owned() },
        Some(html) => Body::Foreign {
            html: html.to_owned(),
            text: text.to_owned(),
            remote_images: u32::try_from(html.matches(" data-src=").count()).unwrap_or(u32::MAX),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn html(text: &str) -> String {
        match rich(text) {
            Body::Rich { html, .. } => html,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn markdown_becomes_a_safe_subset() {
        assert_eq!(html("**Ana:** yes\n- one").trim(), "<p><strong>Ana:</strong> yes</p>\n<ul>\n<li>one</li>\n</ul>");
        for evil in [
            "<script>alert(1)</script>",
            "<img src=x onerror=alert(1)>",
            "[x](javascript:alert(1))",
            "![x](https://tracker.example/p.gif)",
            "<iframe src=https://evil.example>",
            "<a href=\"https://a\" onclick=\"x()\" style=\"position:fixed\">a</a>",
        ] {
            let out = html(evil);
            for bad in ["<script", "<img", "javascript:", "<iframe", "onclick", "style="] {
                assert!(!out.contains(bad), "{evil} -> {out}");
            }
        }
    }
}
