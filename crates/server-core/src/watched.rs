//! Which feeds have a stream in this process, and up to where those streams
//! were told. Knows nothing of the streams themselves.

use meantime_model::TeamId;
use meantime_protocol::Scope;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The feeds that somebody here listens to.
#[derive(Clone, Debug, Default)]
pub(crate) struct Watched(Arc<Mutex<HashMap<(TeamId, Scope), Feed>>>);

#[derive(Debug, Default)]
struct Feed {
    streams: usize,
    /// Up to where all of them were told; none until one has read the counter.
    upto: Option<u64>,
}

/// What one stream listens to; nothing any more when dropped.
#[derive(Debug)]
pub(crate) struct Watching {
    all: Watched,
    team: TeamId,
    scopes: Vec<Scope>,
}

impl Watched {
    /// For a stream that listens to nothing yet.
    pub(crate) fn watching(&self, team: TeamId) -> Watching {
        Watching { all: self.clone(), team, scopes: Vec::new() }
    }

    /// Every one of them, once.
    pub(crate) fn feeds(&self) -> Vec<(TeamId, Scope)> {
        self.lock().keys().copied().collect()
    }

    /// The streams of a feed are being told of a seq. Whether it is news.
    pub(crate) fn tell(&self, team: TeamId, scope: Scope, seq: u64) -> bool {
        match self.lock().get_mut(&(team, scope)) {
            Some(feed) if feed.upto.is_none_or(|upto| upto < seq) => {
                feed.upto = Some(seq);
                true
            }
            _ => false,
        }
    }

    /// The counter of a feed was looked at. Whether its streams have to be
    /// told: not while none of them has read it, which each does first.
    pub(crate) fn look(&self, team: TeamId, scope: Scope, seq: u64) -> bool {
        let known = self.lock().get(&(team, scope)).is_some_and(|feed| feed.upto.is_some());
        known && self.tell(team, scope, seq)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<(TeamId, Scope), Feed>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Watching {
    /// The stream has read a counter by itself. What the others were told
    /// last is older, and they still have to be told of what came since.
    pub(crate) fn read(&self, scope: Scope, seq: u64) {
        if let Some(feed) = self.all.lock().get_mut(&(self.team, scope)) {
            feed.upto.get_or_insert(seq);
        }
    }

    /// Listens to these from now on. Has to be said before the stream reads
    /// their counters.
    pub(crate) fn set(&mut self, scopes: Vec<Scope>) {
        let mut feeds = self.all.lock();
        for scope in &scopes {
            feeds.entry((self.team, *scope)).or_default().streams += 1;
        }
        for scope in std::mem::replace(&mut self.scopes, scopes) {
            if let Some(feed) = feeds.get_mut(&(self.team, scope)) {
                feed.streams -= 1;
                if feed.streams == 0 {
                    feeds.remove(&(self.team, scope));
                }
            }
        }
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        self.set(Vec::new());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use meantime_model::PersonId;

    #[test]
    fn a_feed_is_watched_as_long_as_somebody_listens() {
        let (watched, team) = (Watched::default(), TeamId::new());
        let (all, own) = (Scope::Team(team), Scope::User(PersonId::new()));
        let (mut first, mut second) = (watched.watching(team), watched.watching(team));
        first.set(vec![all, own]);
        second.set(vec![all]);
        assert_eq!(watched.feeds().len(), 2);
        first.set(vec![all]);
        assert_eq!(watched.feeds(), [(team, all)]);
        drop(first);
        assert_eq!(watched.feeds(), [(team, all)]);
        drop(second);
        assert!(watched.feeds().is_empty());
    }

    #[test]
    fn only_what_is_new_is_told() {
        let (watched, team) = (Watched::default(), TeamId::new());
        let feed = Scope::Team(team);
        assert!(!watched.tell(team, feed, 1), "nobody listens");
        let mut stream = watched.watching(team);
        stream.set(vec![feed]);
        assert!(!watched.look(team, feed, 5), "the stream reads the counter itself");
        // It got its answer before the look, and takes it in after it.
        stream.read(feed, 4);
        assert!(watched.look(team, feed, 5) && !watched.look(team, feed, 5));
        // Another that comes later knows more than the first was told.
        let mut second = watched.watching(team);
        second.set(vec![feed]);
        second.read(feed, 6);
        assert!(watched.look(team, feed, 6));
        assert!(watched.tell(team, feed, 7) && !watched.tell(team, feed, 7) && !watched.look(team, feed, 7));
        assert!(!watched.look(team, feed, 3) && !watched.tell(team, feed, 6), "an old answer that comes late");
    }
}
