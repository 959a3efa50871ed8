//! Devices: known by tokens that follow each other, listed, ended.

use super::world::{World, join};
use crate::limits::{DEVICES_PER_PERSON, INVITES_PER_PERSON, REQUESTS_AT_ONCE, STREAMS_PER_DEVICE, TOKENS_PER_HOUR};
use crate::{By, Ended, Storage, TeamScope};
use chrono::TimeDelta;
use meantime_model::DeviceId;
use meantime_protocol::Code;
use meantime_protocol::http::InviteRequest;
use meantime_protocol::kinds::Role;
use meantime_protocol::people::{AuditQuery, MemberLinkRequest};
use std::sync::Arc;
use std::time::{Duration, Instant};

async fn knows<S: Storage>(world: &World<S>, token: &str) -> bool {
    match world.core.authenticate(token).await {
        Ok(_) => true,
        Err(problem) => {
            assert_eq!(problem.code, Code::Unauthorized);
            false
        }
    }
}

pub async fn a_token_is_replaced<S: Storage>(storage: S) {
    let world = World::new(storage).await;
    let ana = world.someone("Ana", Role::Owner).await;
    let next = world.core.next_token(&ana.actor).await.unwrap().token;
    // The reply may be lost: for as long as nobody shows the new one, the old one is good.
    world.clock.pass(TimeDelta::days(2));
    assert!(knows(&world, &ana.token).await);
    assert!(knows(&world, &next).await);
    assert_eq!(world.core.authenticate(&next).await.unwrap(), ana.actor, "the same device");
    // Requests under way come to their end.
    world.clock.pass(TimeDelta::seconds(60));
    assert!(knows(&world, &ana.token).await);
    world.clock.pass(TimeDelta::days(1));
    assert!(knows(&world, &next).await);
}

pub async fn a_token_shown_too_late_ends_its_device<S: Storage>(storage: S) {
    let world = World::new(storage).await;
    let (ana, kofi) = (world.someone("Ana", Role::Owner).await, world.someone("Kofi", Role::Member).await);
    // Whoever has a copy of the old one asks for a new one too: one of the two is found out.
    let (stolen, theirs) = (
        world.core.next_token(&ana.actor).await.unwrap().token,
        world.core.next_token(&ana.actor).await.unwrap().token,
    );
    assert!(knows(&world, &theirs).await);
    world.clock.pass(TimeDelta::seconds(61));
    assert!(!knows(&world, &stolen).await, "replaced before it was used");
    assert!(!knows(&world, &theirs).await, "the whole family is ended");
    assert!(!knows(&world, &ana.token).await);
    assert!(knows(&world, &kofi.token).await);
    let log = world.core.audit(TeamScope::operator(world.team), &AuditQuery::default()).await.unwrap().entries;
    let reuse: Vec<_> = log.iter().filter(|entry| entry.what == "token_reused").collect();
    assert_eq!(reuse.len(), 1);
    assert_eq!((reuse[0].by, reuse[0].device), (Some(ana.actor.person), Some(ana.actor.device)));

    let next = world.core.next_token(&kofi.actor).await.unwrap().token;
    assert!(knows(&world, &next).await);
    world.clock.pass(TimeDelta::seconds(61));
    assert!(!knows(&world, &kofi.token).await && !knows(&world, &next).await);
}

pub async fn nobody_asks_for_tokens_without_end<S: Storage>(storage: S) {
    let world = World::new(storage).await;
    let ana = world.someone("Ana", Role::Owner).await;
    for _ in 1..TOKENS_PER_HOUR {
        world.core.next_token(&ana.actor).await.unwrap();
    }
    let refused = world.core.next_token(&ana.actor).await.unwrap_err();
    assert_eq!(refused.code, Code::SlowDown);
    assert!(refused.retry_after.is_some());
    world.clock.pass(TimeDelta::hours(1));
    world.core.next_token(&ana.actor).await.unwrap();
    // Long after, the old ones are not even known.
    world.clock.pass(TimeDelta::days(31));
    world.core.sweep().await.unwrap();
    let team = TeamScope::operator(world.team);
    assert_eq!(world.core.storage().tokens(team, ana.actor.device).await.unwrap().len(), 2);
    assert!(knows(&world, &ana.token).await);
}

