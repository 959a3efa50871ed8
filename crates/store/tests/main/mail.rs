//! A source's pages.

use crate::kit::*;
use meantime_model::{OpId, Urgency};
use meantime_store::ingest::Change;
use meantime_store::message::Correspondent;
use meantime_store::outbox::{NewOp, Target};
use meantime_store::{StoreError, account, draft, item, list, message, outbox, unsent};
use serde_json::json;

#[test]
fn the_same_page_twice_is_a_no_op() {
    let w = world();
    let page = || {
        vec![
            incoming("a", message("1", 1, "first words\n> quoted\nmore")),
            incoming("a", message("2", 5, "second words")),
            incoming("b", message("3", 3, "other")),
        ]
    };
    let first = w.take(page());
    assert_eq!(first.fresh.iter().map(|f| f.upstream.as_str()).collect::<Vec<_>>(), ["1", "3", "2"]);
    assert!(first.fresh.iter().all(|f| !f.backfill && !f.seen));
    let before = (w.item(item_id("a")), w.item(item_id("b")));
    let again = w.take(page());
    assert_eq!(again.fresh, []);
    assert_eq!((w.item(item_id("a")), w.item(item_id("b"))), before);
    assert_eq!(before.0.note, "second words");
    assert_eq!(before.1.people, "Mei Lin");
    assert_eq!(before.0.ask_at, Some(at(1)));
    assert!(before.0.unread);
}

/// However they come: what I wrote does not say what a conversation is.
#[test]
fn my_own_answer_leaves_title_and_urgency_as_they_were() {
    let answer = || {
        let Change::Message(mut incoming) = incoming("a", message("2", 5, "on it")) else { unreachable!() };
        (incoming.message.own, incoming.message.read, incoming.addressed) = (true, true, false);
        (incoming.title, incoming.place, incoming.urgency) = ("Re: Fire".into(), "Sent".into(), Urgency::Green);
        Change::Message(incoming)
    };
    let asked = || incoming("a", message("1", 1, "the server is on fire"));
    let in_order = [vec![asked(), answer()], vec![answer(), asked()]].map(|page| vec![page]);
    let apart = [vec![vec![asked()], vec![answer()]], vec![vec![answer()], vec![asked()]]];
    for pages in in_order.into_iter().chain(apart) {
        let w = world();
        for page in pages {
            w.take(page);
        }
        let it = w.item(item_id("a"));
        let is = (it.title.as_str(), it.place.as_str(), it.urgency, it.addressed);
        assert_eq!(is, ("Review API draft", "INBOX", Urgency::Yellow, true));
        assert_eq!((it.note.as_str(), it.last_own, it.at), ("on it", true, at(5)));
    }
}

#[test]
fn an_answer_changes_no_title_and_another_subject_does() {
    let w = world();
    let titled = |title: &str, minute: i64| {
        let message = message(&minute.to_string(), minute, "words");
        w.take(vec![incoming("a", meantime_store::message::NewMessage { title: title.into(), ..message })]);
        w.item(item_id("a")).title
    };
    let titles = [titled("Party plan", 1), titled("Re: Party plan", 2), titled("RE: party plan", 3)];
    assert_eq!(titles, ["Party plan"; 3]);
    assert_eq!(
        [titled("Picnic (was: Party plan)", 4), titled("Re: Picnic", 5)],
        ["Picnic (was: Party plan)", "Re: Picnic"]
    );
}

#[test]
fn where_answers_go_is_kept_and_follows_the_source() {
    let w = world();
    let list = Correspondent { name: "The List".into(), address: "list@example.org".into() };
    let mut m = message("1", 1, "x");
    m.reply_to = vec![list.clone()];
    w.take(vec![incoming("a", m.clone())]);
    let kept = || w.store.read(|r| message::of_item(r, item_id("a"), 9)).unwrap()[0].reply_to.clone();
    assert_eq!(kept(), [list]);
    m.reply_to.clear();
    w.take(vec![incoming("a", m)]);
    assert_eq!(kept(), []);
}

