//! Killed while writing: everything that was acknowledged is there.

use crate::kit::*;
use meantime_model::OpId;
use meantime_store::ingest::{Page, ingest};
use meantime_store::outbox::{NewOp, Target};
use meantime_store::{Store, StoreError, account, draft, focus, item, list, message, notice, outbox};
use serde_json::json;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

const PATH: &str = "MEANTIME_TEST_CRASH_DB";

/// Runs only as the child of the test below.
#[test]
fn child_writes_until_killed() {
    let Some(path) = std::env::var_os(PATH) else { return };
    let store = Store::open(Path::new(&path), at(0)).unwrap().store;
    let mail = store.read(account::all).unwrap()[0].id;
    let first = store.read(|r| outbox::count_waiting(r, None)).unwrap();
    for n in i64::from(first).. {
        let key = format!("alert:{n}");
        store
            .write(|tx| {
                outbox::push(
                    tx,
                    &NewOp {
                        account: mail,
                        op_id: OpId::new(),
                        target: Target::Source(json!(n)),
                        item: None,
                        what: "Reply".into(),
                        text: format!("typed {n}"),
                        not_before: None,
                        made_at: at(n),
                    },
                )?;
                draft::put(tx, None, &format!("draft {n}"), at(n))?;
                let body = json!(null);
                notice::push(
                    tx,
                    &notice::NewNotice { key: &key, kind: "alert", item: None, title: "", body: &body, at: at(n) },
                )
            })
            .unwrap();
        let changes =
            (0..20).map(|i| incoming(&format!("c{n}"), message(&format!("m{n}-{i}"), n, "some words"))).collect();
        let page = Page { changes, cursor: json!(n), backfill: false, backfilled: true };
        store.write_bulk(|tx| ingest(tx, mail, &page, at(n))).unwrap();
        println!("ack {n}");
    }
}

#[test]
fn kill_9_loses_nothing_acknowledged_and_leaves_no_half() {
    let w = world();
    let path = w.path();
    let mail = w.mail;
    drop(w.store);
    let mut acked: Vec<i64> = Vec::new();
    for round in 0..8_u32 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "crash::child_writes_until_killed", "--nocapture", "--test-threads=1"])
            .env(PATH, &path)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        let mut left = 2 + (round * 7) % 11;
        while left > 0 && out.read_line(&mut line).unwrap() > 0 {
            if let Some(n) = line.split("ack ").nth(1) {
                acked.push(n.trim().parse().unwrap());
                left -= 1;
            }
            line.clear();
        }
        assert_eq!(left, 0, "the child stopped by itself");
        child.kill().unwrap();
        child.wait().unwrap();
        // What it wrote between the last line read and its end.
        while out.read_line(&mut line).unwrap() > 0 {
            if let Some(n) = line.strip_suffix('\n').and_then(|l| l.split("ack ").nth(1)) {
                acked.push(n.trim().parse().unwrap());
            }
            line.clear();
        }

        let opened = Store::open(&path, at(0)).unwrap();
        assert!(opened.recovered.is_none());
        opened.store.check().unwrap();
        opened
            .store
            .read(|r| {
                let typed = i64::from(outbox::count_waiting(r, None)?);
                let last = *acked.last().unwrap();
                assert!(typed > last, "round {round}: {last} acknowledged, {typed} there");
                assert_eq!(draft::get(r, None)?, Some(format!("draft {}", typed - 1)), "one transaction, whole");
                assert_eq!(notice::unshown(r)?.len() as i64, typed);
                // The cursor never runs ahead of its rows, nor behind.
                let cursor = account::cursor(r, mail)?.unwrap().cursor.as_i64().unwrap();
                assert!(cursor >= last);
                let rows = list::inbox(r, at(0), 0, 500)?.rows;
                assert!(rows.iter().any(|(_, i)| i.id == item_id(&format!("c{cursor}"))));
                for n in &acked {
                    assert!(rows.iter().any(|(_, i)| i.id == item_id(&format!("c{n}"))), "page {n}");
                }
                for (_, i) in rows {
                    assert_eq!(message::of_item(r, i.id, 99)?.len(), 20, "a page is whole");
                }
                Ok::<_, StoreError>(())
            })
            .unwrap();
    }
    assert!(acked.len() > 20);
}

#[test]
fn a_block_ends_once_and_its_digest_is_made_once() {
    let w = world();
    w.take(vec![incoming("c", message("m", 1, "x"))]);
    let block = focus::Block {
        id: meantime_model::BlockId::new(),
        since: at(0),
        planned_minutes: Some(50),
        ended_at: None,
        reason: "by hand".into(),
    };
    let held = focus::Hold {
        item: item_id("c"),
        arrived: 1,
        urgency: meantime_model::Urgency::Yellow,
        reply: false,
        asks_me: true,
        due: Some(at(99)),
        first_at: at(1),
    };
    w.store
        .write(|tx| {
            focus::start(tx, &block)?;
            focus::hold(tx, block.id, &held)?;
            focus::hold(tx, block.id, &focus::Hold { urgency: meantime_model::Urgency::Red, ..held.clone() })
        })
        .unwrap();
    let second = focus::Block { id: meantime_model::BlockId::new(), ..block.clone() };
    assert!(w.store.write(|tx| focus::start(tx, &second)).is_err(), "one runs");
    assert_eq!(w.store.read(focus::running).unwrap().unwrap().until(), Some(at(50)));
    assert_eq!(w.item(item_id("c")).held_block, Some(block.id));

    let end = |w: &World| {
        w.store.write(|tx| {
            let holds = focus::end(tx, block.id, at(50), "time")?;
            let body = json!(holds.as_ref().map(Vec::len));
            let key = format!("digest:{}", block.id);
            let new =
                notice::NewNotice { key: &key, kind: "digest", item: None, title: "1 held", body: &body, at: at(50) };
            Ok::<_, StoreError>((holds, notice::push(tx, &new)?))
        })
    };
    let (holds, made) = end(&w).unwrap();
    let holds = holds.unwrap();
    assert_eq!((holds[0].arrived, holds[0].urgency), (2, meantime_model::Urgency::Red));
    assert_eq!(end(&w).unwrap(), (None, None), "neither is done twice");
    for second in [51, 52] {
        w.store.write(|tx| notice::set_shown(tx, made.unwrap(), at(second), Some("somewhere"))).unwrap();
    }
    let open = w.store.read(notice::open).unwrap();
    let shown: Vec<_> = open.iter().map(|row| (row.shown_at, row.place.as_deref())).collect();
    assert_eq!(shown, [(Some(at(51)), Some("somewhere"))]);

    let inbox = w.store.read(|r| list::inbox(r, at(1000), 0, 10)).unwrap();
    assert_eq!(inbox.rows[0].0, list::Group::Held);
    w.store.write(|tx| item::set_read(tx, item_id("c"))).unwrap();
    let inbox = w.store.read(|r| list::inbox(r, at(1000), 0, 10)).unwrap();
    assert_eq!(inbox.rows[0].0, list::Group::ForInformation);
}
