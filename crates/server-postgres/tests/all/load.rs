//! People who write, whatever happens to the database meanwhile: each sends
//! the same change again until it is answered, as an app does.

use crate::tools::name_of;
use meantime_protocol::http::{Op, PullQuery, PushOutcome};
use meantime_protocol::kinds::Role;
use meantime_protocol::{Cursor, Kind, Record};
use meantime_server_core::suite::{Someone, World};
use meantime_server_core::{Actor, Incoming, Storage as _};
use meantime_server_postgres::kit::PostgresServer;
use meantime_server_postgres::{Postgres, Settings};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::task::JoinHandle;
use uuid::Uuid;

/// Longer than anything here takes on a slow machine.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// Somebody who writes messages, one after the other.
pub struct Writer {
    pub task: JoinHandle<BTreeMap<Uuid, u64>>,
}

/// Everything a test of a writing team needs.
pub struct Load {
    pub world: Arc<World<Postgres>>,
    pub reader: Someone,
    pub thread: Uuid,
    stop: Arc<AtomicBool>,
    acknowledged: Arc<AtomicUsize>,
    /// Each answer is printed, for who started this process.
    aloud: bool,
}

impl Load {
    pub async fn new(storage: Postgres) -> Self {
        let world = Arc::new(World::new(storage).await);
        let reader = world.someone("Reader", Role::Owner).await;
        let thread = world.thread(&reader, "Busy").await;
        Self { world, reader, thread, stop: Arc::default(), acknowledged: Arc::default(), aloud: false }
    }

    /// In a thread that is there, saying aloud what was taken.
    pub async fn aloud(world: World<Postgres>, thread: Uuid) -> Self {
        let world = Arc::new(world);
        let reader = world.someone("Reader", Role::Member).await;
        Self { world, reader, thread, stop: Arc::default(), acknowledged: Arc::default(), aloud: true }
    }

    /// People who write until told to stop; the seq of each message by its id.
    pub async fn writers(&self, count: usize) -> Vec<Writer> {
        let mut writers = Vec::new();
        for i in 0..count {
            let who = self.world.someone(&format!("Writer {i}"), Role::Member).await;
            writers.push(self.writer(Arc::clone(&self.world), who, 1));
        }
        writers
    }

    /// One who writes through a server of its own, up to `most` messages in a
    /// push.
    pub fn writer(&self, world: Arc<World<Postgres>>, who: Someone, most: usize) -> Writer {
        let (scope, thread) = (self.world.scope(), self.thread);
        let (stop, acknowledged, aloud) = (Arc::clone(&self.stop), Arc::clone(&self.acknowledged), self.aloud);
        Writer {
            task: tokio::spawn(async move {
                let mut written = BTreeMap::new();
                for round in 0.. {
                    if stop.load(Ordering::SeqCst) {
                        break;
                    }
                    let ops = (0..=round % most).map(|_| who.message(&scope, thread, "on it")).collect();
                    for (id, seq) in persistently(&world, &who.actor, ops).await {
                        let seq = seq.unwrap_or(0);
                        written.insert(id, seq);
                        if aloud {
                            println!("took {id} {seq}");
                        }
                        acknowledged.fetch_add(1, Ordering::SeqCst);
                    }
                }
                written
            }),
        }
    }

