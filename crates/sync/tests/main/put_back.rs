//! A server that is put back from a backup: what was taken since then comes
//! back from the apps, and a device whose token is newer than the backup is
//! known by the one it had then.

use crate::real::{App, eventually, folder_and_server, start};
use crate::several::Keyring;
use chrono::TimeDelta;
use meantime_protocol::http::InviteRequest;
use meantime_protocol::kinds::Role;
use meantime_protocol::{Invite, Scope};
use meantime_server::SystemClock;
use meantime_server::data::new_epoch;
use meantime_server_core::Clock as _;
use meantime_server_sqlite::upkeep::{begin_life, copy};
use meantime_store::{outbox, record};
use meantime_sync::{HttpRemote, Remote as _, RemoteError, State, Token, TokenPlace as _};
use serde_json::json;
use std::path::Path;
use std::sync::Arc;

/// Puts a copy in place of the server's database, as another life of it.
fn put_back(server: &Path, backup: &Path) {
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

    let kept = ring.kept();
    assert_eq!(kept[0], ana.joined.token, "the token of that day");
    assert!(newer.iter().all(|token| !kept.contains(token)), "and none that the server does not know");
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
    assert_eq!(remote.live().await.err(), Some(RemoteError::Unauthorized));
    assert_eq!(ring.earlier().await.unwrap().len(), 0, "those before are of no use to anybody");
    assert!(desk.me().await.is_ok(), "and her other device is not touched");
    server.stop().await.unwrap();
}
