//! Tools that know nothing but docs/openapi.json: bad bodies for every route,
//! and schemathesis, which makes its own.

use crate::world::World;
use meantime_protocol::kinds::Role;
use meantime_protocol::{MAX_BODY_BYTES, Problem};
use meantime_server::http::{Door, ROUTES};
use reqwest::{Method, StatusCode};
use std::path::Path;
use std::process::Command;

/// A path of the table with something in place of what varies.
fn filled(path: &str, with: &str) -> String {
    path.split('/').map(|part| if part.starts_with('{') { with } else { part }).collect::<Vec<_>>().join("/")
}

#[tokio::test]
async fn every_route_refuses_what_is_no_request_in_words() {
    let world = World::new().await;
    let ana = world.someone("Ana", Role::Owner).await;
    let deep = "[".repeat(50_000) + &"]".repeat(50_000);
    let nested = "{\"device\":".repeat(2000) + "1" + &"}".repeat(2000);
    let big = " ".repeat(MAX_BODY_BYTES + 1);
    let bodies = ["", "{", "null", "[]", "7", "\"text\"", "{\"a\":", "\u{0}", "{}", &deep, &nested, &big];
    for route in ROUTES.iter().filter(|route| !matches!(route.door, Door::Stream | Door::Open)) {
        let method: Method = route.method.parse().unwrap();
        for varies in ["x", "%00", "%ff", "..%2f..%2fetc%2fpasswd", &"9".repeat(4000)] {
            for body in bodies {
                let path = filled(route.path, varies);
                let answer = ana.call(method.clone(), &path).body(body.to_owned()).send().await.unwrap();
                let status = answer.status();
                let about = format!("{} {} with {:.20}: {status}", route.method, route.path, body);
                assert!(!status.is_server_error(), "{about}");
                if status.is_client_error() && method != Method::HEAD {
                    let problem: Problem = answer.json().await.unwrap_or_else(|e| panic!("{about}: {e}"));
                    assert!(!problem.message.is_empty(), "{about}");
                }
            }
            if !route.path.contains('{') {
                break;
            }
        }
    }
    assert!(ana.client.alive().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn schemathesis_finds_no_fault_of_the_servers() {
    // `cargo xtask test` installs it and says where.
    let Some(program) = std::env::var_os("MEANTIME_SCHEMATHESIS").filter(|path| !path.is_empty()) else {
        eprintln!("MEANTIME_SCHEMATHESIS names no schemathesis: this was not tried");
        return;
    };
    let world = World::new().await;
    let ana = world.someone("Ana", Role::Owner).await;
    ana.thread("Something to read").await;
    let document = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/openapi.json");
    let dir = tempfile::tempdir().unwrap();
    let mut run = Command::new(program);
    run.arg("run").arg(document).current_dir(dir.path());
    run.args(["--url", &format!("https://127.0.0.1:{}", world.running.address().port())]);
    run.arg("--tls-verify").arg(world.data.file("ca.pem"));
    run.args(["--header", &format!("Authorization: Bearer {}", ana.joined.token)]);
    run.args(["--checks", "not_a_server_error,content_type_conformance,response_schema_conformance"]);
    // A stream has no end, and it would find its own device and end it.
    for path in ["/v1/live", "/v1/devices/{id}", "/v1/members/{id}"] {
        run.args(["--exclude-path", path]);
    }
    run.args(["--phases", "examples,coverage,fuzzing", "--max-examples", "20", "--max-time", "60"]);
    // A server that refuses a body may close before it was sent: HTTP/1.1 has that race.
    run.args(["--request-retries", "3", "--max-failures", "5", "--seed", "7", "--generation-database", "none"]);
    run.arg("--no-color");
    let output = tokio::task::spawn_blocking(move || run.output()).await.unwrap().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert!(ana.client.alive().await);
    let me = ana.call(Method::GET, "/v1/me").send().await.unwrap().status();
    assert!(me == StatusCode::OK || me == StatusCode::TOO_MANY_REQUESTS, "{me}");
}
