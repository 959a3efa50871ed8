//! A block holds everything, lets through what it must, and hands over once.

use crate::rig::{Rig, mail, page, red};
use chrono::TimeDelta;
use meantime_engine::api::*;
use meantime_model::{ItemId, Urgency};
use meantime_platform::NoteEvent;
use meantime_source::{Change, Flags};

const TWELVE: TimeDelta = TimeDelta::minutes(12);

async fn focus(rig: &Rig, minutes: u32) {
    rig.engine.focus_start(FocusStart { minutes: Some(minutes), extend: false }).await.unwrap();
}

#[tokio::test]
async fn a_block_holds_everything_and_ends_with_one_digest() {
    let rig = Rig::new().await;
    focus(&rig, 50).await;
    let mails = (0..12).map(|n| mail(&format!("M{n}"), "mei@example.org", n < 3, rig.now())).collect();
    rig.receive(mails).await;
    assert_eq!(rig.shown(), [""; 0], "nothing is shown in a block");
    assert!(rig.rows().await.iter().all(|row| row.held));
    let block = async || rig.engine.focus_status(Nothing {}).await.unwrap().block.unwrap();
    assert_eq!((block().await.held, block().await.messages), (12, 12));
    let more = rig.now() + TimeDelta::seconds(1);
    rig.mailbox.deliver(page(vec![mail("M0", "mei@example.org", true, more)], false));
    rig.until("one of them has two messages", || async { block().await.messages == 13 }).await;
    assert_eq!(block().await.held, 12);

    rig.engine.focus_stop(Nothing {}).await.unwrap();
    rig.until("the digest is shown", || async { !rig.shown().is_empty() }).await;
    assert_eq!(rig.shown(), ["12 held: 3 due later, 9 for information"]);
    let page = rig.engine.inbox(InboxQuery { limit: 20, ..InboxQuery::default() }).await.unwrap();
    assert_eq!(page.groups[0].group, Group::Held, "what was held stands on top");
    assert_eq!(page.groups[0].count, 12);
    let failure = rig.engine.focus_stop(Nothing {}).await.unwrap_err();
    assert_eq!(failure.code, FailureCode::NotPossible);
    assert_eq!(rig.shown().len(), 1);
}

#[tokio::test]
async fn a_digest_is_about_what_still_waits_as_the_list_shows_it() {
    let rig = Rig::new().await;
    focus(&rig, 50).await;
    let later = |n: i64| rig.now() + TimeDelta::seconds(n) - TimeDelta::minutes(1);
    let mut mails: Vec<_> = (0..9).map(|n| mail(&format!("M{n}"), "mei@example.org", n < 8, later(n))).collect();
    mails.push(mail("Red", "mei@example.org", true, later(0)));
    rig.receive(mails).await;
    let of = async |title: &str| {
        let rows = rig.rows().await;
        rows.into_iter().find(|row| row.title == title).unwrap().id.to_string()
    };
    let until = rig.now() + TimeDelta::days(1);
    for (title, action) in [
        ("Red", Action::Urgency { urgency: meantime_model::Urgency::Red }),
        ("M0", Action::Done),
        ("M2", Action::Snooze { until }),
        ("M3", Action::Mute),
        ("M5", Action::Read),
    ] {
        rig.engine.triage(Triage { ids: vec![of(title).await], action }).await.unwrap();
    }
    // Read on the phone.
    let Change::Message(seen) = mail("M7", "mei@example.org", true, later(7)) else { unreachable!() };
    let flags = Flags { read: true, done: false };
    rig.mailbox.deliver(page(vec![Change::Flags { message: seen.message.upstream, flags }], false));
    let block = async || rig.engine.focus_status(Nothing {}).await.unwrap().block.unwrap();
    rig.until("it counts what waits", || async { block().await.held == 5 }).await;
    assert_eq!(block().await.messages, 5);
    assert_eq!(rig.rows().await.iter().filter(|row| row.held).count(), 5);

    rig.engine.focus_stop(Nothing {}).await.unwrap();
    rig.until("the digest is shown", || async { !rig.shown().is_empty() }).await;
    let shown = rig.notifier.shown().remove(0);
    assert_eq!(shown.title, "5 held: 1 due today, 3 due later, 1 for information");
    let held: Vec<_> = rig.rows().await.into_iter().filter(|row| row.group == Some(Group::Held)).collect();
    let titles: Vec<&str> = held.iter().map(|row| row.title.as_str()).collect();
    assert_eq!(titles, ["Red", "M6", "M4", "M1", "M8"]);
    let named: Vec<_> = held.iter().take(3).map(|row| format!("{}: {}", row.people, row.title)).collect();
    assert_eq!(shown.body.lines().collect::<Vec<_>>(), named);
}

