//! Tells open streams which feeds moved. Carries no data, and losing a poke
//! does no harm: where a feed stands is one number, and the newest says all.
//!
//! A stream also finds out when its person joins or leaves a circle, and when
//! its device was ended: at once when this process did it, within seconds when
//! another did.
//!
//! What other processes moved comes by [`Pokes`], or is found by looking:
//! once for all streams, at the counters of the feeds that have one here and
//! at the access numbers of their teams, and not at all while the storage
//! knows that nobody else wrote. A stream by itself has no timer.

// long: the streams, what wakes them, and their tests beside them.

use crate::pokes::{Alone, Heard, Moved, Pokes};
use crate::storage::Change;
use crate::watched::{Concerned, Watched, Watching};
use crate::{Actor, Storage, StorageError, TeamScope};
use meantime_model::TeamId;
use meantime_protocol::Scope;
use meantime_protocol::http::Poke;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// How often it is looked whether somebody came or went by another process.
/// What was revoked elsewhere is noticed within this.
const LOOK: Duration = Duration::from_secs(2);

/// Feeds or teams looked at in one call of the storage.
const AT_ONCE: usize = 5_000;

/// No access number is this one: whoever has it knows none yet.
const UNKNOWN: u64 = u64::MAX;

/// Where streams listen.
pub struct Hub {
    watched: Watched,
    others: Arc<dyn Pokes>,
}

impl Default for Hub {
    /// Of the only process.
    fn default() -> Self {
        Self::new(Arc::new(Alone))
    }
}

impl Hub {
    /// Of one process among `others`.
    #[must_use]
    pub fn new(others: Arc<dyn Pokes>) -> Self {
        Self { watched: Watched::default(), others }
    }

    /// This process moved a feed.
    pub fn moved(&self, team: TeamId, scope: Scope, upto: u64) {
        self.watched.tell(team, scope, upto);
        self.others.publish(Moved { team, scope, seq: upto });
    }

    /// This process changed who may read what.
    pub(crate) fn concerns(&self, team: TeamId, concerned: &Concerned) {
        self.watched.concerns(team, concerned);
    }

    /// Passes on what other processes did, for ever.
    pub(crate) async fn hear(&self, storage: &impl Storage) {
        let (mut looked, mut stood) = (Instant::now(), Instant::now());
        // Something may have been written that was not looked at yet.
        let (mut feeds, mut teams) = (false, false);
        loop {
            let time_to_look = async {
                match self.others.look_every() {
                    Some(every) => tokio::time::sleep_until((looked + every).min(stood + LOOK)).await,
                    None => std::future::pending().await,
                }
            };
            let unsure = tokio::select! {
                () = time_to_look => false,
                heard = self.others.heard() => match heard {
                    Heard::Moved(moved) => {
                        let (told, unsure) = self.told(moved).await;
                        // Looked at again with all others if that fails.
                        feeds |= self.look_at_told(storage, told).await.is_err();
                        if !unsure {
                            continue;
                        }
                        true
                    }
                    Heard::Unsure => true,
                }
            };
            // Asked before it is looked: what is written meanwhile is found by
            // the next look. The storage has said what is wrong with it, if
            // anything; the next look may do.
            let wrote = storage.others_wrote().await.unwrap_or(true);
            (feeds, teams) = (feeds || wrote, teams || wrote);
            let every = self.others.look_every().unwrap_or(LOOK);
            if unsure || looked.elapsed() >= every {
                looked = Instant::now();
                feeds = feeds && self.look_at_feeds(storage).await.is_err();
            }
            if unsure || stood.elapsed() >= LOOK {
                stood = Instant::now();
                teams = teams && self.look_at_teams(storage).await.is_err();
            }
        }
    }

    /// Looks at the counter of a feed that is said to have moved. Where it is
    /// said to be is not believed: one number that is too great, and nobody
    /// here would hear of that feed again.
    async fn look_at_told(&self, storage: &impl Storage, told: Vec<Moved>) -> Result<(), StorageError> {
        let known = told.into_iter().filter_map(|told| self.watched.before(told));
        let known: BTreeMap<(TeamId, Scope), Moved> = known.map(|feed| ((feed.team, feed.scope), feed)).collect();
        if known.is_empty() {
            return Ok(());
        }
        for Moved { team, scope, seq } in storage.newer(&known.into_values().collect::<Vec<_>>()).await? {
            self.watched.tell(team, scope, seq);
        }
        Ok(())
    }

    /// A poke and those that wait behind it, and whether one may have been
    /// missed.
    async fn told(&self, first: Moved) -> (Vec<Moved>, bool) {
        let mut told = vec![first];
        while told.len() < AT_ONCE {
            tokio::select! {
                biased;
                heard = self.others.heard() => match heard {
                    Heard::Moved(moved) => told.push(moved),
                    Heard::Unsure => return (told, true),
                },
                () = std::future::ready(()) => break,
            }
        }
        (told, false)
    }