pub async fn a_link_adds_a_device<S: Storage>(storage: S) {
    let world = World::new(storage).await;
    let ana = world.someone("Ana", Role::Admin).await;
    let link = world.core.device_link(&ana.actor).await.unwrap();
    assert_eq!(link.expires_at - world.core.now(), TimeDelta::minutes(15));
    let secret = link.secret.reveal();
    let phone = world.core.join(&join(&secret, "")).await.unwrap();
    assert_eq!(phone.person, ana.actor.person);
    let phone_actor = world.core.authenticate(&phone.token).await.unwrap();
    assert_eq!((phone_actor.role, phone_actor.device), (Role::Admin, phone.device));
    assert_ne!(phone.device, ana.actor.device);
    assert_eq!(world.core.join(&join(&secret, "")).await.unwrap_err().code, Code::InviteInvalid);
    let members =
        world.all(&ana, world.scope()).await.into_iter().filter(|r| r.kind == meantime_protocol::Kind::MEMBER);
    assert_eq!(members.count(), 1, "nobody is there twice");
    let late = world.core.device_link(&ana.actor).await.unwrap().secret.reveal();
    world.clock.pass(TimeDelta::minutes(15));
    assert_eq!(world.core.join(&join(&late, "")).await.unwrap_err().code, Code::InviteInvalid);
    // The link of somebody who is removed meanwhile leads nowhere.
    let link = world.core.device_link(&ana.actor).await.unwrap().secret.reveal();
    world.core.remove(By::Operator(TeamScope::operator(world.team)), ana.actor.person).await.unwrap();
    assert_eq!(world.core.join(&join(&link, "Ana")).await.unwrap_err().code, Code::InviteInvalid);
}

pub async fn devices_are_listed_and_ended<S: Storage>(storage: S) {
    let world = World::new(storage).await;
    let (ana, admin) = (world.someone("Ana", Role::Owner).await, world.someone("Mei", Role::Admin).await);
    let (kofi, lea) = (world.someone("Kofi", Role::Member).await, world.someone("Lea", Role::Member).await);
    let phone = world.second_device(&kofi).await;
    world.clock.pass(TimeDelta::hours(2));
    world.core.authenticate(&kofi.token).await.unwrap();
    let list = world.core.devices(By::Member(&kofi.actor), kofi.actor.person).await.unwrap();
    let shown: Vec<_> = list.iter().map(|d| (d.id, d.this)).collect();
    assert_eq!(shown, [(kofi.actor.device, true), (phone.actor.device, false)]);
    assert_eq!((list[0].name.as_str(), list[0].seen_at - list[1].seen_at), ("laptop", TimeDelta::hours(2)));
    assert_eq!(list[0].since, super::noon());
    let operator = By::Operator(TeamScope::operator(world.team));
    let sees = async |who: By<'_>, whose: &super::world::Someone| {
        world.core.devices(who, whose.actor.person).await.map(|list| list.len()).map_err(|p| (p.code, p.message))
    };
    let absent = world.core.devices(By::Member(&lea.actor), meantime_model::PersonId::new()).await.unwrap_err();
    let absent = (absent.code, absent.message);
    assert_eq!(absent.0, Code::NotFound);
    for (who, whose, expected) in [
        (By::Member(&ana.actor), &kofi, Ok(2)),
        (By::Member(&admin.actor), &kofi, Ok(2)),
        (By::Member(&ana.actor), &admin, Ok(1)),
        (operator, &ana, Ok(1)),
        (By::Member(&admin.actor), &ana, Err(absent.clone())),
        (By::Member(&lea.actor), &kofi, Err(absent.clone())),
    ] {
        assert_eq!(sees(who, whose).await, expected);
    }
    let unknown = world.core.revoke(By::Member(&lea.actor), DeviceId::new()).await.unwrap_err();
    for (who, device) in [(&lea, phone.actor.device), (&admin, ana.actor.device)] {
        assert_eq!(world.core.revoke(By::Member(&who.actor), device).await.unwrap_err(), unknown);
    }
    world.core.revoke(By::Member(&kofi.actor), phone.actor.device).await.unwrap();
    assert!(!knows(&world, &phone.token).await && knows(&world, &kofi.token).await);
    assert_eq!(world.core.revoke(By::Member(&kofi.actor), phone.actor.device).await.unwrap_err(), unknown);
    world.core.revoke(By::Member(&admin.actor), kofi.actor.device).await.unwrap();
    assert!(!knows(&world, &kofi.token).await);
    world.core.revoke(operator, lea.actor.device).await.unwrap();
    assert!(!knows(&world, &lea.token).await);
}

