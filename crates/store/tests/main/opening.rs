//! Files that are new, newer, damaged, somebody else's.

use crate::kit::*;
use meantime_model::{ItemId, OpId};
use meantime_store::outbox::{NewOp, Target};
use meantime_store::{Store, StoreError, account, draft, focus, item, message, notice, outbox, setting};
use proptest::prelude::*;
use serde_json::json;
use std::fs;

fn typed(w: &World, n: i64) -> NewOp {
    NewOp {
        account: w.mail,
        op_id: OpId::new(),
        target: Target::Source(json!({"reply": n})),
        item: Some(item_id("c1")),
        what: "Reply".into(),
        text: format!("typed words {n}"),
        not_before: None,
        made_at: at(n),
    }
}

/// A world with words in it, closed, so that the file alone is left.
fn filled(bulk: usize) -> (tempfile::TempDir, std::path::PathBuf) {
    let w = world();
    let path = w.path();
    w.store
        .write(|tx| {
            for n in 0..20 {
                outbox::push(tx, &typed(&w, n))?;
            }
            draft::put(tx, Some(item_id("c1")), "half a sentence", at(1))?;
            setting::put(tx, "theme", &"dark")
        })
        .unwrap();
    let text = "words that fill a page ".repeat(40);
    w.take((0..bulk).map(|n| incoming(&format!("c{n}"), message(&format!("m{n}"), n as i64, &text))).collect());
    w.store.tidy().unwrap();
    (w.dir, path)
}

#[test]
fn opens_again_with_everything() {
    let (_dir, path) = filled(3);
    let opened = Store::open(&path, at(9)).unwrap();
    assert!(opened.recovered.is_none());
    let (n, drafted) = opened
        .store
        .read(|r| Ok::<_, StoreError>((outbox::count_waiting(r, None)?, draft::get(r, Some(item_id("c1")))?)))
        .unwrap();
    assert_eq!((n, drafted.as_deref()), (20, Some("half a sentence")));
    opened.store.check().unwrap();
}

#[cfg(unix)]
#[test]
fn only_its_owner_reads_it() {
    use std::os::unix::fs::PermissionsExt as _;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("deep/er/meantime.db");
    let opened = Store::open(&path, at(0)).unwrap();
    opened.store.write(|tx| setting::put(tx, "a", &1)).unwrap();
    for (name, want) in [("meantime.db", 0o600), ("meantime.db-wal", 0o600), ("meantime.db-shm", 0o600), ("", 0o700)] {
        let mode = fs::metadata(path.parent().unwrap().join(name)).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, want, "{name}");
    }
}

#[test]
fn a_newer_file_is_refused_and_left_alone() {
    let (_dir, path) = filled(1);
    rusqlite::Connection::open(&path).unwrap().pragma_update(None, "user_version", 99).unwrap();
    let before = fs::read(&path).unwrap();
    match Store::open(&path, at(0)).err() {
        Some(StoreError::Newer { found: 99, .. }) => {}
        other => panic!("{other:?}"),
    }
    assert_eq!(fs::read(&path).unwrap(), before);
}

#[test]
fn another_programs_file_is_refused_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("theirs.db");
    rusqlite::Connection::open(&path)
        .unwrap()
        .execute_batch("CREATE TABLE theirs (a); INSERT INTO theirs VALUES (1)")
        .unwrap();
    let before = fs::read(&path).unwrap();
    assert!(matches!(Store::open(&path, at(0)).err(), Some(StoreError::Foreign { .. })));
    assert_eq!(fs::read(&path).unwrap(), before);
}

#[test]
fn damage_is_put_aside_and_said_and_words_are_saved() {
    // A page in the middle of the bulk is overwritten; the words lie elsewhere.
    let (_dir, path) = filled(300);
    let bytes = overwrite(&path, "message");

    let opened = Store::open(&path, at(5)).unwrap();
    let recovered = opened.recovered.expect("the damage is said");
    assert_eq!(fs::read(&recovered.quarantined).unwrap(), bytes, "the damaged file is kept as it was");
    assert_eq!((recovered.outbox, recovered.drafts), (20, 1));
    assert!(recovered.unreadable.is_empty(), "{recovered:?}");
    let store = opened.store;
    store
        .read(|r| {
            assert_eq!(setting::get::<String>(r, "theme")?.as_deref(), Some("dark"));
            assert_eq!(account::all(r)?.len(), 1);
            assert_eq!(account::cursor(r, account::all(r)?[0].id)?, None, "it is read again from its source");
            assert_eq!(outbox::ready(r, account::all(r)?[0].id, at(99), 50)?[19].op.text, "typed words 19");
            assert_eq!(item::get(r, item_id("c1"))?, None);
            Ok::<_, StoreError>(())
        })
        .unwrap();
    drop(store);
    assert!(Store::open(&path, at(6)).unwrap().recovered.is_none());
}

#[test]
fn an_empty_or_foreign_looking_file_is_never_taken_for_a_new_one() {
    for content in [&b""[..], b"SQLite", &[0; 8192], &[b'x'; 100_000]] {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("meantime.db");
        fs::write(&path, content).unwrap();
        let recovered = Store::open(&path, at(0)).unwrap().recovered.expect("it is said");
        assert_eq!(fs::read(recovered.quarantined).unwrap(), content);
    }
}

#[test]
fn a_log_without_its_database_is_said() {
    let (_dir, path) = filled(1);
    fs::write(format!("{}-wal", path.display()), b"log").unwrap();
    fs::remove_file(&path).unwrap();
    assert!(Store::open(&path, at(0)).unwrap().recovered.is_some());
}

