//! A feed on this machine that a test can add to.

use anyhow::Result;
use chrono::{DateTime, Utc};
use meantime_platform::{Clock, SystemClock};
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// An HTTP server with one Atom feed at `/feed.xml`. Ends when dropped.
pub struct FeedServer {
    port: u16,
    body: Arc<Mutex<Body>>,
    task: JoinHandle<()>,
}

#[derive(Default)]
struct Body {
    entries: Vec<Entry>,
    broken: bool,
}

struct Entry {
    title: String,
    text: String,
    at: DateTime<Utc>,
}

impl FeedServer {
    /// Starts it on a free port, with entries of these titles.
    ///
    /// # Errors
    /// No port is free.
    pub async fn start(titles: &[&str]) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let port = listener.local_addr()?.port();
        let body = Arc::new(Mutex::new(Body::default()));
        let served = Arc::clone(&body);
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let text = served.lock().unwrap_or_else(PoisonError::into_inner).text();
                tokio::spawn(answer(stream, text));
            }
        });
        let server = Self { port, body, task };
        titles.iter().for_each(|title| server.publish(title));
        Ok(server)
    }

    /// Where the feed is.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}/feed.xml", self.port)
    }

    /// Adds an entry, written now.
    pub fn publish(&self, title: &str) {
        self.publish_at(title, &format!("{title}."), SystemClock.now());
    }

    /// Adds an entry with some words, written at an instant.
    pub fn publish_at(&self, title: &str, text: &str, at: DateTime<Utc>) {
        let mut body = self.body.lock().unwrap_or_else(PoisonError::into_inner);
        body.entries.push(Entry { title: title.to_owned(), text: text.to_owned(), at });
    }

    /// From now on answers with something that is no feed, or with the feed again.
    pub fn break_it(&self, broken: bool) {
        self.body.lock().unwrap_or_else(PoisonError::into_inner).broken = broken;
    }
}

impl Drop for FeedServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Body {
    fn text(&self) -> String {
        if self.broken {
            return "<!doctype html><title>Back soon</title><p>We are moving to another machine.</p>".to_owned();
        }
        let mut text = String::from(
            "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<feed xmlns=\"http://www.w3.org/2005/Atom\">\
             <title>Release notes</title><id>urn:meantime:feed</id><updated>2026-01-01T00:00:00Z</updated>\n",
        );
        for (n, Entry { title, text: words, at }) in self.entries.iter().enumerate().rev() {
            let at = at.to_rfc3339();
            let _ = writeln!(
                text,
                "<entry><title>{title}</title><id>urn:meantime:entry:{n}</id><updated>{at}</updated>\
                 <author><name>Release bot</name></author><content type=\"html\">&lt;p&gt;{words}&lt;/p&gt;</content></entry>",
            );
        }
        text + "</feed>\n"
    }
}

async fn answer(mut stream: TcpStream, text: String) {
    let mut request = vec![0; 4096];
    let _ = stream.read(&mut request).await;
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/atom+xml\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        text.len()
    );
    let _ = stream.write_all(head.as_bytes()).await;
    let _ = stream.write_all(text.as_bytes()).await;
    let _ = stream.shutdown().await;
}
