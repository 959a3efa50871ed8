//! What monitoring and supervisors are told.

use crate::binary::{Process, command, init};
use crate::world::{World, eventually, monitored};
use meantime_protocol::Kind;
use meantime_protocol::kinds::Role;
use reqwest::{Method, StatusCode};
use rusqlite::Connection;
use serde_json::json;
use std::process::Command;
use std::time::{Duration, Instant};

const MONITORED: (&str, &str) = ("listen = \"\"", "listen = \"127.0.0.1:0\"");

#[tokio::test]
async fn the_numbers_tell_what_was_done() {
    let world = World::tuned(&[MONITORED]).await;
    let ana = world.someone("Ana", Role::Owner).await;
    let thread = ana.thread("Numbers").await;
    let op = ana.message(thread, "once");
    ana.push(vec![op.clone()]).await;
    ana.push(vec![op]).await;
    ana.push(vec![ana.change(Kind::AGREEMENT, uuid::Uuid::now_v7(), json!({"team": ""}))]).await;
    let _ = ana.call(Method::GET, "/v1/nothing?secret=x").send().await.unwrap();
    let _ = ana.call(Method::from_bytes(b"FROB").unwrap(), "/v1/me").send().await.unwrap();
    for (name, at_least) in [
        ("meantime_requests_total{method=\"POST\",route=\"/v1/push\",status=\"200\"}", 4.0),
        ("meantime_requests_total{method=\"POST\",route=\"/v1/join\",status=\"200\"}", 1.0),
        ("meantime_requests_total{method=\"GET\",route=\"none\",status=\"404\"}", 1.0),
        ("meantime_requests_total{method=\"other\",route=\"/v1/me\",status=\"405\"}", 1.0),
        ("meantime_request_seconds_count{route=\"/v1/push\"}", 4.0),
        ("meantime_ops_total{outcome=\"applied\"}", 2.0),
        ("meantime_ops_total{outcome=\"duplicate\"}", 1.0),
        ("meantime_ops_total{outcome=\"rejected\"}", 1.0),
        ("meantime_storage_calls_total{call=\"commit\"}", 3.0),
        ("meantime_requests_under_way", 0.0),
        ("meantime_connections", 1.0),
        ("meantime_certificate_until_seconds", 1.8e9),
        ("meantime_start_time_seconds", 1.7e9),
    ] {
        let value = world.number(name).await;
        assert!(value >= at_least, "{name} is {value}:\n{}", world.monitored("metrics").await.1);
    }
    assert!(world.monitored("metrics").await.1.contains("\nmeantime_passwords_queued 0\n"));
    let (status, text) = world.monitored("metrics").await;
    assert_eq!(status, StatusCode::OK);
    assert!(text.ends_with("# EOF\n"));
    for hidden in ["secret=x", "Ana", "Numbers", &ana.joined.team.to_string(), &ana.joined.person.to_string()] {
        assert!(!text.contains(hidden), "{hidden}");
    }
    // The numbers are not for whoever reaches the server.
    let outside = ana.client.http.get(format!("{}/metrics", ana.client.base)).send().await.unwrap();
    assert_eq!(outside.status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_server_that_ends_is_not_ready() {
    let world = World::tuned(&[MONITORED]).await;
    let ana = world.someone("Ana", Role::Owner).await;
    for page in ["healthz", "readyz"] {
        assert_eq!(world.monitored(page).await.0, StatusCode::OK);
        let outside = ana.client.http.get(format!("{}/{page}", ana.client.base)).send().await.unwrap();
        assert_eq!(outside.status(), StatusCode::OK, "{page}");
    }
    // A request under way lets the server wait for it.
    let (end, more) = tokio::sync::oneshot::channel::<()>();
    let body = serde_json::to_vec(&json!({"device": ana.joined.device, "ops": []})).unwrap();
    let rest = futures::stream::once(async move {
        let _ = more.await;
        Ok::<_, std::io::Error>(body)
    });
    let slow = tokio::spawn(ana.call(Method::POST, "/v1/push").body(reqwest::Body::wrap_stream(rest)).send());
    let at = world.running.monitoring().unwrap();
    eventually("it to be under way", async || world.number("meantime_requests_under_way").await == 1.0).await;
    let stopping = tokio::spawn(world.running.stop());
    eventually("not ready", async || monitored(at, "readyz").await.0 == StatusCode::SERVICE_UNAVAILABLE).await;
    assert_eq!(monitored(at, "healthz").await.0, StatusCode::OK, "it ends, and is well");
    end.send(()).unwrap();
    let _ = slow.await.unwrap();
    stopping.await.unwrap().unwrap();
}

/// Another process keeps everybody from writing; reading goes on.
#[tokio::test]
async fn a_server_that_can_not_write_is_not_ready() {
    let world = World::tuned(&[MONITORED]).await;
    let (began, calls) = (Instant::now(), "meantime_storage_calls_total{call=\"writable\"}");
    for _ in 0..50 {
        assert_eq!(world.monitored("readyz").await.0, StatusCode::OK);
    }
    // However many ask, it is not tried more often than in five seconds.
    let tried = world.number(calls).await;
    assert!(tried >= 1.0 && tried <= 1.0 + (began.elapsed().as_secs() / 5) as f64, "{tried}");
    let other = Connection::open(world.data.database()).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    eventually("not ready", async || {
        let asked = Instant::now();
        let (status, said) = world.monitored("readyz").await;
        assert!(asked.elapsed() < Duration::from_secs(10), "{:?}", asked.elapsed());
        status == StatusCode::SERVICE_UNAVAILABLE && said.contains("can't be written")
    })
    .await;
    assert_eq!(world.monitored("healthz").await.0, StatusCode::OK, "it lives");
    other.execute_batch("ROLLBACK").unwrap();
    eventually("ready", async || world.monitored("readyz").await.0 == StatusCode::OK).await;
}

/// On a small disk of its own, as for attachments.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_server_on_a_full_disk_is_not_ready() {
    use std::io::Write as _;
    let asked = Command::new("unshare").args(["--map-root-user", "--mount", "true"]).output().unwrap();
    if !asked.status.success() {
        let why = String::from_utf8_lossy(&asked.stderr);
        writeln!(std::io::stderr(), "skipped: a full disk under the database: no user namespaces ({})", why.trim())
            .unwrap();
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let (made, small) = (dir.path().join("made"), dir.path().join("small"));
    let link = init(&made);
    std::fs::create_dir(&small).unwrap();
    let on_small = "mount -t tmpfs -o size=24m,mode=700 small \"$0\" && cp -p \"$1\"/* \"$0\" && shift && exec \"$@\"";
    let mut serve = Command::new("unshare");
    serve.args(["--map-root-user", "--mount", "sh", "-c", on_small]).args([&small, &made]);
    let on_it = command("serve", &small);
    serve.arg(on_it.get_program()).args(on_it.get_args()).args(["--listen", "127.0.0.1:0"]);
    let server = Process::start(serve);
    let ana = server.client(&made).join(&link, "Ana").await;
    let thread = ana.thread("Full").await;
    let ready = async || ana.client.call(Method::GET, "/readyz").send().await.unwrap().status();
    assert_eq!(ready().await, StatusCode::OK);
    let ballast = format!("/proc/{}/root{}/ballast", server.child.id(), small.display());
    let mut file = std::fs::File::create(&ballast).unwrap();
    while file.write_all(&[0; 1024]).is_ok() {}
    drop(file);
    eventually("not ready", async || ready().await == StatusCode::SERVICE_UNAVAILABLE).await;
    let large = ana.message(thread, &"x".repeat(200 << 10));
    assert!(ana.try_push(vec![large.clone()]).await.is_err());
    assert!(ana.client.alive().await, "it lives, and is read from");
    std::fs::remove_file(&ballast).unwrap();
    eventually("ready", async || ready().await == StatusCode::OK).await;
    ana.push(vec![large]).await;
    assert!(ana.all().await.iter().any(|row| row.kind == Kind::MESSAGE), "it goes on as if nothing had been");
}