    /// Looks at the counter of every feed that has a stream here.
    async fn look_at_feeds(&self, storage: &impl Storage) -> Result<(), StorageError> {
        for feeds in self.watched.feeds().chunks(AT_ONCE) {
            for Moved { team, scope, seq } in storage.newer(feeds).await? {
                self.watched.tell(team, scope, seq);
            }
        }
        Ok(())
    }

    /// Looks whether somebody came or went in a team that has a stream here, and
    /// has those look how they stand whom it concerns. Of a team that is looked
    /// at for the first time that is not known, so all of its streams do.
    async fn look_at_teams(&self, storage: &impl Storage) -> Result<(), StorageError> {
        let teams = self.watched.teams().into_iter().map(|(team, access)| (team, access.unwrap_or(UNKNOWN)));
        for teams in teams.collect::<Vec<_>>().chunks(AT_ONCE) {
            for (team, access) in storage.access_moved(teams).await? {
                let known = teams.iter().find(|(looked_at, _)| *looked_at == team).map(|(_, known)| *known);
                let concerned = match known.filter(|known| *known < access) {
                    Some(known) => storage.concerned(TeamScope::operator(team), known, access).await?,
                    None => None,
                };
                match concerned {
                    Some(concerned) => {
                        concerned.iter().for_each(|concerned| self.watched.concerns(team, concerned));
                        self.watched.stands_at(team, access);
                    }
                    None => self.watched.access(team, access),
                }
            }
        }
        Ok(())
    }
}

impl Concerned {
    /// Whose streams have to look how they stand after a change.
    #[must_use]
    pub fn by(change: &Change) -> Option<Self> {
        match change {
            Change::RemoveDevice(device) => Some(Self::Device(*device)),
            Change::Circle { circle, members } => Some(Self::Circle(*circle, members.clone())),
            Change::AddInvite(_)
            | Change::UseInvite(_)
            | Change::DropInvites(_)
            | Change::DropInvitesBy(_)
            | Change::AddDevice(..)
            | Change::AddToken(_)
            | Change::UseToken { .. }
            | Change::PutAccount(_)
            | Change::RemoveAccount(_) => None,
        }
    }
}

/// Why a stream ended.
#[derive(Debug, thiserror::Error)]
pub enum Ended {
    /// The device was ended, or its person removed.
    #[error("this device is not known here any more")]
    Revoked,
    /// The device opened others, and only the newest of them go on.
    #[error("this device has newer streams")]
    Replaced,
    /// The storage failed.
    #[error(transparent)]
    Failed(#[from] StorageError),
}

/// What has to be read before the next poke.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Anew {
    Nothing,
    /// How the person stands.
    Standing,
    /// That, and every counter.
    All,
}

/// One person's stream of pokes.
pub struct Live<S> {
    storage: Arc<S>,
    actor: Actor,
    watching: Watching,
    /// Said at the next opportunity: kept here, so that dropping a call loses nothing.
    gone: Vec<Scope>,
    anew: Anew,
}

impl<S: Storage> Live<S> {
    pub(crate) fn new(storage: Arc<S>, hub: &Hub, actor: Actor) -> Self {
        let watching = hub.watched.watching(actor.team, actor.person, actor.device, actor.scopes());
        Self { storage, actor, watching, gone: Vec::new(), anew: Anew::All }
    }

    /// The next poke: first where every feed stands, then what moved. Several
    /// that wait become one. Safe to drop and call again.
    ///
    /// While the storage is busy, a stream that has to read something waits: it
    /// would come back at once, and so would all the others.
    ///
    /// # Errors
    /// When the device was ended or has too many newer streams, or the storage
    /// fails.
    pub async fn next(&mut self) -> Result<Poke, Ended> {
        loop {
            if self.watching.is_replaced() {
                return Err(Ended::Replaced);
            }
            if self.watching.stands_anew() && self.anew == Anew::Nothing {
                self.anew = Anew::Standing;
            }
            // In boxes: for as long as a stream rests, it doesn't need the room
            // that reading takes.
            let read = match self.anew {
                Anew::Nothing => Ok(()),
                Anew::Standing => Box::pin(self.stand_anew()).await,
                Anew::All => Box::pin(self.read_all()).await,
            };
            match read {
                Err(Ended::Failed(StorageError::Busy)) => {
                    Box::pin(tokio::time::sleep(self.a_while())).await;
                    continue;
                }
                read => read?,
            }
            let scopes = self.watching.news();
            if !scopes.is_empty() || !self.gone.is_empty() {
                return Ok(Poke { scopes, gone: std::mem::take(&mut self.gone) });
            }
            self.watching.rung().await;
        }
    }

    /// How long it waits for a storage that is busy: each device its own time,
    /// so that they don't come together.
    fn a_while(&self) -> Duration {
        let (_, low) = self.actor.device.0.as_u64_pair();
        Duration::from_millis(1_000 + low % 2_000)
    }

