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
    rig.receive(vec![mail("A", "mei@example.org", true, rig.now())]).await;
    *rig.mailbox.pull_fails.lock().unwrap() = Some(SourceError::Auth("the password was refused".into()));
    rig.mailbox.deliver(page(Vec::new(), false));
    let needs_you = AccountState::NeedsYou { password: true, message: "the password was refused".into() };
    rig.until("it is said", || async { rig.engine.accounts(Nothing {}).await.unwrap()[0].state == needs_you }).await;
    let tried = rig.mailbox.pulls.lock().unwrap().len();
    assert_eq!(rig.engine.status(Nothing {}).await.unwrap().broken_accounts, 1);
    // Each try counts at a provider: what waits to be written back is no reason for one.
    let id = rig.rows().await[0].id.to_string();
    triage(&rig, &id, Action::Done).await;
    triage(&rig, &id, Action::NotDone).await;
    assert_eq!(rig.engine.accounts(Nothing {}).await.unwrap()[0].pending, 3, "they wait");

    *rig.mailbox.pull_fails.lock().unwrap() = None;
    let id = rig.engine.accounts(Nothing {}).await.unwrap()[0].id;
    let account = rig.engine.sign_in_account(SignIn { id, password: "right".into() }).await.unwrap();
    assert_eq!(account.state, AccountState::Fine);
    rig.until("what waited is written back", || async { rig.mailbox.acted().len() == 3 }).await;
    let since = rig.mailbox.pulls.lock().unwrap().split_off(tried);
    assert!(since.iter().all(|password| password == "right"), "the refused password was tried by itself: {since:?}");
}

#[tokio::test]
async fn adding_a_broken_account_again_mends_it_and_keeps_what_was_read() {
    let rig = Rig::new().await;
    rig.receive(vec![mail("A", "mei@example.org", true, rig.now())]).await;
    let again = || rig.engine.add_account(NewAccount::Feed { url: String::new(), private: false });
    assert_eq!(again().await.unwrap_err().code, FailureCode::NotPossible, "it works: there is nothing to mend");
    *rig.mailbox.pull_fails.lock().unwrap() = Some(SourceError::Certificate("another certificate".into()));
    let id = rig.engine.accounts(Nothing {}).await.unwrap()[0].id;
    rig.engine.check_account(AccountRef { id }).await.unwrap();
    *rig.mailbox.pull_fails.lock().unwrap() = None;
    let mended = again().await.unwrap();
    assert_eq!((mended.id, mended.state), (id, AccountState::Fine));
    assert_eq!(rig.titles(View::Inbox).await, ["A"]);
}

#[tokio::test]
async fn a_check_tells_being_offline_from_needing_the_person() {
    let rig = Rig::new().await;
    let id = rig.engine.accounts(Nothing {}).await.unwrap()[0].id;
    *rig.mailbox.pull_fails.lock().unwrap() = Some(SourceError::Transient("no route".into()));
    let account = rig.engine.check_account(AccountRef { id }).await.unwrap();
    assert!(matches!(account.state, AccountState::Retrying { .. }), "{account:?}");
}

#[tokio::test]
async fn undo_leaves_what_came_since_unread() {
    let rig = Rig::new().await;
    rig.receive(vec![mail("A", "mei@example.org", true, rig.now())]).await;
    let id = rig.rows().await[0].id.to_string();
    triage(&rig, &id, Action::Read).await;
    triage(&rig, &id, Action::Done).await;
    rig.receive(vec![mail("A", "mei@example.org", true, rig.now() + TimeDelta::minutes(1))]).await;
    rig.engine.undo(Nothing {}).await.unwrap();
    assert!(rig.rows().await[0].unread, "nobody has seen the new message");
}

