//! Against a real dunst, and against a daemon that misbehaves, each test on a
//! bus of its own.

use super::*;
use crate::kit::{Behaviour, Dunst, NotificationDaemon, PATIENCE, Xvfb, alone, eventually};

fn note(key: &str, title: &str, body: &str) -> Note {
    Note { key: key.into(), title: title.into(), body: body.into(), actions: Vec::new(), urgent: false }
}

async fn next(events: &mut broadcast::Receiver<NoteEvent>) -> NoteEvent {
    tokio::time::timeout(PATIENCE, events.recv()).await.expect("an event comes").expect("none was missed")
}

#[test]
fn dunst_shows_replaces_and_clicks() {
    alone("notify::tests::dunst_shows_replaces_and_clicks", |stage| async move {
        let screen = Xvfb::start("800x600");
        let dunst = Dunst::start(&stage.folder, &stage.bus, &screen).await;
        let notifier = DesktopNotifier::new();
        let mut events = notifier.events();

        notifier.show(note("digest", "3 held", "first")).await.unwrap();
        let mut digest = note("digest", "12 held", "1 due today & <3 replies>");
        digest.actions = vec![("later".into(), "Later".into())];
        notifier.show(digest).await.unwrap();
        eventually("one note, replaced in place", async || (dunst.displayed() == 1).then_some(())).await;

        dunst.click();
        assert_eq!(next(&mut events).await, NoteEvent::Open { key: "digest".into() });
        assert_eq!(next(&mut events).await, NoteEvent::Closed { key: "digest".into() });
        let shown = eventually("it is in the history", async || dunst.history().into_iter().next()).await;
        assert_eq!((shown.summary.as_str(), shown.app.as_str()), ("12 held", "Meantime"));
        assert!(shown.body.contains("&lt;3 replies&gt;") || shown.body.contains("<3 replies>"), "{shown:?}");

        let mut red = note("red", "Release blocked", "");
        red.urgent = true;
        red.actions = vec![("seen".into(), "Seen".into())];
        notifier.show(red).await.unwrap();
        eventually("it is shown", async || (dunst.displayed() == 1).then_some(())).await;
        dunst.pick("Seen");
        assert_eq!(next(&mut events).await, NoteEvent::Act { key: "red".into(), action: "seen".into() });
        assert_eq!(next(&mut events).await, NoteEvent::Closed { key: "red".into() });

        notifier.show(note("gone", "soon gone", "")).await.unwrap();
        notifier.withdraw("gone").await;
        assert_eq!(next(&mut events).await, NoteEvent::Closed { key: "gone".into() });
        eventually("it is gone", async || (dunst.displayed() == 0).then_some(())).await;
        let history: Vec<String> = dunst.history().into_iter().map(|note| note.summary).collect();
        assert_eq!(history, ["soon gone", "Release blocked", "12 held"], "nothing was shown twice");
    });
}

#[test]
fn what_becomes_of_a_note_is_told() {
    alone("notify::tests::what_becomes_of_a_note_is_told", |stage| async move {
        let daemon = NotificationDaemon::start(&stage.bus, Behaviour::default()).await;
        let notifier = DesktopNotifier::new();
        let mut events = notifier.events();
        let mut first = note("a", "A", "1 < 2");
        first.actions = vec![("yes".into(), "Yes".into())];
        notifier.show(first).await.unwrap();
        notifier.show(note("b", "B", "")).await.unwrap();
        let [a, b] = daemon.received().try_into().unwrap();
        assert_eq!(a.body, "1 &lt; 2");
        assert_eq!(a.actions, ["default", "Open", "yes", "Yes"]);
        assert_eq!(b.actions, ["default", "Open"], "a click on the note itself always does something");

        // Replaced: the same number, and the first connection lives on.
        notifier.show(note("a", "A2", "")).await.unwrap();
        let again = daemon.received().pop().unwrap();
        assert_eq!((again.id, again.replaces), (a.id, a.id));
        let bus = stage.bus.connect().await;
        let proxy = zbus::fdo::DBusProxy::new(&bus).await.unwrap();
        assert!(
            proxy.name_has_owner(a.sender.as_str().try_into().unwrap()).await.unwrap(),
            "GNOME would drop the note"
        );

        for (id, key, reason) in [(a.id, "a", 1), (b.id, "b", 2)] {
            daemon.dismiss(id, reason).await;
            assert_eq!(next(&mut events).await, NoteEvent::Closed { key: key.into() });
        }
        // A late click on a note that is gone means nothing.
        daemon.act(a.id, "yes").await;
        notifier.show(note("c", "C", "")).await.unwrap();
        let c = daemon.received().pop().unwrap();
        assert_eq!(c.replaces, 0);
        daemon.act(c.id, "default").await;
        assert_eq!(next(&mut events).await, NoteEvent::Open { key: "c".into() });
        assert_eq!(next(&mut events).await, NoteEvent::Closed { key: "c".into() });
        eventually("a service that keeps clicked notes is told to close it", async || {
            daemon.closed().contains(&c.id).then_some(())
        })
        .await;
    });
}

#[test]
fn a_service_without_buttons_and_markup_gets_plain_text() {
    alone("notify::tests::a_service_without_buttons_and_markup_gets_plain_text", |stage| async move {
        let daemon = NotificationDaemon::start(&stage.bus, Behaviour { caps: vec!["body"], hangs: false }).await;
        let notifier = DesktopNotifier::new();
        let mut plain = note("a", "A", "1 < 2");
        plain.actions = vec![("yes".into(), "Yes".into())];
        notifier.show(plain).await.unwrap();
        let got = daemon.received().pop().unwrap();
        assert_eq!((got.body.as_str(), got.actions.as_slice()), ("1 < 2", &["default".to_owned(), "Open".into()][..]));
    });
}

