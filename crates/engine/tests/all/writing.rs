//! Nothing a person typed is lost: drafts, the seconds of undo, refusals.

use crate::rig::{Rig, mail};
use chrono::TimeDelta;
use meantime_engine::api::*;
use meantime_model::Urgency;
use meantime_source::{Change, Person, SourceError, What};

async fn one_mail() -> (Rig, String) {
    let rig = Rig::new().await;
    rig.receive(vec![mail("Contract", "mei@example.org", true, rig.now())]).await;
    let id = rig.rows().await[0].id.to_string();
    (rig, id)
}

fn reply(item: &str, text: &str) -> Reply {
    Reply { item: item.to_owned(), text: text.to_owned(), done: false, deliver: Deliver::Now }
}

#[tokio::test]
async fn a_reply_can_be_taken_back_for_ten_seconds() {
    let (rig, id) = one_mail().await;
    rig.engine.reply(reply(&id, "Yes.")).await.unwrap();
    let open = rig.engine.open(ItemRef { id: id.clone() }).await.unwrap();
    assert_eq!(open.messages.len(), 2, "it is shown at once");
    assert_eq!(open.messages[1].sending, Some(Sending::Pending));
    assert_eq!(rig.rows().await[0].due, None, "answered: nobody waits");

    rig.engine.undo(Nothing {}).await.unwrap();
    let open = rig.engine.open(ItemRef { id }).await.unwrap();
    assert_eq!(open.messages.len(), 1);
    assert_eq!(open.draft.as_deref(), Some("Yes."), "the words are back in the composer");
    let rig = rig.crash(TimeDelta::minutes(1)).await;
    assert!(rig.mailbox.acted().iter().all(|what| what != "reply"));
}

#[tokio::test]
async fn a_reply_survives_a_crash_and_goes_out_once() {
    let (rig, id) = one_mail().await;
    rig.engine.reply(reply(&id, "Yes.")).await.unwrap();
    let rig = rig.crash(TimeDelta::seconds(11)).await;
    rig.until("it is sent", || async { rig.mailbox.acted().contains(&"reply".to_owned()) }).await;
    let rig = rig.crash(TimeDelta::minutes(1)).await;
    let open = rig.engine.open(ItemRef { id }).await.unwrap();
    assert_eq!(open.messages[1].sending, None, "it has arrived");
    let acts = rig.mailbox.acts.lock().unwrap();
    let sent = acts.iter().filter_map(|op| match &op.what {
        What::Reply { to, subject, text, .. } => Some((to[0].address.as_str(), subject.as_str(), text.as_str())),
        _ => None,
    });
    let sent: Vec<_> = sent.collect();
    assert_eq!(sent, [("mei@example.org", "Re: Contract", "Yes.")]);
}

#[tokio::test]
async fn a_refused_reply_stays_with_its_text_until_the_person_decides() {
    let (rig, id) = one_mail().await;
    *rig.mailbox.act_fails.lock().unwrap() = Some(SourceError::Permanent("no such recipient".into()));
    rig.engine.reply(reply(&id, "Precious words.")).await.unwrap();
    let rig = rig.crash(TimeDelta::seconds(11)).await;
    rig.until("it is refused", || async { rig.engine.status(Nothing {}).await.unwrap().refusals >= 1 }).await;
    let refusals = rig.engine.refusals(Nothing {}).await.unwrap();
    let refusal = refusals.iter().find(|refusal| refusal.text == "Precious words.").unwrap();
    assert_eq!(refusal.message, "no such recipient");

    *rig.mailbox.act_fails.lock().unwrap() = None;
    rig.engine.settle_refusal(SettleRefusal { id: refusal.id, retry: true }).await.unwrap();
    rig.until("it is sent", || async { rig.mailbox.acted().contains(&"reply".to_owned()) }).await;
}

#[tokio::test]
async fn drafts_survive_and_empty_ones_go() {
    let (rig, id) = one_mail().await;
    let item = Some(id.parse().unwrap());
    rig.engine.save_draft(Draft { item: None, text: "a new thr".into() }).await.unwrap();
    rig.engine.save_draft(Draft { item, text: "half a sent".into() }).await.unwrap();
    let rig = rig.crash(TimeDelta::zero()).await;
    assert_eq!(rig.engine.open(ItemRef { id: id.clone() }).await.unwrap().draft.as_deref(), Some("half a sent"));
    assert_eq!(rig.engine.draft(DraftOf { item: None }).await.unwrap().text, "a new thr");
    rig.engine.save_draft(Draft { item, text: String::new() }).await.unwrap();
    assert_eq!(rig.engine.open(ItemRef { id }).await.unwrap().draft, None);
}

#[tokio::test]
async fn what_can_not_be_sent_is_said_before_it_is_lost() {
    let (rig, id) = one_mail().await;
    assert_eq!(rig.engine.reply(reply(&id, "  ")).await.unwrap_err().code, FailureCode::Invalid);
    let thread = |urgency, title: &str| Compose {
        title: title.to_owned(),
        text: "?".to_owned(),
        urgency,
        asked: Vec::new(),
        space: None,
        deliver: Deliver::Now,
    };
    let failure = rig.engine.compose(thread(Urgency::Red, "Help")).await.unwrap_err();
    assert_eq!(failure.code, FailureCode::Invalid, "urgent needs names");
    let failure = rig.engine.compose(thread(Urgency::Yellow, "two\nlines")).await.unwrap_err();
    assert_eq!(failure.code, FailureCode::Invalid);
    let failure = rig.engine.compose(thread(Urgency::Yellow, "Hello")).await.unwrap_err();
    assert_eq!(failure.code, FailureCode::NotPossible, "there is no team");
}

#[tokio::test]
async fn whoever_gets_an_answer_is_shown_before() {
    let rig = Rig::new().await;
    let Change::Message(mut incoming) = mail("Contract", "mei@example.org", true, rig.now()) else { unreachable!() };
    incoming.message.to.push(Person { name: String::new(), address: "tom@example.org".into() });
    incoming.message.cc.push(Person { name: "Sara".into(), address: "sara@example.org".into() });
    rig.receive(vec![Change::Message(incoming)]).await;
    let id = rig.rows().await[0].id.to_string();
    let open = rig.engine.open(ItemRef { id: id.clone() }).await.unwrap();
    let names: Vec<_> = open.recipients.iter().map(|recipient| recipient.name.as_str()).collect();
    assert_eq!(names, ["mei@example.org", "tom@example.org", "Sara"]);
}
