//! Hostile and broken mail: each gives something readable, in bounded time,
//! and never a panic.

use chrono::{DateTime, Utc};
use meantime_model::Urgency;
use meantime_source::Flags;
use meantime_source::inspect::{InspectedMail, Inspection};
use meantime_source_imap::{inspect, mail};
use proptest::prelude::*;
use std::fmt::Write as _;
use std::time::{Duration, Instant};

fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000, 0).unwrap()
}

fn read(raw: impl AsRef<[u8]>) -> InspectedMail {
    match inspect(raw.as_ref(), now()) {
        Inspection::Mail(mail) => *mail,
        other => panic!("{other:?}"),
    }
}

fn code(raw: &[u8]) -> String {
    match inspect(raw, now()) {
        Inspection::Error(error) => error.code,
        other => panic!("{other:?}"),
    }
}

const HEAD: &str = "From: A <a@x>\r\nTo: b@x\r\nSubject: s\r\nMIME-Version: 1.0\r\n";

#[test]
fn ordinary_mail_reads_as_it_was_written() {
    let mail = read(
        "From: =?UTF-8?Q?J=C3=B6rg?= <j@x>\r\nTo: \"Doe, Ana\" <ana@x>, team: k@x, m@x;\r\nCc: c@x\r\n\
         Subject: =?iso-8859-1?Q?Gr=FC=DFe?=\r\n =?utf-8?B?IOKckw==?=\r\nDate: Mon, 2 Feb 2026 10:00:00 +0100\r\n\
         Message-ID: <1@x>\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=\"b\"\r\n\r\n--b\r\n\
         Content-Type: multipart/alternative; boundary=c\r\n\r\n--c\r\nContent-Type: text/plain; charset=windows-1252\r\n\
         Content-Transfer-Encoding: quoted-printable\r\n\r\n10=80\r\n--c\r\nContent-Type: text/html\r\n\r\n\
         <p onclick=x>10 EUR<script>x</script></p>\r\n--c--\r\n--b\r\nContent-Type: image/png\r\n\
         Content-Disposition: attachment; filename*0*=UTF-8''..%2Fa%C3%A4; filename*1=.png\r\n\
         Content-Transfer-Encoding: base64\r\n\r\nAAAA\r\n--b--\r\n",
    );
    assert_eq!(mail.title, "Grüße ✓");
    assert_eq!((mail.from[0].name.as_str(), mail.from[0].address.as_str()), ("Jörg", "j@x"));
    assert_eq!(mail.to.iter().map(|to| to.address.as_str()).collect::<Vec<_>>(), ["ana@x", "k@x", "m@x"]);
    assert_eq!((mail.cc.len(), mail.message_id.as_deref()), (1, Some("1@x")));
    assert_eq!(mail.date.unwrap().to_rfc3339(), "2026-02-02T09:00:00+00:00");
    assert_eq!(mail.text, "10€");
    assert_eq!(mail.html.as_deref().map(str::trim), Some("<p>10 EUR</p>"));
    let file = &mail.attachments[0];
    assert_eq!((file.name.as_str(), file.media_type.as_str(), file.bytes), ("aä.png", "image/png", 3));
    assert_eq!(mail.unreadable, None);
}

#[test]
fn answers_go_where_the_author_asks() {
    let asked = |lines: &str| -> Vec<String> {
        let mail = read(format!("From: Kofi <kofi@x.org>\r\nSubject: s\r\n{lines}\r\nx"));
        mail.reply_to.into_iter().map(|to| format!("{}<{}>", to.name, to.address)).collect()
    };
    assert_eq!(asked(""), [""; 0]);
    assert_eq!(asked("Reply-To: The List <list@x.org>\r\n"), ["The List<list@x.org>"]);
    assert_eq!(asked("Reply-To: \"K.\" <KOFI@x.org>\r\n"), [""; 0], "the author themselves");
    assert_eq!(asked("Reply-To: kofi@x.org, list@x.org, LIST@x.org\r\n"), ["<kofi@x.org>", "<list@x.org>"]);
    assert_eq!(
        asked("Reply-To: team: =?utf-8?Q?J=C3=B6rg?= <j@x.org>,\r\n m@x.org;\r\n"),
        ["Jörg<j@x.org>", "<m@x.org>"]
    );
    assert_eq!(asked("Reply-To: nobody in particular, <>, a b@x.org\r\n"), [""; 0], "no mail can go there");
    assert_eq!(asked("Reply-To: \u{202e}gro.x@tsil\u{7} <list@x.org>\r\n"), ["gro.x@tsil<list@x.org>"]);
    let many = (0..5_000).map(|nth| format!("n{nth}@x.org")).collect::<Vec<_>>().join(",\r\n ");
    assert_eq!(asked(&format!("Reply-To: {many}\r\n")).len(), 100);
    let nested = "Content-Type: message/rfc822\r\n\r\n".repeat(200);
    assert_eq!(asked(&format!("Reply-To: The List <list@x.org>\r\n{nested}")), ["The List<list@x.org>"]);
}

