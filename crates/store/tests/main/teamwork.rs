//! The team's records as rows, with pending changes on top.

use crate::feeds::*;
use crate::kit::*;
use meantime_model::{ItemId, Urgency};
use meantime_protocol::http::{OpResult, PushOutcome};
use meantime_protocol::{Code, Kind, Problem};
use meantime_store::{item, list, message, outbox, scope, team};
use serde_json::json;
use uuid::Uuid;

#[test]
fn a_thread_that_asks_me_and_my_answer() {
    let t = TeamWorld::new();
    let thread = Uuid::from_u128(7);
    let applied = t.pull(vec![
        t.row(1, Kind::MEMBER, KOFI.0, KOFI, 0, json!({"name": "Kofi"})),
        t.row(
            2,
            Kind::THREAD,
            thread,
            KOFI,
            10,
            json!({"title": "Release blocked", "urgency": "red", "asked": [ME, MEI], "space": "Releases"}),
        ),
        t.row(3, Kind::MESSAGE, Uuid::from_u128(8), KOFI, 10, json!({"thread": thread, "text": "Can you look?"})),
    ]);
    let id = ItemId(thread);
    assert_eq!(applied.touched, [id]);
    assert!(applied.team_changed);
    let news = &applied.fresh[0];
    assert_eq!(
        (news.item, news.author, news.urgency, news.asks_me, news.reply, news.backfill || news.seen),
        (id, KOFI, Urgency::Red, true, false, false)
    );
    let i = t.item(id);
    assert_eq!((i.title.as_str(), i.people.as_str(), i.place.as_str()), ("Release blocked", "Kofi", "Releases"));
    assert_eq!((i.asked_count, i.answered_count, i.asks_me, i.waiting, i.unread), (2, 0, true, false, true));
    assert_eq!(i.ask_at, Some(at(10)));

    // My answer is there at once, and counts.
    let (entry, applied) = t.push(t.reply(thread, Uuid::from_u128(9), "On it.", 12));
    assert_eq!(applied.touched, [id]);
    let i = t.item(id);
    assert_eq!((i.answered_count, i.asks_me, i.ask_at), (1, false, None));
    let sending = || t.messages(id).last().unwrap().sending.clone();
    assert!(matches!(sending(), Some(message::Sending::Pending { outbox, .. }) if outbox == entry));
    assert_eq!(t.w.store.read(|r| message::seen_until(r, id)).unwrap(), Some(at(10)), "not my own clock");

    // It survives a pull, the answer to the push, and what the feed brings back.
    t.pull(vec![t.row(4, Kind::MESSAGE, Uuid::from_u128(10), MEI, 11, json!({"thread": thread, "text": "Me too"}))]);
    assert_eq!(t.messages(id).len(), 3);
    let ops = t.next_ops(13);
    assert_eq!(ops.len(), 1);
    t.settle(vec![OpResult { n: ops[0].n, outcome: PushOutcome::Applied { seq: 5 } }]);
    assert_eq!((t.messages(id).len(), sending()), (3, None));
    let back =
        t.pull(vec![t.row(5, Kind::MESSAGE, Uuid::from_u128(9), ME, 13, json!({"thread": thread, "text": "On it."}))]);
    assert_eq!(back.fresh, [], "my own message is not news");
    assert_eq!(t.messages(id).len(), 3);
    assert_eq!(t.messages(id).last().unwrap().at, at(13), "the server's time");
    assert_eq!(t.outbox_rows(), 0);
}

