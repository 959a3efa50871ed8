//! HTML from outside: made harmless ([`sanitise`]), or turned into text
//! ([`to_text`]).
//!
//! Nothing that comes out loads anything by itself, runs anything or sends
//! anything. It does not fetch images and does not judge links.

use crate::text;
use ammonia::{Builder, UrlRelative};
use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

/// More HTML than this is cut before it is parsed.
pub const HTML_BYTES: usize = 1 << 20;
/// Elements nested deeper than this are taken for an attack on the parser:
/// the text is kept, the markup is not.
pub const HTML_DEPTH: usize = 500;

/// More tags than this, and the markup is not taken apart either.
pub const HTML_TAGS: usize = 30_000;

/// HTML that may be shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sanitised {
    /// A fragment: no scripts, style sheets, forms or frames; `style`
    /// attributes hold only properties that paint and lay out, and no address;
    /// links are http, https or mailto with `rel="noopener noreferrer"`; remote
    /// images have their address in `data-src`, so that nothing is loaded until
    /// asked for.
    pub html: String,
    /// How many images would be loaded from somewhere else.
    pub remote_images: usize,
}

/// Makes HTML from outside harmless.
#[must_use]
pub fn sanitise(raw: &str) -> Sanitised {
    let raw = cut(raw);
    if too_much_markup(raw) {
        let text = ammonia::clean_text(&strip_tags(raw));
        return Sanitised { html: format!("<pre>{text}</pre>"), remote_images: 0 };
    }
    hold_images(&SANITISER.clean(raw).to_string())
}

/// The addresses of the images that [`sanitise`] held back, each once, in
/// their order.
#[must_use]
pub fn held_images(clean: &str) -> Vec<String> {
    let mut found = Vec::new();
    for tag in clean.split("<img ").skip(1) {
        let tag = tag.get(..end_of_tag(tag)).unwrap_or_default();
        let held = format!(" {tag}");
        let Some((escaped, _)) = held.split_once(HELD).and_then(|(_, after)| after.split_once('"')) else { continue };
        // As the sanitiser escapes what is in quotes.
        let escapes = [("&quot;", "\""), ("&nbsp;", "\u{a0}"), ("&lt;", "<"), ("&gt;", ">"), ("&amp;", "&")];
        let address = escapes.iter().fold(escaped.to_owned(), |text, (from, to)| text.replace(from, to));
        if !found.contains(&address) {
            found.push(address);
        }
    }
    found
}

/// The text of HTML, links without their addresses, paragraphs as lines.
#[must_use]
pub fn to_text(raw: &str) -> String {
    let raw = cut(raw);
    if too_much_markup(raw) {
        return text::plain(&strip_tags(raw));
    }
    // Sanitised first: what is not shown (scripts, styles, titles) is not text either.
    let clean = SANITISER.clean(raw).to_string();
    let rendered = html2text::config::plain_no_decorate()
        .raw_mode(true)
        .no_table_borders()
        .allow_width_overflow()
        .link_footnotes(false)
        .string_from_read(clean.as_bytes(), LINE_WIDTH);
    let rendered = rendered.unwrap_or_else(|_| strip_tags(&clean));
    text::plain(&rendered.lines().map(without_heading_sign).collect::<Vec<_>>().join("\n"))
}

/// html2text writes headings as Markdown does; ours is plain text.
fn without_heading_sign(line: &str) -> &str {
    let rest = line.trim_start_matches('#');
    match rest.strip_prefix(' ') {
        Some(heading) if line.len() - rest.len() <= 6 && rest.len() < line.len() => heading,
        _ => line,
    }
}

/// Wide enough that html2text wraps no paragraph of ordinary length; the
/// window wraps by itself.
const LINE_WIDTH: usize = 10_000;

