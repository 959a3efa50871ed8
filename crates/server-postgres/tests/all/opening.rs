//! Making, opening and upgrading a database.

use crate::tools::{EPOCH, name_of, opened, put, row, team};
use meantime_protocol::{Epoch, Scope};
use meantime_server_core::storage::{Batch, Commit};
use meantime_server_core::{Storage as _, StorageError};
use meantime_server_postgres::kit::PostgresServer;
use meantime_server_postgres::{OpenError, Postgres, Settings};
use std::time::{Duration, Instant};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_is_what_it_was() {
    let (postgres, settings) = opened().await;
    let team = team(&postgres).await;
    put(&postgres, team, vec![row(team, Default::default())]).await;
    drop(postgres);
    assert!(matches!(Postgres::create(&settings, Epoch(1)).await, Err(OpenError::Exists)));
    let again = Postgres::open(&settings).await.unwrap();
    assert_eq!(again.epoch().await.unwrap(), EPOCH);
    assert_eq!(again.upto(team, &[Scope::Team(team.id())]).await.unwrap(), [1]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_database_is_never_an_empty_one() {
    let server = PostgresServer::shared();
    let settings = server.database();
    assert!(matches!(Postgres::open(&settings).await, Err(OpenError::Missing)));
    assert_eq!(server.sql(name_of(&settings), "SELECT to_regnamespace('meantime') IS NULL"), "t");
    server.sql(name_of(&settings), "CREATE SCHEMA meantime CREATE TABLE life (cells bigint); GRANT ALL ON SCHEMA meantime TO PUBLIC; GRANT ALL ON meantime.life TO PUBLIC");
    assert!(matches!(Postgres::open(&settings).await, Err(OpenError::Foreign)));
    assert!(matches!(Postgres::create(&settings, EPOCH).await, Err(OpenError::Foreign)));
    let nowhere = Settings::new(&server.url("meantime", "not_there"));
    assert!(matches!(Postgres::open(&nowhere).await, Err(OpenError::Database(_))));
    let wrong = Settings::new(&settings.url.replace("only", "0nly"));
    let refused = Postgres::open(&wrong).await.unwrap_err().to_string();
    assert!(refused.contains("password") && !refused.contains("0nly"), "{refused}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_newer_database_is_refused_in_words() {
    let (postgres, settings) = opened().await;
    PostgresServer::shared().sql(name_of(&settings), "UPDATE meantime.life SET version = 99");
    let refused = Postgres::open(&settings).await.unwrap_err();
    assert!(matches!(refused, OpenError::Newer { found: 99, .. }));
    assert!(refused.to_string().contains("newer meantime-server"), "{refused}");
    // One that is running goes on: what is newer only adds.
    team(&postgres).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_that_begin_at_once_one_does() {
    let settings = PostgresServer::shared().database();
    let begin = |epoch| {
        let settings = settings.clone();
        tokio::spawn(async move { Postgres::create(&settings, Epoch(epoch)).await })
    };
    let mut made = Vec::new();
    for (epoch, task) in (1..=8).map(|epoch| (epoch, begin(epoch))).collect::<Vec<_>>() {
        match task.await.unwrap() {
            Ok(_) => made.push(epoch),
            Err(error) => assert!(matches!(error, OpenError::Exists), "{error}"),
        }
    }
    assert_eq!(made.len(), 1);
    assert_eq!(Postgres::open(&settings).await.unwrap().epoch().await.unwrap(), Epoch(made[0]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_restore_it_is_another_life() {
    let (postgres, settings) = opened().await;
    let refused = Postgres::begin_anew(&settings, Epoch(6)).await.unwrap_err();
    assert!(matches!(refused, OpenError::InUse { .. }), "{refused}");
    assert_eq!(Postgres::open(&settings).await.unwrap().epoch().await.unwrap(), EPOCH);
    drop(postgres);
    Postgres::begin_anew(&settings, Epoch(7)).await.unwrap();
    assert_eq!(Postgres::open(&settings).await.unwrap().epoch().await.unwrap(), Epoch(7));
}

/// Put back by other ways, while a process was left running.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_answered_under_an_epoch_that_was() {
    let (postgres, settings) = opened().await;
    let team = team(&postgres).await;
    let scopes = [Scope::Team(team.id())];
    put(&postgres, team, vec![row(team, Default::default())]).await;
    // Several connections that know the life before.
    let (a, b, c) =
        tokio::join!(postgres.upto(team, &scopes), postgres.upto(team, &scopes), postgres.upto(team, &scopes));
    assert_eq!([a.unwrap(), b.unwrap(), c.unwrap()], [[1], [1], [1]]);
    PostgresServer::shared().sql(name_of(&settings), "UPDATE meantime.life SET epoch = 7");
    let batch = || Batch { writes: vec![row(team, Default::default())], ..Batch::default() };
    let refused = postgres.commit(team, batch()).await;
    assert!(matches!(refused, Err(StorageError::Busy)), "{refused:?}");
    let begin = Instant::now();
    loop {
        let answer = postgres.upto(team, &scopes).await;
        let epoch = postgres.epoch().await.unwrap();
        match answer {
            Ok(upto) => break assert_eq!((epoch, upto), (Epoch(7), vec![1])),
            Err(StorageError::Busy) => {}
            Err(other) => panic!("{other}"),
        }
        assert!(begin.elapsed() < Duration::from_secs(20), "it never finds out");
    }
    assert_eq!(postgres.commit(team, batch()).await.unwrap(), Commit::Done(vec![2]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_may_lose_what_was_acknowledged_is_said() {
    // The shared one keeps nothing safe.
    let (postgres, _) = opened().await;
    let risks = postgres.risks().await.unwrap();
    assert!(risks.len() == 2 && risks[0].contains("fsync = off") && risks[1].contains("full_page_writes"), "{risks:?}");
    let server = PostgresServer::start();
    let safe = Postgres::create(&server.database(), EPOCH).await.unwrap();
    assert_eq!(safe.risks().await.unwrap(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tls_is_checked_against_the_given_authority() {
    let key = rcgen::KeyPair::generate().unwrap();
    let mut params = rcgen::CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let authority = params.self_signed(&key).unwrap();
    let issuer = rcgen::Issuer::new(params, key);
    let leaf_key = rcgen::KeyPair::generate().unwrap();
    let leaf = rcgen::CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    let leaf = leaf.signed_by(&leaf_key, &issuer).unwrap();
    let other = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();

    let mut server = PostgresServer::start();
    let plain = server.database();
    let (cert, key) = (server.write("tls.crt", &leaf.pem()), server.write("tls.key", &leaf_key.serialize_pem()));
    server.configure(&format!("ssl = on\nssl_cert_file = '{}'\nssl_key_file = '{}'\n", cert.display(), key.display()));
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, pem: String| {
        let path = folder.path().join(name);
        std::fs::write(&path, pem).unwrap();
        Some(path)
    };
    let trusted = Settings { ca_file: file("ca.pem", authority.pem()), ..plain.clone() };
    let postgres = Postgres::create(&trusted, EPOCH).await.unwrap();
    team(&postgres).await;
    let encrypted = server.sql(
        name_of(&plain),
        "SELECT bool_and(ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE usename = 'meantime'",
    );
    assert_eq!(encrypted, "t");
    let fooled = Settings { ca_file: file("other.pem", other.cert.pem()), ..plain };
    let refused = Postgres::open(&fooled).await.unwrap_err().to_string();
    assert!(refused.contains("certificate"), "{refused}");
}

/// Two users who may make nothing but tables, as the handbook says.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_may_not_make_the_role_is_told_what_to_run() {
    let server = PostgresServer::shared();
    let plain = server.database();
    let password = "PASSWORD 'only on 127.0.0.1'";
    server.sql(
        "postgres",
        &format!("CREATE ROLE plain_owner LOGIN {password}; CREATE ROLE \"Plain app\" LOGIN {password}"),
    );
    server.sql("postgres", &format!("ALTER DATABASE {} OWNER TO plain_owner", name_of(&plain)));
    let settings = Settings {
        role: "role_of_plain".to_owned(),
        owner_url: Some(server.url("plain_owner", name_of(&plain))),
        ..Settings::new(&server.url("Plain%20app", name_of(&plain)))
    };
    for said in ["permission denied", "role_of_plain"] {
        let refused = Postgres::create(&settings, EPOCH).await.unwrap_err().to_string();
        assert!(refused.contains(said), "{refused}");
        let (_, run) = refused.split_once("CREATE ROLE").unwrap();
        let (role, grant) = run.split_once(';').unwrap();
        assert_eq!(grant.trim(), "GRANT role_of_plain TO \"plain_owner\", \"Plain app\";");
        // One after the other: half of it is not enough.
        server.sql("postgres", &if said == "role_of_plain" { grant.to_owned() } else { format!("CREATE ROLE{role}") });
    }
    assert!(!Postgres::is_served(&settings).await.unwrap());
    let postgres = Postgres::create(&settings, EPOCH).await.unwrap();
    team(&postgres).await;
    assert!(Postgres::is_served(&settings).await.unwrap(), "others see that it is");
}