pub async fn an_ended_device_leaves_no_way_back<S: Storage>(storage: S) {
    let world = World::new(storage).await;
    let (ana, kofi) = (world.someone("Ana", Role::Owner).await, world.someone("Kofi", Role::Member).await);
    let stolen = world.second_device(&kofi).await;
    let team = TeamScope::operator(world.team);
    let link = async |actor| world.core.device_link(actor).await.unwrap().secret.reveal();
    let (back_door, anas) = (link(&stolen.actor).await, link(&ana.actor).await);
    // What the operator made for this person, and others for themselves, stays.
    let request = MemberLinkRequest { role: None };
    let lost = world.core.member_link(world.operator(), kofi.actor.person, &request).await.unwrap();
    world.core.revoke(By::Member(&kofi.actor), stolen.actor.device).await.unwrap();
    assert_eq!(world.core.join(&join(&back_door, "")).await.unwrap_err().code, Code::InviteInvalid);
    world.core.join(&join(&lost.secret.reveal(), "")).await.expect("the operator's link");
    world.core.join(&join(&anas, "")).await.expect("another person's link");

    // The same when a copied token ends the device.
    let back_door = link(&kofi.actor).await;
    let next = world.core.next_token(&kofi.actor).await.unwrap().token;
    assert!(knows(&world, &next).await);
    world.clock.pass(TimeDelta::seconds(61));
    assert!(!knows(&world, &kofi.token).await);
    assert_eq!(world.core.join(&join(&back_door, "")).await.unwrap_err().code, Code::InviteInvalid);
    assert_eq!(world.core.storage().devices(team, kofi.actor.person).await.unwrap().len(), 1);
}

pub async fn there_are_limits<S: Storage>(storage: S) {
    let world = World::new(storage).await;
    let ana = world.someone("Ana", Role::Owner).await;
    for _ in 1..DEVICES_PER_PERSON {
        world.second_device(&ana).await;
    }
    let link = world.core.device_link(&ana.actor).await.unwrap().secret.reveal();
    assert_eq!(world.core.join(&join(&link, "")).await.unwrap_err().code, Code::LimitReached);
    let some = world.core.devices(By::Member(&ana.actor), ana.actor.person).await.unwrap();
    world.core.revoke(By::Member(&ana.actor), some.last().unwrap().id).await.unwrap();
    let link = world.core.device_link(&ana.actor).await.unwrap().secret.reveal();
    world.core.join(&join(&link, "")).await.expect("there is room again");

    let request = InviteRequest { valid_hours: 1, role: Role::Member };
    for _ in 0..INVITES_PER_PERSON {
        world.core.invite_as(&ana.actor, &request).await.unwrap();
    }
    assert_eq!(world.core.invite_as(&ana.actor, &request).await.unwrap_err().code, Code::LimitReached);
    assert_eq!(world.core.device_link(&ana.actor).await.unwrap_err().code, Code::LimitReached);
    world.core.invite(TeamScope::operator(world.team), &request).await.expect("the operator still can");
    world.clock.pass(TimeDelta::hours(1));
    world.core.invite_as(&ana.actor, &request).await.unwrap();

    for _ in 0..REQUESTS_AT_ONCE {
        world.core.paced(&ana.actor).unwrap();
    }
    let refused = world.core.paced(&ana.actor).unwrap_err();
    assert_eq!((refused.code, refused.retry_after), (Code::SlowDown, Some(1)));
    world.clock.pass(TimeDelta::seconds(1));
    world.core.paced(&ana.actor).unwrap();
}

