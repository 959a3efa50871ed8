//! The one thread that writes. Whatever waits when it looks goes into one
//! transaction, each piece behind a savepoint of its own; all are answered
//! after the one sync to disk, so a busy server pays for it once.

use crate::open::PATIENCE;
use crate::readers::Gate;
use meantime_server_core::StorageError;
use rusqlite::{Connection, Error, TransactionBehavior};
use std::fmt;
use std::panic::{self, AssertUnwindSafe};
use std::path::{Path, PathBuf};
use std::sync::{PoisonError, mpsc};
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

/// Pieces of work in one transaction.
const TOGETHER: usize = 256;
/// Pieces of work that may wait; beyond it the storage is busy.
const WAITING: usize = 4096;

/// How big the log gets, in bytes, before reads make way for emptying it.
pub(crate) const LOG: u64 = 16 << 20;
/// How long emptying waits for another process's reads.
const BRIEFLY: Duration = Duration::from_millis(100);
/// How long nothing is tried after they were in the way.
const REST: Duration = Duration::from_secs(5);

/// A handle on the thread. It ends when the last handle is dropped.
pub(crate) struct Writer {
    jobs: mpsc::SyncSender<Job>,
}

/// Runs inside the transaction. Answers how to tell its caller, and whether
/// what it did shall stay.
type Job = Box<dyn FnOnce(&Connection) -> (Keep, Answer) + Send>;
/// Tells the caller; with an error when the commit failed.
type Answer = Box<dyn FnOnce(Result<(), StorageError>) + Send>;

enum Keep {
    Yes,
    No,
}

/// What a piece of work came to.
pub(crate) enum Done<T> {
    /// Commit it.
    Keep(T),
    /// Undo what it wrote.
    Undo(T),
}

impl fmt::Debug for Writer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Writer")
    }
}

impl Writer {
    /// Gives the connection to a thread of its own.
    pub(crate) fn start(db: Connection, path: &Path, gate: Gate) -> std::io::Result<Self> {
        let (jobs, inbox) = mpsc::sync_channel(WAITING);
        let log = Log::of(path, gate);
        std::thread::Builder::new().name("sqlite-writer".to_owned()).spawn(move || run(db, log, &inbox))?;
        Ok(Self { jobs })
    }

    /// Runs `work` in a transaction; durable when this returns.
    pub(crate) async fn write<T, W>(&self, work: W) -> Result<T, StorageError>
    where
        T: Send + 'static,
        W: FnOnce(&Connection) -> Result<Done<T>, Error> + Send + 'static,
    {
        let (tell, told) = oneshot::channel::<Result<T, StorageError>>();
        let job: Job = Box::new(move |db| {
            // The thread outlives what panics in it: a savepoint takes back what it did.
            let (keep, result) = match panic::catch_unwind(AssertUnwindSafe(|| work(db))) {
                Ok(Ok(Done::Keep(value))) => (Keep::Yes, Ok(value)),
                Ok(Ok(Done::Undo(value))) => (Keep::No, Ok(value)),
                Ok(Err(error)) => (Keep::No, Err(failed(&error))),
                Err(_) => (Keep::No, Err(StorageError::Failed("a write panicked; nothing of it was kept".to_owned()))),
            };
            // A caller that went away has nothing to be told.
            let answer: Answer = Box::new(move |committed| drop(tell.send(committed.and(result))));
            (keep, answer)
        });
        self.jobs.try_send(job).map_err(|e| match e {
            mpsc::TrySendError::Full(_) => StorageError::Busy,
            mpsc::TrySendError::Disconnected(_) => StorageError::Failed("the writer ended".to_owned()),
        })?;
        // Dropped without an answer: its transaction could not begin.
        told.await.map_err(|_| StorageError::Busy)?
    }
}

/// The log beside the file, emptied before it gets big.
struct Log {
    path: PathBuf,
    gate: Gate,
    /// Not tried again before: something was in the way.
    rest: Option<Instant>,
}

impl Log {
    fn of(path: &Path, gate: Gate) -> Self {
        let mut name = path.as_os_str().to_owned();
        name.push("-wal");
        Self { path: name.into(), gate, rest: None }
    }

    /// Empties it if it is big. Reads of another process may be in the way
    /// (a copy of the file, say); then it grows further until they are done.
    fn keep_small(&mut self, db: &Connection) {
        let big = || std::fs::metadata(&self.path).is_ok_and(|file| file.len() > LOG);
        if !big() || self.rest.is_some_and(|until| Instant::now() < until) {
            return;
        }
        let closed = self.gate.write().unwrap_or_else(PoisonError::into_inner);
        let emptied = db
            .busy_timeout(BRIEFLY)
            .and_then(|()| db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())))
            .and_then(|()| db.busy_timeout(PATIENCE));
        drop(closed);
        if let Err(error) = emptied {
            tracing::warn!(%error, "the database's log could not be emptied");
        }
        self.rest = big().then(|| Instant::now() + REST);
    }
}