#[test]
fn after_a_restart_what_is_due_is_shown_again() {
    alone("notify::tests::after_a_restart_what_is_due_is_shown_again", |stage| async move {
        let notifier = DesktopNotifier::new();
        let mut events = notifier.events();
        let refused = notifier.show(note("a", "A", "")).await.unwrap_err();
        assert!(refused.0.contains("no notification service"), "{refused}");

        // It comes late: what could not be shown is due now.
        let daemon = NotificationDaemon::start(&stage.bus, Behaviour::default()).await;
        assert_eq!(next(&mut events).await, NoteEvent::DaemonRestarted);
        notifier.show(note("a", "A", "")).await.unwrap();
        notifier.show(note("b", "B", "")).await.unwrap();
        let b = daemon.received().pop().unwrap();
        daemon.dismiss(b.id, 2).await;
        assert_eq!(next(&mut events).await, NoteEvent::Closed { key: "b".into() });

        // It crashes with one note on the screen, and comes back with other abilities.
        daemon.stop().await;
        let daemon = NotificationDaemon::start(&stage.bus, Behaviour { caps: vec![], hangs: false }).await;
        assert_eq!(next(&mut events).await, NoteEvent::DaemonRestarted);
        notifier.show(note("a", "A", "more")).await.unwrap();
        let got = daemon.received().pop().unwrap();
        assert_eq!((got.replaces, got.summary.as_str(), got.body.as_str()), (0, "A: more", ""));
    });
}

#[test]
fn a_crash_before_it_is_marked_as_shown_leaves_one_note_on_dunst() {
    alone("notify::tests::a_crash_before_it_is_marked_as_shown_leaves_one_note_on_dunst", |stage| async move {
        let screen = Xvfb::start("800x600");
        let dunst = Dunst::start(&stage.folder, &stage.bus, &screen).await;
        let killed = DesktopNotifier::new();
        killed.show(note("digest:1", "3 held", "")).await.unwrap();
        killed.show(note("alert:2", "Another", "")).await.unwrap();
        eventually("two notes", async || (dunst.displayed() == 2).then_some(())).await;
        drop(killed);

        // All that the next process knows is that it was not marked.
        let notifier = DesktopNotifier::new();
        let mut events = notifier.events();
        notifier.show(note("digest:1", "3 held, again", "")).await.unwrap();
        notifier.show(note("alert:4", "A third", "")).await.unwrap();
        eventually("the third note", async || (dunst.displayed() == 3).then_some(())).await;
        notifier.withdraw("alert:4").await;
        notifier.withdraw("digest:1").await;
        for key in ["alert:4", "digest:1"] {
            assert_eq!(next(&mut events).await, NoteEvent::Closed { key: key.into() });
        }
        eventually("only the other one is left", async || (dunst.displayed() == 1).then_some(())).await;
    });
}

#[test]
fn what_an_earlier_run_showed_is_replaced_clicked_and_withdrawn() {
    alone("notify::tests::what_an_earlier_run_showed_is_replaced_clicked_and_withdrawn", |stage| async move {
        let daemon = NotificationDaemon::start(&stage.bus, Behaviour::default()).await;
        let ended = DesktopNotifier::new();
        let mut places = Vec::new();
        for key in ["a", "b", "c"] {
            places.push(ended.show(note(key, key, "")).await.unwrap().unwrap());
        }
        drop(ended);
        let ids: Vec<u32> = daemon.received().iter().map(|received| received.id).collect();

        let notifier = DesktopNotifier::new();
        let mut events = notifier.events();
        for (key, place) in ["a", "b", "c"].iter().zip(&places) {
            notifier.adopt(key, place).await;
        }
        notifier.show(note("a", "A2", "")).await.unwrap();
        assert_eq!(daemon.received().pop().unwrap().replaces, ids[0]);
        daemon.act(ids[1], "default").await;
        assert_eq!(next(&mut events).await, NoteEvent::Open { key: "b".into() });
        assert_eq!(next(&mut events).await, NoteEvent::Closed { key: "b".into() });
        notifier.withdraw("c").await;
        assert_eq!(next(&mut events).await, NoteEvent::Closed { key: "c".into() });
        eventually("they are closed", async || {
            let closed = daemon.closed();
            (closed.contains(&ids[1]) && closed.contains(&ids[2])).then_some(())
        })
        .await;

        // The numbers of a service that is gone are somebody else's now.
        daemon.stop().await;
        let daemon = NotificationDaemon::start(&stage.bus, Behaviour::default()).await;
        let later = DesktopNotifier::new();
        later.adopt("a", &places[0]).await;
        later.adopt("b", "nonsense").await;
        later.show(note("a", "A3", "")).await.unwrap();
        assert_eq!(daemon.received().pop().unwrap().replaces, 0);
    });
}

#[test]
fn a_service_that_hangs_is_given_up() {
    alone("notify::tests::a_service_that_hangs_is_given_up", |stage| async move {
        let hangs = Behaviour { hangs: true, ..Behaviour::default() };
        let _daemon = NotificationDaemon::start(&stage.bus, hangs).await;
        let refused = DesktopNotifier::new().show(note("a", "A", "")).await.unwrap_err();
        assert!(refused.0.contains("does not answer"), "{refused}");
    });
}
