//! The suite on SQLite, and what only a file can get wrong.

#![allow(clippy::unwrap_used)]

use meantime_protocol::Epoch;
use meantime_server_core::Storage as _;
use meantime_server_sqlite::{OpenError, Sqlite};
use rusqlite::Connection;
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
    assert!(matches!(Sqlite::open(&path), Err(OpenError::Sqlite { .. })));
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
