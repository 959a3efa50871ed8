//! `backup` and `restore`.

use super::owner;
use super::place::Place;
use super::say;
use crate::attachments::Attachments;
use crate::backend;
use crate::backup::{self, How, Source};
use crate::clock::SystemClock;
use crate::data::new_epoch;
use crate::settings::StorageKind;
use anyhow::bail;
use clap::Args;
use meantime_server_core::Clock as _;
use meantime_server_postgres::Postgres;
use serde_json::json;
use std::path::PathBuf;

/// Arguments of `backup`.
#[derive(Debug, Args)]
pub struct Backup {
    #[command(flatten)]
    place: Place,
    /// Folder in which the backup gets a folder of its own; the settings' when absent.
    #[arg(long)]
    to: Option<PathBuf>,
    /// Copy attachments out of an S3-compatible store too; those in a folder always go along.
    #[arg(long)]
    with_s3: bool,
    /// Then remove all but so many of the newest backups in that folder.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    keep: Option<u32>,
}

/// Arguments of `restore`.
#[derive(Debug, Args)]
pub struct Restore {
    #[command(flatten)]
    place: Place,
    /// The backup: a folder that `backup` or the server made.
    #[arg(long, required_unless_present = "new_life")]
    from: Option<PathBuf>,
    /// Go on even if attachments of the backup are missing or damaged.
    #[arg(long, requires = "from")]
    incomplete: bool,
    /// PostgreSQL: into the database whose URL stands in this file, instead of the one the backup's settings name.
    #[arg(long, requires = "from")]
    postgres_url_file: Option<PathBuf>,
    /// The same for who owns the tables, where that is somebody else.
    #[arg(long, requires = "postgres_url_file")]
    postgres_owner_url_file: Option<PathBuf>,
    /// PostgreSQL: go on even if the database has a team in it and this folder is not one of its server.
    #[arg(long, requires = "from")]
    replace_database: bool,
    /// PostgreSQL, after a restore by its own ways: only say that the data is another life now.
    #[arg(long, conflicts_with = "from")]
    new_life: bool,
}

/// Makes one; prints where it is, and what went along.
pub async fn backup(Backup { place, to, with_s3, keep }: &Backup) -> anyhow::Result<()> {
    let opened = place.open().await?;
    let settings = &opened.settings;
    let into = to.clone().unwrap_or_else(|| settings.backup.folder.clone());
    let along = settings.attachments.in_a_folder() || *with_s3;
    let attachments = along.then(|| Attachments::open(&settings.attachments)).transpose()?;
    let attachments = attachments.as_ref().map(|attachments| &attachments.blobs);
    let source = Source { data: &opened.data, settings, core: &opened.core, attachments };
    let made = backup::make_one(source, &into, SystemClock.now()).await?;
    let attachments = match made.attachments {
        Some(attached) => json!(attached),
        None => {
            let bucket = &settings.attachments.bucket;
            json!(format!("left out: those in the bucket {bucket} are kept by its own versions, or --with-s3"))
        }
    };
    let removed = match keep {
        Some(keep) => backup::prune(&into, usize::try_from(*keep)?, SystemClock.now()).await?,
        None => 0,
    };
    say(&json!({ "backup": made.path, "attachments": attachments, "removed": removed }).to_string())
}

/// Puts one back; prints what it was, and where the data before went.
pub async fn restore(arguments: &Restore) -> anyhow::Result<()> {
    let Restore { place, from, incomplete, new_life, replace_database, .. } = arguments;
    if *new_life {
        let data = place.data()?;
        owner::go_on_as(&data)?;
        let settings = data.settings()?;
        if settings.storage.kind == StorageKind::Sqlite {
            bail!("--new-life is for PostgreSQL; of SQLite --from does all of it");
        }
        let _lock = data.lock()?;
        let links_ended = Postgres::begin_anew(&backend::postgres(&settings)?, new_epoch()?).await?;
        return say(&json!({ "new_life": true, "links_ended": links_ended }).to_string());
    }
    let Some(from) = from else { bail!("--from is the backup") };
    let data = place.data_there_or_not()?;
    owner::go_on_as(&data)?;
    let absolute = |path: &PathBuf| std::path::absolute(path);
    let url = arguments.postgres_url_file.as_ref().map(absolute).transpose()?;
    let owner = arguments.postgres_owner_url_file.as_ref().map(absolute).transpose()?;
    let how = How { incomplete: *incomplete, replace_database: *replace_database, urls: url.map(|url| (url, owner)) };
    let restored = backup::restore(&data, from, &how, SystemClock.now()).await?;
    let files: Vec<&str> = restored.list.files.iter().map(|file| file.name.as_str()).collect();
    let attachments = restored.attachments.map_or_else(|| json!("none in this backup"), |attached| json!(attached));
    let told = json!({
        "restored": restored.list.made_at, "files": files, "attachments": attachments, "before": restored.before,
        "links_ended": restored.links_ended,
    });
    say(&told.to_string())
}