/// Overwrites the first page of a table.
fn overwrite(path: &std::path::Path, table: &str) -> Vec<u8> {
    let sql = "SELECT rootpage FROM sqlite_schema WHERE name = ?1";
    let root: i64 = rusqlite::Connection::open(path).unwrap().query_row(sql, [table], |row| row.get(0)).unwrap();
    let (root, mut bytes) = (root as usize, fs::read(path).unwrap());
    bytes[(root - 1) * 4096..root * 4096].fill(0xa5);
    fs::write(path, &bytes).unwrap();
    bytes
}

#[test]
fn damage_met_while_running_is_looked_for_at_the_next_start() {
    let (_dir, path) = filled(300);
    let store = Store::open(&path, at(0)).unwrap().store;
    let suspect = path.with_file_name("meantime.db.suspect");
    let failed = store.write(|_| Err::<(), _>(StoreError::Broken { what: "on purpose".into() }));
    assert!(failed.is_err() && !suspect.exists(), "another error is no damage");
    store.tidy().unwrap();
    overwrite(&path, "message");
    // As callers do: their own error type tells nothing of it.
    let read = store.read(|r| Ok::<_, Mine>(message::of_item(r, item_id("c1"), 9)?));
    assert!(read.is_err() && suspect.exists());
    drop(store);
    assert!(Store::open(&path, at(0)).unwrap().recovered.is_some());
    assert!(!suspect.exists());
}

/// A caller's error type.
#[derive(Debug)]
struct Mine;

impl From<StoreError> for Mine {
    fn from(_: StoreError) -> Self {
        Self
    }
}

#[test]
fn a_suspicion_that_was_none_is_dropped() {
    let (_dir, path) = filled(1);
    let suspect = path.with_file_name("meantime.db.suspect");
    fs::write(&suspect, b"").unwrap();
    assert!(Store::open(&path, at(0)).unwrap().recovered.is_none(), "there was none");
    assert!(!suspect.exists());
}

#[test]
fn a_running_block_and_what_was_not_shown_yet_outlive_damage() {
    let (_dir, path) = filled(300);
    let block = focus::Block {
        id: meantime_model::BlockId::new(),
        since: at(0),
        planned_minutes: Some(50),
        ended_at: None,
        reason: "by hand".into(),
    };
    let store = Store::open(&path, at(0)).unwrap().store;
    store
        .write(|tx| {
            focus::start(tx, &block)?;
            for key in ["digest:1", "digest:2"] {
                let body = json!({ "text": "3 for information" });
                let new =
                    notice::NewNotice { key, kind: "digest", item: None, title: "3 held", body: &body, at: at(1) };
                notice::push(tx, &new)?;
            }
            notice::set_shown(tx, 1, at(2), None)
        })
        .unwrap();
    store.tidy().unwrap();
    drop(store);
    overwrite(&path, "message");
    let opened = Store::open(&path, at(5)).unwrap();
    assert!(opened.recovered.is_some_and(|recovered| recovered.unreadable.is_empty()));
    opened
        .store
        .read(|r| {
            assert_eq!(focus::running(r)?, Some(block));
            let waiting: Vec<String> = notice::unshown(r)?.into_iter().map(|notice| notice.key).collect();
            assert_eq!(waiting, ["digest:2"], "what was shown is not shown again");
            Ok::<_, StoreError>(())
        })
        .unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Whatever is overwritten or cut off: no panic, and either the words are
    /// there or the damage is said and the file kept.
    #[test]
    fn random_damage_never_loses_silently(spots in prop::collection::vec((0.0_f64..1.0, any::<u8>()), 1..40), cut in prop::option::of(0.0_f64..1.0)) {
        let (_dir, path) = filled(40);
        let mut bytes = fs::read(&path).unwrap();
        for (place, value) in spots {
            let index = (place * bytes.len() as f64) as usize;
            bytes[index] = value;
        }
        if let Some(cut) = cut {
            bytes.truncate((cut * bytes.len() as f64) as usize);
        }
        fs::write(&path, &bytes).unwrap();
        match Store::open(&path, at(3)) {
            Ok(opened) => match opened.recovered {
                Some(recovered) => prop_assert_eq!(fs::read(recovered.quarantined).unwrap(), bytes),
                None => {
                    let words = opened.store.read(|r| Ok::<_, StoreError>(outbox::count_waiting(r, None)? + u32::from(draft::get(r, Some(item_id("c1")))?.is_some())));
                    // Found on reading: said then, in the same words.
                    if let Ok(words) = words { prop_assert_eq!(words, 21) }
                }
            },
            Err(StoreError::Foreign { .. } | StoreError::Newer { .. }) => prop_assert_eq!(fs::read(&path).unwrap(), bytes),
            Err(other) => prop_assert!(false, "{}", other),
        }
    }
}

#[test]
fn an_error_in_a_transaction_changes_nothing() {
    let w = world();
    let failed: Result<(), StoreError> = w.store.write(|tx| {
        draft::put(tx, None, "lost on purpose", at(0))?;
        Err(StoreError::Broken { what: "on purpose".into() })
    });
    assert!(failed.is_err());
    assert_eq!(w.store.read(|r| draft::get(r, None)).unwrap(), None);
    let nowhere = ItemId::new();
    w.store.write(|tx| item::set_done(tx, nowhere, Some(at(1)))).unwrap();
}
