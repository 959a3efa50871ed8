//! The calls about people, devices and how they sign in, each a few lines
//! around the rules.

use super::App;
use super::address::Address;
use super::read::{Caller, body, query, secret};
use super::refusal::Refusal;
use axum::Json;
use axum::body::Body;
use axum::extract::{FromRequestParts, Path, State};
use axum::http::request::Parts;
use axum::http::{StatusCode, Uri};
use meantime_model::{DeviceId, PersonId};
use meantime_protocol::http::{InviteResponse, JoinResponse};
use meantime_protocol::people::{
    AccountInfo, AccountRequest, AuditPage, DevicesResponse, MemberLinkRequest, RoleRequest, SignInRequest,
    TokenResponse, TotpConfirm, TotpRequest, TotpResponse,
};
use meantime_protocol::{Code, Problem};
use meantime_server_core::{Actor, By, NewInvite};
use serde::Deserialize;
use std::str::FromStr;
use std::sync::Arc;
use tracing::Instrument as _;

type Answer<T> = Result<Json<T>, Refusal>;
type Done = Result<StatusCode, Refusal>;

pub(super) async fn sign_in(
    State(app): State<Arc<App>>,
    Address(from): Address,
    request: Body,
) -> Answer<JoinResponse> {
    let request: SignInRequest = secret(request).await?;
    to_the_end(async move { app.core.sign_in(&request, from).await }).await
}

pub(super) async fn next_token(State(app): State<Arc<App>>, Caller(actor): Caller) -> Answer<TokenResponse> {
    Ok(Json(app.core.next_token(&actor).await?))
}

/// Whose devices; one's own when absent.
#[derive(Deserialize)]
struct Whose {
    person: Option<PersonId>,
}

pub(super) async fn devices(State(app): State<Arc<App>>, Caller(actor): Caller, uri: Uri) -> Answer<DevicesResponse> {
    let Whose { person } = query(&uri)?;
    let devices = app.core.devices(By::Member(&actor), person.unwrap_or(actor.person)).await?;
    Ok(Json(DevicesResponse { devices }))
}

pub(super) async fn device_link(State(app): State<Arc<App>>, Caller(actor): Caller) -> Answer<InviteResponse> {
    Ok(link(&app, app.core.device_link(&actor).await?))
}

pub(super) async fn revoke(State(app): State<Arc<App>>, Caller(actor): Caller, Named(device): Named<DeviceId>) -> Done {
    app.core.revoke(By::Member(&actor), device).await?;
    forget_uploads(app, &actor);
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn account(State(app): State<Arc<App>>, Caller(actor): Caller) -> Answer<AccountInfo> {
    Ok(Json(app.core.account(&actor).await?))
}

pub(super) async fn set_account(
    State(app): State<Arc<App>>,
    Caller(actor): Caller,
    Address(from): Address,
    request: Body,
) -> Answer<AccountInfo> {
    let request: AccountRequest = body(request).await?;
    to_the_end(async move { app.core.set_account(&actor, &request, from).await }).await
}

pub(super) async fn begin_totp(
    State(app): State<Arc<App>>,
    Caller(actor): Caller,
    Address(from): Address,
    request: Body,
) -> Answer<TotpResponse> {
    let request: TotpRequest = body(request).await?;
    to_the_end(async move { app.core.begin_totp(&actor, &request, from).await }).await
}

pub(super) async fn confirm_totp(
    State(app): State<Arc<App>>,
    Caller(actor): Caller,
    Address(from): Address,
    request: Body,
) -> Answer<AccountInfo> {
    let request: TotpConfirm = body(request).await?;
    to_the_end(async move { app.core.confirm_totp(&actor, &request, from).await }).await
}

pub(super) async fn end_totp(
    State(app): State<Arc<App>>,
    Caller(actor): Caller,
    Address(from): Address,
    request: Body,
) -> Answer<AccountInfo> {
    let request: TotpRequest = body(request).await?;
    to_the_end(async move { app.core.end_totp(&actor, &request, from).await }).await
}

pub(super) async fn remove(State(app): State<Arc<App>>, Caller(actor): Caller, Named(person): Named<PersonId>) -> Done {
    app.core.remove(By::Member(&actor), person).await?;
    forget_uploads(app, &actor);
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn set_role(
    State(app): State<Arc<App>>,
    Caller(actor): Caller,
    Named(person): Named<PersonId>,
    request: Body,
) -> Done {
    let RoleRequest { role } = body(request).await?;
    app.core.set_role(By::Member(&actor), person, role).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn member_link(
    State(app): State<Arc<App>>,
    Caller(actor): Caller,
    Named(person): Named<PersonId>,
    request: Body,
) -> Answer<InviteResponse> {
    let request: MemberLinkRequest = body(request).await?;
    Ok(link(&app, app.core.member_link(By::Member(&actor), person, &request).await?))
}

pub(super) async fn audit(State(app): State<Arc<App>>, Caller(actor): Caller, uri: Uri) -> Answer<AuditPage> {
    Ok(Json(app.core.audit_as(&actor, &query(&uri)?).await?))
}

/// Goes through with it, also when whoever asked goes away meanwhile: what was
/// begun about a password is counted.
pub(super) async fn to_the_end<T: Send + 'static>(
    decided: impl Future<Output = Result<T, Problem>> + Send + 'static,
) -> Answer<T> {
    let ended = tokio::spawn(decided.in_current_span()).await;
    let ended = ended.map_err(|_| Problem::new(Code::Internal, "the server has a problem of its own"))?;
    Ok(Json(ended?))
}

fn link(app: &App, invite: NewInvite) -> Json<InviteResponse> {
    let expires_at = invite.expires_at;
    Json(InviteResponse { link: app.links.link(invite), expires_at })
}

/// Files that an ended device was sending: on their own, nobody waits for it,
/// and what is left is swept later.
fn forget_uploads(app: Arc<App>, actor: &Actor) {
    let team = actor.team;
    tokio::spawn(async move {
        if let Err(error) = app.attachments.forget_ended(&app.core, team).await {
            tracing::warn!(%team, "what ended devices were sending is still there: {error:#}");
        }
    });
}

/// An id of a path; what is none is nobody's, and answered like that.
pub(super) struct Named<T>(T);

impl<T: FromStr + Send> FromRequestParts<Arc<App>> for Named<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Refusal> {
        let text = Path::<String>::from_request_parts(parts, app).await.ok();
        let id = text.and_then(|Path(text)| text.parse().ok());
        let nobody = || Problem::new(Code::NotFound, "there is no such thing, or not for you");
        id.map(Self).ok_or_else(|| Refusal(nobody()))
    }
}
