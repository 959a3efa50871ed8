//! Backups, and putting one back.
//!
//! A backup is a folder: the database as it was at one moment, the CA's key
//! (without which no app would trust the restored server), the settings, and
//! a list of what there is with each file's SHA-256. It is made beside its
//! final name and renamed when it is whole.
//!
//! Of a PostgreSQL database PostgreSQL's own tools make the backup.

use crate::backend::Backend;
use crate::data::{self, DataDir, make, new_epoch};
use crate::metrics::Metrics;
use crate::settings::Settings;
use anyhow::{Context as _, bail, ensure};
use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};
use meantime_server_core::Clock;
use meantime_server_sqlite::upkeep;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

const LIST: &str = "backup.json";
const DATABASE: &str = "server.db";
/// What else belongs to a server; a file that isn't there isn't in the backup.
const BESIDE: [&str; 2] = ["ca.key", "ca.pem"];
const SETTINGS: &str = "server.toml";
/// A backup's name is when it was made.
pub(crate) const NAME: &str = "%Y-%m-%dT%H%M%S%.3fZ";
/// Longest sleep between two looks at the clock.
const NAP: Duration = Duration::from_secs(5);
/// A failed one is tried again after this.
const AGAIN: TimeDelta = TimeDelta::minutes(10);

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
    sha256: String,
}

/// Makes a backup in a folder of its own in `into`; where it is. Blocks. The
/// server may be running.
///
/// # Errors
/// When something can't be read, written or is damaged; then there is no backup.
pub fn make_one(data: &DataDir, into: &Path, now: DateTime<Utc>) -> anyhow::Result<PathBuf> {
    make(into)?;
    let name = now.format(NAME).to_string();
    let (whole, part) = (into.join(&name), into.join(format!("{name}.part")));
    ensure!(!whole.exists(), "{} is there already", whole.display());
    if part.exists() {
        fs::remove_dir_all(&part).with_context(|| format!("{} is in the way", part.display()))?;
    }
    make(&part)?;
    let made = fill(data, &part, now).and_then(|()| Ok(fs::rename(&part, &whole)?));
    if made.is_err() {
        let _ = fs::remove_dir_all(&part);
    }
    made.with_context(|| format!("there is no backup in {}", into.display()))?;
    Ok(whole)
}

/// Removes all but the newest `keep` backups; how many went.
///
/// # Errors
/// When the folder can't be read or a backup can't be removed.
pub fn prune(folder: &Path, keep: usize) -> anyhow::Result<usize> {
    let mut all = backups(folder)?;
    all.sort_by_key(|(at, _)| std::cmp::Reverse(*at));
    let old = all.into_iter().skip(keep);
    let mut gone = 0;
    for (_, path) in old {
        fs::remove_dir_all(&path).with_context(|| format!("{} can't be removed", path.display()))?;
        gone += 1;
    }
    Ok(gone)
}

/// Puts a backup back into a data folder whose server is not running, as
/// another life of the data. What was there before is moved aside, into the
/// folder that is answered, if there was anything.
///
/// # Errors
/// When the backup is not whole, or something can't be moved or written.
pub fn restore(data: &DataDir, from: &Path, now: DateTime<Utc>) -> anyhow::Result<(List, Option<PathBuf>)> {
    let list = verified(from)?;
    data.make()?;
    let _lock = data.lock()?;
    // Everything is prepared beside: what fails, fails before anything was touched.
    let fresh = data.file("restore.part");
    if fresh.exists() {
        fs::remove_dir_all(&fresh)?;
    }
    make(&fresh)?;
    for Entry { name, .. } in &list.files {
        copy(&from.join(name), &fresh.join(name))?;
    }
    upkeep::begin_life(&fresh.join(DATABASE), new_epoch()?)?;
    let aside = data.file(&format!("before-restore-{}", now.format(NAME)));
    let mut moved = false;
    let logs = ["server.db-wal", "server.db-shm"];
    for name in [DATABASE, SETTINGS].into_iter().chain(logs).chain(BESIDE) {
        let path = data.file(name);
        if path.exists() {
            make(&aside)?;
            fs::rename(&path, aside.join(name)).with_context(|| format!("{} can't be moved", path.display()))?;
            moved = true;
        }
    }
    for Entry { name, .. } in &list.files {
        fs::rename(fresh.join(name), data.file(name)).with_context(|| format!("{name} can't be put in place"))?;
    }
    fs::remove_dir_all(&fresh)?;
    Ok((list, moved.then_some(aside)))
}

