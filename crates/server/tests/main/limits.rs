//! Too much at once: some are sent away, all others go on.

use crate::binary::{Process, init};
use crate::live::Stream;
use crate::world::{Someone, World, eventually};
use chrono::TimeDelta;
use meantime_protocol::http::{BootstrapPage, Me, OpResult, PushOutcome, PushResponse};
use meantime_protocol::kinds::Role;
use meantime_protocol::{Code, Cursor, Kind, MAX_BODY_BYTES, MAX_SMALL_BODY_BYTES, Problem};
use reqwest::{Method, Response, StatusCode};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use serde_json::json;
use std::collections::HashSet;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

const MONITORED: (&str, &str) = ("listen = \"\"", "listen = \"127.0.0.1:0\"");

/// The seconds after which it may come back.
async fn sent_away(answer: Response) -> u32 {
    assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
    let header: u32 = answer.headers()["retry-after"].to_str().unwrap().parse().unwrap();
    let problem: Problem = answer.json().await.unwrap();
    assert_eq!((problem.code, problem.retry_after), (Code::Busy, Some(header)));
    assert!(!problem.message.is_empty());
    header
}

#[tokio::test]
async fn one_stream_too_many_is_sent_away() {
    let world = World::tuned(&[("streams = 20000", "streams = 2"), MONITORED]).await;
    let ana = world.someone("Ana", Role::Owner).await;
    let mut open = vec![Stream::open(&ana).await, Stream::open(&ana).await];
    let mut waits = HashSet::new();
    for _ in 0..40 {
        waits.insert(sent_away(ana.call(Method::GET, "/v1/live").send().await.unwrap()).await);
    }
    assert!(waits.len() > 2 && waits.iter().all(|wait| (1..=10).contains(wait)), "spread out: {waits:?}");
    assert_eq!(world.number("meantime_live_streams").await, 2.0);
    assert_eq!(world.number("meantime_shed_total{limit=\"streams\"}").await, 40.0);
    // Everything else goes on, those streams too.
    ana.thread("goes on").await;
    assert!(open[0].next().await.is_some());
    // Who goes makes room, and who is refused for another reason took none.
    open.pop();
    let stranger = world.client().call(Method::GET, "/v1/live").bearer_auth("nobody");
    eventually("room", async || {
        let answer = stranger.try_clone().unwrap().send().await.unwrap();
        answer.status() == StatusCode::UNAUTHORIZED
    })
    .await;
    Stream::open(&ana).await;
    assert!(world.number("meantime_pokes_total").await >= 1.0);
}

#[tokio::test]
async fn streams_that_come_all_at_once_are_told_when() {
    let world = World::tuned(&[("streams_per_second = 250", "streams_per_second = 1"), MONITORED]).await;
    let ana = world.someone("Ana", Role::Owner).await;
    // Who is not known takes nobody's turn.
    for _ in 0..5 {
        let stranger = world.client().call(Method::GET, "/v1/live").bearer_auth("nobody");
        assert_eq!(stranger.send().await.unwrap().status(), StatusCode::UNAUTHORIZED);
    }
    let mut open = [Stream::open(&ana).await, Stream::open(&ana).await];
    let mut waits = Vec::new();
    for _ in 0..10 {
        waits.push(sent_away(ana.call(Method::GET, "/v1/live").send().await.unwrap()).await);
    }
    assert!(waits.is_sorted() && *waits.last().unwrap() >= 8, "one after the other: {waits:?}");
    assert_eq!(world.number("meantime_shed_total{limit=\"streams_per_second\"}").await, 10.0);
    // Those that are open go on, and time makes room.
    ana.thread("goes on").await;
    assert!(open[0].next().await.is_some());
    eventually("a turn", async || ana.call(Method::GET, "/v1/live").send().await.unwrap().status() == StatusCode::OK)
        .await;
}

