//! Feeds: bootstrap, beginning anew, being removed, any order of arrival.
// long: one world, and every way in which a feed may come.

use crate::kit::*;
use chrono::{DateTime, Utc};
use meantime_model::{AccountId, ItemId, OpId, PersonId, TeamId};
use meantime_protocol::http::{BootstrapPage, Op, OpResult, PullPage, PushOutcome};
use meantime_protocol::{Code, Cursor, Epoch, Fields, Kind, Problem, Record, Scope};
use meantime_store::account::AccountKind;
use meantime_store::outbox::{Change, Entry, NewOp, Target};
use meantime_store::team::{self, Applied, Settled, Team};
use meantime_store::{StoreError, draft, item, list, message, outbox, record, scope, search};
use proptest::prelude::*;
use serde_json::{Value, json};
use uuid::Uuid;

pub const ME: PersonId = PersonId(Uuid::from_u128(0xa));
pub const MEI: PersonId = PersonId(Uuid::from_u128(0xb));
pub const KOFI: PersonId = PersonId(Uuid::from_u128(0xc));
pub const TEAM: Scope = Scope::Team(TeamId(Uuid::from_u128(1)));
pub const MINE: Scope = Scope::User(ME);

pub struct TeamWorld {
    pub w: World,
    pub account: AccountId,
}

impl TeamWorld {
    pub fn new() -> Self {
        let w = world();
        let account = add_account(&w.store, AccountKind::Team, "team:1");
        for scope in [TEAM, MINE] {
            w.store.write(|tx| scope::add(tx, account, scope)).unwrap();
        }
        Self { w, account }
    }

    pub fn team(&self, minute: i64) -> Team {
        Team { account: self.account, me: ME, now: at(minute) }
    }

    pub fn row(&self, seq: u64, kind: Kind, id: Uuid, author: PersonId, minute: i64, fields: Value) -> Record {
        row(TEAM, seq, kind, id, author, minute, fields)
    }

    pub fn mark_row(&self, seq: u64, id: ItemId, fields: Value) -> Record {
        row(MINE, seq, Kind::MARK, id.0, ME, 0, fields)
    }

    pub fn pull(&self, rows: Vec<Record>) -> Applied {
        self.page(TEAM, 20, rows)
    }

    pub fn pull_at(&self, minute: i64, rows: Vec<Record>) -> Applied {
        self.page(TEAM, minute, rows)
    }

    pub fn pull_mine(&self, rows: Vec<Record>) -> Applied {
        self.page(MINE, 20, rows)
    }

    fn page(&self, scope: Scope, minute: i64, rows: Vec<Record>) -> Applied {
        let seq = rows.iter().map(|r| r.seq).max().unwrap_or(0);
        let page = PullPage { rows, next: cursor(1, seq), more: false, upto: seq };
        self.w.store.write_bulk(|tx| team::apply_page(tx, &self.team(minute), scope, &page)).unwrap()
    }

    pub fn bootstrap(&self, rows: Vec<Record>, start: Cursor, next_page: Option<&str>) -> Applied {
        let page = BootstrapPage { rows, start, next_page: next_page.map(str::to_owned) };
        self.w.store.write_bulk(|tx| team::apply_bootstrap(tx, &self.team(20), TEAM, &page)).unwrap()
    }

    pub fn push(&self, op: NewOp) -> (i64, Applied) {
        self.w.store.write(|tx| team::push(tx, &self.team(6), &op)).unwrap()
    }

    pub fn next_ops(&self, minute: i64) -> Vec<Op> {
        self.w.store.write(|tx| team::next_ops(tx, self.account, at(minute))).unwrap()
    }

    pub fn settle(&self, results: Vec<OpResult>) -> Vec<Settled> {
        self.w.store.write(|tx| team::settle(tx, &self.team(20), &results)).unwrap().0
    }

    pub fn replay(&self, entry: &Entry) -> Applied {
        self.w.store.write(|tx| team::replay(tx, &self.team(20), entry)).unwrap()
    }

    /// The server takes everything, from `seq` on, and the feeds bring it back.
    pub fn accept_all(&self, seq: u64, minute: i64) {
        let ops = self.next_ops(minute);
        let results = ops
            .iter()
            .zip(seq..)
            .map(|(op, seq)| OpResult { n: op.n, outcome: PushOutcome::Applied { seq } })
            .collect();
        self.settle(results);
        for (op, seq) in ops.into_iter().zip(seq..) {
            let row = row(op.scope, seq, op.kind, op.id, ME, minute, Value::Object(op.fields));
            self.page(op.scope, minute, vec![row]);
        }
    }

