//! Nothing a person typed is lost: drafts, the seconds of undo, refusals.

use crate::rig::{Rig, mail, page};
use chrono::TimeDelta;
use meantime_engine::api::*;
use meantime_model::Urgency;
use meantime_source::{Change, Person, SourceError, What};
use std::time::Duration;

async fn one_mail() -> (Rig, String) {
    let rig = Rig::new().await;
    rig.receive(vec![mail("Contract", "mei@example.org", true, rig.now())]).await;
    let id = rig.rows().await[0].id.to_string();
    (rig, id)
}

fn reply(item: &str, text: &str) -> Reply {
    Reply {
        item: item.to_owned(),
        text: text.to_owned(),
        done: false,
        deliver: Deliver::Now,
        files: Vec::new(),
        message: None,
        to: None,
    }
}

#[tokio::test]
async fn a_reply_can_be_taken_back_for_ten_seconds() {
    let (rig, id) = one_mail().await;
    rig.engine.reply(reply(&id, "Yes.")).await.unwrap();
    let open = rig.engine.open(ItemRef { id: id.clone() }).await.unwrap();
    assert_eq!(open.messages.len(), 2, "it is shown at once");
    assert_eq!(open.messages[1].sending, Some(Sending::Pending));
    let row = rig.rows().await.remove(0);
    assert_eq!((row.due, row.note.as_str()), (None, "You: Yes."), "answered: nobody waits");

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
    rig.engine.save_draft(Draft { item: None, text: "a new thr".into(), ..Default::default() }).await.unwrap();
    rig.engine.save_draft(Draft { item, text: "half a sent".into(), ..Default::default() }).await.unwrap();
    let rig = rig.crash(TimeDelta::zero()).await;
    assert_eq!(rig.engine.open(ItemRef { id: id.clone() }).await.unwrap().draft.as_deref(), Some("half a sent"));
    assert_eq!(rig.engine.draft(DraftOf { item: None }).await.unwrap().text, "a new thr");
    rig.engine.save_draft(Draft { item, text: String::new(), ..Default::default() }).await.unwrap();
    assert_eq!(rig.engine.open(ItemRef { id }).await.unwrap().draft, None);
}

#[tokio::test]
async fn a_new_thread_survives_with_all_it_is_to_be() {
    let (rig, id) = one_mail().await;
    let thread = ThreadDraft { title: "Which day?".into(), private: true, ..ThreadDraft::default() };
    let draft = |text: &str, thread| Draft { item: None, text: text.into(), thread, ..Default::default() };
    rig.engine.save_draft(draft("", Some(thread.clone()))).await.unwrap();
    let rig = rig.crash(TimeDelta::zero()).await;
    rig.engine.save_draft(draft("Tue", None)).await.unwrap();
    let kept = rig.engine.draft(DraftOf { item: None }).await.unwrap();
    assert_eq!((kept.text.as_str(), kept.thread), ("Tue", Some(thread.clone())));
    rig.engine.save_draft(draft("", Some(ThreadDraft::default()))).await.unwrap();
    assert_eq!(rig.engine.draft(DraftOf { item: None }).await.unwrap().thread, None);

    let answer = Draft { item: Some(id.parse().unwrap()), ..draft("", Some(thread.clone())) };
    assert_eq!(rig.engine.save_draft(answer).await.unwrap_err().code, FailureCode::Invalid);
    let long = ThreadDraft { title: "x".repeat(300 * 1024), ..thread };
    assert_eq!(rig.engine.save_draft(draft("", Some(long))).await.unwrap_err().code, FailureCode::Invalid);
}