#[tokio::test]
async fn a_block_whose_mail_was_seen_meanwhile_ends_without_a_word() {
    let rig = Rig::new().await;
    focus(&rig, 50).await;
    rig.receive(vec![mail("A", "mei@example.org", true, rig.now())]).await;
    let id = rig.rows().await[0].id.to_string();
    rig.engine.triage(Triage { ids: vec![id], action: Action::Read }).await.unwrap();
    rig.engine.focus_stop(Nothing {}).await.unwrap();
    rig.receive(vec![mail("B", "mei@example.org", true, rig.now())]).await;
    rig.until("what comes after it is shown", || async { !rig.shown().is_empty() }).await;
    assert_eq!(rig.shown(), ["mei@example.org: B"]);
}

#[tokio::test]
async fn what_a_block_held_is_not_counted_with_the_next_one() {
    let rig = Rig::new().await;
    let held = || async {
        let page = rig.engine.inbox(InboxQuery { limit: 20, ..InboxQuery::default() }).await.unwrap();
        page.groups.into_iter().find(|group| group.group == Group::Held).map(|group| (group.count, group.held.unwrap()))
    };
    focus(&rig, 50).await;
    rig.receive(vec![
        mail("A", "mei@example.org", true, rig.now()),
        mail("B", "mei@example.org", false, rig.now()),
        mail("C", "mei@example.org", false, rig.now()),
    ])
    .await;
    rig.engine.focus_stop(Nothing {}).await.unwrap();
    let (count, first) = held().await.unwrap();
    assert_eq!(count, 3);

    rig.pass(TWELVE);
    focus(&rig, 50).await;
    rig.engine.focus_stop(Nothing {}).await.unwrap();
    assert_eq!(held().await, Some((3, first)), "a block that held nothing takes nobody's place");

    rig.pass(TWELVE);
    focus(&rig, 50).await;
    rig.receive(vec![mail("D", "mei@example.org", false, rig.now())]).await;
    rig.engine.focus_stop(Nothing {}).await.unwrap();
    let (count, second) = held().await.unwrap();
    assert_eq!((count, second.start), (1, first.start + TWELVE + TWELVE), "with the times of its own block");
    assert_eq!(rig.rows().await.len(), 4, "the others stand in their usual groups");

    // The first block's digest is still on the screen: its button means its items.
    rig.until("both digests are shown", || async { rig.notifier.shown().len() == 2 }).await;
    let key = rig.notifier.shown()[0].key.clone();
    rig.notifier.emit(NoteEvent::Act { key, action: "later".to_owned() });
    rig.until("they are snoozed", || async { rig.titles(View::Inbox).await == ["D"] }).await;
}

#[tokio::test]
async fn a_red_item_from_a_listed_person_comes_through_once_and_says_why() {
    let rig = Rig::new().await;
    let mut settings = rig.engine.settings(Nothing {}).await.unwrap();
    settings.may_interrupt_addresses = vec!["Kofi@example.org".to_owned()];
    rig.engine.set_settings(settings).await.unwrap();
    focus(&rig, 50).await;
    rig.receive(vec![
        red("Release blocked", "kofi@example.org", rig.now()),
        red("Also urgent", "stranger@example.org", rig.now()),
    ])
    .await;
    rig.until("it is shown", || async { !rig.shown().is_empty() }).await;
    assert_eq!(rig.shown(), ["kofi@example.org: Release blocked"]);
    let rows = rig.rows().await;
    let through = rows.iter().find(|row| row.title == "Release blocked").unwrap();
    assert_eq!((through.held, through.why.as_deref()), (false, Some("came through: on your list")));
    let read = Triage { ids: vec![through.id.to_string()], action: Action::Read };
    rig.engine.triage(read).await.unwrap();
    assert!(rig.rows().await.iter().all(|row| row.why.is_none()), "it was looked at");
    let stranger = rows.iter().find(|row| row.title == "Also urgent").unwrap();
    assert_eq!((stranger.held, stranger.urgency), (true, Urgency::Yellow), "not everybody's word is taken for it");
}

