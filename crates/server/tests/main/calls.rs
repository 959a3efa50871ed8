//! The calls as a client sees them. The rules behind them have their own suite.

use crate::world::World;
use meantime_protocol::http::{InviteRequest, InviteResponse, Me, PushOutcome, PushResponse};
use meantime_protocol::kinds::Role;
use meantime_protocol::{Code, Cursor, Epoch, Kind, Problem, Scope, VERSION, VERSION_HEADER};
use meantime_server_core::TeamScope;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use uuid::Uuid;

crate::world::on_both! {
    somebody_joins_with_a_link_once,
    every_op_has_its_outcome,
    a_feed_is_pulled_in_pages,
    another_team_is_not_there,
    a_request_says_its_version_and_who_it_is,
}

async fn somebody_joins_with_a_link_once(world: World) {
    let ana = world.someone("Ana", Role::Owner).await;
    let request = InviteRequest { valid_hours: 2, role: Role::Member };
    let answer = ana.call(Method::POST, "/v1/invites").json(&request).send().await.unwrap();
    let invite: InviteResponse = answer.json().await.unwrap();
    let kofi = world.client().join(&invite.link, "Kofi").await;
    assert_eq!(kofi.joined.team_name, "Blue Team");
    let (status, problem) = world.client().try_join(&invite.link, "Mallory").await.err().unwrap();
    assert_eq!((status, problem.code), (StatusCode::FORBIDDEN, Code::InviteInvalid));
    let refused = kofi.call(Method::POST, "/v1/invites").json(&request).send().await.unwrap();
    assert_eq!(refused.status(), StatusCode::FORBIDDEN);

    let me: Me = kofi.call(Method::GET, "/v1/me").send().await.unwrap().json().await.unwrap();
    assert_eq!((me.person, me.team, me.device), (kofi.joined.person, kofi.joined.team, kofi.joined.device));
    assert_eq!(me.scopes.len(), 2);
    let names: Vec<Value> =
        kofi.all().await.iter().filter(|r| r.kind == Kind::MEMBER).map(|r| r.fields["name"].clone()).collect();
    assert_eq!(names, ["Ana", "Kofi"]);
}

async fn every_op_has_its_outcome(world: World) {
    let ana = world.someone("Ana", Role::Owner).await;
    let thread = ana.thread("A hundred").await;
    let mut ops = vec![
        json!({"n": 1000, "op_id": "not one", "scope": "team:nowhere", "kind": 7}),
        serde_json::to_value(ana.message(Uuid::now_v7(), "into nowhere")).unwrap(),
    ];
    ops.extend((0..100).map(|i| serde_json::to_value(ana.message(thread, &format!("{i}"))).unwrap()));
    let push = json!({"device": ana.joined.device, "ops": ops});
    for round in 0..2 {
        let answer = ana.call(Method::POST, "/v1/push").json(&push).send().await.unwrap();
        let results = answer.json::<PushResponse>().await.unwrap().results;
        assert_eq!(results.len(), 102);
        let code = |i: usize| match &results[i].outcome {
            PushOutcome::Rejected { problem } => problem.code,
            other => panic!("{other:?}"),
        };
        assert_eq!((results[0].n, code(0), code(1)), (1000, Code::Invalid, Code::NotFound));
        let taken = results[2..].iter().filter(|r| matches!(r.outcome, PushOutcome::Applied { .. })).count();
        let again = results[2..].iter().filter(|r| r.outcome == PushOutcome::Duplicate).count();
        assert_eq!((taken, again), if round == 0 { (100, 0) } else { (0, 100) });
    }
    assert_eq!(ana.all().await.iter().filter(|row| row.kind == Kind::MESSAGE).count(), 100);
}

