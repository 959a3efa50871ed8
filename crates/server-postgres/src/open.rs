//! Opens the database: never one that is newer, foreign or silently empty.

use crate::connections::Connections;
use crate::failure::words;
use crate::{Settings, schema};
use meantime_protocol::Epoch;
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Error};

/// How long the owner's connection may take to be made.
const CONNECTING: Duration = Duration::from_secs(15);

/// The backend. Holds a bounded number of connections, which come back by
/// themselves when the database does.
#[derive(Debug)]
pub struct Postgres {
    pub(crate) connections: Connections,
}

/// Why the database could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The settings make no sense.
    #[error("{0}")]
    Settings(String),
    /// It is there, but of a newer server.
    #[error(
        "the database was written by a newer meantime-server (schema {found}, this one knows {known}); start that one"
    )]
    Newer {
        /// Its schema.
        found: i32,
        /// The newest one known here.
        known: i32,
    },
    /// It is there, but of an older server.
    #[error(
        "the database is of an older version (schema {found}, this meantime-server has {known}); \
         `meantime-server serve` brings it up to date: make a backup before, with the version that it is of"
    )]
    Older {
        /// Its schema.
        found: i32,
        /// The one of this server.
        known: i32,
    },
    /// It is of an older server, and who connected may not change it.
    #[error(
        "the database is of an older meantime-server, and only the tables' owner can bring it up to date ({0}); \
         give the owner's address too"
    )]
    NotOwner(String),
    /// Another program's tables stand where the server's would.
    #[error("the schema `meantime` in the database is not meantime-server's")]
    Foreign,
    /// There are no tables where some were expected.
    #[error("the database has no meantime-server in it; `meantime-server init` makes one")]
    Missing,
    /// There are some where none were expected.
    #[error("the database has a meantime-server in it already")]
    Exists,
    /// The role isn't there, and can't be made.
    #[error(
        "the role {role} can't be made or used ({why}); let PostgreSQL's superuser run what is still missing of: \
         CREATE ROLE {role} NOLOGIN; GRANT {role} TO {users};"
    )]
    NoRole {
        /// Its name.
        role: String,
        /// Who has to be a member of it: everybody who connects.
        users: String,
        /// PostgreSQL's reason.
        why: String,
    },
    /// The role owns the tables or stands above row-level security.
    #[error(
        "the role {0} owns the tables or bypasses row-level security, so nothing would keep teams apart; use a plain one"
    )]
    Bypasses(String),
    /// PostgreSQL is too old.
    #[error("PostgreSQL 15 or newer is needed, this is {0}")]
    OldPostgres(String),
    /// Others work on it, and must not.
    #[error(
        "the database is in use: {others} other connections ({users}); stop every meantime-server on it, and a pooler \
         if there is one between"
    )]
    InUse {
        /// How many connections.
        others: i64,
        /// Whose.
        users: String,
    },
    /// It can't be reached, or refuses.
    #[error("the database: {0}")]
    Database(String),
}

impl OpenError {
    pub(crate) fn of(error: &Error) -> Self {
        let missing = [SqlState::INVALID_SCHEMA_NAME, SqlState::UNDEFINED_TABLE];
        match error.code() {
            Some(code) if missing.contains(code) => Self::Missing,
            Some(code) if *code == SqlState::UNDEFINED_COLUMN => Self::Foreign,
            _ => Self::Database(words(error)),
        }
    }
}

impl Postgres {
    /// Makes the tables in a database that has none, and opens it.
    ///
    /// # Errors
    /// When there are some already, or the owner may not make them.
    pub async fn create(settings: &Settings, epoch: Epoch) -> Result<Self, OpenError> {
        let mut owner = Owner::connect(settings).await?;
        schema::create(&mut owner.client, settings, epoch).await?;
        drop(owner);
        Self::open(settings).await
    }

    /// Opens a database that has the tables, and brings them up to date.
    /// Several processes may do so at once.
    ///
    /// # Errors
    /// When they are missing, foreign or newer, or the database can't be used.
    pub async fn open(settings: &Settings) -> Result<Self, OpenError> {
        let mut owner = Owner::connect(settings).await?;
        schema::upgrade(&mut owner.client, settings.role()?).await?;
        drop(owner);
        Ok(Self { connections: Connections::open(settings).await? })
    }

    /// Opens a database whose tables are up to date already: servers of the
    /// version before may be running on it.
    ///
    /// # Errors
    /// As [`Postgres::open`], and when it is older.
    pub async fn open_as_it_is(settings: &Settings) -> Result<Self, OpenError> {
        schema::up_to_date(&Owner::connect(settings).await?.client).await?;
        Ok(Self { connections: Connections::open(settings).await? })
    }
}

/// A connection of who owns the tables; closed when dropped.
pub(crate) struct Owner {
    pub(crate) client: Client,
    connection: JoinHandle<()>,
}

impl Owner {
    pub(crate) async fn connect(settings: &Settings) -> Result<Self, OpenError> {
        let (config, tls) = (settings.owner()?, settings.tls()?);
        let connected = tokio::time::timeout(CONNECTING, config.connect(tls)).await;
        let connected = connected.map_err(|_| OpenError::Database("no answer".to_owned()))?;
        let (client, connection) = connected.map_err(|e| OpenError::Database(words(&e)))?;
        // How it ended shows in the calls.
        let connection = tokio::spawn(async move { drop(connection.await) });
        let owner = Self { client, connection };
        owner.client.batch_execute(schema::DURABLE).await.map_err(|e| OpenError::Database(words(&e)))?;
        Ok(owner)
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        self.connection.abort();
    }
}
