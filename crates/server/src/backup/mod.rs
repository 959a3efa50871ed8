//! Backups: the server's data as it was at one moment, in a folder.
//!
//! A backup is a folder named by when it was made: the database (`server.db`,
//! or of PostgreSQL `server.dump`), the CA's key (without which no app would
//! trust the restored server), that of what is sealed in the database, the
//! settings, which attachments belong to it, and a list of these files with
//! each one's SHA-256. It is made beside its
//! final name and renamed when it is whole.
//!
//! The bytes of attachments lie beside the backups, in [`STORE`], once for all
//! of them: they never change, so each backup adds what is new. They are
//! copied after the database; whatever it refers to was whole by then.

mod attached;
mod list;
mod postgres;
mod restore;
mod schedule;

pub use attached::Attached;
pub use list::{Entry, List};
pub use restore::{How, Restored, restore};
pub use schedule::scheduled;

use crate::data::{self, DataDir, make};
use crate::settings::{Settings, StorageKind};
use anyhow::{Context as _, ensure};
use chrono::{DateTime, NaiveDateTime, Utc};
use list::{ATTACHED, BESIDE, DATABASE, DUMP, SETTINGS};
use meantime_server_blobs::{Blobs, disk};
use meantime_server_core::{Core, Shared};
use meantime_server_sqlite::upkeep;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

/// Where, beside the backups, the bytes of their attachments lie.
pub const STORE: &str = "attachments";
/// A backup's name is when it was made.
pub(crate) const NAME: &str = "%Y-%m-%dT%H%M%S%.3fZ";
/// And this behind it, until it is whole.
const PART: &str = ".part";
/// Whoever makes or removes backups in a folder holds this file in it.
const LOCK: &str = "backups.lock";

/// What a backup is made of; the server may be running.
#[derive(Clone, Copy)]
pub struct Source<'a> {
    /// Its folder.
    pub data: &'a DataDir,
    /// Its settings.
    pub settings: &'a Settings,
    /// The rules on its database.
    pub core: &'a Core<Shared>,
    /// The bytes of its attachments, if they shall go along.
    pub attachments: Option<&'a Blobs>,
}

/// A backup that was made.
#[derive(Debug)]
pub struct Made {
    /// Where it is.
    pub path: PathBuf,
    /// What became of the attachments, if they went along.
    pub attachments: Option<Attached>,
}

/// Makes a backup in a folder of its own in `into`.
///
/// # Errors
/// When something can't be read, written or is damaged; then there is no
/// backup. An attachment whose bytes are missing is no error: it is counted
/// and logged.
pub async fn make_one(from: Source<'_>, into: &Path, now: DateTime<Utc>) -> anyhow::Result<Made> {
    make(into)?;
    let _alone = alone(into).await?;
    let name = now.format(NAME).to_string();
    let (whole, part) = (into.join(&name), into.join(format!("{name}{PART}")));
    ensure!(!whole.exists(), "{} is there already", whole.display());
    // Nobody else makes one now, so these were left by one that was ended.
    for left in parts(into)? {
        fs::remove_dir_all(&left).with_context(|| format!("{} is in the way", left.display()))?;
    }
    make(&part)?;
    let made = async {
        let attachments = fill(from, &part, &into.join(STORE), now).await?;
        // Only then is it as good as the older ones, which may be removed next.
        fs::rename(&part, &whole)?;
        disk::sync_folder(into)?;
        anyhow::Ok(attachments)
    };
    let made = made.await;
    if made.is_err() {
        let _ = fs::remove_dir_all(&part);
    }
    let attachments = made.with_context(|| format!("there is no backup in {}", into.display()))?;
    Ok(Made { path: whole, attachments })
}

/// Removes all but the newest `keep` backups, first those that were made later
/// than `now`, and the bytes of attachments that none of the others has; how
/// many backups went.
///
/// # Errors
/// When the folder can't be read or a backup can't be removed.
pub async fn prune(folder: &Path, keep: usize, now: DateTime<Utc>) -> anyhow::Result<usize> {
    let _alone = alone(folder).await?;
    let mut all = backups(folder)?;
    // Those of the future go first: else what a clock set back makes would be
    // gone at once, or one of a clock set forward would outlive all others.
    all.sort_by_key(|(at, _)| (*at > now, std::cmp::Reverse(*at)));
    let mut gone = 0;
    for (_, path) in all.iter().skip(keep) {
        fs::remove_dir_all(path).with_context(|| format!("{} can't be removed", path.display()))?;
        gone += 1;
    }
    if gone > 0 {
        let kept: Vec<&Path> = all.iter().take(keep).map(|(_, path)| path.as_path()).collect();
        attached::prune(&folder.join(STORE), &kept).await?;
    }
    Ok(gone)
}

/// The whole backups in a folder, and when each was made.
fn backups(folder: &Path) -> anyhow::Result<Vec<(DateTime<Utc>, PathBuf)>> {
    let named = |name: &str| Some(NaiveDateTime::parse_from_str(name, NAME).ok()?.and_utc());
    entries(folder, named)
}

/// What was left of backups that never became whole.
fn parts(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let named = |name: &str| NaiveDateTime::parse_from_str(name.strip_suffix(PART)?, NAME).ok();
    Ok(entries(folder, named)?.into_iter().map(|(_, path)| path).collect())
}

fn entries<T>(folder: &Path, named: impl Fn(&str) -> Option<T>) -> anyhow::Result<Vec<(T, PathBuf)>> {
    let mut all = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| format!("{} can't be read", folder.display()))? {
        let entry = entry?;
        if let Some(of) = named(&entry.file_name().to_string_lossy()) {
            all.push((of, entry.path()));
        }
    }
    Ok(all)
}

/// Waits until nobody else makes or removes backups in a folder; until the
/// file is dropped.
async fn alone(folder: &Path) -> anyhow::Result<File> {
    let path = folder.join(LOCK);
    let lock = move || {
        let file = data::private(&path, false)?;
        file.lock().map(|()| file)
    };
    let locked = tokio::task::spawn_blocking(lock).await?;
    locked.with_context(|| {
        format!("nothing can be written into {}; it has to be a folder of the user that this runs as", folder.display())
    })
}

async fn fill(
    Source { data, settings, core, attachments }: Source<'_>,
    part: &Path,
    store: &Path,
    now: DateTime<Utc>,
) -> anyhow::Result<Option<Attached>> {
    let mut names = Vec::new();
    match settings.storage.kind {
        StorageKind::Sqlite => {
            let (from, to) = (data.database(), part.join(DATABASE));
            tokio::task::spawn_blocking(move || upkeep::copy(&from, &to)).await??;
            names.push(DATABASE);
        }
        StorageKind::Postgres => {
            postgres::dump(&crate::backend::postgres(settings)?, &part.join(DUMP)).await?;
            names.push(DUMP);
        }
    }
    for name in BESIDE {
        if data.file(name).exists() {
            list::copy(&data.file(name), &part.join(name))?;
            names.push(name);
        }
    }
    list::copy(data.settings_file(), &part.join(SETTINGS))?;
    names.push(SETTINGS);
    // After the database, so that what it refers to is found; what came since
    // is more than it needs.
    let attached = match attachments {
        Some(blobs) => {
            names.push(ATTACHED);
            Some(attached::bring(core, blobs, &part.join(ATTACHED), store).await?)
        }
        None => None,
    };
    let part = part.to_owned();
    tokio::task::spawn_blocking(move || List::of(&part, &names, now)?.write(&part)).await??;
    Ok(attached)
}
