//! Who is in the team and what they may do.

use super::world::{Someone, World, fields, join, object};
use crate::storage::{Batch, Change};
use crate::{By, Storage, TeamScope};
use meantime_model::PersonId;
use meantime_protocol::http::{InviteRequest, PullQuery};
use meantime_protocol::kinds::Role;
use meantime_protocol::people::{AccountRequest, AuditQuery, MemberLinkRequest};
use meantime_protocol::{Code, Cursor, Kind};
use serde_json::json;

impl<S: Storage> World<S> {
    pub fn operator(&self) -> By<'static> {
        By::Operator(TeamScope::operator(self.team))
    }
}

async fn role<S: Storage>(world: &World<S>, of: &Someone) -> Role {
    world.again(of).await.actor.role
}

pub async fn who_changes_roles<S: Storage>(storage: S) {
    let world = World::new(storage).await;
    let (ana, mei) = (world.someone("Ana", Role::Owner).await, world.someone("Mei", Role::Admin).await);
    let (kofi, lea) = (world.someone("Kofi", Role::Member).await, world.someone("Lea", Role::Guest).await);
    let not = Some(Code::Forbidden);
    for (by, whose, to, expected) in [
        (&kofi, &kofi, Role::Owner, not),
        (&kofi, &mei, Role::Member, not),
        (&lea, &lea, Role::Member, not),
        (&mei, &kofi, Role::Owner, not),
        (&mei, &mei, Role::Owner, not),
        (&mei, &ana, Role::Member, not),
        (&mei, &kofi, Role::Admin, None),
        (&mei, &kofi, Role::Member, None),
        (&mei, &kofi, Role::Member, None),
        (&ana, &kofi, Role::Guest, Some(Code::Invalid)),
        (&ana, &lea, Role::Member, Some(Code::Invalid)),
        (&ana, &ana, Role::Member, not),
        (&ana, &mei, Role::Owner, None),
        (&ana, &ana, Role::Member, None),
        (&mei, &ana, Role::Owner, None),
        (&ana, &mei, Role::Admin, None),
    ] {
        let is = role(&world, whose).await;
        let by = world.again(by).await;
        let done = world.core.set_role(By::Member(&by.actor), whose.actor.person, to).await;
        assert_eq!(done.err().map(|p| p.code), expected, "{:?} makes {is:?} {to:?}", by.actor.role);
        assert_eq!(role(&world, whose).await, if expected.is_none() { to } else { is });
    }
    let stranger = world.core.set_role(By::Member(&ana.actor), PersonId::new(), Role::Member).await;
    assert_eq!(stranger.unwrap_err().code, Code::NotFound);
    let last = world.core.set_role(world.operator(), ana.actor.person, Role::Member).await;
    assert_eq!(last.unwrap_err().code, Code::Forbidden, "the last owner stays, whoever asks");
    let row = world.see(&kofi, mei.actor.person.0).await.unwrap();
    assert_eq!(row.fields["role"], "admin");
}

pub async fn two_owners_do_not_unmake_each_other<S: Storage>(storage: S) {
    let world = std::sync::Arc::new(World::new(storage).await);
    let (ana, mei) = (world.someone("Ana", Role::Owner).await, world.someone("Mei", Role::Owner).await);
    let unmake = |by: &Someone, whose: &Someone| {
        let (world, by, whose) = (std::sync::Arc::clone(&world), by.actor.clone(), whose.actor.person);
        tokio::spawn(async move { world.core.set_role(By::Member(&by), whose, Role::Member).await })
    };
    let (one, other) = (unmake(&ana, &mei), unmake(&mei, &ana));
    let done = [one.await.unwrap().is_ok(), other.await.unwrap().is_ok()];
    assert_eq!(done.iter().filter(|done| **done).count(), 1, "{done:?}");
    let people = world.core.people(TeamScope::operator(world.team)).await.unwrap();
    assert_eq!(people.iter().filter(|person| person.role == Role::Owner).count(), 1);
}

