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
    turns: Arc<Semaphore>,
    gate: Gate,
}

impl Readers {
    pub(crate) fn new(path: &Path, gate: Gate) -> Self {
        Self { path: path.to_owned(), idle: Arc::default(), turns: Arc::new(Semaphore::new(AT_ONCE)), gate }
    }

    /// Runs `work` on one state of the database, off the async threads.
    pub(crate) async fn read<T, W>(&self, work: W) -> Result<T, StorageError>
    where
        T: Send + 'static,
        W: FnOnce(&Connection) -> Result<T, Error> + Send + 'static,
    {
        let turn = Arc::clone(&self.turns).acquire_owned().await.map_err(|_| StorageError::Busy)?;
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
            // Held to the end of the work, however early its caller goes away.
            drop(turn);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Sqlite;
    use meantime_protocol::Epoch;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Poll;
    use std::time::{Duration, Instant};

    #[tokio::test]
    #[expect(clippy::await_holding_lock, reason = "held on purpose, until all have been dropped")]
    async fn a_caller_that_goes_away_makes_no_room_for_another() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("server.db");
        let sqlite = Sqlite::create(&path, Epoch(1)).unwrap();
        let (running, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let done = Arc::new(Mutex::new(()));
        let stopped = done.lock().unwrap();
        for _ in 0..100 {
            let (running, most, done) = (Arc::clone(&running), Arc::clone(&most), Arc::clone(&done));
            let mut read = Box::pin(sqlite.readers.read(move |_| {
                most.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                drop(done.lock());
                running.fetch_sub(1, Ordering::SeqCst);
                Ok(())
            }));
            // Begun as far as it goes, and dropped.
            std::future::poll_fn(|context| {
                let _ = read.as_mut().poll(context);
                Poll::Ready(())
            })
            .await;
        }
        let deadline = Instant::now() + Duration::from_secs(30);
        while running.load(Ordering::SeqCst) < AT_ONCE {
            assert!(Instant::now() < deadline);
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        assert_eq!(sqlite.readers.turns.available_permits(), 0);
        drop(stopped);
        while sqlite.readers.turns.available_permits() < AT_ONCE {
            assert!(Instant::now() < deadline);
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        assert_eq!(most.load(Ordering::SeqCst), AT_ONCE);
        assert!(sqlite.readers.idle.lock().unwrap().len() <= AT_ONCE);
    }
}