#[tokio::test]
async fn whom_an_answer_goes_to_is_kept_with_it() {
    let (rig, id) = one_mail().await;
    let item = Some(id.parse().unwrap());
    let everybody = AnswerDraft { to: Some(vec!["mei@example.org".into()]), ..AnswerDraft::default() };
    let typed = |text: &str, answer| Draft { item, text: text.into(), answer, ..Default::default() };
    rig.engine.save_draft(typed("Dear all", Some(everybody.clone()))).await.unwrap();
    rig.engine.save_draft(typed("Dear all,", None)).await.unwrap();
    let rig = rig.crash(TimeDelta::zero()).await;
    let kept = async || rig.engine.open(ItemRef { id: id.clone() }).await.unwrap().draft_answer;
    assert_eq!(kept().await, everybody, "through a crash, and as more is typed");
    let all = || Reply { to: everybody.to.clone(), ..reply(&id, "Dear all,") };
    rig.engine.reply(all()).await.unwrap();
    assert_eq!(kept().await, AnswerDraft::default(), "it was sent");
    rig.engine.undo(Nothing {}).await.unwrap();
    assert_eq!(kept().await, everybody, "and is as it was once it is taken back");

    rig.engine.reply(all()).await.unwrap();
    rig.engine.save_draft(typed("To you alone", Some(AnswerDraft::default()))).await.unwrap();
    rig.engine.undo(Nothing {}).await.unwrap();
    assert_eq!(kept().await, AnswerDraft::default(), "what is typed there goes to nobody else for it");
    rig.engine.save_draft(typed("", Some(everybody.clone()))).await.unwrap();
    assert_eq!(kept().await, AnswerDraft::default(), "without a word there is no answer");

    let new = Draft { item: None, ..typed("Hello", Some(everybody)) };
    assert_eq!(rig.engine.save_draft(new).await.unwrap_err().code, FailureCode::Invalid);
}

#[tokio::test]
async fn what_is_taken_back_drops_nothing_typed_since() {
    let (rig, id) = one_mail().await;
    let item = Some(id.parse().unwrap());
    rig.engine.reply(reply(&id, "Yes.")).await.unwrap();
    rig.engine.save_draft(Draft { item, text: "And".into(), ..Default::default() }).await.unwrap();
    rig.engine.undo(Nothing {}).await.unwrap();
    let kept = async || rig.engine.open(ItemRef { id: id.clone() }).await.unwrap().draft;
    assert_eq!(kept().await.as_deref(), Some("Yes.\n\nAnd"));
    rig.engine.reply(reply(&id, "Sent by a command.")).await.unwrap();
    assert_eq!(kept().await.as_deref(), Some("Yes.\n\nAnd"), "nor does what is sent from elsewhere");
    rig.engine.reply(reply(&id, "Yes.\n\nAnd ")).await.unwrap();
    assert_eq!(kept().await, None, "it was sent");
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
        private: false,
        deliver: Deliver::Now,
        files: Vec::new(),
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
    let copied: Vec<_> = open.recipients.iter().map(|recipient| recipient.copied).collect();
    assert_eq!(copied, [false, true, true]);
}

#[tokio::test]
async fn an_answer_goes_to_its_author_alone_unless_others_are_named() {
    let with_others = || {
        changed(|message| {
            message.to.push(person("", "tom@example.org"));
            message.cc = vec![person("Sara", "sara@example.org"), person("Press", "press@example.org")];
        })
    };
    let (rig, id) = with_others().await;
    let stranger = Reply { to: Some(vec!["eve@example.org".into()]), ..reply(&id, "Yes.") };
    let failure = rig.engine.reply(stranger).await.unwrap_err();
    assert_eq!(failure.code, FailureCode::Invalid);
    assert!(failure.message.contains("eve@example.org"), "{}", failure.message);
    let named = Reply { to: Some(vec!["SARA@example.org".into()]), ..reply(&id, "Yes.") };
    let told = rig.engine.reply(named).await.unwrap().to;
    assert_eq!(told, [Contact { name: "Sara".into(), address: "sara@example.org".into() }]);
    rig.engine.undo(Nothing {}).await.unwrap();
    assert_eq!(answered(rig, reply(&id, "Yes.")).await, (vec!["kofi@example.org".to_owned()], vec![]));

    let (rig, id) = with_others().await;
    let all = ["kofi", "tom", "sara", "press"].map(|name| format!("{name}@example.org"));
    let (to, cc) = answered(rig, Reply { to: Some(all.to_vec()), ..reply(&id, "Yes.") }).await;
    assert_eq!((to.as_slice(), cc.as_slice()), (&all[..1], &all[1..]));
}

