//! Coming in, and being known again.

use super::world::{World, join};
use crate::{Storage, TeamScope};
use chrono::TimeDelta;
use meantime_protocol::http::InviteRequest;
use meantime_protocol::kinds::Role;
use meantime_protocol::{Code, Kind};
use serde_json::json;
use std::sync::Arc;

pub async fn an_invite_is_good_once<S: Storage>(storage: S) {
    let world = World::new(storage).await;
    let secret = world.invite(Role::Member).await;
    let ana = world.core.join(&join(&secret, " Ana ")).await.unwrap();
    assert_eq!(ana.team_name, "Blue Team");
    assert_eq!(world.core.join(&join(&secret, "Mallory")).await.unwrap_err().code, Code::InviteInvalid);
    assert_eq!(world.core.join(&join("never made", "Mallory")).await.unwrap_err().code, Code::InviteInvalid);

    let kofi = world.someone("Kofi", Role::Member).await;
    let member = world.see(&kofi, ana.person.0).await.unwrap();
    assert_eq!((member.kind, member.author), (Kind::MEMBER, ana.person));
    assert_eq!(json!(member.fields), json!({"name": "Ana", "role": "member"}));
}

pub async fn an_invite_lapses<S: Storage>(storage: S) {
    let world = World::new(storage).await;
    let secret = world.invite(Role::Member).await;
    world.clock.pass(TimeDelta::hours(72));
    assert_eq!(world.core.join(&join(&secret, "Ana")).await.unwrap_err().code, Code::InviteInvalid);
    for (hours, role) in [(0, Role::Member), (73, Role::Member)] {
        let request = InviteRequest { valid_hours: hours, role };
        let refused = world.core.invite(TeamScope::operator(world.team), &request).await.unwrap_err();
        assert_eq!(refused.code, Code::Invalid, "{request:?}");
    }
    for name in ["", "  ", "two\nlines", &"x".repeat(101), "An\u{2060}a", "\u{202e}anA"] {
        let secret = world.invite(Role::Member).await;
        assert_eq!(world.core.join(&join(&secret, name)).await.unwrap_err().code, Code::Invalid, "{name:?}");
        world.core.join(&join(&secret, "A name")).await.expect("a bad name does not use the invite up");
    }
}

pub async fn one_of_many_joins_with_one_invite<S: Storage>(storage: S) {
    let world = Arc::new(World::new(storage).await);
    let secret = world.invite(Role::Owner).await;
    let joins = (0..8).map(|i| {
        let (world, request) = (Arc::clone(&world), join(&secret, &format!("Person {i}")));
        tokio::spawn(async move { world.core.join(&request).await })
    });
    let mut joined = Vec::new();
    for task in joins.collect::<Vec<_>>() {
        match task.await.unwrap() {
            Ok(response) => joined.push(response),
            Err(problem) => assert_eq!(problem.code, Code::InviteInvalid),
        }
    }
    assert_eq!(joined.len(), 1);
    let kofi = world.someone("Kofi", Role::Member).await;
    let members = world.all(&kofi, world.scope()).await.into_iter().filter(|row| row.kind == Kind::MEMBER);
    assert_eq!(members.count(), 2);
}

pub async fn who_invites<S: Storage>(storage: S) {
    let world = World::new(storage).await;
    for (inviter, invited, allowed) in [
        (Role::Owner, Role::Owner, true),
        (Role::Owner, Role::Member, true),
        (Role::Admin, Role::Admin, true),
        (Role::Admin, Role::Owner, false),
        (Role::Member, Role::Member, false),
    ] {
        let who = world.someone("Ana", inviter).await;
        assert_eq!(who.actor.role, inviter);
        let answer = world.core.invite_as(&who.actor, &InviteRequest { valid_hours: 1, role: invited }).await;
        match answer {
            Ok(invite) => {
                assert!(allowed, "{inviter:?} invited {invited:?}");
                let joined = world.core.join(&join(&invite.secret.reveal(), "New")).await.unwrap();
                assert_eq!(world.core.authenticate(&joined.token).await.unwrap().role, invited);
            }
            Err(problem) => assert_eq!((problem.code, allowed), (Code::Forbidden, false)),
        }
    }
}

pub async fn the_first_lead_brings_the_agreement<S: Storage>(storage: S) {
    let world = World::new(storage).await;
    let member = world.someone("Kofi", Role::Member).await;
    assert!(world.see(&member, world.team.0).await.is_none());
    let owner = world.someone("Ana", Role::Owner).await;
    world.someone("Mei", Role::Owner).await;
    let agreement = world.see(&member, world.team.0).await.unwrap();
    assert_eq!((agreement.kind, agreement.author), (Kind::AGREEMENT, owner.actor.person));
    assert_eq!(json!(agreement.fields), json!({"team": "Blue Team", "windows": {}}));
    // A renamed team is joined under its new name.
    let fields = super::world::fields(&[("team", "Green Team".into())]);
    world.put(&owner, owner.change(&world.scope(), Kind::AGREEMENT, world.team.0, fields)).await;
    let secret = world.invite(Role::Member).await;
    assert_eq!(world.core.join(&join(&secret, "New")).await.unwrap().team_name, "Green Team");
}

pub async fn only_a_known_token_is_somebody<S: Storage>(storage: S) {
    let world = World::new(storage).await;
    let ana = world.someone("Ana", Role::Owner).await;
    for token in ["", "x", &ana.token.to_uppercase(), &format!("{} ", ana.token)] {
        assert_eq!(world.core.authenticate(token).await.unwrap_err().code, Code::Unauthorized);
    }
    let me = world.core.me(&ana.actor).await.unwrap();
    assert_eq!((me.person, me.device, me.team), (ana.actor.person, ana.actor.device, world.team));
    assert_eq!(me.scopes.keys().copied().collect::<Vec<_>>(), [world.scope(), ana.scope()]);
    assert_eq!(me.scopes[&world.scope()].seq, 2, "the member and the agreement");
}
