//! Whatever comes in, the answer is 4xx with a code and a sentence, and the
//! server stays up.

use crate::attachments::stranger;
use crate::world::{Someone, World, eventually};
use chrono::TimeDelta;
use meantime_protocol::kinds::Role;
use meantime_protocol::{Code, Kind, MAX_BODY_BYTES, MAX_OPS, Problem};
use reqwest::{Method, StatusCode};
use rusqlite::Connection;
use serde_json::json;
use std::io::Write as _;
use std::net::TcpStream;
use std::time::Duration;

crate::world::on_both! {
    broken_requests_are_refused_in_words,
    truncated_and_plain_connections_do_no_harm,
}

async fn refused(ana: &Someone, method: Method, path: &str, body: impl Into<reqwest::Body>) -> (u16, Code) {
    let answer = ana.call(method, path).body(body).send().await.unwrap();
    let status = answer.status();
    let text = answer.text().await.unwrap();
    let problem: Problem = serde_json::from_str(&text).unwrap_or_else(|e| panic!("{path}: {status}, {e}: {text}"));
    assert!(!problem.message.is_empty());
    (status.as_u16(), problem.code)
}

async fn broken_requests_are_refused_in_words(world: World) {
    let ana = world.someone("Ana", Role::Owner).await;
    let team = ana.team();
    let post = Method::POST;
    // As deep as it gets within the smallest limit of a body.
    let deep = format!("{}{}", "[".repeat(8_000), "]".repeat(8_000));
    let bodies = [
        "",
        "{",
        "null",
        "[]",
        "7",
        "\"text\"",
        "{\"device\": 1, \"ops\": []}",
        "{\"secret\": {}, \"name\": [], \"device_name\": null}",
        "{\"valid_hours\": \"one\", \"role\": \"member\"}",
        "{\"valid_hours\": 1, \"role\": \"king\"}",
        "{\"valid_hours\": -1, \"role\": \"member\"}",
        "\u{0}\u{1}",
        deep.as_str(),
    ];
    for path in ["/v1/join", "/v1/push", "/v1/invites"] {
        for body in bodies {
            let (status, code) = refused(&ana, post.clone(), path, body.to_owned()).await;
            assert_eq!((status, code), (400, Code::BadRequest), "{path} {:.60}", body);
        }
        assert_eq!(refused(&ana, post.clone(), path, vec![0xff, 0xfe, 0xfd]).await, (400, Code::BadRequest));
        let big = vec![b' '; MAX_BODY_BYTES + 1];
        assert_eq!(refused(&ana, post.clone(), path, big).await, (413, Code::TooLarge));
    }
    let device = ana.joined.device;
    let push = |ops: serde_json::Value| json!({"device": device, "ops": ops}).to_string();
    let many: Vec<_> = (0..=MAX_OPS).map(|n| json!({"n": n})).collect();
    assert_eq!(refused(&ana, post.clone(), "/v1/push", push(json!(many))).await, (413, Code::TooLarge));
    for n in [json!(null), json!(-1), json!("1"), json!(1.5), json!(u64::MAX)] {
        let ops = push(json!([{"n": n}]));
        assert_eq!(refused(&ana, post.clone(), "/v1/push", ops).await, (400, Code::BadRequest), "{n}");
    }
    let other = json!({"device": meantime_model::DeviceId::new(), "ops": []}).to_string();
    assert_eq!(refused(&ana, post.clone(), "/v1/push", other).await, (403, Code::Forbidden));

    let cursor = ana.bootstrap().await.start;
    for (query, status) in [
        (String::new(), 400),
        ("?scope=".into(), 400),
        (format!("?scope={team}"), 400),
        (format!("?scope={team}&cursor=7"), 400),
        (format!("?scope={team}&cursor={cursor}&limit=many"), 400),
        (format!("?scope={team}&cursor={cursor}&limit=-1"), 400),
        (format!("?scope={team}&cursor={cursor}&limit=0"), 422),
        (format!("?scope={team}&cursor={cursor}&limit=1001"), 422),
        (format!("?scope={team}&scope={team}&cursor={cursor}"), 400),
        (format!("?scope=planet:{}&cursor={cursor}", uuid::Uuid::nil()), 400),
        (format!("?scope={team}%00&cursor={cursor}"), 400),
    ] {
        let path = format!("/v1/pull{query}");
        assert_eq!(refused(&ana, Method::GET, &path, "").await.0, status, "{query}");
    }
    let page = format!("/v1/bootstrap?scope={team}&page=nonsense");
    assert_eq!(refused(&ana, Method::GET, &page, "").await, (422, Code::Invalid));
    assert_eq!(refused(&ana, Method::GET, "/v1/nothing", "").await, (404, Code::NotFound));
    assert_eq!(refused(&ana, Method::GET, "/", "").await, (404, Code::NotFound));
    assert_eq!(refused(&ana, Method::GET, "/v1/../../etc/passwd", "").await, (404, Code::NotFound));
    assert_eq!(refused(&ana, Method::DELETE, "/v1/me", "").await, (405, Code::BadRequest));
    assert_eq!(refused(&ana, Method::GET, "/v1/push", "").await, (405, Code::BadRequest));
    assert!(ana.client.alive().await);
    ana.thread("still works").await;
}

