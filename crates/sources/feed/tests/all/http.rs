//! What servers do: nothing new, gone, too many, elsewhere, too much, not at all.

use crate::conformance::{clock, rss, source};
use crate::corpus::damaged_utf16;
use crate::server::{Reply, Server};
use meantime_source::kit::Local;
use meantime_source::{Budget, Source, SourceError};
use meantime_source_feed::{FeedConfig, FeedSource};
use std::time::Duration;

const ONE: &str = "<item><title>one</title><guid>1</guid></item>";

async fn pull(source: &FeedSource) -> Result<meantime_source::Page, SourceError> {
    source.pull(None, Budget::default()).await
}

#[tokio::test]
async fn an_unchanged_feed_costs_one_empty_answer() {
    let server = Server::start(|asked| {
        let known = |header: &str| asked.headers.iter().any(|one| one == header);
        if known("if-none-match: \"v1\"") && known("if-modified-since: mon, 02 feb 2026 10:00:00 gmt") {
            return Reply::status(304).with("Cache-Control", "public, max-age=1800");
        }
        Reply::feed(rss(ONE)).with("ETag", "\"v1\"").with("Last-Modified", "Mon, 02 Feb 2026 10:00:00 GMT")
    })
    .await;
    let source = source(&server.url("/"));
    let first = pull(&source).await.unwrap();
    assert!(first.backfill && first.changes.len() == 1);
    let again = source.pull(Some(&first.next), Budget::default()).await.unwrap();
    assert_eq!((again.changes.len(), again.poll_after), (0, Some(Duration::from_secs(1800))));
    assert_eq!(again.next, first.next);
    assert_eq!(server.requests(), 2);
}

#[tokio::test]
async fn refusals_are_said_in_words_and_tried_again_but_for_a_feed_that_is_gone() {
    let server = Server::start(|_| Reply::status(410)).await;
    let source = source(&server.url("/?token=geheim"));
    let mut refused = Vec::new();
    for (reply, code) in [
        (Reply::status(410), "permanent"),
        (Reply::status(429).with("Retry-After", "120"), "rate_limited"),
        (Reply::status(503).with("Retry-After", "Fri, 15 Jan 2027 08:10:00 GMT"), "rate_limited"),
        (Reply::status(500), "transient"),
        (Reply::status(404), "transient"),
        (Reply::status(401), "later"),
        (Reply::status(403), "later"),
        (Reply::status(451), "later"),
        (Reply::status(301), "protocol"),
        (Reply::status(302).with("Location", "file:///etc/passwd"), "later"),
    ] {
        server.answer(move |_| reply.clone());
        let error = pull(&source).await.unwrap_err();
        assert!(!error.to_string().contains("geheim"), "{error}");
        assert!(!error.to_string().contains("again"), "whoever runs the account says that: {error}");
        assert_eq!(error.code(), code, "{error}");
        assert_eq!(error.is_transient(), code != "permanent", "{error}");
        refused.push(error);
    }
    assert!(refused[0].to_string().contains("gone"));
    server.answer(|_| Reply::status(404));
    let error = source.discover().await.unwrap_err();
    assert_eq!(error.code(), "permanent", "a feed that is not there when it is added is a wrong address: {error}");
    server.answer(|_| Reply::feed(damaged_utf16(false)));
    let error = source.discover().await.unwrap_err();
    assert!(error.code() == "permanent" && error.to_string().contains("no feed"), "{error}");
    // The tests' clock stands at 2027-01-15 08:00:00.
    let after = |nth: usize| refused[nth].after().map(|after| after.as_secs());
    assert_eq!((after(1), after(2)), (Some(120), Some(600)));
    assert!(after(6) >= Some(3600), "seldom: {:?}", after(6));
    // What was entered can't be right: nobody needs to be asked.
    let wrong =
        FeedSource::new(FeedConfig { url: "feed.example".into(), name: String::new(), allow_private: false }, clock());
    assert!(matches!(pull(&wrong).await, Err(SourceError::Invalid(_))));
}

