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
use prometheus_client::metrics::gauge::Gauge;
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
    let Ok(_permit) = app.room.requests.try_acquire() else {
        return app.room.later(&app.metrics, "requests");
    };
    let _counted = Counted::new(&app.metrics.under_way);
    next.run(request).await
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
            // All of it: a closure takes no more of what it is given than it names.
            let open = &open;
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
    _counted: Counted,
    _permit: OwnedSemaphorePermit,
}

impl Open {
    fn new(metrics: &Arc<Metrics>, permit: OwnedSemaphorePermit) -> Self {
        Self { metrics: Arc::clone(metrics), _counted: Counted::new(&metrics.streams), _permit: permit }
    }
}

/// One more, until it is dropped: whoever asks may go away at any moment.
struct Counted(Gauge);

impl Counted {
    fn new(gauge: &Gauge) -> Self {
        gauge.inc();
        Self(gauge.clone())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.dec();
    }
}
