//! `export` and `delete`: what is known goes out, or away.

use super::people::named;
use super::place::Place;
use super::say;
use crate::attachments::Attachments;
use crate::backend;
use crate::clock::SystemClock;
use crate::data;
use crate::erase;
use crate::export::Export as Writer;
use crate::settings::StorageKind;
use anyhow::{anyhow, bail};
use clap::Args;
use meantime_server_core::{Clock as _, TeamScope};
use meantime_server_postgres::Postgres;
use meantime_server_sqlite::upkeep;
use serde_json::json;
use std::io::{BufWriter, ErrorKind, Write as _};
use std::path::PathBuf;

/// Arguments of `export`.
#[derive(Debug, Args)]
pub struct Export {
    #[command(flatten)]
    place: Place,
    /// The team, by its name or id; not needed where there is one.
    #[arg(long)]
    team: Option<String>,
    /// Only what is this person's, by name or id.
    #[arg(long)]
    person: Option<String>,
    /// The file to write, which must not be there yet; standard output when absent.
    #[arg(long)]
    to: Option<PathBuf>,
}

/// Arguments of `delete`.
#[derive(Debug, Args)]
pub struct Delete {
    #[command(flatten)]
    place: Place,
    /// The team, by its name or id; not needed where there is one.
    #[arg(long)]
    team: Option<String>,
    /// Only this person and what they wrote, by name or id; the whole team when absent.
    #[arg(long)]
    person: Option<String>,
    /// Don't ask.
    #[arg(long)]
    yes: bool,
}

/// Writes it; says how many records there were if it went to a file.
pub async fn export(Export { place, team, person, to }: &Export) -> anyhow::Result<()> {
    let opened = place.open().await?;
    let team = opened.team(team.as_deref()).await?;
    let scope = TeamScope::operator(team.id);
    let of = match person {
        Some(wanted) => Some(named(opened.core.people(scope).await?, wanted)?.id),
        None => None,
    };
    let now = SystemClock.now();
    match to {
        None => Writer::new(&opened.core, &team, of, std::io::stdout().lock()).write(now).await.map(drop),
        Some(path) => {
            let file = data::fresh(path).map_err(|e| match e.kind() {
                ErrorKind::AlreadyExists => anyhow!("{} is there already; name another file", path.display()),
                ErrorKind::PermissionDenied => anyhow!(
                    "{}: {e}; a folder of the server's user is needed, or no --to: it goes to standard output then",
                    path.display()
                ),
                _ => anyhow!("{} can't be written: {e}", path.display()),
            })?;
            let written = Writer::new(&opened.core, &team, of, BufWriter::new(file)).write(now).await;
            if written.is_err() {
                // Half of it is in the way of the next try.
                let _ = std::fs::remove_file(path);
            }
            say(&json!({"exported": path, "records": written?}).to_string())
        }
    }
}

/// Asks, deletes, and says how much went.
pub async fn delete(Delete { place, team, person, yes }: &Delete) -> anyhow::Result<()> {
    let opened = place.open().await?;
    let team = opened.team(team.as_deref()).await?;
    let scope = TeamScope::operator(team.id);
    match person {
        Some(wanted) => {
            let person = named(opened.core.people(scope).await?, wanted)?;
            asked(*yes, &person.name, "takes this person out of the team and what they wrote out of everybody's app")?;
            let erased = erase::person(&opened.core, scope, person.id).await?;
            let attachments = Attachments::open(&opened.settings.attachments)?;
            let files = attachments.forget_of(&opened.core, team.id, person.id).await?;
            say(&json!({"deleted": person.id, "records": erased, "attachments": files}).to_string())
        }
        None => {
            asked(*yes, &team.name, "deletes this team with everything that was ever written in it")?;
            // First what could not be found again once the team is gone.
            let attachments = Attachments::open(&opened.settings.attachments)?;
            let files = attachments.blobs.remove_team(team.id).await?;
            let rows = match opened.settings.storage.kind {
                StorageKind::Sqlite => {
                    let path = opened.data.database();
                    let erased = tokio::task::spawn_blocking(move || upkeep::erase_team(&path, team.id)).await??;
                    u64::try_from(erased)?
                }
                StorageKind::Postgres => Postgres::erase_team(&backend::postgres(&opened.settings)?, team.id).await?,
            };
            say(&json!({"deleted": team.id, "rows": rows, "files": files}).to_string())
        }
    }
}

/// Whoever means it types the name.
fn asked(yes: bool, name: &str, what: &str) -> anyhow::Result<()> {
    if yes {
        return Ok(());
    }
    let mut out = std::io::stderr().lock();
    write!(out, "This {what}. It can't be undone; backups still have it.\nType the name, {name}, to go on: ")?;
    out.flush()?;
    let mut typed = String::new();
    std::io::stdin().read_line(&mut typed)?;
    if typed.trim_end_matches(['\r', '\n']) != name {
        bail!("that is not the name; nothing was deleted");
    }
    Ok(())
}
