//! The suite on SQLite, and what only a file can get wrong.

#![allow(clippy::unwrap_used)]

use chrono::DateTime;
use meantime_protocol::http::JoinRequest;
use meantime_protocol::kinds::Role;
use meantime_protocol::people::{AccountRequest, SignInRequest};
use meantime_protocol::{Code, Epoch};
use meantime_server_core::pokes::Polling;
use meantime_server_core::storage::{Changes, Limit};
use meantime_server_core::{By, Core, Costs, SealKey, Shared, Storage as _, Watch, suite};
use meantime_server_sqlite::{OpenError, Sqlite, upkeep};
use rusqlite::Connection;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tempfile::TempDir;

fn fresh() -> (Sqlite, TempDir) {
    let dir = tempfile::tempdir().unwrap();
    (Sqlite::create(&dir.path().join("server.db"), Epoch(u64::MAX - 7)).unwrap(), dir)
}

meantime_server_core::suite!(fresh);

#[tokio::test]
async fn a_file_is_what_it_was() {
    let (sqlite, dir) = fresh();
    let path = dir.path().join("server.db");
    drop(sqlite);
    assert_eq!(Sqlite::open(&path).unwrap().epoch().await.unwrap(), Epoch(u64::MAX - 7));
    assert!(matches!(Sqlite::create(&path, Epoch(1)), Err(OpenError::Exists(_))));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        for file in std::fs::read_dir(dir.path()).unwrap() {
            let file = file.unwrap();
            assert_eq!(file.metadata().unwrap().permissions().mode() & 0o077, 0, "{file:?} is its owner's alone");
        }
    }
}

#[test]
fn no_file_is_never_an_empty_one() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("server.db");
    assert!(matches!(Sqlite::open(&path), Err(OpenError::Missing(_))));
    assert!(!path.exists());
    std::fs::write(&path, "").unwrap();
    assert!(matches!(Sqlite::open(&path), Err(OpenError::Foreign(_))));
    std::fs::write(&path, "not a database, but long enough to be taken for one by its size".repeat(99)).unwrap();
    assert!(matches!(Sqlite::open(&path), Err(OpenError::Damaged { .. })));
}

#[test]
fn a_newer_file_is_refused_in_words() {
    let (sqlite, dir) = fresh();
    let path = dir.path().join("server.db");
    drop(sqlite);
    Connection::open(&path).unwrap().pragma_update(None, "user_version", 99).unwrap();
    let refused = Sqlite::open(&path).unwrap_err();
    assert!(matches!(refused, OpenError::Newer { found: 99, .. }));
    assert!(refused.to_string().contains("newer meantime-server"), "{refused}");
}

#[test]
fn the_feed_and_the_first_page_use_their_indexes() {
    let (sqlite, dir) = fresh();
    let db = Connection::open(dir.path().join("server.db")).unwrap();
    let plan = |sql: &str| -> String {
        let mut explain = db.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
        let steps = explain.query_map([], |row| row.get::<_, String>(3)).unwrap();
        steps.map(Result::unwrap).collect::<Vec<_>>().join("; ")
    };
    let feed = "SELECT fields FROM record WHERE team_id = x'00' AND scope = 's'";
    let changes = plan(&format!("{feed} AND seq > 7 AND (held = 0 OR author = x'01') ORDER BY seq LIMIT 9"));
    assert!(changes.contains("record_feed") && !changes.contains("TEMP B-TREE"), "{changes}");
    let kinds = "kind IN ('agreement', 'focus', 'member', 'schedule')";
    let first = plan(&format!("{feed} AND seq < 7 AND {kinds} AND deleted = 0 ORDER BY seq DESC LIMIT 9"));
    assert!(first.contains("record_first") && !first.contains("TEMP B-TREE"), "{first}");
    let held = plan("SELECT visible_from FROM record WHERE held = 1 AND deleted = 0 ORDER BY visible_from LIMIT 1");
    assert!(held.contains("record_held") && !held.contains("TEMP B-TREE"), "{held}");
    drop(sqlite);
}

/// The file of version 1 that is kept, in a folder of its own.
fn version1() -> (std::path::PathBuf, TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("server.db");
    Connection::open(&path).unwrap().execute_batch(include_str!("version1.sql")).unwrap();
    (path, dir)
}

fn version(path: &std::path::Path) -> i64 {
    Connection::open(path).unwrap().pragma_query_value(None, "user_version", |r| r.get(0)).unwrap()
}

