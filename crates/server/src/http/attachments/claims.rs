//! One request at a time works on one upload; the newest: the one before it is
//! on a connection that its device has given up. And uploads are begun one
//! after the other, or many at once would be more than may be.

use meantime_model::{DeviceId, PersonId};
use meantime_protocol::{Code, Problem};
use meantime_server_blobs::Upload;
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{Mutex as Turns, MutexGuard as Turn};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// Uploads at once; each takes a few MiB of memory.
const AT_ONCE: usize = 64;
/// Uploads at once of one person, on all of their devices.
const AT_ONCE_EACH: usize = 8;
/// A request that was told to end has written what it had by then.
const PATIENCE: Duration = Duration::from_secs(10);

/// Who works on which upload.
#[derive(Clone, Debug, Default)]
pub struct Claims {
    held: Arc<Mutex<HashMap<Upload, Holder>>>,
    turns: Arc<Turns<()>>,
}

#[derive(Debug)]
struct Holder {
    person: PersonId,
    /// It is new: nothing of it may be kept yet.
    begins: bool,
    /// Tells it to end.
    end: CancellationToken,
    /// Tells that it has ended.
    ended: CancellationToken,
}

/// The right to work on an upload, until it is dropped.
#[derive(Debug)]
pub(super) struct Claim {
    claims: Claims,
    upload: Upload,
    end: CancellationToken,
    ended: CancellationToken,
}

impl Claims {
    /// Ends whoever works on that upload, and takes its place.
    pub(super) async fn claim(&self, upload: Upload, person: PersonId) -> Result<Claim, Problem> {
        let give_up = tokio::time::Instant::now() + PATIENCE;
        loop {
            let before = {
                let mut held = self.lock();
                match held.get(&upload) {
                    Some(holder) => {
                        holder.end.cancel();
                        holder.ended.clone()
                    }
                    None => return self.take(&mut held, upload, person),
                }
            };
            if tokio::time::timeout_at(give_up, before.cancelled()).await.is_err() {
                return Err(busy("this file is being written; try again"));
            }
        }
    }

    /// The turn of one upload to begin.
    pub(super) async fn turn(&self) -> Turn<'_, ()> {
        self.turns.lock().await
    }

    /// The uploads of a device that are being begun.
    pub(super) fn beginning(&self, device: DeviceId) -> HashSet<Uuid> {
        let held = self.lock();
        let begin = held.iter().filter(|(upload, holder)| upload.device == device && holder.begins);
        begin.map(|(upload, _)| upload.id).collect()
    }

    fn take(&self, held: &mut HashMap<Upload, Holder>, upload: Upload, person: PersonId) -> Result<Claim, Problem> {
        if held.len() >= AT_ONCE || held.values().filter(|holder| holder.person == person).count() >= AT_ONCE_EACH {
            return Err(busy("too many files are being sent at once; try again"));
        }
        let (end, ended) = (CancellationToken::new(), CancellationToken::new());
        held.insert(upload, Holder { person, begins: false, end: end.clone(), ended: ended.clone() });
        Ok(Claim { claims: self.clone(), upload, end, ended })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Upload, Holder>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Claim {
    /// The upload is one that begins.
    pub(super) fn begins(&self) {
        if let Some(holder) = self.claims.lock().get_mut(&self.upload) {
            holder.begins = true;
        }
    }

    /// Returns when somebody else wants to work on it.
    pub(super) async fn wanted(&self) {
        self.end.cancelled().await;
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.claims.lock().remove(&self.upload);
        self.ended.cancel();
    }
}

fn busy(message: &str) -> Problem {
    Problem { retry_after: Some(2), ..Problem::new(Code::Busy, message) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use meantime_model::{DeviceId, TeamId};
    use meantime_protocol::Sha256;

    fn upload(n: u8) -> Upload {
        let nil = uuid::Uuid::nil();
        let id = uuid::Uuid::from_u128(n.into());
        Upload { team: TeamId(nil), device: DeviceId(nil), id, sha256: Sha256([n; 32]) }
    }

    #[tokio::test]
    async fn the_newest_takes_over() {
        let claims = Claims::default();
        let ana = PersonId::new();
        let first = claims.claim(upload(1), ana).await.unwrap();
        let other = claims.claim(upload(2), ana).await.unwrap();
        let worker = tokio::spawn(async move { first.wanted().await });
        let second = claims.claim(upload(1), ana).await.unwrap();
        worker.await.unwrap();
        drop((second, other));
        assert!(claims.lock().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_has_too_many_or_waits_for_ever() {
        let claims = Claims::default();
        let ana = PersonId::new();
        let mut held = Vec::new();
        for n in 0..AT_ONCE_EACH as u8 {
            held.push(claims.claim(upload(n), ana).await.unwrap());
        }
        assert_eq!(claims.claim(upload(99), ana).await.unwrap_err().code, Code::Busy);
        let stuck = claims.claim(upload(0), ana).await.unwrap_err();
        assert_eq!((stuck.code, stuck.retry_after), (Code::Busy, Some(2)));
        for n in AT_ONCE_EACH as u8..AT_ONCE as u8 {
            held.push(claims.claim(upload(n), PersonId::new()).await.unwrap());
        }
        assert_eq!(claims.claim(upload(99), PersonId::new()).await.unwrap_err().code, Code::Busy);
        held.clear();
        claims.claim(upload(99), ana).await.unwrap();
    }
}
