//! Several server processes on one database hear of each other by looking.

use crate::tools::EPOCH;
use meantime_protocol::kinds::Role;
use meantime_protocol::{Kind, Scope};
use meantime_server_core::pokes::Polling;
use meantime_server_core::storage::StorageError;
use meantime_server_core::suite::{Someone, World};
use meantime_server_core::{By, Core, Live, Shared, Watch};
use meantime_server_postgres::Postgres;
use meantime_server_postgres::kit::PostgresServer;
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::task::JoinHandle;
use uuid::Uuid;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_hears_what_another_process_did() {
    let settings = PostgresServer::shared().database();
    let here = World::new(Postgres::create(&settings, EPOCH).await.unwrap()).await;
    let polling = Arc::new(Polling(Duration::from_millis(50)));
    let there = World::beside(Postgres::open(&settings).await.unwrap(), here.team, polling);
    let (ana, kofi) = (here.someone("Ana", Role::Owner).await, here.someone("Kofi", Role::Member).await);
    let core = Arc::clone(&there.core);
    let hears = tokio::spawn(async move { core.hear_others().await });

    let mut live = there.core.live(&kofi.actor);
    assert_eq!(live.next().await.unwrap().scopes[&here.scope()], 3);
    for seq in 4..8 {
        here.thread(&ana, "Over here").await;
        let poke = tokio::time::timeout(Duration::from_secs(20), live.next()).await.expect("a poke").unwrap();
        assert_eq!(poke.scopes.into_iter().collect::<Vec<_>>(), [(here.scope(), seq)]);
    }
    // What happens in this very process is told once, not again by the look.
    there.thread(&kofi, "And here").await;
    assert_eq!(live.next().await.unwrap().scopes[&here.scope()], 8);
    let quiet = tokio::time::timeout(Duration::from_millis(500), live.next()).await;
    assert!(quiet.is_err(), "{quiet:?} was told twice");
    hears.abort();
}

/// How often anybody asked how they stand.
#[derive(Default)]
struct Asked(AtomicUsize);

impl Watch for Asked {
    fn ended(&self, call: &'static str, _: Option<&StorageError>) {
        if call == "standing" {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }
}

impl Asked {
    fn times(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

/// Everybody's streams in one process, at rest, each heard of all the time.
async fn streams(core: &Arc<Core<Shared>>, people: &[Someone]) -> Vec<JoinHandle<Live<Shared>>> {
    let mut open = Vec::new();
    for someone in people {
        let mut live = core.live(&someone.actor);
        live.next().await.unwrap();
        open.push(tokio::spawn(async move {
            // Until there is a feed that was not: a circle.
            while !live.next().await.unwrap().scopes.keys().any(|scope| matches!(scope, Scope::Private(_))) {}
            live
        }));
    }
    open
}

/// Nothing was asked for longer than they look for others.
async fn rests(asked: &Asked) -> usize {
    let mut times = asked.times();
    let mut quiet = 0;
    while quiet < 3 {
        tokio::time::sleep(Duration::from_secs(1)).await;
        quiet = if asked.times() == times { quiet + 1 } else { 0 };
        times = asked.times();
    }
    times
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_circle_is_its_members_business() {
    const PEOPLE: usize = 40;
    let settings = PostgresServer::shared().database();
    let asked = [Arc::<Asked>::default(), Arc::default()];
    let shared = |postgres: Postgres, asked: &Arc<Asked>| Shared::watched(Arc::new(postgres), Arc::clone(asked) as _);
    let polling = || Arc::new(Polling(Duration::from_millis(100)));
    let founded = World::new(Postgres::create(&settings, EPOCH).await.unwrap()).await;
    let here = Postgres::open(&settings).await.unwrap();
    let here = World::beside(shared(here, &asked[0]), founded.team, polling());
    let there = Postgres::open(&settings).await.unwrap();
    let there = World::beside(shared(there, &asked[1]), founded.team, polling());
    let mut people = Vec::new();
    for n in 0..PEOPLE {
        people.push(here.someone(&format!("Person {n}"), Role::Member).await);
    }
    let mut all = Vec::new();
    for world in [&here, &there] {
        let core = Arc::clone(&world.core);
        tokio::spawn(async move { core.hear_others().await });
        all.push(streams(&world.core, &people).await);
    }
    let before = [rests(&asked[0]).await, rests(&asked[1]).await];

    let circle = Uuid::now_v7();
    let members = [people[3].actor.person, people[4].actor.person];
    let mut space = people[3].op(
        &Scope::Private(circle),
        Kind::SPACE,
        serde_json::from_value(json!({"members": members})).unwrap(),
    );
    space.id = circle;
    here.put(&people[3], space).await;
    for open in &mut all {
        for member in [3, 4] {
            let told = tokio::time::timeout(Duration::from_secs(20), &mut open[member]).await;
            drop(told.expect("they are told of their circle").unwrap());
        }
    }
    // A link for somebody new concerns nobody's streams, nor does who comes by it.
    here.someone("Somebody new", Role::Member).await;
    let after = [rests(&asked[0]).await, rests(&asked[1]).await];
    let more = [after[0] - before[0], after[1] - before[1]];
    assert!(more[0] <= 4 && more[1] <= 2, "asked {more:?} times, for a circle of two of {PEOPLE}");

    // Whose device was ended elsewhere finds out, and nobody else looks.
    here.core.revoke(By::Member(&people[7].actor), people[7].actor.device).await.unwrap();
    let ended = &mut all[1][7];
    let ended = tokio::time::timeout(Duration::from_secs(20), ended).await.expect("it ends");
    assert!(ended.is_err_and(|ended| ended.is_panic()), "its stream goes on");
    assert!(rests(&asked[1]).await - after[1] <= 1);
    all.into_iter().flatten().for_each(|stream| stream.abort());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_busy_storage_ends_no_stream() {
    let mut server = PostgresServer::start();
    let settings = server.database();
    let world = World::new(Postgres::create(&settings, EPOCH).await.unwrap()).await;
    let ana = world.someone("Ana", Role::Owner).await;
    let mut live = world.core.live(&ana.actor);
    server.stop();
    // It has everything to read yet.
    let told = tokio::spawn(async move { live.next().await.map(|poke| poke.scopes) });
    let mut waits = 0;
    while waits < 30 {
        assert!(!told.is_finished(), "it ended with its storage");
        tokio::time::sleep(Duration::from_millis(50)).await;
        waits += 1;
    }
    tokio::task::block_in_place(|| server.restart());
    let told = tokio::time::timeout(Duration::from_secs(30), told).await.expect("it goes on").unwrap();
    assert!(told.unwrap().contains_key(&world.scope()));
}
