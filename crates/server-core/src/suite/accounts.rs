//! Signing in by password, and what a password change ends.

use super::world::{CHEAP, Someone, World, join};
use crate::limits::TRIES_FROM_ELSEWHERE;
use crate::storage::{Account, Batch, Change, Totp};
use crate::{By, Core, Costs, SealKey, Shared, Storage, TeamScope, totp, tries};
use chrono::TimeDelta;
use meantime_model::TeamId;
use meantime_protocol::http::JoinResponse;
use meantime_protocol::kinds::Role;
use meantime_protocol::people::{AccountRequest, AuditQuery, SignInRequest, TotpConfirm, TotpRequest};
use meantime_protocol::{Code, Problem};
use std::net::IpAddr;
use std::sync::Arc;

const PASSWORD: &str = "correct horse battery";

fn sign_in(login: &str, password: &str) -> SignInRequest {
    let (login, password) = (login.to_owned(), password.to_owned());
    SignInRequest { team: None, login, password, totp: None, device_name: "phone".to_owned() }
}

fn account(login: &str, password: &str, current: Option<&str>) -> AccountRequest {
    let current_password = current.map(str::to_owned);
    AccountRequest { login: login.to_owned(), password: password.to_owned(), current_password }
}

async fn with_password<S: Storage>(world: &World<S>, name: &str, role: Role) -> Someone {
    let who = world.someone(name, role).await;
    world.core.set_account(&who.actor, &account(name, PASSWORD, None), None).await.unwrap();
    who
}

async fn code<S: Storage>(world: &World<S>, request: SignInRequest) -> Option<Code> {
    world.core.sign_in(&request, None).await.err().map(|problem| problem.code)
}

pub async fn a_password_adds_a_device<S: Storage>(storage: S) {
    let world = World::new(storage).await;
    let ana = world.someone("Ana", Role::Owner).await;
    assert_eq!(world.core.account(&ana.actor).await.unwrap().login, None);
    for (login, password) in [
        ("an", PASSWORD),
        ("ana b", PASSWORD),
        ("ana\u{7}", PASSWORD),
        (&"x".repeat(101), PASSWORD),
        ("ana", "too short"),
        ("ana", &"x".repeat(257)),
    ] {
        let refused = world.core.set_account(&ana.actor, &account(login, password, None), None).await.unwrap_err();
        assert_eq!(refused.code, Code::Invalid, "{login} {password}");
    }
    let set = world.core.set_account(&ana.actor, &account(" Ana@Example.org ", PASSWORD, None), None).await.unwrap();
    assert_eq!((set.login.as_deref(), set.totp), (Some("ana@example.org"), false));
    world.core.authenticate(&ana.token).await.expect("a first password ends nothing");
    let joined = world.core.sign_in(&sign_in("ANA@example.org", PASSWORD), None).await.unwrap();
    assert_eq!((joined.person, joined.team, joined.team_name.as_str()), (ana.actor.person, world.team, "Blue Team"));
    let phone = world.core.authenticate(&joined.token).await.unwrap();
    assert_eq!((phone.role, phone.device), (Role::Owner, joined.device));
    // Nobody else gets the same name.
    let kofi = world.someone("Kofi", Role::Member).await;
    let taken = world.core.set_account(&kofi.actor, &account("ana@example.org", PASSWORD, None), None).await;
    assert_eq!(taken.unwrap_err().code, Code::Conflict);
    // With a second team, the team has to be said.
    let theirs = world.core.found("Red Team").await.unwrap();
    assert_eq!(code(&world, sign_in("ana@example.org", PASSWORD)).await, Some(Code::Invalid));
    let to = |team| SignInRequest { team: Some(team), ..sign_in("ana@example.org", PASSWORD) };
    assert_eq!(code(&world, to(world.team)).await, None);
    assert_eq!(code(&world, to(theirs)).await, Some(Code::SignInFailed));
}

