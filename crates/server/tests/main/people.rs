//! People and devices as a client sees them. The rules behind them have their
//! own suite.

use crate::live::Stream;
use crate::world::{Someone, World, eventually};
use meantime_protocol::http::{InviteResponse, JoinResponse, Me, PushOutcome};
use meantime_protocol::kinds::Role;
use meantime_protocol::people::{AccountInfo, AuditPage, DevicesResponse, TokenResponse};
use meantime_protocol::{Code, Kind, Problem};
use meantime_server_core::storage::Tried;
use meantime_server_core::{Storage as _, TeamScope};
use reqwest::{Method, RequestBuilder, StatusCode};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

crate::world::on_both! {
    a_second_device_signs_in_is_listed_and_ended,
    a_token_is_replaced_and_a_link_adds_a_device,
    an_outcome_stays_with_whoever_wrote_it,
    members_are_changed_removed_and_come_back,
}

const PASSWORD: &str = "correct horse battery";

async fn ok<T: DeserializeOwned>(call: RequestBuilder) -> T {
    let answer = call.send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK, "{}", answer.url());
    answer.json().await.unwrap()
}

async fn refused(call: RequestBuilder) -> (u16, Code) {
    let answer = call.send().await.unwrap();
    let status = answer.status().as_u16();
    (status, answer.json::<Problem>().await.unwrap().code)
}

fn sign_in(world: &World, password: &str) -> RequestBuilder {
    let request = json!({"login": "Ana", "password": password, "device_name": "phone"});
    world.client().call(Method::POST, "/v1/sign-in").json(&request)
}

async fn with_password(world: &World) -> Someone {
    let ana = world.someone("Ana", Role::Owner).await;
    let request = json!({"login": "ana", "password": PASSWORD});
    let set: AccountInfo = ok(ana.call(Method::PUT, "/v1/account").json(&request)).await;
    assert_eq!(set, AccountInfo { login: Some("ana".into()), totp: false });
    ana
}

