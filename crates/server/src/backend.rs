//! The backend that the settings name, and how processes on it tell each
//! other what moved.

use crate::data::{DataDir, new_epoch};
use crate::settings::{PokesKind, Settings, StorageKind};
use anyhow::{Context as _, ensure};
use meantime_server_core::pokes::{Pokes, Polling};
use meantime_server_core::{Shared, Storage, Watch};
use meantime_server_nats::Nats;
use meantime_server_postgres::Postgres;
use meantime_server_sqlite::Sqlite;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// One of the backends.
#[derive(Clone)]
pub enum Backend {
    /// One file in the data folder.
    Sqlite(Arc<Sqlite>),
    /// A PostgreSQL database.
    Postgres(Arc<Postgres>),
}

impl Backend {
    /// Opens the one that the settings name, and brings it up to date; it has
    /// to be there.
    ///
    /// # Errors
    /// When there is none, or it can't be used.
    pub async fn open(data: &DataDir, settings: &Settings) -> anyhow::Result<Self> {
        match settings.storage.kind {
            StorageKind::Sqlite => Ok(Self::Sqlite(Arc::new(data.open()?))),
            StorageKind::Postgres => Ok(Self::Postgres(Arc::new(Postgres::open(&postgres(settings)?).await?))),
        }
    }

    /// Opens the one that the settings name if it is up to date already, as
    /// commands do beside a server that may be of the version before.
    ///
    /// # Errors
    /// As [`Backend::open`], and when it is older ([`is_older`]).
    pub async fn open_as_it_is(data: &DataDir, settings: &Settings) -> anyhow::Result<Self> {
        match settings.storage.kind {
            StorageKind::Sqlite => Ok(Self::Sqlite(Arc::new(Sqlite::open_as_it_is(&data.database())?))),
            StorageKind::Postgres => Ok(Self::Postgres(Arc::new(Postgres::open_as_it_is(&postgres(settings)?).await?))),
        }
    }

    /// Makes the one that the settings name.
    ///
    /// # Errors
    /// When there is one already, or it can't be used.
    pub async fn create(data: &DataDir, settings: &Settings) -> anyhow::Result<Self> {
        match settings.storage.kind {
            StorageKind::Sqlite => Ok(Self::Sqlite(Arc::new(data.create_database()?))),
            StorageKind::Postgres => {
                Ok(Self::Postgres(Arc::new(Postgres::create(&postgres(settings)?, new_epoch()?).await?)))
            }
        }
    }

    /// What its database may lose although it was acknowledged, because of how
    /// it is set up; in words.
    ///
    /// # Errors
    /// When it can't be asked.
    pub async fn risks(&self) -> anyhow::Result<Vec<String>> {
        match self {
            Self::Sqlite(_) => Ok(Vec::new()),
            Self::Postgres(postgres) => Ok(postgres.risks().await?),
        }
    }

    /// For the rules.
    #[must_use]
    pub fn shared(&self, watch: Arc<dyn Watch>) -> Shared {
        let storage: Arc<dyn Storage> = match self {
            Self::Sqlite(sqlite) => Arc::clone(sqlite) as _,
            Self::Postgres(postgres) => Arc::clone(postgres) as _,
        };
        Shared::watched(storage, watch)
    }
}

/// Whether that is why [`Backend::open_as_it_is`] did not open it: it is of an
/// older version.
#[must_use]
pub fn is_older(error: &anyhow::Error) -> bool {
    let sqlite = matches!(error.downcast_ref(), Some(meantime_server_sqlite::OpenError::Older { .. }));
    sqlite || matches!(error.downcast_ref(), Some(meantime_server_postgres::OpenError::Older { .. }))
}

/// How to reach PostgreSQL.
///
/// # Errors
/// When a file that holds an address can't be read.
pub fn postgres(settings: &Settings) -> anyhow::Result<meantime_server_postgres::Settings> {
    let storage = &settings.storage;
    let url = secret(storage.url_file.as_deref().context("storage.url_file is not set")?)?;
    let owner_url = storage.owner_url_file.as_deref().map(secret).transpose()?;
    let usual = meantime_server_postgres::Settings::new(&url);
    let (ca_file, connections) = (storage.ca.clone(), storage.connections);
    Ok(meantime_server_postgres::Settings { owner_url, ca_file, connections, ..usual })
}

/// Whether another process works on the database of the settings; asked before
/// this one opens it.
///
/// # Errors
/// When it can't be asked.
pub async fn is_served(settings: &Settings) -> anyhow::Result<bool> {
    match settings.storage.kind {
        // One process only, by the lock of its folder.
        StorageKind::Sqlite => Ok(false),
        StorageKind::Postgres => Ok(Postgres::is_served(&postgres(settings)?).await?),
    }
}

/// What carries pokes. On SQLite too somebody else may write: the operator's
/// commands.
///
/// # Errors
/// When a file that holds an address can't be read, or it makes no sense.
pub async fn pokes(settings: &Settings) -> anyhow::Result<Arc<dyn Pokes>> {
    let poll = Duration::from_millis(settings.pokes.poll_ms);
    if settings.pokes.kind == PokesKind::Poll {
        return Ok(Arc::new(Polling(poll)));
    }
    let url = secret(settings.pokes.url_file.as_deref().context("pokes.url_file is not set")?)?;
    let usual = meantime_server_nats::Settings::new(&url);
    let nats = meantime_server_nats::Settings { poll, ca_file: settings.pokes.ca.clone(), ..usual };
    Ok(Arc::new(Nats::connect(&nats).await?))
}

/// What stands in a file, without the line's end.
fn secret(path: &Path) -> anyhow::Result<String> {
    let text = fs::read_to_string(path).with_context(|| format!("{} can't be read", path.display()))?;
    let text = text.trim();
    ensure!(!text.is_empty(), "{} is empty", path.display());
    Ok(text.to_owned())
}