fn run(mut db: Connection, mut log: Log, inbox: &mpsc::Receiver<Job>) {
    while let Ok(first) = inbox.recv() {
        let waiting = std::iter::once(first).chain(inbox.try_iter().take(TOGETHER - 1));
        let mut answers: Vec<Answer> = Vec::new();
        let committed = transaction(&mut db, waiting, &mut answers).map_err(|e| failed(&e));
        for answer in answers {
            answer(match &committed {
                Ok(()) => Ok(()),
                Err(StorageError::Busy) => Err(StorageError::Busy),
                Err(StorageError::Unsure(why)) => Err(StorageError::Unsure(why.clone())),
                Err(StorageError::Failed(why)) => Err(StorageError::Failed(why.clone())),
            });
        }
        log.keep_small(&db);
    }
}

/// Whatever was not answered when this fails is answered by its caller's
/// channel being dropped.
fn transaction(db: &mut Connection, jobs: impl Iterator<Item = Job>, answers: &mut Vec<Answer>) -> Result<(), Error> {
    let mut tx = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for job in jobs {
        let savepoint = tx.savepoint()?;
        let (keep, answer) = job(&savepoint);
        answers.push(answer);
        match keep {
            Keep::Yes => savepoint.commit()?,
            Keep::No => savepoint.finish()?,
        }
    }
    tx.commit()
}

/// Bytes that are left on a database's disk, where that can be told.
pub(crate) fn room(db: &Connection) -> Option<u64> {
    #[cfg(unix)]
    {
        let disk = rustix::fs::statvfs(db.path()?).ok()?;
        Some(disk.f_bavail.saturating_mul(disk.f_frsize))
    }
    #[cfg(not(unix))]
    {
        let _ = db;
        None
    }
}

pub(crate) fn failed(error: &Error) -> StorageError {
    match error.sqlite_error_code() {
        Some(rusqlite::ErrorCode::DatabaseBusy | rusqlite::ErrorCode::DatabaseLocked) => StorageError::Busy,
        _ => StorageError::Failed(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Sqlite;
    use meantime_protocol::Epoch;
    use meantime_server_core::Storage as _;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_write_that_panics_takes_nobody_along() {
        let dir = tempfile::tempdir().unwrap();
        let sqlite = Sqlite::create(&dir.path().join("server.db"), Epoch(1)).unwrap();
        let now = async || {
            let read = |db: &Connection| db.query_row("SELECT epoch FROM life", [], |r| r.get::<_, i64>(0));
            sqlite.readers.read(read).await.unwrap()
        };
        let add = |n: i64| move |db: &Connection| db.execute("UPDATE life SET epoch = epoch + ?1", [n]).map(Done::Keep);
        // While this one waits, those behind it come together into one transaction.
        let (go, wait) = mpsc::channel::<()>();
        let first = sqlite.writer.write(move |_| Ok(Done::Keep(wait.recv().is_ok())));
        let panics = sqlite.writer.write(move |db| -> Result<Done<()>, Error> {
            add(100)(db)?;
            panic!("on purpose");
        });
        let beside = [sqlite.writer.write(add(10)), sqlite.writer.write(add(20))];
        let end = async { go.send(()).unwrap() };
        let (first, before, panicked, after, ()) = {
            let [before, after] = beside;
            tokio::join!(first, before, panics, after, end)
        };
        assert!(first.unwrap());
        assert_eq!((before.unwrap(), after.unwrap()), (1, 1));
        assert!(matches!(panicked, Err(StorageError::Failed(why)) if why.contains("nothing of it was kept")));
        assert_eq!(now().await, 31, "what panicked is undone, what was written beside it is not");
        sqlite.writer.write(add(1)).await.unwrap();
        assert_eq!(now().await, 32);
        sqlite.writable().await.unwrap();
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn what_can_not_be_written_is_found_out() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("server.db");
        let sqlite = Sqlite::create(&path, Epoch(1)).unwrap();
        let log = || std::fs::metadata(path.with_extension("db-wal")).unwrap().len();
        let before = log();
        sqlite.writable().await.unwrap();
        assert!(log() > before, "something goes onto the disk, so that a full one is noticed");
        let only_read = |db: &Connection| db.pragma_update(None, "query_only", true).map(Done::Keep);
        sqlite.writer.write(only_read).await.unwrap();
        assert!(sqlite.writable().await.is_err());
    }
}
