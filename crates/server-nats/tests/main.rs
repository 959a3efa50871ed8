//! Two servers on one PostgreSQL, and a real NATS that comes and goes.

#![cfg(target_os = "linux")]
#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

use futures::StreamExt as _;
use meantime_protocol::Epoch;
use meantime_protocol::kinds::Role;
use meantime_server_core::suite::{Someone, World};
use meantime_server_core::{Live, Pokes};
use meantime_server_nats::{Nats, NatsError, Settings};
use meantime_server_postgres::Postgres;
use meantime_server_postgres::kit::{NatsServer, PostgresServer};
use std::io::Write;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(30);

/// One server process, as it were, with its connection to NATS.
struct Server {
    world: World<Postgres>,
    nats: Arc<Nats>,
    hears: tokio::task::JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.hears.abort();
    }
}

/// Two servers of one team, and Ana and Kofi in it.
struct Two {
    here: Server,
    there: Server,
    ana: Someone,
    kofi: Someone,
}

impl Two {
    /// Counters are looked at every `poll` while NATS is away, and ten times
    /// less often while it is there.
    async fn new(nats: &NatsServer, poll: Duration) -> Self {
        let database = PostgresServer::shared().database();
        let first = World::new(Postgres::create(&database, Epoch(7)).await.unwrap()).await;
        let settings = Settings { poll, ..Settings::new(&nats.url()) };
        let server = async || {
            let nats = Arc::new(Nats::connect(&settings).await.unwrap());
            let pokes = Arc::clone(&nats) as Arc<dyn Pokes>;
            let world = World::beside(Postgres::open(&database).await.unwrap(), first.team, pokes);
            let core = Arc::clone(&world.core);
            Server { world, nats, hears: tokio::spawn(async move { core.hear_others().await }) }
        };
        let (here, there) = (server().await, server().await);
        let ana = here.world.someone("Ana", Role::Owner).await;
        let kofi = here.world.someone("Kofi", Role::Member).await;
        Self { here, there, ana, kofi }
    }

    async fn until(&self, up: bool) {
        let begin = Instant::now();
        while self.here.nats.is_up() != up || self.there.nats.is_up() != up {
            let said = || String::from_utf8_lossy(&log().lock().unwrap()).into_owned();
            let wanted = if up { "there" } else { "gone" };
            assert!(begin.elapsed() < PATIENCE, "NATS is not seen as {wanted}:\n{}", said());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// A stream of Kofi's at the other server, that has had its first poke.
    async fn live(&self) -> Live<Postgres> {
        let mut live = self.there.world.core.live(&self.kofi.actor);
        live.next().await.unwrap();
        live
    }

    /// Ana writes here, and Kofi's stream there hears of it.
    async fn over(&self, live: &mut Live<Postgres>) {
        self.here.world.thread(&self.ana, "Over here").await;
        let scope = self.here.world.scope();
        let seq = self.here.world.page(&self.ana, scope, 0, 1).await.upto;
        let mut heard = 0;
        while heard < seq {
            let poke = tokio::time::timeout(PATIENCE, live.next()).await.expect("a poke").unwrap();
            heard = poke.scopes.get(&scope).copied().unwrap_or(heard);
        }
        assert_eq!(heard, seq);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_one_server_moves_the_other_tells() {
    log();
    let mut nats = NatsServer::start();
    // So rarely that only NATS can have carried a poke.
    let two = Two::new(&nats, Duration::from_secs(600)).await;
    two.until(true).await;
    let mut live = two.live().await;
    for _ in 0..5 {
        two.over(&mut live).await;
    }
    // It goes and comes back, and carries again.
    nats.kill();
    two.until(false).await;
    tokio::task::block_in_place(|| nats.restart());
    two.until(true).await;
    two.over(&mut live).await;
    // What was missed in between is found when it is back.
    nats.kill();
    two.until(false).await;
    two.here.world.thread(&two.ana, "Unheard").await;
    tokio::task::block_in_place(|| nats.restart());
    let poke = tokio::time::timeout(PATIENCE, live.next()).await.expect("a look at the counters").unwrap();
    assert!(poke.scopes.contains_key(&two.here.world.scope()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_nats_the_counters_are_looked_at() {
    log();
    let mut nats = NatsServer::start();
    nats.kill();
    // A server starts without it.
    let two = Two::new(&nats, Duration::from_millis(100)).await;
    assert!(!two.here.nats.is_up());
    let mut live = two.live().await;
    two.over(&mut live).await;
    tokio::task::block_in_place(|| nats.restart());
    two.until(true).await;
    two.over(&mut live).await;
    nats.kill();
    two.until(false).await;
    for _ in 0..3 {
        two.over(&mut live).await;
    }
    let said = String::from_utf8(log().lock().unwrap().clone()).unwrap();
    assert!(said.contains("NATS is gone; counters are polled") && said.contains("NATS carries pokes"), "{said}");
    assert!(!said.contains("poke@"), "the password is in the log");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_but_team_scope_and_seq_is_told() {
    log();
    let nats = NatsServer::start();
    let two = Two::new(&nats, Duration::from_secs(600)).await;
    two.until(true).await;
    let wire = async_nats::ConnectOptions::with_user_and_password("meantime".to_owned(), "poke".to_owned());
    let wire = wire.connect(nats.url()).await.unwrap();
    let mut heard = wire.subscribe(">").await.unwrap();
    wire.flush().await.unwrap();
    two.here.world.thread(&two.ana, "A secret").await;
    let message = tokio::time::timeout(PATIENCE, heard.next()).await.unwrap().unwrap();
    assert_eq!(message.subject.as_str(), "meantime.moved");
    let told: serde_json::Value = serde_json::from_slice(&message.payload).unwrap();
    let team = two.here.world.team;
    assert_eq!(told, serde_json::json!({"team": team, "scope": format!("team:{team}"), "seq": 4}));

    // Others may send what they like.
    let mut live = two.live().await;
    for rubbish in ["", "{", "[]", "{\"team\": 7}", &"x".repeat(100_000)] {
        wire.publish("meantime.moved", rubbish.to_owned().into()).await.unwrap();
    }
    wire.flush().await.unwrap();
    two.over(&mut live).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn settings_that_make_no_sense_are_refused() {
    for settings in [
        Settings::new("mysql://x"),
        Settings { prefix: "a b".to_owned(), ..Settings::new("nats://127.0.0.1:1") },
        Settings { ca_file: Some("/nonexistent/ca.pem".into()), ..Settings::new("nats://127.0.0.1:1") },
    ] {
        let refused: NatsError = Nats::connect(&settings).await.map(drop).unwrap_err();
        assert!(refused.to_string().starts_with("NATS: "), "{refused}");
    }
}

/// Everything that is logged, from now on.
fn log() -> &'static Mutex<Vec<u8>> {
    static LOG: OnceLock<Mutex<Vec<u8>>> = OnceLock::new();
    static BEGUN: OnceLock<()> = OnceLock::new();
    let log = LOG.get_or_init(Mutex::default);
    BEGUN.get_or_init(|| tracing_subscriber::fmt().with_ansi(false).with_writer(|| Line(log)).init());
    log
}

struct Line(&'static Mutex<Vec<u8>>);

impl Write for Line {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