pub async fn a_stream_ends_with_its_device<S: Storage>(storage: S) {
    let world = World::new(storage).await;
    let elsewhere = world.elsewhere();
    let ana = world.someone("Ana", Role::Owner).await;
    let phone = world.second_device(&ana).await;
    let (mut here, mut there) = (world.core.live(&phone.actor), elsewhere.live(&phone.actor));
    let mut other = world.core.live(&ana.actor);
    for first in [here.next().await, there.next().await, other.next().await] {
        first.unwrap();
    }
    let began = Instant::now();
    world.core.revoke(By::Member(&ana.actor), phone.actor.device).await.unwrap();
    assert!(matches!(here.next().await, Err(Ended::Revoked)));
    assert!(began.elapsed() < Duration::from_secs(2), "where it was done, at once: {:?}", began.elapsed());
    assert!(matches!(there.next().await, Err(Ended::Revoked)));
    assert!(began.elapsed() < Duration::from_secs(5), "elsewhere within seconds: {:?}", began.elapsed());
    assert!(matches!(world.core.live(&phone.actor).next().await, Err(Ended::Revoked)));
    world.thread(&ana, "Still here").await;
    assert!(other.next().await.unwrap().scopes.contains_key(&world.scope()));
}

pub async fn the_newest_streams_of_a_device_go_on<S: Storage>(storage: S) {
    let world = World::new(storage).await;
    let ana = world.someone("Ana", Role::Owner).await;
    let phone = world.second_device(&ana).await;
    let mut other = world.core.live(&phone.actor);
    other.next().await.unwrap();
    let mut oldest = world.core.live(&ana.actor);
    oldest.next().await.unwrap();
    let mut newer = Vec::new();
    for _ in 0..STREAMS_PER_DEVICE {
        let mut live = world.core.live(&ana.actor);
        live.next().await.unwrap();
        newer.push(live);
    }
    assert!(matches!(oldest.next().await, Err(Ended::Replaced)));
    world.thread(&ana, "Goes on").await;
    for live in newer.iter_mut().chain([&mut other]) {
        assert!(live.next().await.unwrap().scopes.contains_key(&world.scope()));
    }
    // Who goes makes room.
    newer.pop();
    let mut another = world.core.live(&ana.actor);
    another.next().await.unwrap();
    world.thread(&ana, "And on").await;
    for live in newer.iter_mut().chain([&mut another]) {
        assert!(live.next().await.unwrap().scopes.contains_key(&world.scope()));
    }
}

/// Of links made at the same moment, as many are good as there may be.
pub async fn many_links_at_once_are_counted<S: Storage>(storage: S) {
    let world = Arc::new(World::new(storage).await);
    let ana = world.someone("Ana", Role::Owner).await;
    let request = InviteRequest { valid_hours: 1, role: Role::Member };
    for _ in 1..INVITES_PER_PERSON {
        world.core.invite_as(&ana.actor, &request).await.unwrap();
    }
    let made = (0..8).map(|_| {
        let (world, actor) = (Arc::clone(&world), ana.actor.clone());
        tokio::spawn(async move { world.core.device_link(&actor).await.map(drop) })
    });
    let mut good = 0;
    for made in made.collect::<Vec<_>>() {
        match made.await.unwrap() {
            Ok(()) => good += 1,
            Err(problem) => assert_eq!(problem.code, Code::LimitReached),
        }
    }
    assert_eq!(good, 1);
}
