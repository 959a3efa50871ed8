//! What goes wrong at one place stops nothing at another, and is said as what
//! it is.

use crate::rig::{Rig, mail, page};
use chrono::TimeDelta;
use meantime_engine::api::*;
use meantime_source::{Change, SourceError};
use std::time::{Duration, Instant};

async fn state(rig: &Rig) -> AccountState {
    rig.engine.accounts(Nothing {}).await.unwrap().remove(0).state
}

async fn unreachable(rig: &Rig) -> Vec<Unreachable> {
    rig.engine.status(Nothing {}).await.unwrap().unreachable
}

async fn answer(rig: &Rig, title: &str) {
    let row = rig.rows().await.into_iter().find(|row| row.title == title).unwrap();
    let reply = Reply {
        item: row.id.to_string(),
        text: format!("About {title}."),
        done: false,
        deliver: Deliver::Now,
        files: Vec::new(),
        message: None,
        to: None,
    };
    rig.engine.reply(reply).await.unwrap();
}

fn sent(rig: &Rig) -> usize {
    rig.mailbox.acted().iter().filter(|what| *what == "reply").count()
}

#[tokio::test]
async fn mail_is_read_though_the_server_that_sends_refuses_the_password() {
    let rig = Rig::new().await;
    rig.receive(vec![mail("Contract", "mei@example.org", true, rig.now())]).await;
    *rig.mailbox.sending_fails.lock().unwrap() = Some(SourceError::Auth("the password was refused".into()));
    answer(&rig, "Contract").await;
    let rig = rig.crash(TimeDelta::seconds(11)).await;
    let refused = AccountState::NeedsYou { password: true, message: "the password was refused".into() };
    rig.until("it is said", || async { state(&rig).await == refused }).await;

    rig.receive(vec![
        mail("Lunch", "mei@example.org", true, rig.now()),
        mail("Plans", "mei@example.org", true, rig.now()),
    ])
    .await;
    // What goes by the other server goes on.
    let lunch = rig.rows().await.into_iter().find(|row| row.title == "Lunch").unwrap().id.to_string();
    rig.engine.triage(Triage { ids: vec![lunch], action: Action::Done }).await.unwrap();
    rig.until("it is archived", || async { rig.mailbox.acted().contains(&"done".to_owned()) }).await;
    answer(&rig, "Plans").await;
    let rig = rig.crash(TimeDelta::seconds(11)).await;
    rig.until("it is said again", || async { state(&rig).await == refused }).await;
    assert_eq!((sent(&rig), *rig.mailbox.sendings.lock().unwrap()), (0, 2), "one try for each start");

    *rig.mailbox.sending_fails.lock().unwrap() = None;
    let id = rig.engine.accounts(Nothing {}).await.unwrap()[0].id;
    let account = rig.engine.sign_in_account(SignIn { id, password: "right".into() }).await.unwrap();
    assert_eq!(account.state, AccountState::Fine);
    rig.until("both are sent", || async { sent(&rig) == 2 }).await;
}

#[tokio::test]
async fn what_could_not_be_sent_is_tried_again_and_says_when() {
    let rig = Rig::new().await;
    rig.receive(vec![mail("Contract", "mei@example.org", true, rig.now())]).await;
    *rig.mailbox.sending_fails.lock().unwrap() = Some(SourceError::Transient("it is down".into()));
    answer(&rig, "Contract").await;
    let rig = rig.crash(TimeDelta::seconds(11)).await;
    rig.until("it is said", || async { matches!(state(&rig).await, AccountState::Retrying { .. }) }).await;
    let AccountState::Retrying { message, since, again } = state(&rig).await else { unreachable!() };
    assert_eq!((message.as_str(), since), ("it is down", rig.now()));
    assert!(again.is_some_and(|again| again > rig.now()), "{again:?}");
    rig.receive(vec![mail("Lunch", "mei@example.org", true, rig.now())]).await;

    *rig.mailbox.sending_fails.lock().unwrap() = None;
    rig.pass(TimeDelta::minutes(1));
    rig.until("it is sent", || async { sent(&rig) == 1 }).await;
    rig.until("all is well", || async { state(&rig).await == AccountState::Fine }).await;
}

#[tokio::test]
async fn since_when_it_fails_does_not_move_with_each_try() {
    let rig = Rig::new().await;
    let id = rig.engine.accounts(Nothing {}).await.unwrap()[0].id;
    let began = rig.now();
    *rig.mailbox.pull_fails.lock().unwrap() = Some(SourceError::Transient("no route".into()));
    for _ in 0..3 {
        let account = rig.engine.check_account(AccountRef { id }).await.unwrap();
        assert!(
            matches!(account.state, AccountState::Retrying { since, .. } if since == began),
            "{:?} since {began}",
            account.state
        );
        rig.pass(TimeDelta::minutes(5));
    }
    rig.until("the next try is told", || async {
        matches!(state(&rig).await, AccountState::Retrying { again: Some(again), .. } if again > began)
    })
    .await;
}