#[tokio::test]
async fn an_answer_goes_to_whom_it_was_written_whoever_writes_meanwhile() {
    let (rig, id) = one_mail().await;
    let item = Some(id.parse().unwrap());
    let open = async || rig.engine.open(ItemRef { id: id.clone() }).await.unwrap();
    let (first, to) = (open().await.answers, Some(vec!["mei@example.org".to_owned()]));
    let answer = AnswerDraft { message: first.clone(), to: to.clone(), deliver: None };
    let draft = Draft { item, text: "Between us".into(), answer: Some(answer), ..Default::default() };
    rig.engine.save_draft(draft).await.unwrap();
    assert_eq!(open().await.draft_answers, None, "it is the newest");
    let zoe = mail("Contract", "zoe@example.org", true, rig.now() + TimeDelta::seconds(60));
    rig.mailbox.deliver(page(vec![zoe], false));
    rig.until("both are there", || async { open().await.messages.len() == 2 }).await;
    let now = open().await;
    assert_eq!((now.answers == first, now.recipients[0].address.as_str()), (false, "zoe@example.org"));
    let kept = now.draft_answers.unwrap();
    assert_eq!((Some(kept.message), kept.recipients[0].address.as_str()), (first.clone(), "mei@example.org"));
    let told = rig.engine.reply(Reply { message: first, to, ..reply(&id, "Between us") }).await.unwrap().to;
    assert_eq!(told.iter().map(|contact| contact.address.as_str()).collect::<Vec<_>>(), ["mei@example.org"]);
    let gone = Reply { message: Some("<gone>".into()), ..reply(&id, "Yes.") };
    assert_eq!(rig.engine.reply(gone).await.unwrap_err().code, FailureCode::NotFound);
}

#[tokio::test]
async fn who_gives_no_address_is_not_answered() {
    let (rig, id) = changed(|message| message.author = Person::default()).await;
    let open = rig.engine.open(ItemRef { id: id.clone() }).await.unwrap();
    assert!(!open.can_reply && open.recipients.is_empty());
    let failure = rig.engine.reply(reply(&id, "Yes.")).await.unwrap_err();
    assert_eq!(failure.code, FailureCode::NotPossible);
    assert!(failure.message.contains("nobody gave an address"), "{}", failure.message);
}

fn person(name: &str, address: &str) -> Person {
    Person { name: name.to_owned(), address: address.to_owned() }
}

/// A mail that the test changes before it arrives.
async fn changed(change: impl FnOnce(&mut meantime_source::Message)) -> (Rig, String) {
    let rig = Rig::new().await;
    let Change::Message(mut incoming) = mail("Contract", "kofi@example.org", true, rig.now()) else { unreachable!() };
    change(&mut incoming.message);
    rig.mailbox.deliver(page(vec![Change::Message(incoming)], false));
    // What I wrote is in no list of the inbox.
    let query = || SearchQuery { words: "contract".into(), before: None, limit: 1 };
    rig.until("it can be found", || async { !rig.engine.search(query()).await.unwrap().hits.is_empty() }).await;
    let id = rig.engine.search(query()).await.unwrap().hits[0].row.id.to_string();
    (rig, id)
}

/// Answers, and tells whom the mail was handed to the server for.
async fn answered(rig: Rig, reply: Reply) -> (Vec<String>, Vec<String>) {
    rig.engine.reply(reply).await.unwrap();
    let rig = rig.crash(TimeDelta::seconds(11)).await;
    rig.until("it is sent", || async { rig.mailbox.acted().contains(&"reply".to_owned()) }).await;
    let acts = rig.mailbox.acts.lock().unwrap();
    let sent = acts.iter().find_map(|op| match &op.what {
        What::Reply { to, cc, .. } => Some((to.clone(), cc.clone())),
        _ => None,
    });
    let addresses = |people: Vec<Person>| people.into_iter().map(|one| one.address).collect();
    let (to, cc) = sent.unwrap();
    (addresses(to), addresses(cc))
}