#[test]
fn the_cursor_is_part_of_the_page() {
    let w = world();
    w.page(vec![incoming("a", message("1", 1, "x"))], true).unwrap();
    let cursor = w.store.read(|r| account::cursor(r, w.mail)).unwrap().unwrap();
    assert_eq!((cursor.cursor, cursor.backfilled), (json!({"seen": 1}), false));
    w.take(vec![]);
    assert!(w.store.read(|r| account::cursor(r, w.mail)).unwrap().unwrap().backfilled);
}

#[test]
fn nothing_of_a_backfill_alerts_or_comes_back() {
    let w = world();
    w.page(vec![incoming("a", message("9", 9, "x"))], true).unwrap();
    w.store.write(|tx| item::set_done(tx, item_id("a"), Some(at(9)))).unwrap();
    let older = w.page(vec![incoming("a", message("2", 2, "x")), incoming("b", message("3", 3, "x"))], true).unwrap();
    assert!(older.fresh.iter().all(|f| f.backfill && !f.came_back), "{older:?}");
    assert!(w.item(item_id("a")).done);
}

#[test]
fn an_answer_brings_back_what_is_done_or_snoozed_unless_muted() {
    for (mute, comes) in [(false, true), (true, false)] {
        let w = world();
        w.take(vec![incoming("done", message("1", 1, "x")), incoming("later", message("2", 1, "x"))]);
        w.store
            .write(|tx| {
                for id in ["done", "later"] {
                    item::set_muted(tx, item_id(id), mute)?;
                    item::set_read(tx, item_id(id))?;
                }
                item::set_done(tx, item_id("done"), Some(at(2)))?;
                item::set_snoozed(tx, item_id("later"), Some(at(900)))
            })
            .unwrap();
        let mut own = message("3", 4, "mine");
        own.own = true;
        let mine = w.take(vec![incoming("done", own)]);
        assert!(!mine.fresh[0].came_back && mine.fresh[0].own, "my own message does not");
        let news = w.take(vec![incoming("done", message("4", 5, "y")), incoming("later", message("5", 5, "y"))]);
        assert_eq!(news.fresh.iter().map(|f| f.came_back).collect::<Vec<_>>(), [comes; 2]);
        assert_eq!(!w.item(item_id("done")).done, comes);
        assert_eq!(w.item(item_id("later")).snoozed_until.is_none(), comes);
        assert!(w.item(item_id("later")).unread);
    }
}

#[test]
fn flags_of_the_other_side_are_followed_once_they_change() {
    let w = world();
    w.take(vec![incoming("a", message("1", 1, "x")), incoming("a", message("2", 2, "x"))]);
    let flags = |m: &str, read, done| Change::Flags { message: m.into(), read, done };
    w.take(vec![flags("1", true, true)]);
    assert!(w.item(item_id("a")).unread && !w.item(item_id("a")).done, "the other message is neither");
    w.take(vec![flags("2", true, true), flags("unknown", true, true)]);
    assert!(!w.item(item_id("a")).unread && w.item(item_id("a")).done);
    w.take(vec![flags("2", true, false)]);
    assert!(!w.item(item_id("a")).done, "taken out of the archive there");

    // What is done here stays done while the same news comes again ...
    w.store.write(|tx| item::set_done(tx, item_id("a"), Some(at(3)))).unwrap();
    w.take(vec![flags("2", true, false)]);
    assert!(w.item(item_id("a")).done);
    // ... and while our own change is on its way.
    let op = NewOp {
        account: w.mail,
        op_id: OpId::new(),
        target: Target::Source(json!({})),
        item: Some(item_id("a")),
        what: "Done".into(),
        text: String::new(),
        not_before: None,
        made_at: at(3),
    };
    w.store.write(|tx| outbox::push(tx, &op)).unwrap();
    w.take(vec![flags("1", true, false)]);
    assert!(w.item(item_id("a")).done);
}

