//! Over a real local socket, with a host of a few made-up commands.

use super::lines::{self, Line, Lines};
use super::server::hand_on;
use super::*;
use crate::api::{Caller, Event, Failure, FailureCode, Tag};
use meantime_platform::{Dirs, local};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::sync::{Notify, broadcast, mpsc};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// `echo` answers its arguments, `wait` answers once `go` was called,
/// `fail` fails, `bug` panics.
struct Fake {
    events: broadcast::Sender<Event>,
    go: Notify,
    finished: AtomicU32,
    started: AtomicU32,
}

#[async_trait::async_trait]
impl Caller for Fake {
    async fn call(&self, name: &str, args: Value) -> Result<Value, Failure> {
        match name {
            "echo" => Ok(args),
            "wait" => {
                self.started.fetch_add(1, Ordering::SeqCst);
                self.go.notified().await;
                self.finished.fetch_add(1, Ordering::SeqCst);
                Ok(json!("at last"))
            }
            "go" => {
                self.go.notify_one();
                Ok(json!({}))
            }
            "fail" => Err(Failure::new(FailureCode::NotFound, "there is no such item")),
            "bug" => panic!("on purpose"),
            _ => Err(Failure::new(FailureCode::Invalid, format!("there is no command {name}"))),
        }
    }
}

impl Host for Fake {
    fn events(&self) -> broadcast::Receiver<Event> {
        self.events.subscribe()
    }
}

struct Engine {
    _home: TempDir,
    dirs: Dirs,
    fake: Arc<Fake>,
    shutdown: CancellationToken,
    served: JoinHandle<()>,
}

async fn engine() -> Engine {
    let home = tempfile::tempdir().unwrap();
    let at = home.path();
    let dirs = Dirs { data: at.join("data"), cache: at.join("cache"), runtime: at.join("run") };
    let fake = Arc::new(Fake {
        events: broadcast::Sender::new(8),
        go: Notify::new(),
        finished: AtomicU32::new(0),
        started: AtomicU32::new(0),
    });
    let shutdown = CancellationToken::new();
    let listener = listen(&dirs).await.unwrap();
    let served = tokio::spawn(listener.serve(Arc::clone(&fake) as Arc<dyn Host>, shutdown.clone()));
    Engine { _home: home, dirs, fake, shutdown, served }
}

impl Engine {
    async fn connect(&self) -> Connection {
        connect(&self.dirs).await.unwrap().unwrap()
    }

    /// A client that says what it likes.
    async fn raw(&self) -> BufReader<local::Stream> {
        BufReader::new(local::connect(&self.dirs).await.unwrap().unwrap())
    }
}

async fn say<S: AsyncRead + AsyncWrite + Unpin>(to: &mut BufReader<S>, bytes: &[u8]) -> Value {
    to.write_all(bytes).await.unwrap();
    heard(to).await
}

async fn heard<S: AsyncRead + Unpin>(from: &mut BufReader<S>) -> Value {
    let mut line = String::new();
    within(from.read_line(&mut line)).await.unwrap();
    serde_json::from_str(&line).unwrap_or_else(|e| panic!("{e}: {line:?}"))
}

async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(20), future).await.expect("it takes too long")
}

