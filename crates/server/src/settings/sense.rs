//! What settings mean together: where paths lie, and what can't be though
//! each value by itself could.

use super::{Fault, Limits, PokesKind, Settings, Storage, StorageKind, Tls, TlsKind};
use std::net::IpAddr;
use std::path::{Path, PathBuf};

impl Settings {
    /// Makes paths absolute.
    pub(super) fn relative_to(&mut self, folder: &Path) {
        let Self { data, storage, attachments, pokes, tls, backup, .. } = self;
        *data = folder.join(&data).components().collect();
        backup.folder = data.join(&backup.folder);
        attachments.relative_to(data, folder);
        let Tls { certificate, key, ca, acme_ca, .. } = tls;
        let Storage { url_file, owner_url_file, ca: storage_ca, .. } = storage;
        let files = [url_file, owner_url_file, storage_ca, &mut pokes.url_file, &mut pokes.ca, certificate, key, ca];
        for path in files.into_iter().chain([acme_ca]).flatten() {
            *path = folder.join(&path);
        }
    }

    /// Where secrets lie may be said by the environment: that is how
    /// containers and service managers hand them over.
    pub(super) fn heed_environment(&mut self) {
        let named = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        if let Some(path) = named("MEANTIME_POSTGRES_URL_FILE") {
            self.storage.url_file = Some(path);
        }
        if let Some(path) = named("MEANTIME_S3_KEY_FILE") {
            self.attachments.key_file = Some(path);
        }
        if let Some(path) = named("MEANTIME_NATS_URL_FILE") {
            self.pokes.url_file = Some(path);
        }
    }

    /// What can't be, though each value by itself could.
    pub(super) fn faults(&self, text: &str) -> Vec<Fault> {
        let mut faults = Vec::new();
        let mut wrong = |section: &str, key: &str, message: &str| {
            faults.push(Fault::at(text, section, key, format!("{key}: {message}")));
        };
        let bare = |host: &String| host.parse::<IpAddr>();
        let odd = |host: &String| {
            let plain = host.chars().all(|c| c.is_alphanumeric() || matches!(c, '.' | '-'));
            bare(host).is_err() && (host.is_empty() || !plain)
        };
        if self.hosts.iter().any(odd) {
            wrong("", "hosts", "a host is a name or an address, without a port");
        }
        let host_port =
            |text: &String| text.rsplit_once(':').is_some_and(|(h, p)| !h.is_empty() && p.parse::<u16>().is_ok());
        if !self.invite_address.as_ref().is_none_or(host_port) {
            wrong("", "invite_address", "is written HOST:PORT");
        }
        let from_environment = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        if self.storage.kind == StorageKind::Postgres
            && self.storage.url_file.is_none()
            && !from_environment("MEANTIME_POSTGRES_URL_FILE")
        {
            wrong("storage", "kind", "postgres needs url_file, a file that holds postgres://…");
        }
        if self.pokes.kind == PokesKind::Nats
            && self.pokes.url_file.is_none()
            && !from_environment("MEANTIME_NATS_URL_FILE")
        {
            wrong("pokes", "kind", "nats needs url_file, a file that holds nats://…");
        }
        for (key, message) in self.attachments.faults(from_environment("MEANTIME_S3_KEY_FILE")) {
            wrong("attachments", key, message);
        }
        match self.tls.kind {
            TlsKind::OwnCa => {}
            TlsKind::Files => {
                if self.tls.certificate.is_none() {
                    wrong("tls", "kind", "files needs certificate, a PEM file");
                } else if self.tls.key.is_none() {
                    wrong("tls", "kind", "files needs key, a PEM file");
                }
            }
            TlsKind::Acme if self.hosts.is_empty() => wrong("tls", "kind", "acme needs hosts to ask for"),
            TlsKind::Acme if self.hosts.iter().any(|host| bare(host).is_ok()) => {
                wrong("", "hosts", "with tls.kind = \"acme\" a host is a name, not an address");
            }
            TlsKind::Acme => {}
        }
        if self.tls.acme_contact.as_ref().is_some_and(|contact| !contact.starts_with("mailto:")) {
            wrong("tls", "acme_contact", "begins with mailto:");
        }
        let Limits { requests, streams, connections_per_address, stall_seconds, retry_seconds, .. } = &self.limits;
        let streams_per_second = self.limits.streams_per_second;
        for (section, key, value) in [
            ("storage", "connections", self.storage.connections as u64),
            ("pokes", "poll_ms", self.pokes.poll_ms),
            ("limits", "requests", *requests as u64),
            ("limits", "streams", *streams as u64),
            ("limits", "streams_per_second", u64::from(streams_per_second)),
            ("limits", "connections_per_address", *connections_per_address as u64),
            ("limits", "stall_seconds", *stall_seconds),
            ("limits", "retry_seconds", u64::from(*retry_seconds)),
            ("backup", "keep", self.backup.keep as u64),
        ] {
            if value == 0 {
                wrong(section, key, "is at least 1");
            } else if value > MOST {
                wrong(section, key, "is at most 100000000");
            }
        }
        if self.backup.every_hours > 24 * 365 {
            wrong("backup", "every_hours", "is at most a year, 8760");
        }
        faults
    }
}

/// More than any of them can mean, and few enough for every counter.
const MOST: u64 = 100_000_000;
