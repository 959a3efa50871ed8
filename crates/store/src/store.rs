//! The handle: one writing connection behind a lock, a few reading ones.

use crate::error::met_damage;
use crate::{Result, StoreError};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, TransactionBehavior};
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Idle reading connections kept; each costs about 2 MB once it is warm.
const IDLE_READERS: usize = 3;
const BUSY: Duration = Duration::from_secs(10);

/// How big the log gets, in bytes, before a write waits to empty it.
const LOG: u64 = 16 << 20;
/// How long emptying waits for reads.
const BRIEFLY: Duration = Duration::from_millis(100);
/// How long nothing is tried after they were in the way.
const REST: Duration = Duration::from_secs(5);

/// The app's database. Clones share it.
///
/// Calls block: from async code make them inside `spawn_blocking`. A closure
/// must not call [`Store::write`] again (it would wait for itself).
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

struct Inner {
    path: PathBuf,
    writer: Mutex<Connection>,
    /// The log is not emptied before: something was in the way.
    rest: Mutex<Option<Instant>>,
    readers: Mutex<Vec<Connection>>,
}

/// A consistent view of the database.
pub struct Read<'c> {
    pub(crate) conn: &'c Connection,
}

/// An open writing transaction; it reads its own writes.
pub struct Tx<'c> {
    read: Read<'c>,
}

impl<'c> Deref for Tx<'c> {
    type Target = Read<'c>;
    fn deref(&self) -> &Read<'c> {
        &self.read
    }
}

impl Store {
    pub(crate) fn over(path: PathBuf, writer: Connection) -> Self {
        // What opening met is dealt with.
        met_damage();
        let (writer, rest, readers) = (Mutex::new(writer), Mutex::new(None), Mutex::new(Vec::new()));
        Self { inner: Arc::new(Inner { path, writer, rest, readers }) }
    }

