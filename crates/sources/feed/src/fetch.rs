//! One HTTP request for a document, with every hop checked and everything
//! bounded, and the plain words for what goes wrong.
//!
//! Redirects are followed by hand, so that each is checked before it is
//! asked. It keeps nothing and parses nothing.

use crate::address::{self, Gate, NotPublic};
use chrono::{DateTime, Utc};
use meantime_source::{SourceError, SourceResult};
use reqwest::header::{
    ACCEPT, CACHE_CONTROL, CONTENT_TYPE, ETAG, HeaderMap, IF_MODIFIED_SINCE, IF_NONE_MATCH, LAST_MODIFIED, LOCATION,
    RETRY_AFTER,
};
use reqwest::{Client, Response, StatusCode};
use std::error::Error;
use std::time::Duration;
use url::Url;

/// Longer documents are refused, counted after unpacking.
pub const DOCUMENT_BYTES: usize = 10 << 20;
/// Redirects followed.
pub const REDIRECTS: usize = 5;
/// To connect.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);
/// Without a byte.
pub const SILENCE: Duration = Duration::from_secs(30);
/// Altogether.
pub const TOTAL_TIMEOUT: Duration = Duration::from_secs(120);
/// A server asks for no longer wait than this.
const LONGEST_WAIT: Duration = Duration::from_secs(24 * 3600);
const FEEDS: &str =
    "application/atom+xml, application/rss+xml, application/feed+json, application/xml;q=0.9, */*;q=0.5";

/// What a server said of the document last time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Known {
    /// Its `ETag`.
    pub etag: Option<String>,
    /// Its `Last-Modified`.
    pub last_modified: Option<String>,
}

/// How long a feed is left alone after what hardly passes soon: a refusal, a
/// certificate that ran out.
pub const RARELY: Duration = Duration::from_secs(6 * 3600);

/// What came back.
#[derive(Debug)]
pub enum Answer {
    /// As last time.
    Unchanged {
        /// Not to be asked again before.
        poll_after: Option<Duration>,
    },
    /// A document.
    Document(Box<Document>),
    /// Something was sent that can't be read as any document.
    Unreadable(Unreadable),
    /// Nothing is there (404), in words. A feed that was there comes back as a
    /// rule.
    Missing(String),
    /// The feed is gone for good (410).
    Gone(SourceError),
}

/// Why what was sent can't be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreadable {
    /// Tells one reason from another: a word.
    pub why: &'static str,
    /// For people.
    pub words: String,
}

/// A document, as it was sent.
#[derive(Debug)]
pub struct Document {
    /// Its bytes, unpacked.
    pub bytes: Vec<u8>,
    /// Its media type, as declared.
    pub content_type: Option<String>,
    /// Where it was found in the end.
    pub url: Url,
    /// For next time.
    pub known: Known,
    /// Not to be asked again before.
    pub poll_after: Option<Duration>,
}

/// A client for one feed. Proxies from the environment are left aside: they
/// would connect where the address check can't look.
pub fn client(private_host: Option<String>) -> SourceResult<Client> {
    // Whoever was first has set the same one.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .dns_resolver(Gate { private_host })
        .no_proxy()
        .connect_timeout(CONNECT_TIMEOUT)
        .read_timeout(SILENCE)
        .timeout(TOTAL_TIMEOUT)
        .pool_max_idle_per_host(1)
        .user_agent(concat!("Meantime/", env!("CARGO_PKG_VERSION"), " (feed reader)"))
        .build()
        .map_err(|error| SourceError::Permanent(format!("Feeds can't be fetched on this computer: {error}.")))
}

/// Asks for a document.
pub async fn fetch(
    client: &Client,
    url: &Url,
    private_host: Option<&str>,
    known: &Known,
    now: DateTime<Utc>,
) -> SourceResult<Answer> {
    let mut url = url.clone();
    for _ in 0..=REDIRECTS {
        address::check(&url, private_host)?;
        let mut request = client.get(url.clone()).header(ACCEPT, FEEDS);
        if let Some(etag) = &known.etag {
            request = request.header(IF_NONE_MATCH, etag);
        }
        if let Some(date) = &known.last_modified {
            request = request.header(IF_MODIFIED_SINCE, date);
        }
        let response = request.send().await.map_err(|error| words(&url, &error))?;
        let status = response.status();
        if status == StatusCode::NOT_MODIFIED {
            return Ok(Answer::Unchanged { poll_after: max_age(response.headers()) });
        }
        if status.is_redirection() {
            let target = response.headers().get(LOCATION).and_then(|value| value.to_str().ok());
            url = target.and_then(|target| url.join(target).ok()).ok_or_else(|| {
                SourceError::Protocol(format!("{} sends on to nowhere. Check the feed's address.", host(&url)))
            })?;
            continue;
        }
        if status == StatusCode::GONE {
            let words = format!("This feed is gone for good: {} says so. Remove it.", host(&url));
            return Ok(Answer::Gone(SourceError::Permanent(words)));
        }
        if status == StatusCode::NOT_FOUND {
            let words = format!("{} has nothing at this address (404). Check the address.", host(&url));
            return Ok(Answer::Missing(words));
        }
        if !status.is_success() {
            return Err(refused(&url, status, response.headers(), now));
        }
        return read(response, url).await;
    }
    Err(SourceError::Permanent(format!("{} sends on in circles. Check the feed's address.", host(&url))))
}

