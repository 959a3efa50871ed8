//! Every window of every list, against a plain sort.

use crate::kit::*;
use chrono::{DateTime, Utc};
use meantime_model::{ItemId, Urgency};
use meantime_store::item::{self, Found, Item};
use meantime_store::list::{self, Group};
use meantime_store::{StoreError, focus};
use proptest::prelude::*;

#[derive(Clone, Debug)]
struct Seed {
    minute: i64,
    urgency: u8,
    due: Option<i64>,
    done: bool,
    snoozed: Option<i64>,
    held: bool,
    own: bool,
}

fn seed() -> impl Strategy<Value = Seed> {
    (
        0..30_i64,
        0..3_u8,
        prop::option::of(0..40_i64),
        prop::bool::weighted(0.2),
        prop::option::weighted(0.2, 100..140_i64),
        prop::bool::weighted(0.3),
        prop::bool::weighted(0.1),
    )
        .prop_map(|(minute, urgency, due, done, snoozed, held, own)| Seed {
            minute,
            urgency,
            due,
            done,
            snoozed,
            held,
            own,
        })
}

fn fill(w: &World, seeds: &[Seed]) -> Vec<ItemId> {
    let ids: Vec<ItemId> = (0..seeds.len()).map(|n| item_id(&format!("c{n}"))).collect();
    let changes = seeds.iter().enumerate().map(|(n, s)| {
        let mut m = message(&format!("m{n}"), s.minute, "text");
        m.own = s.own;
        incoming(&format!("c{n}"), m)
    });
    w.take(changes.collect());
    let block = focus::Block {
        id: meantime_model::BlockId::new(),
        since: at(0),
        planned_minutes: None,
        ended_at: None,
        reason: String::new(),
    };
    w.store
        .write(|tx| {
            focus::start(tx, &block)?;
            for (id, s) in ids.iter().zip(seeds) {
                let urgency = [Urgency::Red, Urgency::Yellow, Urgency::Green][usize::from(s.urgency)];
                item::set_own_urgency(tx, *id, Some(urgency), at(0))?;
                item::set_due(tx, *id, Ok(s.due.map(at)))?;
                if s.held {
                    focus::hold(
                        tx,
                        block.id,
                        &focus::Hold {
                            item: *id,
                            arrived: 1,
                            urgency,
                            reply: false,
                            asks_me: false,
                            due: None,
                            first_at: at(0),
                        },
                    )?;
                }
            }
            focus::end(tx, block.id, at(60), "")?;
            for (id, s) in ids.iter().zip(seeds) {
                if let Some(until) = s.snoozed {
                    item::set_snoozed(tx, *id, Some(at(until)))?;
                }
                if s.done {
                    item::set_done(tx, *id, Some(at(s.minute)))?;
                }
            }
            Ok::<_, StoreError>(())
        })
        .unwrap();
    ids
}

fn group(i: &Item, day_end: DateTime<Utc>) -> Option<Group> {
    if i.done || i.snoozed_until.is_some() || (i.own && i.last_own && !i.unread) {
        return None;
    }
    Some(match (i.handed_block, i.due) {
        (Some(_), _) => Group::Held,
        (None, Some(due)) if due <= day_end => Group::DueToday,
        (None, Some(_)) => Group::DueLater,
        (None, None) => Group::ForInformation,
    })
}

