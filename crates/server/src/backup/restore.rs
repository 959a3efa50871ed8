//! Puts a backup back, as another life of the data. Whatever can fail on its
//! own account does so before anything that was there is touched.

use super::list::{ATTACHED, BESIDE, DATABASE, DUMP, SETTINGS, copy};
use super::{Attached, List, NAME, attached, postgres};
use crate::attachments::Attachments;
use crate::backend;
use crate::data::{self, DataDir, make, new_epoch};
use crate::settings::{Elsewhere, Faults, Settings, StorageKind};
use anyhow::{Context as _, ensure};
use chrono::{DateTime, Utc};
use meantime_server_blobs::disk;
use meantime_server_postgres::Postgres;
use meantime_server_sqlite::upkeep;
use std::fs;
use std::path::{Path, PathBuf};

/// A backup that was put back.
#[derive(Debug)]
pub struct Restored {
    /// What it was.
    pub list: List,
    /// Where lies what was there before, if there was anything.
    pub before: Option<PathBuf>,
    /// What became of the attachments, if it has any.
    pub attachments: Option<Attached>,
    /// So many invites and links that waited to be used were ended.
    pub links_ended: u64,
}

/// In which way it is put back.
#[derive(Debug, Default)]
pub struct How {
    /// Even if attachments of it can't be had.
    pub incomplete: bool,
    /// PostgreSQL: even into a database with tables that are not this folder's.
    pub replace_database: bool,
    /// PostgreSQL: into another database than the settings name; the files with
    /// its URL and that of the tables' owner.
    pub urls: Option<(PathBuf, Option<PathBuf>)>,
}

/// Puts a backup back into a data folder whose server is not running. What
/// was there before is moved aside; of PostgreSQL a dump of it is made.
///
/// Attachments are only added. If some of the backup's can't be had, nothing
/// else is done, unless it is told to go on incomplete. The settings name this
/// folder from then on.
///
/// # Errors
/// When the backup is not whole, others use the database, it is another
/// server's, or something can't be moved or written.
pub async fn restore(data: &DataDir, from: &Path, how: &How, now: DateTime<Utc>) -> anyhow::Result<Restored> {
    let list = List::verified(from)?;
    ensure!(how.urls.is_none() || list.has(DUMP), "this backup is of SQLite; it can't be put into PostgreSQL");
    data.make()?;
    let _lock = data.lock()?;
    let (text, settings) = settings_for(data, from, how)?;
    if list.has(DUMP) {
        allowed(data, &settings, how).await?;
    }
    let attachments = attachments_of(&list, &settings, from, how.incomplete).await?;
    let aside = data.file(&format!("before-restore-{}", now.format(NAME)));
    let fresh = data.file("restore.part");
    if fresh.exists() {
        fs::remove_dir_all(&fresh)?;
    }
    let put = async {
        let (files, mut links_ended) = prepared(&list, from, &fresh)?;
        data::write(&fresh.join(SETTINGS), text.as_bytes())?;
        if list.has(DUMP) {
            links_ended += into_postgres(&settings, &from.join(DUMP), &aside).await?;
        }
        in_place(data, &files, &fresh, &aside)?;
        anyhow::Ok(links_ended)
    };
    let put = put.await;
    if fresh.exists() {
        fs::remove_dir_all(&fresh)?;
    }
    let links_ended = put?;
    let before = aside.exists().then_some(aside);
    Ok(Restored { list, before, attachments, links_ended })
}

/// The settings as they shall be in force, paths in the data folder being those
/// of this one; and their text.
fn settings_for(data: &DataDir, from: &Path, how: &How) -> anyhow::Result<(String, Settings)> {
    let path = from.join(SETTINGS);
    let text = fs::read_to_string(&path).with_context(|| format!("{} can't be read", path.display()))?;
    let folder: PathBuf = std::path::absolute(data.folder())?.components().collect();
    let (place, file) =
        (Elsewhere { data: folder, urls: how.urls.clone() }, std::path::absolute(data.settings_file())?);
    let faults = |faults| Faults { file: path.clone(), faults };
    let text = place.rewrite(&text, file.parent().unwrap_or(Path::new(""))).map_err(faults)?;
    let settings = Settings::parse_for(&text, data).map_err(faults)?;
    let url_file = settings.storage.url_file.as_ref();
    ensure!(
        how.urls.as_ref().is_none_or(|(url, _)| url_file == Some(url)),
        "the variable MEANTIME_POSTGRES_URL_FILE names another file than --postgres-url-file"
    );
    Ok((text, settings))
}

