//! Is the process up, and may it get requests?

use super::App;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use meantime_server_core::Storage as _;
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;

/// The database answers by then, or it doesn't.
const PATIENCE: Duration = Duration::from_secs(5);

/// The process is up and its database answers.
pub(crate) async fn healthz(State(app): State<Arc<App>>) -> Response {
    match tokio::time::timeout(PATIENCE, app.core.storage().next_held()).await {
        Ok(Ok(_)) => Json(json!({"status": "ok"})).into_response(),
        _ => not("the database does not answer"),
    }
}

/// Healthy, and not about to end: a balancer may send requests here. The
/// schema is up to date before the first request is taken.
pub(crate) async fn readyz(app: State<Arc<App>>) -> Response {
    if app.stop.is_cancelled() {
        return not("the server is shutting down");
    }
    if app.certificate.until().is_none() {
        return not("there is no certificate yet");
    }
    healthz(app).await
}

fn not(status: &str) -> Response {
    (StatusCode::SERVICE_UNAVAILABLE, Json(json!({ "status": status }))).into_response()
}
