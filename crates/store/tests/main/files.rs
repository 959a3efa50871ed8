//! Messages with files: what waits for them, what goes past, and which copies
//! are still needed.

use crate::feeds::*;
use crate::kit::*;
use meantime_model::OpId;
use meantime_protocol::{Attachment, Code, Kind, Problem, Scope, Sha256};
use meantime_store::message::Sending;
use meantime_store::outbox::{NewOp, Target};
use meantime_store::team::{self, Arrived, FileToSend};
use meantime_store::{StoreError, draft, needed, outbox, scope};
use serde_json::{Value, json};
use std::collections::HashSet;
use uuid::Uuid;

fn file(n: u8) -> Attachment {
    let (name, media_type) = (format!("{n}.pdf"), "application/pdf".to_owned());
    Attachment { sha256: Sha256([n; 32]), name, media_type, bytes: u64::from(n) }
}

fn with(mut op: NewOp, files: &[u8]) -> NewOp {
    let Target::Record { change, .. } = &mut op.target else { panic!("a record") };
    let files: Vec<_> = files.iter().map(|n| file(*n)).collect();
    change.fields.insert("attachments".to_owned(), json!(files));
    op
}

impl TeamWorld {
    fn past(&self, arrived: &Arrived) -> Vec<(Kind, Uuid)> {
        let ops = self.w.store.write(|tx| team::next_ops_past(tx, self.account, at(20), arrived)).unwrap();
        ops.into_iter().map(|op| (op.kind, op.id)).collect()
    }

    fn file(&self, arrived: &Arrived) -> Option<FileToSend> {
        self.w.store.read(|r| team::next_file(r, self.account, at(20), arrived)).unwrap()
    }

    fn needed(&self) -> HashSet<Sha256> {
        self.w.store.read(needed::files).unwrap()
    }
}

#[test]
fn a_message_waits_for_its_files_and_nothing_else_waits_for_it() {
    let t = TeamWorld::new();
    let [quiet, loud, new] = [1, 2, 3].map(Uuid::from_u128);
    let [with_files, behind, elsewhere, first] = [11, 12, 13, 14].map(Uuid::from_u128);
    t.pull(vec![
        t.row(1, Kind::THREAD, quiet, MEI, 1, json!({"title": "Quiet", "urgency": "green"})),
        t.row(2, Kind::THREAD, loud, MEI, 1, json!({"title": "Loud", "urgency": "green"})),
    ]);
    let (held, _) = t.push(with(t.reply(quiet, with_files, "See there.", 2), &[7, 8]));
    t.push(t.reply(quiet, behind, "And then.", 3));
    t.push(t.op(MINE, Kind::MARK, quiet, Some(meantime_model::ItemId(quiet)), 3, json!({"done_at": null})));
    t.push(t.reply(loud, elsewhere, "Yes.", 4));
    t.push(t.thread(new, "New", &[], 5));
    t.push(with(t.reply(new, first, "Begins with a file.", 5), &[9]));
    let mut arrived = Arrived::new();
    assert_eq!(t.past(&arrived), [(Kind::MARK, quiet), (Kind::MESSAGE, elsewhere)], "not a thread without its words");

    assert_eq!(t.file(&arrived), Some(FileToSend { outbox: held, scope: TEAM, file: file(7) }));
    arrived.insert((TEAM, file(7).sha256));
    arrived.insert((Scope::Private(quiet), file(8).sha256));
    assert_eq!(t.file(&arrived).unwrap().file, file(8), "it is to be there in this scope");
    assert!(!t.past(&arrived).contains(&(Kind::MESSAGE, with_files)));
    arrived.insert((TEAM, file(8).sha256));
    let order: Vec<_> = t.past(&arrived).into_iter().filter(|(_, id)| [with_files, behind].contains(id)).collect();
    assert_eq!(order, [(Kind::MESSAGE, with_files), (Kind::MESSAGE, behind)]);
    assert_eq!(t.file(&arrived).unwrap().file, file(9));
    arrived.insert((TEAM, file(9).sha256));
    assert_eq!(t.file(&arrived), None);
    let begun: Vec<_> = t.past(&arrived).into_iter().filter(|(_, id)| [new, first].contains(id)).collect();
    assert_eq!(begun, [(Kind::THREAD, new), (Kind::MESSAGE, first)]);
}

#[test]
fn a_later_file_does_not_hold_the_thread_back() {
    let t = TeamWorld::new();
    let (thread, words, late) = (Uuid::from_u128(1), Uuid::from_u128(2), Uuid::from_u128(3));
    t.push(t.thread(thread, "New", &[], 5));
    t.push(t.reply(thread, words, "Words.", 5));
    t.push(with(t.reply(thread, late, "A file.", 5), &[7]));
    assert_eq!(t.past(&Arrived::new()), [(Kind::THREAD, thread), (Kind::MESSAGE, words)]);
}