    /// Waits until so many more changes were acknowledged.
    pub async fn progress(&self, changes: usize) {
        let (begin, from) = (Instant::now(), self.acknowledged.load(Ordering::SeqCst));
        while self.acknowledged.load(Ordering::SeqCst) < from + changes {
            assert!(begin.elapsed() < PATIENCE, "nobody gets on");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Ends the writers; every message by its id, with its seq where it was told.
    pub async fn end(&self, writers: Vec<Writer>) -> BTreeMap<Uuid, u64> {
        self.stop.store(true, Ordering::SeqCst);
        let mut written = BTreeMap::new();
        for writer in writers {
            written.extend(writer.task.await.unwrap());
        }
        written
    }

    /// The whole feed, as somebody who starts now reads it.
    pub async fn feed(&self) -> Vec<Record> {
        self.world.all(&self.reader, self.world.scope()).await
    }
}

/// Sends them until they are answered. The seq of each; none where it had been
/// taken before the answer got lost.
async fn persistently(world: &World<Postgres>, actor: &Actor, ops: Vec<Op>) -> Vec<(Uuid, Option<u64>)> {
    let begin = Instant::now();
    let ids: Vec<Uuid> = ops.iter().map(|op| op.id).collect();
    let ops: Vec<Incoming> = ops.into_iter().map(|op| Incoming { n: op.n, op: Ok(op) }).collect();
    loop {
        match world.core.push(actor, &ops).await {
            Ok(results) => {
                let seqs = results.into_iter().map(|result| match result.outcome {
                    PushOutcome::Applied { seq } => Some(seq),
                    PushOutcome::Duplicate => None,
                    PushOutcome::Rejected { problem } => panic!("{problem}"),
                });
                return ids.into_iter().zip(seqs).collect();
            }
            Err(problem) => {
                assert!(begin.elapsed() < PATIENCE, "never answered: {problem}");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

/// Reads the feed from the start while others write, with patience; every row
/// it got. It ends at the feed's end, once `stop` is set.
pub async fn tail(world: Arc<World<Postgres>>, actor: Actor, stop: Arc<AtomicBool>) -> Vec<Record> {
    let (mut rows, mut after, mut failed) = (Vec::<Record>::new(), 0, Instant::now());
    loop {
        let last_round = stop.load(Ordering::SeqCst);
        let Ok(epoch) = world.core.storage().epoch().await else { continue };
        let query = PullQuery { scope: world.scope(), cursor: Cursor { epoch, seq: after }, limit: Some(50) };
        match world.core.pull(&actor, &query).await {
            Ok(page) => {
                assert!(page.rows.iter().all(|row| row.seq > after));
                rows.extend(page.rows);
                after = page.next.seq;
                failed = Instant::now();
                if last_round && !page.more {
                    return rows;
                }
            }
            Err(problem) => {
                assert!(failed.elapsed() < PATIENCE, "never answered: {problem}");
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
    }
}

/// Every message that was acknowledged is there once, at its seq, and the feed
/// counts without a gap.
pub fn check(feed: &[Record], written: &BTreeMap<Uuid, u64>) {
    let seqs: Vec<u64> = feed.iter().map(|row| row.seq).collect();
    assert_eq!(seqs, (1..=seqs.len() as u64).collect::<Vec<_>>(), "no gap, no repetition");
    let there: BTreeMap<Uuid, u64> =
        feed.iter().filter(|row| row.kind == Kind::MESSAGE).map(|row| (row.id, row.seq)).collect();
    for (id, seq) in written {
        let found = there.get(id);
        assert!(found.is_some_and(|at| *seq == 0 || at == seq), "{id} was acknowledged at {seq}, is at {found:?}");
    }
}

/// Enough that a reader who trusts an order that transactions don't keep
/// misses some: where the database counts the rows by itself every tenth is
/// missed, where it is asked which transactions have ended one of 8,000.
const ROWS: usize = 10_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sixteen_write_through_two_servers_and_no_reader_misses_a_row() {
    let settings = PostgresServer::shared().database();
    let load = Load::new(Postgres::create(&settings, crate::tools::EPOCH).await.unwrap()).await;
    let second = beside(&load, &settings).await;
    let mut writers = Vec::new();
    for i in 0..16 {
        let who = load.world.someone(&format!("Writer {i}"), Role::Member).await;
        // Pushes of one change and of more, at the same time.
        writers.push(load.writer(Arc::clone(if i % 2 == 0 { &load.world } else { &second }), who, 1 + i));
    }
    let read = Arc::new(AtomicBool::new(false));
    let through = [&load.world, &second, &second];
    let tails =
        through.map(|world| tokio::spawn(tail(Arc::clone(world), load.reader.actor.clone(), Arc::clone(&read))));
    load.progress(ROWS).await;
    let written = load.end(writers).await;
    read.store(true, Ordering::SeqCst);
    let feed = load.feed().await;
    check(&feed, &written);
    let messages = feed.iter().filter(|row| row.kind == Kind::MESSAGE).count();
    assert_eq!(messages, written.len(), "nothing that nobody wrote");
    for tail in tails {
        assert!(tail.await.unwrap() == feed, "a reader missed something");
    }
    let counted = PostgresServer::shared()
        .sql(name_of(&settings), &format!("SELECT seq FROM meantime.scope WHERE scope = '{}'", load.world.scope()));
    assert_eq!(counted, feed.len().to_string());
}

/// A second server of the same team.
pub async fn beside(load: &Load, settings: &Settings) -> Arc<World<Postgres>> {
    let storage = Postgres::open(settings).await.unwrap();
    Arc::new(World::on(storage, load.world.team))
}
