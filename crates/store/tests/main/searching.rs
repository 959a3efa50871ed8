//! Search.

use crate::kit::*;
use meantime_store::ingest::Change;
use meantime_store::search::{put_off_beginnings, search};
use proptest::prelude::*;

fn found(w: &World, words: &str) -> Vec<String> {
    let hits = w.store.read(|r| search(r, words, None, 50)).unwrap();
    hits.iter().map(|h| w.store.read(|r| meantime_store::message::get(r, h.key)).unwrap().unwrap().upstream).collect()
}

fn library() -> World {
    let w = world();
    w.take(vec![
        incoming("a", message("1", 1, "The release is blocked by the API draft")),
        incoming("a", message("2", 2, "A draft of the new API, and the blocking release")),
        incoming("b", message("3", 3, "Résumé für Zoë; naïve café")),
        incoming("c", message("4", 4, "rock-n-roll: C++ and foo_bar, 100% sure")),
    ]);
    w
}

#[test]
fn words_phrases_beginnings_and_accents() {
    let w = library();
    for (words, want) in [
        ("release", vec!["2", "1"]),
        ("releas", vec!["2", "1"]),
        ("\"releas\"", vec![]),
        ("release draft", vec!["2", "1"]),
        ("\"API draft\"", vec!["4", "3", "2", "1"]),
        ("\"the API draft\"", vec!["1"]),
        ("RESUME cafe", vec!["3"]),
        ("zoe", vec!["3"]),
        ("rock-n", vec!["4"]),
        ("mei@example.org blocked", vec!["1"]),
        ("mei lin naive", vec!["3"]),
        ("release OR cafe", vec![]),
        ("", vec![]),
        ("\"", vec![]),
        ("*", vec![]),
    ] {
        assert_eq!(found(&w, words), want, "{words}");
    }
}

#[test]
fn pages_go_on_where_the_last_ended() {
    let w = library();
    let first = w.store.read(|r| search(r, "draft", None, 2)).unwrap();
    let second = w.store.read(|r| search(r, "draft", Some(first[1].key), 2)).unwrap();
    let keys: Vec<_> = first.iter().chain(&second).map(|h| h.key).collect();
    assert_eq!(keys.len(), 4);
    assert!(keys.is_sorted_by(|a, b| a > b));
}

#[test]
fn excerpts_show_the_match_in_each_second_piece() {
    let w = library();
    let hit = &w.store.read(|r| search(r, "cafe", None, 1)).unwrap()[0];
    assert_eq!(hit.excerpt, ["Résumé für Zoë; naïve ", "café", ""]);
    assert_eq!(hit.item.id, item_id("b"));
}

#[test]
fn the_index_follows_changes_and_removals() {
    let w = library();
    w.take(vec![incoming("c", message("4", 4, "entirely other words")), Change::Gone { message: "3".into() }]);
    assert_eq!(found(&w, "rock"), Vec::<String>::new());
    assert_eq!(found(&w, "cafe"), Vec::<String>::new());
    assert_eq!(found(&w, "entirely"), ["4"]);
    // A changed time moves it in the order.
    w.take(vec![incoming("a", message("1", 9, "The release is blocked by the API draft"))]);
    assert_eq!(found(&w, "release"), ["1", "2"]);
    rusqlite::Connection::open(w.path())
        .unwrap()
        .execute("INSERT INTO message_fts (message_fts, rank) VALUES ('integrity-check', 1)", [])
        .unwrap();
}

#[test]
fn beginnings_are_found_in_old_messages_too() {
    let w = world();
    w.take(vec![incoming("old", message("old", 0, "rarissime zebra"))]);
    for page in 0..70 {
        let changes = (0..100).map(|n| incoming("c", message(&format!("{page}-{n}"), 1 + page, "commonplace zebra")));
        w.take(changes.collect());
    }
    let conn = rusqlite::Connection::open(w.path()).unwrap();
    let kept: i64 = conn.query_row("SELECT count(*) FROM message_new_docsize", [], |row| row.get(0)).unwrap();
    assert!((4_000..=6_100).contains(&kept), "{kept}");
    assert_eq!(found(&w, "rariss"), ["old"]);
    assert_eq!(found(&w, "commonpl").len(), 50);
    let mut before = None;
    let mut seen = 0;
    loop {
        let hits = w.store.read(|r| search(r, "zebr", before, 200)).unwrap();
        let Some(last) = hits.last() else { break };
        assert!(hits.is_sorted_by(|a, b| a.key > b.key));
        seen += hits.len();
        before = Some(last.key);
    }
    assert_eq!(seen, 7001);
    w.take(vec![Change::Gone { message: "69-5".into() }, incoming("old", message("old", 0, "other words"))]);
    assert_eq!(found(&w, "rariss"), Vec::<String>::new());
    for index in ["message_fts", "message_new"] {
        let check = if index == "message_fts" { 1 } else { 0 };
        conn.execute(&format!("INSERT INTO {index} ({index}, rank) VALUES ('integrity-check', {check})"), []).unwrap();
    }
}