#[test]
fn waiting_for_others_until_all_have_answered() {
    let t = TeamWorld::new();
    let thread = Uuid::from_u128(7);
    t.push(t.thread(thread, "Which day?", &[MEI, KOFI], 1));
    t.push(t.reply(thread, Uuid::from_u128(8), "Tue or Wed?", 1));
    let id = ItemId(thread);
    assert!(t.item(id).waiting);
    let inbox = |t: &TeamWorld| t.w.store.read(|r| list::inbox(r, at(99), 0, 9)).unwrap().rows.len();
    let waiting = |t: &TeamWorld| t.w.store.read(|r| list::waiting(r, 0, 9)).unwrap().total;
    assert_eq!((inbox(&t), waiting(&t)), (0, 1), "what I asked is not in my own inbox");
    t.accept_all(1, 2);
    t.pull(vec![t.row(9, Kind::MESSAGE, Uuid::from_u128(20), MEI, 5, json!({"thread": thread, "text": "Tue"}))]);
    assert_eq!((inbox(&t), waiting(&t), t.item(id).answered_count), (1, 1, 1));
    let news =
        t.pull(vec![t.row(10, Kind::MESSAGE, Uuid::from_u128(21), KOFI, 6, json!({"thread": thread, "text": "Tue"}))]);
    assert!(news.fresh[0].reply);
    assert_eq!((waiting(&t), t.item(id).waiting), (0, false));
}

#[test]
fn messages_wait_for_their_thread_and_names_for_their_member() {
    let t = TeamWorld::new();
    let thread = Uuid::from_u128(7);
    let first =
        t.pull(vec![t.row(1, Kind::MESSAGE, Uuid::from_u128(8), MEI, 1, json!({"thread": thread, "text": "hello"}))]);
    assert_eq!(first.fresh, []);
    let second = t.pull(vec![t.row(2, Kind::THREAD, thread, MEI, 1, json!({"title": "T", "urgency": "green"}))]);
    assert_eq!(second.fresh.len(), 1);
    assert_eq!(t.item(ItemId(thread)).people, "Somebody");
    t.pull(vec![t.row(3, Kind::MEMBER, MEI.0, MEI, 0, json!({"name": "Mei"}))]);
    assert_eq!(t.item(ItemId(thread)).people, "Mei");
}

#[test]
fn older_rows_change_nothing_and_the_same_page_twice_is_a_no_op() {
    let t = TeamWorld::new();
    let thread = Uuid::from_u128(7);
    let page = || {
        vec![
            t.row(5, Kind::THREAD, thread, MEI, 1, json!({"title": "New", "urgency": "green"})),
            t.row(6, Kind::MESSAGE, Uuid::from_u128(8), MEI, 1, json!({"thread": thread, "text": "x"})),
        ]
    };
    t.pull(page());
    let again = t.pull(page());
    assert_eq!(again, team::Applied::default());
    t.pull(vec![t.row(4, Kind::THREAD, thread, MEI, 1, json!({"title": "Old", "urgency": "green"}))]);
    assert_eq!(t.item(ItemId(thread)).title, "New");
    let mut gone = t.row(9, Kind::MESSAGE, Uuid::from_u128(8), MEI, 1, json!({}));
    gone.deleted = true;
    t.pull(vec![gone]);
    assert_eq!(t.messages(ItemId(thread)).len(), 0);
    t.pull(page());
    assert_eq!(t.messages(ItemId(thread)).len(), 0, "a tombstone stays one");
}

#[test]
fn marks_follow_me_and_later_messages_bring_back() {
    let t = TeamWorld::new();
    let id = t.simple_thread(7);
    let until = t.w.store.read(|r| message::seen_until(r, id)).unwrap().unwrap();
    t.push(t.mark(id, json!({"read_at": until, "done_at": until})));
    assert!(t.item(id).done && !t.item(id).unread);
    // The echo changes nothing; an answer brings it back.
    t.accept_all(50, 3);
    assert!(t.item(id).done);
    let news =
        t.pull(vec![t.row(60, Kind::MESSAGE, Uuid::from_u128(30), MEI, 9, json!({"thread": id.0, "text": "again"}))]);
    assert!(!news.fresh[0].backfill && !news.fresh[0].seen);
    assert!(!t.item(id).done && t.item(id).unread);
    // Another device snoozes it; the next message wakes it everywhere.
    t.pull_mine(vec![t.mark_row(51, id, json!({"read_at": at(9), "done_at": until, "snoozed_until": at(500)}))]);
    assert_eq!(t.item(id).snoozed_until, Some(at(500)));
    t.pull(vec![t.row(61, Kind::MESSAGE, Uuid::from_u128(31), MEI, 10, json!({"thread": id.0, "text": "and"}))]);
    assert_eq!(t.item(id).snoozed_until, None);
    let ops = t.next_ops(11);
    assert_eq!(
        (ops[0].kind.clone(), &ops[0].fields),
        (Kind::MARK, json!({"snoozed_until": null}).as_object().unwrap())
    );
}