#[tokio::test]
async fn a_file_of_the_first_version_is_brought_up_to_date() {
    let (path, dir) = version1();
    let clock = suite::Hands::new();
    let core = Core::new(Sqlite::open(&path).unwrap(), clock);
    let storage = core.storage();
    assert_eq!(storage.epoch().await.unwrap(), Epoch(77));
    // Ana's token goes on, her number is taken, the invite is good.
    let ana = core.authenticate("abc").await.unwrap();
    assert_eq!(ana.role, Role::Owner);
    let team = ana.team_scope();
    assert!(storage.taken(team, ana.device, &[1]).await.unwrap().ops[0].is_some());
    assert_eq!(core.sweep().await.unwrap(), 0);
    assert!(storage.taken(team, ana.device, &[1]).await.unwrap().ops[0].is_some(), "counted from the upgrade");
    let join = JoinRequest { secret: "def".into(), name: "Mei".into(), device_name: "laptop".into() };
    let mei = core.authenticate(&core.join(&join).await.unwrap().token).await.unwrap();
    assert_eq!(mei.role, Role::Admin);
    core.next_token(&ana).await.unwrap();
    assert_eq!(core.people(team).await.unwrap().len(), 2);
    drop(core);
    // What it was is beside it, for its owner only, and only once.
    let old = dir.path().join("server.db.before-5");
    assert_eq!((version(&old), version(&path)), (1, 5));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(std::fs::metadata(&old).unwrap().permissions().mode() & 0o077, 0);
    }
    std::fs::remove_file(&old).unwrap();
    drop(Sqlite::open(&path).unwrap());
    assert!(!old.exists());
}

#[test]
fn who_does_not_serve_leaves_an_older_file_as_it_is() {
    let (path, dir) = version1();
    let refused = Sqlite::open_as_it_is(&path).unwrap_err();
    assert!(matches!(refused, OpenError::Older { found: 1, .. }));
    assert!(refused.to_string().contains("`meantime-server serve` brings it up to date"), "{refused}");
    assert!(matches!(upkeep::check(&path, true), Err(OpenError::Older { found: 1, .. })));
    // A copy of it is one of that version.
    let copy = dir.path().join("copy.db");
    upkeep::copy(&path, &copy).unwrap();
    assert_eq!((version(&path), version(&copy)), (1, 1));
    drop(Sqlite::open(&path).unwrap());
    drop(Sqlite::open_as_it_is(&path).unwrap());
    upkeep::check(&path, true).unwrap();
    assert_eq!(version(&copy), 1);
}

#[test]
fn an_upgrade_that_fails_changes_nothing() {
    let (path, dir) = version1();
    // Something that the upgrade wants to make is there already.
    Connection::open(&path).unwrap().execute_batch("CREATE TABLE audit (x)").unwrap();
    for _ in 0..2 {
        assert!(matches!(Sqlite::open(&path), Err(OpenError::Sqlite { .. })));
        assert_eq!(version(&path), 1);
        let columns = "SELECT count(*) FROM pragma_table_info('team')";
        let db = Connection::open(&path).unwrap();
        assert_eq!(db.query_row(columns, [], |r| r.get::<_, i64>(0)).unwrap(), 3);
    }
    assert_eq!(version(&dir.path().join("server.db.before-5")), 1);
    Connection::open(&path).unwrap().execute_batch("DROP TABLE audit").unwrap();
    Sqlite::open(&path).unwrap();
    assert_eq!(version(&path), 5);
}

#[tokio::test]
async fn an_authenticator_of_an_older_server_is_sealed_and_goes_on() {
    const CHEAP: Costs = Costs { memory: 8, passes: 1, lanes: 1 };
    let (path, dir) = version1();
    let clock = suite::Hands::new();
    let core = Core::with_costs(Sqlite::open(&path).unwrap(), clock.clone(), CHEAP);
    let ana = core.authenticate("abc").await.unwrap();
    let (login, password) = ("ana".to_owned(), "correct horse battery".to_owned());
    let set = AccountRequest { login: login.clone(), password: password.clone(), current_password: None };
    core.set_account(&ana, &set, None).await.unwrap();
    drop(core);
    // As the version before wrote it; the secret of RFC 6238.
    let (raw, typed) = ("12345678901234567890", "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ");
    let db = Connection::open(&path).unwrap();
    db.execute("UPDATE account SET totp_secret = CAST(?1 AS BLOB), totp_confirmed = 1", [raw]).unwrap();
    db.execute_batch("ALTER TABLE record DROP COLUMN decided_by; PRAGMA user_version = 3").unwrap();
    drop(db);

    let storage = Sqlite::open(&path).unwrap();
    let core = Core::with_costs(storage, clock.clone(), CHEAP).sealing(SealKey::from([7; 32]));
    let team = ana.team_scope();
    assert_eq!(core.authenticators(team).await.unwrap().plain, [ana.person]);
    assert_eq!(core.seal_authenticators(team).await.unwrap(), 1);
    upkeep::rewrite_accounts(&path).unwrap();
    assert_eq!(core.authenticators(team).await.unwrap().good, [ana.person]);
    let copy = dir.path().join("copy.db");
    upkeep::copy(&path, &copy).unwrap();
    for file in [path.clone(), dir.path().join("server.db-wal"), copy] {
        let bytes = std::fs::read(&file).unwrap();
        for secret in [raw, typed] {
            assert!(!bytes.windows(secret.len()).any(|part| part == secret.as_bytes()), "{}", file.display());
        }
    }
    clock.pass(DateTime::from_timestamp(2_000_000_000, 0).unwrap() - suite::noon());
    let with = |code: &str| SignInRequest {
        team: None,
        login: login.clone(),
        password: password.clone(),
        totp: Some(code.to_owned()),
        device_name: "phone".to_owned(),
    };
    assert_eq!(core.sign_in(&with("279038"), None).await.unwrap_err().code, Code::SignInFailed);
    assert_eq!(core.sign_in(&with("279037"), None).await.unwrap().person, ana.person);
}

