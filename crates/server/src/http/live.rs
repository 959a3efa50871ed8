//! `GET /v1/live`: pokes as server-sent events, until the client goes away or
//! the server ends.

use super::App;
use super::read::Caller;
use super::refusal::Refusal;
use super::shed::Open;
use axum::Extension;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderName, header};
use axum::response::IntoResponse;
use futures::stream;
use meantime_protocol::http::Poke;
use meantime_server_core::{Live, Shared};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// A comment is sent after this much silence, so that both sides notice a
/// connection that is no more.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// One stream, with all that it needs while it rests.
struct Pokes {
    live: Live<Shared>,
    stop: CancellationToken,
    open: Open,
}

pub(super) async fn live(
    State(app): State<Arc<App>>,
    Caller(actor): Caller,
    Extension(open): Extension<Open>,
) -> Result<impl IntoResponse, Refusal> {
    app.room.opens(&app.metrics)?;
    let pokes = Pokes { live: app.core.live(&actor), stop: app.stop.clone(), open };
    let headers = [(header::CONTENT_TYPE, "text/event-stream"), (HeaderName::from_static("x-accel-buffering"), "no")];
    let text = stream::unfold(pokes, |mut pokes| async move {
        let text = pokes.next().await?;
        Some((Ok::<_, Infallible>(text), pokes))
    });
    Ok((headers, Body::from_stream(text)))
}

impl Pokes {
    /// The next event, or a comment after a silence; `None` at the end.
    async fn next(&mut self) -> Option<Bytes> {
        tokio::select! {
            () = self.stop.cancelled() => None,
            // The device was ended, or the storage failed: the client comes
            // back and finds out.
            poke = self.live.next() => self.event(&poke.ok()?),
            () = tokio::time::sleep(HEARTBEAT) => Some(Bytes::from_static(b": alive\n\n")),
        }
    }

    fn event(&self, poke: &Poke) -> Option<Bytes> {
        self.open.poked();
        // No line ends in it: it is JSON.
        let data = serde_json::to_string(poke).ok()?;
        Some(format!("event: poke\ndata: {data}\n\n").into())
    }
}
