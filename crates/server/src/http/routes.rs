//! The calls, each a few lines around the rules.

use super::App;
use super::page;
use super::read::{Caller, body, query, secret};
use super::refusal::Refusal;
use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use meantime_protocol::http::{InviteRequest, InviteResponse, JoinResponse, Me};
use meantime_protocol::{Code, Problem};
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

pub(super) async fn pull(State(app): State<Arc<App>>, Caller(actor): Caller, uri: Uri) -> Result<Response, Refusal> {
    let query = query(&uri)?;
    page::send(&app, actor.person, app.core.pull(&actor, &query)).await
}

pub(super) async fn bootstrap(
    State(app): State<Arc<App>>,
    Caller(actor): Caller,
    uri: Uri,
) -> Result<Response, Refusal> {
    let query = query(&uri)?;
    page::send(&app, actor.person, app.core.bootstrap(&actor, &query)).await
}

pub(super) async fn nothing() -> Refusal {
    Refusal(Problem::new(Code::NotFound, "there is no such call"))
}

pub(super) async fn wrong_method() -> Response {
    let problem = Problem::new(Code::BadRequest, "this call has another method");
    (StatusCode::METHOD_NOT_ALLOWED, Json(problem)).into_response()
}
