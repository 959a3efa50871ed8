//! `check`: are settings, keys and database as they should be? Changes nothing.

use super::place::Place;
use super::say;
use crate::backend::Backend;
use crate::clock::SystemClock;
use crate::data::DataDir;
use crate::settings::{Settings, TlsKind};
use crate::tls::Certificate;
use anyhow::{Context as _, bail};
use clap::Args;
use meantime_server_core::{Clock as _, Storage as _};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Arguments of `check`.
#[derive(Debug, Args)]
pub struct Check {
    #[command(flatten)]
    place: Place,
    /// The settings alone: neither files nor the database.
    #[arg(long)]
    settings_only: bool,
}

/// A line for each thing, the fault in words; fails if there was one.
pub async fn check(Check { place, settings_only }: &Check) -> anyhow::Result<()> {
    let data = place.data()?;
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
    told("only their owner reads the secrets", private(&data, &settings))?;
    told("the certificate", certificate(&data, &settings))?;
    told("the database", database(&data, &settings).await)?;
    if faults > 0 {
        bail!("{faults} of these have to be mended");
    }
    Ok(())
}

fn private(data: &DataDir, settings: &Settings) -> anyhow::Result<String> {
    let mut secret = vec![data.file("ca.key"), data.file("acme.key"), data.database()];
    secret.extend(settings.storage.url_file.clone());
    secret.extend(settings.pokes.url_file.clone());
    secret.extend(settings.tls.key.clone());
    // Docker puts secrets where only the container sees them, readable for all in it.
    let ours = |path: &&PathBuf| path.exists() && !path.starts_with("/run/secrets");
    secret.iter().filter(ours).try_for_each(|path| only_owner(path))?;
    Ok(String::new())
}

#[cfg(unix)]
fn only_owner(path: &Path) -> anyhow::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = fs::metadata(path).with_context(|| path.display().to_string())?.permissions().mode();
    if mode & 0o007 != 0 {
        bail!("everybody may use {} (mode {:o}); chmod 600 it", path.display(), mode & 0o777);
    }
    Ok(())
}

#[cfg(not(unix))]
fn only_owner(_: &Path) -> anyhow::Result<()> {
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

async fn database(data: &DataDir, settings: &Settings) -> anyhow::Result<String> {
    let storage = Backend::open(data, settings).await?.shared(Arc::new(()));
    let teams = storage.teams().await?.len();
    Ok(format!(" answers and has {teams} team{}", if teams == 1 { "" } else { "s" }))
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
