//! What is to appear later, from a device that was away past its moment, and
//! from devices whose clock is wrong.

use crate::real::{App, eventually, folder_and_server};
use chrono::{DateTime, TimeDelta, Utc};
use meantime_model::ItemId;
use meantime_protocol::Kind;
use meantime_server::SystemClock;
use meantime_server_core::Clock as _;
use meantime_store::outbox::{self, State};
use meantime_store::record;
use meantime_sync::State as Connection;

/// When a thread appears to others, as the server has it; `None` while it has
/// not got it.
fn moment(app: &App, thread: ItemId) -> Option<Option<DateTime<Utc>>> {
    app.store.read(|r| record::get(r, &Kind::THREAD, thread.0)).unwrap().map(|row| row.visible_from)
}

/// Codes of what was refused.
fn refused(app: &App) -> Vec<String> {
    let code = |state| match state {
        State::Refused { code, .. } => code,
        other => panic!("{other:?}"),
    };
    app.store.read(outbox::refused).unwrap().into_iter().map(|entry| code(entry.state)).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_to_appear_while_the_device_slept_goes_when_it_wakes() {
    let (_folder, server) = folder_and_server().await;
    let (mut ana, kofi) = (App::join(&server, "Ana").await, App::join(&server, "Kofi").await);
    eventually("she is there", || *ana.handle.state().borrow() == Connection::Live).await;
    ana.end();
    // Written without a network, for a moment in the night.
    let thread = ana.ask_later("Which day?", &[kofi.joined.person], SystemClock.now() - TimeDelta::hours(1));
    ana.say(thread, "And which room?");
    ana.begin();
    eventually("Kofi has all of it", || kofi.texts(thread) == ["Which day?", "And which room?"]).await;
    eventually("it is sent", || ana.waiting() == 0 && moment(&ana, thread) == Some(None)).await;
    assert!(refused(&ana).is_empty());
    server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_that_is_a_day_off_lets_nothing_out() {
    let (_folder, server) = folder_and_server().await;
    let kofi = App::join(&server, "Kofi").await;
    let behind = App::join_with(&server, "Ana", TimeDelta::days(-1)).await;
    let ahead = App::join_with(&server, "Mei", TimeDelta::days(1)).await;
    // "Tomorrow morning" of a clock that is behind was this morning: nobody
    // can tell what is meant, so she is asked.
    let morning = behind.now() + TimeDelta::hours(20);
    let hers = behind.ask_later("Good morning", &[kofi.joined.person], morning);
    eventually("it comes back to her", || refused(&behind).len() == 2 && behind.waiting() == 0).await;
    assert_eq!(refused(&behind).last().unwrap(), "invalid", "the thread, and with it what is said in it");
    let kept: Vec<String> = behind.texts(hers);
    assert_eq!(kept, ["Good morning"], "with all she wrote");
    // Over by a clock that went ahead since it was written; not by the server's.
    let evening = SystemClock.now() + TimeDelta::hours(2);
    let late = ahead.ask_later("Good evening", &[kofi.joined.person], evening);
    eventually("it waits at the server", || moment(&ahead, late).flatten().is_some()).await;
    assert!(refused(&ahead).is_empty());
    // What is not to wait comes, those don't.
    let now = ahead.ask("At once", &[kofi.joined.person]);
    eventually("Kofi has it", || kofi.texts(now).len() == 1).await;
    assert!(kofi.item(hers).is_none() && kofi.item(late).is_none());
    server.stop().await.unwrap();
}