#[tokio::test]
async fn one_request_too_many_is_sent_away() {
    let world = World::tuned(&[("requests = 1024", "requests = 1"), MONITORED]).await;
    let ana = world.someone("Ana", Role::Owner).await;
    let mut live = Stream::open(&ana).await;
    // A body that does not end yet is a request under way.
    let (end, more) = tokio::sync::oneshot::channel::<()>();
    let body = serde_json::to_vec(&json!({"device": ana.joined.device, "ops": []})).unwrap();
    let rest = futures::stream::once(async move {
        let _ = more.await;
        Ok::<_, std::io::Error>(body)
    });
    let slow = ana.call(Method::POST, "/v1/push").body(reqwest::Body::wrap_stream(rest)).send();
    let slow = tokio::spawn(slow);
    eventually("it to be under way", async || world.number("meantime_requests_under_way").await == 1.0).await;
    sent_away(ana.call(Method::GET, "/v1/me").send().await.unwrap()).await;
    // Whoever asks how the server is gets an answer, and streams go on.
    assert!(ana.client.alive().await);
    assert!(live.next().await.is_some());
    end.send(()).unwrap();
    assert_eq!(slow.await.unwrap().unwrap().status(), StatusCode::OK);
    eventually("room", async || ana.call(Method::GET, "/v1/me").send().await.unwrap().status() == StatusCode::OK).await;
    assert!(world.number("meantime_shed_total{limit=\"requests\"}").await >= 1.0);
}

/// A request with a secret in it whose body does not end.
async fn drips(world: &World) -> (tokio::sync::oneshot::Sender<()>, tokio::task::JoinHandle<Response>) {
    let (end, more) = tokio::sync::oneshot::channel::<()>();
    let rest = futures::stream::once(async move {
        let _ = more.await;
        Ok::<_, std::io::Error>(json!({"secret": "x", "name": "x", "device_name": "x"}).to_string())
    });
    let before = world.number("meantime_requests_under_way").await;
    let call = world.client().call(Method::POST, "/v1/join").body(reqwest::Body::wrap_stream(rest));
    let slow = tokio::spawn(async move { call.send().await.unwrap() });
    eventually("it to be under way", async || world.number("meantime_requests_under_way").await > before).await;
    (end, slow)
}