#[test]
fn a_snooze_that_ran_out_wakes_and_is_not_put_back_by_its_mark() {
    let t = TeamWorld::new();
    let id = t.simple_thread(7);
    t.push(t.mark(id, json!({"read_at": at(5), "snoozed_until": at(30)})));
    assert_eq!(t.w.store.write(|tx| item::wake(tx, at(31))).unwrap(), [id]);
    t.pull_at(
        31,
        vec![t.row(70, Kind::MESSAGE, Uuid::from_u128(30), ME, 31, json!({"thread": id.0, "text": "mine, elsewhere"}))],
    );
    let i = t.item(id);
    assert!(i.snoozed_until.is_none() && i.unread && i.woken_at.is_some());
}

#[test]
fn a_muted_thread_stays_away_and_silent() {
    let t = TeamWorld::new();
    let id = t.simple_thread(7);
    t.push(t.mark(id, json!({"done_at": at(5), "muted": true})));
    let news =
        t.pull(vec![t.row(60, Kind::MESSAGE, Uuid::from_u128(30), MEI, 9, json!({"thread": id.0, "text": "x"}))]);
    assert!(t.item(news.fresh[0].item).muted, "what that means is not for the store to say");
    assert!(t.item(id).done);
}

#[test]
fn what_is_refused_is_said_kept_and_blocks_nothing() {
    let t = TeamWorld::new();
    let id = t.simple_thread(7);
    let (bad, _) = t.push(t.reply(id.0, Uuid::from_u128(20), "my words", 6));
    t.push(t.mark(id, json!({"done_at": at(5)})));
    let ops = t.next_ops(9);
    let refused = PushOutcome::Rejected { problem: Problem::new(Code::Forbidden, "You may not write here.") };
    let settled = t.settle(vec![
        OpResult { n: ops[0].n, outcome: refused },
        OpResult { n: ops[1].n, outcome: PushOutcome::Applied { seq: 50 } },
    ]);
    assert_eq!((settled[0].outbox, settled[0].refused.as_ref().map(|p| p.code)), (bad, Some(Code::Forbidden)));
    assert_eq!(settled[1].refused, None);
    let refusals = t.w.store.read(outbox::refused).unwrap();
    assert_eq!((refusals[0].op.text.as_str(), refusals[0].op.item), ("my words", Some(id)));
    assert!(matches!(t.messages(id).last().unwrap().sending, Some(message::Sending::Refused { .. })));
    assert_eq!(t.next_ops(9), [], "it is not sent again by itself");

    // Tried again: a new number, the same op.
    let entry = t.w.store.write(|tx| outbox::retry(tx, bad)).unwrap().unwrap();
    t.replay(&entry);
    let again = t.next_ops(10);
    assert!(again[0].n > ops[1].n);
    assert_eq!(again[0].op_id, ops[0].op_id);
    let no = PushOutcome::Rejected { problem: Problem::new(Code::Forbidden, "No.") };
    t.settle(vec![OpResult { n: again[0].n, outcome: no }]);
    let entry = t.w.store.write(|tx| outbox::discard(tx, bad)).unwrap().unwrap();
    t.replay(&entry);
    assert_eq!(t.messages(id).len(), 1);
}

