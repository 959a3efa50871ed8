//! Changes that the server refuses stand in nobody's way: the app's own store
//! and the real server, over TLS.

use crate::real::{App, eventually, folder_and_server};
use chrono::TimeDelta;
use meantime_protocol::http::InviteRequest;
use meantime_protocol::kinds::Role;
use meantime_protocol::{Invite, MAX_BODY_BYTES};
use meantime_store::outbox::{self, Target};
use meantime_sync::HttpRemote;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_good_ones_stand_behind_what_is_refused() {
    let (_folder, server) = folder_and_server().await;
    let kofi = App::join(&server, "Kofi").await;
    let request = InviteRequest { valid_hours: 1, role: Role::Member };
    let invite: Invite = server.invite(&request).await.unwrap().parse().unwrap();
    let joined = HttpRemote::join(&invite, "Ana", "laptop").await.unwrap();
    let mut ana = App::installed(&invite, joined, TimeDelta::zero());

    // What nobody may; and more than a record, and than a request, may hold.
    ana.poison();
    let thread = ana.ask("Which day?", &[kofi.joined.person]);
    let sizes = [300 << 10, MAX_BODY_BYTES + 1];
    for bytes in sizes {
        ana.say(thread, &"x".repeat(bytes));
    }
    let good: Vec<String> = (2..100).map(|n| format!("word {n}")).collect();
    for text in &good {
        ana.say(thread, text);
    }
    ana.begin();

    let mut texts = vec!["Which day?".to_owned()];
    texts.extend(good);
    eventually("nothing waits", || ana.waiting() == 0).await;
    eventually("all good ones arrive, in their order", || kofi.texts(thread) == texts).await;
    let refused = ana.store.read(outbox::refused).unwrap();
    let kept = |entry: &outbox::Entry| match &entry.op.target {
        Target::Record { change, .. } => change.fields.get("text").and_then(|text| text.as_str()).map(str::len),
        Target::Source(_) => None,
    };
    // The newest first, each once, with all that was typed.
    assert_eq!(refused.iter().map(kept).collect::<Vec<_>>(), [Some(sizes[1]), Some(sizes[0]), None]);
    assert_eq!(refused[2].op.what, "Poison");
    server.stop().await.unwrap();
}