#[tokio::test]
async fn strangers_take_their_own_room_and_not_all_of_it() {
    let nobody_exempt = ("exempt = [\"127.0.0.1\", \"::1\"]", "exempt = []");
    let world = World::tuned(&[("requests = 1024", "requests = 64"), nobody_exempt, MONITORED]).await;
    let ana = world.someone("Ana", Role::Owner).await;
    // Eight places for them, two of which one address gets.
    let (first, second) = (drips(&world).await, drips(&world).await);
    let third = world.client().call(Method::POST, "/v1/join").body("{}").send().await.unwrap();
    sent_away(third).await;
    assert_eq!(world.number("meantime_shed_total{limit=\"secrets\"}").await, 1.0);
    ana.thread("goes on").await;
    // Who is done makes room, and nobody stays for long.
    first.0.send(()).unwrap();
    assert_eq!(first.1.await.unwrap().status(), StatusCode::FORBIDDEN);
    let fourth = world.client().call(Method::POST, "/v1/join").body("{}").send().await.unwrap();
    assert_eq!(fourth.status(), StatusCode::BAD_REQUEST);
    let began = Instant::now();
    assert_eq!(second.1.await.unwrap().status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    drop(second.0);
    // They have little to say, too.
    for path in ["/v1/join", "/v1/sign-in"] {
        let much = world.client().call(Method::POST, path).body(" ".repeat(MAX_SMALL_BODY_BYTES + 1));
        assert_eq!(much.send().await.unwrap().status(), StatusCode::PAYLOAD_TOO_LARGE);
    }
}

/// Pushes that take memory and don't end: their person waits, others don't,
/// and all of them together have so much.
#[tokio::test(flavor = "multi_thread")]
async fn pushes_take_so_much_memory() {
    let world = World::tuned(&[("requests = 1024", "requests = 160"), MONITORED]).await;
    let (ana, ben) = (world.someone("Ana", Role::Owner).await, world.someone("Ben", Role::Member).await);
    let kofi = world.someone("Kofi", Role::Member).await;
    let op = |who: &Someone| who.change(Kind::THREAD, uuid::Uuid::now_v7(), json!({"title": "x", "urgency": "green"}));
    let tried = async |who: &Someone| {
        let body = json!({"device": who.joined.device, "ops": [op(who)]});
        who.call(Method::POST, "/v1/push").json(&body).send().await.unwrap()
    };
    // Of 40 MiB one person gets what the heaviest push takes: three of these
    // bodies, and something.
    let hold = |who: &Someone, bytes: usize| {
        let (end, more) = tokio::sync::oneshot::channel::<()>();
        let some = futures::stream::iter((0..bytes >> 16).map(|_| Ok::<_, std::io::Error>(vec![b' '; 1 << 16])));
        let rest = futures::stream::once(async move {
            let _ = more.await;
            Ok(b"{}".to_vec())
        });
        let body = reqwest::Body::wrap_stream(futures::StreamExt::chain(some, rest));
        (end, tokio::spawn(who.call(Method::POST, "/v1/push").body(body).send()))
    };
    let mut held: Vec<_> = (0..3).map(|_| hold(&ana, MAX_BODY_BYTES - (1 << 16))).collect();
    held.push(hold(&ana, 69 << 16));
    let taken = async |bytes: usize| world.number("meantime_push_bytes").await == bytes as f64;
    let hers = 3 * (MAX_BODY_BYTES - (1 << 16)) + (69 << 16);
    eventually("her share to be taken", async || taken(hers).await).await;
    sent_away(tried(&ana).await).await;
    assert_eq!(tried(&ben).await.status(), StatusCode::OK);
    assert!(world.number("meantime_shed_total{limit=\"push_bytes\"}").await == 1.0);
    // She reads and is told as before.
    assert_eq!(ana.call(Method::GET, "/v1/me").send().await.unwrap().status(), StatusCode::OK);
    let others = [hold(&ben, MAX_BODY_BYTES - (1 << 16)), hold(&ben, 62 << 16)];
    let all = hers + (MAX_BODY_BYTES - (1 << 16)) + (62 << 16);
    eventually("all to be taken", async || taken(all).await).await;
    sent_away(tried(&kofi).await).await;
    // What has ended takes nothing.
    for (end, call) in held.into_iter().chain(others) {
        let _ = end.send(());
        let answer = call.await.unwrap();
        assert!(answer.is_err() || !answer.unwrap().status().is_success());
    }
    for who in [&ana, &ben, &kofi] {
        eventually("room", async || tried(who).await.status() == StatusCode::OK).await;
    }
}

/// Pages that are asked for and not taken: their person waits, others don't, and
/// all of them together have so much.
#[tokio::test(flavor = "multi_thread")]
async fn pages_take_so_much_memory() {
    let world = World::tuned(&[("requests = 1024", "requests = 64"), MONITORED]).await;
    let (ana, ben) = (world.someone("Ana", Role::Owner).await, world.someone("Ben", Role::Member).await);
    let kofi = world.someone("Kofi", Role::Member).await;
    let thread = ana.thread("Long").await;
    let text = "long ".repeat(40 << 10);
    ana.push((0..19).map(|_| ana.message(thread, &text)).collect()).await;
    // 3.7 MiB; of 16 MiB one person gets what the longest page may take, two of
    // these. The other side takes no more than half of one on its own.
    let ask = async |who: &Someone| {
        let query = [("scope", who.team().to_string()), ("limit", "1000".to_owned())];
        let answer = who.call(Method::GET, "/v1/bootstrap").query(&query).send().await.unwrap();
        assert_eq!(answer.version(), reqwest::Version::HTTP_2);
        answer
    };
    let taken = async || world.number("meantime_page_bytes").await;
    let mut held = Vec::new();
    for (who, others) in [(&ana, &ben), (&ben, &kofi)] {
        for _ in 0..2 {
            let page = ask(who).await;
            assert_eq!(page.status(), StatusCode::OK);
            held.push(page);
        }
        sent_away(ask(who).await).await;
        if held.len() == 2 {
            assert_eq!(ask(others).await.status(), StatusCode::OK, "she keeps nobody else waiting");
        }
    }
    let length: f64 = held[0].headers()["content-length"].to_str().unwrap().parse().unwrap();
    assert!(length > 3.6e6);
    eventually("four to be under way", async || taken().await == 4.0 * length).await;
    sent_away(ask(&kofi).await).await;
    assert_eq!(world.number("meantime_shed_total{limit=\"page_bytes\"}").await, 3.0);
    // What is short goes on, for whoever waits too.
    let upto = kofi.push(vec![kofi.message(thread, "short")]).await.remove(0);
    let PushOutcome::Applied { seq } = upto.outcome else { panic!("{upto:?}") };
    let me: Me = kofi.call(Method::GET, "/v1/me").send().await.unwrap().json().await.unwrap();
    let page = kofi.pull(Cursor { seq: seq - 1, ..me.scopes[&kofi.team()] }, 10).await.unwrap();
    assert_eq!((page.rows.len(), page.more), (1, false));
    // What was taken, and what nobody waits for any more, takes nothing.
    let whole: BootstrapPage = held.remove(0).json().await.unwrap();
    assert_eq!(whole.rows.iter().filter(|row| row.kind == Kind::MESSAGE).count(), 19);
    drop(held);
    eventually("room", async || taken().await == 0.0).await;
    assert_eq!(ask(&kofi).await.status(), StatusCode::OK);
}

/// Short texts that would be big in memory, at a process of its own.
#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn hostile_pushes_take_little_memory() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("server");
    let link = init(&data);
    let server = Process::serve(&data);
    let ana = server.client(&data).join(&link, "Ana").await;
    let peak = || -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", server.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() >> 10
    };
    let push = async |ops: String| {
        let body = format!("{{\"device\":\"{}\",\"ops\":[{ops}]}}", ana.joined.device);
        assert!(body.len() <= MAX_BODY_BYTES);
        ana.call(Method::POST, "/v1/push").body(body).send().await.unwrap()
    };
    let before = peak();
    // Numbers instead of ops.
    let answer = push(vec!["0"; 4_000_000].join(",")).await;
    assert_eq!(answer.status(), StatusCode::PAYLOAD_TOO_LARGE);
    let after = peak();
    assert!(after < before + 100, "{before} MiB, then {after} MiB");
    // Ops that are within their bytes, and are all but nothing else.
    let zeros = vec!["0"; 130_000].join(",");
    let op = |n: usize, fields: &str| {
        let (op_id, scope, id) = (uuid::Uuid::now_v7(), ana.joined.person, uuid::Uuid::now_v7());
        format!(
            "{{\"n\":{n},\"op_id\":\"{op_id}\",\"scope\":\"user:{scope}\",\"kind\":\"own_thing\",\"id\":\"{id}\",\
             \"fields\":{{\"x\":[{fields}]}}}}"
        )
    };
    let answer = push((1..32).map(|n| op(n, &zeros)).collect::<Vec<_>>().join(",")).await;
    let results = answer.json::<PushResponse>().await.unwrap().results;
    let too_large = |result: &OpResult| matches!(&result.outcome, PushOutcome::Rejected { problem } if problem.code == Code::TooLarge);
    assert!(results.len() == 31 && results.iter().all(too_large), "each by itself");
    // Nor many of them that are within their values.
    let zeros = vec!["0"; 4000].join(",");
    let answer = push((1..400).map(|n| op(n, &zeros)).collect::<Vec<_>>().join(",")).await;
    assert_eq!(answer.status(), StatusCode::PAYLOAD_TOO_LARGE);
    let after = peak();
    assert!(after < before + 100, "{before} MiB, then {after} MiB");
    // One that is far too long spoils nothing beside it.
    let long = op(1, "0").replace("[0]", &format!("\"{}\"", "x".repeat(2 << 20)));
    let deep = op(2, &format!("{}{}", "[".repeat(5000), "]".repeat(5000)));
    let results = push([long, deep, op(3, "0")].join(",")).await.json::<PushResponse>().await.unwrap().results;
    let codes: Vec<_> = results
        .iter()
        .map(|result| match &result.outcome {
            PushOutcome::Rejected { problem } => Some(problem.code),
            _ => None,
        })
        .collect();
    assert_eq!(codes, [Some(Code::TooLarge), Some(Code::Invalid), None]);
}