/// A role is what stands in the record now, not what it was when somebody came in.
pub async fn a_role_that_is_gone_allows_nothing<S: Storage>(storage: S) {
    let world = World::new(storage).await;
    let (ana, mei) = (world.someone("Ana", Role::Owner).await, world.someone("Mei", Role::Owner).await);
    let invite = InviteRequest { valid_hours: 1, role: Role::Owner };
    let open = world.core.invite_as(&mei.actor, &invite).await.unwrap().secret.reveal();
    world.core.set_role(By::Member(&ana.actor), mei.actor.person, Role::Member).await.unwrap();
    // `mei.actor` was made before.
    let agreement = mei.change(&world.scope(), Kind::AGREEMENT, world.team.0, fields(&[("team", "Mine".into())]));
    assert_eq!(world.refused(&mei, agreement).await, Code::Forbidden);
    for done in [
        world.core.set_role(By::Member(&mei.actor), mei.actor.person, Role::Owner).await,
        world.core.remove(By::Member(&mei.actor), ana.actor.person).await,
    ] {
        assert_eq!(done.unwrap_err().code, Code::Forbidden);
    }
    // Nor what she made while she might: an owner who never came in is none.
    assert_eq!(world.core.join(&join(&open, "Mallory")).await.unwrap_err().code, Code::InviteInvalid);
    let forged = mei.change(&world.scope(), Kind::MEMBER, mei.actor.person.0, fields(&[("role", "owner".into())]));
    assert_eq!(world.refused(&mei, forged).await, Code::Forbidden);
}

/// An invite is not a person: until somebody has joined with it, nobody acts by it.
pub async fn an_owner_who_has_not_joined_does_nothing<S: Storage>(storage: S) {
    let world = World::new(storage).await;
    let ana = world.someone("Ana", Role::Owner).await;
    let secret = world.invite(Role::Owner).await;
    assert_eq!(world.core.authenticate(&secret).await.unwrap_err().code, Code::Unauthorized);
    let back = MemberLinkRequest { role: Some(Role::Owner) };
    let link = world.core.member_link(world.operator(), ana.actor.person, &back).await.unwrap().secret.reveal();
    assert_eq!(world.core.authenticate(&link).await.unwrap_err().code, Code::Unauthorized);
    // Ana is the only owner, whatever invites there are.
    assert_eq!(world.core.remove(By::Member(&ana.actor), ana.actor.person).await.unwrap_err().code, Code::Forbidden);
    assert_eq!(world.core.people(TeamScope::operator(world.team)).await.unwrap().len(), 1);
}

pub async fn who_is_removed_is_out<S: Storage>(storage: S) {
    let world = World::new(storage).await;
    let (ana, mei) = (world.someone("Ana", Role::Owner).await, world.someone("Mei", Role::Admin).await);
    let kofi = world.someone("Kofi", Role::Member).await;
    let phone = world.second_device(&kofi).await;
    let thread = world.thread(&kofi, "Kofi's").await;
    world.put(&kofi, kofi.change(&kofi.scope(), Kind::MARK, thread, object(json!({"muted": true})))).await;
    let login = AccountRequest { login: "kofi".into(), password: "correct horse".into(), current_password: None };
    world.core.set_account(&kofi.actor, &login, None).await.unwrap();
    let link = world.core.device_link(&kofi.actor).await.unwrap().secret.reveal();
    let mut live = world.core.live(&kofi.actor);
    live.next().await.unwrap();
    for (by, whose) in [(&kofi, &mei), (&mei, &ana)] {
        let refused = world.core.remove(By::Member(&by.actor), whose.actor.person).await.unwrap_err();
        assert_eq!(refused.code, Code::Forbidden);
    }
    world.core.remove(By::Member(&mei.actor), kofi.actor.person).await.unwrap();

    for token in [&kofi.token, &phone.token] {
        assert_eq!(world.core.authenticate(token).await.unwrap_err().code, Code::Unauthorized);
    }
    assert!(live.next().await.is_err());
    let op = kofi.message(&world.scope(), thread, "still in");
    let ops = [crate::Incoming { n: op.n, op: Ok(op) }];
    assert_eq!(world.core.push(&kofi.actor, &ops).await.unwrap_err().code, Code::Unauthorized);
    assert_eq!(world.core.join(&join(&link, "Kofi")).await.unwrap_err().code, Code::InviteInvalid);
    let asked = json!({"title": "Kofi?", "urgency": "red", "asked": [kofi.actor.person]});
    assert_eq!(world.refused(&ana, ana.op(&world.scope(), Kind::THREAD, object(asked))).await, Code::Invalid);
    // What Kofi wrote stays Kofi's.
    let row = world.see(&ana, kofi.actor.person.0).await.unwrap();
    assert_eq!((row.deleted, row.fields["name"].as_str()), (false, Some("Kofi")));
    assert_eq!(row.fields["removed_at"], json!(world.core.now()));
    assert!(world.see(&ana, thread).await.is_some());
    for again in [By::Member(&mei.actor), world.operator()] {
        assert_eq!(world.core.remove(again, kofi.actor.person).await.unwrap_err().code, Code::NotFound);
    }
    let people = world.core.people(TeamScope::operator(world.team)).await.unwrap();
    let of_kofi = people.iter().find(|person| person.id == kofi.actor.person).unwrap();
    assert_eq!((of_kofi.devices, &of_kofi.login, of_kofi.removed_at), (0, &None, Some(world.core.now())));
    let log = world.core.audit(TeamScope::operator(world.team), &AuditQuery::default()).await.unwrap().entries;
    let removed = log.iter().find(|entry| entry.what == "removed").unwrap();
    assert_eq!((removed.by, removed.about), (Some(mei.actor.person), Some(kofi.actor.person.0)));

    // Anybody leaves by themselves.
    world.core.remove(By::Member(&mei.actor), mei.actor.person).await.unwrap();
    assert_eq!(world.core.authenticate(&mei.token).await.unwrap_err().code, Code::Unauthorized);
}