#[tokio::test]
async fn without_its_content_a_notification_says_what_the_setting_says() {
    let rig = Rig::new().await;
    let mut settings = rig.engine.settings(Nothing {}).await.unwrap();
    settings.notification_content = false;
    rig.engine.set_settings(settings).await.unwrap();
    rig.receive(vec![mail("Contract", "mei@example.org", true, rig.now())]).await;
    rig.until("it is shown", || async { !rig.notifier.shown().is_empty() }).await;
    let shown = rig.notifier.shown().remove(0);
    assert_eq!((shown.title.as_str(), shown.body.as_str()), ("A new message", ""));
    let window = include_str!("../../../../ui/src/settings/Notifications.svelte");
    assert!(window.contains("Off: only that something came"), "the window promises something else");
}

#[tokio::test]
async fn the_count_of_what_is_to_do_stands_still_while_a_block_holds() {
    let rig = Rig::new().await;
    let count = async || rig.engine.status(Nothing {}).await.unwrap().counts.inbox;
    rig.receive(vec![mail("Before", "mei@example.org", true, rig.now())]).await;
    assert_eq!(count().await, 1);
    focus(&rig, 50).await;
    rig.receive((0..3).map(|n| mail(&format!("M{n}"), "mei@example.org", n < 2, rig.now())).collect()).await;
    assert_eq!((count().await, rig.rows().await.len()), (1, 4), "the list has them, marked");
    rig.engine.focus_stop(Nothing {}).await.unwrap();
    assert_eq!(count().await, 4, "all three are handed over");
}

#[tokio::test]
async fn an_answered_urgent_mail_is_for_information() {
    let rig = Rig::new().await;
    rig.receive(vec![mail("Red", "mei@example.org", true, rig.now()), mail("News", "a@example.org", false, rig.now())])
        .await;
    let of = async |title: &str| rig.rows().await.into_iter().find(|row| row.title == title).unwrap();
    let urgent = async |title: &str| {
        let ids = vec![of(title).await.id.to_string()];
        rig.engine.triage(Triage { ids, action: Action::Urgency { urgency: Urgency::Red } }).await.unwrap();
        let row = of(title).await;
        (row.group, row.urgency)
    };
    let stands = (Some(Group::DueToday), Urgency::Red);
    assert_eq!((urgent("Red").await, urgent("News").await), (stands, stands), "my own word is enough");
    for title in ["Red", "News"] {
        let item = of(title).await.id.to_string();
        let answer = Reply {
            text: "Yes.".into(),
            item,
            done: false,
            deliver: Deliver::Now,
            files: vec![],
            message: None,
            to: None,
        };
        rig.engine.reply(answer).await.unwrap();
        let row = of(title).await;
        assert_eq!((row.group, row.urgency), (Some(Group::ForInformation), Urgency::Green), "nobody waits any more");
        let open = rig.engine.open(ItemRef { id: row.id.to_string() }).await.unwrap();
        assert_eq!(open.row.urgency, Urgency::Green);
    }
    let rig = rig.crash(TimeDelta::minutes(1)).await;
    let of = async |title: &str| rig.rows().await.into_iter().find(|row| row.title == title).unwrap();
    let say = async |id: ItemId| {
        let action = Action::Urgency { urgency: Urgency::Red };
        rig.engine.triage(Triage { ids: vec![id.to_string()], action }).await.unwrap()
    };
    let news = of("News").await.id;
    assert!(!say(news).await.unchanged);
    assert_eq!((of("News").await.group, of("News").await.urgency), stands, "what I say after my answer counts");
    assert!(say(news).await.unchanged, "and is so already");
    rig.engine.undo(Nothing {}).await.unwrap();
    assert_eq!(of("News").await.urgency, Urgency::Green);
    // However far this clock is from those of the messages.
    rig.set_clock(TimeDelta::hours(3));
    say(news).await;
    rig.set_clock(TimeDelta::hours(-3));
    let item = news.to_string();
    let answer = Reply {
        text: "Done.".into(),
        item,
        done: false,
        deliver: Deliver::Now,
        files: vec![],
        message: None,
        to: None,
    };
    rig.engine.reply(answer).await.unwrap();
    assert_eq!(of("News").await.urgency, Urgency::Green, "answered is answered");
    let later = rig.now() + TimeDelta::hours(4);
    rig.mailbox.deliver(page(vec![mail("Red", "mei@example.org", true, later)], false));
    rig.until("it is urgent again", || async { of("Red").await.urgency == Urgency::Red }).await;
}

