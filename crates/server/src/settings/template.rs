//! What `init` writes: every setting with its default and what it is for.

use super::values::StorageKind;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

const TEXT: &str = include_str!("server.toml");

/// What differs between new servers; the rest has its default.
#[derive(Clone, Debug)]
pub struct Beginning {
    /// The data folder, absolute or relative to the settings file.
    pub data: PathBuf,
    /// Names and addresses.
    pub hosts: Vec<String>,
    /// Where to listen.
    pub listen: SocketAddr,
    /// What keeps the data.
    pub storage: StorageKind,
    /// For PostgreSQL: where its URL stands.
    pub url_file: Option<PathBuf>,
    /// For PostgreSQL: where the URL of the tables' owner stands, if that is another.
    pub owner_url_file: Option<PathBuf>,
    /// Where monitoring reads, if at all.
    pub metrics: Option<SocketAddr>,
}

impl Default for Beginning {
    fn default() -> Self {
        Self {
            data: PathBuf::from("."),
            hosts: Vec::new(),
            listen: SocketAddr::from((Ipv4Addr::UNSPECIFIED, crate::data::PORT)),
            storage: StorageKind::Sqlite,
            url_file: None,
            owner_url_file: None,
            metrics: None,
        }
    }
}

impl Beginning {
    /// The settings file's text.
    #[must_use]
    pub fn text(&self) -> String {
        let hosts: Vec<String> = self.hosts.iter().map(|host| format!("\"{}\"", escaped(host))).collect();
        let path = |path: &PathBuf| escaped(&path.to_string_lossy());
        TEXT.replace("{data}", &path(&self.data))
            .replace("{hosts}", &format!("[{}]", hosts.join(", ")))
            .replace("{listen}", &self.listen.to_string())
            .replace("{storage}", self.storage.name())
            .replace("{url_file}", &self.url_file.as_ref().map(path).unwrap_or_default())
            .replace("{owner_url_file}", &self.owner_url_file.as_ref().map(path).unwrap_or_default())
            .replace("{metrics}", &self.metrics.map(|at| at.to_string()).unwrap_or_default())
    }
}

/// As it may stand between quotation marks in TOML.
pub(super) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if c.is_control() => out.push_str(&format!("\\u{:04X}", u32::from(c))),
            c => out.push(c),
        }
    }
    out
}