/// Reads that always overlap leave no moment in which nobody reads.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_log_stays_small_under_readers_without_end() {
    let (sqlite, dir) = fresh();
    let world = Arc::new(suite::World::new(sqlite).await);
    let ana = world.someone("Ana", Role::Owner).await;
    let thread = world.thread(&ana, "Big").await;
    let stop = Arc::new(AtomicBool::new(false));
    let team = ana.actor.team_scope();
    let readers: Vec<_> = (0..3)
        .map(|_| {
            let (world, stop, reader) = (Arc::clone(&world), Arc::clone(&stop), ana.actor.person);
            tokio::spawn(async move {
                let limit = Limit { rows: 100, bytes: 1 << 10 };
                let from = Changes { scope: world.scope(), reader, guest: false, after: 1 << 60, limit };
                let mut reads = 0;
                while !stop.load(Ordering::SeqCst) {
                    world.core.storage().changes(team, &from).await.unwrap();
                    reads += 1;
                }
                reads
            })
        })
        .collect();
    // Another process that looks at one state for long holds it up only for so long.
    let mut other = Connection::open(dir.path().join("server.db")).unwrap();
    let long = other.transaction().unwrap();
    long.query_row("SELECT count(*) FROM record", [], |r| r.get::<_, i64>(0)).unwrap();
    let log = || std::fs::metadata(dir.path().join("server.db-wal")).unwrap().len();
    let text = "x".repeat(200 << 10);
    let write = async |messages: usize| {
        let mut biggest = 0;
        for _ in 0..messages {
            world.put(&ana, ana.message(&world.scope(), thread, &text)).await;
            biggest = log().max(biggest);
        }
        biggest
    };
    let held = write(90).await;
    assert!(held > 17 << 20, "nothing is lost to the one who still looks: {held}");
    drop(long);
    // Once it has looked, the log is emptied and stays small.
    let deadline = Instant::now() + Duration::from_secs(60);
    while log() > 16 << 20 {
        assert!(Instant::now() < deadline, "{}", log());
        write(1).await;
    }
    let biggest = write(100).await;
    stop.store(true, Ordering::SeqCst);
    for reader in readers {
        assert!(reader.await.unwrap() > 0);
    }
    assert!(biggest < 24 << 20, "{biggest}");
}

/// Counts what is asked.
#[derive(Default)]
struct Asked(std::sync::Mutex<std::collections::HashMap<&'static str, usize>>);

impl Watch for Asked {
    fn ended(&self, call: &'static str, _: Option<&meantime_server_core::StorageError>) {
        *self.0.lock().unwrap().entry(call).or_default() += 1;
    }
}

impl Asked {
    fn of(&self, call: &str) -> usize {
        self.0.lock().unwrap().get(call).copied().unwrap_or_default()
    }
}

/// As long as nobody else writes, streams at rest ask the database nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn streams_at_rest_cost_nothing() {
    let (sqlite, dir) = fresh();
    let asked = Arc::new(Asked::default());
    let storage = Shared::watched(Arc::new(sqlite), Arc::clone(&asked) as _);
    let core = Core::new(storage, suite::Hands::new()).beside(Arc::new(Polling(Duration::from_millis(10))));
    let world = Arc::new(suite::World {
        team: core.found("Blue Team").await.unwrap(),
        core: Arc::new(core),
        clock: suite::Hands::new(),
    });
    let hearing = Arc::clone(&world);
    tokio::spawn(async move { hearing.core.hear_others().await });
    let ana = world.someone("Ana", Role::Owner).await;
    let mut live = world.core.live(&ana.actor);
    live.next().await.unwrap();
    let looked = async |more: usize| {
        let (from, deadline) = (asked.of("others_wrote"), Instant::now() + Duration::from_secs(60));
        while asked.of("others_wrote") < from + more {
            assert!(Instant::now() < deadline);
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    // Everything that was written before it began to look is looked at once.
    looked(300).await;
    let before = (asked.of("newer"), asked.of("access_moved"), asked.of("upto"));
    looked(50).await;
    world.put(&ana, ana.op(&ana.scope(), meantime_protocol::Kind::MARK, Default::default())).await;
    assert!(live.next().await.unwrap().scopes.contains_key(&ana.scope()));
    looked(250).await;
    let after = (asked.of("newer"), asked.of("access_moved"), asked.of("upto"));
    assert_eq!(after, before, "what it writes itself it knows");
    // What another process does is found out.
    let other = suite::World::on(Sqlite::open(&dir.path().join("server.db")).unwrap(), world.team);
    let elsewhere = other.again(&ana).await;
    other.thread(&elsewhere, "From elsewhere").await;
    assert!(live.next().await.unwrap().scopes.contains_key(&world.scope()));
    assert!(asked.of("newer") > before.0);
    other.core.revoke(By::Operator(ana.actor.team_scope()), ana.actor.device).await.unwrap();
    while live.next().await.is_ok() {}
}