pub async fn who_comes_back_is_who_they_were<S: Storage>(storage: S) {
    let world = World::new(storage).await;
    let (ana, mei) = (world.someone("Ana", Role::Owner).await, world.someone("Mei", Role::Admin).await);
    let kofi = world.someone("Kofi", Role::Admin).await;
    let thread = world.thread(&kofi, "Kofi's").await;
    world.put(&kofi, kofi.change(&kofi.scope(), Kind::MARK, thread, object(json!({"muted": true})))).await;
    let any = MemberLinkRequest { role: None };
    let as_member = MemberLinkRequest { role: Some(Role::Member) };
    let nobody = world.core.member_link(By::Member(&ana.actor), PersonId::new(), &any).await.unwrap_err();
    assert_eq!(nobody.code, Code::NotFound);
    let role_now = world.core.member_link(By::Member(&ana.actor), kofi.actor.person, &as_member).await.unwrap_err();
    assert_eq!(role_now.code, Code::Invalid);
    let owner = world.core.member_link(By::Member(&mei.actor), ana.actor.person, &any).await.unwrap_err();
    assert_eq!(owner.code, Code::Forbidden, "an admin does not become an owner by a link");

    world.core.remove(By::Member(&ana.actor), kofi.actor.person).await.unwrap();
    let link = world.core.member_link(By::Member(&ana.actor), kofi.actor.person, &as_member).await.unwrap();
    let secret = link.secret.reveal();
    assert_eq!(world.core.join(&join(&secret, " ")).await.unwrap_err().code, Code::Invalid);
    let joined = world.core.join(&join(&secret, "Kofi B.")).await.unwrap();
    assert_eq!(joined.person, kofi.actor.person);
    let back = world.core.authenticate(&joined.token).await.unwrap();
    assert_eq!(back.role, Role::Member);
    let members: Vec<_> =
        world.all(&ana, world.scope()).await.into_iter().filter(|row| row.kind == Kind::MEMBER).collect();
    assert_eq!(members.len(), 3, "nobody is there twice");
    let row = members.iter().find(|row| row.id == kofi.actor.person.0).unwrap();
    assert_eq!(json!(row.fields), json!({"name": "Kofi B.", "role": "member"}));
    // Their own feed is theirs again.
    let cursor = Cursor { epoch: world.core.storage().epoch().await.unwrap(), seq: 0 };
    let query = PullQuery { scope: kofi.scope(), cursor, limit: None };
    assert_eq!(world.core.pull(&back, &query).await.unwrap().rows.len(), 1);
    assert_eq!(world.core.people(TeamScope::operator(world.team)).await.unwrap()[2].devices, 1);
}