/// What a row is sorted by; rows of the same key may stand in any order.
fn key(group: Group, i: &Item) -> (Group, i64, i64) {
    match group {
        Group::Held => (group, i64::from(i.present_urgency as u8), -i.at.timestamp()),
        Group::DueToday | Group::DueLater => (group, i.due.unwrap().timestamp(), i.at.timestamp()),
        Group::ForInformation => (group, -i.at.timestamp(), 0),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn windows_are_slices_of_the_sorted_list(seeds in prop::collection::vec(seed(), 0..50), day_end in 0..45_i64, size in 1..8_u32) {
        let w = world();
        let ids = fill(&w, &seeds);
        let items: Vec<Item> = ids.iter().map(|id| w.item(*id)).collect();
        let day_end = at(day_end);
        let mut want: Vec<(Group, &Item)> = items.iter().filter_map(|i| Some((group(i, day_end)?, i))).collect();
        want.sort_by_key(|(group, i)| key(*group, i));
        let mut got = Vec::new();
        loop {
            let page = w.store.read(|r| list::inbox(r, day_end, got.len() as u32, size)).unwrap();
            for (group, count) in page.groups {
                prop_assert_eq!(count as usize, want.iter().filter(|(g, _)| *g == group).count());
            }
            if page.rows.is_empty() { break }
            got.extend(page.rows);
        }
        prop_assert_eq!(got.len(), want.len());
        let mut seen: Vec<ItemId> = got.iter().map(|(_, i)| i.id).collect();
        let keys: Vec<_> = got.iter().map(|(group, i)| key(*group, i)).collect();
        prop_assert_eq!(keys, want.iter().map(|(group, i)| key(*group, i)).collect::<Vec<_>>());
        seen.sort();
        seen.dedup();
        prop_assert_eq!(seen.len(), want.len(), "no row twice over the pages");

        for (_, i) in &want {
            let answered = i.due.is_none() && !i.waiting;
            prop_assert_eq!(i.present_urgency, if answered { Urgency::Green } else { i.urgency });
        }

        let done = w.store.read(|r| list::done(r, 0, 500)).unwrap();
        prop_assert_eq!(done.total as usize, items.iter().filter(|i| i.done).count());
        prop_assert!(done.rows.is_sorted_by_key(|i| std::cmp::Reverse(i.done_at)));
        let later = w.store.read(|r| list::later(r, 0, 500)).unwrap();
        prop_assert_eq!(later.total as usize, items.iter().filter(|i| !i.done && i.snoozed_until.is_some()).count());
        prop_assert!(later.rows.is_sorted_by_key(|i| i.snoozed_until));
    }
}

#[test]
fn waking_brings_back_unread_and_on_top() {
    let w = world();
    w.take((0..3).map(|n| incoming(&format!("c{n}"), message(&format!("m{n}"), n, "x"))).collect());
    let ids: Vec<_> = (0..3).map(|n| item_id(&format!("c{n}"))).collect();
    w.store
        .write(|tx| {
            for id in &ids {
                item::set_read(tx, *id)?;
            }
            item::set_snoozed(tx, ids[0], Some(at(30)))
        })
        .unwrap();
    assert_eq!(w.store.read(item::next_wake).unwrap(), Some(at(30)));
    assert_eq!(w.store.write(|tx| item::wake(tx, at(29))).unwrap(), []);
    assert_eq!(w.store.write(|tx| item::wake(tx, at(31))).unwrap(), [ids[0]]);
    assert_eq!(w.store.read(item::next_wake).unwrap(), None);
    let inbox = w.store.read(|r| list::inbox(r, at(0), 0, 9)).unwrap();
    assert_eq!(inbox.rows[0].1.id, ids[0]);
    assert!(inbox.rows[0].1.unread);
    w.store.write(|tx| item::set_looked_at(tx, ids[0])).unwrap();
    assert!(!w.item(ids[0]).unread);
}

#[test]
fn an_item_is_found_by_the_end_of_its_id() {
    let w = world();
    w.take(vec![incoming("c0", message("m0", 0, "x"))]);
    let id = item_id("c0");
    let text = id.to_string();
    for end in [&text[..], &text[32..], &text[20..], &text[8..].to_uppercase()] {
        assert_eq!(w.store.read(|r| item::find(r, end)).unwrap(), Found::One(id), "{end}");
    }
    for end in [&text[33..], "", "zzzz", "%%%%", "ffff00001111", &format!("0{text}")] {
        assert_eq!(w.store.read(|r| item::find(r, end)).unwrap(), Found::None, "{end}");
    }
}

/// Every list comes from its index, whatever the size of the table.
#[test]
fn no_list_scans_or_sorts_the_table() {
    let w = world();
    fill(&w, &[]);
    let conn = rusqlite::Connection::open(w.path()).unwrap();
    for (filter, order, index) in [
        ("bucket = 0", "present_urgency, sort_at DESC, item.rowid", "item_handed"),
        ("bucket = 1 AND due <= 5", "due, sort_at, item.rowid", "item_due"),
        ("bucket = 1 AND due > 5", "due DESC, sort_at DESC, item.rowid DESC", "item_due"),
        ("bucket = 2", "sort_at DESC, item.rowid DESC", "item_info"),
        ("bucket = 2", "sort_at, item.rowid", "item_info"),
        ("waiting = 1 AND bucket < 4", "sort_at DESC, item.rowid DESC", "item_waiting"),
        ("bucket = 4", "snoozed_until, item.rowid", "item_later"),
        ("bucket = 5", "done_at DESC, item.rowid DESC", "item_done"),
    ] {
        let sql = format!("EXPLAIN QUERY PLAN SELECT rowid FROM item WHERE {filter} ORDER BY {order} LIMIT 5 OFFSET 5");
        let plan: Vec<String> =
            conn.prepare(&sql).unwrap().query_map([], |r| r.get(3)).unwrap().map(Result::unwrap).collect();
        let plan = plan.join("; ");
        assert!(plan.contains(&format!("INDEX {index}")) && !plan.contains("TEMP B-TREE"), "{filter}: {plan}");
    }
}

/// What is asked for each message that comes does not read all of a long
/// conversation.
#[test]
fn whether_i_wrote_in_a_conversation_is_in_an_index() {
    let w = world();
    let conn = rusqlite::Connection::open(w.path()).unwrap();
    for asked in [
        "EXISTS (SELECT 1 FROM message WHERE item_id = x'00' AND own = 1 AND key < 5)",
        "EXISTS (SELECT 1 FROM message WHERE item_id = x'00' AND own = 1)",
        "(SELECT count(*) FROM message WHERE item_id = x'00' AND own = 1)",
    ] {
        let sql = format!("EXPLAIN QUERY PLAN SELECT {asked}");
        let plan: Vec<String> =
            conn.prepare(&sql).unwrap().query_map([], |r| r.get(3)).unwrap().map(Result::unwrap).collect();
        assert!(plan.join("; ").contains("INDEX message_own"), "{asked}: {plan:?}");
    }
}