#[tokio::test]
async fn an_answer_goes_where_its_author_asks_and_says_so() {
    let (rig, id) = changed(|message| {
        message.to = vec![person("", "LIST@example.org"), person("", "tom@example.org")];
        message.cc = vec![person("Undisclosed", "")];
        message.reply_to = vec![person("The List", "list@example.org"), person("", "ana@example.org")];
    })
    .await;
    let open = rig.engine.open(ItemRef { id: id.clone() }).await.unwrap();
    let shown: Vec<_> = open.recipients.iter().map(|one| (one.name.as_str(), one.address.as_str())).collect();
    assert_eq!(shown, [("The List", "list@example.org"), ("tom@example.org", "tom@example.org")]);
    assert_eq!(open.redirected, ["list@example.org"]);
    assert_eq!(open.messages[0].reply_to[0].address, "list@example.org");
    let all = vec!["list@example.org".to_owned(), "tom@example.org".to_owned()];
    let (to, cc) = answered(rig, Reply { to: Some(all), ..reply(&id, "Yes.") }).await;
    assert_eq!((to, cc), (vec!["list@example.org".to_owned()], vec!["tom@example.org".to_owned()]));
}

#[tokio::test]
async fn a_wish_for_answers_to_myself_alone_is_none() {
    let (rig, id) = changed(|message| message.reply_to = vec![person("Ana", "Ana@example.org")]).await;
    let open = rig.engine.open(ItemRef { id: id.clone() }).await.unwrap();
    assert_eq!(open.redirected, [""; 0]);
    assert_eq!(answered(rig, reply(&id, "Yes.")).await.0, ["kofi@example.org"]);
}

#[tokio::test]
async fn my_own_mail_is_answered_to_those_it_went_to() {
    for (to, wanted) in [("tom@example.org", "tom@example.org"), ("ana@example.org", "ana@example.org")] {
        let (rig, id) = changed(|message| {
            (message.own, message.author) = (true, person("Ana", "ana@example.org"));
            message.to = vec![person("", to)];
            message.reply_to = vec![person("", "elsewhere@example.org")];
        })
        .await;
        let open = rig.engine.open(ItemRef { id: id.clone() }).await.unwrap();
        assert_eq!((open.recipients[0].address.as_str(), open.redirected.len()), (wanted, 0));
        assert_eq!(answered(rig, reply(&id, "Yes.")).await, (vec![wanted.to_owned()], Vec::new()));
    }
}

#[tokio::test]
async fn undo_says_what_is_too_late_before_it_goes_further_back() {
    let (rig, id) = one_mail().await;
    rig.receive(vec![mail("Lunch", "tom@example.org", false, rig.now())]).await;
    let lunch = rig.rows().await.into_iter().find(|row| row.title == "Lunch").unwrap().id.to_string();
    rig.engine.triage(Triage { ids: vec![lunch], action: Action::Done }).await.unwrap();
    let account = rig.engine.accounts(Nothing {}).await.unwrap()[0].id;
    let send = async |text: &str| {
        let queued = rig.engine.reply(reply(&id, text)).await.unwrap();
        assert_eq!(queued.sending, Some(Sending::Pending), "it is not sent yet");
        rig.pass(TimeDelta::seconds(11));
        rig.engine.check_account(AccountRef { id: account }).await.unwrap();
    };
    let undo = async || rig.engine.undo(Nothing {}).await.map_err(|failure| (failure.code, failure.message));
    let not_possible = |message: &str| Err((FailureCode::NotPossible, message.to_owned()));
    send("Yes.").await;
    assert!(rig.mailbox.acted().contains(&"reply".to_owned()));

    let late = undo().await.map(|undone| undone.said);
    assert_eq!(late, not_possible("too late to undo “Sent: Contract”; undo again for “Done: Lunch”"));
    assert!(!rig.titles(View::Inbox).await.contains(&"Lunch".to_owned()), "nothing older is taken back unasked");
    assert_eq!(undo().await.unwrap().said, "Back in the inbox: Lunch");
    assert!(rig.titles(View::Inbox).await.contains(&"Lunch".to_owned()));
    assert_eq!(undo().await.map(|undone| undone.said), not_possible("there is nothing to undo"));

    for text in ["And no.", "Or yes.", "Or no."] {
        send(text).await;
    }
    let all = "too late to undo “Sent: Contract”, “Sent: Contract” and 1 more between them";
    assert_eq!(undo().await.map(|undone| undone.said), not_possible(all));
    assert_eq!(undo().await.map(|undone| undone.said), not_possible("there is nothing to undo"));
}