async fn a_feed_is_pulled_in_pages(world: World) {
    let ana = world.someone("Ana", Role::Owner).await;
    let thread = ana.thread("Pages").await;
    ana.push((0..250).map(|i| ana.message(thread, &format!("{i}"))).collect()).await;
    let seqs: Vec<u64> = ana.all().await.iter().map(|row| row.seq).collect();
    assert_eq!(seqs, (1..=253).collect::<Vec<_>>());
    let start = ana.bootstrap().await.start;
    assert_eq!(start.seq, 253);
    for gone in [Cursor { epoch: Epoch(start.epoch.0 ^ 1), ..start }, Cursor { seq: 254, ..start }] {
        assert_eq!(ana.pull(gone, 10).await.unwrap_err(), (StatusCode::GONE, Code::CursorGone));
    }
}

async fn another_team_is_not_there(world: World) {
    let ana = world.someone("Ana", Role::Owner).await;
    let core = world.running.core();
    let theirs = core.found("Red Team").await.unwrap();
    let request = InviteRequest { valid_hours: 1, role: Role::Owner };
    let secret = core.invite(TeamScope::operator(theirs), &request).await.unwrap().secret.reveal();
    let join = json!({"secret": secret, "name": "Mallory", "device_name": "x"});
    let joined: Value =
        world.client().call(Method::POST, "/v1/join").json(&join).send().await.unwrap().json().await.unwrap();
    let mallory =
        |path: String| world.client().call(Method::GET, &path).bearer_auth(joined["token"].as_str().unwrap()).send();
    let start = ana.bootstrap().await.start;
    let mut answers = std::collections::HashSet::new();
    for (scope, status) in [
        (ana.team(), StatusCode::NOT_FOUND),
        (Scope::User(ana.joined.person), StatusCode::NOT_FOUND),
        (Scope::Team(meantime_model::TeamId::new()), StatusCode::NOT_FOUND),
        (Scope::Private(Uuid::now_v7()), StatusCode::GONE),
    ] {
        for path in [format!("/v1/pull?scope={scope}&cursor={start}"), format!("/v1/bootstrap?scope={scope}")] {
            let answer = mallory(path).await.unwrap();
            assert_eq!(answer.status(), status);
            answers.insert(answer.text().await.unwrap());
        }
    }
    assert_eq!(answers.len(), 2, "one for feeds, one for circles: {answers:?}");
    let live: Value = mallory("/v1/me".into()).await.unwrap().json().await.unwrap();
    assert!(!live.to_string().contains(&ana.joined.team.to_string()));
}

async fn a_request_says_its_version_and_who_it_is(world: World) {
    let ana = world.someone("Ana", Role::Owner).await;
    let get = |path: &str| ana.client.http.get(format!("{}{path}", ana.client.base)).bearer_auth(&ana.joined.token);
    for (version, status, code) in [
        (Some("1"), 200, None),
        (Some(" 1 "), 200, None),
        (None, 400, Some(Code::BadRequest)),
        (Some("one"), 400, Some(Code::BadRequest)),
        (Some("0"), 426, Some(Code::VersionUnsupported)),
        (Some("2"), 426, Some(Code::VersionUnsupported)),
        (Some("4294967295"), 426, Some(Code::VersionUnsupported)),
    ] {
        let mut request = get("/v1/me");
        if let Some(version) = version {
            request = request.header(VERSION_HEADER, version);
        }
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status().as_u16(), status, "{version:?}");
        if let Some(code) = code {
            assert_eq!(answer.json::<Problem>().await.unwrap().code, code);
        }
    }
    for token in [None, Some(""), Some("x"), Some("Basic x"), Some("Bearer "), Some("Bearer x y")] {
        let mut request = world.client().call(Method::GET, "/v1/me");
        if let Some(token) = token {
            request = request.header("authorization", token);
        }
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::UNAUTHORIZED, "{token:?}");
        assert_eq!(answer.json::<Problem>().await.unwrap().code, Code::Unauthorized);
    }
    let health = ana.client.http.get(format!("{}/healthz", ana.client.base)).send().await.unwrap();
    assert_eq!(health.status(), StatusCode::OK);
    assert!(health.headers().contains_key("x-request-id"));
    assert_eq!(VERSION, 1, "this test lists the versions around it");
}