#[tokio::test]
async fn a_feed_that_can_not_be_read_is_one_visible_entry_until_it_can() {
    let good = |items: &str| Reply::feed(rss(items)).with("ETag", "\"v1\"");
    let first = good(ONE);
    let server = Server::start(move |_| first.clone()).await;
    let source = source(&server.url("/?token=geheim"));
    let mut local = Local::default();
    local.pull_all(&source, Budget::default()).await.unwrap();
    let read = |local: &Local| -> Vec<String> {
        let shown = local.messages.values().map(|(_, message)| message.unreadable.clone().unwrap_or_default());
        shown.collect()
    };
    let form = "is not a feed";
    for (reply, words) in [
        (Reply::feed("<html><body>no feed</body></html>"), form),
        (Reply::feed("not even markup"), form),
        (Reply::feed(damaged_utf16(false)), form),
        (Reply::feed(vec![b' '; 11 << 20]), "longer than 10 MiB"),
        (Reply::feed("no gzip").with("Content-Encoding", "gzip"), "can't be unpacked"),
        (Reply::feed("no gzip").with("Content-Encoding", "gzip"), "can't be unpacked"),
    ] {
        server.answer(move |_| reply.clone());
        let page = source.pull(local.cursor.as_ref(), Budget::default()).await.unwrap();
        let trouble = page.trouble.clone().unwrap();
        assert!(trouble.is_transient() && trouble.to_string().contains(words), "{trouble}");
        assert!(!format!("{page:?}").contains("geheim"), "{page:?}");
        local.take(page);
        let shown = read(&local);
        assert_eq!(local.messages.len(), 2, "the entry that was read stays: {shown:?}");
        assert!(shown.iter().any(|why| why.contains(words)), "{shown:?}");
    }
    assert_eq!(local.alerts.len(), 3, "once for each reason: {:?}", local.alerts);
    let again = source.pull(local.cursor.as_ref(), Budget::default()).await.unwrap();
    assert!(again.changes.is_empty(), "nothing is new about it");
    // As it was, or with something new: either way it can be read again.
    let broken = local.clone();
    server.answer(|asked| {
        assert!(asked.headers.contains(&"if-none-match: \"v1\"".to_owned()));
        Reply::status(304)
    });
    for items in [None, Some(format!("{ONE}<item><title>two</title><guid>2</guid></item>"))] {
        let count = if items.is_some() { 2 } else { 1 };
        if let Some(items) = items {
            local = broken.clone();
            server.answer(move |_| good(&items));
        }
        local.pull_all(&source, Budget::default()).await.unwrap();
        assert_eq!(read(&local), vec![String::new(); count]);
    }
}

#[tokio::test]
async fn a_feed_that_is_broken_from_the_start_says_so_and_alerts_nobody() {
    let server = Server::start(|_| Reply::feed("nonsense")).await;
    let source = source(&server.url("/"));
    let mut local = Local::default();
    let page = pull(&source).await.unwrap();
    assert!(page.backfill && page.trouble.is_some() && page.changes.len() == 1, "{page:?}");
    local.take(page);
    server.answer(|_| Reply::feed(rss(ONE)));
    local.pull_all(&source, Budget::default()).await.unwrap();
    assert_eq!((local.alerts.len(), local.messages.len()), (0, 1), "what was there before is no news");
    // A guid like ours does not become ours.
    server.answer(|_| Reply::feed(rss("<item><title>x</title><guid>meantime:unreadable:form</guid></item>")));
    local.pull_all(&source, Budget::default()).await.unwrap();
    server.answer(|_| Reply::feed("nonsense"));
    local.take(source.pull(local.cursor.as_ref(), Budget::default()).await.unwrap());
    server.answer(|_| Reply::status(304));
    local.pull_all(&source, Budget::default()).await.unwrap();
    assert_eq!(local.messages.len(), 2, "{:?}", local.truth());
}

#[tokio::test]
async fn a_hundred_thousand_entries_are_bounded_and_the_first_come_at_once() {
    let items: String =
        (0..100_000).rev().map(|nth| format!("<item><title>t{nth}</title><guid>{nth}</guid></item>")).collect();
    let server = Server::start(move |_| Reply::feed(rss(&items))).await;
    let source = source(&server.url("/"));
    let first = pull(&source).await.unwrap();
    assert_eq!((first.changes.len(), first.backfill, first.more), (Budget::default().changes, true, true));
    let mut local = Local::default();
    local.take(first);
    assert!(local.messages.contains_key("99999"), "the newest first");
    let size = serde_json::to_vec(local.cursor.as_ref().unwrap()).unwrap().len();
    assert!(size < 1 << 20, "what is remembered: {size} bytes");
    let big = Budget { changes: 2_000, ..Budget::default() };
    local.pull_all(&source, big).await.unwrap();
    assert_eq!((local.messages.len(), local.alerts.len()), (5_000, 0));
}

#[tokio::test]
async fn a_server_that_falls_silent_is_noticed_as_soon_as_promised() {
    let server = Server::start(|_| Reply { silent: true, ..Reply::default() }).await;
    let begin = std::time::Instant::now();
    let error = pull(&source(&server.url("/"))).await.unwrap_err();
    assert!(matches!(&error, SourceError::Transient(words) if words.ends_with("does not answer.")), "{error:?}");
    assert!(begin.elapsed() < Duration::from_secs(40), "after {:?}", begin.elapsed());
}

#[tokio::test]
async fn redirects_are_followed_a_few_times_and_checked() {
    let server = Server::start(|asked| match asked.path.as_str() {
        "/old" => Reply::status(301).with("Location", "/older"),
        "/older" => Reply::status(307).with("Location", "feed/"),
        "/feed/" => Reply::feed(rss("<item><title>one</title><link>post</link></item>")),
        "/elsewhere" => Reply::status(302).with("Location", "http://127.0.0.2/feed"),
        _ => Reply::status(302).with("Location", "/round"),
    })
    .await;
    let page = pull(&source(&server.url("/old"))).await.unwrap();
    let meantime_source::Change::Message(one) = &page.changes[0] else { panic!() };
    assert_eq!(one.message.link.as_deref(), Some(server.url("/feed/post").as_str()), "links start at the last address");
    let before = server.requests();
    let error = pull(&source(&server.url("/round"))).await.unwrap_err();
    assert!(error.to_string().contains("circles"), "{error}");
    assert_eq!(server.requests() - before, 6);
    let error = pull(&source(&server.url("/elsewhere"))).await.unwrap_err();
    assert!(error.to_string().contains("127.0.0.2 is not on the public internet"), "{error}");
}