#[test]
fn an_undone_reply_never_leaves_and_later_ones_wait_behind_it() {
    let t = TeamWorld::new();
    let id = t.simple_thread(7);
    let mut op = t.reply(id.0, Uuid::from_u128(20), "oops", 6);
    op.not_before = Some(at(7));
    let (entry, _) = t.push(op);
    t.push(t.mark(id, json!({"done_at": at(5)})));
    t.push(t.mark(ItemId(Uuid::from_u128(999)), json!({"done_at": at(5)})));
    let ops = t.next_ops(6);
    assert_eq!(ops.iter().map(|o| o.id).collect::<Vec<_>>(), [Uuid::from_u128(999)]);
    let taken = t.w.store.write(|tx| outbox::withdraw(tx, entry)).unwrap().unwrap();
    t.replay(&taken);
    assert_eq!(t.messages(id).len(), 1);
    assert!(t.next_ops(8).iter().all(|o| o.kind == Kind::MARK));
}

#[test]
fn a_lost_reply_is_pushed_again_under_the_same_number() {
    let t = TeamWorld::new();
    let id = t.simple_thread(7);
    let (entry, _) = t.push(t.reply(id.0, Uuid::from_u128(20), "once", 6));
    let first = t.next_ops(8);
    assert_eq!(t.w.store.write(|tx| outbox::withdraw(tx, entry)).unwrap(), None, "it may have arrived");
    assert_eq!(t.next_ops(9), first);
    let settled = t.settle(vec![OpResult { n: first[0].n, outcome: PushOutcome::Duplicate }]);
    assert_eq!(settled[0].refused, None);
    assert_eq!(t.messages(id).len(), 2);
    assert_eq!(t.next_ops(10), []);
    t.pull(vec![t.row(50, Kind::MESSAGE, Uuid::from_u128(20), ME, 8, json!({"thread": id.0, "text": "once"}))]);
    assert_eq!((t.messages(id).len(), t.outbox_rows()), (2, 0));
}

#[test]
fn numbers_rise_even_over_a_database_put_back() {
    let t = TeamWorld::new();
    let id = t.simple_thread(7);
    t.push(t.mark(id, json!({"muted": true})));
    let first = t.next_ops(10)[0].n;
    assert_eq!(first, at(10).timestamp_millis() as u64);
    t.push(t.mark(id, json!({"muted": false})));
    assert_eq!(t.next_ops(9)[1].n, first + 1, "the clock was set back");
}

#[test]
fn sent_later_is_mine_alone_until_then() {
    let t = TeamWorld::new();
    let id = t.simple_thread(7);
    let mut op = t.reply(id.0, Uuid::from_u128(20), "tomorrow", 6);
    if let outbox::Target::Record { change, .. } = &mut op.target {
        change.visible_from = Some(at(1000));
    }
    t.push(op);
    let last = t.messages(id).pop().unwrap();
    assert_eq!((last.visible_from, last.at), (Some(at(1000)), at(1000)));
    assert_eq!(t.next_ops(7)[0].visible_from, Some(at(1000)));
}

#[test]
fn what_waits_past_its_moment_may_go_at_once() {
    let t = TeamWorld::new();
    let id = t.simple_thread(7);
    for (n, moment) in [(20, Some(at(1000))), (21, None), (22, Some(at(3000)))] {
        let mut op = t.reply(id.0, Uuid::from_u128(n), "later", 6);
        // Whatever else is held up a while.
        op.not_before = (n == 22).then(|| at(1500));
        if let outbox::Target::Record { change, .. } = &mut op.target {
            change.visible_from = moment;
        }
        t.push(op);
    }
    let overdue = |minute| t.w.store.read(|r| team::has_overdue(r, t.account, at(minute))).unwrap();
    let moments = |minute| t.next_ops(minute).iter().map(|op| op.visible_from).collect::<Vec<_>>();
    assert!(!overdue(999));
    t.w.store.write(|tx| team::send_overdue(tx, &t.team(999))).unwrap();
    assert_eq!(moments(999), [Some(at(1000)), None], "too early for that");
    // The first try may have got lost on the way.
    assert!(overdue(1000));
    let applied = t.w.store.write(|tx| team::send_overdue(tx, &t.team(1000))).unwrap();
    assert_eq!(applied.touched, [id]);
    assert!(!overdue(1000));
    assert_eq!(moments(2000), [None, None, Some(at(3000))]);
    let shown: Vec<_> = t.messages(id).into_iter().map(|m| m.visible_from).collect();
    assert_eq!(shown.iter().filter(|moment| moment.is_some()).count(), 1, "{shown:?}");
}

