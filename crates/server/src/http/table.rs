//! Every route there is. The router is built from this table and from nothing
//! else, and so is the test that no route tells anybody about what is not
//! theirs: a route that is not here does not exist.

use super::{App, attachments, health, live, people, push, routes};
use axum::routing::{MethodRouter, delete, get, head, post, put};
use std::sync::Arc;

/// One call.
pub struct Route {
    /// `GET`, `POST`, …
    pub method: &'static str,
    /// Its path, as it stands in docs/PROTOCOL.md; `{id}` for what varies.
    pub path: &'static str,
    /// Who may come in.
    pub door: Door,
    pub(super) handler: fn() -> MethodRouter<Arc<App>>,
}

/// Who may come in at a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Door {
    /// Whoever shows a device's token.
    Token,
    /// As [`Door::Token`]; the answer is a stream that stays open.
    Stream,
    /// As [`Door::Token`]; bytes come or go for as long as they flow.
    Bytes,
    /// Whoever knows a secret that stands in the body: an invite's, a password.
    Secret,
    /// Anybody, without a protocol version: it tells nothing about anybody.
    Open,
}

const fn route(method: &'static str, path: &'static str, door: Door, handler: fn() -> MethodRouter<Arc<App>>) -> Route {
    Route { method, path, door, handler }
}

/// All of them.
pub const ROUTES: &[Route] = &[
    route("POST", "/v1/join", Door::Secret, || post(routes::join)),
    route("POST", "/v1/sign-in", Door::Secret, || post(people::sign_in)),
    route("GET", "/v1/me", Door::Token, || get(routes::me)),
    route("POST", "/v1/invites", Door::Token, || post(routes::invites)),
    route("POST", "/v1/push", Door::Token, || post(push::push)),
    route("GET", "/v1/pull", Door::Token, || get(routes::pull)),
    route("GET", "/v1/bootstrap", Door::Token, || get(routes::bootstrap)),
    route("GET", "/v1/live", Door::Stream, || get(live::live)),
    route("POST", "/v1/token", Door::Token, || post(people::next_token)),
    route("GET", "/v1/devices", Door::Token, || get(people::devices)),
    route("POST", "/v1/devices/link", Door::Token, || post(people::device_link)),
    route("DELETE", "/v1/devices/{id}", Door::Token, || delete(people::revoke)),
    route("GET", "/v1/account", Door::Token, || get(people::account)),
    route("PUT", "/v1/account", Door::Token, || put(people::set_account)),
    route("POST", "/v1/account/totp", Door::Token, || post(people::begin_totp)),
    route("PUT", "/v1/account/totp", Door::Token, || put(people::confirm_totp)),
    route("POST", "/v1/account/totp/end", Door::Token, || post(people::end_totp)),
    route("DELETE", "/v1/members/{id}", Door::Token, || delete(people::remove)),
    route("PUT", "/v1/members/{id}/role", Door::Token, || put(people::set_role)),
    route("POST", "/v1/members/{id}/link", Door::Token, || post(people::member_link)),
    route("GET", "/v1/audit", Door::Token, || get(people::audit)),
    route("HEAD", "/v1/attachments/{scope}/{sha256}", Door::Bytes, || head(attachments::head)),
    route("GET", "/v1/attachments/{scope}/{sha256}", Door::Bytes, || get(attachments::get)),
    route("PUT", "/v1/attachments/{scope}/{sha256}", Door::Bytes, || put(attachments::put)),
    route("DELETE", "/v1/attachments/{scope}/{sha256}", Door::Bytes, || delete(attachments::delete)),
    route("GET", "/healthz", Door::Open, || get(health::healthz)),
    route("GET", "/readyz", Door::Open, || get(health::readyz)),
];