#[tokio::test]
async fn an_import_that_finds_no_mail_leaves_no_account() {
    let rig = Rig::new().await;
    let import = |path: &str| ImportMail { path: path.to_owned(), format: MailFormat::Mbox };
    let failure = rig.engine.import_mail(import("/there/is/no/such.mbox")).await.unwrap_err();
    assert_eq!(failure.code, FailureCode::NotFound, "{failure}");
    let file = tempfile::NamedTempFile::new().unwrap();
    let empty = rig.engine.import_mail(import(&file.path().to_string_lossy())).await.unwrap();
    assert_eq!((empty.added, empty.known), (0, 0));
    assert_eq!(rig.engine.accounts(Nothing {}).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_problem_of_the_profile_is_said_even_where_content_is_hidden() {
    let rig = Rig::new().await;
    let hidden = Settings { notification_content: false, ..rig.engine.settings(Nothing {}).await.unwrap() };
    rig.engine.set_settings(hidden).await.unwrap();
    rig.engine.report_problem("The database was damaged", "Kept.".to_owned()).await.unwrap();
    rig.until("it is shown", || async { rig.shown() == ["The database was damaged"] }).await;
}

#[tokio::test]
async fn a_damaged_database_is_told_until_it_was_seen() {
    let rig = Rig::new().await;
    let what = meantime_store::Recovered {
        quarantined: rig.path("meantime.db.damaged-1"),
        found: "this is not a database file".to_owned(),
        unreadable: vec!["draft"],
        outbox: 0,
        drafts: 2,
    };
    let told = rig.engine.report_damage(what).await.unwrap();
    for said in ["was damaged; a new one", "1 account, 2 drafts", "damaged-1", "look what is missing"] {
        assert!(told.text.contains(said), "{said}: {}", told.text);
    }
    rig.until("it is shown", || async { rig.shown() == ["The database was damaged"] }).await;
    let rig = rig.crash(TimeDelta::days(1)).await;
    let damage = async || rig.engine.status(Nothing {}).await.unwrap().damage;
    assert_eq!(damage().await, [told]);
    rig.engine.damage_seen(Nothing {}).await.unwrap();
    assert_eq!(damage().await, []);
}

#[tokio::test]
async fn an_unknown_item_is_said_in_words() {
    let rig = Rig::new().await;
    for (id, code) in [("00000000", FailureCode::NotFound), ("xyz", FailureCode::NotFound)] {
        assert_eq!(rig.engine.open(ItemRef { id: id.into() }).await.unwrap_err().code, code);
    }
}

#[tokio::test]
async fn a_due_that_can_not_be_counted_is_said() {
    let rig = Rig::new().await;
    let schedule = |weekly| meantime_model::Schedule::from_json(serde_json::json!({ "zone": "UTC", "weekly": weekly }));
    let never = Hours { schedule: schedule(serde_json::json!({})).unwrap(), proposed: false };
    rig.engine.set_hours(never).await.unwrap();
    rig.receive(vec![
        mail("Contract", "mei@example.org", true, rig.now()),
        mail("Newsletter", "news@example.org", false, rig.now()),
    ])
    .await;
    let why = |rows: &[Row], title: &str| rows.iter().find(|row| row.title == title).unwrap().why.clone();
    let rows = rig.rows().await;
    assert_eq!(why(&rows, "Contract").as_deref(), Some("no due: there are no working hours to count"));
    assert_eq!(why(&rows, "Newsletter"), None, "nobody waits for an answer");
    let mondays = schedule(serde_json::json!({ "mon": [["09:00", "17:00"]] })).unwrap();
    rig.engine.set_hours(Hours { schedule: mondays, proposed: false }).await.unwrap();
    let rows = rig.rows().await;
    assert!(why(&rows, "Contract").is_none() && rows[0].due.is_some(), "{rows:?}");
}

#[tokio::test]
async fn what_is_done_and_undone_says_where_it_is_now() {
    let rig = Rig::new().await;
    rig.receive(vec![mail("A", "mei@example.org", true, rig.now())]).await;
    let id = rig.rows().await[0].id.to_string();
    let until = rig.now() + TimeDelta::days(1);
    let snoozed = triage(&rig, &id, Action::Snooze { until }).await.what;
    assert!(snoozed.starts_with("Snoozed until ") && snoozed.ends_with(":00: A"), "{snoozed}");
    triage(&rig, &id, Action::Done).await;
    triage(&rig, &id, Action::NotDone).await;
    triage(&rig, &id, Action::Mute).await;
    let mut said = Vec::new();
    for _ in 0..4 {
        said.push(rig.engine.undo(Nothing {}).await.unwrap().said);
    }
    let again = snoozed.replace("Snoozed", "Snoozed again");
    assert_eq!(said, ["No longer muted: A", "Done again: A", again.as_str(), "Back in the inbox: A"]);
}

#[tokio::test]
async fn what_changed_nothing_leaves_nothing_to_undo() {
    let rig = Rig::new().await;
    rig.receive(vec![mail("A", "mei@example.org", true, rig.now()), mail("B", "mei@example.org", true, rig.now())])
        .await;
    let rows = rig.rows().await;
    let of = |title: &str| rows.iter().find(|row| row.title == title).unwrap().id.to_string();
    let (a, b) = (of("A"), of("B"));
    let twice = Triage { ids: vec![a.clone(), a.clone()], action: Action::Done };
    let done = rig.engine.triage(twice).await.unwrap();
    assert_eq!((done.what.as_str(), done.unchanged), ("Done: A", false), "one item, however often it is named");
    let again = triage(&rig, &a, Action::Done).await;
    assert_eq!((again.what.as_str(), again.unchanged), ("Done already: A", true));
    let both = Triage { ids: vec![a.clone(), b.clone()], action: Action::Done };
    assert_eq!(rig.engine.triage(both.clone()).await.unwrap().what, "Done: B", "the other was done before");
    assert_eq!(rig.engine.triage(both).await.unwrap().what, "Done already: 2 items");
    assert_eq!(triage(&rig, &b, Action::Unmute).await.what, "Not muted: B");

    for said in ["Back in the inbox: B", "Back in the inbox: A"] {
        assert_eq!(rig.engine.undo(Nothing {}).await.unwrap().said, said);
    }
    assert_eq!(rig.rows().await.len(), 2);
    assert_eq!(rig.engine.undo(Nothing {}).await.unwrap_err().code, FailureCode::NotPossible);
    assert_eq!(triage(&rig, &b, Action::NotDone).await.what, "In the inbox already: B");
}

#[tokio::test]
async fn images_are_loaded_when_asked_for_and_only_images() {
    let rig = Rig::new().await;
    let Change::Message(mut incoming) = mail("Invoice", "mei@example.org", true, rig.now()) else { unreachable!() };
    let raw = "<img src='https://shop/logo.gif?a=1&b=2'><img src='https://shop/page'><img src='https://shop/gone.png'>
        <img src='https://shop/large.gif'><img src='https://shop/logo.gif?a=1&amp;b=2'>";
    incoming.message.html = Some(meantime_source::html::sanitise(raw).html);
    let upstream = incoming.message.upstream.clone();
    rig.receive(vec![Change::Message(incoming)]).await;
    let gif = |size: usize| [&b"GIF89a\x02\0\x02\0"[..], &vec![0; size]].concat();
    rig.mailbox.web.lock().unwrap().extend([
        ("https://shop/logo.gif?a=1&b=2".to_owned(), gif(4)),
        ("https://shop/page".to_owned(), b"<html>".to_vec()),
        ("https://shop/large.gif".to_owned(), gif(6 << 20)),
    ]);

    let item = rig.rows().await[0].id.to_string();
    let open = rig.engine.open(ItemRef { id: item.clone() }).await.unwrap();
    assert!(matches!(&open.messages[0].body, Body::Foreign { html, .. } if !html.contains(" src=")), "{open:?}");
    let loaded = rig.engine.load_images(LoadImages { item: item.clone(), message: upstream }).await.unwrap();
    let data = "data:image/gif;base64,R0lGODlhAgACAAAAAAA=".to_owned();
    let logo = RemoteImage { address: "https://shop/logo.gif?a=1&b=2".to_owned(), data };
    assert_eq!(loaded, RemoteImages { images: vec![logo], missing: 3 });
    let failure = rig.engine.load_images(LoadImages { item, message: "other".to_owned() }).await.unwrap_err();
    assert_eq!(failure.code, FailureCode::NotFound);
}