async fn until(mut holds: impl FnMut() -> bool) {
    within(async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
}

fn changed() -> Event {
    Event::Changed { tags: vec![Tag::Inbox] }
}

#[tokio::test]
async fn calls_are_answered() {
    let engine = engine().await;
    let connection = engine.connect().await;
    let title = json!({ "title": "Grüße,\n\u{1F980} and a line" });
    assert_eq!(connection.call("echo", title.clone()).await, Ok(title));
    let failure = connection.call("fail", json!({})).await.unwrap_err();
    assert_eq!(failure, Failure::new(FailureCode::NotFound, "there is no such item"));
    assert_eq!(connection.call("bug", json!({})).await.unwrap_err().code, FailureCode::Internal);
    assert_eq!(connection.call("echo", json!(1)).await, Ok(json!(1)), "a bug ends nothing but its own request");
}

#[tokio::test]
async fn requests_of_one_connection_run_side_by_side() {
    let engine = engine().await;
    let connection = engine.connect().await;
    let (waited, _) =
        within(async { tokio::join!(connection.call("wait", json!({})), connection.call("go", json!({}))) }).await;
    assert_eq!(waited, Ok(json!("at last")));
}

#[tokio::test]
async fn events_reach_who_listens() {
    let engine = engine().await;
    let (listens, calls) = (engine.connect().await, engine.connect().await);
    let mut events = listens.events().await.unwrap();
    assert_eq!(calls.call("echo", json!(1)).await, Ok(json!(1)));
    engine.fake.events.send(changed()).unwrap();
    assert_eq!(within(events.recv()).await.unwrap(), changed());
    assert_eq!(engine.fake.events.receiver_count(), 1, "only who asked");
    drop((listens, events));
    until(|| engine.fake.events.receiver_count() == 0).await;
}

#[tokio::test]
async fn garbage_is_answered_and_the_connection_goes_on() {
    let engine = engine().await;
    let mut raw = engine.raw().await;
    let lines: [(&[u8], Value); 8] = [
        (b"hello\n", Value::Null),
        (b"\xff\xfe\x00\n", Value::Null),
        (b"[]\n", Value::Null),
        (b"{\"call\":\"echo\"}\n", Value::Null),
        (b"{\"id\":-1,\"call\":\"echo\"}\n", Value::Null),
        (b"{\"id\":7}\n", json!(7)),
        (b"{\"id\":8,\"call\":\"echo\",\"argh\":1}\n", json!(8)),
        (b"{\"id\":9,\"call\":\"echo\",\"listen\":true}\n", json!(9)),
    ];
    for (line, id) in lines {
        let answer = say(&mut raw, line).await;
        assert_eq!((&answer["id"], &answer["failure"]["code"]), (&id, &json!("invalid")), "{line:?}");
    }
    let deep = [vec![b'['; 100_000], b"\n".to_vec()].concat();
    assert_eq!(say(&mut raw, &deep).await["failure"]["code"], "invalid");
    assert_eq!(say(&mut raw, b"\n \r\n{\"id\":1,\"call\":\"echo\"}\r\n").await, json!({ "id": 1, "ok": {} }));
}

#[tokio::test]
async fn a_line_too_long_is_skipped() {
    let engine = engine().await;
    let mut raw = engine.raw().await;
    let chunk = vec![b'x'; 1 << 20];
    for _ in 0..17 {
        raw.write_all(&chunk).await.unwrap();
    }
    let answer = say(&mut raw, b"\n").await;
    assert_eq!(answer["failure"]["message"], "a request may be 16 MiB long at most; this one was skipped");
    assert_eq!(say(&mut raw, b"{\"id\":1,\"call\":\"echo\",\"args\":2}\n").await, json!({ "id": 1, "ok": 2 }));
}

#[cfg(unix)] // a named pipe has no half that can be closed
#[tokio::test]
async fn half_a_line_is_no_request_and_a_half_closed_connection_gets_its_answer() {
    let engine = engine().await;
    let socket = engine.dirs.runtime.join("engine.sock");
    let mut raw = BufReader::new(tokio::net::UnixStream::connect(socket).await.unwrap());
    raw.write_all(b"{\"id\":1,\"call\":\"wait\"}\n{\"id\":2,\"call\":\"go\"").await.unwrap();
    until(|| engine.fake.started.load(Ordering::SeqCst) == 1).await;
    raw.shutdown().await.unwrap();
    engine.fake.go.notify_one();
    assert_eq!(heard(&mut raw).await, json!({ "id": 1, "ok": "at last" }));
    let mut rest = String::new();
    within(raw.read_to_string(&mut rest)).await.unwrap();
    assert_eq!(rest, "", "the half line is not answered, and the connection is closed");
}

#[tokio::test]
async fn what_a_killed_client_asked_for_is_finished() {
    let engine = engine().await;
    let mut raw = engine.raw().await;
    raw.write_all(b"{\"id\":1,\"call\":\"wait\"}\n").await.unwrap();
    until(|| engine.fake.started.load(Ordering::SeqCst) == 1).await;
    drop(raw);
    engine.fake.go.notify_one();
    until(|| engine.fake.finished.load(Ordering::SeqCst) == 1).await;
    assert_eq!(engine.connect().await.call("echo", json!(3)).await, Ok(json!(3)));
}

#[tokio::test]
async fn too_many_connections_are_told_so() {
    let engine = engine().await;
    let mut open = Vec::new();
    for n in 0..64 {
        let connection = engine.connect().await;
        assert_eq!(connection.call("echo", json!(n)).await, Ok(json!(n)));
        open.push(connection);
    }
    let refused = engine.connect().await.call("echo", json!(1)).await.unwrap_err();
    assert!(refused.message.contains("too many programs"), "{refused}");
    open.pop();
    within(async {
        while engine.connect().await.call("echo", json!(1)).await.is_err() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
}

#[tokio::test]
async fn who_reads_events_too_slowly_is_told_and_cut_off() {
    let (events, to) = (broadcast::Sender::new(4), mpsc::channel(1));
    let handing_on = tokio::spawn(hand_on(events.subscribe(), to.0));
    let mut queue = to.1;
    while events.send(changed()).is_ok_and(|_| events.len() < 4 || queue.is_empty()) {
        tokio::task::yield_now().await;
    }
    // Full everywhere: more than the channel holds.
    for _ in 0..8 {
        events.send(changed()).unwrap();
    }
    let mut last = Value::Null;
    while let Some(line) = within(queue.recv()).await {
        last = serde_json::from_slice(&line).unwrap();
    }
    assert_eq!((&last["closing"], &last["failure"]["code"]), (&json!(true), &json!("not_possible")));
    within(handing_on).await.unwrap();
}

#[tokio::test]
async fn a_reader_that_takes_nothing_does_not_hold_the_writer() {
    let (ours, theirs) = tokio::io::duplex(64);
    let (to, queue) = mpsc::channel(4);
    let writer = tokio::spawn(lines::write(ours, queue, Duration::from_millis(20)));
    to.send(vec![b'x'; 1000]).await.unwrap();
    within(to.closed()).await;
    within(writer).await.unwrap();
    drop(theirs);
}

#[tokio::test]
async fn lines_may_come_in_any_pieces() {
    for size in [1, 2, 3, 7, 64] {
        let text: &[u8] = b"one\n\ntoo long for us\nfour\nhalf";
        let mut lines = Lines::new(BufReader::with_capacity(size, text), 5);
        let mut got = Vec::new();
        loop {
            match lines.next().await.unwrap() {
                Line::End => break,
                line => got.push(line),
            }
        }
        let whole = |text: &str| Line::Whole(text.into());
        assert_eq!(got, [whole("one"), whole(""), Line::TooLong, whole("four")], "in pieces of {size}");
    }
}

#[tokio::test]
async fn stopping_lets_requests_finish_and_frees_the_socket() {
    let engine = engine().await;
    let connection = engine.connect().await;
    let asked = tokio::spawn(async move { (connection.call("wait", json!({})).await, connection) });
    until(|| engine.fake.started.load(Ordering::SeqCst) == 1).await;
    engine.shutdown.cancel();
    within(async {
        while connect(&engine.dirs).await.unwrap().is_some() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
    engine.fake.go.notify_one();
    let (answer, connection) = within(asked).await.unwrap();
    assert_eq!(answer, Ok(json!("at last")));
    within(engine.served).await.unwrap();
    assert_eq!(connection.call("echo", json!(1)).await.unwrap_err().code, FailureCode::NotPossible);
}
