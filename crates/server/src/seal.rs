//! `seal.key`: what the secrets in the database are sealed with that have to
//! be used again, and so can't be hashed. Made once, in the data folder; a
//! backup has it beside the database.
//!
//! How sealing is done is `meantime_server_core`'s.

use crate::backend::Backend;
use crate::clock::SystemClock;
use crate::data::{self, DataDir};
use anyhow::{Context as _, bail, ensure};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use meantime_model::TeamId;
use meantime_protocol::Problem;
use meantime_server_core::{Authenticators, Core, SealKey, Shared, Storage as _, TeamScope};
use meantime_server_sqlite::upkeep;
use std::fs;
use std::io::ErrorKind;
use std::sync::Arc;

/// Its name in the data folder.
pub const FILE: &str = "seal.key";
/// Teams looked at at once.
const AT_ONCE: usize = 8;

/// The folder's key, for a server that is about to serve. What an older one
/// kept as it is is sealed now.
///
/// # Errors
/// As [`key`], and when the database can't be used.
pub async fn begin(data: &DataDir, backend: &Backend, storage: &Shared) -> anyhow::Result<SealKey> {
    let key = key(data, storage).await?;
    let core = core(storage, Some(&key));
    let mut sealed = 0;
    for (team, found) in look(&core).await? {
        for person in &found.broken {
            tracing::error!(%team, %person, "the secret of an authenticator was not sealed for whom it is kept");
        }
        if !found.plain.is_empty() {
            sealed += core.seal_authenticators(TeamScope::operator(team)).await?;
        }
    }
    if sealed > 0 {
        tracing::info!(sealed, "authenticators of before were sealed");
        if let Backend::Sqlite(_) = backend {
            let path = data.database();
            if let Err(error) = tokio::task::spawn_blocking(move || upkeep::rewrite_accounts(&path)).await? {
                tracing::error!(%error, "what stood there before could not be overwritten");
            }
        }
    }
    Ok(key)
}

/// The folder's key; made if there is none, and nothing was ever sealed.
///
/// # Errors
/// When it is missing or another one than things were sealed with: then the
/// file has to come back from a backup.
pub async fn key(data: &DataDir, storage: &Shared) -> anyhow::Result<SealKey> {
    let there = read(data)?;
    right(data, there.as_ref(), &look(&core(storage, there.as_ref())).await?)?;
    match there {
        Some(key) => Ok(key),
        None => {
            let key = SealKey::random()?;
            data::write_once(&data.file(FILE), format!("{}\n", key.reveal()).as_bytes())?;
            Ok(key)
        }
    }
}

/// Whether the folder's key fits what was sealed; changes nothing. Each that
/// is wrong on a line of its own, on standard error.
///
/// # Errors
/// In words for whoever runs the server.
pub async fn check(data: &DataDir, storage: &Shared) -> anyhow::Result<String> {
    let key = read(data)?;
    let found = look(&core(storage, key.as_ref())).await?;
    for (team, Authenticators { foreign, broken, .. }) in &found {
        for person in foreign {
            eprintln!("the authenticator of {person} in the team {team} was sealed with another key");
        }
        for person in broken {
            eprintln!("the authenticator of {person} in the team {team} was not sealed for them, or changed since");
        }
    }
    right(data, key.as_ref(), &found)?;
    let broken = count(&found, |of| of.broken.len());
    ensure!(broken == 0, "{broken} can't be opened; `meantime-server user reset-password` takes them away");
    let (good, plain) = (count(&found, |of| of.good.len()), count(&found, |of| of.plain.len()));
    Ok(match (good, plain) {
        (0, 0) => ": none yet".to_owned(),
        (good, 0) => format!(": {good}, all sealed"),
        (good, plain) => format!(": {good} sealed, {plain} will be at the next start"),
    })
}

fn right(data: &DataDir, key: Option<&SealKey>, found: &[(TeamId, Authenticators)]) -> anyhow::Result<()> {
    let foreign = count(found, |of| of.foreign.len());
    if foreign == 0 {
        return Ok(());
    }
    let how = if key.is_some() { "is not the key" } else { "is missing: the key" };
    bail!(
        "{} {how} that {foreign} of the authenticators were sealed with; put it back from a backup, or copy that of \
         another process of this server. If it is lost for good, `meantime-server check` says whose they are, and \
         `meantime-server user reset-password` takes them away",
        data.file(FILE).display()
    );
}

fn count(found: &[(TeamId, Authenticators)], of: impl Fn(&Authenticators) -> usize) -> usize {
    found.iter().map(|(_, found)| of(found)).sum()
}

fn core(storage: &Shared, key: Option<&SealKey>) -> Core<Shared> {
    let core = Core::new(storage.clone(), Arc::new(SystemClock));
    match key {
        Some(key) => core.sealing(key.clone()),
        None => core,
    }
}

async fn look(core: &Core<Shared>) -> anyhow::Result<Vec<(TeamId, Authenticators)>> {
    let teams = core.storage().teams().await?.into_iter().map(|team| team.id);
    let each = teams.map(|team| async move {
        let found = core.authenticators(TeamScope::operator(team)).await?;
        Ok::<_, Problem>((team, found))
    });
    let each: Vec<_> = each.collect();
    Ok(stream::iter(each).buffer_unordered(AT_ONCE).try_collect().await?)
}

fn read(data: &DataDir) -> anyhow::Result<Option<SealKey>> {
    let path = data.file(FILE);
    let text = match fs::read_to_string(&path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        text => text.with_context(|| format!("{} can't be read", path.display()))?,
    };
    let key = SealKey::parse(&text);
    let none = || format!("{} is not of its form; put it back from a backup", path.display());
    key.map(Some).with_context(none)
}