/// Nor does one address take everybody's.
#[tokio::test]
async fn one_address_takes_its_share() {
    let nobody_exempt = ("exempt = [\"127.0.0.1\", \"::1\"]", "exempt = []");
    let world = World::tuned(&[("requests = 1024", "requests = 8"), nobody_exempt, MONITORED]).await;
    let ana = world.someone("Ana", Role::Owner).await;
    let mut slow = Vec::new();
    for i in 0..2 {
        let (end, more) = tokio::sync::oneshot::channel::<()>();
        let rest = futures::stream::once(async move {
            let _ = more.await;
            Ok::<_, std::io::Error>("{}")
        });
        let call = ana.call(Method::POST, "/v1/push").body(reqwest::Body::wrap_stream(rest));
        slow.push((end, tokio::spawn(call.send())));
        let begun = f64::from(i + 1);
        eventually("it to be under way", async || world.number("meantime_requests_under_way").await == begun).await;
    }
    sent_away(ana.call(Method::GET, "/v1/me").send().await.unwrap()).await;
    for (end, call) in slow {
        end.send(()).unwrap();
        assert_eq!(call.await.unwrap().unwrap().status(), StatusCode::BAD_REQUEST);
    }
    eventually("room", async || ana.call(Method::GET, "/v1/me").send().await.unwrap().status() == StatusCode::OK).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_connection_too_many_of_an_address_is_closed() {
    let few = ("connections_per_address = 1000", "connections_per_address = 4");
    let world = World::tuned(&[few, ("exempt = [\"127.0.0.1\", \"::1\"]", "exempt = []"), MONITORED]).await;
    let address = world.running.address();
    let mut idle: Vec<TcpStream> = (0..4).map(|_| TcpStream::connect(address).unwrap()).collect();
    eventually("them to be open", async || world.number("meantime_connections").await == 4.0).await;
    let mut refused = TcpStream::connect(address).unwrap();
    refused.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    assert!(!matches!(refused.read(&mut [0; 1]), Ok(1..)), "closed without a word");
    assert_eq!(world.number("meantime_connections_refused_total").await, 1.0);
    idle.pop();
    eventually("room", async || world.client().alive().await).await;
}

/// A TLS connection in our own hands.
fn connect(world: &World, protocol: &[u8]) -> StreamOwned<ClientConnection, TcpStream> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(world.data.file("ca.pem")).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let mut config = config.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![protocol.to_vec()];
    let name = ServerName::try_from("localhost").unwrap();
    let tls = ClientConnection::new(Arc::new(config), name).unwrap();
    let tcp = TcpStream::connect(world.running.address()).unwrap();
    tcp.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    tcp.set_write_timeout(Some(Duration::from_secs(20))).unwrap();
    StreamOwned::new(tls, tcp)
}