#[test]
fn my_mark_is_there_before_the_mail_it_is_for() {
    let t = TeamWorld::new();
    t.pull_mine(vec![t.mark_row(1, item_id("a"), json!({"read_at": at(5), "done_at": at(5)}))]);
    t.w.take(vec![incoming("a", message("1", 3, "x"))]);
    assert!(t.item(item_id("a")).done && !t.item(item_id("a")).unread);
    t.pull_mine(vec![t.mark_row(2, item_id("a"), json!({"read_at": at(5)}))]);
    assert!(!t.item(item_id("a")).done, "undone on another device");
    // A mark that never said anything about done leaves the source's word.
    let mut archived = message("2", 3, "x");
    archived.done = true;
    t.w.take(vec![incoming("b", archived)]);
    t.pull_mine(vec![t.mark_row(3, item_id("b"), json!({"read_at": at(5)}))]);
    assert!(t.item(item_id("b")).done);
}

#[test]
fn joining_again_as_somebody_new_keeps_words_and_what_was_done() {
    let t = TeamWorld::new();
    let (done, typed) = (t.simple_thread(7), t.simple_thread(8));
    t.pull_mine(vec![t.mark_row(3, done, json!({"read_at": at(5), "done_at": at(5)}))]);
    t.push(t.mark(typed, json!({"read_at": at(5)})));
    t.push(t.reply(typed.0, Uuid::from_u128(9), "precious words", 6));
    t.push(t.op(TEAM, Kind::SCHEDULE, ME.0, None, 6, json!({"zone": "UTC"})));
    let (before, words) = (t.item(done), t.messages(typed));
    t.w.store.write(|tx| team::rejoin(tx, t.account, "team:1:c", ME, KOFI, at(9))).unwrap();
    assert_eq!((t.item(done), t.messages(typed)), (before, words), "nothing moves on the screen");

    let scope = meantime_protocol::Scope::User(KOFI);
    let sent: Vec<_> = t.next_ops(20).into_iter().map(|op| (op.scope, op.kind, op.id)).collect();
    assert_eq!(sent[0], (TEAM, Kind::MESSAGE, Uuid::from_u128(9)), "words go out as before");
    assert_eq!(sent[1..], [(scope, Kind::MARK, done.0), (scope, Kind::MARK, typed.0)]);

    // The old person's feed is gone for this device: what it said stays.
    t.w.store.write_bulk(|tx| team::forget(tx, &team::Team { me: KOFI, ..t.team(21) }, MINE)).unwrap();
    assert!(t.item(done).done && !t.item(typed).unread);
    assert_eq!(t.w.store.read(outbox::refused).unwrap(), []);
}

#[test]
fn joining_again_as_oneself_changes_nothing_that_waits() {
    let t = TeamWorld::new();
    let thread = t.simple_thread(7);
    t.push(t.reply(thread.0, Uuid::from_u128(9), "precious words", 6));
    t.push(t.op(TEAM, Kind::SCHEDULE, ME.0, None, 6, json!({"zone": "UTC"})));
    t.w.store.write(|tx| team::rejoin(tx, t.account, "team:1", ME, ME, at(9))).unwrap();
    assert_eq!(t.next_ops(20).len(), 2);
    let feeds = t.w.store.read(|r| scope::all(r, t.account)).unwrap();
    assert!(!feeds.is_empty() && feeds.iter().all(|feed| feed.cursor.is_none()), "all of it is read anew");
}
