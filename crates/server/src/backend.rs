//! The backend that the settings name.

use crate::data::DataDir;
use crate::settings::{Settings, StorageKind};
use meantime_server_core::{Shared, Storage, Watch};
use meantime_server_sqlite::Sqlite;
use std::sync::Arc;

/// One of the backends.
#[derive(Clone)]
pub enum Backend {
    /// One file in the data folder.
    Sqlite(Arc<Sqlite>),
}

impl Backend {
    /// Opens the one that the settings name; it has to be there.
    ///
    /// # Errors
    /// When there is none, or it can't be used.
    pub async fn open(data: &DataDir, settings: &Settings) -> anyhow::Result<Self> {
        match settings.storage.kind {
            StorageKind::Sqlite => Ok(Self::Sqlite(Arc::new(data.open()?))),
            StorageKind::Postgres => anyhow::bail!("this build has no PostgreSQL"),
        }
    }

    /// Makes the one that the settings name.
    ///
    /// # Errors
    /// When there is one already, or it can't be used.
    pub async fn create(data: &DataDir, settings: &Settings) -> anyhow::Result<Self> {
        match settings.storage.kind {
            StorageKind::Sqlite => Ok(Self::Sqlite(Arc::new(data.create_database()?))),
            StorageKind::Postgres => anyhow::bail!("this build has no PostgreSQL"),
        }
    }

    /// For the rules.
    #[must_use]
    pub fn shared(&self, watch: Arc<dyn Watch>) -> Shared {
        let storage: Arc<dyn Storage> = match self {
            Self::Sqlite(sqlite) => Arc::clone(sqlite) as _,
        };
        Shared::watched(storage, watch)
    }
}