pub async fn whatever_is_wrong_is_answered_alike<S: Storage>(storage: S) {
    let world = World::new(storage).await;
    with_password(&world, "ana", Role::Owner).await;
    let gone = with_password(&world, "gone", Role::Member).await;
    world.core.remove(By::Operator(TeamScope::operator(world.team)), gone.actor.person).await.unwrap();
    let strange = |team| SignInRequest { team: Some(team), ..sign_in("ana", PASSWORD) };
    let mut answers: Vec<Problem> = Vec::new();
    for request in [
        sign_in("ana", "wrong password"),
        sign_in("nobody", PASSWORD),
        sign_in("gone", PASSWORD),
        sign_in("", ""),
        sign_in(&"x".repeat(9999), &"y".repeat(9999)),
        strange(TeamId::new()),
    ] {
        answers.push(world.core.sign_in(&request, None).await.unwrap_err());
    }
    assert_eq!(answers[0].code, Code::SignInFailed);
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
    // The waits, too, are the same for who is there and who is not.
    let mut waits: Vec<Vec<Option<u32>>> = Vec::new();
    for login in ["ana", "nobody"] {
        let mut of_login = Vec::new();
        for _ in 0..7 {
            let problem = world.core.sign_in(&sign_in(login, "wrong password"), None).await.unwrap_err();
            of_login.push(problem.retry_after);
            let seconds = i64::from(problem.retry_after.unwrap_or(0));
            world.clock.pass(TimeDelta::seconds(seconds));
        }
        waits.push(of_login);
    }
    assert_eq!(waits[0], [None, None, None, Some(1), None, Some(2), None]);
    assert_eq!(waits[0], waits[1]);
}

pub async fn failures_have_to_wait_but_not_for_good<S: Storage>(storage: S) {
    let world = World::new(storage).await;
    with_password(&world, "ana", Role::Owner).await;
    with_password(&world, "kofi", Role::Member).await;
    let mut longest = 0;
    for _ in 0..16 {
        let problem = world.core.sign_in(&sign_in("ana", "wrong password"), None).await.unwrap_err();
        if let Some(seconds) = problem.retry_after {
            longest = seconds.max(longest);
            // Not even the right one is looked at meanwhile.
            assert_eq!(code(&world, sign_in("ana", PASSWORD)).await, Some(Code::SlowDown));
            assert_eq!(code(&world, sign_in("kofi", PASSWORD)).await, None, "others don't wait");
            world.clock.pass(TimeDelta::seconds(i64::from(seconds)));
        }
    }
    assert!((16..=900).contains(&longest), "{longest}");
    // A restart forgets nothing.
    let shared = Shared::from(Arc::clone(&world.core.storage));
    let restarted = Core::with_costs(shared, Arc::clone(&world.core.clock), CHEAP);
    let _ = world.core.sign_in(&sign_in("ana", "wrong password"), None).await;
    assert_eq!(restarted.sign_in(&sign_in("ana", PASSWORD), None).await.unwrap_err().code, Code::SlowDown);
    world.clock.pass(TimeDelta::minutes(15));
    assert_eq!(code(&world, sign_in("ana", PASSWORD)).await, None);
    // Who got in starts over.
    assert_eq!(code(&world, sign_in("ana", "wrong password")).await, Some(Code::SignInFailed));
    assert_eq!(code(&world, sign_in("ana", PASSWORD)).await, None);
    let log = world.core.audit(TeamScope::operator(world.team), &AuditQuery::default()).await.unwrap().entries;
    let failed = log.iter().filter(|entry| entry.what == "sign_in_failed").count();
    assert!((4..=6).contains(&failed), "some of them are noted, not all: {failed}");
}

