//! Sends requests away that would be too many, before anything is done for
//! them: better some wait than all.

use super::App;
use super::refusal::Refusal;
use crate::metrics::Metrics;
use crate::settings::Limits;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use futures::StreamExt as _;
use meantime_protocol::{Code, Problem};
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// How much is done at once.
pub struct Room {
    requests: Semaphore,
    streams: Arc<Semaphore>,
    retry_seconds: u32,
}

impl Room {
    /// As the limits say.
    #[must_use]
    pub fn new(limits: &Limits) -> Self {
        Self {
            requests: Semaphore::new(limits.requests),
            streams: Arc::new(Semaphore::new(limits.streams)),
            retry_seconds: limits.retry_seconds,
        }
    }

    /// Come back later, not all at the same moment.
    fn later(&self, metrics: &Metrics, limit: &str) -> Response {
        metrics.shed(limit);
        let mut random = [0; 4];
        // Without randomness everybody waits longest.
        let wait = match getrandom::fill(&mut random) {
            Ok(()) => 1 + u32::from_ne_bytes(random) % self.retry_seconds.max(1),
            Err(_) => self.retry_seconds,
        };
        let problem = Problem::new(Code::Busy, "the server has too much to do; it will be tried again");
        Refusal(Problem { retry_after: Some(wait), ..problem }).into_response()
    }
}

/// So many requests are worked on, and no more.
pub(super) async fn requests(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    match app.room.requests.try_acquire() {
        Ok(_permit) => next.run(request).await,
        Err(_) => app.room.later(&app.metrics, "requests"),
    }
}

/// So many live streams are open, and no more.
pub(super) async fn streams(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let Ok(permit) = Arc::clone(&app.room.streams).try_acquire_owned() else {
        return app.room.later(&app.metrics, "streams");
    };
    let response = next.run(request).await;
    if !response.status().is_success() {
        return response;
    }
    let open = Open::new(&app.metrics, permit);
    response.map(|body| {
        let pokes = move |bytes: &Result<bytes::Bytes, _>| {
            if bytes.as_ref().is_ok_and(|bytes| bytes.starts_with(b"event: poke")) {
                open.metrics.pokes.inc();
            }
        };
        Body::from_stream(body.into_data_stream().inspect(pokes))
    })
}

/// A place among the streams, until it is dropped with the stream's body.
struct Open {
    metrics: Arc<Metrics>,
    _permit: OwnedSemaphorePermit,
}

impl Open {
    fn new(metrics: &Arc<Metrics>, permit: OwnedSemaphorePermit) -> Self {
        metrics.streams.inc();
        Self { metrics: Arc::clone(metrics), _permit: permit }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.metrics.streams.dec();
    }
}
