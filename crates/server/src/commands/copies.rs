//! `backup` and `restore`.

use super::place::Place;
use super::say;
use crate::backup;
use crate::clock::SystemClock;
use crate::settings::StorageKind;
use anyhow::bail;
use clap::Args;
use meantime_server_core::Clock as _;
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
}

/// Arguments of `restore`.
#[derive(Debug, Args)]
pub struct Restore {
    #[command(flatten)]
    place: Place,
    /// The backup: a folder that `backup` or the server made.
    #[arg(long)]
    from: PathBuf,
}

/// Makes one; prints where it is.
pub async fn backup(Backup { place, to }: &Backup) -> anyhow::Result<()> {
    let data = place.data()?;
    let settings = data.settings()?;
    let into = to.clone().unwrap_or_else(|| settings.backup.folder.clone());
    match settings.storage.kind {
        StorageKind::Sqlite => {
            let work = move || backup::make_one(&data, &into, SystemClock.now());
            let made = tokio::task::spawn_blocking(work).await??;
            say(&json!({ "backup": made }).to_string())
        }
        StorageKind::Postgres => bail!("PostgreSQL"),
    }
}

/// Puts one back; prints what it was, and where the data before went.
pub fn restore(Restore { place, from }: &Restore) -> anyhow::Result<()> {
    let (list, aside) = backup::restore(&place.new_data()?, from, SystemClock.now())?;
    let files: Vec<&str> = list.files.iter().map(|file| file.name.as_str()).collect();
    say(&json!({"restored": list.made_at, "files": files, "before": aside}).to_string())
}