#[tokio::test]
async fn a_server_that_is_not_reached_for_long_is_in_the_status() {
    let rig = Rig::new().await;
    let id = rig.engine.accounts(Nothing {}).await.unwrap()[0].id;
    let began = rig.now();
    *rig.mailbox.pull_fails.lock().unwrap() = Some(SourceError::Transient("no route".into()));
    rig.engine.check_account(AccountRef { id }).await.unwrap();
    assert_eq!(unreachable(&rig).await, [], "that may be a moment");
    rig.pass(TimeDelta::minutes(6));
    let wanted = [Unreachable { name: "ana@example.org".into(), since: began, message: "no route".into() }];
    assert_eq!(unreachable(&rig).await, wanted);
    let rig = rig.crash(TimeDelta::minutes(1)).await;
    rig.until("a restart makes it no moment again", || async { unreachable(&rig).await == wanted }).await;
    *rig.mailbox.pull_fails.lock().unwrap() = None;
    rig.engine.check_account(AccountRef { id }).await.unwrap();
    assert_eq!(unreachable(&rig).await, [], "it answers again");
}

#[tokio::test]
async fn a_password_that_was_kept_in_memory_is_asked_for_again() {
    let rig = Rig::new().await;
    let id = rig.engine.accounts(Nothing {}).await.unwrap()[0].id;
    rig.forget(id).await;
    let rig = rig.crash(TimeDelta::minutes(1)).await;
    rig.until("the account asks", || async {
        matches!(state(&rig).await, AccountState::NeedsYou { password: true, message } if message.ends_with("type it again"))
    })
    .await;
}

#[tokio::test]
async fn a_server_that_asks_to_be_left_alone_is() {
    let rig = Rig::new().await;
    rig.receive(vec![mail("A", "mei@example.org", true, rig.now())]).await;
    let after = Duration::from_millis(700);
    let began = Instant::now();
    *rig.mailbox.pull_fails.lock().unwrap() = Some(SourceError::RateLimited { after, message: "not so often".into() });
    rig.mailbox.deliver(page(vec![mail("B", "mei@example.org", true, rig.now())], false));
    rig.until("it is said", || async { matches!(state(&rig).await, AccountState::Retrying { .. }) }).await;
    *rig.mailbox.pull_fails.lock().unwrap() = None;
    let pulls = rig.mailbox.pulls.lock().unwrap().len();
    // Something to write back is no reason to ask earlier.
    let id = rig.rows().await[0].id.to_string();
    rig.engine.triage(Triage { ids: vec![id], action: Action::Done }).await.unwrap();
    rig.until("it is asked again", || async { rig.mailbox.pulls.lock().unwrap().len() > pulls }).await;
    assert!(began.elapsed() >= after, "after {:?}", began.elapsed());
    rig.until("what was written meanwhile is there", || async { rig.titles(View::Inbox).await == ["B"] }).await;
}

#[tokio::test]
async fn what_can_not_be_read_of_a_source_is_an_item_and_the_accounts_state() {
    let rig = Rig::new().await;
    let Change::Message(mut broken) = mail("A feed that can't be read", "", false, rig.now()) else { unreachable!() };
    broken.message.unreadable = Some("What b.example sends is not a feed.".into());
    let trouble = Some(SourceError::Protocol("What b.example sends is not a feed.".into()));
    let good = mail("Before it", "mei@example.org", true, rig.now());
    rig.mailbox.deliver(meantime_source::Page { trouble, ..page(vec![good, Change::Message(broken)], false) });
    rig.until("both are in the list", || async { rig.rows().await.len() == 2 }).await;
    assert!(rig.rows().await.iter().any(|row| row.unreadable.is_some()));
    rig.until("the account says so", || async {
        matches!(state(&rig).await, AccountState::Retrying { message, .. } if message.contains("not a feed"))
    })
    .await;
    rig.until("it is read again", || async { state(&rig).await == AccountState::Fine }).await;
}

#[tokio::test]
async fn a_notification_that_can_not_be_shown_holds_up_no_other() {
    let rig = Rig::new().await;
    rig.notifier.refuse("mei@example.org: Poison");
    let notifications = || async { rig.engine.status(Nothing {}).await.unwrap().notifications };
    rig.receive(vec![mail("Poison", "mei@example.org", true, rig.now())]).await;
    rig.until("it is said", || async { notifications().await.is_some() }).await;
    for n in 1..=5 {
        rig.receive(vec![mail(&format!("M{n}"), "mei@example.org", true, rig.now())]).await;
        rig.until("the others are shown", || async { rig.shown().len() == n }).await;
    }
    rig.until("it is given up in the end", || async { notifications().await.is_none() }).await;
}