    /// Where the database is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.inner.path
    }

    /// Reads; everything in `f` sees one state of the database.
    ///
    /// # Errors
    /// What `f` returns, or the database's own.
    pub fn read<T, E: From<StoreError>>(&self, f: impl FnOnce(&Read<'_>) -> Result<T, E>) -> Result<T, E> {
        let conn = match lock(&self.inner.readers).pop() {
            Some(conn) => conn,
            None => connect(&self.inner.path, OpenFlags::SQLITE_OPEN_READ_ONLY)?,
        };
        let out = (|| {
            let snapshot = conn.unchecked_transaction().map_err(StoreError::from)?;
            f(&Read { conn: &snapshot })
        })();
        if out.is_err() {
            self.note_damage();
            return out;
        }
        let mut idle = lock(&self.inner.readers);
        if idle.len() < IDLE_READERS {
            idle.push(conn);
        }
        out
    }

    /// Changes something that nobody else has a copy of (typed words, triage,
    /// focus): once this returns, it is on the disk. All of `f` or nothing of
    /// it happens.
    ///
    /// # Errors
    /// What `f` returns, or the database's own; in either case nothing changed.
    pub fn write<T, E: From<StoreError>>(&self, f: impl FnOnce(&Tx<'_>) -> Result<T, E>) -> Result<T, E> {
        self.transact("FULL", f)
    }

    /// Changes something that can be read again elsewhere (pages of a source
    /// or a feed): all of `f` or nothing of it, but a power cut may take back
    /// the last of these calls, the cursor with the rows. A killed process
    /// takes back nothing.
    ///
    /// # Errors
    /// As [`Store::write`].
    pub fn write_bulk<T, E: From<StoreError>>(&self, f: impl FnOnce(&Tx<'_>) -> Result<T, E>) -> Result<T, E> {
        self.transact("NORMAL", f)
    }

    fn transact<T, E: From<StoreError>>(
        &self,
        synchronous: &str,
        f: impl FnOnce(&Tx<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let out = self.try_transact(synchronous, f);
        if out.is_err() {
            self.note_damage();
        }
        out
    }

    fn try_transact<T, E: From<StoreError>>(
        &self,
        synchronous: &str,
        f: impl FnOnce(&Tx<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let mut conn = lock(&self.inner.writer);
        // Takes effect only outside a transaction, which is where we are.
        conn.pragma_update(None, "synchronous", synchronous).map_err(StoreError::from)?;
        let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate).map_err(StoreError::from)?;
        let out = {
            let tx = Tx { read: Read { conn: &tx } };
            let out = f(&tx)?;
            crate::search::settle(&tx)?;
            out
        };
        tx.commit().map_err(StoreError::from)?;
        self.keep_log_small(&conn);
        Ok(out)
    }

    /// Empties the log if it is big: reads that always overlap leave SQLite no
    /// moment to do it by itself. One that takes long (a copy of the file, say)
    /// is not waited for; then the log grows until it is done.
    fn keep_log_small(&self, conn: &Connection) {
        let path = beside(&self.inner.path, "-wal");
        let big = || std::fs::metadata(&path).is_ok_and(|log| log.len() > LOG);
        let mut rest = lock(&self.inner.rest);
        if !big() || rest.is_some_and(|until| Instant::now() < until) {
            return;
        }
        let emptied = conn
            .busy_timeout(BRIEFLY)
            .and_then(|()| conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())))
            .and_then(|()| conn.busy_timeout(BUSY));
        if let Err(error) = emptied {
            tracing::warn!(%error, "the database's log could not be emptied");
        }
        *rest = big().then(|| Instant::now() + REST);
    }

    /// Looks at every page and index. Reads the whole file.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] with what was found.
    pub fn check(&self) -> Result<()> {
        self.read(|r| quick_check(r.conn))
    }

    /// Remembers beside the file that it was found damaged, if that is why a
    /// call failed, so that the next [`Store::open`] looks at all of it.
    fn note_damage(&self) {
        if !met_damage() {
            return;
        }
        let note = suspect_path(&self.inner.path);
        tracing::error!("the database is damaged: the next start looks at all of it");
        if let Err(error) = std::fs::write(&note, b"") {
            tracing::error!(%error, path = %note.display(), "that could not be noted");
        }
    }

    /// Gives memory back, merges a part of the search index and lets the planner
    /// look at the tables; for a quiet
    /// moment (say, once an hour).
    ///
    /// # Errors
    /// The database's own.
    pub fn tidy(&self) -> Result<()> {
        let out = self.try_tidy();
        if out.is_err() {
            self.note_damage();
        }
        out
    }

    fn try_tidy(&self) -> Result<()> {
        lock(&self.inner.readers).clear();
        // An import that was killed left it for later.
        self.write_bulk(crate::search::take_up_beginnings)?;
        let conn = lock(&self.inner.writer);
        conn.execute("INSERT INTO message_fts (message_fts, rank) VALUES ('merge', 500)", [])?;
        conn.execute("INSERT INTO message_cjk (message_cjk, rank) VALUES ('merge', 500)", [])?;
        conn.execute_batch("PRAGMA optimize; PRAGMA shrink_memory; PRAGMA wal_checkpoint(TRUNCATE);")?;
        Ok(())
    }
}

/// Opens a connection as all of ours are.
pub(crate) fn connect(path: &Path, flags: OpenFlags) -> Result<Connection> {
    let conn = Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    conn.busy_timeout(BUSY)?;
    crate::search::register(&conn)?;
    conn.set_prepared_statement_cache_capacity(128);
    // Otherwise statements are prepared anew for each value bound to them.
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    // 8 MiB of page cache; sorting in memory; a WAL that grew is cut again.
    conn.execute_batch(
        "PRAGMA foreign_keys = ON; PRAGMA cache_size = -8192; PRAGMA temp_store = MEMORY;
         PRAGMA journal_size_limit = 67108864; PRAGMA recursive_triggers = ON; PRAGMA trusted_schema = OFF;",
    )?;
    Ok(conn)
}

pub(crate) fn quick_check(conn: &Connection) -> Result<()> {
    let found: String = conn.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    if found == "ok" { Ok(()) } else { Err(StoreError::Damaged(found)) }
}

pub(crate) fn suspect_path(path: &Path) -> PathBuf {
    beside(path, ".suspect")
}

/// `path` with `ending` added to its name.
pub(crate) fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    PathBuf::from(name)
}

// A panic in a closure rolled its transaction back: the connection is sound.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
