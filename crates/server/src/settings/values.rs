//! Each setting with its default.

use super::Attachments;
use crate::data::PORT;
use ipnet::IpNet;
use serde::{Deserialize, Deserializer};
use std::fmt::Display;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;

/// All settings of a server.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// The folder with the database, the keys and the backups.
    pub data: PathBuf,
    /// Names and addresses the server is reached by; the first stands in invites.
    pub hosts: Vec<String>,
    /// Where it listens.
    pub listen: SocketAddr,
    /// `HOST:PORT` in invites, when it is another one.
    #[serde(deserialize_with = "optional")]
    pub invite_address: Option<String>,
    /// What keeps the data.
    pub storage: Storage,
    /// Files that go with messages.
    pub attachments: Attachments,
    /// How several processes tell each other what moved.
    pub pokes: Pokes,
    /// Where the certificate comes from.
    pub tls: Tls,
    /// How much at once.
    pub limits: Limits,
    /// Backups made by the running server.
    pub backup: Backup,
    /// What is logged, and how.
    pub logging: Logging,
    /// For monitoring.
    pub metrics: Metrics,
}

/// What keeps the data.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Storage {
    /// Which backend.
    pub kind: StorageKind,
    /// PostgreSQL: the file with its URL.
    #[serde(deserialize_with = "optional")]
    pub url_file: Option<PathBuf>,
    /// PostgreSQL: the file with the URL of who owns the tables, if somebody else does.
    #[serde(deserialize_with = "optional")]
    pub owner_url_file: Option<PathBuf>,
    /// PostgreSQL: the CA of its certificate, if the system has no trust in it.
    #[serde(deserialize_with = "optional")]
    pub ca: Option<PathBuf>,
    /// PostgreSQL: connections at most.
    pub connections: usize,
}

/// A backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StorageKind {
    /// One file.
    Sqlite,
    /// A PostgreSQL database.
    Postgres,
}

/// How several processes on one PostgreSQL tell each other what moved.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Pokes {
    /// Which way.
    pub kind: PokesKind,
    /// Milliseconds between two looks.
    pub poll_ms: u64,
    /// NATS: the file with its URL.
    #[serde(deserialize_with = "optional")]
    pub url_file: Option<PathBuf>,
    /// NATS: the CA of its certificate, if the system has no trust in it.
    #[serde(deserialize_with = "optional")]
    pub ca: Option<PathBuf>,
}

/// A way of poking.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PokesKind {
    /// Looking at the counters.
    Poll,
    /// Over NATS.
    Nats,
}

/// Where the certificate comes from.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Tls {
    /// Which way.
    pub kind: TlsKind,
    /// Files: the chain.
    #[serde(deserialize_with = "optional")]
    pub certificate: Option<PathBuf>,
    /// Files: the key.
    #[serde(deserialize_with = "optional")]
    pub key: Option<PathBuf>,
    /// Files: the CA to pin.
    #[serde(deserialize_with = "optional")]
    pub ca: Option<PathBuf>,
    /// ACME: the service.
    pub acme_directory: String,
    /// ACME: an address for it to write to.
    #[serde(deserialize_with = "optional")]
    pub acme_contact: Option<String>,
    /// ACME: the service's own CA.
    #[serde(deserialize_with = "optional")]
    pub acme_ca: Option<PathBuf>,
}

/// A source of certificates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TlsKind {
    /// This server's own CA.
    OwnCa,
    /// Files that somebody else renews.
    Files,
    /// An ACME service.
    Acme,
}

/// How much at once.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Requests worked on.
    pub requests: usize,
    /// Open live streams.
    pub streams: usize,
    /// Live streams opened in a second.
    pub streams_per_second: u32,
    /// Connections from one address.
    pub connections_per_address: usize,
    /// Addresses with any number of connections.
    pub exempt: Vec<IpAddr>,
    /// Proxies that are believed whom they ask for, as networks or addresses.
    #[serde(deserialize_with = "networks")]
    pub trusted_proxies: Vec<IpNet>,
    /// The header in which they say it.
    pub proxy_header: ProxyHeader,
    /// A client that takes nothing for so long is dropped.
    pub stall_seconds: u64,
    /// Longest time a client is told to stay away.
    pub retry_seconds: u32,
}