#[tokio::test]
async fn an_account_with_unsent_words_is_not_removed_without_a_word() {
    let (rig, id) = one_mail().await;
    let account = rig.engine.accounts(Nothing {}).await.unwrap()[0].id;
    let item = Some(id.parse().unwrap());
    rig.engine.reply(reply(&id, "Precious words.")).await.unwrap();
    rig.engine.save_draft(Draft { item, text: "half a sent".into(), ..Default::default() }).await.unwrap();
    let remove = |lose_unsent| rig.engine.remove_account(RemoveAccount { id: account, lose_unsent });

    let failure = remove(false).await.unwrap_err();
    assert_eq!(failure.code, FailureCode::NotPossible);
    for said in ["ana@example.org", "2 texts", "“Contract” (draft)", "“Contract” (on its way)", "change"] {
        assert!(failure.message.contains(said), "{said}: {}", failure.message);
    }
    let before = rig.engine.unsent(AccountRef { id: account }).await.unwrap();
    let texts: Vec<_> = before.texts.iter().map(|text| (text.text.as_str(), text.state)).collect();
    assert_eq!(texts, [("half a sent", UnsentState::Draft), ("Precious words.", UnsentState::Waiting)]);
    // It goes on as if nothing had been asked.
    rig.receive(vec![mail("Lunch", "tom@example.org", true, rig.now())]).await;

    let lost = remove(true).await.unwrap();
    assert_eq!(lost.texts, before.texts, "what is lost is handed back");
    assert!(rig.engine.accounts(Nothing {}).await.unwrap().is_empty());
    assert_eq!(rig.engine.draft(DraftOf { item }).await.unwrap().text, "");
    assert_eq!(rig.engine.unsent(AccountRef { id: account }).await.unwrap_err().code, FailureCode::NotFound);
    let failure = rig.engine.undo(Nothing {}).await.unwrap_err();
    assert_eq!(failure.code, FailureCode::NotPossible, "nothing of it is left to undo");
}

#[tokio::test]
async fn an_account_without_unsent_words_goes_at_once() {
    let (rig, _) = one_mail().await;
    let id = rig.engine.accounts(Nothing {}).await.unwrap()[0].id;
    let lost = rig.engine.remove_account(RemoveAccount { id, lose_unsent: false }).await.unwrap();
    assert_eq!(lost, Unsent::default());
    assert!(rig.rows().await.is_empty());
}

#[tokio::test]
async fn a_mail_can_not_be_delivered_later() {
    let (rig, id) = one_mail().await;
    let later = Reply { deliver: Deliver::WhenTheyStart, ..reply(&id, "Yes.") };
    assert_eq!(rig.engine.reply(later).await.unwrap_err().code, FailureCode::Invalid);
}

/// Both would send it, were they to write at the same time.
#[tokio::test]
async fn a_reply_goes_out_once_while_its_account_is_checked() {
    let (rig, id) = one_mail().await;
    let account = rig.engine.accounts(Nothing {}).await.unwrap()[0].id;
    *rig.mailbox.act_takes.lock().unwrap() = Duration::from_millis(300);
    rig.engine.reply(reply(&id, "Yes.")).await.unwrap();
    rig.pass(TimeDelta::seconds(11));
    let check = || rig.engine.check_account(AccountRef { id: account });
    let (one, two, three) = tokio::join!(check(), check(), check());
    for checked in [one, two, three] {
        assert_eq!(checked.unwrap().state, AccountState::Fine);
    }
    rig.until("it is sent", || async { rig.mailbox.acted().contains(&"reply".to_owned()) }).await;
    assert_eq!(rig.mailbox.acted().iter().filter(|what| *what == "reply").count(), 1);
}