#[test]
fn what_is_marked_as_urgent_is_if_it_is_to_me() {
    let urgency = |lines: &str| {
        let raw = format!("From: Kofi <kofi@x.org>\r\nTo: ana@x.org\r\nSubject: s\r\n{lines}\r\n\r\nx");
        let place = mail::Place {
            own: "ana@x.org",
            mailbox: "INBOX",
            received: now(),
            fallback_name: "1".into(),
            flags: Flags::default(),
        };
        mail::parse(raw.as_bytes(), raw.len() as u64).into_incoming(place, now()).item.urgency
    };
    for marked in ["Importance: High", "Priority: urgent", "X-Priority: 1 (Highest)", "X-Priority: 2"] {
        assert_eq!(urgency(marked), Some(Urgency::Red), "{marked}");
        assert_eq!(urgency(&format!("List-Id: <all.x.org>\r\n{marked}")), None, "to many: {marked}");
    }
    for marked in ["Importance: low", "Priority: normal", "X-Priority: 3", "X-Priority: x", "Subject: urgent!"] {
        assert_eq!(urgency(marked), None, "{marked}");
    }
}

#[test]
fn charsets_that_are_missing_wrong_or_made_up() {
    assert_eq!(
        read(format!("{HEAD}\r\n").into_bytes().into_iter().chain(*b"Gr\xfc\xdfe \x80").collect::<Vec<_>>()).text,
        "Grüße €"
    );
    assert_eq!(read(b"From: a@x\nSubject: Gr\xfc\xdfe\n\nx").title, "Grüße");
    assert_eq!(read(format!("{HEAD}Content-Type: text/plain; charset=klingon\r\n\r\nplain")).text, "plain");
    assert_eq!(read(format!("{HEAD}Content-Type: text/plain; charset=\r\n\r\nplain")).text, "plain");
    assert_eq!(read("From: a@x\nSubject: =?klingon?Q?abc?= =?utf-8?B?!!!?=\n\nx").text, "x");
    let japanese =
        [HEAD.as_bytes(), b"Content-Type: text/plain; charset=iso-2022-jp\r\n\r\n\x1b$BF|K\\\x1b(B"].concat();
    assert_eq!(read(japanese).text, "日本");
}

#[test]
fn broken_structure_still_shows_the_text() {
    let cut =
        format!("{HEAD}Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\nhello");
    assert_eq!(read(&cut).text, "hello");
    for end in 0..cut.len() {
        let _ = inspect(&cut.as_bytes()[..end], now());
    }
    assert_eq!(read(format!("{HEAD}Content-Type: multipart/mixed\r\n\r\nno boundary")).title, "s");
    assert!(
        read(format!("{HEAD}Content-Type: text/plain\r\nContent-Transfer-Encoding: base64\r\n\r\n%%%%"))
            .unreadable
            .is_none()
    );
    assert_eq!(read(format!("{HEAD}Content-Type: nonsense\r\n\r\nbody")).title, "s");
    assert_eq!(read("Subject: only\n").title, "only");
    assert_eq!(read("From: a@x\n\n").title, "(no subject)");
    assert_eq!(read(b"From: a@x\r\nSubject: a\0b\x1b[31m\r\n\r\nx\0y").title, "a b [31m");
    assert_eq!(read("From: a@x\r\nSubject: \u{202e}gpj.exe\r\n\r\nx").title, "gpj.exe");
}