/// The header in which a proxy says whom it asks for. One of them: what the
/// proxy doesn't write itself it passes on from whoever asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProxyHeader {
    /// `X-Forwarded-For`.
    XForwardedFor,
    /// `Forwarded` (RFC 7239).
    Forwarded,
}

/// Backups made by the running server.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Backup {
    /// Hours between two; 0: none.
    pub every_hours: u64,
    /// How many are kept.
    pub keep: usize,
    /// Where; relative to the data folder.
    pub folder: PathBuf,
}

/// What is logged, and how.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Logging {
    /// How a line looks.
    pub format: Format,
    /// How much is said.
    pub level: Level,
}

/// How a line looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// For people.
    Text,
    /// One JSON object each.
    Json,
}

/// How much is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum Level {
    Error,
    Warn,
    Info,
    Debug,
    Trace,
}

/// For monitoring.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Metrics {
    /// Where `/metrics` is read, without TLS.
    #[serde(deserialize_with = "optional")]
    pub listen: Option<SocketAddr>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            data: PathBuf::from("."),
            hosts: Vec::new(),
            listen: SocketAddr::from((Ipv4Addr::UNSPECIFIED, PORT)),
            invite_address: None,
            storage: Storage::default(),
            attachments: Attachments::default(),
            pokes: Pokes::default(),
            tls: Tls::default(),
            limits: Limits::default(),
            backup: Backup::default(),
            logging: Logging::default(),
            metrics: Metrics::default(),
        }
    }
}

impl Default for Storage {
    fn default() -> Self {
        Self { kind: StorageKind::Sqlite, url_file: None, owner_url_file: None, ca: None, connections: 16 }
    }
}

impl Default for Pokes {
    fn default() -> Self {
        Self { kind: PokesKind::Poll, poll_ms: 500, url_file: None, ca: None }
    }
}

impl Default for Tls {
    fn default() -> Self {
        Self {
            kind: TlsKind::OwnCa,
            certificate: None,
            key: None,
            ca: None,
            acme_directory: "https://acme-v02.api.letsencrypt.org/directory".to_owned(),
            acme_contact: None,
            acme_ca: None,
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            requests: 1024,
            streams: 20_000,
            streams_per_second: 250,
            connections_per_address: 1000,
            exempt: vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()],
            trusted_proxies: Vec::new(),
            proxy_header: ProxyHeader::XForwardedFor,
            stall_seconds: 30,
            retry_seconds: 10,
        }
    }
}

impl Default for Backup {
    fn default() -> Self {
        Self { every_hours: 24, keep: 7, folder: PathBuf::from("backups") }
    }
}

impl Default for Logging {
    fn default() -> Self {
        Self { format: Format::Text, level: Level::Info }
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self { listen: Some(SocketAddr::from((Ipv4Addr::LOCALHOST, 9464))) }
    }
}

impl StorageKind {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "sqlite",
            Self::Postgres => "postgres",
        }
    }
}

impl Level {
    /// As `tracing` calls it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }
}

/// A text that may be empty, which says that there is none.
pub(super) fn optional<'de, D, T>(from: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: FromStr<Err: Display>,
{
    let text = String::deserialize(from)?;
    if text.is_empty() {
        return Ok(None);
    }
    text.parse().map(Some).map_err(serde::de::Error::custom)
}

/// Networks, where an address is one of itself.
fn networks<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<IpNet>, D::Error> {
    let network = |text: String| {
        let one = || text.parse::<IpAddr>().map(IpNet::from);
        let wrong = || serde::de::Error::custom(format!("`{text}` is no network (10.0.0.0/8) and no address"));
        text.parse().or_else(|_| one()).map_err(|_| wrong())
    };
    Vec::<String>::deserialize(from)?.into_iter().map(network).collect()
}