static SANITISER: LazyLock<Builder<'static>> = LazyLock::new(|| {
    let mut builder = Builder::default();
    let mut attributes: HashMap<&str, HashSet<&str>> = builder.clone_tag_attributes();
    attributes.insert("img", HashSet::from(["src", "alt", "width", "height", "align"]));
    attributes.insert("font", HashSet::from(["color", "face", "size"]));
    let table = ["align", "width", "bgcolor", "border", "cellpadding", "cellspacing"];
    attributes.insert("table", HashSet::from(table));
    attributes.insert("tr", HashSet::from(["align", "valign", "bgcolor"]));
    for cell in ["td", "th"] {
        let shape = ["align", "valign", "bgcolor", "width", "height", "colspan", "rowspan", "nowrap"];
        attributes.insert(cell, HashSet::from(shape));
    }
    for block in ["div", "p", "h1", "h2", "h3", "h4"] {
        attributes.insert(block, HashSet::from(["align"]));
    }
    builder
        .tag_attributes(attributes)
        .add_tags(["font", "u", "big"])
        .add_generic_attributes(["style", "dir"])
        .filter_style_properties(HashSet::from(PROPERTIES))
        .add_clean_content_tags(["title", "noscript", "template", "select", "textarea", "svg", "math"])
        .url_schemes(HashSet::from(["http", "https", "mailto", "data"]))
        .url_relative(UrlRelative::Deny)
        .link_rel(Some("noopener noreferrer"))
        .attribute_filter(|element, attribute, value| match (element, attribute) {
            ("img", "src") => is_image_address(value).then_some(Cow::Borrowed(value)),
            (_, "style") => Some(Cow::Owned(without_functions(value))),
            // `data:` is let in for images alone.
            (_, "href" | "cite" | "src" | "longdesc") if scheme_is(value, "data:") => None,
            _ => Some(Cow::Borrowed(value)),
        });
    builder
});

/// What a mail may say about how it looks. Nothing that takes it out of its
/// place, lays something over it or brings anything along.
const PROPERTIES: [&str; 63] = [
    "background",
    "background-color",
    "border",
    "border-bottom",
    "border-bottom-color",
    "border-bottom-style",
    "border-bottom-width",
    "border-collapse",
    "border-color",
    "border-left",
    "border-left-color",
    "border-left-style",
    "border-left-width",
    "border-radius",
    "border-right",
    "border-right-color",
    "border-right-style",
    "border-right-width",
    "border-spacing",
    "border-style",
    "border-top",
    "border-top-color",
    "border-top-style",
    "border-top-width",
    "border-width",
    "clear",
    "color",
    "direction",
    "display",
    "float",
    "font",
    "font-family",
    "font-size",
    "font-style",
    "font-variant",
    "font-weight",
    "height",
    "letter-spacing",
    "line-height",
    "list-style-type",
    "margin",
    "margin-bottom",
    "margin-left",
    "margin-right",
    "margin-top",
    "max-height",
    "max-width",
    "min-height",
    "min-width",
    "opacity",
    "overflow",
    "padding",
    "padding-bottom",
    "padding-left",
    "padding-right",
    "padding-top",
    "table-layout",
    "text-align",
    "text-decoration",
    "text-transform",
    "vertical-align",
    "white-space",
    "width",
];

/// Functions that give a colour or a length; all others may name an address.
const FUNCTIONS: [&str; 5] = ["rgb", "rgba", "hsl", "hsla", "calc"];

/// The declarations of a `style` that call nothing else and escape nothing.
fn without_functions(style: &str) -> String {
    let harmless = |declaration: &&str| {
        let mut before_brackets = declaration.split('(');
        // What follows the last bracket calls nothing.
        before_brackets.next_back();
        !declaration.contains('\\')
            && before_brackets.all(|text| FUNCTIONS.iter().any(|name| ends_with_name(text, name)))
    };
    style.split(';').filter(harmless).collect::<Vec<_>>().join(";")
}

fn ends_with_name(text: &str, name: &str) -> bool {
    let last = text.rsplit(|c: char| !c.is_ascii_alphanumeric() && c != '-' && c != '_').next().unwrap_or_default();
    last.eq_ignore_ascii_case(name)
}

/// Remote images, and small ones that came along; `cid:` and the rest go.
fn is_image_address(value: &str) -> bool {
    ["http://", "https://", "data:image/png", "data:image/jpeg", "data:image/gif", "data:image/webp"]
        .iter()
        .any(|scheme| scheme_is(value, scheme))
}

fn scheme_is(value: &str, scheme: &str) -> bool {
    value.trim_start().get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme))
}

