//! Is the process up, and may it get requests?

use super::App;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use futures::FutureExt as _;
use futures::future::{BoxFuture, Shared};
use meantime_server_core::{Shared as AnyStorage, Storage as _};
use serde_json::json;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The database answers by then, or it doesn't.
const PATIENCE: Duration = Duration::from_secs(5);
/// What was found out about writing is taken to be so for this long.
const FRESH: Duration = Duration::from_secs(5);

/// Whether the database can be written. Tried when somebody asks, and not more
/// often because many do.
#[derive(Default)]
pub struct Writing(Mutex<Option<(Instant, Shared<BoxFuture<'static, bool>>)>>);

impl Writing {
    async fn works(&self, storage: &AnyStorage) -> bool {
        let tried = {
            let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            match &*last {
                Some((at, tried)) if at.elapsed() < FRESH => tried.clone(),
                _ => {
                    // On its own: whoever asked may go away, others wait for it too.
                    let trying = tokio::spawn(can_write(storage.clone()));
                    let tried = trying.map(|can| can.unwrap_or(false)).boxed().shared();
                    *last = Some((Instant::now(), tried.clone()));
                    tried
                }
            }
        };
        tried.await
    }
}

async fn can_write(storage: AnyStorage) -> bool {
    let why = match tokio::time::timeout(PATIENCE, storage.writable()).await {
        Ok(Ok(())) => return true,
        Ok(Err(error)) => error.to_string(),
        Err(_) => "no answer".to_owned(),
    };
    tracing::error!(why, "the database can't be written");
    false
}

/// The process is up and its database answers.
pub(crate) async fn healthz(State(app): State<Arc<App>>) -> Response {
    match tokio::time::timeout(PATIENCE, app.core.storage().next_held()).await {
        Ok(Ok(_)) => Json(json!({"status": "ok"})).into_response(),
        _ => not("the database does not answer"),
    }
}

/// Healthy, able to keep what it takes, and not about to end: a balancer may
/// send requests here. The schema is up to date before the first request is
/// taken.
pub(crate) async fn readyz(State(app): State<Arc<App>>) -> Response {
    if app.stop.is_cancelled() {
        return not("the server is shutting down");
    }
    if app.certificate.until().is_none() {
        return not("there is no certificate yet");
    }
    let healthy = healthz(State(Arc::clone(&app))).await;
    if healthy.status().is_success() && !app.writing.works(app.core.storage()).await {
        return not("the database can't be written");
    }
    healthy
}

fn not(status: &str) -> Response {
    (StatusCode::SERVICE_UNAVAILABLE, Json(json!({ "status": status }))).into_response()
}
