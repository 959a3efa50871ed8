//! `backup` and `restore`.

use super::place::Place;
use super::say;
use crate::backend;
use crate::backup;
use crate::clock::SystemClock;
use crate::data::{make, new_epoch, private};
use crate::settings::StorageKind;
use anyhow::{Context as _, bail};
use clap::Args;
use meantime_server_core::Clock as _;
use meantime_server_postgres::Postgres;
use serde_json::json;
use std::path::{Path, PathBuf};
use tokio::process::Command;

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
    #[arg(long, required_unless_present = "new_life")]
    from: Option<PathBuf>,
    /// PostgreSQL, after pg_restore: only say that the data is another life now.
    #[arg(long, conflicts_with = "from")]
    new_life: bool,
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
        StorageKind::Postgres => {
            let made = dump(&backend::postgres(&settings)?, &into).await?;
            say(&json!({ "backup": made, "beside": "keep ca.key, ca.pem and the settings as well" }).to_string())
        }
    }
}

/// Puts one back; prints what it was, and where the data before went.
pub async fn restore(Restore { place, from, new_life }: &Restore) -> anyhow::Result<()> {
    let data = place.new_data()?;
    if *new_life {
        let settings = data.settings()?;
        if settings.storage.kind == StorageKind::Sqlite {
            bail!("--new-life is for PostgreSQL; of SQLite --from does all of it");
        }
        let _lock = data.lock()?;
        Postgres::begin_anew(&backend::postgres(&settings)?, new_epoch()?).await?;
        return say(&json!({ "new_life": true }).to_string());
    }
    let Some(from) = from else { bail!("--from is the backup") };
    let (list, aside) = backup::restore(&data, from, SystemClock.now())?;
    let files: Vec<&str> = list.files.iter().map(|file| file.name.as_str()).collect();
    say(&json!({"restored": list.made_at, "files": files, "before": aside}).to_string())
}

/// Lets PostgreSQL's own tool write all of it into one file. The address goes
/// by the environment, where other users of the machine don't see it.
async fn dump(postgres: &meantime_server_postgres::Settings, into: &Path) -> anyhow::Result<PathBuf> {
    make(into)?;
    let whole = into.join(format!("{}.dump", SystemClock.now().format(backup::NAME)));
    let part = whole.with_extension("part");
    drop(private(&part, true)?);
    let url = url::Url::parse(postgres.owner_url.as_ref().unwrap_or(&postgres.url));
    let url = url.context("pg_dump is called with an address of the form postgres://USER:PASSWORD@HOST/DATABASE")?;
    let mut dump = Command::new("pg_dump");
    dump.args(["--format=custom", "--schema=meantime", "--no-password", "--file"]).arg(&part);
    dump.env("PGHOST", url.host_str().unwrap_or_default()).env("PGUSER", plain(url.username()));
    dump.env("PGDATABASE", plain(url.path().trim_start_matches('/')));
    dump.envs(url.port().map(|port| ("PGPORT", port.to_string())));
    dump.envs(url.password().map(|password| ("PGPASSWORD", plain(password))));
    for (key, value) in url.query_pairs() {
        match &*key {
            "host" => dump.env("PGHOST", &*value),
            "sslmode" => dump.env("PGSSLMODE", &*value),
            _ => continue,
        };
    }
    dump.envs(postgres.ca_file.as_ref().map(|ca| ("PGSSLROOTCERT", ca.as_os_str())));
    let output = dump.output().await.context("pg_dump can't be started; install PostgreSQL's client programs")?;
    if !output.status.success() {
        let _ = std::fs::remove_file(&part);
        bail!("pg_dump: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    std::fs::rename(&part, &whole)?;
    Ok(whole)
}

/// A part of a URL as it was meant.
fn plain(part: &str) -> String {
    url::form_urlencoded::parse(format!("x={}", part.replace('+', "%2B")).as_bytes())
        .next()
        .map(|(_, value)| value.into_owned())
        .unwrap_or_default()
}
