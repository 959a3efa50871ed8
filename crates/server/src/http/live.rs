//! `GET /v1/live`: pokes as server-sent events, until the client goes away or
//! the server ends.

use super::App;
use super::read::Caller;
use axum::extract::State;
use axum::http::HeaderName;
use axum::response::IntoResponse;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures::stream;
use std::sync::Arc;
use std::time::Duration;

/// A comment is sent after this much silence, so that both sides notice a
/// connection that is no more.
const HEARTBEAT: Duration = Duration::from_secs(15);

pub(super) async fn live(State(app): State<Arc<App>>, Caller(actor): Caller) -> impl IntoResponse {
    let pokes = stream::unfold((app.core.live(&actor), app.stop.clone()), |(mut live, stop)| async move {
        let poke = tokio::select! {
            () = stop.cancelled() => return None,
            poke = live.next() => poke,
        };
        // The storage failed: the client comes back and finds out.
        let event = Event::default().event("poke").json_data(poke.ok()?).ok()?;
        Some((Ok::<_, std::convert::Infallible>(event), (live, stop)))
    });
    let headers = [(HeaderName::from_static("x-accel-buffering"), "no")];
    (headers, Sse::new(pokes).keep_alive(KeepAlive::new().interval(HEARTBEAT).text("alive")))
}
