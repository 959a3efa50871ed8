//! Where the bytes of attachments are kept, and how many.

use super::values::optional;
use serde::Deserialize;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

/// Attachments of messages.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Attachments {
    /// What keeps their bytes.
    pub kind: AttachmentsKind,
    /// Folder: where; relative to the data folder.
    pub folder: PathBuf,
    /// S3: `https://HOST[:PORT]`.
    pub endpoint: String,
    /// S3: the region.
    pub region: String,
    /// S3: the bucket.
    pub bucket: String,
    /// S3: the file with the key's id and its secret, a line each.
    #[serde(deserialize_with = "optional")]
    pub key_file: Option<PathBuf>,
    /// S3: the store's own CA.
    #[serde(deserialize_with = "optional")]
    pub ca: Option<PathBuf>,
    /// MiB of one at most.
    pub largest_mib: u64,
    /// GiB of a team's at most.
    pub team_gib: u64,
    /// Unfinished uploads of a device at most.
    pub unfinished: usize,
    /// Hours after which an upload that doesn't go on is forgotten.
    pub unfinished_hours: u64,
    /// Days after which what no message refers to is removed.
    pub unreferenced_days: u64,
}

/// What keeps the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AttachmentsKind {
    /// Files in a folder.
    Folder,
    /// An S3-compatible store.
    S3,
}

impl Default for Attachments {
    fn default() -> Self {
        Self {
            kind: AttachmentsKind::Folder,
            folder: PathBuf::from("attachments"),
            endpoint: String::new(),
            region: "us-east-1".to_owned(),
            bucket: String::new(),
            key_file: None,
            ca: None,
            largest_mib: 25,
            team_gib: 10,
            unfinished: 8,
            unfinished_hours: 24,
            unreferenced_days: 7,
        }
    }
}

impl Attachments {
    /// Whether their bytes are files of this machine, or of one it shares a folder with.
    #[must_use]
    pub fn in_a_folder(&self) -> bool {
        self.kind == AttachmentsKind::Folder
    }

    /// Makes paths absolute.
    pub(super) fn relative_to(&mut self, data: &Path, settings: &Path) {
        self.folder = data.join(&self.folder);
        for path in [&mut self.key_file, &mut self.ca].into_iter().flatten() {
            *path = settings.join(&path);
        }
    }

    /// Each key that can't be as it is, and why.
    pub(super) fn faults(&self, key_from_environment: bool) -> Vec<(&'static str, &'static str)> {
        let mut faults = Vec::new();
        if self.kind == AttachmentsKind::S3 {
            if !is_secure(&self.endpoint) {
                faults.push(("endpoint", "is written https://HOST[:PORT]; without TLS only on this machine"));
            }
            if self.bucket.is_empty() {
                faults.push(("bucket", "kind s3 needs the name of a bucket"));
            }
            if self.key_file.is_none() && !key_from_environment {
                faults.push(("key_file", "kind s3 needs a file with two lines: the key's id, and its secret"));
            }
        }
        for (key, value, most, words) in [
            ("largest_mib", self.largest_mib, 1024, "is 1 to 1024"),
            ("team_gib", self.team_gib, 1_000_000, "is 1 to 1000000"),
            ("unfinished", self.unfinished as u64, 1000, "is 1 to 1000"),
            ("unfinished_hours", self.unfinished_hours, 24 * 30, "is 1 to 720"),
            ("unreferenced_days", self.unreferenced_days, 3650, "is 1 to 3650"),
        ] {
            if !(1..=most).contains(&value) {
                faults.push((key, words));
            }
        }
        faults
    }
}

/// The store's key goes over TLS, or stays on this machine.
fn is_secure(endpoint: &str) -> bool {
    let Ok(url) = endpoint.parse::<axum::http::Uri>() else { return false };
    let host = url.host().unwrap_or_default().trim_matches(['[', ']']);
    let local = host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
    let bare = matches!(url.path_and_query().map(|p| p.as_str()), None | Some("/"));
    bare && !host.is_empty() && matches!((url.scheme_str(), local), (Some("https"), _) | (Some("http"), true))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_goes_nowhere_in_the_clear() {
        for good in ["https://s3.example.org", "https://s3.example.org:9000/", "http://127.0.0.1:3900", "http://[::1]"]
        {
            assert!(is_secure(good), "{good}");
        }
        for bad in ["", "s3.example.org", "http://s3.example.org", "https://", "https://a/b", "ftp://localhost"] {
            assert!(!is_secure(bad), "{bad}");
        }
    }
}