#[test]
fn a_circle_comes_before_the_files_in_it() {
    let t = TeamWorld::new();
    let circle = Uuid::from_u128(5);
    let scope = Scope::Private(circle);
    t.w.store.write(|tx| scope::add(tx, t.account, scope)).unwrap();
    let thread = Uuid::from_u128(6);
    t.push(t.op(scope, Kind::SPACE, circle, None, 5, json!({"members": [ME, MEI]})));
    let item = Some(meantime_model::ItemId(thread));
    let message = json!({"thread": thread, "text": "Between us"});
    t.push(t.op(scope, Kind::THREAD, thread, item, 5, json!({"title": "Us", "urgency": "green"})));
    t.push(with(t.op(scope, Kind::MESSAGE, Uuid::from_u128(7), item, 5, message), &[7]));
    assert_eq!(t.file(&Arrived::new()), None);
    assert_eq!(t.past(&Arrived::new()), [(Kind::SPACE, circle)]);
    t.accept_all_of(&[circle]);
    assert_eq!(t.file(&Arrived::new()).map(|file| file.scope), Some(scope));
}

impl TeamWorld {
    /// The server takes these and nothing else.
    fn accept_all_of(&self, ids: &[Uuid]) {
        let ops = self.w.store.write(|tx| team::next_ops_past(tx, self.account, at(20), &Arrived::new())).unwrap();
        assert_eq!(ops.iter().map(|op| op.id).collect::<Vec<_>>(), ids);
        let outcome = meantime_protocol::http::PushOutcome::Applied { seq: 9 };
        self.settle(vec![meantime_protocol::http::OpResult { n: ops[0].n, outcome }]);
    }
}

#[test]
fn a_refused_file_refuses_its_message_and_the_thread_that_began_with_it() {
    let t = TeamWorld::new();
    let (thread, message) = (Uuid::from_u128(1), Uuid::from_u128(2));
    let (begun, _) = t.push(t.thread(thread, "New", &[], 5));
    let (row, _) = t.push(with(t.reply(thread, message, "Precious words.", 5), &[7]));
    let problem = Problem::new(Code::TooLarge, "7.pdf could not be sent: larger than 1 MiB");
    let applied = t.w.store.write(|tx| team::refuse(tx, &t.team(6), row, &problem)).unwrap();
    assert_eq!(applied.touched, [meantime_model::ItemId(thread)]);
    let refused: Vec<_> = t.w.store.read(outbox::refused).unwrap();
    assert_eq!(refused.iter().map(|entry| entry.id).collect::<Vec<_>>(), [row, begun]);
    assert_eq!(refused[0].op.text, "Precious words.");
    assert_eq!(refused[0].state, outbox::State::Refused { code: "too_large".into(), message: problem.message.clone() });
    let shown = t.messages(meantime_model::ItemId(thread));
    assert_eq!(shown[0].sending, Some(Sending::Refused { outbox: row, message: problem.message.clone() }));
    assert_eq!(shown[0].attachments[0].sha256, Some(file(7).sha256));
    assert_eq!((t.past(&Arrived::new()), t.file(&Arrived::new())), (Vec::new(), None));
    assert_eq!(t.needed(), HashSet::from([file(7).sha256]), "it may be tried again");
    // Once is enough, and what is gone is not refused.
    let again = t.w.store.write(|tx| team::refuse(tx, &t.team(6), row, &problem)).unwrap();
    assert_eq!(again.touched, []);
    t.w.store.write(|tx| outbox::retry(tx, row)).unwrap();
    assert_eq!(t.file(&Arrived::new()).map(|file| file.outbox), Some(row));
    t.w.store.write(|tx| outbox::withdraw(tx, row)).unwrap();
    assert_eq!(t.needed(), HashSet::new());
}

#[test]
fn copies_are_needed_by_drafts_and_the_outbox() {
    let t = TeamWorld::new();
    let id = item_id("c1");
    let hashes = |of: &[u8]| of.iter().map(|n| file(*n).sha256).collect::<HashSet<_>>();
    t.w.take(vec![incoming("c1", message("m1", 1, "Hello"))]);
    t.w.store
        .write(|tx| {
            draft::put(tx, Some(id), "half a sentence", at(1))?;
            draft::put_files(tx, Some(id), &[file(1)], at(1))?;
            draft::put_files(tx, None, &[file(2), file(3)], at(1))?;
            let words = json!({"what": "reply", "text": "x", "files": [{"name": "4.pdf", "path": file(4).sha256}]});
            let op = NewOp {
                account: t.w.mail,
                op_id: OpId::new(),
                target: Target::Source(words),
                item: Some(id),
                what: String::new(),
                text: String::new(),
                not_before: None,
                made_at: at(1),
            };
            outbox::push(tx, &op)
        })
        .unwrap();
    t.push(t.op(TEAM, Kind::MESSAGE, Uuid::from_u128(9), None, 5, json!({"attachments": ["no", {"sha256": "x"}, 7]})));
    t.push(t.op(TEAM, Kind::MESSAGE, Uuid::from_u128(8), None, 5, json!({"attachments": Value::Null})));
    assert_eq!(t.needed(), hashes(&[1, 2, 3, 4]), "what is not of the form is no reason to fail");
    let kept = t.w.store.read(|r| Ok::<_, StoreError>((draft::get(r, None)?, draft::files(r, Some(id))?))).unwrap();
    assert_eq!(kept, (None, vec![file(1)]));
    t.w.store
        .write(|tx| {
            draft::put(tx, Some(id), "", at(2))?;
            draft::put_files(tx, None, &[file(3)], at(2))
        })
        .unwrap();
    assert_eq!(t.needed(), hashes(&[1, 3, 4]), "the text alone went");
    t.w.store.write(|tx| draft::clear(tx, Some(id))).unwrap();
    assert_eq!(t.needed(), hashes(&[3, 4]));
}