/// With another's link one would be them, and read what is theirs alone.
pub async fn nobody_becomes_somebody_who_is_there<S: Storage>(storage: S) {
    let world = World::new(storage).await;
    let (ana, mei) = (world.someone("Ana", Role::Owner).await, world.someone("Mei", Role::Admin).await);
    let kofi = world.someone("Kofi", Role::Member).await;
    let any = MemberLinkRequest { role: None };
    for by in [&ana, &mei] {
        let refused = world.core.member_link(By::Member(&by.actor), kofi.actor.person, &any).await.unwrap_err();
        assert_eq!(refused.code, Code::Forbidden);
    }
    assert_eq!(
        world.core.member_link(By::Member(&kofi.actor), kofi.actor.person, &any).await.unwrap_err().code,
        Code::Forbidden
    );
    // For somebody who lost all devices it adds one. Another that was made at
    // the same time is good for nothing then: they are there again.
    world.core.revoke(By::Member(&mei.actor), kofi.actor.device).await.unwrap();
    let mut links = Vec::new();
    for by in [&mei, &ana] {
        let link = world.core.member_link(By::Member(&by.actor), kofi.actor.person, &any).await.unwrap();
        links.push(link.secret.reveal());
    }
    let found = world.core.join(&join(&links[0], "")).await.unwrap();
    assert_eq!(found.person, kofi.actor.person);
    assert_eq!(world.core.join(&join(&links[1], "")).await.unwrap_err().code, Code::InviteInvalid);
    // Whoever runs the server could read it all anyway.
    let link = world.core.member_link(world.operator(), kofi.actor.person, &any).await.unwrap().secret.reveal();
    world.core.join(&join(&link, "")).await.unwrap();
    assert_eq!(world.core.people(TeamScope::operator(world.team)).await.unwrap()[2].devices, 2);
}

/// What is bound to one team leads into no other, whatever ids are named.
pub async fn nothing_binds_across_teams<S: Storage>(storage: S) {
    let world = World::new(storage).await;
    let ana = world.someone("Ana", Role::Owner).await;
    let red = world.core.found("Red Team").await.unwrap();
    let mallory = world.someone_in(red, "Mallory", Role::Owner).await;
    let by = By::Member(&mallory.actor);
    for refused in [
        world.core.set_role(by, ana.actor.person, Role::Guest).await.unwrap_err(),
        world.core.remove(by, ana.actor.person).await.unwrap_err(),
        world.core.revoke(by, ana.actor.device).await.unwrap_err(),
        world.core.devices(by, ana.actor.person).await.unwrap_err(),
        world.core.member_link(by, ana.actor.person, &MemberLinkRequest::default()).await.map(drop).unwrap_err(),
    ] {
        assert_eq!(refused.code, Code::NotFound);
    }
    // A circle of the red team with somebody of the blue one in it.
    let circle = uuid::Uuid::now_v7();
    let op = mallory.change(
        &meantime_protocol::Scope::Private(circle),
        Kind::SPACE,
        circle,
        object(json!({"members": [mallory.actor.person, ana.actor.person]})),
    );
    assert_eq!(world.refused(&mallory, op).await, Code::Invalid);
    // Even a storage that was told so for another team keeps it there.
    let batch = Batch { changes: vec![Change::Circle { circle, members: vec![ana.actor.person] }], ..Batch::default() };
    world.core.storage().commit(TeamScope::operator(red), batch).await.unwrap();
    assert!(world.again(&ana).await.actor.circles.is_empty());
    assert_eq!(world.core.me(&world.again(&ana).await.actor).await.unwrap().scopes.len(), 2);
}

pub async fn owners_read_what_was_done<S: Storage>(storage: S) {
    let world = World::new(storage).await;
    let (ana, mei) = (world.someone("Ana", Role::Owner).await, world.someone("Mei", Role::Admin).await);
    let invite = InviteRequest { valid_hours: 1, role: Role::Member };
    let secret = world.core.invite_as(&mei.actor, &invite).await.unwrap().secret.reveal();
    world.core.join(&join(&secret, "Kofi")).await.unwrap();
    let page = world.core.audit_as(&ana.actor, &AuditQuery::default()).await.unwrap().entries;
    let events: Vec<(&str, bool)> = page.iter().map(|entry| (entry.what.as_str(), entry.by.is_some())).collect();
    let expected = [
        ("joined", true),
        ("invite_made", true),
        ("joined", true),
        ("invite_made", false),
        ("joined", true),
        ("invite_made", false),
    ];
    assert_eq!(events, expected);
    assert_eq!((page[1].by, page[1].device), (Some(mei.actor.person), Some(mei.actor.device)));
    assert!(!json!(page).to_string().contains(&secret), "never a secret");
    let older = AuditQuery { before: Some(page[3].seq), limit: Some(2) };
    assert_eq!(world.core.audit_as(&ana.actor, &older).await.unwrap().entries, page[4..]);
    assert_eq!(world.core.audit_as(&mei.actor, &AuditQuery::default()).await.unwrap_err().code, Code::Forbidden);
    for limit in [0, 1001] {
        let query = AuditQuery { before: None, limit: Some(limit) };
        assert_eq!(world.core.audit_as(&ana.actor, &query).await.unwrap_err().code, Code::Invalid);
    }
}