/// Of HTTP/2 (RFC 9113): length, type, flags, stream, payload.
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let mut frame = u32::try_from(payload.len()).unwrap().to_be_bytes()[1..].to_vec();
    frame.extend([kind, flags]);
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

/// A header as HPACK (RFC 7541) writes one that is not indexed.
fn header(name: &str, value: &str) -> Vec<u8> {
    let mut bytes = vec![0];
    for text in [name, value] {
        bytes.push(u8::try_from(text.len()).unwrap());
        bytes.extend(text.as_bytes());
    }
    bytes
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_is_gone_without_a_word_is_dropped() {
    let world = World::tuned(&[("stall_seconds = 30", "stall_seconds = 1"), MONITORED]).await;
    let ana = world.someone("Ana", Role::Owner).await;
    let mut gone = connect(&world, b"h2");
    let token = format!("Bearer {}", ana.joined.token);
    let headers = [
        (":method", "GET"),
        (":scheme", "https"),
        (":authority", "localhost"),
        (":path", "/v1/live"),
        ("authorization", token.as_str()),
        ("meantime-protocol", "1"),
    ];
    let block: Vec<u8> = headers.iter().flat_map(|(name, value)| header(name, value)).collect();
    gone.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").unwrap();
    gone.write_all(&frame(4, 0, 0, &[])).unwrap();
    gone.write_all(&frame(1, 5, 1, &block)).unwrap();
    gone.flush().unwrap();
    // From here on it neither reads nor answers, as if its cable were cut.
    eventually("its stream", async || world.number("meantime_live_streams").await == 1.0).await;
    eventually("the server to drop it", async || world.number("meantime_live_streams").await == 0.0).await;
    // A live client of the same server is not dropped, though it is as quiet.
    let mut live = Stream::open(&ana).await;
    live.next().await.unwrap();
    tokio::task::spawn_blocking(move || {
        let mut rest = Vec::new();
        // What was sent before it was dropped, and then the end.
        let _ = gone.read_to_end(&mut rest);
    })
    .await
    .unwrap();
    ana.thread("News").await;
    assert!(live.next().await.is_some());
}

/// A cable that is cut: nothing is refused and nothing is answered, and as no
/// data is under way only the system can find out.
#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn a_half_open_connection_is_dropped() {
    let world = World::tuned(&[("stall_seconds = 30", "stall_seconds = 1"), MONITORED]).await;
    let ana = world.someone("Ana", Role::Owner).await;
    let mut gone = connect(&world, b"http/1.1");
    let request = format!(
        "GET /v1/live HTTP/1.1\r\nhost: localhost\r\nmeantime-protocol: 1\r\nauthorization: Bearer {}\r\n\r\n",
        ana.joined.token
    );
    gone.write_all(request.as_bytes()).unwrap();
    gone.flush().unwrap();
    let mut some = [0; 1024];
    assert!(gone.read(&mut some).unwrap() > 0, "the stream has begun");
    assert_eq!(world.number("meantime_live_streams").await, 1.0);
    // From here on whatever comes is thrown away below TCP (a filter that
    // takes nothing: `ret 0`), so that not even an acknowledgement goes back.
    let nothing = socket2::SockFilter::new(0x06, 0, 0, 0);
    socket2::SockRef::from(&gone.sock).attach_filter(&[nothing]).unwrap();
    let began = Instant::now();
    eventually("the server to drop it", async || world.number("meantime_live_streams").await == 0.0).await;
    // Sooner than the next heartbeat, which would have found out otherwise.
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    assert!(ana.client.alive().await);
}

