//! What comes in, and what the person does with it.

use crate::rig::{Rig, mail, page};
use chrono::TimeDelta;
use meantime_engine::api::*;
use meantime_source::{Change, Flags, SourceError};

async fn triage(rig: &Rig, id: &str, action: Action) -> Undoable {
    rig.engine.triage(Triage { ids: vec![id.to_owned()], action }).await.unwrap()
}

#[tokio::test]
async fn a_backfill_never_alerts_and_news_does() {
    let rig = Rig::new().await;
    rig.mailbox.deliver(page(vec![mail("Old", "mei@example.org", true, rig.now() - TimeDelta::days(3))], true));
    rig.until("it is there", || async { rig.rows().await.len() == 1 }).await;
    rig.receive(vec![
        mail("New", "mei@example.org", true, rig.now()),
        mail("Newsletter", "news@example.org", false, rig.now()),
    ])
    .await;
    rig.until("the new one is shown", || async { !rig.shown().is_empty() }).await;
    assert_eq!(rig.shown(), ["mei@example.org: New"], "neither the old one nor what is for information");
}

#[tokio::test]
async fn groups_follow_the_due_in_working_time() {
    let rig = Rig::new().await;
    let now = rig.now();
    rig.receive(vec![
        mail("Yesterday's", "a@example.org", true, now - TimeDelta::days(1)),
        mail("Today's", "b@example.org", true, now),
        mail("Newsletter", "c@example.org", false, now),
    ])
    .await;
    let shown: Vec<_> = rig.rows().await.into_iter().map(|row| (row.title, row.group.unwrap(), row.due)).collect();
    assert_eq!(shown[0], ("Yesterday's".into(), Group::DueToday, Some(now)), "one working day later");
    assert_eq!(shown[1], ("Today's".into(), Group::DueLater, Some(now + TimeDelta::days(1))));
    assert_eq!(shown[2], ("Newsletter".into(), Group::ForInformation, None));
}

#[tokio::test]
async fn triage_is_written_back_and_undone_step_by_step() {
    let rig = Rig::new().await;
    rig.receive(vec![mail("A", "mei@example.org", true, rig.now()), mail("B", "mei@example.org", true, rig.now())])
        .await;
    let id = rig.rows().await.iter().find(|row| row.title == "A").unwrap().id.to_string();
    let tail = id.get(id.len() - 8..).unwrap();
    assert_eq!(triage(&rig, tail, Action::Done).await.what, "Done: A");
    assert_eq!(rig.titles(View::Inbox).await, ["B"]);
    assert_eq!(rig.titles(View::Done).await, ["A"]);
    rig.until("it is archived", || async { rig.mailbox.acted() == ["read", "done"] }).await;

    assert_eq!(rig.engine.undo(Nothing {}).await.unwrap().what, "Done: A");
    assert_eq!(rig.titles(View::Done).await, [""; 0]);
    assert!(rig.rows().await.iter().all(|row| row.unread), "unread as before");
    rig.until("it is brought back", || async { rig.mailbox.acted() == ["read", "done", "unread", "not_done"] }).await;
    assert_eq!(rig.engine.undo(Nothing {}).await.unwrap_err().code, FailureCode::NotPossible);
}

#[tokio::test]
async fn a_snoozed_item_wakes_by_the_clock_or_by_an_answer() {
    let rig = Rig::new().await;
    rig.receive(vec![mail("A", "mei@example.org", true, rig.now()), mail("B", "mei@example.org", true, rig.now())])
        .await;
    for row in rig.rows().await {
        triage(&rig, &row.id.to_string(), Action::SnoozeFor { words: "3h".into() }).await;
    }
    assert_eq!(rig.titles(View::Inbox).await, [""; 0]);
    let past = Action::Snooze { until: rig.now() };
    let id = rig.engine.inbox(InboxQuery { view: View::Later, offset: 0, limit: 1 }).await.unwrap().rows[0].id;
    let failure = rig.engine.triage(Triage { ids: vec![id.to_string()], action: past }).await.unwrap_err();
    assert_eq!(failure.code, FailureCode::Invalid);

    rig.receive(vec![mail("A", "mei@example.org", true, rig.now() + TimeDelta::minutes(1))]).await;
    assert_eq!(rig.titles(View::Inbox).await, ["A"], "an answer brings it back early");
    let rig = rig.crash(TimeDelta::hours(3)).await;
    let mut titles = rig.titles(View::Inbox).await;
    titles.sort();
    assert_eq!(titles, ["A", "B"], "time brings it back, also over a restart");
}

#[tokio::test]
async fn flags_of_another_client_arrive() {
    let rig = Rig::new().await;
    let at = rig.now();
    rig.receive(vec![mail("A", "mei@example.org", true, at)]).await;
    let message = format!("<A@{}>", at.timestamp());
    rig.mailbox.deliver(page(
        vec![Change::Flags { message: message.clone(), flags: Flags { read: true, done: false } }],
        false,
    ));
    rig.until("it is read", || async { rig.rows().await.iter().all(|row| !row.unread) }).await;
    rig.mailbox.deliver(page(vec![Change::Gone { message }], false));
    rig.until("it is gone", || async { rig.rows().await.is_empty() }).await;
}

#[tokio::test]
async fn search_finds_words_and_says_where() {
    let rig = Rig::new().await;
    rig.receive(vec![mail("Contract", "mei@example.org", true, rig.now())]).await;
    let found = rig.engine.search(SearchQuery { words: "contr".into(), before: None, limit: 10 }).await.unwrap();
    assert_eq!(found.hits.len(), 1);
    assert_eq!(found.hits[0].row.title, "Contract");
    assert!(found.hits[0].excerpt.iter().any(|piece| piece == "Contract"), "{:?}", found.hits[0].excerpt);
    let none = rig.engine.search(SearchQuery { words: "\" OR *".into(), before: None, limit: 10 }).await.unwrap();
    assert!(none.hits.is_empty(), "operators are words");
}

#[tokio::test]
async fn a_refused_password_asks_once_and_stops() {
    let rig = Rig::new().await;
    *rig.mailbox.pull_fails.lock().unwrap() = Some(SourceError::Auth("the password was refused".into()));
    rig.mailbox.deliver(page(Vec::new(), false));
    let needs_you = AccountState::NeedsYou { password: true, message: "the password was refused".into() };
    rig.until("it is said", || async { rig.engine.accounts(Nothing {}).await.unwrap()[0].state == needs_you }).await;
    let pulls = *rig.mailbox.pulls.lock().unwrap();
    assert_eq!(rig.engine.status(Nothing {}).await.unwrap().broken_accounts, 1);

    *rig.mailbox.pull_fails.lock().unwrap() = None;
    let id = rig.engine.accounts(Nothing {}).await.unwrap()[0].id;
    assert_eq!(*rig.mailbox.pulls.lock().unwrap(), pulls, "nothing is tried by itself");
    let account = rig.engine.sign_in_account(SignIn { id, password: "right".into() }).await.unwrap();
    assert_eq!(account.state, AccountState::Fine);
}

#[tokio::test]
async fn an_unknown_item_is_said_in_words() {
    let rig = Rig::new().await;
    for (id, code) in [("00000000", FailureCode::NotFound), ("xyz", FailureCode::NotFound)] {
        assert_eq!(rig.engine.open(ItemRef { id: id.into() }).await.unwrap_err().code, code);
    }
}