async fn read(mut response: Response, url: Url) -> SourceResult<Answer> {
    let headers = response.headers().clone();
    let header = |name| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let mut bytes = Vec::new();
    loop {
        let chunk = match response.chunk().await {
            Ok(Some(chunk)) => chunk,
            Ok(None) => break,
            Err(error) if error.is_decode() => {
                let words = format!("What {} sends can't be unpacked.", host(&url));
                return Ok(Answer::Unreadable(Unreadable { why: "packed", words }));
            }
            Err(error) => return Err(words(&url, &error)),
        };
        if bytes.len() + chunk.len() > DOCUMENT_BYTES {
            let words = format!(
                "What {} sends is longer than {} MiB; that is no feed Meantime can read.",
                host(&url),
                DOCUMENT_BYTES >> 20
            );
            return Ok(Answer::Unreadable(Unreadable { why: "long", words }));
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(Answer::Document(Box::new(Document {
        bytes,
        content_type: header(CONTENT_TYPE),
        known: Known { etag: header(ETAG), last_modified: header(LAST_MODIFIED) },
        poll_after: max_age(&headers),
        url,
    })))
}

fn refused(url: &Url, status: StatusCode, headers: &HeaderMap, now: DateTime<Utc>) -> SourceError {
    let host = host(url);
    let after = retry_after(headers, now);
    match (status, after) {
        (StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE, after)
            if after.is_some() || status == 429 =>
        {
            SourceError::RateLimited {
                after: after.unwrap_or(meantime_source::DEFAULT_POLL),
                message: format!("{host} asks to be left alone for a while."),
            }
        }
        (StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN, _) => SourceError::Permanent(format!(
            "{host} does not show this feed to everybody ({}). Look for an address with access in it.",
            status.as_u16()
        )),
        _ if status.is_server_error() || status == StatusCode::REQUEST_TIMEOUT => {
            SourceError::Transient(format!("{host} has trouble right now ({}).", status.as_u16()))
        }
        _ => SourceError::Permanent(format!(
            "{host} refuses to show this feed ({}). Check its address.",
            status.as_u16()
        )),
    }
}

/// Seconds, or a date (RFC 9110, 10.2.3).
fn retry_after(headers: &HeaderMap, now: DateTime<Utc>) -> Option<Duration> {
    let value = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let wait = match value.parse::<u64>() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => {
            let until = DateTime::parse_from_rfc2822(value).ok()?.with_timezone(&Utc);
            (until - now).to_std().unwrap_or_default()
        }
    };
    Some(wait.min(LONGEST_WAIT))
}

fn max_age(headers: &HeaderMap) -> Option<Duration> {
    let value = headers.get(CACHE_CONTROL)?.to_str().ok()?;
    let seconds = value.split(',').find_map(|part| part.trim().strip_prefix("max-age=")?.parse::<u64>().ok())?;
    (seconds > 0).then(|| Duration::from_secs(seconds).min(LONGEST_WAIT))
}

fn words(url: &Url, error: &reqwest::Error) -> SourceError {
    let host = host(url);
    let mut cause: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(inner) = cause {
        if let Some(private) = inner.downcast_ref::<NotPublic>() {
            return address::not_public(&private.0);
        }
        if let Some(rustls::Error::InvalidCertificate(_)) = inner.downcast_ref::<rustls::Error>() {
            return certificate(&host);
        }
        // rustls hides in the I/O error, not behind its `source`.
        if let Some(io) = inner.downcast_ref::<std::io::Error>()
            && let Some(rustls::Error::InvalidCertificate(_)) = io.get_ref().and_then(|tls| tls.downcast_ref())
        {
            return certificate(&host);
        }
        cause = inner.source();
    }
    if error.is_timeout() {
        return SourceError::Transient(format!("{host} does not answer."));
    }
    if error.is_connect() {
        return SourceError::Transient(format!(
            "{host} can't be reached. Check the address and that this computer is online."
        ));
    }
    SourceError::Transient(format!("The connection to {host} broke off."))
}

fn certificate(host: &str) -> SourceError {
    SourceError::Certificate(format!(
        "The certificate of {host} isn't one this computer trusts. Whoever runs the site has to mend that."
    ))
}

/// As people know it; never the whole address, which may hold a secret.
fn host(url: &Url) -> String {
    url.host_str().unwrap_or("the server").to_owned()
}