#[test]
fn what_arrives_archived_is_done_and_what_is_gone_goes() {
    let w = world();
    let mut m = message("1", 1, "x");
    (m.read, m.done) = (true, true);
    w.take(vec![incoming("a", m), incoming("b", message("2", 2, "x"))]);
    assert!(w.item(item_id("a")).done);
    let gone = w.take(vec![Change::Gone { message: "2".into() }, Change::Gone { message: "never".into() }]);
    assert_eq!(gone.touched, [item_id("b")]);
    assert_eq!(w.store.read(|r| item::get(r, item_id("b"))).unwrap(), None);
    assert_eq!(w.store.read(list::counts).unwrap().due, 0);
}

#[test]
fn more_messages_in_one_instant_than_a_millisecond_has_keys() {
    let w = world();
    let changes = (0..2500).map(|n| incoming("a", message(&format!("{n}"), 1, "x"))).collect();
    w.take(changes);
    let all = w.store.read(|r| message::of_item(r, item_id("a"), 9999)).unwrap();
    assert_eq!(all.len(), 2500);
    assert!(all.iter().all(|m| m.key < 1 << 53));
}

#[test]
fn what_does_not_get_through_says_why_and_waits_for_its_time_or_for_the_person() {
    let w = world();
    let op = |text: &str| NewOp {
        account: w.mail,
        op_id: OpId::new(),
        target: Target::Source(json!({"what": "reply"})),
        item: None,
        what: "Reply".into(),
        text: text.into(),
        not_before: None,
        made_at: at(1),
    };
    let failing = || w.store.read(|r| outbox::failing(r, w.mail)).unwrap();
    let ready = |minute| w.store.read(|r| outbox::ready(r, w.mail, at(minute), 9)).unwrap().len();
    let (first, second) =
        w.store.write(|tx| Ok::<_, StoreError>((outbox::push(tx, &op("a"))?, outbox::push(tx, &op("b"))?))).unwrap();
    assert_eq!((failing(), ready(2)), (None, 2));
    w.store.write(|tx| outbox::set_retry(tx, first, at(5), "transient", "it is down")).unwrap();
    let down = outbox::Failing { code: "transient".into(), message: "it is down".into(), again: Some(at(5)) };
    assert_eq!((failing(), ready(2), ready(5)), (Some(down), 1, 2));
    w.store.write(|tx| outbox::set_stuck(tx, second, "auth", "a password")).unwrap();
    let asks = outbox::Failing { code: "auth".into(), message: "a password".into(), again: None };
    assert_eq!(
        (failing(), ready(5), ready(90_000_000)),
        (Some(asks), 1, 1),
        "the person comes first, and time helps nothing"
    );
    w.store.write(|tx| outbox::let_on(tx, w.mail)).unwrap();
    assert_eq!((failing(), ready(2)), (None, 2));
}

