//! Several server processes on one database hear of each other by looking.

use crate::tools::EPOCH;
use meantime_protocol::kinds::Role;
use meantime_server_core::pokes::Polling;
use meantime_server_core::suite::World;
use meantime_server_postgres::Postgres;
use meantime_server_postgres::kit::PostgresServer;
use std::sync::Arc;
use std::time::Duration;

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
