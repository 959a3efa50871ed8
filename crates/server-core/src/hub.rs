//! Tells open streams which feeds moved. Carries no data, and losing a poke
//! does no harm: a stream that falls behind reads the counters again.

use crate::{Actor, Storage, StorageError};
use meantime_model::TeamId;
use meantime_protocol::Scope;
use meantime_protocol::http::Poke;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::broadcast::{self, error::RecvError, error::TryRecvError};

/// Pokes a stream may lag behind before it reads the counters instead.
const BACKLOG: usize = 64;

/// One channel for each team that somebody listens to.
#[derive(Debug, Default)]
pub struct Hub {
    teams: Mutex<HashMap<TeamId, broadcast::Sender<(Scope, u64)>>>,
}

impl Hub {
    /// A feed moved.
    pub fn moved(&self, team: TeamId, scope: Scope, upto: u64) {
        let mut teams = self.teams.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(sender) = teams.get(&team)
            && sender.send((scope, upto)).is_err()
        {
            teams.remove(&team);
        }
    }

    fn listen(&self, team: TeamId) -> broadcast::Receiver<(Scope, u64)> {
        let mut teams = self.teams.lock().unwrap_or_else(PoisonError::into_inner);
        teams.entry(team).or_insert_with(|| broadcast::channel(BACKLOG).0).subscribe()
    }
}

/// One person's stream of pokes.
pub struct Live<S> {
    storage: Arc<S>,
    actor: Actor,
    pokes: broadcast::Receiver<(Scope, u64)>,
    begun: bool,
}

impl<S: Storage> Live<S> {
    pub(crate) fn new(storage: Arc<S>, hub: &Hub, actor: Actor) -> Self {
        Self { storage, actor, pokes: hub.listen(actor.team), begun: false }
    }

    /// The next poke: first where every feed stands, then what moved. Several
    /// that wait become one. Safe to drop and call again.
    ///
    /// # Errors
    /// When the storage fails.
    pub async fn next(&mut self) -> Result<Poke, StorageError> {
        let mut poke = Poke { scopes: Default::default() };
        while poke.scopes.is_empty() {
            let first = if self.begun { self.pokes.recv().await } else { Err(RecvError::Lagged(0)) };
            match first {
                Ok((scope, upto)) => self.add(&mut poke, scope, upto),
                Err(RecvError::Lagged(_) | RecvError::Closed) => {
                    let scopes = self.actor.scopes();
                    let upto = self.storage.upto(self.actor.team_scope(), &scopes).await?;
                    poke.scopes.extend(scopes.into_iter().zip(upto));
                    self.begun = true;
                }
            }
        }
        loop {
            match self.pokes.try_recv() {
                Ok((scope, upto)) => self.add(&mut poke, scope, upto),
                // Lost some: the counters are read again next time.
                Err(TryRecvError::Lagged(_)) => self.begun = false,
                Err(TryRecvError::Empty | TryRecvError::Closed) => return Ok(poke),
            }
        }
    }

    fn add(&self, poke: &mut Poke, scope: Scope, upto: u64) {
        if self.actor.reaches(&scope) {
            let known = poke.scopes.entry(scope).or_default();
            *known = upto.max(*known);
        }
    }
}