pub async fn an_address_that_tries_many_names_waits<S: Storage>(storage: S) {
    let world = World::new(storage).await;
    with_password(&world, "ana", Role::Owner).await;
    let (mallory, home): (IpAddr, IpAddr) = ("192.0.2.7".parse().unwrap(), "192.0.2.8".parse().unwrap());
    let mut waited = false;
    for i in 0..40 {
        let tried = world.core.sign_in(&sign_in(&format!("name{i}"), PASSWORD), Some(mallory)).await.unwrap_err();
        waited |= tried.code == Code::SlowDown;
    }
    assert!(waited);
    let from = async |address| world.core.sign_in(&sign_in("ana", PASSWORD), Some(address)).await;
    assert_eq!(from(mallory).await.unwrap_err().code, Code::SlowDown);
    from(home).await.unwrap();
}

/// Who tries a login again and again keeps out whoever comes from where they
/// are, and not whose it is.
pub async fn a_stranger_keeps_nobody_out<S: Storage>(storage: S) {
    let world = World::new(storage).await;
    with_password(&world, "ana", Role::Owner).await;
    let mallory: IpAddr = "192.0.2.7".parse().unwrap();
    let tries = async |password: &str, from: IpAddr| {
        world.core.sign_in(&sign_in("ana", password), Some(from)).await.err().map(|problem| problem.code)
    };
    let wait = async || while tries("wrong password", mallory).await != Some(Code::SlowDown) {};
    wait().await;
    let home = |i: u8| IpAddr::from([198, 51, 100, i]);
    assert_eq!(tries(PASSWORD, mallory).await, Some(Code::SlowDown), "a right guess does not help there");
    assert_eq!(tries(PASSWORD, home(0)).await, None);
    // Nor does it help to have many addresses.
    wait().await;
    let mut looked_at = 0;
    for i in 1..=200 {
        match tries("wrong password", home(i)).await {
            Some(Code::SignInFailed) => looked_at += 1,
            other => assert_eq!(other, Some(Code::SlowDown)),
        }
    }
    assert!((1..=TRIES_FROM_ELSEWHERE).contains(&looked_at), "{looked_at}");
    assert_eq!(tries(PASSWORD, home(201)).await, Some(Code::SlowDown));
    world.clock.pass(TimeDelta::minutes(15));
    assert_eq!(tries(PASSWORD, home(202)).await, None, "and never for good");
}

/// What others do under names of theirs changes nothing.
pub async fn each_has_a_count_of_their_own<S: Storage>(storage: S) {
    let world = World::new(storage).await;
    with_password(&world, "ana", Role::Owner).await;
    let same = |login: &String| tries::slot(world.team, login) == tries::slot(world.team, "ana");
    let like_anas = (0..).map(|i| format!("mallory{i}")).find(same).unwrap();
    with_password(&world, &like_anas, Role::Member).await;
    for _ in 0..4 {
        assert_eq!(code(&world, sign_in("ana", "wrong password")).await, Some(Code::SignInFailed));
    }
    assert_eq!(code(&world, sign_in(&like_anas, PASSWORD)).await, None, "and doesn't wait for Ana's");
    assert_eq!(code(&world, sign_in("ana", "wrong password")).await, Some(Code::SlowDown), "nor does Ana's end");
    world.clock.pass(TimeDelta::seconds(1));
    assert_eq!(code(&world, sign_in("ana", PASSWORD)).await, None);
}

pub async fn a_password_change_ends_the_other_devices<S: Storage>(storage: S) {
    let world = World::new(storage).await;
    let ana = with_password(&world, "ana", Role::Owner).await;
    let stolen = world.core.sign_in(&sign_in("ana", PASSWORD), None).await.unwrap();
    let thief = world.core.authenticate(&stolen.token).await.unwrap();
    // What the thief prepared does not survive either.
    let next = world.core.next_token(&thief).await.unwrap().token;
    let link = world.core.device_link(&thief).await.unwrap().secret.reveal();
    for current in [None, Some("wrong password")] {
        let request = account("ana", "another password", current);
        let refused = world.core.set_account(&thief, &request, None).await.unwrap_err();
        assert_eq!(refused.code, Code::SignInFailed, "the present password is asked for");
    }
    let request = account("ana", "another password", Some(PASSWORD));
    world.core.set_account(&ana.actor, &request, None).await.unwrap();
    for token in [&stolen.token, &next] {
        assert_eq!(world.core.authenticate(token).await.unwrap_err().code, Code::Unauthorized);
    }
    assert_eq!(world.core.next_token(&thief).await.unwrap_err().code, Code::Unauthorized);
    assert_eq!(world.core.join(&join(&link, "x")).await.unwrap_err().code, Code::InviteInvalid);
    let late = world.core.set_account(&thief, &account("x.y", "third password", Some("another password")), None).await;
    assert_eq!(late.unwrap_err().code, Code::Unauthorized);
    assert_eq!(code(&world, sign_in("ana", PASSWORD)).await, Some(Code::SignInFailed));
    assert_eq!(code(&world, sign_in("ana", "another password")).await, None);
    world.core.authenticate(&ana.token).await.expect("the device it was changed on stays");
}

