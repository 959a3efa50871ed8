//! What monitoring and supervisors ask: `/metrics`, `/healthz`, `/readyz`, on
//! a listener of its own without TLS. It answers until the process is gone,
//! so that "not ready" can be heard.

use crate::http::{App, health};
use anyhow::Context as _;
use axum::Router;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::routing::get;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// The listener, until it is dropped.
pub struct Observed {
    address: SocketAddr,
    served: JoinHandle<()>,
}

impl Observed {
    /// Listens.
    ///
    /// # Errors
    /// When the address is taken.
    pub async fn start(app: Arc<App>, listen: SocketAddr) -> anyhow::Result<Self> {
        let listener = TcpListener::bind(listen).await.with_context(|| {
            format!("can't listen on {listen} for monitoring (metrics.listen in the settings; \"\" for none)")
        })?;
        let address = listener.local_addr()?;
        let router = Router::new()
            .route("/metrics", get(metrics))
            .route("/healthz", get(health::healthz))
            .route("/readyz", get(health::readyz))
            .with_state(app);
        let served = tokio::spawn(async move {
            if let Err(error) = axum::serve(listener, router).await {
                tracing::error!(%error, "monitoring can't be answered any more");
            }
        });
        Ok(Self { address, served })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Observed {
    fn drop(&mut self) {
        self.served.abort();
    }
}

async fn metrics(State(app): State<Arc<App>>) -> impl IntoResponse {
    let until = app.certificate.until().map_or(0, |until| until.timestamp());
    app.metrics.certificate_until.set(until);
    app.metrics.passwords_queued.set(i64::try_from(app.core.passwords_queued()).unwrap_or(i64::MAX));
    app.metrics.push_bytes.set(i64::try_from(app.room.push_bytes()).unwrap_or(i64::MAX));
    app.metrics.page_bytes.set(i64::try_from(app.room.page_bytes()).unwrap_or(i64::MAX));
    ([(CONTENT_TYPE, "application/openmetrics-text; version=1.0.0; charset=utf-8")], app.metrics.text())
}
