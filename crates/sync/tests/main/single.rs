//! One device, one thing at a time.

use crate::device::{Device, now};
use crate::server::*;
use async_trait::async_trait;
use meantime_model::DeviceId;
use meantime_protocol::http::{BootstrapPage, Me, PullPage, PushRequest, PushResponse};
use meantime_protocol::{Cursor, Scope};
use meantime_sync::{Handle, OutgoingFile, Pokes, Remote, RemoteError, State, TransferError, Tuning};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use uuid::Uuid;

async fn until(handle: &Handle, what: impl FnMut(&State) -> bool) -> State {
    let mut state = handle.state();
    let seen = tokio::time::timeout(Duration::from_secs(10), state.wait_for(what)).await;
    seen.expect("in time").unwrap().clone()
}

async fn eventually(mut what: impl FnMut() -> bool) {
    for _ in 0..10_000 {
        if what() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    panic!("it did not happen in ten seconds");
}

#[tokio::test]
async fn offline_is_said_once_and_what_was_typed_goes_later() {
    let server = Server::new();
    let device = Device::new(&server, 10);
    *server.down.lock().unwrap() = true;
    device.write(TEAM, 1, "a", 7);
    let (syncer, handle) = device.syncer();
    let run = tokio::spawn(syncer.run(std::future::pending()));
    let state = until(&handle, |s| matches!(s, State::Offline { .. })).await;
    assert_eq!(state, State::Offline { since: now(), message: "the test cut the line".into() });
    *server.down.lock().unwrap() = false;
    until(&handle, |s| *s == State::Live).await;
    assert_eq!(server.state.lock().unwrap().effects.len(), 1);
    device.write(TEAM, 1, "b", 8);
    handle.nudge();
    eventually(|| device.disk.lock().unwrap().arrived.len() == 2).await;
    eventually(|| device.rows(TEAM).len() == 1).await;
    run.abort();
}

#[tokio::test]
async fn a_poison_op_first_and_a_hundred_good_ones_behind_it() {
    let server = Server::new();
    let device = Device::new(&server, 10);
    device.write(TEAM, 1, "poison", 0);
    device.write(TEAM, 1, "too large", 0);
    for n in 0..100 {
        device.write(TEAM, 2 + n, "a", 1);
    }
    let (syncer, handle) = device.syncer();
    let run = tokio::spawn(syncer.run(std::future::pending()));
    until(&handle, |s| *s == State::Live).await;
    eventually(|| device.rows(TEAM).len() == 100).await;
    let words: Vec<String> = device.disk.lock().unwrap().refused.iter().map(|r| r.1.clone()).collect();
    assert_eq!(words, ["no", "too large"]);
    run.abort();
}

#[tokio::test]
async fn usable_after_the_first_page_of_a_long_feed() {
    let server = Server::new();
    let writer = Device::new(&server, 10);
    for n in 0..50 {
        writer.write(TEAM, n, "a", 1);
    }
    for _ in 0..20 {
        writer.run_for(400).await;
    }
    assert_eq!(server.state.lock().unwrap().feeds[&TEAM].rows.len(), 50);
    let reader = Device::new(&server, 11);
    let (syncer, handle) = reader.syncer();
    let run = tokio::spawn(syncer.run(std::future::pending()));
    until(&handle, |s| *s == State::Live).await;
    assert!(reader.disk.lock().unwrap().first_page.unwrap() < 50);
    eventually(|| reader.rows(TEAM).len() == 50).await;
    run.abort();
}

/// What this device's person wrote is brought back by the store
/// ([`crate::put_back`]), which is not here; what goes is others'.
#[tokio::test]
async fn a_server_put_back_from_a_backup_is_read_anew_and_gets_what_waits() {
    let server = Server::new();
    let device = Device::new(&server, 10);
    let (syncer, handle) = device.syncer();
    let run = tokio::spawn(syncer.run(std::future::pending()));
    device.write(TEAM, 1, "a", 1);
    handle.nudge();
    eventually(|| device.rows(TEAM).len() == 1).await;
    let backup = server.state.lock().unwrap().clone();
    let other = Device::new(&server, 11);
    other.write(TEAM, 2, "a", 1);
    while other.disk.lock().unwrap().arrived.is_empty() {
        other.run_for(400).await;
    }
    eventually(|| device.rows(TEAM).len() == 2).await;
    *server.down.lock().unwrap() = true;
    device.write(TEAM, 3, "a", 1);
    server.restore(&backup);
    *server.down.lock().unwrap() = false;
    eventually(|| {
        let rows = device.rows(TEAM);
        rows.len() == 2 && rows.keys().any(|(_, id)| *id == Uuid::from_u128(3))
    })
    .await;
    run.abort();
}

#[tokio::test]
async fn a_lost_poke_is_made_good_by_the_slow_poll() {
    let server = Server::new();
    let device = Device::new(&server, 10);
    let (syncer, handle) = device.syncer();
    let run = tokio::spawn(syncer.run(std::future::pending()));
    until(&handle, |s| *s == State::Live).await;
    // Changed behind the stream's back.
    let other = Device::new(&server, 11);
    other.write(TEAM, 9, "a", 1);
    let op = {
        let mut op = other.disk.lock().unwrap().outbox.remove(0);
        op.n = 1;
        op
    };
    server.state.lock().unwrap().take(other.id, &op);
    eventually(|| device.rows(TEAM).len() == 1).await;
    run.abort();
}

/// A server that answers what it should not.
struct Odd(Arc<Line>, fn(&Line) -> RemoteError);

#[async_trait]
impl Remote for Odd {
    async fn me(&self) -> Result<Me, RemoteError> {
        Err((self.1)(&self.0))
    }
    async fn push(&self, request: &PushRequest) -> Result<PushResponse, RemoteError> {
        self.0.push(request).await
    }
    async fn pull(&self, scope: Scope, cursor: Cursor) -> Result<PullPage, RemoteError> {
        self.0.pull(scope, cursor).await
    }
    async fn bootstrap(&self, scope: Scope, page: Option<&str>) -> Result<BootstrapPage, RemoteError> {
        self.0.bootstrap(scope, page).await
    }
    async fn send_file(&self, file: &OutgoingFile) -> Result<(), TransferError> {
        self.0.send_file(file).await
    }
    async fn live(&self) -> Result<Pokes, RemoteError> {
        self.0.live().await
    }
}

#[tokio::test]
async fn refusals_wait_for_the_person_in_plain_words() {
    for (error, words) in [
        (RemoteError::Unauthorized, "Sign in again"),
        (RemoteError::Certificate("h:1 may not be your team's server".into()), "may not be your team's server"),
        (RemoteError::Version("update Meantime".into()), "update Meantime"),
    ] {
        assert!(error.is_final());
        assert!(error.to_string().contains(words), "{error}");
    }
    type Answer = fn(&Line) -> RemoteError;
    let refused: [(Answer, bool, &str); 2] = [
        (|_| RemoteError::Unauthorized, true, "signed out of the team"),
        (|_| RemoteError::Version("update Meantime".into()), false, "update Meantime"),
    ];
    for (error, is_signed_out, words) in refused {
        let server = Server::new();
        let device = Device::new(&server, 10);
        device.write(TEAM, 1, "a", 1);
        let odd = Odd(Arc::clone(&device.line), error);
        let log = Arc::new(crate::device::Stored(Arc::clone(&device.disk)));
        let (syncer, handle) =
            meantime_sync::Syncer::new(log, Arc::new(odd), DeviceId(Uuid::nil()), now, crate::device::QUICK);
        let run = tokio::spawn(syncer.run(std::future::pending()));
        let state = until(&handle, |s| matches!(s, State::Refused { .. })).await;
        assert!(
            matches!(&state, State::Refused { message, signed_out } if message.contains(words) && *signed_out == is_signed_out),
            "{state:?}"
        );
        assert_eq!(device.disk.lock().unwrap().outbox.len(), 1, "what was typed is kept");
        run.abort();
    }
}

/// Fails with an error until it is mended.
struct Mended {
    line: Arc<Line>,
    error: RemoteError,
    is: AtomicBool,
}

#[async_trait]
impl Remote for Mended {
    async fn me(&self) -> Result<Me, RemoteError> {
        self.line.me().await
    }
    async fn push(&self, request: &PushRequest) -> Result<PushResponse, RemoteError> {
        self.line.push(request).await
    }
    async fn pull(&self, scope: Scope, cursor: Cursor) -> Result<PullPage, RemoteError> {
        self.line.pull(scope, cursor).await
    }
    async fn bootstrap(&self, scope: Scope, page: Option<&str>) -> Result<BootstrapPage, RemoteError> {
        self.line.bootstrap(scope, page).await
    }
    async fn send_file(&self, file: &OutgoingFile) -> Result<(), TransferError> {
        self.line.send_file(file).await
    }
    async fn live(&self) -> Result<Pokes, RemoteError> {
        if self.is.load(Ordering::Relaxed) { self.line.live().await } else { Err(self.error.clone()) }
    }
}

#[tokio::test]
async fn an_app_comes_back_by_itself_however_long_it_took() {
    let usual = Tuning::default();
    assert!(usual.refused <= Duration::from_secs(60), "a key that is right again is seen within a minute");
    assert!(usual.longest_retry <= Duration::from_secs(30), "a server that is back, within half of one");
    let quick = Duration::from_millis(20);
    let tuning = Tuning { first_retry: quick / 20, longest_retry: quick, refused: quick, ..usual };
    for error in [RemoteError::Certificate("not your team's server".into()), RemoteError::Offline("away".into())] {
        let server = Server::new();
        let device = Device::new(&server, 10);
        let log = Arc::new(crate::device::Stored(Arc::clone(&device.disk)));
        let remote = Arc::new(Mended { line: Arc::clone(&device.line), error, is: AtomicBool::new(false) });
        let (syncer, handle) = meantime_sync::Syncer::new(log, Arc::clone(&remote) as _, device.id, now, tuning);
        let run = tokio::spawn(syncer.run(std::future::pending()));
        until(&handle, |state| !matches!(state, State::Connecting)).await;
        let mut news = handle.state();
        news.mark_unchanged();
        tokio::time::sleep(quick * 10).await;
        assert!(!news.has_changed().unwrap(), "the same again is no news");
        remote.is.store(true, Ordering::Relaxed);
        until(&handle, |state| *state == State::Live).await;
        run.abort();
    }
}

#[tokio::test]
async fn another_devices_token_is_not_used() {
    let server = Server::new();
    let device = Device::new(&server, 10);
    device.write(TEAM, 1, "a", 1);
    let log = Arc::new(crate::device::Stored(Arc::clone(&device.disk)));
    let (syncer, handle) = meantime_sync::Syncer::new(
        log,
        Arc::clone(&device.line) as _,
        DeviceId(Uuid::nil()),
        now,
        crate::device::QUICK,
    );
    let run = tokio::spawn(syncer.run(std::future::pending()));
    until(&handle, |s| matches!(s, State::Refused { .. })).await;
    assert_eq!(device.line.calls.lock().unwrap().get("push"), None);
    run.abort();
}
