//! The database goes away and comes back; it is slow; it is full of others.

use crate::tools::{EPOCH, name_of, noon, opened, put, row, team};
use meantime_protocol::Scope;
use meantime_server_core::storage::{Batch, Commit};
use meantime_server_core::{Storage as _, StorageError};
use meantime_server_postgres::kit::PostgresServer;
use meantime_server_postgres::{Postgres, Settings};
use std::time::{Duration, Instant};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_its_database_a_server_is_busy_and_comes_back() {
    let mut server = PostgresServer::start();
    let settings = server.database();
    let postgres = Postgres::create(&settings, EPOCH).await.unwrap();
    let team = team(&postgres).await;
    let scopes = [Scope::Team(team.id())];
    for killed in [false, true] {
        put(&postgres, team, vec![row(team, Default::default())]).await;
        let stood = postgres.upto(team, &scopes).await.unwrap();
        if killed {
            server.kill()
        } else {
            server.stop()
        }
        for _ in 0..3 {
            let begin = Instant::now();
            assert!(matches!(postgres.upto(team, &scopes).await, Err(StorageError::Busy)));
            let batch = Batch { writes: vec![row(team, Default::default())], ..Batch::default() };
            assert!(matches!(postgres.commit(team, batch).await, Err(StorageError::Busy)));
            assert!(matches!(postgres.found(team, "Red Team", noon()).await, Err(StorageError::Busy)));
            assert!(begin.elapsed() < Duration::from_secs(5), "an answer took {:?}", begin.elapsed());
        }
        tokio::task::block_in_place(|| server.restart());
        assert_eq!(postgres.upto(team, &scopes).await.unwrap(), stood);
        put(&postgres, team, vec![row(team, Default::default())]).await;
    }
    assert!(!server.log().contains("ERROR"), "{}", server.log());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_is_ended_is_replaced() {
    let (postgres, settings) = opened().await;
    let team = team(&postgres).await;
    let scopes = [Scope::Team(team.id())];
    for _ in 0..5 {
        put(&postgres, team, vec![row(team, Default::default())]).await;
        let end = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
                   WHERE datname = current_database() AND pid <> pg_backend_pid()";
        PostgresServer::shared().sql(name_of(&settings), end);
        // A read finds another by itself.
        postgres.upto(team, &scopes).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_feed_that_another_holds_is_busy_in_time() {
    let (postgres, settings) = opened().await;
    let team = team(&postgres).await;
    put(&postgres, team, vec![row(team, Default::default())]).await;
    let server = PostgresServer::shared();
    let (superuser, lock) = (
        server.url("postgres", name_of(&settings)),
        "BEGIN; SELECT * FROM meantime.scope FOR UPDATE; SELECT pg_sleep(60)",
    );
    let (client, connection) = tokio_postgres::connect(&superuser, tokio_postgres::NoTls).await.unwrap();
    let connection = tokio::spawn(connection);
    let holder = tokio::spawn(async move { client.batch_execute(lock).await });
    let held = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(60)' AND pid <> pg_backend_pid()";
    let begin = Instant::now();
    while server.sql(name_of(&settings), held) == "0" {
        assert!(begin.elapsed() < Duration::from_secs(30), "the lock is not taken");
    }
    let batch = || Batch { writes: vec![row(team, Default::default())], ..Batch::default() };
    let begin = Instant::now();
    assert!(matches!(postgres.commit(team, batch()).await, Err(StorageError::Busy)));
    assert!(begin.elapsed() < Duration::from_secs(15), "given up after {:?}", begin.elapsed());
    // Readers are not in its way.
    assert_eq!(postgres.upto(team, &[Scope::Team(team.id())]).await.unwrap(), [1]);
    let end = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
               WHERE query LIKE '%pg_sleep(60)' AND pid <> pg_backend_pid()";
    server.sql(name_of(&settings), end);
    assert!(holder.await.unwrap().is_err());
    assert!(connection.await.unwrap().is_err());
    let begin = Instant::now();
    loop {
        match postgres.commit(team, batch()).await {
            Ok(done) => break assert_eq!(done, Commit::Done(vec![2])),
            Err(error) => assert!(begin.elapsed() < Duration::from_secs(60), "{error}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_caller_that_goes_away_leaves_no_lock() {
    let (postgres, _settings) = opened().await;
    let team = team(&postgres).await;
    put(&postgres, team, vec![row(team, Default::default())]).await;
    for after in 0..40 {
        let batch = Batch { writes: vec![row(team, Default::default())], ..Batch::default() };
        let commit = postgres.commit(team, batch);
        drop(tokio::time::timeout(Duration::from_micros(after * 100), commit).await);
    }
    let begin = Instant::now();
    let seqs = put(&postgres, team, vec![row(team, Default::default())]).await;
    assert!(begin.elapsed() < Duration::from_secs(4), "it waited for {:?}", begin.elapsed());
    // What was given up was carried out or not, but never left a gap.
    let from = meantime_server_core::storage::Changes {
        scope: Scope::Team(team.id()),
        reader: meantime_model::PersonId::new(),
        guest: false,
        after: 0,
        limit: meantime_server_core::storage::Limit { rows: 100, bytes: 1 << 20 },
    };
    let rows = postgres.changes(team, &from).await.unwrap().rows;
    assert_eq!(rows.iter().map(|row| row.seq).collect::<Vec<_>>(), (1..=seqs[0]).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_more_connections_than_allowed() {
    let (_, settings) = opened().await;
    let postgres = std::sync::Arc::new(Postgres::open(&Settings { connections: 3, ..settings.clone() }).await.unwrap());
    let team = team(&postgres).await;
    let calls: Vec<_> = (0..60)
        .map(|_| {
            let postgres = std::sync::Arc::clone(&postgres);
            tokio::spawn(async move { put(&postgres, team, vec![row(team, Default::default())]).await })
        })
        .collect();
    let mut seqs = Vec::new();
    for call in calls {
        seqs.extend(call.await.unwrap());
    }
    seqs.sort_unstable();
    assert_eq!(seqs, (1..=60).collect::<Vec<_>>());
    let open = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'meantime-server'";
    let open: u32 = PostgresServer::shared().sql(name_of(&settings), open).parse().unwrap();
    assert!((1..=3).contains(&open), "{open} connections");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_can_not_be_written_is_found_out() {
    let mut server = tokio::task::block_in_place(PostgresServer::start);
    let settings = server.database();
    let postgres = Postgres::create(&settings, EPOCH).await.unwrap();
    let team = team(&postgres).await;
    postgres.writable().await.unwrap();
    // As it is after a failover, on the connections that are open.
    server.sql("postgres", "ALTER SYSTEM SET default_transaction_read_only = on");
    server.sql("postgres", "SELECT pg_reload_conf()");
    let begin = Instant::now();
    while postgres.writable().await.is_ok() {
        assert!(begin.elapsed() < Duration::from_secs(30), "it is not noticed");
    }
    // Reads go on.
    assert_eq!(postgres.upto(team, &[Scope::Team(team.id())]).await.unwrap(), [0]);
    server.sql("postgres", "ALTER SYSTEM RESET default_transaction_read_only");
    server.sql("postgres", "SELECT pg_reload_conf()");
    while postgres.writable().await.is_err() {
        assert!(begin.elapsed() < Duration::from_secs(60), "it is not noticed");
    }
    tokio::task::block_in_place(|| server.stop());
    assert!(matches!(postgres.writable().await, Err(StorageError::Busy)));
}