pub async fn a_sign_in_does_not_outrun_a_password_change<S: Storage>(storage: S) {
    let world = Arc::new(World::new(storage).await);
    let ana = Arc::new(with_password(&world, "ana", Role::Owner).await);
    for round in 0..8 {
        let (old, new) = (format!("{PASSWORD}{}", round - 1), format!("{PASSWORD}{round}"));
        let old = if round == 0 { PASSWORD.to_owned() } else { old };
        let signing: Vec<_> = (0..2)
            .map(|_| {
                let (world, request) = (Arc::clone(&world), sign_in("ana", &old));
                tokio::spawn(async move { world.core.sign_in(&request, None).await })
            })
            .collect();
        let changed = world.core.set_account(&ana.actor, &account("ana", &new, Some(&old)), None).await;
        let joined: Vec<Result<JoinResponse, Problem>> = {
            let mut joined = Vec::new();
            for task in signing {
                joined.push(task.await.unwrap());
            }
            joined
        };
        changed.unwrap();
        for joined in joined.into_iter().flatten() {
            let known = world.core.authenticate(&joined.token).await;
            assert_eq!(known.unwrap_err().code, Code::Unauthorized, "signed in with the old password");
        }
        // Who lost the race to the new password has tried a wrong one.
        world.clock.pass(TimeDelta::minutes(15));
    }
}

pub async fn a_hash_is_renewed_when_its_costs_change<S: Storage>(storage: S) {
    let world = World::new(storage).await;
    let ana = with_password(&world, "ana", Role::Owner).await;
    let team = TeamScope::operator(world.team);
    let kept = async || world.core.storage().account(team, ana.actor.person).await.unwrap().unwrap().password;
    let before = kept().await;
    assert!(before.starts_with("$argon2id$v=19$m=8,t=1,p=1$"), "{before}");
    assert_eq!(code(&world, sign_in("ana", PASSWORD)).await, None);
    assert_eq!(kept().await, before);
    let shared = Shared::from(Arc::clone(&world.core.storage));
    let newer = Core::with_costs(shared, Arc::clone(&world.core.clock), Costs { memory: 16, ..CHEAP });
    newer.sign_in(&sign_in("ana", "wrong password"), None).await.unwrap_err();
    assert_eq!(kept().await, before);
    newer.sign_in(&sign_in("ana", PASSWORD), None).await.unwrap();
    assert!(kept().await.starts_with("$argon2id$v=19$m=16,t=1,p=1$"));
    newer.sign_in(&sign_in("ana", PASSWORD), None).await.unwrap();
}