    pub fn op(&self, scope: Scope, kind: Kind, id: Uuid, item: Option<ItemId>, minute: i64, fields: Value) -> NewOp {
        let Value::Object(fields) = fields else { panic!("an object") };
        NewOp {
            account: self.account,
            op_id: OpId::new(),
            text: fields.get("text").and_then(Value::as_str).unwrap_or_default().into(),
            target: Target::Record { scope, kind, id, change: Change { fields, ..Change::default() } },
            item,
            what: "what".into(),
            not_before: None,
            made_at: at(minute),
        }
    }

    pub fn reply(&self, thread: Uuid, id: Uuid, text: &str, minute: i64) -> NewOp {
        self.op(TEAM, Kind::MESSAGE, id, Some(ItemId(thread)), minute, json!({"thread": thread, "text": text}))
    }

    pub fn thread(&self, id: Uuid, title: &str, asked: &[PersonId], minute: i64) -> NewOp {
        self.op(
            TEAM,
            Kind::THREAD,
            id,
            Some(ItemId(id)),
            minute,
            json!({"title": title, "urgency": "yellow", "asked": asked}),
        )
    }

    pub fn mark(&self, id: ItemId, fields: Value) -> NewOp {
        self.op(MINE, Kind::MARK, id.0, Some(id), 6, fields)
    }

    /// A thread of Mei's with one message of minute 5, already pulled.
    pub fn simple_thread(&self, n: u128) -> ItemId {
        let thread = Uuid::from_u128(n);
        self.pull(vec![
            self.row(1, Kind::THREAD, thread, MEI, 5, json!({"title": "T", "urgency": "yellow", "asked": [ME]})),
            self.row(2, Kind::MESSAGE, Uuid::from_u128(n + 1000), MEI, 5, json!({"thread": thread, "text": "hello"})),
        ]);
        ItemId(thread)
    }

    pub fn item(&self, id: ItemId) -> item::Item {
        self.w.item(id)
    }

    pub fn messages(&self, id: ItemId) -> Vec<message::Message> {
        self.w.store.read(|r| message::of_item(r, id, 999)).unwrap()
    }

    pub fn outbox_rows(&self) -> i64 {
        let conn = rusqlite::Connection::open(self.w.path()).unwrap();
        conn.query_row("SELECT count(*) FROM outbox", [], |row| row.get(0)).unwrap()
    }
}

pub fn row(scope: Scope, seq: u64, kind: Kind, id: Uuid, author: PersonId, minute: i64, fields: Value) -> Record {
    let Value::Object(fields) = fields else { panic!("an object") };
    Record {
        scope,
        kind,
        id,
        seq,
        author,
        deleted: false,
        visible_from: None,
        created_at: at(minute),
        updated_at: at(minute),
        fields,
    }
}

pub fn cursor(epoch: u64, seq: u64) -> Cursor {
    Cursor { epoch: Epoch(epoch), seq }
}

fn feed(t: &TeamWorld) -> scope::Feed {
    t.w.store.read(|r| scope::get(r, TEAM)).unwrap().unwrap()
}

#[test]
fn usable_after_the_first_page_and_nothing_alerts() {
    let t = TeamWorld::new();
    let (new, old) = (Uuid::from_u128(1), Uuid::from_u128(2));
    let first = t.bootstrap(
        vec![
            t.row(9, Kind::THREAD, new, MEI, 9, json!({"title": "new", "urgency": "red", "asked": [ME]})),
            t.row(8, Kind::MESSAGE, Uuid::from_u128(3), MEI, 9, json!({"thread": new, "text": "x"})),
        ],
        cursor(1, 9),
        Some("p2"),
    );
    assert!(first.fresh.iter().all(|f| f.backfill));
    assert_eq!((feed(&t).cursor, feed(&t).page.as_deref()), (Some(cursor(1, 9)), Some("p2")));
    // What happens meanwhile comes by pull and is not undone by an older page.
    t.pull(vec![t.row(12, Kind::THREAD, old, MEI, 1, json!({"title": "renamed", "urgency": "green"}))]);
    assert_eq!(feed(&t).page.as_deref(), Some("p2"));
    t.bootstrap(
        vec![t.row(2, Kind::THREAD, old, MEI, 1, json!({"title": "old", "urgency": "green"}))],
        cursor(1, 9),
        None,
    );
    assert_eq!(t.item(ItemId(old)).title, "renamed");
    assert_eq!((feed(&t).cursor, feed(&t).page), (Some(cursor(1, 12)), None));
}

