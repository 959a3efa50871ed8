//! Several devices of one person at the real server, over TLS: their tokens,
//! closed circles, and random histories with wrong clocks, ends at any moment
//! and a server that restarts, or is put back from a backup.

use crate::put_back::put_back;
use crate::real::{App, eventually, folder_and_server, start};
use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use meantime_model::ItemId;
use meantime_protocol::http::InviteRequest;
use meantime_protocol::kinds::Role;
use meantime_protocol::{Invite, Kind, Scope};
use meantime_server::SystemClock;
use meantime_server_core::Clock as _;
use meantime_server_sqlite::upkeep::copy;
use meantime_store::{item, outbox, record, scope};
use meantime_sync::{HttpRemote, Remote as _, RemoteError, State, Token, TokenPlace};
use serde_json::json;
use std::path::Path;
use std::sync::{Arc, Mutex};
use uuid::Uuid;

/// A keyring that the test breaks.
#[derive(Default)]
pub struct Keyring {
    kept: Mutex<Vec<String>>,
    broken: Mutex<bool>,
}

impl Keyring {
    pub fn holding(token: &str) -> Arc<Self> {
        Arc::new(Self { kept: Mutex::new(vec![token.to_owned()]), ..Self::default() })
    }

    /// The oldest first; the last is in use.
    pub fn kept(&self) -> Vec<String> {
        self.kept.lock().unwrap().clone()
    }
}

#[async_trait]
impl TokenPlace for Keyring {
    async fn replace(&self, next: &Token, _: DateTime<Utc>) -> Result<(), String> {
        if *self.broken.lock().unwrap() {
            return Err("the keyring is locked".into());
        }
        self.kept.lock().unwrap().push(next.reveal().to_owned());
        Ok(())
    }

