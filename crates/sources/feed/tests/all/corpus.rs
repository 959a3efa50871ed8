//! Feeds as they are found: every format, every encoding, every mistake.

use chrono::{DateTime, Utc};
use meantime_source::inspect::{InspectedFeed, Inspection};
use meantime_source_feed::inspect;
use proptest::prelude::*;
use std::time::{Duration, Instant};

fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000, 0).unwrap()
}

fn read(raw: impl AsRef<[u8]>) -> InspectedFeed {
    match inspect(raw.as_ref(), None, now()) {
        Inspection::Feed(feed) => *feed,
        other => panic!("{other:?}"),
    }
}

/// UTF-16 that lost a byte before its first entry; so did its end, if `even`.
pub fn damaged_utf16(even: bool) -> Vec<u8> {
    let feed = "\u{feff}<rss version='2.0'><channel><title>T</title><item><title>one</title></item></channel></rss>";
    let mut raw: Vec<u8> = feed.encode_utf16().flat_map(u16::to_le_bytes).collect();
    raw.remove(75);
    raw.truncate(raw.len() - usize::from(even));
    raw
}

fn titles(raw: impl AsRef<[u8]>) -> Vec<String> {
    read(raw).items.into_iter().map(|item| item.title).collect()
}

const RSS: &str = "<rss version='2.0' xmlns:content='http://purl.org/rss/1.0/modules/content/' xmlns:dc='http://purl.org/dc/elements/1.1/'><channel><title>Café &amp; Co</title><link>https://b.example</link>
<item><title>Tom &amp;amp; &lt;b>J&lt;/b></title><guid isPermaLink='false'>g1</guid><link>https://b.example/1</link><dc:creator>Mei</dc:creator><pubDate>Mon, 02 Feb 2026 10:00:00 GMT</pubDate><description>short</description><content:encoded><![CDATA[<p>long <script>x</script><img src='http://t/p.gif'>text</p>]]></content:encoded></item>
<item><title>no guid</title><link>https://b.example/2</link><pubDate>Fri, 31 Dec 2099 10:00:00 GMT</pubDate></item>
<item><title>no link</title><pubDate>nonsense</pubDate></item><item><title>no link</title></item>
</channel></rss>";

#[test]
fn rss_reads_well() {
    let feed = read(RSS);
    assert_eq!((feed.title.as_str(), feed.link.as_deref()), ("Café & Co", Some("https://b.example/")));
    let item = &feed.items[0];
    assert_eq!((item.title.as_str(), item.id.as_str(), item.text.as_str()), ("Tom & J", "g1", "long text"));
    assert_eq!(item.people[0].name, "Mei");
    assert_eq!(item.date.unwrap().to_rfc3339(), "2026-02-02T10:00:00+00:00");
    let html = item.html.as_deref().unwrap();
    assert!(html.contains("data-src=\"http://t/p.gif\"") && !html.contains("script"), "{html}");
    assert_eq!((feed.items[1].id.as_str(), feed.items[1].date), ("https://b.example/2", Some(now())));
    assert!(feed.items[2].id.starts_with('#') && feed.items[2].date.is_none());
    assert_eq!(feed.items.len(), 3, "the same entry twice is one");
}