#[test]
fn a_message_of_another_form_says_so_in_its_thread() {
    let t = TeamWorld::new();
    let id = t.simple_thread(7);
    t.pull(vec![
        t.row(60, Kind::MESSAGE, Uuid::from_u128(30), MEI, 9, json!({"thread": id.0, "text": 5})),
        t.row(61, Kind::MESSAGE, Uuid::from_u128(31), MEI, 10, json!({"thread": id.0, "text": "and on"})),
    ]);
    let messages = t.messages(id);
    let shown: Vec<_> = messages.iter().map(|m| (m.text.as_str(), m.unreadable.is_some())).collect();
    assert_eq!(shown, [("hello", false), ("", true), ("and on", false)]);
    assert!(messages[1].unreadable.as_ref().is_some_and(|why| why.contains("could not be read")));
    // Once it is as it should be, it is shown.
    t.pull(vec![t.row(62, Kind::MESSAGE, Uuid::from_u128(30), MEI, 9, json!({"thread": id.0, "text": "mended"}))]);
    assert_eq!((t.messages(id)[1].text.as_str(), &t.messages(id)[1].unreadable), ("mended", &None));
}

#[test]
fn of_what_was_deleted_no_word_stays_in_the_list() {
    let t = TeamWorld::new();
    let id = t.simple_thread(7);
    assert_eq!((t.item(id).note.as_str(), t.item(id).unread), ("hello", true));
    let said = t.row(90, Kind::MESSAGE, Uuid::from_u128(1007), MEI, 9, json!({}));
    t.pull(vec![Record { deleted: true, ..said }]);
    let left = t.item(id);
    assert_eq!((left.note.as_str(), left.people.as_str(), left.unread), ("", "", false));
    assert_eq!(t.messages(id), []);
}

#[test]
fn begun_anew_drops_what_is_gone_and_keeps_what_waits() {
    let t = TeamWorld::new();
    let (kept, gone) = (t.simple_thread(7), t.simple_thread(70));
    t.push(t.reply(kept.0, Uuid::from_u128(50), "typed offline", 6));
    let was = feed(&t).cursor;
    t.w.store.write(|tx| team::begin_anew(tx, TEAM, false)).unwrap();
    assert_eq!(feed(&t), scope::Feed { cursor: None, was, ..feed(&t) });
    assert!(!t.item(gone).done, "still shown while the bootstrap runs");
    let rows =
        t.w.store
            .read(|r| record::of_scope(r, TEAM))
            .unwrap()
            .into_iter()
            .filter(|r| r.id == kept.0 || r.fields.get("thread") == Some(&json!(kept.0)));
    t.bootstrap(rows.collect(), cursor(1, 90), None);
    assert_eq!(t.w.store.read(|r| item::get(r, gone)).unwrap(), None);
    assert_eq!(t.messages(kept).len(), 2);
    assert_eq!(t.next_ops(9).len(), 1, "nothing else is sent");
}

#[test]
fn a_server_put_back_from_a_backup_gets_my_words_again() {
    let t = TeamWorld::new();
    let id = t.simple_thread(7);
    t.push(t.reply(id.0, Uuid::from_u128(50), "arrived and seen", 6));
    t.accept_all(40, 7);
    t.push(t.reply(id.0, Uuid::from_u128(51), "taken, not yet back", 8));
    let op = t.next_ops(9);
    t.settle(vec![OpResult { n: op[0].n, outcome: PushOutcome::Applied { seq: 41 } }]);
    let mei = t.pull(vec![t.row(
        42,
        Kind::MESSAGE,
        Uuid::from_u128(52),
        MEI,
        9,
        json!({"thread": id.0, "text": "hers is lost"}),
    )]);
    assert_eq!(mei.fresh.len(), 1);
    assert_eq!(t.outbox_rows(), 0, "seq 41 is behind the cursor");
    t.push(t.reply(id.0, Uuid::from_u128(53), "still waiting", 9));

    // The backup knows the thread and its first message only.
    t.w.store.write(|tx| team::begin_anew(tx, TEAM, true)).unwrap();
    let rows = vec![
        t.row(1, Kind::THREAD, id.0, MEI, 5, json!({"title": "T", "urgency": "yellow", "asked": [ME]})),
        t.row(2, Kind::MESSAGE, Uuid::from_u128(1007), MEI, 5, json!({"thread": id.0, "text": "hello"})),
    ];
    t.bootstrap(rows, cursor(2, 2), None);
    let ops = t.next_ops(30);
    let mut texts: Vec<&str> = ops.iter().map(|o| o.fields["text"].as_str().unwrap()).collect();
    texts.sort_unstable();
    assert_eq!(texts, ["arrived and seen", "still waiting"]);
    let shown: Vec<String> = t.messages(id).into_iter().map(|m| m.text).collect();
    assert!(shown.contains(&"arrived and seen".into()) && !shown.contains(&"hers is lost".into()), "{shown:?}");
}

