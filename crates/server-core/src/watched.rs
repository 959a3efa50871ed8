//! Which feeds have a stream in this process, and up to where those streams
//! were told. Knows nothing of the streams themselves.

use crate::pokes::Moved;
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

    /// What their streams were told, those of one team together. A feed whose
    /// counter nobody has read yet is left out: each stream does that first.
    pub(crate) fn feeds(&self) -> Vec<Moved> {
        let feeds = self.lock();
        let told = feeds.iter().filter_map(|((team, scope), feed)| Some((*team, *scope, feed.upto?)));
        let mut told: Vec<Moved> = told.map(|(team, scope, seq)| Moved { team, scope, seq }).collect();
        told.sort_unstable_by_key(|feed| feed.team);
        told
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
        assert!(watched.feeds().is_empty(), "the stream reads the counters itself");
        first.read(all, 3);
        first.read(own, 0);
        second.set(vec![all]);
        second.read(all, 9);
        assert_eq!(watched.feeds().len(), 2);
        first.set(vec![all]);
        let told = Moved { team, scope: all, seq: 3 };
        assert_eq!(watched.feeds(), [told], "the first does not know yet what the second does");
        drop(first);
        assert_eq!(watched.feeds(), [told]);
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
        stream.read(feed, 4);
        assert!(watched.tell(team, feed, 5) && !watched.tell(team, feed, 5));
        assert!(!watched.tell(team, feed, 3), "an old answer that comes late");
        stream.read(feed, 4);
        assert!(!watched.tell(team, feed, 5));
    }
}