async fn truncated_and_plain_connections_do_no_harm(world: World) {
    let ana = world.someone("Ana", Role::Owner).await;
    let address = world.running.address();
    let noise: [&[u8]; 4] = [b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\xff\xff", &[0; 4096], b""];
    for bytes in noise {
        let mut plain = TcpStream::connect(address).unwrap();
        let _ = plain.write_all(bytes);
    }
    // A body that says it is longer than it is, and then ends.
    let chunks = futures::stream::iter([Ok("{\"device\":"), Err(std::io::Error::other("gone"))]);
    let cut = ana.call(Method::POST, "/v1/push").body(reqwest::Body::wrap_stream(chunks)).send().await;
    assert!(cut.is_err());
    // A header that is too long.
    let long = "x".repeat(1 << 20);
    let answer = ana.call(Method::GET, "/v1/me").header("x-long", long).send().await;
    assert!(answer.map_or(true, |answer| answer.status() == StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE));
    let patient = ana.call(Method::GET, "/v1/me").timeout(Duration::from_secs(10)).send().await.unwrap();
    assert_eq!(patient.status(), StatusCode::OK);
}

/// A record that can't be read holds up nobody else's.
#[tokio::test]
async fn one_bad_record_stops_no_other_team() {
    let world = World::new().await;
    let ana = world.someone("Ana", Role::Owner).await;
    let red = stranger(&world, "Rosa").await;
    let now = world.running.core().now();
    let later = async |who: &Someone, minutes: i64| {
        let thread = who.thread("Later").await;
        let mut op = who.message(thread, "soon");
        op.visible_from = Some(now + TimeDelta::minutes(minutes));
        let id = op.id;
        who.push(vec![op]).await;
        id
    };
    let bad = later(&ana, 10).await;
    let good = later(&red, 20).await;
    let db = Connection::open(world.data.file("server.db")).unwrap();
    db.busy_timeout(Duration::from_secs(10)).unwrap();
    let broken = "UPDATE record SET fields = '{' WHERE id = ?";
    assert_eq!(db.execute(broken, [bad.as_bytes().as_slice()]).unwrap(), 1);
    world.clock.pass(TimeDelta::hours(1));
    // Whoever sends later wakes the clockwork.
    later(&red, 600).await;
    let seen = async || red.all().await.into_iter().find(|row| row.kind == Kind::MESSAGE && row.id == good);
    eventually("the other team's to appear", async || {
        seen().await.is_some_and(|row| row.updated_at > now + TimeDelta::minutes(30))
    })
    .await;
}