#[test]
fn beginnings_that_were_put_off_are_found_before_and_after() {
    let w = world();
    w.take(vec![incoming("a", message("1", 0, "plentiful zebra")), incoming("b", message("2", 1, "plenty"))]);
    w.store.write_bulk(put_off_beginnings).unwrap();
    w.take((3..5_000).map(|n| incoming("c", message(&n.to_string(), n, "plentiful"))).collect());
    w.take(vec![Change::Gone { message: "2".into() }, incoming("a", message("1", 0, "scarce zebra"))]);
    assert_eq!(found(&w, "plent").len(), 50);
    assert_eq!(found(&w, "scar"), ["1"]);

    let indexed = |w: &World| -> i64 {
        let conn = rusqlite::Connection::open(w.path()).unwrap();
        conn.execute("INSERT INTO message_new (message_new, rank) VALUES ('integrity-check', 0)", []).unwrap();
        conn.query_row("SELECT count(*) FROM message_new_docsize", [], |row| row.get(0)).unwrap()
    };
    assert_eq!(indexed(&w), 0);
    // As after a kill in the middle: the hourly tidying takes it up.
    w.store.tidy().unwrap();
    assert_eq!(indexed(&w), 4_001);
    assert_eq!(found(&w, "plent").len(), 50);
    assert_eq!(found(&w, "scar"), ["1"]);
}

fn asian() -> World {
    let w = world();
    w.take(vec![
        incoming("ja", message("1", 1, "次のリリースの**設計**を東京都で確認する。SDK設計は来週")),
        incoming("zh", message("2", 2, "请在周二之前确认发布计划，使用SDK的新版本。𠮷野家")),
        incoming("ko", message("3", 3, "릴리스 계획을 화요일까지 확인해 주세요")),
        incoming("en", message("4", 4, "The SDK plan is confirmed")),
    ]);
    w
}

#[test]
fn words_are_found_inside_runs_without_spaces() {
    let w = asian();
    for (words, want) in [
        ("設計", vec!["1"]),
        ("京都", vec!["1"]),
        ("設計する", vec![]),
        ("计划", vec!["2"]),
        ("划", vec!["2"]),
        ("𠮷野", vec!["2"]),
        ("𠮷", vec!["2"]),
        ("확인", vec!["3"]),
        ("확", vec!["3"]),
        ("リリ 確認", vec!["1"]),
        ("sdk", vec!["4", "2", "1"]),
        ("sd", vec!["4", "2", "1"]),
        ("sdk設", vec!["1"]),
        ("sdk 设计", vec![]),
        ("mei@example.org 设", vec![]),
        ("mei 확인 lin", vec!["3"]),
        ("\"使用 SDK\"", vec!["2"]),
        ("都で確認", vec!["1"]),
        ("確認。", vec!["1"]),
        ("。", vec![]),
    ] {
        assert_eq!(found(&w, words), want, "{words}");
    }
    let hit = &w.store.read(|r| search(r, "确认", None, 1)).unwrap()[0];
    assert_eq!(hit.excerpt, ["请在周二之前", "确认", "发布计划，使用SDK的新版本。𠮷野家"]);
    let first = w.store.read(|r| search(r, "sdk", None, 2)).unwrap();
    let second = w.store.read(|r| search(r, "sdk", Some(first[1].key), 2)).unwrap();
    assert_eq!((first.len(), second.len()), (2, 1));
}

#[test]
fn text_without_spaces_follows_changes_and_costs_others_nothing() {
    let w = asian();
    let conn = rusqlite::Connection::open(w.path()).unwrap();
    let count = || conn.query_row("SELECT count(*) FROM message_cjk_docsize", [], |row| row.get::<_, i64>(0)).unwrap();
    assert_eq!(count(), 3);
    w.take(vec![incoming("ja", message("1", 1, "plain words")), incoming("en", message("4", 9, "新しい計画"))]);
    assert_eq!(found(&w, "設計"), Vec::<String>::new());
    assert_eq!(found(&w, "計画"), ["4"]);
    w.take(vec![Change::Gone { message: "2".into() }]);
    assert_eq!(found(&w, "计划"), Vec::<String>::new());
    assert_eq!(count(), 2);
    conn.execute("INSERT INTO message_cjk (message_cjk) VALUES ('integrity-check')", []).unwrap();
}

proptest! {
    #[test]
    fn whatever_is_typed_is_no_error(words in prop_oneof![".{0,60}", "[\"*^:(){}+\\-a ANDORTNE]{0,40}", "[設計ア한a\"* ]{0,20}"]) {
        thread_local! { static WORLD: World = library(); }
        WORLD.with(|w| {
            for hit in w.store.read(|r| search(r, &words, None, 9)).unwrap() {
                assert_eq!(hit.excerpt.len() % 2, 1);
            }
        });
    }
}
