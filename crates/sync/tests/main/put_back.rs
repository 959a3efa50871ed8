//! A server that is put back from a backup: what was taken since then comes
//! back from the apps, and a device whose token is newer than the backup is
//! known by the one it had then.

use crate::real::{App, eventually, folder_and_server, start};
use crate::several::Keyring;
use async_trait::async_trait;
use chrono::TimeDelta;
use meantime_protocol::http::{BootstrapPage, InviteRequest, Me, PullPage, PushRequest, PushResponse};
use meantime_protocol::kinds::Role;
use meantime_protocol::{Cursor, Invite, Kind, Scope};
use meantime_server::SystemClock;
use meantime_server::data::new_epoch;
use meantime_server_core::Clock as _;
use meantime_server_sqlite::upkeep::{begin_life, copy};
use meantime_store::{outbox, record, team};
use meantime_sync::{
    HttpRemote, OutgoingFile, Pokes, Remote, RemoteError, State, Token, TokenPlace as _, TransferError,
};
use serde_json::json;
use std::path::Path;
use std::sync::Arc;
use tokio::sync::watch;
use uuid::Uuid;

/// Puts a copy in place of the server's database, as another life of it.
pub fn put_back(server: &Path, backup: &Path) {
    for file in ["server.db-wal", "server.db-shm"] {
        let _ = std::fs::remove_file(server.join(file));
    }
    // Another file of the same name: a connection that is still being closed
    // writes to the one before.
    std::fs::copy(backup, server.join("restored.db")).unwrap();
    std::fs::rename(server.join("restored.db"), server.join("server.db")).unwrap();
    begin_life(&server.join("server.db"), new_epoch().unwrap()).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_taken_since_the_backup_comes_back_from_whoever_wrote_it() {
    let (folder, server) = folder_and_server().await;
    let (data, backup) = (folder.path().join("server"), folder.path().join("backup.db"));
    let kofi = App::join(&server, "Kofi").await;
    let request = InviteRequest { valid_hours: 1, role: Role::Member };
    let invite: Invite = server.invite(&request).await.unwrap().parse().unwrap();
    let mut ana = App::installed(&invite, HttpRemote::join(&invite, "Ana", "laptop").await.unwrap(), TimeDelta::zero());
    let (ring, now) = (Keyring::holding(&ana.joined.token), SystemClock.now());
    let remote = Arc::new(ana.remote().keeping(Arc::clone(&ring) as _, Some(now)));
    ana.begin_through(|log, _| (log, Arc::clone(&remote) as _));

    let thread = ana.ask("Which day?", &[kofi.joined.person]);
    eventually("Kofi has it", || kofi.texts(thread).len() == 1).await;
    copy(&data.join("server.db"), &backup).unwrap();

    // Two days on: two tokens later, and words that the backup does not know.
    let mut newer = Vec::new();
    for day in [1, 2] {
        remote.renew(now + TimeDelta::hours(25 * day)).await.unwrap();
        remote.me().await.unwrap();
        newer.extend(ring.kept().pop());
    }
    ana.say(thread, "Written after the backup.");
    ana.mark(thread, json!({ "done_at": now }));
    kofi.say(thread, "And answered.");
    eventually("all is taken", || ana.waiting() == 0 && kofi.waiting() == 0 && ana.texts(thread).len() == 3).await;
    server.stop().await.unwrap();
    put_back(&data, &backup);
    // Written while it was away.
    ana.say(thread, "Is it back?");

    let server = start(&data).await;
    eventually("it is live again", || *ana.handle.state().borrow() == State::Live && ana.waiting() == 0).await;
    let mut words = Vec::new();
    for app in [&ana, &kofi] {
        eventually("all of it is there", || app.texts(thread).len() == 4).await;
        words.push(app.texts(thread));
    }
    assert_eq!(words[0], words[1], "in the same order");
    let rows = |app: &App, scope| app.store.read(|r| record::of_scope(r, scope)).unwrap();
    eventually("the same rows", || rows(&ana, ana.feed()) == rows(&kofi, kofi.feed())).await;
    let mine = Scope::User(ana.joined.person);
    eventually("my own marks as well", || rows(&ana, mine).iter().any(|row| row.id == thread.0)).await;
    assert_eq!(ana.store.read(outbox::refused).unwrap(), [], "nothing was refused");
    // A newcomer gets it from the server.
    let mei = App::join(&server, "Mei").await;
    eventually("she has it", || mei.texts(thread) == words[0]).await;

    // It was known by the token of that day, and has a new one since.
    eventually("a token that this server made", || ring.kept().len() == 4).await;
    let kept = ring.kept();
    assert_eq!(kept[..3], [vec![ana.joined.token.clone()], newer].concat(), "those before are kept");
    let with = |token: &str| HttpRemote::new(&invite.host, invite.ca, &Token::new(token.to_owned())).unwrap();
    assert!(with(&kept[3]).me().await.is_ok());
    server.stop().await.unwrap();
}

/// The operator errs: a backup from before this device, then one that is too
/// old, and then the right one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_backup_before_the_right_one_locks_nobody_out() {
    let (folder, server) = folder_and_server().await;
    let data = folder.path().join("server");
    let keep = |name: &str| {
        let backup = folder.path().join(name);
        copy(&data.join("server.db"), &backup).unwrap();
        backup
    };
    let nobody = keep("nobody.db");
    let request = InviteRequest { valid_hours: 1, role: Role::Member };
    let invite: Invite = server.invite(&request).await.unwrap().parse().unwrap();
    let mut ana = App::installed(&invite, HttpRemote::join(&invite, "Ana", "laptop").await.unwrap(), TimeDelta::zero());
    let (ring, now) = (Keyring::holding(&ana.joined.token), SystemClock.now());
    let remote = Arc::new(ana.remote().keeping(Arc::clone(&ring) as _, Some(now)));
    ana.begin_through(|log, _| (log, Arc::clone(&remote) as _));
    let thread = ana.ask("Which day?", &[]);
    eventually("it is taken", || ana.waiting() == 0).await;
    let renew = async |day: i32| {
        remote.renew(now + TimeDelta::hours(25) * day).await.unwrap();
        remote.me().await.unwrap();
    };
    let old = keep("old.db");
    renew(1).await;
    let right = keep("right.db");
    renew(2).await;

    let mut server = server;
    for (backup, knows) in [(nobody, false), (old, true), (right, true)] {
        server.stop().await.unwrap();
        put_back(&data, &backup);
        let tokens = ring.kept().len();
        server = start(&data).await;
        ana.handle.sync_now();
        let as_told = |state: &State| match state {
            State::Live => knows,
            State::Refused { signed_out, .. } => *signed_out && !knows,
            _ => false,
        };
        eventually(&format!("{backup:?} to be found out"), || as_told(&ana.handle.state().borrow())).await;
        if knows {
            ana.say(thread, &format!("{backup:?}"));
            eventually("it is taken", || ana.waiting() == 0 && as_told(&ana.handle.state().borrow())).await;
            eventually("the next token", || ring.kept().len() > tokens).await;
        }
    }
    assert_eq!(ana.texts(thread).len(), 3);
    assert_eq!(ana.store.read(outbox::refused).unwrap(), []);
    server.stop().await.unwrap();
}