#[tokio::test]
async fn of_many_toggles_at_once_none_fails() {
    let rig = Rig::new().await;
    let mut calls = tokio::task::JoinSet::new();
    for _ in 0..41 {
        let engine = rig.engine.clone();
        calls.spawn(async move { engine.focus_toggle(Nothing {}).await.map(drop) });
    }
    assert_eq!(calls.join_all().await, vec![Ok(()); 41]);
    let block = rig.engine.focus_status(Nothing {}).await.unwrap().block.unwrap();
    assert_eq!(block.until, Some(rig.now() + TimeDelta::minutes(50)), "an odd number of times: one runs");
}

#[tokio::test]
async fn what_was_handed_over_and_taken_back_stands_there_again() {
    let rig = Rig::new().await;
    let held = async || {
        let rows = rig.rows().await.into_iter().filter(|row| row.group == Some(Group::Held));
        rows.map(|row| row.title).collect::<Vec<_>>()
    };
    let block = async |titles: [&str; 2]| {
        focus(&rig, 50).await;
        rig.receive(titles.map(|title| mail(title, "mei@example.org", true, rig.now())).to_vec()).await;
        rig.engine.focus_stop(Nothing {}).await.unwrap();
        assert_eq!(held().await.len(), 2);
    };
    let triage = async |title: &str, action| {
        let id = rig.rows().await.into_iter().find(|row| row.title == title).unwrap().id.to_string();
        rig.engine.triage(Triage { ids: vec![id], action }).await.unwrap();
    };
    block(["A", "B"]).await;
    let tomorrow = Action::Snooze { until: rig.now() + TimeDelta::days(1) };
    for action in [Action::Done, tomorrow, Action::Mute] {
        triage("A", action).await;
        assert_eq!(held().await, ["B"]);
        rig.engine.undo(Nothing {}).await.unwrap();
        let mut both = held().await;
        both.sort();
        assert_eq!(both, ["A", "B"]);
    }
    triage("A", Action::Done).await;
    block(["C", "D"]).await;
    rig.engine.undo(Nothing {}).await.unwrap();
    assert_eq!(held().await.len(), 2, "what an earlier block held is not among what the last one did");
    assert!(rig.titles(View::Inbox).await.contains(&"A".to_owned()));
}

#[tokio::test]
async fn a_clock_that_is_set_neither_ends_nor_lengthens_a_block() {
    let rig = Rig::new().await;
    let block = async || rig.engine.focus_status(Nothing {}).await.unwrap().block.unwrap();
    // Looks at the clocks, as the scheduler does.
    let longer = async |minutes| {
        rig.engine.focus_start(FocusStart { minutes: Some(minutes), extend: true }).await.unwrap().block.unwrap()
    };
    focus(&rig, 30).await;
    let first = block().await;
    assert_eq!(first.until, Some(rig.now() + TimeDelta::minutes(30)));
    rig.pass(TimeDelta::minutes(10));
    assert_eq!(block().await, first, "it ends as planned");
    rig.set_clock(TimeDelta::hours(2));
    let still = longer(20).await;
    assert_eq!((still.id, still.until), (first.id, Some(rig.now() + TimeDelta::minutes(40))), "as the clock is now");
    rig.set_clock(-TimeDelta::hours(7));
    assert_eq!(block().await.until, Some(rig.now() + TimeDelta::minutes(40)));

    rig.receive(vec![mail("Contract", "mei@example.org", true, rig.now())]).await;
    rig.pass(TimeDelta::minutes(41));
    assert_ne!(longer(20).await.id, first.id, "its time was over");
    rig.until("the digest is shown", || async { rig.shown().len() == 1 }).await;
}

#[tokio::test]
async fn a_crash_in_a_block_neither_loses_nor_doubles_the_digest() {
    let rig = Rig::new().await;
    focus(&rig, 10).await;
    rig.receive(vec![mail("A", "mei@example.org", true, rig.now())]).await;
    // Still running after the first crash, over after the second.
    let rig = rig.crash(TimeDelta::minutes(1)).await;
    assert!(rig.engine.focus_status(Nothing {}).await.unwrap().block.is_some());
    assert_eq!(rig.shown().len(), 0);
    let rig = rig.crash(TWELVE).await;
    rig.until("the digest is shown", || async { !rig.shown().is_empty() }).await;
    assert!(rig.engine.focus_status(Nothing {}).await.unwrap().block.is_none());
    let rig = rig.crash(TWELVE).await;
    let rig = rig.crash(TWELVE).await;
    assert_eq!(rig.shown(), ["1 held: 1 due later"], "once, however often it is started");
}