/// What comes before the address of an image that is held back.
const HELD: &str = " data-src=\"";

/// Moves the address of remote images from `src` to `data-src`. Takes what
/// the sanitiser wrote: `<` only opens tags there, and every attribute value
/// is in double quotes, so that tags end at the first `>` outside of quotes.
fn hold_images(html: &str) -> Sanitised {
    let mut out = Sanitised { html: String::with_capacity(html.len()), remote_images: 0 };
    let mut rest = html;
    while let Some(start) = rest.find("<img ") {
        let (before, tag_on) = rest.split_at(start);
        out.html.push_str(before);
        let (tag, after) = tag_on.split_at(end_of_tag(tag_on));
        match tag.split_once(" src=\"") {
            Some((head, address)) if scheme_is(address, "http") => {
                out.remote_images += 1;
                out.html.push_str(head);
                out.html.push_str(HELD);
                out.html.push_str(address);
            }
            _ => out.html.push_str(tag),
        }
        rest = after;
    }
    out.html.push_str(rest);
    out
}

/// Where the tag ends that this begins with, or is within.
fn end_of_tag(tag_on: &str) -> usize {
    let mut quoted = false;
    let end = tag_on.char_indices().find_map(|(at, c)| {
        quoted ^= c == '"';
        (c == '>' && !quoted).then_some(at + 1)
    });
    end.unwrap_or(tag_on.len())
}

fn cut(raw: &str) -> &str {
    raw.get(..text::floor_boundary(raw, HTML_BYTES)).unwrap_or_default()
}

/// A rough count that errs towards "too deep": end tags close, void elements
/// and those that close by themselves (`<p>`, `<li>`, …) don't nest.
fn too_much_markup(raw: &str) -> bool {
    let mut depth = 0usize;
    for (nth, tag) in raw.split('<').skip(1).enumerate() {
        if nth >= HTML_TAGS {
            return true;
        }
        let name: String = tag.chars().take_while(char::is_ascii_alphanumeric).take(12).collect();
        if tag.starts_with('/') {
            depth = depth.saturating_sub(1);
        } else if !name.is_empty() && !FLAT.iter().any(|flat| name.eq_ignore_ascii_case(flat)) {
            depth += 1;
        }
        if depth > HTML_DEPTH {
            return true;
        }
    }
    false
}

const FLAT: [&str; 20] = [
    "br", "img", "hr", "meta", "link", "input", "col", "area", "base", "wbr", "source", "embed", "p", "li", "dt", "dd",
    "tr", "td", "th", "option",
];