/// A way to the server that keeps pushes waiting for a while.
struct Gated {
    side: Arc<dyn Remote>,
    gate: watch::Receiver<bool>,
}

#[async_trait]
impl Remote for Gated {
    async fn me(&self) -> Result<Me, RemoteError> {
        self.side.me().await
    }
    async fn push(&self, request: &PushRequest) -> Result<PushResponse, RemoteError> {
        self.gate.clone().wait_for(|open| *open).await.unwrap();
        self.side.push(request).await
    }
    async fn pull(&self, scope: Scope, cursor: Cursor) -> Result<PullPage, RemoteError> {
        self.side.pull(scope, cursor).await
    }
    async fn bootstrap(&self, scope: Scope, page: Option<&str>) -> Result<BootstrapPage, RemoteError> {
        self.side.bootstrap(scope, page).await
    }
    async fn send_file(&self, file: &OutgoingFile) -> Result<(), TransferError> {
        self.side.send_file(file).await
    }
    async fn live(&self) -> Result<Pokes, RemoteError> {
        self.side.live().await
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_two_devices_send_again_meets_and_only_what_differs_is_asked_about() {
    let (folder, server) = folder_and_server().await;
    let (data, backup) = (folder.path().join("server"), folder.path().join("backup.db"));
    let mut laptop = App::join(&server, "Ana").await;
    let link = laptop.remote().device_link().await.unwrap().link;
    let mut phone = App::enter(&link.parse().unwrap(), "Ana", TimeDelta::zero()).await;
    let (thread, answer) = (laptop.ask("Which day?", &[]), Uuid::now_v7());
    let write = |fields| laptop.put(laptop.feed(), Kind::MESSAGE, answer, Some(thread), fields);
    write(json!({"thread": thread.0, "text": "Monday."}));
    eventually("both have it", || laptop.waiting() == 0 && phone.texts(thread) == ["Which day?", "Monday."]).await;
    copy(&data.join("server.db"), &backup).unwrap();
    write(json!({"text": "Tuesday."}));
    laptop.say(thread, "Any room.");
    let all = ["Which day?", "Tuesday.", "Any room."];
    eventually("both have all", || laptop.waiting() == 0 && phone.texts(thread) == all).await;
    laptop.end();
    phone.end();
    server.stop().await.unwrap();
    put_back(&data, &backup);

    // Both find it lost; the laptop is quicker, and goes on.
    let server = start(&data).await;
    let (open, gate) = watch::channel(false);
    phone.begin_through(|log, side| (log, Arc::new(Gated { side, gate })));
    eventually("the phone wants to send it again", || phone.waiting() == 2).await;
    laptop.begin();
    eventually("the laptop has", || laptop.texts(thread) == all && laptop.waiting() == 0).await;
    laptop.put(laptop.feed(), Kind::MESSAGE, answer, Some(thread), json!({"text": "Wednesday."}));
    eventually("and went on", || laptop.waiting() == 0).await;
    open.send_replace(true);

    let gone_on = ["Which day?", "Wednesday.", "Any room."];
    eventually("the phone has what stands there", || phone.waiting() == 0 && phone.texts(thread) == gone_on).await;
    let refused = phone.store.read(outbox::refused).unwrap();
    let [conflict] = refused.as_slice() else { panic!("{refused:?}") };
    assert!(matches!(&conflict.state, outbox::State::Refused { code, .. } if code == "conflict"), "{conflict:?}");
    let present = phone.store.read(|r| team::met(r, conflict.id)).unwrap().unwrap();
    assert_eq!((conflict.op.text.as_str(), &present.fields["text"]), ("Tuesday.", &json!("Wednesday.")));
    assert_eq!(laptop.store.read(outbox::refused).unwrap(), []);

    // Having seen both she wants hers.
    phone.retry(conflict.id);
    eventually("everybody has it", || laptop.texts(thread) == all && phone.texts(thread) == all).await;
    assert_eq!(phone.store.read(outbox::refused).unwrap(), []);
    server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_device_that_was_ended_stays_ended_whatever_tokens_it_kept() {
    let (_folder, server) = folder_and_server().await;
    let ana = App::join(&server, "Ana").await;
    let (ring, now) = (Keyring::holding(&ana.joined.token), SystemClock.now());
    let remote = ana.remote().keeping(Arc::clone(&ring) as _, Some(now));
    remote.renew(now + TimeDelta::hours(25)).await.unwrap();
    remote.me().await.unwrap();
    assert_eq!(ring.earlier().await.unwrap().len(), 1);

    let second = remote.device_link().await.unwrap().link.parse::<Invite>().unwrap();
    let desk = HttpRemote::join(&second, "whoever", "desk").await.unwrap();
    let desk = HttpRemote::new(&second.host, second.ca, &Token::new(desk.token)).unwrap();
    desk.end_device(ana.joined.device).await.unwrap();
    for _ in 0..2 {
        assert_eq!(remote.live().await.err(), Some(RemoteError::Unauthorized));
    }
    assert!(desk.me().await.is_ok(), "and her other device is not touched");
    server.stop().await.unwrap();
}
