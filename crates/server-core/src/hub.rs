//! Tells open streams which feeds moved. Carries no data, and losing a poke
//! does no harm: a stream that falls behind reads the counters again.
//!
//! A stream also finds out by itself when its person joins or leaves a
//! circle, and when its device was ended: at once when this process did it,
//! within seconds when another did, by one read a team, however many listen.
//!
//! What other processes moved comes by [`Pokes`], or is found by looking at
//! the counters of the feeds that have a stream here.

use crate::pokes::{Alone, Heard, Moved, Pokes};
use crate::watched::{Watched, Watching};
use crate::{Actor, Storage, StorageError, TeamScope};
use meantime_model::TeamId;
use meantime_protocol::Scope;
use meantime_protocol::http::Poke;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::broadcast::{self, error::RecvError, error::TryRecvError};
use tokio::time::Instant;

/// Pokes a stream may lag behind before it reads the counters instead.
const BACKLOG: usize = 64;

/// How often it is looked whether somebody came or went. What was revoked
/// elsewhere is noticed within this, twice at most.
const LOOK: Duration = Duration::from_secs(2);

/// Counters looked at in one call of the storage.
const AT_ONCE: usize = 5_000;

/// One channel for each team that somebody listens to.
pub struct Hub {
    teams: Mutex<HashMap<TeamId, Channel>>,
    watched: Watched,
    others: Arc<dyn Pokes>,
}

#[derive(Clone, Debug)]
struct Channel {
    signals: broadcast::Sender<Signal>,
    /// The team's access number and when it was read: for all streams of the team.
    looked: Arc<tokio::sync::Mutex<Option<(Instant, u64)>>>,
}

#[derive(Clone, Copy, Debug)]
enum Signal {
    Moved(Scope, u64),
    /// Somebody came or went.
    Access,
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
        Self { teams: Mutex::default(), watched: Watched::default(), others }
    }

    /// This process moved a feed.
    pub fn moved(&self, team: TeamId, scope: Scope, upto: u64) {
        self.watched.tell(team, scope, upto);
        self.tell(team, Signal::Moved(scope, upto));
        self.others.publish(Moved { team, scope, seq: upto });
    }

    /// Passes on what other processes moved, for ever.
    pub(crate) async fn hear(&self, storage: &impl Storage) {
        let mut looked = Instant::now();
        loop {
            let time_to_look = async {
                match self.others.look_every() {
                    Some(every) => tokio::time::sleep_until(looked + every).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = time_to_look => {}
                heard = self.others.heard() => if let Heard::Moved(Moved { team, scope, seq }) = heard {
                    if self.watched.tell(team, scope, seq) {
                        self.tell(team, Signal::Moved(scope, seq));
                    }
                    continue;
                }
            }
            looked = Instant::now();
            self.look(storage).await;
        }
    }

    /// Looks at the counter of every feed that has a stream here.
    async fn look(&self, storage: &impl Storage) {
        for feeds in self.watched.feeds().chunks(AT_ONCE) {
            // The storage has said what is wrong with it; the next look may do.
            let Ok(newer) = storage.newer(feeds).await else { return };
            for Moved { team, scope, seq } in newer {
                if self.watched.tell(team, scope, seq) {
                    self.tell(team, Signal::Moved(scope, seq));
                }
            }
        }
    }

    /// A device or a person of a circle came or went.
    pub fn access_moved(&self, team: TeamId) {
        self.tell(team, Signal::Access);
    }

    fn tell(&self, team: TeamId, signal: Signal) {
        let mut teams = self.teams.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(channel) = teams.get(&team)
            && channel.signals.send(signal).is_err()
        {
            teams.remove(&team);
        }
    }

    fn listen(&self, team: TeamId) -> (Channel, broadcast::Receiver<Signal>) {
        let mut teams = self.teams.lock().unwrap_or_else(PoisonError::into_inner);
        let fresh = || Channel { signals: broadcast::channel(BACKLOG).0, looked: Arc::default() };
        let channel = teams.entry(team).or_insert_with(fresh).clone();
        let signals = channel.signals.subscribe();
        (channel, signals)
    }
}

/// Why a stream ended.
#[derive(Debug, thiserror::Error)]
pub enum Ended {
    /// The device was ended, or its person removed.
    #[error("this device is not known here any more")]
    Revoked,
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
    channel: Channel,
    signals: broadcast::Receiver<Signal>,
    watching: Watching,
    /// Said at the next opportunity: kept here, so that dropping a call loses nothing.
    waiting: Poke,
    /// The access number at which `actor` was read.
    access: u64,
    anew: Anew,
    look_at: Instant,
}