#[test]
fn a_change_goes_behind_what_it_changes_where_that_is_sent_again() {
    let t = TeamWorld::new();
    let id = t.simple_thread(7);
    t.push(t.reply(id.0, Uuid::from_u128(50), "first words", 6));
    t.accept_all(40, 7);
    // Written before it was known that the server has lost the first.
    t.push(t.reply(id.0, Uuid::from_u128(50), "better words", 8));
    t.w.store.write(|tx| team::begin_anew(tx, TEAM, true)).unwrap();
    let thread = t.row(1, Kind::THREAD, id.0, MEI, 5, json!({"title": "T", "urgency": "yellow", "asked": [ME]}));
    t.bootstrap(vec![thread], cursor(2, 1), None);
    for words in ["first words", "better words"] {
        let ops = t.next_ops(30);
        assert_eq!(ops.iter().map(|op| &op.fields["text"]).collect::<Vec<_>>(), [words]);
        t.settle(vec![OpResult { n: ops[0].n, outcome: PushOutcome::Applied { seq: 2 } }]);
    }
}

#[test]
fn what_was_seen_in_another_life_of_the_server_counts_no_more() {
    let t = TeamWorld::new();
    let id = t.simple_thread(7);
    let edit = || {
        let mut op = t.reply(id.0, Uuid::from_u128(50), "better words", 6);
        let Target::Record { change, .. } = &mut op.target else { panic!("a record") };
        change.base_seq = Some(57);
        t.push(op);
    };
    let sent = || t.next_ops(9).iter().map(|op| op.base_seq).collect::<Vec<_>>();
    edit();
    t.w.store.write(|tx| team::begin_anew(tx, TEAM, false)).unwrap();
    assert_eq!(sent(), [Some(57)], "only read again");
    t.w.store.write(|tx| team::begin_anew(tx, TEAM, true)).unwrap();
    assert_eq!(sent(), [], "nothing goes before it is known what the server has");
    let thread = t.row(1, Kind::THREAD, id.0, MEI, 5, json!({"title": "T", "urgency": "yellow", "asked": [ME]}));
    t.bootstrap(vec![thread], cursor(2, 1), None);
    assert_eq!(sent(), [None]);
    edit();
    assert_eq!(sent(), [None, Some(57)], "what is seen from now on does");
}

#[test]
fn a_thread_that_a_restored_server_lost_stays_while_something_waits_in_it() {
    let t = TeamWorld::new();
    let [answered, typed, gone] = [7, 17, 27].map(|n| t.simple_thread(n));
    t.push(t.reply(answered.0, Uuid::from_u128(50), "an answer", 6));
    t.w.store.write(|tx| draft::put(tx, Some(typed), "half an ans", at(6))).unwrap();
    let begun_anew = |lost| {
        t.w.store.write(|tx| team::begin_anew(tx, TEAM, lost)).unwrap();
        t.bootstrap(vec![], cursor(2, 9), None);
    };
    let there = || [answered, typed, gone].map(|id| t.w.store.read(|r| item::get(r, id)).unwrap().is_some());
    begun_anew(true);
    assert_eq!(there(), [true, true, false]);
    assert_eq!(t.next_ops(9), [], "the answer waits for its thread");
    begun_anew(false);
    assert_eq!(there(), [true, true, false], "however often");
    let titled = json!({"title": "T", "urgency": "yellow", "asked": [ME]});
    t.pull(vec![t.row(1, Kind::THREAD, answered.0, MEI, 5, titled)]);
    assert_eq!(t.next_ops(9).len(), 1, "whoever began it has brought it back");
    t.w.store.write(|tx| draft::clear(tx, Some(typed))).unwrap();
    begun_anew(false);
    assert_eq!(there(), [false, false, false], "deleted is deleted");
}

