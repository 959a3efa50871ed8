//! The calls, each a few lines around the rules.

use super::App;
use super::read::{Caller, body, query, secret};
use super::refusal::Refusal;
use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use meantime_model::DeviceId;
use meantime_protocol::http::{BootstrapPage, InviteRequest, InviteResponse, JoinResponse, Me, PullPage, PushResponse};
use meantime_protocol::{Code, Problem};
use meantime_server_core::Incoming;
use serde::Deserialize;
use serde_json::Value;
use std::sync::Arc;

type Answer<T> = Result<Json<T>, Refusal>;

pub(super) async fn join(State(app): State<Arc<App>>, request: Body) -> Answer<JoinResponse> {
    Ok(Json(app.core.join(&secret(request).await?).await?))
}

pub(super) async fn me(State(app): State<Arc<App>>, Caller(actor): Caller) -> Answer<Me> {
    Ok(Json(app.core.me(&actor).await?))
}

pub(super) async fn invites(
    State(app): State<Arc<App>>,
    Caller(actor): Caller,
    request: Body,
) -> Answer<InviteResponse> {
    let request: InviteRequest = body(request).await?;
    let invite = app.core.invite_as(&actor, &request).await?;
    let expires_at = invite.expires_at;
    Ok(Json(InviteResponse { link: app.links.link(invite), expires_at }))
}

/// A push whose ops were not looked at yet: one that can't be read is refused
/// by itself, and blocks nothing behind it.
#[derive(Deserialize)]
struct Push {
    device: DeviceId,
    ops: Vec<Value>,
}

pub(super) async fn push(State(app): State<Arc<App>>, Caller(actor): Caller, request: Body) -> Answer<PushResponse> {
    let push: Push = body(request).await?;
    if push.device != actor.device {
        return Err(Refusal(Problem::new(Code::Forbidden, "the device is not the one that the token belongs to")));
    }
    let ops = push.ops.into_iter().map(incoming).collect::<Result<Vec<_>, _>>()?;
    let results = app.core.push(&actor, &ops).await?;
    app.metrics.pushed(&results);
    Ok(Json(PushResponse { results }))
}

pub(super) async fn pull(State(app): State<Arc<App>>, Caller(actor): Caller, uri: Uri) -> Answer<PullPage> {
    Ok(Json(app.core.pull(&actor, &query(&uri)?).await?))
}

pub(super) async fn bootstrap(State(app): State<Arc<App>>, Caller(actor): Caller, uri: Uri) -> Answer<BootstrapPage> {
    Ok(Json(app.core.bootstrap(&actor, &query(&uri)?).await?))
}

pub(super) async fn nothing() -> Refusal {
    Refusal(Problem::new(Code::NotFound, "there is no such call"))
}

pub(super) async fn wrong_method() -> Response {
    let problem = Problem::new(Code::BadRequest, "this call has another method");
    (StatusCode::METHOD_NOT_ALLOWED, Json(problem)).into_response()
}

fn incoming(op: Value) -> Result<Incoming, Problem> {
    // What can't be numbered can't be answered by its number either. One more
    // than this is more than the database counts to.
    let n = op.get("n").and_then(Value::as_u64).filter(|n| *n < i64::MAX.unsigned_abs());
    let n = n.ok_or_else(|| Problem::new(Code::BadRequest, "every op has a number n"))?;
    let unreadable = |e| Problem::new(Code::Invalid, format!("this change can't be read: {e}"));
    Ok(Incoming { n, op: serde_json::from_value(op).map_err(unreadable) })
}
