//! The engine's side: many connections, many requests each, all bounded.

use super::lines::{self, Line, Lines, PATIENCE, line};
use crate::api::{Caller, Event, Failure, FailureCode, Nothing};
use meantime_platform::{Dirs, local};
use serde::Deserialize;
use serde_json::{Value, json};
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, BufReader};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, broadcast, mpsc};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// A request is at most so long, in bytes.
const LONGEST_REQUEST: usize = 16 << 20;
/// Connections at the same time.
const CONNECTIONS: usize = 64;
/// Requests of one connection that run at the same time; more wait.
const REQUESTS: usize = 32;
/// Answers and events that wait for a connection to read them.
const QUEUE: usize = 64;
/// What runs may take so long to finish when the engine stops.
const FINISH_WITHIN: Duration = Duration::from_secs(5);

/// What answers on the socket: the engine.
pub trait Host: Caller {
    /// Events from now on.
    fn events(&self) -> broadcast::Receiver<Event>;
}

/// A bound socket that does not answer yet.
pub struct Listener(local::Listener);

/// Binds the profile's socket.
///
/// # Errors
/// `AddrInUse` if another engine answers there; else what the system says.
pub async fn listen(dirs: &Dirs) -> io::Result<Listener> {
    local::Listener::bind(dirs).await.map(Listener)
}

impl Listener {
    /// Answers until `shutdown`, then lets running requests finish for up to
    /// five seconds and removes the socket. A request that is running when
    /// its client goes away is finished.
    pub async fn serve(self, host: Arc<dyn Host>, shutdown: CancellationToken) {
        let places = Arc::new(Semaphore::new(CONNECTIONS));
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                () = shutdown.cancelled() => break,
                Some(_) = connections.join_next() => {}
                accepted = self.0.accept() => match accepted {
                    Ok(stream) => match Arc::clone(&places).try_acquire_owned() {
                        Ok(place) => { connections.spawn(converse(stream, Arc::clone(&host), shutdown.clone(), place)); }
                        Err(_) => { connections.spawn(turn_away(stream)); }
                    },
                    Err(e) => {
                        tracing::warn!("the local socket can't accept a connection, trying again: {e}");
                        tokio::time::sleep(Duration::from_millis(200)).await;
                    }
                },
            }
        }
        // Nobody new; the file is gone before the last answer is out.
        drop(self.0);
        let all = async { while connections.join_next().await.is_some() {} };
        if tokio::time::timeout(FINISH_WITHIN, all).await.is_err() {
            tracing::warn!("a local request did not finish in time, and was cut off");
        }
    }
}

async fn turn_away(mut stream: local::Stream) {
    let full = Failure::new(FailureCode::NotPossible, "too many programs talk to Meantime at once; close one");
    let (to, from) = mpsc::channel(1);
    last_words(&to, full).await;
    drop(to);
    lines::write(&mut stream, from, PATIENCE).await;
}

/// One connection, until its client or the engine ends.
async fn converse(
    stream: impl AsyncRead + AsyncWrite,
    host: Arc<dyn Host>,
    shutdown: CancellationToken,
    _place: OwnedSemaphorePermit,
) {
    let (reader, writer) = tokio::io::split(stream);
    let (answers, queue) = mpsc::channel(QUEUE);
    let talk = Talk { host, answers, places: Arc::new(Semaphore::new(REQUESTS)), events: JoinSet::new() };
    tokio::join!(lines::write(writer, queue, PATIENCE), talk.read(reader, shutdown));
}

/// The state of one connection.
struct Talk {
    host: Arc<dyn Host>,
    answers: mpsc::Sender<Vec<u8>>,
    places: Arc<Semaphore>,
    /// At most one task, that hands on events.
    events: JoinSet<()>,
}

/// A request as it stands on a line.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Request {
    id: u64,
    #[serde(default)]
    call: Option<String>,
    #[serde(default)]
    args: Option<Value>,
    #[serde(default)]
    listen: bool,
}