impl<S: Storage> Live<S> {
    pub(crate) fn new(storage: Arc<S>, hub: &Hub, actor: Actor) -> Self {
        let (channel, signals) = hub.listen(actor.team);
        let waiting = Poke { scopes: Default::default(), gone: Vec::new() };
        let watching = hub.watched.watching(actor.team);
        let look_at = Instant::now() + LOOK;
        Self { storage, actor, channel, signals, watching, waiting, access: 0, anew: Anew::All, look_at }
    }

    /// The next poke: first where every feed stands, then what moved. Several
    /// that wait become one. Safe to drop and call again.
    ///
    /// # Errors
    /// When the device was ended, or the storage fails.
    pub async fn next(&mut self) -> Result<Poke, Ended> {
        loop {
            self.drain();
            match self.anew {
                Anew::Nothing => {}
                Anew::Standing => self.stand_anew().await?,
                Anew::All => self.read_all().await?,
            }
            if !self.waiting.scopes.is_empty() || !self.waiting.gone.is_empty() {
                let nothing = Poke { scopes: Default::default(), gone: Vec::new() };
                return Ok(std::mem::replace(&mut self.waiting, nothing));
            }
            tokio::select! {
                signal = self.signals.recv() => match signal {
                    Ok(signal) => self.take(signal),
                    Err(RecvError::Lagged(_) | RecvError::Closed) => self.anew = Anew::All,
                },
                () = tokio::time::sleep_until(self.look_at) => {
                    self.look_at = Instant::now() + LOOK;
                    if self.look().await? != self.access {
                        self.anew = Anew::Standing;
                    }
                }
            }
        }
    }

    fn drain(&mut self) {
        loop {
            match self.signals.try_recv() {
                Ok(signal) => self.take(signal),
                Err(TryRecvError::Lagged(_)) => self.anew = Anew::All,
                Err(TryRecvError::Empty | TryRecvError::Closed) => return,
            }
        }
    }

    fn take(&mut self, signal: Signal) {
        match signal {
            Signal::Moved(scope, upto) => self.add(scope, upto),
            Signal::Access if self.anew == Anew::Nothing => self.anew = Anew::Standing,
            Signal::Access => {}
        }
    }

    /// Where everything stands.
    async fn read_all(&mut self) -> Result<(), Ended> {
        self.stand_anew().await?;
        let scopes = self.actor.scopes();
        let upto = self.storage.upto(self.actor.team_scope(), &scopes).await?;
        for (scope, upto) in scopes.into_iter().zip(upto) {
            self.watching.read(scope, upto);
            self.add(scope, upto);
        }
        self.anew = Anew::Nothing;
        Ok(())
    }

    /// Who this is by now: circles that are new stand in the poke, those that
    /// are gone as gone.
    async fn stand_anew(&mut self) -> Result<(), Ended> {
        let team = self.actor.team_scope();
        // Before the rest: what moves meanwhile is looked at again.
        let access = self.storage.access(team).await?;
        let standing = self.storage.standing(team, self.actor.device).await?;
        let now = standing.as_ref().and_then(Actor::of).ok_or(Ended::Revoked)?;
        self.watching.set(now.scopes());
        let fresh: Vec<Scope> = now.scopes().into_iter().filter(|scope| !self.actor.reaches(scope)).collect();
        let upto = if fresh.is_empty() { Vec::new() } else { self.storage.upto(team, &fresh).await? };
        let gone = self.actor.scopes().into_iter().filter(|scope| !now.reaches(scope));
        for scope in gone.collect::<Vec<_>>() {
            self.waiting.scopes.remove(&scope);
            self.waiting.gone.push(scope);
        }
        self.waiting.gone.retain(|scope| !now.reaches(scope));
        self.actor = now;
        for (scope, upto) in fresh.into_iter().zip(upto) {
            self.watching.read(scope, upto);
            self.add(scope, upto);
        }
        (self.access, self.anew) = (access, Anew::Nothing);
        Ok(())
    }

    /// The team's access number, at most [`LOOK`] old.
    async fn look(&self) -> Result<u64, StorageError> {
        let mut looked = self.channel.looked.lock().await;
        match *looked {
            Some((at, access)) if at.elapsed() < LOOK => Ok(access),
            _ => {
                let access = self.storage.access(TeamScope::operator(self.actor.team)).await?;
                *looked = Some((Instant::now(), access));
                Ok(access)
            }
        }
    }

    fn add(&mut self, scope: Scope, upto: u64) {
        if self.actor.reaches(&scope) {
            let known = self.waiting.scopes.entry(scope).or_default();
            *known = upto.max(*known);
        }
    }
}