#[test]
fn a_reply_on_its_way_becomes_the_one_that_arrived() {
    let w = world();
    w.take(vec![incoming("a", message("1", 1, "question?"))]);
    let id = item_id("a");
    let op = NewOp {
        account: w.mail,
        op_id: OpId::new(),
        target: Target::Source(json!({"what": "reply"})),
        item: Some(id),
        what: "Reply".into(),
        text: "my answer".into(),
        not_before: Some(at(3)),
        made_at: at(2),
    };
    let mut own = message("<op@meantime>", 2, "my answer");
    own.own = true;
    let (entry, key) = w
        .store
        .write(|tx| {
            let entry = outbox::push(tx, &op)?;
            own.outbox = Some(entry);
            Ok::<_, StoreError>((entry, message::put_own(tx, w.mail, id, &own)?))
        })
        .unwrap();
    let sending = |key| w.store.read(|r| message::get(r, key)).unwrap().unwrap().sending;
    assert_eq!(sending(key), Some(message::Sending::Pending { outbox: entry, not_before: Some(at(3)) }));
    assert_eq!(w.item(id).ask_at, None, "answered");
    assert_eq!(w.store.read(|r| outbox::ready(r, w.mail, at(2), 9)).unwrap(), [], "it can be undone");
    assert_eq!(w.store.read(|r| outbox::next_ready(r, w.mail, at(2))).unwrap(), Some(at(3)));

    w.store.write(|tx| outbox::set_attempted(tx, entry)).unwrap();
    assert_eq!(w.store.write(|tx| outbox::withdraw(tx, entry)).unwrap(), None, "too late");
    w.store.write(|tx| outbox::set_refused(tx, entry, "refused", "the server said no")).unwrap();
    assert!(matches!(sending(key), Some(message::Sending::Refused { .. })));
    assert_eq!(w.store.read(outbox::refused).unwrap()[0].op.text, "my answer");
    w.store.write(|tx| outbox::retry(tx, entry)).unwrap().unwrap();
    w.store.write(|tx| outbox::set_arrived(tx, entry)).unwrap();
    assert_eq!(sending(key), None);

    own.outbox = None;
    own.author = Correspondent { name: "Ana".into(), address: "ana@example.org".into() };
    let back = w.take(vec![incoming("a", own)]);
    assert_eq!(back.fresh, [], "the copy in Sent is the same message");
    assert_eq!(w.store.read(|r| message::of_item(r, id, 9)).unwrap().len(), 2);
}

#[test]
fn removing_an_account_takes_its_rows_and_their_words_in_the_index() {
    let w = world();
    w.take(vec![incoming("a", message("1", 1, "unmistakable"))]);
    w.store.write(|tx| account::remove(tx, w.mail)).unwrap();
    assert_eq!(w.store.read(list::counts).unwrap(), list::Counts::default());
    assert_eq!(w.store.read(|r| meantime_store::search::search(r, "unmistakable", None, 9)).unwrap(), []);
    w.store.check().unwrap();
}

#[test]
fn what_would_be_lost_with_an_account_is_known_before() {
    let w = world();
    let other = add_account(&w.store, meantime_store::AccountKind::Imap, "imap:other@example.org");
    w.take(vec![incoming("a", message("1", 1, "x")), incoming("b", message("2", 1, "x"))]);
    let op = |account, conversation: &str, text: &str| NewOp {
        account,
        op_id: OpId::new(),
        target: Target::Source(json!({})),
        item: Some(item_id(conversation)),
        what: "Reply".into(),
        text: text.into(),
        not_before: None,
        made_at: at(2),
    };
    let lost = || w.store.read(|r| unsent::of(r, w.mail)).unwrap();
    assert!(lost().is_empty());
    w.store
        .write(|tx| {
            draft::put(tx, Some(item_id("a")), "half a sentence", at(2))?;
            draft::put(tx, None, "a new thread", at(2))?;
            outbox::push(tx, &op(w.mail, "b", "on its way"))?;
            outbox::push(tx, &op(w.mail, "b", "on its way"))?;
            let refused = outbox::push(tx, &op(w.mail, "gone", "refused"))?;
            outbox::set_refused(tx, refused, "no", "no")?;
            outbox::push(tx, &op(w.mail, "b", ""))?;
            outbox::push(tx, &op(other, "b", "somebody else's"))
        })
        .unwrap();
    let text = |title: &str, state, text: &str| unsent::Text { title: title.into(), state, text: text.into() };
    let title = "Review API draft";
    assert_eq!(
        lost(),
        unsent::Unsent {
            texts: vec![
                text(title, unsent::State::Draft, "half a sentence"),
                text(title, unsent::State::Waiting, "on its way"),
                text("Reply", unsent::State::Refused, "refused"),
            ],
            changes: 1,
        }
    );
    w.store.write(|tx| account::remove(tx, w.mail)).unwrap();
    assert!(lost().is_empty());
    let left =
        w.store.read(|r| Ok::<_, StoreError>((draft::get(r, Some(item_id("a")))?, draft::get(r, None)?))).unwrap();
    assert_eq!(left, (None, Some("a new thread".into())), "nothing of it stays behind");
}
