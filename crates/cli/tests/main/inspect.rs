//! `meantime inspect`: the contract with scripts. What is in the answers is
//! tested where mail and feeds are read.

use crate::World;
use serde_json::json;

const MAIL: &str = "From: Kofi <kofi@example.org>\r\nReply-To: The List <list@example.org>\r\nTo: ana@example.org\r\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n\
    Date: Mon, 23 Nov 2020 10:00:00 +0000\r\n\r\nHello\x1b[31m Ana\r\n";
const FEED: &str = r#"<?xml version="1.0"?><rss version="2.0"><channel><title>News</title><link>https://example.org/</link>
    <item><title>First</title><link>https://example.org/1</link><guid>1</guid><description>Text</description></item></channel></rss>"#;

#[test]
fn one_line_a_file_in_order() {
    let world = World::new();
    let (mail, empty) = (world.file("a.eml", MAIL), world.file("b.eml", ""));
    let nested = (0..6_000).map(|n| format!("Content-Type: multipart/mixed; boundary=b{n}\r\n\r\n--b{n}\r\n"));
    let nested = world.file("c.eml", format!("Subject: Without end\r\n{}", nested.collect::<String>()));
    let seen = world.run(&["inspect", "mail", "--json", &nested]).ok().json_lines().remove(0);
    assert_eq!((&seen["ok"], &seen["code"]), (&true.into(), &"unreadable".into()), "{}", seen["unreadable"]);
    let ran = world.run(&["inspect", "mail", "--json", &mail, &empty, "/no/such.eml"]).ok();
    let lines = ran.json_lines();
    assert_eq!(lines.len(), 3);
    assert_eq!((&lines[0]["file"], &lines[0]["ok"], &lines[0]["kind"]), (&mail.into(), &true.into(), &"mail".into()));
    assert_eq!((&lines[0]["title"], &lines[0]["date"]), (&"Grüße".into(), &"2020-11-23T10:00:00Z".into()));
    assert!(lines[0]["code"].is_null() && lines[0]["unreadable"].is_null());
    assert_eq!(lines[0]["reply_to"], json!([{ "name": "The List", "address": "list@example.org" }]));
    assert_eq!((&lines[1]["ok"], lines[1]["error"]["code"].as_str()), (&false.into(), Some("empty")));
    assert_eq!(lines[2]["error"]["code"], "unreadable");
}

#[test]
fn text_for_people_sends_no_escape_sequences() {
    let world = World::new();
    let ran = world.run(&["inspect", "mail", &world.file("a.eml", MAIL)]).ok();
    assert!(ran.out.contains("Grüße\n") && ran.out.contains("from: Kofi <kofi@example.org>"), "{}", ran.out);
    assert!(ran.out.contains("replies go to: The List <list@example.org>\n"), "{}", ran.out);
    assert!(!ran.out.contains('\x1b'));
}

#[test]
fn feeds_and_stdin() {
    let ran = World::new().pipe(&["inspect", "feed", "-", "--json"], FEED.as_bytes()).ok();
    let seen = &ran.json_lines()[0];
    assert_eq!(
        (&seen["ok"], &seen["title"], &seen["items"][0]["title"]),
        (&true.into(), &"News".into(), &"First".into())
    );
    assert_eq!(seen["items"][0]["attachments"], json!([]));
    let recording = FEED.replace(
        "<description>",
        r#"<enclosure url="https://example.org/a/talk.mp3" type="audio/mpeg" length="99"/><description>"#,
    );
    let ran = World::new().pipe(&["inspect", "feed", "-", "--json"], recording.as_bytes()).ok();
    let talk = json!([{ "name": "talk.mp3", "media_type": "audio/mpeg", "bytes": 99 }]);
    assert_eq!(ran.json_lines()[0]["items"][0]["attachments"], talk);
    let shown = World::new().pipe(&["inspect", "feed", "-"], recording.as_bytes()).ok().out;
    assert!(shown.contains("+ talk.mp3 (audio/mpeg, 99 bytes)"), "{shown}");
    let not = World::new().pipe(&["inspect", "feed", "-", "--json"], b"hello").ok();
    assert_eq!(not.json_lines()[0]["ok"], false);
}
