//! Connections that read, each used by one call at a time. They see the last
//! committed state and don't wait for what is written, but for the moments in
//! which the log is emptied ([`Gate`]).

use crate::open::connect;
use crate::writer::failed;
use meantime_server_core::StorageError;
use rusqlite::{Connection, Error, TransactionBehavior};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use tokio::sync::Semaphore;

/// Reads at once. More would only take turns on the processors.
const AT_ONCE: usize = 8;

/// Open for reads; closed by the writer for as long as it takes to empty the
/// log, which only goes while nobody reads: with reads that always overlap
/// there would be no such moment, and the log would grow for ever.
pub(crate) type Gate = Arc<RwLock<()>>;

/// The connections not in use, and how many may be.
#[derive(Debug)]
pub(crate) struct Readers {
    path: PathBuf,
    idle: Arc<Mutex<Vec<Connection>>>,
    turns: Semaphore,
    gate: Gate,
}

impl Readers {
    pub(crate) fn new(path: &Path, gate: Gate) -> Self {
        Self { path: path.to_owned(), idle: Arc::default(), turns: Semaphore::new(AT_ONCE), gate }
    }

    /// Runs `work` on one state of the database, off the async threads.
    pub(crate) async fn read<T, W>(&self, work: W) -> Result<T, StorageError>
    where
        T: Send + 'static,
        W: FnOnce(&Connection) -> Result<T, Error> + Send + 'static,
    {
        let _turn = self.turns.acquire().await.map_err(|_| StorageError::Busy)?;
        let (idle, path, gate) = (Arc::clone(&self.idle), self.path.clone(), Arc::clone(&self.gate));
        let read = tokio::task::spawn_blocking(move || {
            let kept = idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let mut db = match kept {
                Some(db) => db,
                None => connect(&path).map_err(|e| StorageError::Failed(e.to_string()))?,
            };
            let open = gate.read().unwrap_or_else(PoisonError::into_inner);
            let result = in_one_state(&mut db, work).map_err(|e| failed(&e));
            drop(open);
            idle.lock().unwrap_or_else(PoisonError::into_inner).push(db);
            result
        });
        read.await.map_err(|e| StorageError::Failed(e.to_string()))?
    }
}

fn in_one_state<T>(db: &mut Connection, work: impl FnOnce(&Connection) -> Result<T, Error>) -> Result<T, Error> {
    let tx = db.transaction_with_behavior(TransactionBehavior::Deferred)?;
    let value = work(&tx)?;
    tx.commit()?;
    Ok(value)
}