/// The work of making backups while the server runs, if the settings want them.
pub fn scheduled(
    data: &DataDir,
    settings: &Settings,
    backend: &Backend,
    metrics: &Arc<Metrics>,
    clock: Arc<dyn Clock>,
    stop: &CancellationToken,
) -> Option<impl Future<Output = ()> + Send + 'static> {
    let every = TimeDelta::hours(i64::try_from(settings.backup.every_hours).ok()?);
    if every.is_zero() || !matches!(backend, Backend::Sqlite(_)) {
        return None;
    }
    let (data, folder, keep) = (data.clone(), settings.backup.folder.clone(), settings.backup.keep);
    let (metrics, stop) = (Arc::clone(metrics), stop.clone());
    Some(async move {
        let mut not_before = None;
        loop {
            let now = clock.now();
            let last = backups(&folder).ok().and_then(|all| all.into_iter().map(|(at, _)| at).max());
            metrics.backup_at.set(last.map_or(0, |at| at.timestamp()));
            // One of the future was made by a clock that was wrong.
            let fresh = last.is_some_and(|at| at <= now && now - at < every);
            if !fresh && not_before.is_none_or(|at| at <= now) {
                let (data, folder) = (data.clone(), folder.clone());
                let work = move || -> anyhow::Result<PathBuf> {
                    let made = make_one(&data, &folder, now)?;
                    prune(&folder, keep)?;
                    Ok(made)
                };
                match tokio::task::spawn_blocking(work).await.map_err(Into::into).flatten() {
                    Ok(made) => {
                        metrics.backup_at.set(now.timestamp());
                        tracing::info!(backup = %made.display(), "a backup was made");
                    }
                    Err(error) => {
                        not_before = Some(now + AGAIN);
                        metrics.backups_failed.inc();
                        tracing::error!("no backup was made: {error:#}");
                    }
                }
            }
            tokio::select! {
                () = tokio::time::sleep(NAP) => {}
                () = stop.cancelled() => return,
            }
        }
    })
}

/// The whole backups in a folder, and when each was made.
fn backups(folder: &Path) -> anyhow::Result<Vec<(DateTime<Utc>, PathBuf)>> {
    let mut all = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| format!("{} can't be read", folder.display()))? {
        let entry = entry?;
        if let Ok(at) = NaiveDateTime::parse_from_str(&entry.file_name().to_string_lossy(), NAME) {
            all.push((at.and_utc(), entry.path()));
        }
    }
    Ok(all)
}

fn fill(data: &DataDir, part: &Path, now: DateTime<Utc>) -> anyhow::Result<()> {
    upkeep::copy(&data.database(), &part.join(DATABASE))?;
    let mut names = vec![DATABASE.to_owned()];
    for name in BESIDE {
        if data.file(name).exists() {
            copy(&data.file(name), &part.join(name))?;
            names.push(name.to_owned());
        }
    }
    copy(data.settings_file(), &part.join(SETTINGS))?;
    names.push(SETTINGS.to_owned());
    let entries = names.into_iter().map(|name| {
        let (bytes, sha256) = digest(&part.join(&name))?;
        Ok(Entry { name, bytes, sha256 })
    });
    let files = entries.collect::<anyhow::Result<Vec<_>>>()?;
    let server = env!("CARGO_PKG_VERSION").to_owned();
    let list = List { meantime_backup: 1, made_at: now, server, files };
    data::write(&part.join(LIST), &serde_json::to_vec_pretty(&list)?)
}

fn verified(from: &Path) -> anyhow::Result<List> {
    let path = from.join(LIST);
    let text = fs::read(&path).with_context(|| format!("{} is no backup: {LIST} can't be read", from.display()))?;
    let list: List = serde_json::from_slice(&text).with_context(|| format!("{} is not of its form", path.display()))?;
    ensure!(list.meantime_backup == 1, "this backup was made by a newer meantime-server; restore it with that one");
    ensure!(list.files.iter().any(|file| file.name == DATABASE), "{} has no database", from.display());
    for Entry { name, bytes, sha256 } in &list.files {
        let known = BESIDE.contains(&name.as_str()) || name == DATABASE || name == SETTINGS;
        ensure!(known, "{name} does not belong into a backup");
        let (found, hash) = digest(&from.join(name))?;
        if (found, &hash) != (*bytes, sha256) {
            bail!("{name} in {} is not as it was written; take another backup", from.display());
        }
    }
    Ok(list)
}

fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    let copied = || {
        let mut target = data::private(to, true)?;
        std::io::copy(&mut File::open(from)?, &mut target)?;
        target.sync_all()
    };
    copied().with_context(|| format!("{} can't be copied to {}", from.display(), to.display()))
}

fn digest(path: &Path) -> anyhow::Result<(u64, String)> {
    let read = || -> std::io::Result<(u64, Sha256)> {
        let (mut file, mut hash, mut length) = (File::open(path)?, Sha256::new(), 0);
        let mut buffer = vec![0; 1 << 16];
        loop {
            let count = file.read(&mut buffer)?;
            let Some(bytes) = buffer.get(..count).filter(|bytes| !bytes.is_empty()) else { return Ok((length, hash)) };
            hash.update(bytes);
            length += count as u64;
        }
    };
    let (length, hash) = read().with_context(|| format!("{} can't be read", path.display()))?;
    Ok((length, hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()))
}