pub async fn an_authenticator_is_asked_for<S: Storage>(storage: S) {
    let world = World::new(storage).await;
    let ana = with_password(&world, "ana", Role::Owner).await;
    let (team, person) = (TeamScope::operator(world.team), ana.actor.person);
    let password = |password: &str| TotpRequest { password: password.to_owned() };
    let confirm = |code: &str| TotpConfirm { code: code.to_owned() };
    let none = world.core.confirm_totp(&ana.actor, &confirm("000000"), None).await.unwrap_err();
    assert_eq!(none.code, Code::NotFound);
    let wrong = world.core.begin_totp(&ana.actor, &password("wrong password"), None).await.unwrap_err();
    assert_eq!(wrong.code, Code::SignInFailed);
    let begun = world.core.begin_totp(&ana.actor, &password(PASSWORD), None).await.unwrap();
    assert!(begun.uri.contains(&begun.secret) && begun.uri.contains("Blue%20Team"), "{}", begun.uri);
    assert_eq!(code(&world, sign_in("ana", PASSWORD)).await, None, "not asked for before it is shown to work");
    let kept = world.core.storage().account(team, person).await.unwrap().unwrap().totp.unwrap();
    let secret = world.core.opened(world.team, person, &kept).unwrap();
    assert_eq!(totp::shown(&secret, "", "").0, begun.secret);
    let present = |steps: i64| totp::code(&secret, world.core.now() + TimeDelta::seconds(30 * steps));
    let confirmed = world.core.confirm_totp(&ana.actor, &confirm(&present(0)), None).await.unwrap();
    assert!(confirmed.totp);

    let with = |code: String| SignInRequest { totp: Some(code), ..sign_in("ana", PASSWORD) };
    assert_eq!(code(&world, sign_in("ana", PASSWORD)).await, Some(Code::TotpNeeded));
    assert_eq!(code(&world, sign_in("ana", "wrong password")).await, Some(Code::SignInFailed));
    assert_eq!(code(&world, with(present(0))).await, Some(Code::SignInFailed), "it confirmed already");
    world.clock.pass(TimeDelta::minutes(20));
    let next = present(0);
    assert_eq!(code(&world, with(next.clone())).await, None);
    assert_eq!(code(&world, with(next)).await, Some(Code::SignInFailed), "each code is good once");
    assert_eq!(code(&world, with(present(1))).await, None, "a clock may be half a minute off");
    world.core.end_totp(&ana.actor, &password("wrong password"), None).await.unwrap_err();
    assert!(!world.core.end_totp(&ana.actor, &password(PASSWORD), None).await.unwrap().totp);
    assert_eq!(code(&world, sign_in("ana", PASSWORD)).await, None);
}

/// A person whose authenticator was shown to work; what it shares with the server.
async fn with_authenticator<S: Storage>(world: &World<S>, name: &str, role: Role) -> (Someone, Vec<u8>) {
    let who = with_password(world, name, role).await;
    world.core.begin_totp(&who.actor, &TotpRequest { password: PASSWORD.to_owned() }, None).await.unwrap();
    let (team, person) = (TeamScope::operator(world.team), who.actor.person);
    let kept = world.core.storage().account(team, person).await.unwrap().unwrap().totp.unwrap();
    let secret = world.core.opened(world.team, person, &kept).unwrap();
    let confirm = TotpConfirm { code: totp::code(&secret, world.core.now()) };
    world.core.confirm_totp(&who.actor, &confirm, None).await.unwrap();
    (who, secret)
}

/// Keeps an account past the rules, as somebody does who holds the database.
async fn keep<S: Storage>(world: &World<S>, account: Account) {
    let (team, changes) = (TeamScope::operator(world.team), vec![Change::PutAccount(account)]);
    let batch = Batch { at: world.core.now(), changes, ..Batch::default() };
    world.core.storage().commit(team, batch).await.unwrap();
}

