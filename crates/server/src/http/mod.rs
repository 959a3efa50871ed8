//! The HTTP surface: routes, and what every request goes through. Bodies and
//! codes are the protocol crate's; docs/PROTOCOL.md describes them.

mod address;
mod attachments;
pub(crate) mod health;
mod live;
pub mod openapi;
mod pace;
mod page;
mod people;
mod push;
mod read;
mod refusal;
mod routes;
mod shed;
mod table;

use crate::attachments::Attachments;
use crate::link::Links;
use crate::metrics::Metrics;
use crate::tls::Current;
pub use address::Proxies;
pub use attachments::Claims;
use axum::Router;
use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderMap, HeaderValue, Method};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};
pub use health::Writing;
use meantime_protocol::{Code, Problem, VERSION, VERSION_HEADER};
use meantime_server_core::{Core, Shared};
use refusal::Refusal;
pub use shed::Room;
use std::sync::Arc;
use std::time::{Duration, Instant};
pub use table::{Door, ROUTES, Route};
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

/// A request, its body included, has to be done by then.
const SLOW_REQUEST: Duration = Duration::from_secs(30);

/// What all requests share.
pub struct App {
    /// The rules.
    pub core: Core<Shared>,
    /// Files that go with messages.
    pub attachments: Attachments,
    /// How this server is invited to.
    pub links: Links,
    /// Who is believed to ask for others.
    pub proxies: Proxies,
    /// How much it does at once.
    pub room: Room,
    /// Whether the database can be written.
    pub writing: Writing,
    /// What monitoring reads.
    pub metrics: Arc<Metrics>,
    /// What it shows to prove who it is.
    pub certificate: Arc<Current>,
    /// Streams end when it is cancelled.
    pub stop: CancellationToken,
}

/// Every route of [`ROUTES`], and what stands around them.
pub fn router(app: Arc<App>) -> Router {
    let calls = of(&[Door::Token])
        .layer(middleware::from_fn(in_time))
        .layer(middleware::from_fn_with_state(Arc::clone(&app), shed::requests));
    let secrets = of(&[Door::Secret])
        .layer(middleware::from_fn(in_time))
        .layer(middleware::from_fn_with_state(Arc::clone(&app), shed::secrets));
    let bytes = of(&[Door::Bytes]).layer(middleware::from_fn_with_state(Arc::clone(&app), shed::requests));
    let live = of(&[Door::Stream]).layer(middleware::from_fn_with_state(Arc::clone(&app), shed::streams));
    let versioned = calls.merge(secrets).merge(bytes).merge(live).layer(middleware::from_fn(version));
    versioned
        .merge(of(&[Door::Open]))
        .fallback(routes::nothing)
        .method_not_allowed_fallback(routes::wrong_method)
        .layer(middleware::from_fn_with_state(Arc::clone(&app), log))
        .with_state(app)
}

fn of(doors: &[Door]) -> Router<Arc<App>> {
    let routes = ROUTES.iter().filter(|route| doors.contains(&route.door));
    routes.fold(Router::new(), |router, route| router.route(route.path, (route.handler)()))
}

/// Protocol version N and the one before are spoken.
fn speaks(version: u32) -> bool {
    (VERSION.saturating_sub(1).max(1)..=VERSION).contains(&version)
}

async fn version(request: Request, next: Next) -> Response {
    let sent = request.headers().get(VERSION_HEADER);
    match sent.map(|value| value.to_str().ok().and_then(|text| text.trim().parse().ok())) {
        Some(Some(version)) if speaks(version) => next.run(request).await,
        Some(Some(version)) => {
            let update = if version > VERSION { "the server has to be updated" } else { "update Meantime" };
            let message = format!("this server speaks protocol {VERSION}, not {version}: {update}");
            Refusal(Problem::new(Code::VersionUnsupported, message)).into_response()
        }
        _ => {
            let message = format!("the header {VERSION_HEADER} says which protocol is spoken, a number");
            Refusal(Problem::new(Code::BadRequest, message)).into_response()
        }
    }
}

async fn in_time(request: Request, next: Next) -> Response {
    match tokio::time::timeout(SLOW_REQUEST, next.run(request)).await {
        Ok(response) => response,
        Err(_) => {
            let problem = Problem::new(Code::Busy, "the request took too long; it may have been carried out");
            Refusal(Problem { retry_after: Some(1), ..problem }).into_response()
        }
    }
}

/// One line a request, with an id that the client gets too, and its place in
/// the numbers. The path alone: no query, no header, no body. Monitoring gets
/// the route, which nobody can make many of.
async fn log(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let id = uuid::Uuid::new_v4();
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let route = request.extensions().get::<MatchedPath>().map_or("none", MatchedPath::as_str).to_owned();
    let span = tracing::info_span!("request", %id, %method, path);
    let began = Instant::now();
    let mut response = next.run(request).instrument(span.clone()).await;
    let (status, took) = (response.status().as_u16(), began.elapsed());
    app.metrics.answered(known(&method), &route, status, took);
    let took = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
    span.in_scope(|| tracing::debug!(status, took_us = took, "answered"));
    if let Ok(id) = HeaderValue::from_str(&id.to_string()) {
        response.headers_mut().insert("x-request-id", id);
    }
    harden(response.headers_mut());
    response
}

/// A method as monitoring knows it: anybody can make one up.
fn known(method: &Method) -> &str {
    match *method {
        Method::GET | Method::POST | Method::PUT | Method::DELETE | Method::HEAD => method.as_str(),
        _ => "other",
    }
}

/// Nothing here is for a browser, a cache or a frame.
fn harden(headers: &mut HeaderMap) {
    headers.insert("cache-control", HeaderValue::from_static("no-store"));
    headers.insert("x-content-type-options", HeaderValue::from_static("nosniff"));
    headers.insert("content-security-policy", HeaderValue::from_static("default-src 'none'"));
}