/// Sign-ins that fail have an address wait, not the proxy all of them come from.
#[tokio::test(flavor = "multi_thread")]
async fn behind_a_proxy_each_address_has_its_own_limits() {
    let trusting = World::tuned(&[("trusted_proxies = []", "trusted_proxies = [\"127.0.0.0/8\"]")]).await;
    let (from, other) = ("203.0.113.7", "203.0.113.8");
    let tries = AtomicU32::new(0);
    let fails = async |world: &World, forwarded: &str| {
        let login = format!("nobody{}", tries.fetch_add(1, Ordering::SeqCst));
        let request = json!({"login": login, "password": "not it at all", "device_name": "x"});
        let call = world.client().call(Method::POST, "/v1/sign-in").header("x-forwarded-for", forwarded);
        call.json(&request).send().await.unwrap().status()
    };
    // Until an address has to wait for some seconds.
    for n in 0..24 {
        if n > 0 {
            trusting.clock.pass(TimeDelta::minutes(2));
        }
        assert_eq!(fails(&trusting, from).await, StatusCode::FORBIDDEN, "{n}");
    }
    assert_eq!(fails(&trusting, from).await, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(fails(&trusting, &format!("{other}, {from}")).await, StatusCode::TOO_MANY_REQUESTS, "made up in front");
    assert_eq!(fails(&trusting, other).await, StatusCode::FORBIDDEN, "another address has its own");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_takes_nothing_is_dropped() {
    let world = World::tuned(&[("stall_seconds = 30", "stall_seconds = 1"), MONITORED]).await;
    let ana = world.someone("Ana", Role::Owner).await;
    let thread = ana.thread("Long").await;
    let text = "long ".repeat(10_000);
    for _ in 0..4 {
        ana.push((0..20).map(|_| ana.message(thread, &text)).collect()).await;
    }
    let mut lazy = connect(&world, b"http/1.1");
    let request = format!(
        "GET /v1/bootstrap?scope={}&limit=1000 HTTP/1.1\r\nhost: localhost\r\nmeantime-protocol: 1\r\n\
         authorization: Bearer {}\r\n\r\n",
        ana.team(),
        ana.joined.token
    );
    // More answers than all buffers between hold; none is read.
    for _ in 0..12 {
        lazy.write_all(request.as_bytes()).unwrap();
    }
    lazy.flush().unwrap();
    eventually("it to be dropped", async || world.number("meantime_connections_stalled_total").await >= 1.0).await;
    assert!(ana.client.alive().await);
}