#[test]
fn words_for_a_circle_wait_for_the_person_where_others_read_it_since_a_restore() {
    for (now, author, sent) in [
        (vec![ME, MEI], MEI, true),
        (vec![ME], MEI, true),
        (vec![ME, MEI, KOFI], MEI, false),
        (vec![ME, MEI, KOFI], KOFI, false),
    ] {
        let t = TeamWorld::new();
        let (circle, thread) = (Uuid::from_u128(70), Uuid::from_u128(71));
        let scope = Scope::Private(circle);
        let within = |row: Record| Record { scope, ..row };
        let space = |author, members: &[PersonId]| {
            within(t.row(1, Kind::SPACE, circle, author, 1, json!({"members": members})))
        };
        let titled = json!({"title": "T", "urgency": "yellow", "asked": [ME]});
        let begun = within(t.row(2, Kind::THREAD, thread, MEI, 5, titled));
        let said =
            within(t.row(3, Kind::MESSAGE, Uuid::from_u128(72), ME, 6, json!({"thread": thread, "text": "lost"})));
        let read = |rows: Vec<Record>| {
            let page = BootstrapPage { start: cursor(2, 3), next_page: None, rows };
            t.w.store.write(|tx| team::apply_bootstrap(tx, &t.team(20), scope, &page)).unwrap();
        };
        read(vec![space(MEI, &[ME, MEI]), begun.clone(), said]);
        let waiting = json!({"thread": thread, "text": "not sent yet"});
        t.push(t.op(scope, Kind::MESSAGE, Uuid::from_u128(73), Some(ItemId(thread)), 7, waiting));
        t.w.store.write(|tx| team::begin_anew(tx, scope, true)).unwrap();
        read(vec![space(author, &now), begun]);

        let mut texts: Vec<_> = t.next_ops(30).into_iter().map(|op| op.fields["text"].clone()).collect();
        texts.sort_unstable_by_key(ToString::to_string);
        let refused = t.w.store.read(outbox::refused).unwrap();
        let mut kept: Vec<_> = refused.iter().map(|entry| entry.op.text.clone()).collect();
        kept.sort_unstable();
        let words = ["lost", "not sent yet"];
        let want: (&[&str], &[&str]) = if sent { (&words, &[]) } else { (&[], &words) };
        assert_eq!(
            (texts, kept),
            (want.0.iter().map(|w| json!(w)).collect(), want.1.iter().map(|w| w.to_string()).collect()),
            "{now:?}"
        );
        for entry in refused {
            t.w.store.write(|tx| team::retry(tx, entry.id)).unwrap();
        }
        assert_eq!(t.next_ops(30).len(), 2, "the person decides");
    }
}

#[test]
fn nobody_is_named_whom_a_restored_server_does_not_know() {
    let t = TeamWorld::new();
    let (ours, urgent) = (Uuid::from_u128(7), Uuid::from_u128(8));
    let member = |seq, id: PersonId| t.row(seq, Kind::MEMBER, id.0, id, 1, json!({"name": "N", "role": "member"}));
    let thread = |seq, id, asked: &[PersonId]| {
        t.row(seq, Kind::THREAD, id, ME, 5, json!({"title": "T", "urgency": "red", "asked": asked}))
    };
    t.pull(vec![member(1, MEI), member(2, KOFI), thread(3, ours, &[MEI, KOFI]), thread(4, urgent, &[KOFI])]);
    t.w.store.write(|tx| team::begin_anew(tx, TEAM, true)).unwrap();
    t.bootstrap(vec![member(1, MEI)], cursor(2, 1), None);
    let sent = |id| t.next_ops(30).into_iter().find(|op| op.id == id).unwrap().fields;
    let what = |id| (sent(id)["asked"].clone(), sent(id)["urgency"].clone());
    assert_eq!(what(ours), (json!([MEI]), json!("red")));
    assert_eq!(what(urgent), (json!([]), json!("yellow")), "what is urgent asks somebody");
}

