//! Passwords: argon2id, kept as a PHC string
//! (`$argon2id$v=19$m=47104,t=1,p=1$SALT$HASH`), hashed a few at a time.

use crate::limits::{HASHES_AT_ONCE, HASHES_WAITING, PASSWORD_AT_LEAST, PASSWORD_AT_MOST};
use argon2::{Algorithm, Argon2, Params, Version};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use meantime_protocol::{Code, Problem};
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Bytes of a salt, and of a hash.
const SALT: usize = 16;
const HASH: usize = 32;
/// What a kept hash may ask for: one that was tampered with does not eat the
/// machine.
const MOST_MEMORY: u32 = 1 << 20;

/// What a hash costs: memory in KiB, passes, lanes. The default is what OWASP
/// gives first: 46 MiB, one pass, one lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Costs {
    /// KiB.
    pub memory: u32,
    /// Passes over it.
    pub passes: u32,
    /// Lanes.
    pub lanes: u32,
}

impl Default for Costs {
    fn default() -> Self {
        Self { memory: 47_104, passes: 1, lanes: 1 }
    }
}

/// Hashes passwords, a few at a time.
pub(crate) struct Passwords {
    costs: Costs,
    turns: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
}

/// The right to hash one password. Whatever is hashed under it holds it to its
/// end, also when nobody waits for that any more.
#[derive(Clone)]
pub(crate) struct Turn {
    _held: Arc<[OwnedSemaphorePermit; 2]>,
}

/// What became of a comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verified {
    Wrong,
    Right,
    /// Right, but hashed at other costs than are asked for now.
    Outdated,
}

impl Passwords {
    pub(crate) fn new(costs: Costs) -> Self {
        let waiting = Arc::new(Semaphore::new(HASHES_AT_ONCE + HASHES_WAITING));
        Self { costs, turns: Arc::new(Semaphore::new(HASHES_AT_ONCE)), waiting }
    }

    /// Waits for its turn; whatever is decided under it, at most
    /// [`HASHES_AT_ONCE`] others decide at the same time.
    pub(crate) async fn turn(&self) -> Result<Turn, Problem> {
        let waited = Arc::clone(&self.waiting).try_acquire_owned().map_err(|_| crate::core::busy())?;
        let turn = Arc::clone(&self.turns).acquire_owned().await.map_err(|_| crate::core::busy())?;
        Ok(Turn { _held: Arc::new([turn, waited]) })
    }

    /// How many are hashed or wait for it.
    pub(crate) fn queued(&self) -> usize {
        (HASHES_AT_ONCE + HASHES_WAITING).saturating_sub(self.waiting.available_permits())
    }

    /// A new hash of a password.
    pub(crate) async fn hash(&self, turn: &Turn, password: &str) -> Result<String, Problem> {
        let mut salt = [0; SALT];
        getrandom::fill(&mut salt).map_err(|e| crate::core::internal(&e))?;
        let Costs { memory, passes, lanes } = self.costs;
        let hash = derive(turn.clone(), self.costs, salt, password).await?;
        let (salt, hash) = (STANDARD_NO_PAD.encode(salt), STANDARD_NO_PAD.encode(hash));
        Ok(format!("$argon2id$v=19$m={memory},t={passes},p={lanes}${salt}${hash}"))
    }

    /// Compares; with nothing to compare to it does the same work, and says wrong.
    pub(crate) async fn verify(&self, turn: &Turn, password: &str, kept: Option<&str>) -> Result<Verified, Problem> {
        let parsed = kept.and_then(parse);
        let (costs, salt, expected) = parsed.unwrap_or((self.costs, [0; SALT], [0; HASH]));
        let hash = derive(turn.clone(), costs, salt, password).await?;
        let same = hash.iter().zip(expected).fold(0, |differs, (a, b)| differs | (a ^ b)) == 0;
        Ok(match (same && parsed.is_some(), costs == self.costs) {
            (false, _) => Verified::Wrong,
            (true, true) => Verified::Right,
            (true, false) => Verified::Outdated,
        })
    }
}

/// Whether a password may be chosen.
pub(crate) fn acceptable(password: &str) -> Result<(), Problem> {
    if (PASSWORD_AT_LEAST..=PASSWORD_AT_MOST).contains(&password.chars().count()) {
        return Ok(());
    }
    let message = format!("a password has {PASSWORD_AT_LEAST} to {PASSWORD_AT_MOST} characters");
    Err(Problem::new(Code::Invalid, message))
}

async fn derive(turn: Turn, costs: Costs, salt: [u8; SALT], password: &str) -> Result<[u8; HASH], Problem> {
    let password = password.as_bytes().to_vec();
    let work = move || {
        let mut hash = [0; HASH];
        let params = Params::new(costs.memory, costs.passes, costs.lanes, Some(HASH))?;
        Argon2::new(Algorithm::Argon2id, Version::V0x13, params).hash_password_into(&password, &salt, &mut hash)?;
        drop(turn);
        Ok::<_, argon2::Error>(hash)
    };
    let derived = tokio::task::spawn_blocking(work).await.map_err(|e| crate::core::internal(&e))?;
    derived.map_err(|e| crate::core::internal(&e))
}