pub async fn an_authenticators_secret_is_kept_sealed<S: Storage>(storage: S) {
    let world = World::new(storage).await;
    let (ana, anas) = with_authenticator(&world, "ana", Role::Owner).await;
    let (kofi, kofis) = with_authenticator(&world, "kofi", Role::Member).await;
    let (team, storage) = (TeamScope::operator(world.team), world.core.storage());
    let of = async |who: &Someone| storage.account(team, who.actor.person).await.unwrap().unwrap();
    let (ana_kept, kofi_kept) = (of(&ana).await, of(&kofi).await);
    for (kept, secret) in [(&ana_kept, &anas), (&kofi_kept, &kofis)] {
        let sealed = &kept.totp.as_ref().unwrap().secret;
        assert!(!sealed.windows(secret.len()).any(|part| part == secret.as_slice()));
    }
    let with = |name: &str, secret: &[u8]| {
        let totp = Some(totp::code(secret, world.core.now()));
        SignInRequest { totp, ..sign_in(name, PASSWORD) }
    };

    // Kofi puts what he knows in Ana's place, and gets in nowhere.
    world.clock.pass(TimeDelta::minutes(5));
    keep(&world, Account { totp: kofi_kept.totp.clone(), ..ana_kept.clone() }).await;
    assert_eq!(code(&world, with("ana", &kofis)).await, Some(Code::Internal));
    let found = world.core.authenticators(team).await.unwrap();
    assert_eq!((found.good, found.broken), (vec![kofi.actor.person], vec![ana.actor.person]));

    // A server with another key, or none, says so, lets nobody in, and adds none.
    keep(&world, ana_kept.clone()).await;
    let mei = with_password(&world, "mei", Role::Member).await;
    let begin = TotpRequest { password: PASSWORD.to_owned() };
    let elsewhere =
        || Core::with_costs(Shared::from(Arc::clone(&world.core.storage)), Arc::clone(&world.core.clock), CHEAP);
    for other in [elsewhere(), elsewhere().sealing(SealKey::from([8; 32]))] {
        let refused = other.sign_in(&with("ana", &anas), None).await.unwrap_err();
        assert!(refused.code == Code::Internal && refused.message.contains("authenticator"), "{refused}");
        assert_eq!(other.authenticators(team).await.unwrap().foreign.len(), 2);
        assert_eq!(other.begin_totp(&mei.actor, &begin, None).await.unwrap_err().code, Code::Internal);
        assert_eq!(of(&mei).await.totp, None);
    }
    assert_eq!(code(&world, with("ana", &anas)).await, None, "and nothing was used up");

    // As an older server kept it: it counts, and is sealed when asked for.
    world.clock.pass(TimeDelta::minutes(5));
    let plain = Totp { secret: anas.clone(), ..of(&ana).await.totp.unwrap() };
    keep(&world, Account { totp: Some(plain.clone()), ..ana_kept }).await;
    assert_eq!(world.core.authenticators(team).await.unwrap().plain, [ana.actor.person]);
    assert_eq!(code(&world, with("ana", &anas)).await, None);
    assert_eq!(world.core.seal_authenticators(team).await.unwrap(), 1);
    assert_eq!(world.core.seal_authenticators(team).await.unwrap(), 0);
    let sealed = of(&ana).await.totp.unwrap();
    assert!(sealed.secret != anas && sealed.last_step > plain.last_step && sealed.confirmed);
    world.clock.pass(TimeDelta::minutes(5));
    assert_eq!(code(&world, with("ana", &anas)).await, None);
    assert_eq!(world.core.authenticators(team).await.unwrap().good.len(), 2);
}

pub async fn a_lost_password_is_taken_away<S: Storage>(storage: S) {
    let world = World::new(storage).await;
    let ana = with_password(&world, "ana", Role::Owner).await;
    let team = TeamScope::operator(world.team);
    for _ in 0..5 {
        let _ = world.core.sign_in(&sign_in("ana", "wrong password"), None).await;
    }
    world.core.reset_password(team, ana.actor.person).await.unwrap();
    assert_eq!(code(&world, sign_in("ana", PASSWORD)).await, Some(Code::SignInFailed));
    world.core.authenticate(&ana.token).await.unwrap();
    let set = account("ana", "another password", None);
    world.core.set_account(&ana.actor, &set, None).await.unwrap();
    assert_eq!(code(&world, sign_in("ana", "another password")).await, None);
    let nobody = world.core.reset_password(team, meantime_model::PersonId::new()).await.unwrap_err();
    assert_eq!(nobody.code, Code::NotFound);
}
