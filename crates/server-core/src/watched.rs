//! Which feeds have a stream in this process, up to where those streams were
//! told, and whom to wake when there is more. A feed wakes its own streams and
//! no others: in a team of ten thousand, one person's read marks are that
//! person's alone.

use crate::limits::STREAMS_PER_DEVICE;
use crate::pokes::Moved;
use meantime_model::{DeviceId, PersonId, TeamId};
use meantime_protocol::Scope;
use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{Notify, Semaphore, SemaphorePermit};
use uuid::Uuid;

/// So many streams read how they stand at once: however many have to, the
/// storage has room for requests meanwhile.
const LOOKING: usize = 8;

/// The feeds that somebody here listens to.
#[derive(Clone, Debug, Default)]
pub(crate) struct Watched(Arc<All>);

#[derive(Debug)]
struct All {
    feeds: Mutex<Feeds>,
    looking: Semaphore,
}

impl Default for All {
    fn default() -> Self {
        Self { feeds: Mutex::default(), looking: Semaphore::new(LOOKING) }
    }
}

#[derive(Debug, Default)]
struct Feeds {
    feeds: HashMap<(TeamId, Scope), Feed>,
    /// The teams among them, with their access number when it was looked at;
    /// none before the first look.
    teams: HashMap<TeamId, Option<u64>>,
}

#[derive(Debug, Default)]
struct Feed {
    /// Its newest seq, as far as anybody here knows.
    upto: u64,
    /// Its streams, oldest first.
    bells: Vec<Arc<Bell>>,
}

/// Wakes one stream. What is rung while it does something else is not lost.
#[derive(Debug)]
struct Bell {
    rung: Notify,
    device: DeviceId,
    /// What its stream has to look at besides the feeds.
    besides: AtomicU8,
}

/// How its person stands may have changed.
const STANDING: u8 = 1;
/// Its device has newer streams instead.
const REPLACED: u8 = 2;

/// Whose place in the team changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Concerned {
    /// A device was ended.
    Device(DeviceId),
    /// Who is in a circle: those who were and are in it.
    Circle(Uuid, Vec<PersonId>),
}

/// What one stream listens to; nothing any more when dropped.
#[derive(Debug)]
pub(crate) struct Watching {
    all: Watched,
    team: TeamId,
    bell: Arc<Bell>,
    /// Each feed, with the first seq that would be news.
    heard: Vec<(Scope, u64)>,
}

impl Watched {
    /// A stream of a device that listens to these from now on; it has to be
    /// told where each of them stands first. Of too many streams of one device
    /// the oldest end.
    pub(crate) fn watching(&self, team: TeamId, person: PersonId, device: DeviceId, scopes: Vec<Scope>) -> Watching {
        let bell = Arc::new(Bell { rung: Notify::new(), device, besides: AtomicU8::new(0) });
        let mut watching = Watching { all: self.clone(), team, bell, heard: Vec::new() };
        watching.set(scopes);
        if let Some(own) = self.lock().feeds.get(&(team, Scope::User(person))) {
            let streams: Vec<&Arc<Bell>> = own.bells.iter().filter(|bell| bell.device == device).collect();
            let many = streams.len().saturating_sub(STREAMS_PER_DEVICE);
            streams.iter().take(many).for_each(|bell| bell.ring(REPLACED));
        }
        watching
    }

    /// Up to where each feed is known, those of one team together.
    pub(crate) fn feeds(&self) -> Vec<Moved> {
        let feeds = self.lock();
        let known =
            feeds.feeds.iter().map(|((team, scope), feed)| Moved { team: *team, scope: *scope, seq: feed.upto });
        let mut known: Vec<Moved> = known.collect();
        known.sort_unstable_by_key(|feed| feed.team);
        known
    }

    /// The teams that somebody listens to, with their access number if it is known.
    pub(crate) fn teams(&self) -> Vec<(TeamId, Option<u64>)> {
        self.lock().teams.iter().map(|(team, access)| (*team, *access)).collect()
    }

    /// Up to where a feed is known, if somebody listens to it and what is told
    /// would be news.
    pub(crate) fn before(&self, told: Moved) -> Option<Moved> {
        let upto = self.lock().feeds.get(&(told.team, told.scope))?.upto;
        (upto < told.seq).then_some(Moved { seq: upto, ..told })
    }