async fn a_second_device_signs_in_is_listed_and_ended(world: World) {
    let ana = with_password(&world).await;
    let joined: JoinResponse = ok(sign_in(&world, PASSWORD)).await;
    let phone = Someone::again(world.client(), joined);
    let me: Me = ok(phone.call(Method::GET, "/v1/me")).await;
    assert_eq!((me.person, me.device), (ana.joined.person, phone.joined.device));
    let list: DevicesResponse = ok(ana.call(Method::GET, "/v1/devices")).await;
    let names: Vec<_> = list.devices.iter().map(|device| (device.name.as_str(), device.this)).collect();
    assert_eq!(names, [("laptop", true), ("phone", false)]);
    let mut live = Stream::open(&phone).await;
    live.next().await.unwrap();
    let began = Instant::now();
    let end = ana.call(Method::DELETE, &format!("/v1/devices/{}", phone.joined.device)).send().await.unwrap();
    assert_eq!((end.status(), end.text().await.unwrap()), (StatusCode::NO_CONTENT, String::new()));
    assert!(live.next().await.is_none());
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    assert_eq!(refused(phone.call(Method::GET, "/v1/me")).await, (401, Code::Unauthorized));
    assert_eq!(refused(ana.call(Method::DELETE, "/v1/devices/none")).await, (404, Code::NotFound));
    let log: AuditPage = ok(ana.call(Method::GET, "/v1/audit?limit=2")).await;
    let events: Vec<_> = log.entries.iter().map(|entry| entry.what.as_str()).collect();
    assert_eq!(events, ["device_revoked", "signed_in"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wrong_passwords_wait() {
    let world = World::new().await;
    with_password(&world).await;
    for _ in 0..4 {
        assert_eq!(refused(sign_in(&world, "wrong password")).await, (403, Code::SignInFailed));
    }
    let answer = sign_in(&world, PASSWORD).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::TOO_MANY_REQUESTS);
    let header = answer.headers()["retry-after"].to_str().unwrap().to_owned();
    let problem: Problem = answer.json().await.unwrap();
    assert_eq!((problem.code, problem.retry_after.unwrap().to_string()), (Code::SlowDown, header));
    // The server knows where the tries came from: another name waits as well.
    let other = |i: u32| json!({"login": format!("name{i}"), "password": PASSWORD, "device_name": "x"});
    for i in 0.. {
        let call = world.client().call(Method::POST, "/v1/sign-in").json(&other(i));
        match refused(call).await {
            (429, Code::SlowDown) => break,
            answer => assert_eq!((answer, i < 20), ((403, Code::SignInFailed), true)),
        }
    }
}

async fn a_token_is_replaced_and_a_link_adds_a_device(world: World) {
    let ana = world.someone("Ana", Role::Owner).await;
    let next: TokenResponse = ok(ana.call(Method::POST, "/v1/token")).await;
    let renewed = Someone::again(world.client(), JoinResponse { token: next.token, ..ana.joined.clone() });
    let _: Me = ok(renewed.call(Method::GET, "/v1/me")).await;
    let link: InviteResponse = ok(ana.call(Method::POST, "/v1/devices/link")).await;
    let tablet = world.client().join(&link.link, "whatever").await;
    assert_eq!(tablet.joined.person, ana.joined.person);
    world.clock.pass(chrono::TimeDelta::seconds(61));
    assert_eq!(refused(ana.call(Method::GET, "/v1/me")).await, (401, Code::Unauthorized));
    assert_eq!(refused(renewed.call(Method::GET, "/v1/me")).await, (401, Code::Unauthorized));
    let _: Me = ok(tablet.call(Method::GET, "/v1/me")).await;
}

async fn members_are_changed_removed_and_come_back(world: World) {
    let (ana, kofi) = (world.someone("Ana", Role::Owner).await, world.someone("Kofi", Role::Member).await);
    let path = |rest: &str| format!("/v1/members/{}{rest}", kofi.joined.person);
    let role = |role: &str| json!({"role": role});
    let changed = ana.call(Method::PUT, &path("/role")).json(&role("admin")).send().await.unwrap();
    assert_eq!(changed.status(), StatusCode::NO_CONTENT);
    assert_eq!(refused(kofi.call(Method::PUT, &path("/role")).json(&role("owner"))).await, (403, Code::Forbidden));
    assert_eq!(refused(ana.call(Method::PUT, &path("/role")).json(&role("king"))).await, (400, Code::BadRequest));
    assert_eq!(refused(ana.call(Method::DELETE, "/v1/members/nobody")).await, (404, Code::NotFound));
    let removed = ana.call(Method::DELETE, &path("")).send().await.unwrap();
    assert_eq!(removed.status(), StatusCode::NO_CONTENT);
    assert_eq!(refused(kofi.call(Method::GET, "/v1/me")).await, (401, Code::Unauthorized));
    let link: InviteResponse = ok(ana.call(Method::POST, &path("/link")).json(&json!({}))).await;
    let back = world.client().join(&link.link, "Kofi").await;
    assert_eq!(back.joined.person, kofi.joined.person);
    let rows: Vec<Value> = back.all().await.iter().map(|row| json!(row.fields)).collect();
    assert!(rows.contains(&json!({"name": "Kofi", "role": "admin"})), "{rows:?}");
}

/// Whoever goes away while a password is looked at has tried it all the same.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_try_that_is_broken_off_counts() {
    let world = World::new().await;
    let ana = with_password(&world).await;
    let (team, counted) = (TeamScope::operator(ana.joined.team), Tried::Person(ana.joined.person));
    let client = world.client();
    let request = json!({"login": "Ana", "password": "wrong password", "device_name": "phone"});
    let failures = async || {
        let kept = world.running.core().storage().attempts(team, counted).await.unwrap();
        kept.map_or(0, |attempts| attempts.failures)
    };
    let mut broken_off = 0;
    for tries in 1..=3 {
        eventually("nothing else to be looked at", async || world.running.core().passwords_queued() == 0).await;
        let call = tokio::spawn(client.call(Method::POST, "/v1/sign-in").json(&request).send());
        while world.running.core().passwords_queued() == 0 && !call.is_finished() {
            tokio::task::yield_now().await;
        }
        // Its stream is reset.
        call.abort();
        broken_off += usize::from(call.await.is_err_and(|error| error.is_cancelled()));
        eventually("it to be counted", async || failures().await == tries).await;
    }
    assert!(broken_off > 0);
}

/// Who is taken out takes their own words along, and no others'.
async fn an_outcome_stays_with_whoever_wrote_it(world: World) {
    let (ana, kofi) = (world.someone("Ana", Role::Owner).await, world.someone("Kofi", Role::Member).await);
    let decide = async |who: &Someone, thread, outcome: &str| {
        let result = who.push(vec![who.change(Kind::THREAD, thread, json!({"outcome": outcome}))]).await.remove(0);
        assert!(matches!(result.outcome, PushOutcome::Applied { .. }));
    };
    let (own, decided, others) = (kofi.thread("His own").await, kofi.thread("Asks").await, ana.thread("Hers").await);
    decide(&kofi, own, "his words").await;
    decide(&ana, decided, "her words").await;
    decide(&kofi, others, "his words").await;
    // Whoever changes something else after that has not written it.
    let (hers, changed) = (ana.thread("Hers too").await, kofi.thread("Asks too").await);
    decide(&kofi, hers, "his words").await;
    decide(&ana, changed, "her words").await;
    for (who, thread) in [(&ana, hers), (&kofi, changed)] {
        who.push(vec![who.change(Kind::THREAD, thread, json!({"title": "Changed"}))]).await;
    }
    // He was taken out of the team before, and nobody knows his device any more.
    let removal = ana.call(Method::DELETE, &format!("/v1/members/{}", kofi.joined.person));
    assert_eq!(removal.send().await.unwrap().status(), StatusCode::NO_CONTENT);
    let core = world.running.core();
    let team = TeamScope::operator(ana.joined.team);
    meantime_server::erase::person(core, team, kofi.joined.person).await.unwrap();
    let rows = ana.all().await;
    let fields = |id| &rows.iter().find(|row| row.id == id).unwrap().fields;
    assert_eq!(fields(own).get("outcome"), None);
    assert_eq!(
        (fields(decided)["outcome"].as_str(), fields(decided)["title"].as_str()),
        (Some("her words"), Some("(removed)"))
    );
    assert_eq!((fields(others).get("outcome"), fields(others)["title"].as_str()), (None, Some("Hers")));
    assert_eq!((fields(hers).get("outcome"), fields(hers)["title"].as_str()), (None, Some("Changed")));
    assert_eq!(fields(changed)["outcome"].as_str(), Some("her words"));
    assert!(rows.iter().all(|row| !json!(row.fields).to_string().contains("his words")));
    // Calling it again takes no more.
    meantime_server::erase::person(core, team, kofi.joined.person).await.unwrap();
    assert!(ana.all().await.iter().any(|row| row.id == decided && row.fields.contains_key("outcome")));
}
