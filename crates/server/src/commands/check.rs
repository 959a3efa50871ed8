//! `check`: are settings, keys, database and attachments as they should be?
//! Changes nothing, an older database least of all.

use super::owner;
use super::place::Place;
use super::say;
use super::secrets::{owned, private};
use crate::attachments::{Attachments, Wrong, look};
use crate::backend::{Backend, is_older};
use crate::backup::STORE;
use crate::clock::SystemClock;
use crate::data::DataDir;
use crate::seal;
use crate::settings::{Settings, StorageKind, TlsKind};
use crate::tls::Certificate;
use anyhow::{Context as _, bail};
use clap::Args;
use meantime_server_core::{Clock as _, Core, Shared, Storage as _, TeamScope};
use meantime_server_sqlite::upkeep;
use std::fs;
use std::path::Path;
use std::sync::Arc;

/// Arguments of `check`.
#[derive(Debug, Args)]
pub struct Check {
    #[command(flatten)]
    place: Place,
    /// The settings alone: neither files nor the database.
    #[arg(long)]
    settings_only: bool,
    /// Read every byte of every attachment, and compare its hash; of SQLite, look at the indexes too.
    #[arg(long, conflicts_with = "settings_only")]
    deep: bool,
}

/// A line for each thing, the fault in words; fails if there was one.
pub async fn check(Check { place, settings_only, deep }: &Check) -> anyhow::Result<()> {
    let data = place.data()?;
    owner::go_on_as(&data)?;
    let settings = data.settings()?;
    say(&format!("ok: the settings in {}", data.settings_file().display()))?;
    if *settings_only {
        return Ok(());
    }
    let mut faults = 0;
    let mut told = |what: &str, result: anyhow::Result<String>| match result {
        Ok(detail) => say(&format!("ok: {what}{detail}")),
        Err(error) => {
            faults += 1;
            say(&format!("FAULT: {what}: {error:#}"))
        }
    };
    told("the files are the server's own", owned(&data).map(|()| String::new()))?;
    told("only their owner reads the secrets", private(&data, &settings).map(|()| String::new()))?;
    told("the certificate", certificate(&data, &settings))?;
    let core = match database(&data, &settings, *deep).await {
        Ok((core, said, risks)) => {
            told("the database", Ok(said))?;
            risks.iter().try_for_each(|risk| say(&format!("note: {risk}")))?;
            Some(core)
        }
        // No fault: so it is between a new version's installation and its start.
        Err(error) if is_older(&error) => {
            say(&format!("note: {error}"))?;
            say("note: authenticators and attachments are looked at when the database is up to date")?;
            None
        }
        Err(error) => {
            told("the database", Err(error))?;
            None
        }
    };
    // Which there are stands in the database.
    if let Some(core) = core {
        told("the authenticators", seal::check(&data, core.storage()).await)?;
        told("the attachments", attachments(&core, &settings, *deep).await)?;
    }
    if faults > 0 {
        bail!("{faults} of these {} to be mended", if faults == 1 { "has" } else { "have" });
    }
    Ok(())
}

fn certificate(data: &DataDir, settings: &Settings) -> anyhow::Result<String> {
    let now = SystemClock.now();
    let (chain, key) = match settings.tls.kind {
        TlsKind::OwnCa => {
            let read = |name| fs::metadata(data.file(name)).with_context(|| format!("{name} is missing"));
            read("ca.key").and(read("ca.pem"))?;
            return Ok(" of the server's own CA".to_owned());
        }
        TlsKind::Files => {
            let missing = "is not set";
            let Some(chain) = &settings.tls.certificate else { bail!("tls.certificate {missing}") };
            let Some(key) = &settings.tls.key else { bail!("tls.key {missing}") };
            (chain.clone(), key.clone())
        }
        TlsKind::Acme if !data.file("acme.pem").exists() => {
            return Ok(" will be asked for at the first start".to_owned());
        }
        TlsKind::Acme => (data.file("acme.pem"), data.file("acme.key")),
    };
    let read = |path: &Path| fs::read(path).with_context(|| format!("{} can't be read", path.display()));
    let certificate = Certificate::of_pem(&read(&chain)?, &read(&key)?)?;
    if certificate.until() <= now {
        bail!("it ended on {}", certificate.until());
    }
    let names = certificate.names()?;
    if let Some(host) = settings.hosts.iter().find(|host| !covered(host, &names)) {
        bail!("it is not for {host}, which is one of the hosts; it is for {}", names.join(", "));
    }
    Ok(format!(" is good until {}", certificate.until()))
}

