//! The suite that every source passes.

use crate::server::{Reply, Server};
use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use meantime_source::kit::{Harness, Truth};
use meantime_source::{Now, Source};
use meantime_source_feed::{FeedConfig, FeedSource};
use std::sync::{Arc, Mutex};

/// A clock that stands still.
pub(crate) fn clock() -> Now {
    Arc::new(|| DateTime::<Utc>::from_timestamp(1_800_000_000, 0).unwrap())
}

pub(crate) fn source(url: &str) -> FeedSource {
    FeedSource::new(FeedConfig { url: url.to_owned(), name: String::new(), allow_private: true }, clock())
}

pub(crate) fn rss(items: &str) -> String {
    format!(
        "<?xml version='1.0'?><rss version='2.0'><channel><title>Blog</title><link>https://b.example/</link>{items}</channel></rss>"
    )
}

struct Feed {
    server: Server,
    items: Arc<Mutex<Vec<String>>>,
    titles: Vec<String>,
}

#[async_trait]
impl Harness for Feed {
    async fn start() -> Self {
        let items: Arc<Mutex<Vec<String>>> = Arc::default();
        let served = Arc::clone(&items);
        let server = Server::start(move |asked| {
            let items = served.lock().unwrap();
            let etag = format!("\"{}\"", items.len());
            if asked.headers.contains(&format!("if-none-match: {etag}")) {
                return Reply::status(304);
            }
            let newest_first: String = items.iter().rev().cloned().collect();
            Reply::feed(rss(&newest_first)).with("ETag", &etag)
        })
        .await;
        Self { server, items, titles: Vec::new() }
    }

    const UNCHANGED: usize = 1;

    fn source_at(&self, off: TimeDelta) -> Box<dyn Source> {
        let url = self.server.url("/feed?token=geheim");
        let now: Now = Arc::new(move || clock()() + off);
        Box::new(FeedSource::new(FeedConfig { url, name: String::new(), allow_private: true }, now))
    }

    async fn expire_secret(&mut self) -> bool {
        false
    }

    async fn renew_secret(&mut self) {}

    fn requests(&self) -> usize {
        self.server.requests()
    }

    fn wrong_secret(&self) -> Option<Box<dyn Source>> {
        None
    }

    fn secrets(&self) -> Vec<String> {
        Vec::new()
    }

    async fn arrive(&mut self, title: &str) {
        let nth = self.titles.len() as i64;
        let date = DateTime::<Utc>::from_timestamp(1_790_000_000 + nth * 60, 0).unwrap().to_rfc2822();
        self.titles.push(title.to_owned());
        let item = format!(
            "<item><title>{title}</title><guid>id-{nth}</guid><link>https://b.example/{nth}</link>\
             <pubDate>{date}</pubDate><description>About {title}</description></item>"
        );
        self.items.lock().unwrap().push(item);
    }

    async fn poison(&mut self) {
        self.titles.push("(no title)".into());
        self.items
            .lock()
            .unwrap()
            .push("<item><pubDate>&nonsense;</pubDate><guid/><enclosure url='::'/></item>".into());
    }

    async fn mark_read(&mut self, _: &str) -> bool {
        false
    }

    async fn archive(&mut self, _: &str) -> bool {
        false
    }

    async fn delete(&mut self, _: &str) -> bool {
        false
    }

    async fn invalidate_cursor(&mut self) -> bool {
        false
    }

    async fn stop(&mut self) {
        self.server.stop();
    }

    async fn truth(&mut self) -> Vec<Truth> {
        self.titles.iter().map(|title| Truth { title: title.clone(), read: false, done: false }).collect()
    }
}

meantime_source::conformance!(Feed);
