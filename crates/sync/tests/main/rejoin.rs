//! A server that is put back from a backup does not know devices and people
//! that came after it. They are signed out, join again, and nothing that they
//! or anybody else had written since is lost.

use crate::put_back::put_back;
use crate::real::{App, eventually, folder_and_server, start};
use chrono::TimeDelta;
use meantime_model::ItemId;
use meantime_protocol::http::InviteRequest;
use meantime_protocol::kinds::Role;
use meantime_protocol::{Invite, Kind, Scope};
use meantime_server::Running;
use meantime_server_sqlite::upkeep::copy;
use meantime_store::{outbox, record, scope, team};
use meantime_sync::{HttpRemote, State};
use serde_json::json;
use uuid::Uuid;

async fn invite(server: &Running) -> Invite {
    let request = InviteRequest { valid_hours: 1, role: Role::Member };
    server.invite(&request).await.unwrap().parse().unwrap()
}

async fn signed_out(app: &App) {
    let out = |state: &State| matches!(state, State::Refused { signed_out: true, .. });
    eventually("it is signed out", || out(&app.handle.state().borrow())).await;
}

async fn all_sent(apps: &[&App]) {
    eventually("nothing waits", || apps.iter().all(|app| app.waiting() == 0)).await;
}

fn sorted(app: &App, thread: ItemId) -> Vec<String> {
    let mut texts = app.texts(thread);
    texts.sort();
    texts
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_came_after_the_backup_brings_everything_with_them() {
    let (folder, server) = folder_and_server().await;
    let (data, backup) = (folder.path().join("server"), folder.path().join("backup.db"));
    let (ana, bob) = (App::join(&server, "Ana").await, App::join(&server, "Bob").await);
    let old = ana.ask("From before", &[bob.joined.person]);
    eventually("Bob has it", || bob.texts(old).len() == 1).await;
    copy(&data.join("server.db"), &backup).unwrap();

    // After the backup: somebody new, and a new device of somebody who is known.
    let mut eve = App::join(&server, "Eve").await;
    let link: Invite = bob.remote().device_link().await.unwrap().link.parse().unwrap();
    let mut desk = App::enter(&link, "Bob", TimeDelta::zero()).await;
    eventually("they have all", || eve.texts(old).len() == 1 && desk.texts(old).len() == 1).await;
    let (of_eve, of_desk) = (eve.ask("By Eve", &[ana.joined.person]), desk.ask("By Bob", &[]));
    let of_ana = ana.ask("By Ana", &[eve.joined.person]);
    let (circle, private) = eve.ask_in_private("Between us", &[ana.joined.person]);
    let threads = [old, of_eve, of_desk, of_ana];
    let apps = [&ana, &bob, &eve, &desk];
    let have = |n| threads.iter().all(|thread| apps.iter().all(|app| app.texts(*thread).len() == n));
    eventually("everybody has a thread of everybody", || have(1) && ana.texts(private).len() == 1).await;
    for thread in threads {
        for (app, name) in [(&ana, "Ana"), (&bob, "Bob"), (&eve, "Eve"), (&desk, "Bob's desk")] {
            app.say(thread, &format!("{name} answers."));
        }
    }
    ana.say_in(circle, private, "Ana whispers.");
    all_sent(&apps).await;
    eventually("all have all", || have(5)).await;
    eventually("and what is private", || eve.texts(private).len() == 2).await;
    let before: Vec<_> = threads.iter().map(|thread| sorted(&ana, *thread)).collect();

    server.stop().await.unwrap();
    put_back(&data, &backup);
    ana.say(of_ana, "Ana, while it was away.");
    let server = start(&data).await;
    signed_out(&eve).await;
    signed_out(&desk).await;
    eve.say(of_eve, "Eve, signed out.");
    let (new_circle, new_private) = eve.ask_in_private("Signed out, between us", &[ana.joined.person]);
    assert_eq!(sorted(&eve, of_eve).len(), 6);
    // What waits for Eve to come back stays where it was, in sight.
    eventually("Ana is through", || {
        *ana.handle.state().borrow() == State::Live && ana.texts(of_eve) == ["Ana answers."]
    })
    .await;
    assert!(ana.waiting() > 0 && ana.texts(private).len() == 2);
    eventually("hers is there", || bob.texts(of_ana).contains(&"Ana, while it was away.".to_owned())).await;

    // A link for who is known there, an invite for who is not.
    let link: Invite = bob.remote().device_link().await.unwrap().link.parse().unwrap();
    let joined = HttpRemote::join(&link, "Bob", "desk").await.unwrap();
    assert_eq!(joined.person, desk.joined.person);
    desk.rejoin(&link, joined);
    let again = invite(&server).await;
    let joined = HttpRemote::join(&again, "Eve", "laptop").await.unwrap();
    assert_ne!(joined.person, eve.joined.person, "the server knows no Eve");
    eve.rejoin(&again, joined);

    let mut wanted = before;
    wanted[1].push("Eve, signed out.".into());
    wanted[3].push("Ana, while it was away.".into());
    wanted.iter_mut().for_each(|texts| texts.sort());
    let apps = [&ana, &bob, &eve, &desk];
    for (thread, texts) in threads.iter().zip(&wanted) {
        for app in apps {
            eventually("all of it is there again", || sorted(app, *thread) == *texts).await;
        }
    }
    all_sent(&apps).await;
    // Ana knows nobody of this id: she is asked before her words go to them.
    let asked = || ana.store.read(outbox::refused).unwrap();
    eventually("she is asked", || asked().iter().map(|entry| entry.op.text.as_str()).eq(["Ana whispers."])).await;
    ana.retry(asked()[0].id);
    for app in [&ana, &eve] {
        eventually("and what is private", || sorted(app, private) == ["Ana whispers.", "Between us"]).await;
    }
    let rows = |app: &App, scope| app.store.read(|r| record::of_scope(r, scope)).unwrap();
    eventually("the same rows", || apps.iter().all(|app| rows(app, app.feed()) == rows(&ana, ana.feed()))).await;
    eventually("a circle of then arrives", || ana.texts(new_private) == ["Signed out, between us"]).await;
    for circle in [circle, new_circle] {
        eventually("in the circles too", || rows(&eve, circle) == rows(&ana, circle)).await;
    }
    let author = |id: ItemId| rows(&ana, ana.feed()).into_iter().find(|row| row.id == id.0).unwrap().author;
    assert_eq!((author(of_eve), author(of_desk)), (eve.joined.person, bob.joined.person));
    for app in apps {
        assert_eq!(app.store.read(outbox::refused).unwrap(), [], "nothing was refused");
    }
    // A newcomer gets it from the server.
    let mei = App::join(&server, "Mei").await;
    eventually("she has it", || threads.iter().zip(&wanted).all(|(t, texts)| sorted(&mei, *t) == *texts)).await;
    server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn joining_again_where_nothing_was_lost_sends_nothing_again() {
    let (_folder, server) = folder_and_server().await;
    let (ana, mut kofi) = (App::join(&server, "Ana").await, App::join(&server, "Kofi").await);
    let (thread, gone) = (kofi.ask("Stays", &[]), kofi.ask("Goes", &[]));
    eventually("Ana has both", || ana.item(thread).is_some() && ana.item(gone).is_some()).await;
    let link: Invite = kofi.remote().device_link().await.unwrap().link.parse().unwrap();
    let phone = App::enter(&link, "Kofi", TimeDelta::zero()).await;
    eventually("the phone too", || phone.item(gone).is_some()).await;
    all_sent(&[&kofi]).await;
    phone.remote().end_device(kofi.joined.device).await.unwrap();
    signed_out(&kofi).await;
    // Meanwhile it is deleted on the other device.
    phone.delete(phone.feed(), Kind::THREAD, gone.0);
    eventually("it is gone", || ana.item(gone).is_none()).await;
    kofi.say(thread, "Typed meanwhile.");

    let link: Invite = phone.remote().device_link().await.unwrap().link.parse().unwrap();
    kofi.rejoin(&link, HttpRemote::join(&link, "Kofi", "laptop").await.unwrap());
    eventually("what was typed arrives", || ana.texts(thread).len() == 2 && kofi.waiting() == 0).await;
    eventually("what was deleted is", || kofi.item(gone).is_none()).await;
    assert_eq!(kofi.store.read(outbox::refused).unwrap(), []);
    assert!(ana.item(gone).is_none());
    server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_person_keeps_the_words_of_who_they_were() {
    let (folder, server) = folder_and_server().await;
    let (data, backup) = (folder.path().join("server"), folder.path().join("backup.db"));
    let (ana, mut eve) = (App::join(&server, "Ana").await, App::join(&server, "Eve").await);
    let (thread, words) = (eve.ask("Which day?", &[]), Uuid::now_v7());
    let write = |app: &App, fields| app.put(app.feed(), Kind::MESSAGE, words, Some(thread), fields);
    write(&eve, json!({"thread": thread.0, "text": "Monday."}));
    eventually("Ana has it", || ana.texts(thread).len() == 2 && eve.waiting() == 0).await;
    copy(&data.join("server.db"), &backup).unwrap();
    write(&eve, json!({"text": "Tuesday."}));
    eve.say(thread, "Any room.");
    eventually("all have it", || ana.texts(thread).contains(&"Any room.".to_owned()) && eve.waiting() == 0).await;
    eventually("she too", || {
        eve.store.read(|r| record::get(r, &Kind::MESSAGE, words)).unwrap().unwrap().fields["text"] == "Tuesday."
    })
    .await;
    server.stop().await.unwrap();
    put_back(&data, &backup);
    let server = start(&data).await;
    // Nobody made a link for her: an invite makes her somebody else.
    let again = invite(&server).await;
    eve.rejoin(&again, HttpRemote::join(&again, "Eve", "laptop").await.unwrap());
    eventually("what is nobody's there is hers", || ana.texts(thread) == ["Which day?", "Monday.", "Any room."]).await;
    eventually("what is another's can't be changed", || eve.store.read(outbox::refused).unwrap().len() == 1).await;
    let refused = eve.store.read(outbox::refused).unwrap();
    assert_eq!(refused[0].op.text, "Tuesday.", "the words are kept");
    assert_eq!(eve.store.read(|r| team::met(r, refused[0].id)).unwrap(), None, "it is no conflict");
    server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_circle_stays_until_whoever_made_it_is_back() {
    let (folder, server) = folder_and_server().await;
    let (data, backup) = (folder.path().join("server"), folder.path().join("backup.db"));
    let (mut ana, kofi) = (App::join(&server, "Ana").await, App::join(&server, "Kofi").await);
    copy(&data.join("server.db"), &backup).unwrap();
    let (circle, thread) = ana.ask_in_private("Between us", &[kofi.joined.person]);
    eventually("it arrives", || kofi.texts(thread).len() == 1).await;
    kofi.say_in(circle, thread, "Well?");
    eventually("both have it", || ana.texts(thread).len() == 2 && kofi.waiting() == 0).await;
    ana.end();
    server.stop().await.unwrap();
    put_back(&data, &backup);
    let server = start(&data).await;
    let lost = |app: &App| app.store.read(|r| scope::get(r, circle)).unwrap().is_some_and(|feed| feed.lost);
    eventually("Kofi finds it lost", || lost(&kofi) && *kofi.handle.state().borrow() == State::Live).await;
    kofi.say_in(circle, thread, "Are you there?");
    // Another connection finds it lost as well.
    kofi.handle.sync_now();
    let public = kofi.ask("For everybody", &[]);
    eventually("he goes on", || kofi.waiting() == 1).await;
    assert_eq!(kofi.texts(thread), ["Between us", "Well?", "Are you there?"]);

    ana.begin();
    for app in [&ana, &kofi] {
        eventually("all of it is there", || sorted(app, thread) == ["Are you there?", "Between us", "Well?"]).await;
        eventually("also this", || app.item(public).is_some() && app.waiting() == 0 && !lost(app)).await;
        assert_eq!(app.store.read(outbox::refused).unwrap(), []);
    }
    assert_eq!(kofi.store.read(|r| team::circle_members(r, uuid_of(circle))).unwrap().len(), 2);

    // Who is taken out afterwards keeps nothing, as ever.
    let members = json!({ "members": [ana.joined.person] });
    ana.put(circle, Kind::SPACE, uuid_of(circle), None, members);
    eventually("it is gone", || kofi.item(thread).is_none()).await;
    server.stop().await.unwrap();
}

fn uuid_of(circle: Scope) -> Uuid {
    match circle {
        Scope::Private(id) => id,
        other => panic!("{other} is no circle"),
    }
}