    /// A feed is known to be at a seq. Its streams are woken if that is news.
    pub(crate) fn tell(&self, team: TeamId, scope: Scope, seq: u64) {
        if let Some(feed) = self.lock().feeds.get_mut(&(team, scope))
            && feed.upto < seq
        {
            feed.upto = seq;
            feed.bells.iter().for_each(|bell| bell.ring(0));
        }
    }

    /// A team's access number is this, and whom that concerns was told.
    pub(crate) fn stands_at(&self, team: TeamId, access: u64) {
        if let Some(known) = self.lock().teams.get_mut(&team) {
            *known = Some(access);
        }
    }

    /// A team's access number is this, and nobody knows whom that concerns: all
    /// of its streams look how they stand.
    pub(crate) fn access(&self, team: TeamId, access: u64) {
        self.stands_at(team, access);
        let feeds = self.lock();
        if let Some(feed) = feeds.feeds.get(&(team, Scope::Team(team))) {
            feed.bells.iter().for_each(|bell| bell.ring(STANDING));
        }
    }

    /// Those whom it concerns look how they stand.
    pub(crate) fn concerns(&self, team: TeamId, concerned: &Concerned) {
        let feeds = self.lock();
        let bells = |scope| feeds.feeds.get(&(team, scope)).map(|feed| feed.bells.as_slice()).unwrap_or_default();
        match concerned {
            Concerned::Device(device) => {
                let theirs = bells(Scope::Team(team)).iter().filter(|bell| bell.device == *device);
                theirs.for_each(|bell| bell.ring(STANDING));
            }
            Concerned::Circle(circle, members) => {
                let members = members.iter().flat_map(|person| bells(Scope::User(*person)));
                bells(Scope::Private(*circle)).iter().chain(members).for_each(|bell| bell.ring(STANDING));
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Feeds> {
        self.0.feeds.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Bell {
    fn ring(&self, besides: u8) {
        self.besides.fetch_or(besides, Ordering::SeqCst);
        self.rung.notify_one();
    }
}

impl Watching {
    /// Returns when something may be new. Safe to drop and call again.
    pub(crate) async fn rung(&self) {
        self.bell.rung.notified().await;
    }

    /// Waits for its turn to read how it stands; until what is returned is
    /// dropped.
    pub(crate) async fn turn(&self) -> Option<SemaphorePermit<'_>> {
        // It is never closed.
        self.all.0.looking.acquire().await.ok()
    }

    /// Whether its person's standing has to be looked at; asked once.
    pub(crate) fn stands_anew(&self) -> bool {
        self.bell.besides.fetch_and(!STANDING, Ordering::SeqCst) & STANDING != 0
    }

    /// Whether its device has newer streams instead.
    pub(crate) fn is_replaced(&self) -> bool {
        self.bell.besides.load(Ordering::SeqCst) & REPLACED != 0
    }

    /// The stream has read a counter by itself: the feed's others hear of it too.
    pub(crate) fn read(&self, scope: Scope, seq: u64) {
        self.all.tell(self.team, scope, seq);
    }

    /// Where the feeds stand that moved since the last call, or were not told
    /// of before.
    pub(crate) fn news(&mut self) -> BTreeMap<Scope, u64> {
        let feeds = self.all.lock();
        let mut news = BTreeMap::new();
        for (scope, next) in &mut self.heard {
            let upto = feeds.feeds.get(&(self.team, *scope)).map_or(0, |feed| feed.upto);
            if upto >= *next {
                news.insert(*scope, upto);
                *next = upto + 1;
            }
        }
        news
    }

    /// Listens to these from now on. Has to be said before the stream reads
    /// the counters of those that are new.
    pub(crate) fn set(&mut self, scopes: Vec<Scope>) {
        let before = std::mem::take(&mut self.heard);
        let mut feeds = self.all.lock();
        self.heard.reserve_exact(scopes.len());
        for scope in scopes {
            let known = before.iter().find(|(known, _)| *known == scope);
            self.heard.push(known.copied().unwrap_or((scope, 0)));
            if known.is_some() {
                continue;
            }
            if scope == Scope::Team(self.team) {
                feeds.teams.entry(self.team).or_default();
            }
            feeds.feeds.entry((self.team, scope)).or_default().bells.push(Arc::clone(&self.bell));
        }
        for (scope, _) in before.iter().filter(|(scope, _)| !self.heard.iter().any(|(heard, _)| heard == scope)) {
            let key = (self.team, *scope);
            let Some(feed) = feeds.feeds.get_mut(&key) else { continue };
            if let Some(at) = feed.bells.iter().position(|bell| Arc::ptr_eq(bell, &self.bell)) {
                feed.bells.remove(at);
            }
            if feed.bells.is_empty() {
                feeds.feeds.remove(&key);
                if *scope == Scope::Team(self.team) {
                    feeds.teams.remove(&self.team);
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

    fn someone(watched: &Watched, team: TeamId) -> (Watching, Scope) {
        let (person, device) = (PersonId::new(), DeviceId::new());
        let own = Scope::User(person);
        (watched.watching(team, person, device, vec![Scope::Team(team), own]), own)
    }

    #[test]
    fn a_feed_is_watched_as_long_as_somebody_listens() {
        let (watched, team) = (Watched::default(), TeamId::new());
        let all = Scope::Team(team);
        let ((mut first, own), (second, _)) = (someone(&watched, team), someone(&watched, team));
        assert_eq!((watched.feeds().len(), watched.teams()), (3, vec![(team, None)]));
        first.read(all, 3);
        assert_eq!(first.news(), BTreeMap::from([(all, 3), (own, 0)]), "where all stands, at first");
        assert!(first.news().is_empty());
        // What one of them finds out is news to the others.
        second.read(all, 9);
        assert_eq!(first.news(), BTreeMap::from([(all, 9)]));
        first.set(vec![all]);
        first.set(vec![all, own]);
        assert_eq!(first.news(), BTreeMap::from([(own, 0)]), "new again");
        drop(first);
        assert!(watched.feeds().contains(&Moved { team, scope: all, seq: 9 }));
        drop(second);
        assert!(watched.feeds().is_empty() && watched.teams().is_empty());
    }

    #[test]
    fn only_what_is_new_is_told() {
        let (watched, team) = (Watched::default(), TeamId::new());
        let feed = Scope::Team(team);
        watched.tell(team, feed, 7);
        let (mut stream, own) = someone(&watched, team);
        stream.read(feed, 4);
        assert_eq!(stream.news(), BTreeMap::from([(feed, 4), (own, 0)]), "nobody listened to the 7");
        watched.tell(team, feed, 5);
        watched.tell(team, feed, 3);
        assert_eq!(stream.news(), BTreeMap::from([(feed, 5)]), "an old answer that comes late is none");
        watched.tell(TeamId::new(), feed, 9);
        assert!(stream.news().is_empty(), "another team's");
    }

    #[test]
    fn whom_it_concerns_looks_again() {
        let (watched, team, circle) = (Watched::default(), TeamId::new(), Uuid::now_v7());
        let ((mut ana, own), (kofi, _), (lea, hers)) =
            (someone(&watched, team), someone(&watched, team), someone(&watched, team));
        ana.set(vec![Scope::Team(team), own, Scope::Private(circle)]);
        let again = || [ana.stands_anew(), kofi.stands_anew(), lea.stands_anew()];
        assert_eq!(again(), [false; 3]);
        let Scope::User(lea_herself) = hers else { unreachable!() };
        watched.concerns(team, &Concerned::Circle(circle, vec![lea_herself]));
        assert_eq!(again(), [true, false, true], "who was in it, and who is");
        assert_eq!(again(), [false; 3]);
        watched.concerns(team, &Concerned::Device(kofi.bell.device));
        assert_eq!(again(), [false, true, false]);
        watched.access(team, 7);
        assert_eq!((again(), watched.teams()), ([true; 3], vec![(team, Some(7))]));
    }

    #[test]
    fn of_too_many_streams_of_a_device_the_oldest_end() {
        let (watched, team, person, device) = (Watched::default(), TeamId::new(), PersonId::new(), DeviceId::new());
        let open = |device| watched.watching(team, person, device, vec![Scope::Team(team), Scope::User(person)]);
        let other = open(DeviceId::new());
        let streams: Vec<Watching> = (0..STREAMS_PER_DEVICE + 2).map(|_| open(device)).collect();
        let replaced: Vec<bool> = streams.iter().map(Watching::is_replaced).collect();
        assert_eq!(replaced.iter().filter(|replaced| **replaced).count(), 2);
        assert!(replaced[0] && replaced[1] && !other.is_replaced());
    }
}