#[test]
fn what_met_another_change_is_kept_beside_it_and_may_go_on_top() {
    let t = TeamWorld::new();
    let id = t.simple_thread(7);
    let answer = Uuid::from_u128(50);
    let row =
        |seq, minute, text: &str| t.row(seq, Kind::MESSAGE, answer, ME, minute, json!({"thread": id.0, "text": text}));
    t.pull(vec![row(40, 7, "on Tuesday")]);
    t.w.store.write(|tx| team::begin_anew(tx, TEAM, true)).unwrap();
    let thread = t.row(1, Kind::THREAD, id.0, MEI, 5, json!({"title": "T", "urgency": "yellow", "asked": [ME]}));
    t.bootstrap(vec![thread, row(2, 6, "on Monday")], cursor(2, 2), None);
    let op = t.next_ops(30).remove(0);
    assert_eq!((op.base_seq, op.fields["text"].as_str()), (Some(2), Some("on Tuesday")));
    let problem = Problem::new(Code::Conflict, "the message was changed meanwhile");
    t.settle(vec![OpResult { n: op.n, outcome: PushOutcome::Rejected { problem } }]);
    let page = PullPage { rows: vec![row(3, 31, "on Wednesday")], next: cursor(2, 3), more: false, upto: 3 };
    t.w.store.write(|tx| team::apply_page(tx, &t.team(31), TEAM, &page)).unwrap();

    let refused = t.w.store.read(outbox::refused).unwrap().remove(0);
    let met = t.w.store.read(|r| team::met(r, refused.id)).unwrap().unwrap();
    assert_eq!((refused.op.text.as_str(), met.fields["text"].as_str()), ("on Tuesday", Some("on Wednesday")));
    assert_eq!(t.messages(id).pop().unwrap().text, "on Wednesday", "and that is what is shown");
    let entry = t.w.store.write(|tx| team::retry(tx, refused.id)).unwrap().unwrap();
    t.replay(&entry);
    assert_eq!(t.messages(id).pop().unwrap().text, "on Tuesday");
    assert_eq!(t.next_ops(40)[0].base_seq, Some(3));
    assert_eq!(t.w.store.read(|r| team::met(r, refused.id)).unwrap(), None, "it waits again");
}

#[test]
fn a_feed_that_is_not_mine_any_more_is_purged_and_its_words_kept() {
    let t = TeamWorld::new();
    let id = t.simple_thread(7);
    t.push(t.reply(id.0, Uuid::from_u128(50), "typed too late", 6));
    let applied = t.w.store.write(|tx| team::forget(tx, &t.team(9), TEAM)).unwrap();
    assert!(applied.touched.contains(&id));
    assert_eq!(t.w.store.read(|r| item::get(r, id)).unwrap(), None);
    assert_eq!(t.w.store.read(|r| search::search(r, "hello", None, 9)).unwrap(), []);
    assert_eq!(t.w.store.read(|r| record::of_scope(r, TEAM)).unwrap(), []);
    assert_eq!(t.w.store.read(outbox::refused).unwrap()[0].op.text, "typed too late");
    assert_eq!(t.w.store.read(|r| scope::get(r, TEAM)).unwrap(), None);
}

#[derive(Clone, Debug)]
enum Step {
    Thread { id: u8, title: u8, asked: bool },
    Message { id: u8, thread: u8, mei: bool },
    Gone { id: u8, message: bool },
    Mark { thread: u8, done: bool, muted: bool },
    Member { name: u8 },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (0..3_u8, 0..3_u8, any::<bool>()).prop_map(|(id, title, asked)| Step::Thread { id, title, asked }),
        (0..6_u8, 0..3_u8, any::<bool>()).prop_map(|(id, thread, mei)| Step::Message { id, thread, mei }),
        (0..6_u8, any::<bool>()).prop_map(|(id, message)| Step::Gone { id, message }),
        (0..3_u8, any::<bool>(), any::<bool>()).prop_map(|(thread, done, muted)| Step::Mark { thread, done, muted }),
        (0..3_u8).prop_map(|name| Step::Member { name }),
    ]
}