    /// Where everything stands.
    async fn read_all(&mut self) -> Result<(), Ended> {
        self.anew = Anew::All;
        self.look_at_oneself().await?;
        let scopes = self.actor.scopes();
        let upto = self.storage.upto(self.actor.team_scope(), &scopes).await?;
        for (scope, upto) in scopes.into_iter().zip(upto) {
            self.watching.read(scope, upto);
        }
        self.anew = Anew::Nothing;
        Ok(())
    }

    async fn stand_anew(&mut self) -> Result<(), Ended> {
        self.look_at_oneself().await?;
        self.anew = Anew::Nothing;
        Ok(())
    }

    /// Who this is by now: circles that are new stand in the poke, those that
    /// are gone as gone.
    async fn look_at_oneself(&mut self) -> Result<(), Ended> {
        let team = self.actor.team_scope();
        let turn = self.watching.turn().await;
        let standing = self.storage.standing(team, self.actor.device).await?;
        drop(turn);
        let now = standing.as_ref().and_then(Actor::of).ok_or(Ended::Revoked)?;
        // What moves from here on is heard.
        self.watching.set(now.scopes());
        let fresh: Vec<Scope> = now.scopes().into_iter().filter(|scope| !self.actor.reaches(scope)).collect();
        let upto = if fresh.is_empty() { Vec::new() } else { self.storage.upto(team, &fresh).await? };
        let gone = self.actor.scopes().into_iter().filter(|scope| !now.reaches(scope));
        self.gone.extend(gone);
        self.gone.retain(|scope| !now.reaches(scope));
        self.actor = now;
        for (scope, upto) in fresh.into_iter().zip(upto) {
            self.watching.read(scope, upto);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::Memory;
    use crate::suite::World;
    use async_trait::async_trait;
    use meantime_protocol::kinds::Role;
    use meantime_protocol::{Epoch, Fields, Kind};
    use std::pin::pin;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::{Context, Wake, Waker};
    use tokio::sync::{Mutex, mpsc};

    #[derive(Default)]
    struct Woken(AtomicUsize);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    #[tokio::test]
    async fn what_is_anothers_own_wakes_nobody() {
        let world = World::new(Memory::new(Epoch(1))).await;
        let (ana, kofi) = (world.someone("Ana", Role::Owner).await, world.someone("Kofi", Role::Member).await);
        let mut live = world.core.live(&ana.actor);
        live.next().await.unwrap();
        let woken = Arc::new(Woken::default());
        let waker = Waker::from(Arc::clone(&woken));
        let mut next = pin!(live.next());
        assert!(next.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        for _ in 0..100 {
            world.put(&kofi, kofi.op(&kofi.scope(), Kind::MARK, Fields::new())).await;
        }
        assert_eq!(woken.0.load(Ordering::SeqCst), 0);
        world.thread(&kofi, "To all").await;
        assert!(woken.0.load(Ordering::SeqCst) > 0);
        assert!(next.await.unwrap().scopes.contains_key(&world.scope()));
    }

    /// Another process, or whoever else can write to what carries pokes.
    struct Liar(Mutex<mpsc::Receiver<Moved>>);

    #[async_trait]
    impl Pokes for Liar {
        fn publish(&self, _: Moved) {}

        async fn heard(&self) -> Heard {
            match self.0.lock().await.recv().await {
                Some(lie) => Heard::Moved(lie),
                None => std::future::pending().await,
            }
        }

        fn look_every(&self) -> Option<Duration> {
            None
        }
    }

    #[tokio::test]
    async fn a_poke_from_afar_silences_nobody() {
        let World { core, clock, team } = World::new(Memory::new(Epoch(1))).await;
        let (lies, told) = mpsc::channel(1);
        let core = Arc::new(Arc::into_inner(core).unwrap().beside(Arc::new(Liar(Mutex::new(told)))));
        let world = World { core, clock, team };
        let ana = world.someone("Ana", Role::Owner).await;
        let hearing = Arc::clone(&world.core);
        let hears = tokio::spawn(async move { hearing.hear_others().await });
        let mut live = world.core.live(&ana.actor);
        live.next().await.unwrap();
        // The third has room when the first was heard, and the second after it.
        for _ in 0..3 {
            lies.send(Moved { team, scope: world.scope(), seq: u64::MAX - 1 }).await.unwrap();
        }
        let thread = world.thread(&ana, "News").await;
        let poke = tokio::time::timeout(Duration::from_secs(10), live.next()).await.unwrap().unwrap();
        let seq = world.see(&ana, thread).await.unwrap().seq;
        assert_eq!(poke.scopes.get(&world.scope()), Some(&seq));
        hears.abort();
    }

    #[tokio::test]
    async fn a_stream_at_rest_is_small() {
        let world = World::new(Memory::new(Epoch(1))).await;
        let ana = world.someone("Ana", Role::Owner).await;
        let mut live = world.core.live(&ana.actor);
        let (itself, waiting) = (size_of_val(&live), size_of_val(&live.next()));
        assert!(itself <= 256 && waiting <= 320, "{itself} {waiting}");
    }
}