#[tokio::test]
async fn private_hosts_are_not_asked_unless_allowed() {
    let server = Server::start(|_| Reply::feed(rss(ONE))).await;
    for host in ["127.0.0.1", "localhost", "[::1]", "0x7f000001"] {
        let url = format!("http://{host}:{}/", server.port);
        let source = FeedSource::new(FeedConfig { url, name: String::new(), allow_private: false }, clock());
        let error = pull(&source).await.unwrap_err();
        assert!(
            matches!(&error, SourceError::Later { message, .. } if message.contains("It lies in my own network")),
            "{host}: {error:?}"
        );
    }
    assert_eq!(server.requests(), 0, "nothing was sent");
    let allowed = source(&format!("http://localhost:{}/", server.port));
    assert_eq!(pull(&allowed).await.unwrap().changes.len(), 1);
}

#[tokio::test]
async fn a_pages_feed_is_found() {
    let server = Server::start(|asked| match asked.path.as_str() {
        "/" => Reply {
            body: br#"<html><head><link rel="alternate" type="application/rss+xml" href="/rss?a=1&amp;b=2"></head></html>"#.to_vec(),
            ..Reply::status(200).with("Content-Type", "text/html")
        },
        "/rss?a=1&b=2" => Reply::feed(rss(ONE)),
        _ => Reply::feed("<html><p>nothing</p></html>"),
    })
    .await;
    let found = source(&server.url("/")).discover().await.unwrap();
    assert_eq!(
        (found.url.as_str(), found.title.as_str(), found.entries),
        (server.url("/rss?a=1&b=2").as_str(), "Blog", 1)
    );
    let error = source(&server.url("/")).check().await.unwrap_err();
    assert!(error.to_string().contains("/rss?a=1&b=2"), "{error}");
    let info = source(&found.url).check().await.unwrap();
    assert_eq!(info.name, "Blog");
    let error = source(&server.url("/none")).discover().await.unwrap_err();
    assert!(error.to_string().contains("no feed"), "{error}");
    assert!(source("nonsense").check().await.is_err());
}

#[tokio::test]
async fn gzip_is_unpacked_within_bounds() {
    // `printf %s "$FEED" | gzip -9n`, and 32 MiB of spaces.
    let server = Server::start(|asked| {
        let raw: Vec<u8> = if asked.path == "/bomb" { vec![b' '; 32 << 20] } else { rss(ONE).into_bytes() };
        Reply::feed(stored_gzip(&raw)).with("Content-Encoding", "gzip")
    })
    .await;
    assert_eq!(pull(&source(&server.url("/"))).await.unwrap().changes.len(), 1);
    let trouble = pull(&source(&server.url("/bomb"))).await.unwrap().trouble.unwrap();
    assert!(trouble.to_string().contains("longer than 10 MiB"), "{trouble}");
}

/// gzip through Debian's own, always there.
fn stored_gzip(raw: &[u8]) -> Vec<u8> {
    use std::io::Write;
    let mut child = std::process::Command::new("gzip")
        .arg("-c")
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let raw = raw.to_vec();
    let writing = std::thread::spawn(move || stdin.write_all(&raw).unwrap());
    let packed = child.wait_with_output().unwrap().stdout;
    writing.join().unwrap();
    packed
}

#[tokio::test]
async fn entries_alert_once_however_they_are_named() {
    let server = Server::start(|_| Reply::feed(rss(ONE))).await;
    let source = source(&server.url("/"));
    let mut local = Local::default();
    let item = |guid: &str, title: &str, text: &str| {
        format!(
            "<item><guid>{guid}</guid><title>{title}</title><link>https://b.example/{title}</link><description>{text}</description></item>"
        )
    };
    for (items, alerts, kept) in [
        (item("a", "first", "x"), 0, 1),
        (item("a", "first", "x") + &item("b", "second", "x"), 1, 2),
        // New guids for the same entries.
        (item("c", "first", "x") + &item("d", "second", "x"), 1, 2),
        // A correction is no news.
        (item("c", "first", "y") + &item("d", "second", "x"), 1, 2),
        // Entries that left the document stay.
        (item("e", "third", "x"), 2, 3),
        // And are not news when they return.
        (item("a", "first", "y") + &item("e", "third", "x"), 2, 3),
    ] {
        server.answer(move |_| Reply::feed(rss(&items)));
        local.pull_all(&source, Budget::default()).await.unwrap();
        assert_eq!((local.alerts.len(), local.messages.len()), (alerts, kept), "{:?}", local.alerts);
    }
    assert_eq!(local.messages["a"].1.text, "y");
}