impl Talk {
    /// Reads requests until the client ends, the engine stops, or nobody
    /// reads the answers. Dropping `self` at the end ends the events; the
    /// requests that run keep the way back open until they are answered.
    async fn read(mut self, reader: impl AsyncRead + Unpin, shutdown: CancellationToken) {
        let mut lines = Lines::new(BufReader::new(reader), LONGEST_REQUEST);
        let answers = self.answers.clone();
        loop {
            let next = tokio::select! {
                () = shutdown.cancelled() => return,
                () = answers.closed() => return,
                Some(_) = self.events.join_next() => return,
                next = lines.next() => next,
            };
            match next {
                Ok(Line::Whole(bytes)) if bytes.trim_ascii().is_empty() => {}
                Ok(Line::Whole(bytes)) => {
                    tokio::select! {
                        () = shutdown.cancelled() => return,
                        () = answers.closed() => return,
                        () = self.take(&bytes) => {}
                    }
                }
                Ok(Line::TooLong) => {
                    let message =
                        format!("a request may be {} MiB long at most; this one was skipped", LONGEST_REQUEST >> 20);
                    answer(&answers, None, Err(Failure::new(FailureCode::Invalid, message))).await;
                }
                Ok(Line::End) => return,
                Err(e) => {
                    tracing::debug!("a local connection broke: {e}");
                    return;
                }
            }
        }
    }

    /// Starts one request; waits while too many run.
    async fn take(&mut self, bytes: &[u8]) {
        let (id, request) = understand(bytes);
        match request {
            Ok(Request { id, call: Some(name), args, listen: false }) => {
                let args = args.filter(|args| !args.is_null()).unwrap_or_else(|| json!({}));
                let Ok(place) = Arc::clone(&self.places).acquire_owned().await else { return };
                let (host, answers) = (Arc::clone(&self.host), self.answers.clone());
                tokio::spawn(async move {
                    let _place = place;
                    // Its own task, so that a bug in one command is answered too.
                    let done = tokio::spawn(async move { host.call(&name, args).await }).await;
                    let done = done.unwrap_or_else(|_| {
                        Err(Failure::new(FailureCode::Internal, "Meantime made a mistake here; its log says more"))
                    });
                    answer(&answers, Some(id), done).await;
                });
            }
            Ok(Request { id, call: None, listen: true, .. }) => {
                if self.events.is_empty() {
                    self.events.spawn(hand_on(self.host.events(), self.answers.clone()));
                }
                answer(&self.answers, Some(id), serde_json::to_value(Nothing {}).map_err(internal)).await;
            }
            Ok(Request { id, .. }) => {
                let message = "a request has either \"call\" with a command's name, or \"listen\": true";
                answer(&self.answers, Some(id), Err(Failure::new(FailureCode::Invalid, message))).await;
            }
            Err(failure) => answer(&self.answers, id, Err(failure)).await,
        }
    }
}

/// The request, and its id even where the rest makes no sense.
fn understand(bytes: &[u8]) -> (Option<u64>, Result<Request, Failure>) {
    let not_understood = |e: serde_json::Error| {
        Failure::new(FailureCode::Invalid, format!("this line is not a request ({e}); see docs/CLI.md"))
    };
    match serde_json::from_slice::<Value>(bytes) {
        Ok(value) => {
            let id = value.get("id").and_then(Value::as_u64);
            (id, Request::deserialize(value).map_err(not_understood))
        }
        Err(e) => (None, Err(not_understood(e))),
    }
}

async fn answer(to: &mpsc::Sender<Vec<u8>>, id: Option<u64>, done: Result<Value, Failure>) {
    let value = match done {
        Ok(ok) => json!({ "id": id, "ok": ok }),
        Err(failure) => json!({ "id": id, "failure": failure }),
    };
    send(to, &value).await;
}

/// Hands events on until the client is too slow for them.
pub(super) async fn hand_on(mut events: broadcast::Receiver<Event>, to: mpsc::Sender<Vec<u8>>) {
    loop {
        match events.recv().await {
            Ok(event) => send(&to, &json!({ "event": event })).await,
            Err(RecvError::Closed) => return,
            // What it shows may be stale now, and it can't know what.
            Err(RecvError::Lagged(_)) => {
                let slow = "events were read too slowly and some are lost; connect and fetch again";
                return last_words(&to, Failure::new(FailureCode::NotPossible, slow)).await;
            }
        }
    }
}

async fn last_words(to: &mpsc::Sender<Vec<u8>>, failure: Failure) {
    send(to, &json!({ "id": null, "failure": failure, "closing": true })).await;
}

async fn send(to: &mpsc::Sender<Vec<u8>>, value: &Value) {
    match line(value) {
        // An error means that the client is gone.
        Ok(line) => drop(to.send(line).await),
        Err(e) => tracing::error!("an answer can't be written as JSON: {e}"),
    }
}

fn internal(error: serde_json::Error) -> Failure {
    Failure::new(FailureCode::Internal, error.to_string())
}