    async fn earlier(&self) -> Result<Vec<Token>, String> {
        Ok(self.kept.lock().unwrap().iter().rev().skip(1).map(|token| Token::new(token.clone())).collect())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_is_kept_before_the_one_before_is_given_up() {
    let (_folder, server) = folder_and_server().await;
    let request = InviteRequest { valid_hours: 1, role: Role::Member };
    let invite: Invite = server.invite(&request).await.unwrap().parse().unwrap();
    let joined = HttpRemote::join(&invite, "Ana", "laptop").await.unwrap();
    let with = |token: &str| HttpRemote::new(&invite.host, invite.ca, &Token::new(token.to_owned())).unwrap();
    let (ring, now) = (Arc::new(Keyring::default()), SystemClock.now());
    let remote = with(&joined.token).keeping(Arc::clone(&ring) as _, Some(now));

    remote.renew(now + TimeDelta::hours(23)).await.unwrap();
    assert!(ring.kept.lock().unwrap().is_empty(), "its day is not over");
    // Handed out and not kept: the one in use goes on, and is tried again in an hour.
    *ring.broken.lock().unwrap() = true;
    remote.renew(now + TimeDelta::hours(25)).await.unwrap();
    assert!(remote.me().await.is_ok() && with(&joined.token).me().await.is_ok());
    *ring.broken.lock().unwrap() = false;
    remote.renew(now + TimeDelta::minutes(25 * 60 + 30)).await.unwrap();
    assert!(ring.kept.lock().unwrap().is_empty(), "the server hands out few an hour");
    remote.renew(now + TimeDelta::hours(27)).await.unwrap();
    let kept = ring.kept.lock().unwrap().clone();
    assert_eq!(kept.len(), 1);
    // An end between "kept" and "used": what lies in the keyring is good, and so is the old one.
    assert!(with(&joined.token).me().await.is_ok());
    assert!(with(&kept[0]).me().await.is_ok());
    assert!(remote.me().await.is_ok(), "and this process uses the new one");
    // Ended: said as what it is, whatever is asked.
    let second = remote.device_link().await.unwrap().link.parse::<Invite>().unwrap();
    let second = HttpRemote::join(&second, "whoever", "desk").await.unwrap();
    assert_eq!(second.person, joined.person);
    with(&second.token).end_device(joined.device).await.unwrap();
    assert_eq!(remote.me().await.unwrap_err(), RemoteError::Unauthorized);
    server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_leaves_a_circle_keeps_nothing_of_it_but_their_own_unsent_words() {
    let (_folder, server) = folder_and_server().await;
    let (ana, kofi) = (App::join(&server, "Ana").await, App::join(&server, "Kofi").await);
    let circle = Uuid::now_v7();
    let scope = Scope::Private(circle);
    let members = |people: &[meantime_model::PersonId]| json!({ "members": people });
    let thread = ItemId::new();
    ana.put(scope, Kind::SPACE, circle, None, members(&[ana.joined.person, kofi.joined.person]));
    ana.put(
        scope,
        Kind::THREAD,
        thread.0,
        Some(thread),
        json!({"title": "Between us", "urgency": "yellow", "asked": [kofi.joined.person]}),
    );
    ana.put(scope, Kind::MESSAGE, Uuid::now_v7(), Some(thread), json!({"thread": thread.0, "text": "Well?"}));
    eventually("it arrives, in a feed of its own", || {
        kofi.item(thread).is_some_and(|i| i.circle == Some(circle) && i.asks_me)
    })
    .await;

    // Kofi types while he is taken out: nothing of it is lost, all else is gone.
    kofi.hold_back(scope, thread, "Precious words");
    ana.put(scope, Kind::SPACE, circle, None, members(&[ana.joined.person]));
    eventually("it is gone", || kofi.item(thread).is_none()).await;
    assert_eq!(kofi.store.read(|r| scope::get(r, scope)).unwrap(), None);
    assert!(kofi.store.read(|r| record::of_scope(r, scope)).unwrap().is_empty());
    let kept = kofi.store.read(outbox::refused).unwrap();
    assert_eq!(kept.iter().map(|entry| entry.op.text.as_str()).collect::<Vec<_>>(), ["Precious words"]);
    assert!(ana.item(thread).is_some(), "for who stays it stays");
    server.stop().await.unwrap();
}

/// A seed makes a history; `MEANTIME_SEED` plays one again.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 16).unwrap() % sides
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn devices_of_one_person_converge_whatever_happens() {
    let given = std::env::var("MEANTIME_SEED").ok().map(|seed| seed.parse().expect("a number"));
    let seeds = given.map_or_else(|| vec![1, 77, 4242], |seed| vec![seed]);
    for seed in seeds {
        println!("MEANTIME_SEED={seed}");
        history(seed).await;
    }
}

/// How often words were refused on a device.
fn refused(device: &App, text: &str) -> usize {
    let refused = device.store.read(outbox::refused).unwrap();
    refused.iter().filter(|entry| entry.op.text == text).count()
}

/// The newest backup.
fn keep(server: &Path, backup: &Path) {
    let _ = std::fs::remove_file(backup);
    copy(&server.join("server.db"), backup).unwrap();
}

async fn history(seed: u64) {
    let mut dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let (folder, mut server) = folder_and_server().await;
    let mei = App::join(&server, "Mei").await;
    // The same person three times, their clocks a day apart.
    let first = App::join_with(&server, "Ana", TimeDelta::zero()).await;
    let mut devices = vec![first];
    for skew in [TimeDelta::days(-1), TimeDelta::days(1)] {
        let link = devices[0].remote().device_link().await.unwrap().link;
        devices.push(App::enter(&link.parse().unwrap(), "Ana", skew).await);
    }
    let me = devices[0].joined.person;
    assert!(devices.iter().all(|device| device.joined.person == me));
    let threads: Vec<ItemId> = (0..4).map(|n| mei.ask(&format!("thread {n}"), &[me])).collect();
    for device in &devices {
        eventually("the threads are there", || threads.iter().all(|id| device.item(*id).is_some())).await;
    }

    let (circle, private) = mei.ask_in_private("between us", &[me]);
    let Scope::Private(id) = circle else { panic!("{circle:?}") };
    for device in &devices {
        eventually("the circle is there", || device.texts(private).len() == 1).await;
    }
    let members = |within: bool| {
        let members = [Some(mei.joined.person), within.then_some(me)];
        json!({ "members": members.into_iter().flatten().collect::<Vec<_>>() })
    };
    let (mut within, mut whispers, mut put_back_at) = (true, Vec::new(), 0);

    let (data, backup) = (folder.path().join("server"), folder.path().join("backup.db"));
    keep(&data, &backup);
    let mut said: Vec<(ItemId, String)> = Vec::new();
    for step in 0..90 {
        let device = dice.roll(devices.len());
        let thread = threads[dice.roll(threads.len())];
        match dice.roll(15) {
            0..=2 => {
                let text = format!("word {step}");
                devices[device].say(thread, &text);
                said.push((thread, text));
            }
            3..=4 => devices[device].mark(thread, json!({"read_at": SystemClock.now()})),
            5..=6 => devices[device].mark(thread, json!({"done_at": SystemClock.now()})),
            7 => devices[device].mark(thread, json!({"done_at": null, "muted": step % 2 == 0})),
            8 => {
                let until = SystemClock.now() + TimeDelta::hours(100 + step);
                devices[device].mark(thread, json!({"snoozed_until": until, "done_at": null}));
            }
            9 => devices[device].poison(),
            10 => {
                devices[device].end();
                devices[device].begin();
            }
            _ if step % 3 == 0 => {
                server.stop().await.unwrap();
                // Now and then another backup is made, or the last one put back.
                match dice.roll(3) {
                    0 => keep(&data, &backup),
                    1 => {
                        put_back(&data, &backup);
                        put_back_at = step;
                    }
                    _ => {}
                }
                server = start(&data).await;
            }
            12 => {
                within = !within;
                mei.put(circle, Kind::SPACE, id, None, members(within));
            }
            // Whoever does not see it has nowhere to write.
            13 if devices[device].item(private).is_some() => {
                let text = format!("whisper {step}");
                devices[device].say_in(circle, private, &text);
                whispers.push((Some(device), step, text));
            }
            14 => {
                let text = format!("whisper {step}");
                mei.say_in(circle, private, &text);
                whispers.push((None, step, text));
            }
            _ => {
                let text = format!("from Mei {step}");
                mei.say(thread, &text);
                said.push((thread, text));
            }
        }
    }
    // Who was taken out just when a backup was put back can't tell that from a
    // circle that is still to be brought back, and waits for it.
    mei.put(circle, Kind::SPACE, id, None, members(true));
    for device in devices.iter().chain([&mei]) {
        eventually("nothing waits", || device.waiting() == 0).await;
    }
    let rows = |app: &App, scope| app.store.read(|r| record::of_scope(r, scope)).unwrap();
    let whole = |scope| {
        let first = rows(&devices[0], scope);
        devices.iter().all(|device| rows(device, scope) == first)
    };
    eventually("all have the same records", || whole(devices[0].feed()) && whole(Scope::User(me))).await;
    eventually("Mei as well", || rows(&mei, mei.feed()) == rows(&devices[0], mei.feed())).await;
    eventually("the circle is theirs", || {
        let whole = rows(&mei, circle);
        whole.len() > 2 && devices.iter().all(|device| rows(device, circle) == whole)
    })
    .await;
    for (device, step, text) in &whispers {
        let times = || {
            let there = mei.texts(private).iter().filter(|known| *known == text).count();
            (there, device.map_or(0, |device| refused(&devices[device], text)))
        };
        // What a server has lost, who is out of the circle since can't bring back.
        if device.is_none() || *step > put_back_at {
            eventually(&format!("{text} to be there, or refused"), || times() != (0, 0)).await;
        }
        let (there, refused) = times();
        assert!(there <= 1 && refused <= 1, "{text} is there {there} times, and refused {refused} times");
    }
    assert_eq!(mei.store.read(outbox::refused).unwrap(), []);
    mei.put(circle, Kind::SPACE, id, None, members(false));
    for device in &devices {
        eventually("it is hers alone", || device.item(private).is_none() && rows(device, circle).is_empty()).await;
    }
    let shown = |device: &App, id: ItemId| {
        let item: item::Item = device.item(id).unwrap();
        (item.done, item.muted, item.unread, item.snoozed_until, device.texts(id))
    };
    for id in &threads {
        eventually("and show the same", || {
            let first = shown(&devices[0], *id);
            devices[1..].iter().all(|device| shown(device, *id) == first)
        })
        .await;
    }
    for (thread, text) in &said {
        let there = devices[0].texts(*thread).iter().filter(|known| *known == text).count();
        assert_eq!(there, 1, "{text} is there {there} times");
    }
    for device in &devices {
        let mut refused = device.store.read(outbox::refused).unwrap();
        refused.retain(|entry| !whispers.iter().any(|(.., text)| *text == entry.op.text));
        assert!(refused.iter().all(|entry| entry.op.what == "Poison"), "{refused:?}");
        assert_eq!(refused.len(), device.poisoned(), "each refusal is visible, once");
        let mut state = device.handle.state();
        state.wait_for(|state| *state == State::Live).await.unwrap();
    }
    server.stop().await.unwrap();
}