/// Makes sure that the database is empty or this folder's own: the settings of
/// a backup name the one of the server that it was made of, which may be alive.
async fn allowed(data: &DataDir, settings: &Settings, how: &How) -> anyhow::Result<()> {
    let database = backend::postgres(settings)?;
    let own = |before: Settings| backend::postgres(&before).is_ok_and(|before| before == database);
    if how.replace_database || Settings::read_for(data.settings_file(), data).is_ok_and(own) {
        return Ok(());
    }
    ensure!(
        !Postgres::has_tables(&database).await?,
        "the database has a team in it, and {} is no folder of its server: it may be the one that people use. Make an \
         empty database, and name the file with its URL by --postgres-url-file; or say --replace-database if what is \
         in it shall go",
        data.folder().display()
    );
    Ok(())
}

async fn attachments_of(
    list: &List,
    settings: &Settings,
    from: &Path,
    incomplete: bool,
) -> anyhow::Result<Option<Attached>> {
    if !list.has(ATTACHED) {
        return Ok(None);
    }
    let to = Attachments::open(&settings.attachments)?;
    let attached = attached::put_back(from, &to.blobs).await?;
    ensure!(
        attached.missing == 0 || incomplete,
        "{} attachments of this backup are missing or not as they were written (they are named above): their bytes lie \
         in the folder `{}` beside the backup, or in it; --incomplete goes on without them",
        attached.missing,
        super::STORE
    );
    Ok(Some(attached))
}

/// The files to be, beside those that are; their names, and how many links were
/// ended in the database.
fn prepared<'a>(list: &'a List, from: &Path, fresh: &Path) -> anyhow::Result<(Vec<&'a str>, u64)> {
    make(fresh)?;
    let names = list.files.iter().map(|file| file.name.as_str());
    let names: Vec<&str> = names.filter(|name| ![ATTACHED, DUMP].contains(name)).collect();
    for name in &names {
        copy(&from.join(name), &fresh.join(name))?;
    }
    let ended = match list.has(DATABASE) {
        true => upkeep::begin_life(&fresh.join(DATABASE), new_epoch()?)?,
        false => 0,
    };
    Ok((names, u64::try_from(ended)?))
}

async fn into_postgres(settings: &Settings, dump: &Path, aside: &Path) -> anyhow::Result<u64> {
    ensure!(settings.storage.kind == StorageKind::Postgres, "it has a dump of PostgreSQL, but settings of SQLite");
    let database = backend::postgres(settings)?;
    if Postgres::ready_for_restore(&database).await? {
        make(aside)?;
        postgres::dump(&database, &aside.join(DUMP)).await?;
    }
    postgres::put_back(&database, dump, new_epoch()?).await
}

/// Moves what was there aside, and what shall be in its place.
fn in_place(data: &DataDir, names: &[&str], fresh: &Path, aside: &Path) -> anyhow::Result<()> {
    let of = |name: &str| if name == SETTINGS { data.settings_file().to_owned() } else { data.file(name) };
    for name in [DATABASE, "server.db-wal", "server.db-shm", SETTINGS].into_iter().chain(BESIDE) {
        if of(name).exists() {
            make(aside)?;
            moved(&of(name), &aside.join(name))?;
        }
    }
    names.iter().try_for_each(|name| moved(&fresh.join(name), &of(name)))
}

/// On the disk under its new name when this returns. The settings may lie on
/// another disk than the data.
fn moved(from: &Path, to: &Path) -> anyhow::Result<()> {
    let folder = to.parent().unwrap_or(Path::new(""));
    let unmoved = || format!("{} can't be moved", from.display());
    if fs::rename(from, to).is_ok() {
        return disk::sync_folder(folder).with_context(unmoved);
    }
    copy(from, to)?;
    disk::sync_folder(folder).and_then(|()| fs::remove_file(from)).with_context(unmoved)
}
