//! RSS, Atom and JSON feeds as a source: read only, polled.
//!
//! An entry is an item of its own. Whether it was read is nobody's business
//! but ours, so that nothing is written back. It does not store anything,
//! fetch images, or open pages.

pub mod address;
mod charset;
mod config;
mod cursor;
mod discover;
mod entry;
mod fetch;
mod inspect;
mod lenient;
mod parse;
mod pull;

pub use config::FeedConfig;
pub use fetch::{DOCUMENT_BYTES, REDIRECTS};
pub use inspect::inspect;

use async_trait::async_trait;
use cursor::State;
use fetch::{Answer, Document, Known, Unreadable};
use meantime_source::{
    AccountInfo, ActOutcome, Budget, Caps, Cursor, Now, Op, Page, Source, SourceError, SourceResult,
};
use reqwest::Client;
use tokio::sync::OnceCell;
use url::Url;

/// One feed.
pub struct FeedSource {
    config: FeedConfig,
    now: Now,
    client: OnceCell<Client>,
}

/// A feed that was found at an address, or through the page there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Discovered {
    /// The feed's own address: what belongs into [`FeedConfig::url`].
    pub url: String,
    /// The feed's title.
    pub title: String,
    /// How many entries it has now.
    pub entries: usize,
}

impl FeedSource {
    /// A feed; nothing is asked yet.
    #[must_use]
    pub fn new(config: FeedConfig, now: Now) -> Self {
        Self { config, now, client: OnceCell::new() }
    }

    /// The feed at the address, or the one that the web page there names.
    ///
    /// # Errors
    /// `Permanent` where there is neither; what fetching gives else.
    pub async fn discover(&self) -> SourceResult<Discovered> {
        let mut url = self.url()?;
        for _ in 0..2 {
            let document = self.document(&url).await?;
            let base = Some(&document.url);
            if let Some(feed) = parse::parse(&document.bytes, document.content_type.as_deref(), base) {
                return Ok(Discovered { url: url.into(), entries: feed.entries.len(), title: feed.title });
            }
            let page = charset::decode(&document.bytes, document.content_type.as_deref());
            match discover::feed_of_page(&page, &document.url) {
                Some(found) if found != url => url = found,
                _ => break,
            }
        }
        Err(SourceError::Permanent(
            "There is no feed at this address, and the page there names none. Look for “RSS” or “Feed” on the site."
                .to_owned(),
        ))
    }

    async fn document(&self, url: &Url) -> SourceResult<Document> {
        match self.fetch(url, &Known::default()).await? {
            Answer::Document(document) => Ok(*document),
            Answer::Unreadable(unreadable) => Err(SourceError::Permanent(unreadable.words)),
            Answer::Missing(words) => Err(SourceError::Permanent(words)),
            Answer::Gone(error) => Err(error),
            Answer::Unchanged { .. } => Err(SourceError::Protocol(format!(
                "{} says that nothing changed without having been asked.",
                url.host_str().unwrap_or("The server")
            ))),
        }
    }

    async fn fetch(&self, url: &Url, known: &Known) -> SourceResult<Answer> {
        let private = self.private_host();
        let client = self.client.get_or_try_init(|| async { fetch::client(private.clone()) }).await?;
        fetch::fetch(client, url, private.as_deref(), known, (self.now)()).await
    }

    fn url(&self) -> SourceResult<Url> {
        address::entered(&self.config.url)
    }

    /// The one host the person allowed.
    fn private_host(&self) -> Option<String> {
        let url = self.url().ok().filter(|_| self.config.allow_private)?;
        url.host_str().map(str::to_lowercase)
    }
}

#[async_trait]
impl Source for FeedSource {
    fn caps(&self) -> Caps {
        Caps::default()
    }

    fn identity(&self) -> String {
        format!("feed:{}", self.config.url.trim())
    }

    async fn check(&self) -> SourceResult<AccountInfo> {
        let found = self.discover().await?;
        if found.url != self.url()?.as_str() {
            return Err(SourceError::Permanent(format!(
                "This is a web page. Its feed is at {}: use that address.",
                found.url
            )));
        }
        let name = if found.title.is_empty() { self.config.url.clone() } else { found.title };
        Ok(AccountInfo { name, summary: format!("A feed with {} entries.", found.entries) })
    }

    async fn pull(&self, cursor: Option<&Cursor>, budget: Budget) -> SourceResult<Page> {
        let state = cursor.map_or_else(|| Ok(State::new()), State::read)?;
        let answer = self.fetch(&self.url()?, &state.known()).await.map_err(seldom)?;
        let unreadable = match answer {
            Answer::Unchanged { poll_after } => return pull::unchanged(state, poll_after),
            Answer::Missing(words) => return Err(SourceError::Transient(words)),
            Answer::Gone(error) => return Err(error),
            Answer::Unreadable(unreadable) => unreadable,
            Answer::Document(document) => {
                let base = Some(&document.url);
                if let Some(feed) = parse::parse(&document.bytes, document.content_type.as_deref(), base) {
                    return pull::page(&self.config, feed, &document, state, budget, (self.now)());
                }
                let host = document.url.host_str().unwrap_or("the server");
                let words = format!("What {host} sends is not a feed. Check the address.");
                Unreadable { why: "form", words }
            }
        };
        pull::unreadable(&self.config, &unreadable, state, (self.now)())
    }

    async fn live(&self, _cursor: &Cursor) -> SourceResult<()> {
        Err(SourceError::Permanent("A feed does not say by itself when there is something new.".to_owned()))
    }

    async fn act(&self, _op: &Op) -> SourceResult<ActOutcome> {
        Ok(ActOutcome::Unsupported)
    }
}

/// Nobody but whoever runs the site can mend what a feed is refused with, and
/// they may: it is asked again, now and then.
fn seldom(error: SourceError) -> SourceError {
    match error {
        SourceError::Permanent(message) | SourceError::Certificate(message) => {
            SourceError::Later { after: fetch::RARELY, message }
        }
        other => other,
    }
}