fn record_of(step: &Step, seq: u64) -> Record {
    let uuid = |n: u8, base: u128| Uuid::from_u128(base + u128::from(n));
    let at = seq as i64;
    match step {
        Step::Thread { id, title, asked } => {
            let asked: Vec<PersonId> = asked.then_some(vec![ME, KOFI]).unwrap_or_default();
            row(
                TEAM,
                seq,
                Kind::THREAD,
                uuid(*id, 100),
                MEI,
                0,
                json!({"title": format!("t{title}"), "urgency": "yellow", "asked": asked}),
            )
        }
        Step::Message { id, thread, mei } => {
            let author = if *mei { MEI } else { ME };
            row(
                TEAM,
                seq,
                Kind::MESSAGE,
                uuid(*id, 200),
                author,
                i64::from(*id),
                json!({"thread": uuid(*thread, 100), "text": format!("m{seq}")}),
            )
        }
        Step::Gone { id, message } => {
            let (kind, id) =
                if *message { (Kind::MESSAGE, uuid(*id, 200)) } else { (Kind::THREAD, uuid(*id % 3, 100)) };
            Record { deleted: true, ..row(TEAM, seq, kind, id, MEI, at, json!({})) }
        }
        Step::Mark { thread, done, muted } => {
            let done_at: Option<DateTime<Utc>> = done.then(|| crate::kit::at(3));
            row(
                MINE,
                seq,
                Kind::MARK,
                uuid(*thread, 100),
                ME,
                at,
                json!({"done_at": done_at, "read_at": crate::kit::at(2), "muted": muted}),
            )
        }
        Step::Member { name } => row(TEAM, seq, Kind::MEMBER, MEI.0, MEI, 0, json!({"name": format!("Mei {name}")})),
    }
}

/// Author, text, read, time.
type Shown = (String, String, bool, DateTime<Utc>);

/// What is shown, without what depends on when it was seen first.
fn shown(t: &TeamWorld) -> Vec<(item::Item, Vec<Shown>)> {
    let ids = t.w.store.read(|r| {
        let mut rows: Vec<item::Item> = list::done(r, 0, 99)?.rows;
        rows.extend(list::inbox(r, at(0), 0, 99)?.rows.into_iter().map(|(_, i)| i));
        Ok::<_, StoreError>(rows)
    });
    let mut items = ids.unwrap();
    items.sort_by_key(|i| i.id);
    let of = |i: &item::Item| t.messages(i.id).into_iter().map(|m| (m.author, m.text, m.read, m.at)).collect();
    items
        .into_iter()
        .map(|mut i| {
            // A thread without messages has the time it was taken at.
            let messages: Vec<_> = of(&i);
            if messages.is_empty() {
                (i.at, i.people, i.note, i.last_own, i.unread) = (at(0), String::new(), String::new(), false, false);
            }
            i.account = AccountId(Uuid::nil());
            (i, messages)
        })
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    /// Rows in any order, cut into any pages, some twice, some pages by
    /// bootstrap: the same is shown as after one pull of the final state.
    #[test]
    fn any_order_of_arrival_shows_the_same(
        steps in prop::collection::vec(step(), 1..40),
        order in prop::collection::vec(any::<prop::sample::Index>(), 0..60),
        size in 1..9_usize,
    ) {
        let rows: Vec<Record> = steps.iter().zip(1..).map(|(s, seq)| record_of(s, seq)).collect();
        let mut newest: Vec<Record> = rows.clone();
        newest.reverse();
        let mut seen = std::collections::HashSet::new();
        newest.retain(|r| seen.insert((r.kind.clone(), r.id)));

        let once = TeamWorld::new();
        for scope in [TEAM, MINE] {
            once.page(scope, 20, newest.iter().filter(|r| r.scope == scope).cloned().collect());
        }
        let shuffled = TeamWorld::new();
        let mut arriving: Vec<Record> = order.iter().map(|i| i.get(&rows).clone()).collect();
        arriving.extend(newest);
        for page in arriving.chunks(size) {
            for scope in [TEAM, MINE] {
                shuffled.page(scope, 20, page.iter().filter(|r| r.scope == scope).cloned().collect());
            }
        }
        let fields = |t: &TeamWorld| -> Vec<(Uuid, u64, Fields)> {
            let rows = t.w.store.read(|r| record::of_scope(r, TEAM)).unwrap();
            rows.into_iter().map(|r| (r.id, r.seq, r.fields)).collect()
        };
        prop_assert_eq!(fields(&once), fields(&shuffled));
        prop_assert_eq!(shown(&once), shown(&shuffled));
        let conn = rusqlite::Connection::open(shuffled.w.path()).unwrap();
        conn.execute("INSERT INTO message_fts (message_fts, rank) VALUES ('integrity-check', 1)", []).unwrap();
        let tally: i64 = conn.query_row("SELECT count(*) FROM tally WHERE n <> (SELECT count(*) FROM item WHERE item.bucket = tally.bucket)", [], |r| r.get(0)).unwrap();
        prop_assert_eq!(tally, 0);
    }
}