/// Whether a certificate of those names is for that host (RFC 6125: a star
/// stands for one part at the beginning).
fn covered(host: &str, names: &[String]) -> bool {
    names.iter().any(|name| {
        name.eq_ignore_ascii_case(host)
            || name
                .strip_prefix("*.")
                .zip(host.split_once('.'))
                .is_some_and(|(name, (_, rest))| name.eq_ignore_ascii_case(rest))
    })
}

async fn database(
    data: &DataDir,
    settings: &Settings,
    deep: bool,
) -> anyhow::Result<(Core<Shared>, String, Vec<String>)> {
    let backend = Backend::open_as_it_is(data, settings).await?;
    if let Backend::Sqlite(_) = backend {
        let path = data.database();
        tokio::task::spawn_blocking(move || upkeep::check(&path, deep)).await??;
    }
    let storage = backend.shared(Arc::new(()));
    let teams = storage.teams().await?.len();
    let said = format!(" answers and has {}", counted(teams as u64, "team"));
    Ok((Core::new(storage, Arc::new(SystemClock)), said, backend.risks().await?))
}

/// Each that is wrong on a line of its own, on standard error: there may be
/// many.
async fn attachments(core: &Core<Shared>, settings: &Settings, deep: bool) -> anyhow::Result<String> {
    let (folder, teams) = (&settings.attachments.folder, core.storage().teams().await?);
    if settings.attachments.in_a_folder() && !folder.exists() {
        for team in &teams {
            if !core.attachments(TeamScope::operator(team.id), None, 1).await?.is_empty() {
                bail!("there are some, but their folder {} is not there", folder.display());
            }
        }
        return Ok(": none yet".to_owned());
    }
    let blobs = Attachments::open(&settings.attachments)?.blobs;
    blobs.answers().await?;
    let (mut noted, mut wrong, mut unknown, mut unknown_bytes) = (0, 0_u64, 0, 0);
    for team in teams {
        let found = look(&blobs, core, team.id, deep).await?;
        for Wrong { key, kept, how } in &found.wrong {
            let (scope, bytes) = (kept.scope, kept.bytes);
            eprintln!("attachment {key} of {scope}, {bytes} bytes, {how}");
        }
        noted += found.noted;
        wrong += found.wrong.len() as u64;
        unknown += found.unknown;
        unknown_bytes += found.unknown_bytes;
    }
    if wrong > 0 {
        let several = match settings.storage.kind {
            StorageKind::Postgres if settings.attachments.in_a_folder() => {
                " If several processes work on this database, those may just lie in another one's folder: all of them \
                 have to share one, or use a store"
            }
            _ => "",
        };
        bail!(
            "{wrong} of {noted} are missing or damaged. Copy them from `{STORE}` beside a backup, where they have the \
             same names, or let people send them again.{several}"
        );
    }
    let how = if deep { "all there and as they were sent" } else { "all there" };
    let rest = match unknown {
        0 => String::new(),
        n => format!(
            "; {} ({unknown_bytes} bytes) beside them belong to none, and are swept in time",
            counted(n, "file")
        ),
    };
    Ok(format!(": {}, {how}{rest}", counted(noted, "file")))
}

fn counted(n: u64, what: &str) -> String {
    format!("{n} {what}{}", if n == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::covered;

    #[test]
    fn a_star_stands_for_one_part() {
        let names = ["*.example.org".to_owned(), "a.b.c".to_owned()];
        for (host, good) in [
            ("team.example.org", true),
            ("TEAM.example.ORG", true),
            ("example.org", false),
            ("x.y.example.org", false),
            ("a.b.c", true),
        ] {
            assert_eq!(covered(host, &names), good, "{host}");
        }
    }
}
