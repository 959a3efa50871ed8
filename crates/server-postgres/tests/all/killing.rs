//! The database, or a server process, dies in the middle of it all.

use crate::load::{Load, PATIENCE, check, tail};
use crate::tools::EPOCH;
use meantime_protocol::Kind;
use meantime_server_core::suite::World;
use meantime_server_postgres::kit::PostgresServer;
use meantime_server_postgres::{Postgres, Settings};
use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;
use uuid::Uuid;

/// In the process that is killed: the database it works on.
const WORK_ON: &str = "MEANTIME_TEST_WORK_ON";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_database_has_all_it_acknowledged() {
    let mut server = PostgresServer::start();
    let settings = server.database();
    let load = Load::new(Postgres::create(&settings, EPOCH).await.unwrap()).await;
    let writers = load.writers(8).await;
    let read = Arc::new(AtomicBool::new(false));
    let tail = tokio::spawn(tail(Arc::clone(&load.world), load.reader.actor.clone(), Arc::clone(&read)));
    for _ in 0..3 {
        load.progress(60).await;
        server.kill();
        tokio::task::block_in_place(|| server.restart());
        // The same server process goes on by itself.
        load.progress(60).await;
    }
    let written = load.end(writers).await;
    read.store(true, Ordering::SeqCst);
    let rows = tail.await.unwrap();
    check(&rows, &written);
    assert_eq!(rows.iter().filter(|row| row.kind == Kind::MESSAGE).count(), written.len(), "each once");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_server_leaves_no_lock_and_no_half() {
    let settings = PostgresServer::shared().database();
    let load = Load::new(Postgres::create(&settings, EPOCH).await.unwrap()).await;
    let mut acknowledged = BTreeMap::new();
    for round in 1..=3 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "killing::the_process_that_is_killed", "--nocapture", "--include-ignored"])
            .env(WORK_ON, format!("{} {} {}", settings.url, load.world.team, load.thread))
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let (mut seen, begin) = (0, Instant::now());
        for line in lines {
            let line = line.unwrap();
            assert!(begin.elapsed() < PATIENCE, "it does not get on: {line}");
            let Some((id, seq)) = line.strip_prefix("took ").and_then(|took| took.split_once(' ')) else { continue };
            acknowledged.insert(id.parse::<Uuid>().unwrap(), seq.parse().unwrap());
            seen += 1;
            // Killed at any point of what it does; what it said until then is read to the end.
            if seen == 40 * round {
                child.kill().unwrap();
            }
        }
        child.wait().unwrap();
        assert!(seen >= 40 * round, "only {seen} were taken");
        // Nobody waits for the dead: another goes on at once.
        let begin = Instant::now();
        load.world.thread(&load.reader, "Still there").await;
        assert!(begin.elapsed().as_secs() < 5, "its lock was in the way for {:?}", begin.elapsed());
    }
    check(&load.feed().await, &acknowledged);
}

/// Not a test of its own: what the one above starts as another process.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_process_that_is_killed() {
    let Ok(work) = std::env::var(WORK_ON) else { return };
    let mut parts = work.split(' ');
    let settings = Settings::new(parts.next().unwrap());
    let (team, thread) = (parts.next().unwrap().parse().unwrap(), parts.next().unwrap().parse().unwrap());
    let world = World::on(Postgres::open(&settings).await.unwrap(), meantime_model::TeamId(team));
    let load = Load::aloud(world, thread).await;
    let _writers = load.writers(8).await;
    // Until it is killed.
    tokio::time::sleep(PATIENCE).await;
}