/// What is left when everything between `<` and `>` is taken away.
fn strip_tags(raw: &str) -> String {
    let mut text = String::with_capacity(raw.len() / 2);
    for piece in raw.split('<') {
        let shown = piece.split_once('>').map_or(piece, |(_, shown)| shown);
        if !text.is_empty() && !shown.is_empty() {
            text.push(' ');
        }
        text.push_str(shown);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::time::{Duration, Instant};

    #[test]
    fn nothing_runs_loads_or_sends() {
        let raw = r#"<p onclick="x()" style="background:url(http://t/1);font-weight:bold">Hi
            <script>alert(1)</script><style>p{}</style><form action="/x"><input name=q></form>
            <iframe src="http://t/"></iframe><a href="javascript:x()">j</a><a href="data:text/html,x">d</a>
            <a href="/rel">r</a><a href="https://ok.example/?a=1&b=2">ok</a><svg><a href="http://x"></svg>
            <img src="http://t/pixel.gif" alt='a> src="http://b'><img src="cid:1"><img src="//t/x.png">
            <img src="data:image/png;base64,AA"><img src="data:image/svg+xml,<svg>"></p>"#;
        let clean = sanitise(raw);
        assert_eq!(clean.remote_images, 1, "{}", clean.html);
        for bad in [
            "onclick",
            "url(",
            "script",
            "alert",
            "<style",
            "<form",
            "<input",
            "iframe",
            "javascript",
            "data:text",
            "/rel",
            "cid:",
            "svg",
            " src=\"http",
            " src=\"//",
        ] {
            assert!(!clean.html.replace("a&gt; src=&quot;http://b", "").contains(bad), "{bad} in {}", clean.html);
        }
        assert!(clean.html.contains("data-src=\"http://t/pixel.gif\""));
        assert_eq!(held_images(&clean.html), ["http://t/pixel.gif"]);
        assert!(clean.html.contains("src=\"data:image/png;base64,AA\""));
        assert!(clean.html.contains("rel=\"noopener noreferrer\""));
        assert!(clean.html.contains("font-weight:bold"));
    }

    #[test]
    fn held_images_are_found_by_the_address_they_had() {
        let raw = r#"<img src="https://t/1.png?a=1&b=<2>"><img alt=' data-src="x' src=https://t/2.png>
            <img src="https://t/1.png?a=1&amp;b=<2>"><p title='" data-src="https://evil"'> data-src="y"</p>"#;
        let clean = sanitise(raw);
        assert_eq!(clean.remote_images, 3);
        assert_eq!(held_images(&clean.html), ["https://t/1.png?a=1&b=<2>", "https://t/2.png"], "{}", clean.html);
    }

    #[test]
    fn looks_stay_and_addresses_go() {
        let clean = sanitise(
            r##"<table bgcolor="#f4f4f4" width="600"><tr><td style="padding:8px 12px; background:#fff; position:fixed;
            color:rgb(0, 90, 80); border:1px solid #ddd; background-image:url(http://t/1); mso-hide:all">x</td></tr></table>
            <p style="background:url(http://t/2); font: 16px/1.5 'A B', serif; width:calc(100% - 2px)">y</p>
            <p style="color:r\gb(1,2,3); background:u\72l(http://t/3); margin:0">z</p>
            <p style="background:image-set('http://t/4' 1x); list-style-type:square">w</p>
            <p style='font-family:"a;background:url(http://t/5)"; color:/**/url(http://t/6)'>v</p>"##,
        );
        for kept in [
            "bgcolor=\"#f4f4f4\"",
            "width=\"600\"",
            "padding:8px 12px",
            "background:#fff",
            "color:rgb(0, 90, 80)",
            "border:1px solid #ddd",
            "font:16px / 1.5",
            "width:calc(100% - 2px)",
            "margin:0",
            "list-style-type:square",
        ] {
            assert!(clean.html.contains(kept), "{kept} not in {}", clean.html);
        }
        for gone in ["http", "url", "position", "image", "mso", "\\"] {
            assert!(!clean.html.contains(gone), "{gone} in {}", clean.html);
        }
    }

    #[test]
    fn text_reads_well() {
        let text = to_text(
            "<title>no</title><style>x</style><h2>Head</h2><p>#1 One &amp; two</p><ul><li>a</li><li>b</li></ul><table><tr><td>x<td>y</table><a href='http://h/'>link</a>",
        );
        assert!(text.starts_with("Head\n") && text.contains("#1 One & two"), "{text}");
        assert!(text.contains("a\n") && text.contains("link"), "{text}");
        assert!(!text.contains("no") && !text.contains("http://h/"), "{text}");
    }

    #[test]
    fn hostile_markup_ends_soon() {
        let begin = Instant::now();
        for raw in [
            "<div>".repeat(200_000),
            "<b><i><p>".repeat(100_000),
            "<table>".repeat(100_000),
            "<a href=x>".repeat(90_000),
            "<p>".repeat(300_000),
            "<p>".repeat(HTML_TAGS),
            "<td>".repeat(200_000),
            "<li><ul>".repeat(100_000),
            format!("{}{}", "<b>".repeat(499), "<p>".repeat(29_000)),
            "<".repeat(1_000_000),
            format!("<a {}>", "x=1 ".repeat(200_000)),
        ] {
            let _ = sanitise(&raw);
            let _ = to_text(&raw);
        }
        assert!(begin.elapsed() < Duration::from_secs(60), "took {:?}", begin.elapsed());
    }

    proptest! {
        #[test]
        fn any_html_is_survived(raw in "(<(/)?(p|b|img src=|table|td|a href=|script)[ \"'=a-z:/]*>?|[a-z<>&\"'\u{0}\u{202e} ]){0,60}") {
            let clean = sanitise(&raw);
            prop_assert!(!clean.html.contains("<script"));
            let _ = to_text(&raw);
        }
    }
}