fn parse(text: &str) -> Option<(Costs, [u8; SALT], [u8; HASH])> {
    let mut parts = text.strip_prefix("$argon2id$v=19$")?.split('$');
    let (costs, salt, hash) = (parts.next()?, parts.next()?, parts.next()?);
    let mut numbers =
        costs.split(',').zip(["m=", "t=", "p="]).map(|(part, name)| part.strip_prefix(name)?.parse().ok());
    let costs = Costs { memory: numbers.next()??, passes: numbers.next()??, lanes: numbers.next()?? };
    let decode = |text: &str| STANDARD_NO_PAD.decode(text).ok();
    let whole = (costs.memory <= MOST_MEMORY).then_some(costs)?;
    Some((whole, decode(salt)?.try_into().ok()?, decode(hash)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::task::{Context, Poll};

    /// What tests hash with: the smallest there is.
    const CHEAP: Costs = Costs { memory: 8, passes: 1, lanes: 1 };

    #[tokio::test]
    async fn tells_right_from_wrong_and_old_from_new() {
        let (old, new) = (Passwords::new(CHEAP), Passwords::new(Costs { passes: 2, ..CHEAP }));
        let turn = old.turn().await.unwrap();
        let kept = old.hash(&turn, "correct horse").await.unwrap();
        assert_ne!(old.hash(&turn, "correct horse").await.unwrap(), kept, "each has a salt of its own");
        for (with, password, kept, expected) in [
            (&old, "correct horse", Some(kept.as_str()), Verified::Right),
            (&new, "correct horse", Some(kept.as_str()), Verified::Outdated),
            (&new, "correct mule", Some(kept.as_str()), Verified::Wrong),
            (&old, "", Some(kept.as_str()), Verified::Wrong),
            (&old, "correct horse", None, Verified::Wrong),
            (&old, "correct horse", Some("$argon2id$v=19$m=8,t=1,p=1$AA$AA"), Verified::Wrong),
            (&old, "correct horse", Some("damaged"), Verified::Wrong),
            (&old, "correct horse", Some("$argon2id$v=19$m=4294967295,t=1,p=1$AA$AA"), Verified::Wrong),
        ] {
            assert_eq!(with.verify(&turn, password, kept).await.unwrap(), expected, "{password} {kept:?}");
        }
    }

    #[tokio::test]
    async fn the_default_is_what_was_asked_for_and_takes_its_time() {
        let passwords = Passwords::new(Costs::default());
        let turn = passwords.turn().await.unwrap();
        let kept = passwords.hash(&turn, "correct horse").await.unwrap();
        assert!(kept.starts_with("$argon2id$v=19$m=47104,t=1,p=1$"), "{kept}");
        assert_eq!(passwords.verify(&turn, "correct horse", Some(&kept)).await.unwrap(), Verified::Right);
    }

    #[tokio::test]
    async fn whoever_goes_away_makes_no_room_for_another() {
        // Long enough to be looked at while it is hashed.
        let passwords = Passwords::new(Costs { passes: 4, ..Costs::default() });
        let mut begun = 0;
        for _ in 0..100 {
            let mut hashed = Box::pin(async {
                let turn = passwords.turn().await?;
                passwords.hash(&turn, "correct horse").await
            });
            // As far as it goes by itself, and dropped.
            let begin = |context: &mut Context<'_>| Poll::Ready(hashed.as_mut().poll(context).is_pending());
            assert!(std::future::poll_fn(begin).await);
            drop(hashed);
            begun = begun.max(passwords.queued());
        }
        assert_eq!(begun, HASHES_AT_ONCE, "no more are hashed than may be at once");
        assert_eq!(passwords.turns.available_permits(), 0, "and those are hashed still");
        passwords.turn().await.expect("they come to their end");
    }

    #[tokio::test]
    async fn only_so_many_wait() {
        let passwords = Passwords::new(CHEAP);
        let mut turns = Vec::new();
        for _ in 0..HASHES_AT_ONCE {
            turns.push(passwords.turn().await.unwrap());
        }
        let passwords = Arc::new(passwords);
        let waiting: Vec<_> = (0..HASHES_WAITING)
            .map(|_| {
                let passwords = Arc::clone(&passwords);
                tokio::spawn(async move { passwords.turn().await.map(drop) })
            })
            .collect();
        while passwords.waiting.available_permits() > 0 {
            tokio::task::yield_now().await;
        }
        assert_eq!(passwords.turn().await.err().unwrap().code, Code::Busy);
        drop(turns);
        for task in waiting {
            task.await.unwrap().unwrap();
        }
    }
}
