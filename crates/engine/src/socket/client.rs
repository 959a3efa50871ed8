//! The other side: a connection to a running engine.

use super::lines::{self, Line, Lines, PATIENCE, line};
use crate::api::{Caller, Event, Failure, FailureCode};
use meantime_platform::{Dirs, local};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::io::{AsyncRead, BufReader};
use tokio::sync::{broadcast, mpsc, oneshot};
use tokio::task::JoinHandle;

/// An answer is at most so long, in bytes: a whole conversation with its HTML.
const LONGEST_ANSWER: usize = 256 << 20;
/// Events kept for one that listens.
const EVENTS: usize = 1024;

/// A connection to a running engine. Calls may run side by side. Dropping it
/// hangs up.
pub struct Connection {
    requests: mpsc::Sender<Vec<u8>>,
    shared: Arc<Shared>,
    next: AtomicU64,
    reader: JoinHandle<()>,
}

/// Connects to the engine that runs with this profile; `None` if none does.
///
/// # Errors
/// As [`local::connect`].
pub async fn connect(dirs: &Dirs) -> io::Result<Option<Connection>> {
    Ok(local::connect(dirs).await?.map(Connection::over))
}

struct Shared {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    waiting: HashMap<u64, oneshot::Sender<Result<Value, Failure>>>,
    /// `None` once the connection has ended.
    events: Option<broadcast::Sender<Event>>,
    /// Why it ended.
    ended: Option<Failure>,
}

impl Connection {
    pub(super) fn over(stream: local::Stream) -> Self {
        let (reader, writer) = tokio::io::split(stream);
        let (requests, queue) = mpsc::channel(16);
        let events = Some(broadcast::Sender::new(EVENTS));
        let shared = Arc::new(Shared { state: Mutex::new(State { events, ..State::default() }) });
        tokio::spawn(lines::write(writer, queue, PATIENCE));
        let reader = tokio::spawn(read(reader, Arc::clone(&shared)));
        Self { requests, shared, next: AtomicU64::new(1), reader }
    }

    /// Events from now on. The stream closes with the connection.
    ///
    /// # Errors
    /// When the engine is gone.
    pub async fn events(&self) -> Result<broadcast::Receiver<Event>, Failure> {
        let events = self.shared.lock().events.as_ref().map(broadcast::Sender::subscribe);
        self.request(|id| json!({ "id": id, "listen": true })).await?;
        events.ok_or_else(gone)
    }

    async fn request(&self, form: impl FnOnce(u64) -> Value) -> Result<Value, Failure> {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let request = line(&form(id)).map_err(|e| Failure::new(FailureCode::Internal, e.to_string()))?;
        let (tell, answer) = oneshot::channel();
        {
            let mut state = self.shared.lock();
            if let Some(failure) = &state.ended {
                return Err(failure.clone());
            }
            state.waiting.insert(id, tell);
        }
        let _waiting = Waiting { id, shared: &self.shared };
        if self.requests.send(request).await.is_err() {
            return Err(self.shared.lock().ended.clone().unwrap_or_else(gone));
        }
        answer.await.unwrap_or_else(|_| Err(gone()))
    }
}

#[async_trait::async_trait]
impl Caller for Connection {
    async fn call(&self, name: &str, args: Value) -> Result<Value, Failure> {
        self.request(|id| json!({ "id": id, "call": name, "args": args })).await
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn end(&self, why: Failure) {
        let mut state = self.lock();
        state.events = None;
        for (_, tell) in state.waiting.drain() {
            let _ = tell.send(Err(why.clone()));
        }
        state.ended.get_or_insert(why);
    }
}

/// Forgets a call that nobody waits for any more.
struct Waiting<'a> {
    id: u64,
    shared: &'a Shared,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.shared.lock().waiting.remove(&self.id);
    }
}

/// An answer as it stands on a line.
#[derive(Deserialize)]
struct Answer {
    #[serde(default)]
    id: Option<u64>,
    #[serde(default)]
    ok: Value,
    #[serde(default)]
    failure: Option<Failure>,
    #[serde(default)]
    event: Option<Value>,
}

async fn read(reader: impl AsyncRead + Unpin, shared: Arc<Shared>) {
    let mut lines = Lines::new(BufReader::new(reader), LONGEST_ANSWER);
    let why = loop {
        match lines.next().await {
            Ok(Line::Whole(bytes)) => match serde_json::from_slice::<Answer>(&bytes) {
                Ok(Answer { id: None, failure: Some(failure), .. }) => break failure,
                Ok(answer) => shared.take(answer),
                Err(e) => break broken(&e.to_string()),
            },
            Ok(Line::TooLong) => break broken("an answer was too long"),
            Ok(Line::End) => break gone(),
            Err(e) => break broken(&e.to_string()),
        }
    };
    shared.end(why);
}

impl Shared {
    fn take(&self, answer: Answer) {
        let mut state = self.lock();
        // An event of a newer engine that we don't know is none of ours.
        let event = answer.event.and_then(|event| serde_json::from_value(event).ok());
        if let (Some(event), Some(events)) = (event, &state.events) {
            let _ = events.send(event);
        }
        if let Some(tell) = answer.id.and_then(|id| state.waiting.remove(&id)) {
            let _ = tell.send(answer.failure.map_or(Ok(answer.ok), Err));
        }
    }
}

fn gone() -> Failure {
    Failure::new(FailureCode::NotPossible, "Meantime was closed before it answered; try again")
}

fn broken(why: &str) -> Failure {
    Failure::new(FailureCode::Internal, format!("the connection to the running Meantime broke ({why}); try again"))
}