#[test]
fn atom_json_and_rdf_read_well() {
    let atom = "<feed xmlns='http://www.w3.org/2005/Atom'><title type='html'>A &amp;lt; B</title><author><name>Kofi</name><email>k@x</email></author>
        <entry><id>tag:1</id><title>one</title><link rel='edit' href='https://a/edit'/><link href='https://a/1'/><updated>2026-02-02T10:00:00Z</updated><content type='xhtml'><div xmlns='http://www.w3.org/1999/xhtml'><p>hello</p></div></content></entry></feed>";
    let feed = read(atom);
    assert_eq!((feed.title.as_str(), feed.items[0].link.as_deref()), ("A < B", Some("https://a/1")));
    assert_eq!((feed.items[0].text.as_str(), feed.items[0].people[0].address.as_str()), ("hello", "k@x"));
    let json = r#"{"version":"https://jsonfeed.org/version/1.1","title":"J","items":[{"id":"1","url":"https://j/1","content_html":"<p>hi</p>","date_published":"2026-02-02T10:00:00Z"},{"id":"2","content_text":"a < b & c"}]}"#;
    let feed = read(json);
    assert_eq!((feed.items[0].title.as_str(), feed.items[0].text.as_str()), ("hi", "hi"));
    assert_eq!(feed.items[1].text, "a < b & c");
    let numbered = json.replace(r#""id":"1""#, r#""id": 1"#).replace(r#""id":"2""#, r#""id":27.5"#);
    let ids: Vec<_> = read(&numbered).items.into_iter().map(|item| item.id).collect();
    assert_eq!(ids, ["1", "27.5"], "a reader makes text of them, as the specification asks");
    // Two that a 64-bit float can't tell apart, and what is no number.
    let odd = json
        .replace(r#""id":"1""#, r#""id": 12345678901234567890123"#)
        .replace(r#""id":"2""#, r#""id":12345678901234567890124,"url":"https://j/2""#);
    let ids = |feed: &str| read(feed).items.into_iter().map(|item| item.id).collect::<Vec<_>>();
    assert_eq!(ids(&odd), ["https://j/1", "https://j/2"]);
    assert_eq!(ids(&json.replace(r#""id":"1""#, r#""id":true"#)), ["https://j/1", "2"]);
    let rdf = "<rdf:RDF xmlns:rdf='http://www.w3.org/1999/02/22-rdf-syntax-ns#' xmlns='http://purl.org/rss/1.0/'><channel rdf:about='x'><title>R</title><link>https://r/</link><description>d</description></channel><item rdf:about='https://r/1'><title>one</title><link>https://r/1</link></item></rdf:RDF>";
    assert_eq!(titles(rdf), ["one"]);
}

#[test]
fn entries_that_have_only_a_text_are_told_apart_by_it() {
    let rss = |items: &str| format!("<rss version='2.0'><channel><title>T</title>{items}</channel></rss>");
    let texts = |feed: String| read(feed).items.into_iter().map(|item| item.text).collect::<Vec<_>>();
    let said = |text: &str| format!("<item><description>{text}</description></item>");
    let three = rss(&[said("one"), said("two"), said("one")].concat());
    assert_eq!(texts(three.clone()), ["one", "two"], "what is repeated is one");
    assert_eq!(texts(three.replace("</channel></rss>", "<item><title>no & end")), ["one", "two", ""]);
    let file = |name: &str| format!("<item><enclosure url='https://b.example/{name}' type='audio/mpeg'/></item>");
    assert_eq!(read(rss(&[file("1.mp3"), file("2.mp3")].concat())).items.len(), 2);
    let json = |ids: [&str; 3]| {
        let items = ids.map(|id| format!(r#"{{"id":{id},"content_text":"says {id}"}}"#)).join(",");
        format!(r#"{{"version":"https://jsonfeed.org/version/1.1","title":"J","items":[{items}]}}"#)
    };
    let ids = ["12345678901234567890123", "12345678901234567890124", "true"];
    assert_eq!(texts(json(ids)), ids.map(|id| format!("says {id}")));
    // These are remembered so.
    let dated = "<item><description>x</description><pubDate>Mon, 02 Feb 2026 10:00:00 GMT</pubDate></item>";
    let feed = read(rss(&format!("{dated}<item><title>only</title><description>x</description></item>")));
    let ids: Vec<_> = feed.items.iter().map(|item| item.id.as_str()).collect();
    assert_eq!(ids, ["#820ca1d6b883f1fe5bb5", "#2fa9069071b397357e70"]);
}

#[test]
fn every_encoding_gives_the_same() {
    let plain = RSS.replace("&amp; Co", "");
    let wide: Vec<u8> = plain.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let big: Vec<u8> = format!("\u{feff}<?xml version='1.0' encoding='utf-16'?>{plain}")
        .encode_utf16()
        .flat_map(u16::to_be_bytes)
        .collect();
    let latin: Vec<u8> =
        format!("<?xml version='1.0' encoding='ISO-8859-1'?>{plain}").chars().map(|c| c as u8).collect();
    let unlabelled: Vec<u8> = plain.chars().map(|c| c as u8).collect();
    for raw in [wide, big, latin, unlabelled, format!("\u{feff}\n\n <?xml version='1.0'?>{plain}").into_bytes()] {
        assert_eq!(read(&raw).title, "Café");
        // Cut in the middle of everything.
        for end in (0..raw.len()).step_by(37) {
            let _ = inspect(&raw[..end], None, now());
        }
    }
}

#[test]
fn what_no_xml_parser_takes_is_read_anyway() {
    let item = "<item><title>Q&A <b>x</title><link>https://b.example/1</link><guid>1</guid><pubDate>Mon, 02 Feb 2026 10:00:00 GMT</pubDate><description><![CDATA[<p>body</p>]]></description></item>";
    for broken in [
        format!("<rss version='2.0'><channel><title>T</title>{item}<item><title>two</title>"),
        format!("<rss version='9.7'><channel><title>T</title>{item}<item><title>two</title></item></channel></rss>"),
        format!("<rss><channel><title>T & U</title>{item}<item><title>two</title></item></channel>"),
        format!(
            "PHP Warning: x\n<rss version='2.0'><channel><title>T</title>{item}<item><title>two</title></item></channel></rss>"
        ),
        format!(
            "<rss version='2.0'><channel><title>T</title>{item}<item><title>two&nbsp;</title></item>\u{1}</channel></rss>"
        ),
    ] {
        let feed = read(&broken);
        assert!(feed.title.starts_with('T'), "{feed:?}");
        assert_eq!(feed.items.len(), 2, "{broken}");
        assert!(feed.items[0].title.starts_with("Q&A"), "{:?}", feed.items[0]);
        assert_eq!((feed.items[0].id.as_str(), feed.items[0].text.as_str()), ("1", "body"));
        assert_eq!(feed.items[1].title, "two");
    }
    let atom = "<feed><title>T</title><entry><title>one</title><link rel='self' href='https://a/self'/><link rel='alternate' href='https://a/1?x=1&y=2'/><id>i</id><updated>2026-02-02T10:00:00Z</updated><summary type='html'>&lt;p&gt;s&lt;/p&gt;";
    let feed = read(atom);
    assert_eq!((feed.items[0].link.as_deref(), feed.items[0].text.as_str()), (Some("https://a/1?x=1&y=2"), "s"));
}

#[test]
fn what_is_no_feed_is_said() {
    let code = |raw: &[u8]| match inspect(raw, Some("application/rss+xml"), now()) {
        Inspection::Error(error) => error.code,
        other => panic!("{other:?}"),
    };
    assert_eq!(code(b" \n"), "empty");
    for raw in [
        "<html><body>A quoted &lt;rss <rss></body></html>",
        "{}",
        "[]",
        "<?xml version='1.0'?>",
        "words",
        "\u{feff}",
        "<!DOCTYPE x>",
    ] {
        assert_eq!(code(raw.as_bytes()), "not_feed", "{raw}");
    }
    assert_eq!(code(&[0xff; 100]), "not_feed");
    assert_eq!((code(&damaged_utf16(false)), code(&damaged_utf16(true))), ("not_feed".into(), "not_feed".into()));
    let empty = "\u{feff}<rss version='2.0'><channel><title>No & entry</title></channel></rss>";
    assert!(titles(empty.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<_>>()).is_empty());
    assert_eq!(code(&vec![b'<'; (10 << 20) + 1]), "too_large");
}

#[test]
fn size_and_depth_are_bounded() {
    let begin = Instant::now();
    let feed = |inner: &str| format!("<rss version='2.0'><channel><title>T</title>{inner}</channel></rss>");
    assert_eq!(titles(feed(&"<item><title>same</title></item>".repeat(20_000))), ["same"]);
    let many: String = (0..20_000).map(|nth| format!("<item><title>{nth}</title></item>")).collect();
    assert_eq!(titles(feed(&many)).len(), 5_000);
    assert!(
        titles(feed(&format!("<item><title>{}</title></item>", "long ".repeat(100_000))))[0].chars().count() <= 500
    );
    let _ = inspect(feed(&"<a>".repeat(200_000)).as_bytes(), None, now());
    let _ = inspect(
        feed(&format!("<item><description>{}</description></item>", "<div>".repeat(100_000))).as_bytes(),
        None,
        now(),
    );
    let _ = inspect(format!("{{\"version\":{}", "[".repeat(100_000)).as_bytes(), None, now());
    let bomb =
        "<!DOCTYPE r [<!ENTITY a 'aaaaaaaaaa'><!ENTITY b '&a;&a;&a;&a;&a;&a;&a;&a;'><!ENTITY c '&b;&b;&b;&b;&b;&b;'>]>";
    let _ = inspect(format!("{bomb}{}", feed("<item><title>&c;</title></item>")).as_bytes(), None, now());
    let outside = "<!DOCTYPE r [<!ENTITY x SYSTEM 'file:///etc/passwd'>]>";
    if let Inspection::Feed(feed) =
        inspect(format!("{outside}{}", feed("<item><title>&x;</title></item>")).as_bytes(), None, now())
    {
        assert!(!feed.items[0].title.contains("root:"));
    }
    assert!(begin.elapsed() < Duration::from_secs(60), "took {:?}", begin.elapsed());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_are_survived(raw in proptest::collection::vec(any::<u8>(), 0..1000), charset in "[a-z0-9-]{0,12}") {
        let _ = inspect(&raw, Some(&format!("text/xml; charset={charset}")), now());
        let _ = inspect(&[b"\xff\xfe<\0".as_slice(), &raw].concat(), None, now());
        let _ = inspect(&[b"<rss version='2.0'><channel><item>".as_slice(), &raw].concat(), None, now());
    }

    #[test]
    fn anything_that_looks_like_a_feed_is_survived(raw in "(<rss version='2.0'>|<channel>|<item>|</item>|<entry>|<feed xmlns='http://www.w3.org/2005/Atom'>|<title>|</title>|<link|href='|/>|>|<!\\[CDATA\\[|\\]\\]>|&amp;|&#x0;|&|<guid>|</guid>|<description>|\\PC|[ -~]){0,60}") {
        if let Inspection::Feed(feed) = inspect(raw.as_bytes(), None, now()) {
            prop_assert!(feed.items.iter().all(|item| !item.title.is_empty() && !item.title.contains('\n') && !item.id.is_empty()));
        }
    }
}