#[tokio::test]
async fn without_a_notification_service_the_digest_waits() {
    let rig = Rig::new().await;
    rig.notifier.fail(Some("no notification service"));
    focus(&rig, 50).await;
    rig.receive(vec![mail("A", "mei@example.org", false, rig.now())]).await;
    rig.engine.focus_stop(Nothing {}).await.unwrap();
    rig.until("it is said", || async {
        rig.engine.status(Nothing {}).await.unwrap().notifications.as_deref() == Some("no notification service")
    })
    .await;
    rig.notifier.fail(None);
    let rig = rig.crash(TimeDelta::minutes(1)).await;
    rig.until("the digest is shown", || async { rig.shown() == ["1 held: 1 for information"] }).await;
}

#[tokio::test]
async fn what_a_restarted_notification_service_lost_is_shown_again() {
    let rig = Rig::new().await;
    rig.receive(vec![mail("A", "mei@example.org", true, rig.now())]).await;
    rig.until("it is shown", || async { rig.notifier.shown().len() == 1 }).await;
    rig.notifier.emit(NoteEvent::DaemonRestarted);
    rig.until("it is shown again", || async { rig.notifier.shown().len() == 1 }).await;
    // Read in the window: it goes from the screen.
    let id = rig.rows().await[0].id.to_string();
    rig.engine.triage(Triage { ids: vec![id], action: Action::Read }).await.unwrap();
    rig.until("it is withdrawn", || async { rig.notifier.shown().is_empty() }).await;
}

#[tokio::test]
async fn what_was_seen_elsewhere_or_is_muted_is_not_shown() {
    let rig = Rig::new().await;
    rig.receive(vec![mail("Muted", "mei@example.org", true, rig.now())]).await;
    rig.until("it is shown", || async { rig.shown().len() == 1 }).await;
    let id = rig.rows().await[0].id.to_string();
    rig.engine.triage(Triage { ids: vec![id], action: Action::Mute }).await.unwrap();
    let Change::Message(mut seen) = mail("Seen", "mei@example.org", true, rig.now()) else { unreachable!() };
    seen.message.flags.read = true;
    rig.receive(vec![Change::Message(seen), mail("News", "mei@example.org", true, rig.now())]).await;
    let more = mail("Muted", "mei@example.org", true, rig.now() + TimeDelta::minutes(1));
    rig.mailbox.deliver(page(vec![more], false));
    rig.receive(vec![mail("More news", "mei@example.org", true, rig.now())]).await;
    rig.until("the news is shown", || async { rig.shown().len() >= 3 }).await;
    let shown = ["Muted", "News", "More news"].map(|title| format!("mei@example.org: {title}"));
    assert_eq!(rig.shown(), shown);
}

#[tokio::test]
async fn a_button_is_obeyed_once() {
    let rig = Rig::new().await;
    rig.receive(vec![mail("A", "mei@example.org", true, rig.now())]).await;
    rig.until("it is shown", || async { rig.notifier.shown().len() == 1 }).await;
    let key = rig.notifier.shown()[0].key.clone();
    for _ in 0..3 {
        rig.notifier.emit(NoteEvent::Act { key: key.clone(), action: "done".to_owned() });
    }
    rig.until("it is done", || async { rig.titles(View::Done).await == ["A"] }).await;
    rig.until("it is archived upstream", || async { rig.mailbox.acted().contains(&"done".to_owned()) }).await;
    assert_eq!(rig.mailbox.acted().iter().filter(|what| *what == "done").count(), 1);
}

#[tokio::test]
async fn a_block_is_extended_and_shortened() {
    let rig = Rig::new().await;
    focus(&rig, 50).await;
    let until = |status: FocusStatus| status.block.unwrap().until.unwrap();
    let extended = rig.engine.focus_start(FocusStart { minutes: Some(15), extend: true }).await.unwrap();
    assert_eq!(until(extended), rig.now() + TimeDelta::minutes(65));
    let shortened = rig.engine.focus_start(FocusStart { minutes: Some(5), extend: false }).await.unwrap();
    assert_eq!(until(shortened), rig.now() + TimeDelta::minutes(5));
    for minutes in [0, 1441] {
        let start = FocusStart { minutes: Some(minutes), extend: false };
        assert_eq!(rig.engine.focus_start(start).await.unwrap_err().code, FailureCode::Invalid);
    }
}
