//! What a backup says about itself, and whether it is still so.

use crate::{data, seal};
use anyhow::{Context as _, anyhow, bail, ensure};
use chrono::{DateTime, Utc};
use meantime_protocol::Sha256;
use serde::{Deserialize, Serialize};
use sha2::Digest as _;
use std::fs::{self, File};
use std::io::{ErrorKind, Read as _};
use std::path::Path;

const LIST: &str = "backup.json";
/// The database, where it is SQLite's.
pub(super) const DATABASE: &str = "server.db";
/// The database, where it is PostgreSQL's.
pub(super) const DUMP: &str = "server.dump";
/// What else belongs to a server; a file that isn't there isn't in the backup.
pub(super) const BESIDE: [&str; 3] = ["ca.key", "ca.pem", seal::FILE];
pub(super) const SETTINGS: &str = "server.toml";
/// Which attachments belong to it; not there if they did not go along.
pub(super) const ATTACHED: &str = "attachments.jsonl";
/// Since 2 a backup may have attachments and a dump of PostgreSQL, since 3 the
/// key of what is sealed in it.
const VERSION: u32 = 3;

/// What is in a backup.
#[derive(Debug, Serialize, Deserialize)]
pub struct List {
    /// Version of this list.
    meantime_backup: u32,
    /// When.
    pub made_at: DateTime<Utc>,
    /// By which version of the server.
    pub server: String,
    /// Each file.
    pub files: Vec<Entry>,
}

/// A file of a backup.
#[derive(Debug, Serialize, Deserialize)]
pub struct Entry {
    /// Its name.
    pub name: String,
    /// Its length.
    pub bytes: u64,
    /// Its SHA-256, in hexadecimal digits.
    sha256: Sha256,
}

impl List {
    /// Of files that lie in a folder.
    pub(super) fn of(folder: &Path, names: &[&str], made_at: DateTime<Utc>) -> anyhow::Result<Self> {
        let entry = |name: &&str| {
            let (bytes, sha256) = digest(&folder.join(name))?;
            Ok(Entry { name: (*name).to_owned(), bytes, sha256 })
        };
        let files = names.iter().map(entry).collect::<anyhow::Result<Vec<_>>>()?;
        let server = env!("CARGO_PKG_VERSION").to_owned();
        Ok(Self { meantime_backup: VERSION, made_at, server, files })
    }

    pub(super) fn write(&self, folder: &Path) -> anyhow::Result<()> {
        data::write(&folder.join(LIST), &serde_json::to_vec_pretty(self)?)
    }

    /// Of a backup whose files are as they were written.
    pub(super) fn verified(from: &Path) -> anyhow::Result<Self> {
        let path = from.join(LIST);
        let text = fs::read(&path).map_err(|e| match e.kind() {
            ErrorKind::NotFound => anyhow!("{} is no backup: there is no {LIST} in it", from.display()),
            ErrorKind::PermissionDenied => {
                anyhow!("{}: {e}; the backup has to be the user's that this runs as (chown -R)", path.display())
            }
            _ => anyhow!("{} can't be read: {e}", path.display()),
        })?;
        let list: Self =
            serde_json::from_slice(&text).with_context(|| format!("{} is not of its form", path.display()))?;
        ensure!(
            (1..=VERSION).contains(&list.meantime_backup),
            "this backup was made by a newer meantime-server; restore it with that one"
        );
        ensure!(list.has(DATABASE) != list.has(DUMP), "{} has no database", from.display());
        ensure!(list.has(SETTINGS), "{} has no settings", from.display());
        for Entry { name, bytes, sha256 } in &list.files {
            let known = [DATABASE, DUMP, SETTINGS, ATTACHED].into_iter().chain(BESIDE).any(|known| known == name);
            ensure!(known, "{name} does not belong into a backup");
            if digest(&from.join(name))? != (*bytes, *sha256) {
                bail!("{name} in {} is not as it was written; take another backup", from.display());
            }
        }
        Ok(list)
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.files.iter().any(|file| file.name == name)
    }
}

/// Copies a file for its owner only, onto the disk.
pub(super) fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    let copied = || {
        let mut target = data::private(to, true)?;
        std::io::copy(&mut File::open(from)?, &mut target)?;
        target.sync_all()
    };
    copied().with_context(|| format!("{} can't be copied to {}", from.display(), to.display()))
}

fn digest(path: &Path) -> anyhow::Result<(u64, Sha256)> {
    let read = || -> std::io::Result<(u64, sha2::Sha256)> {
        let (mut file, mut hash, mut length) = (File::open(path)?, sha2::Sha256::new(), 0);
        let mut buffer = vec![0; 1 << 16];
        loop {
            let count = file.read(&mut buffer)?;
            let Some(bytes) = buffer.get(..count).filter(|bytes| !bytes.is_empty()) else { return Ok((length, hash)) };
            hash.update(bytes);
            length += count as u64;
        }
    };
    let (length, hash) = read().with_context(|| format!("{} can't be read", path.display()))?;
    Ok((length, Sha256(hash.finalize().into())))
}
