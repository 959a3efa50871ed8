//! What servers do: nothing new, gone, too many, elsewhere, too much, not at all.

use crate::conformance::{clock, rss, source};
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
async fn refusals_are_said_in_words() {
    let server = Server::start(|_| Reply::status(410)).await;
    let source = source(&server.url("/?token=geheim"));
    let mut refused = Vec::new();
    for reply in [
        Reply::status(410),
        Reply::status(429).with("Retry-After", "120"),
        Reply::status(503).with("Retry-After", "Fri, 15 Jan 2027 08:10:00 GMT"),
        Reply::status(500),
        Reply::status(404),
        Reply::status(403),
        Reply::status(301),
        Reply::status(302).with("Location", "file:///etc/passwd"),
        Reply::feed("<html><body>no feed</body></html>"),
        Reply::feed("not even markup"),
        Reply::feed(vec![b' '; 11 << 20]),
        Reply::feed("no gzip").with("Content-Encoding", "gzip"),
    ] {
        server.answer(move |_| reply.clone());
        let error = pull(&source).await.unwrap_err();
        assert!(!error.to_string().contains("geheim"), "{error}");
        refused.push(error);
    }
    let codes: Vec<&str> = refused.iter().map(SourceError::code).collect();
    assert_eq!(
        codes,
        [
            "permanent",
            "rate_limited",
            "rate_limited",
            "transient",
            "transient",
            "permanent",
            "protocol",
            "permanent",
            "protocol",
            "protocol",
            "permanent",
            "protocol"
        ]
    );
    assert!(refused[0].to_string().contains("gone"));
    let after = |error: &SourceError| match error {
        SourceError::RateLimited { after, .. } => after.as_secs(),
        other => panic!("{other:?}"),
    };
    // The tests' clock stands at 2027-01-15 08:00:00.
    assert_eq!((after(&refused[1]), after(&refused[2])), (120, 600));
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
            matches!(&error, SourceError::Permanent(words) if words.contains("It lies in my own network")),
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
    let error = pull(&source(&server.url("/bomb"))).await.unwrap_err();
    assert!(error.to_string().contains("longer than 10 MiB"), "{error}");
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
