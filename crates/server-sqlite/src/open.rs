//! Opens the file: never one that is newer, damaged or silently empty.

use crate::readers::{Gate, Readers};
use crate::schema;
use crate::writer::Writer;
use meantime_protocol::Epoch;
use rusqlite::{Connection, ErrorCode, OpenFlags};
use std::fs::OpenOptions;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicI64;
use std::time::Duration;

/// First SQLite without the WAL-reset corruption.
const OLDEST: i32 = 3_051_003;

/// How long anything waits for another process that writes.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// The backend. Cloning is not needed: all calls take `&self`. Dropping it
/// ends the writer after what was handed to it.
#[derive(Debug)]
pub struct Sqlite {
    pub(crate) writer: Writer,
    pub(crate) readers: Readers,
    pub(crate) epoch: Epoch,
    /// The file's `data_version` as the writer saw it last; none is below 0.
    pub(crate) version: AtomicI64,
}

/// Why the file could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// It is there, but of a newer server.
    #[error("{path} was written by a newer meantime-server (schema {found}, this one knows {known}); start that one")]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its schema.
        found: i64,
        /// The newest one known here.
        known: i64,
    },
    /// It is there, but of an older server.
    #[error(
        "{path} is of an older version (schema {found}, this meantime-server has {known}); \
         `meantime-server serve` brings it up to date, after copying it"
    )]
    Older {
        /// The file.
        path: PathBuf,
        /// Its schema.
        found: i64,
        /// The one of this server.
        known: i64,
    },
    /// It is another program's.
    #[error("{0} is not a meantime-server database")]
    Foreign(PathBuf),
    /// There is none where one was expected.
    #[error("there is no database at {0}; `meantime-server init` makes one")]
    Missing(PathBuf),
    /// There is one where none was expected.
    #[error("there is a database at {0} already")]
    Exists(PathBuf),
    /// Something in it is not as it was written.
    #[error("{path} is damaged: {said}; put a backup back")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What SQLite found.
        said: String,
    },
    /// This build's SQLite is too old to be trusted.
    #[error("SQLite {0} can damage databases; 3.51.3 or newer is needed")]
    OldSqlite(&'static str),
    /// SQLite said no.
    #[error("{path} can't be used: {why}")]
    Sqlite {
        /// The file.
        path: PathBuf,
        /// Its reason; no `source`, so that nobody who prints all of those says it twice.
        why: rusqlite::Error,
    },
    /// The operating system said no.
    #[error("{path} can't be opened: {why}")]
    Io {
        /// The file.
        path: PathBuf,
        /// Its reason.
        why: std::io::Error,
    },
}

impl OpenError {
    /// What SQLite said of a file.
    pub(crate) fn of(path: &Path, why: rusqlite::Error) -> Self {
        let path = path.to_owned();
        match why.sqlite_error_code() {
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Self::Damaged { path, said: why.to_string() },
            _ => Self::Sqlite { path, why },
        }
    }

    /// What the operating system said of a file.
    pub(crate) fn io(path: &Path, why: std::io::Error) -> Self {
        Self::Io { path: path.to_owned(), why }
    }
}

impl Sqlite {
    /// Makes a new database, readable for its owner only.
    ///
    /// # Errors
    /// When there is one already, or it can't be written.
    pub fn create(path: &Path, epoch: Epoch) -> Result<Self, OpenError> {
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        match options.open(path) {
            Ok(_) => {}
            Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => return Err(OpenError::Exists(path.to_owned())),
            Err(why) => return Err(OpenError::io(path, why)),
        }
        let mut db = connect(path)?;
        schema::create(&mut db, epoch).map_err(|why| OpenError::of(path, why))?;
        drop(db);
        Self::open(path)
    }

    /// Opens a database that is there, and brings its schema up to date.
    ///
    /// # Errors
    /// When it is missing, foreign, newer or can't be read.
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        Self::opened(path, schema::upgrade)
    }

    /// Opens a database that is there and up to date already: a server of the
    /// version before may be running on it.
    ///
    /// # Errors
    /// As [`Sqlite::open`], and when it is older.
    pub fn open_as_it_is(path: &Path) -> Result<Self, OpenError> {
        Self::opened(path, schema::look)
    }

    fn opened(path: &Path, look: fn(&mut Connection, &Path) -> Result<Epoch, OpenError>) -> Result<Self, OpenError> {
        if rusqlite::version_number() < OLDEST {
            return Err(OpenError::OldSqlite(rusqlite::version()));
        }
        if !path.exists() {
            return Err(OpenError::Missing(path.to_owned()));
        }
        let mut db = connect(path)?;
        let epoch = look(&mut db, path)?;
        let gate = Gate::default();
        let writer = Writer::start(db, path, Arc::clone(&gate));
        let writer = writer.map_err(|why| OpenError::io(path, why))?;
        Ok(Self { writer, readers: Readers::new(path, gate), epoch, version: AtomicI64::new(-1) })
    }
}

/// A connection with everything set that is not kept in the file.
pub(crate) fn connect(path: &Path) -> Result<Connection, OpenError> {
    let sqlite = |why| OpenError::of(path, why);
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let db = Connection::open_with_flags(path, flags).map_err(sqlite)?;
    db.busy_timeout(PATIENCE).map_err(sqlite)?;
    // What is deleted is overwritten: backups copy pages as they are.
    db.execute_batch(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA secure_delete = ON; PRAGMA foreign_keys = ON;
         PRAGMA trusted_schema = OFF; PRAGMA cache_size = -8000; PRAGMA journal_size_limit = 67108864;",
    )
    .map_err(sqlite)?;
    db.set_prepared_statement_cache_capacity(64);
    Ok(db)
}