#[test]
fn dates_are_those_of_this_world() {
    let date = |text: &str| read(format!("From: a@x\nDate: {text}\n\nx")).date;
    assert_eq!(date("Mon, 2 Feb 2099 10:00:00 +0000"), Some(now()), "the future is now");
    assert_eq!(date("yesterday"), None);
    assert_eq!(date("Mon, 99 Foo 2026 99:99:99 +9999"), None);
    assert!(date("2 Feb 26 10:00 EST").is_some());
    let _ = date("1 Jan 999999999999 00:00:00 +0000");
}

#[test]
fn what_is_no_mail_is_said() {
    assert_eq!(code(b""), "empty");
    assert_eq!(code(b" \r\n "), "empty");
    assert_eq!(code(b"just some words"), "not_mail");
    assert_eq!(code(&[0xff; 4000]), "not_mail");
    assert_eq!(code(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"), "not_mail");
}

#[test]
fn size_and_depth_are_bounded() {
    let begin = Instant::now();
    let mut headers = String::from("From: a@x\r\n");
    for nth in 0..10_000 {
        write!(headers, "X-{nth}: {nth}\r\n").unwrap();
    }
    assert_eq!(read(format!("{headers}Subject: last\r\n\r\nx")).title, "last");
    assert_eq!(read(format!("From: a@x\r\nSubject: {}\r\n\r\nx", "y".repeat(1 << 20))).title.chars().count(), 500);
    assert_eq!(read(format!("From: a@x\r\nTo: {}\r\n\r\nx", "b@x, ".repeat(50_000))).to.len(), 1_000);
    assert!(read(format!("From: a@x\r\nSubject: long\r\n\r\n{}", "z".repeat(3 << 20))).text.len() <= (1 << 20) + 3);

    let nested: String =
        (0..5_000).fold(HEAD.to_owned(), |text, _| text + "Content-Type: message/rfc822\r\n\r\n" + HEAD);
    assert!(read(nested).unreadable.is_some_and(|why| why.contains("too many mails")));
    let mut deep = HEAD.to_owned();
    for nth in 0..3_000 {
        write!(deep, "Content-Type: multipart/mixed; boundary=b{nth}\r\n\r\n--b{nth}\r\n").unwrap();
    }
    let _ = read(deep);
    let parts = "--b\r\nContent-Type: application/x\r\n\r\nx\r\n".repeat(20_000);
    let many = format!("{HEAD}Content-Type: multipart/mixed; boundary=b\r\n\r\n{parts}--b--\r\n");
    assert!(read(many).unreadable.is_some_and(|why| why.contains("too many parts")));
    let digest = "--b\r\n\r\nFrom: x@y\r\nSubject: one\r\n\r\ntext\r\n".repeat(60);
    let mail = read(format!("{HEAD}Content-Type: multipart/digest; boundary=b\r\n\r\n{digest}--b--\r\n"));
    assert_eq!(mail.attachments.len(), 60);
    assert_eq!(
        (mail.attachments[0].name.as_str(), mail.attachments[0].media_type.as_str()),
        ("one.eml", "message/rfc822")
    );
    assert!(begin.elapsed() < Duration::from_secs(60), "took {:?}", begin.elapsed());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_are_survived(raw in proptest::collection::vec(any::<u8>(), 0..2000)) {
        let _ = inspect(&raw, now());
        let _ = mail::parse(&raw, raw.len() as u64 * 2);
    }

    #[test]
    fn anything_that_looks_like_mail_is_survived(raw in "(From: |To: |Subject: |Date: |Content-Type: |multipart/mixed|multipart/digest|message/rfc822|text/html|; boundary=|; charset=|b|--b|--b--|=\\?utf-8\\?[QB]\\?|\\?=|base64|Content-Transfer-Encoding: |References: |<[a-c@]{0,4}>|\r\n|\r\n\r\n|[ -~]|\\PC){0,80}") {
        if let Inspection::Mail(mail) = inspect(raw.as_bytes(), now()) {
            prop_assert!(!mail.title.is_empty() && !mail.title.contains('\n'));
        }
    }
}
