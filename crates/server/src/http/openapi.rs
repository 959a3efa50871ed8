//! The HTTP surface as an OpenAPI document, for tools. Made from the routes
//! that there are and one line about each; docs/openapi.json is this document,
//! and docs/PROTOCOL.md says what the calls mean.

use super::table::{Door, ROUTES, Route};
use meantime_protocol::{MAX_PAGE, VERSION, VERSION_HEADER};
use serde_json::{Map, Value, json};
use utoipa::openapi::OpenApi;

/// The shapes of bodies, by name.
const SCHEMAS: &str = include_str!("schemas.json");

/// What a call takes and gives besides what its route says.
struct About {
    method: &'static str,
    path: &'static str,
    says: &'static str,
    query: &'static [&'static str],
    body: Option<&'static str>,
    gives: Gives,
}

/// What a call answers when all is well.
enum Gives {
    /// 200, and JSON of that shape.
    Json(&'static str),
    /// 204.
    Nothing,
    /// 200, and server-sent events.
    Events,
    /// 200 or 206, and bytes.
    Bytes,
    /// 200, and headers alone.
    Head,
}

const fn about(
    method: &'static str,
    path: &'static str,
    says: &'static str,
    query: &'static [&'static str],
    body: Option<&'static str>,
    gives: Gives,
) -> About {
    About { method, path, says, query, body, gives }
}

const ATTACHMENT: &str = "/v1/attachments/{scope}/{sha256}";

/// A line for each route.
const CALLS: &[About] = &[
    about(
        "POST",
        "/v1/join",
        "Turn an invite into a person and a device",
        &[],
        Some("JoinRequest"),
        Gives::Json("JoinResponse"),
    ),
    about(
        "POST",
        "/v1/sign-in",
        "A further device for who has a password",
        &[],
        Some("SignInRequest"),
        Gives::Json("JoinResponse"),
    ),
    about("GET", "/v1/me", "Who this device is, and which feeds it reads", &[], None, Gives::Json("Me")),
    about("POST", "/v1/invites", "Make an invite link", &[], Some("InviteRequest"), Gives::Json("InviteResponse")),
    about(
        "POST",
        "/v1/push",
        "Changes, in the order they were made",
        &[],
        Some("PushRequest"),
        Gives::Json("PushResponse"),
    ),
    about(
        "GET",
        "/v1/pull",
        "What changed since a cursor",
        &["scope", "cursor", "limit"],
        None,
        Gives::Json("PullPage"),
    ),
    about(
        "GET",
        "/v1/bootstrap",
        "The current rows of a feed",
        &["scope", "page", "limit"],
        None,
        Gives::Json("BootstrapPage"),
    ),
    about("GET", "/v1/live", "Which feeds move, as it happens", &[], None, Gives::Events),
    about("POST", "/v1/token", "The device's next token", &[], None, Gives::Json("TokenResponse")),
    about("GET", "/v1/devices", "A person's devices", &["person"], None, Gives::Json("DevicesResponse")),
    about(
        "POST",
        "/v1/devices/link",
        "A link for a further device of one's own",
        &[],
        None,
        Gives::Json("InviteResponse"),
    ),
    about("DELETE", "/v1/devices/{id}", "End a device", &[], None, Gives::Nothing),
    about("GET", "/v1/account", "How one signs in", &[], None, Gives::Json("AccountInfo")),
    about(
        "PUT",
        "/v1/account",
        "Set or change login and password",
        &[],
        Some("AccountRequest"),
        Gives::Json("AccountInfo"),
    ),
    about(
        "POST",
        "/v1/account/totp",
        "Begin with an authenticator",
        &[],
        Some("TotpRequest"),
        Gives::Json("TotpResponse"),
    ),
    about(
        "PUT",
        "/v1/account/totp",
        "Show that the authenticator works",
        &[],
        Some("TotpConfirm"),
        Gives::Json("AccountInfo"),
    ),
    about(
        "POST",
        "/v1/account/totp/end",
        "End with the authenticator",
        &[],
        Some("TotpRequest"),
        Gives::Json("AccountInfo"),
    ),
    about("DELETE", "/v1/members/{id}", "Take somebody out of the team", &[], None, Gives::Nothing),
    about("PUT", "/v1/members/{id}/role", "Change what somebody may do", &[], Some("RoleRequest"), Gives::Nothing),
    about(
        "POST",
        "/v1/members/{id}/link",
        "A link that makes its bearer this person",
        &[],
        Some("MemberLinkRequest"),
        Gives::Json("InviteResponse"),
    ),
    about(
        "GET",
        "/v1/audit",
        "What was done with people and devices",
        &["before", "limit"],
        None,
        Gives::Json("AuditPage"),
    ),
    about("HEAD", ATTACHMENT, "Whether an attachment is there, or how far its upload is", &[], None, Gives::Head),
    about("GET", ATTACHMENT, "An attachment's bytes, or a part of them", &[], None, Gives::Bytes),
    about("PUT", ATTACHMENT, "Bytes of an attachment", &[], Some("bytes"), Gives::Json("Upload")),
    about("DELETE", ATTACHMENT, "Give an upload up", &[], None, Gives::Nothing),
    about("GET", "/healthz", "Whether the server and its database answer", &[], None, Gives::Json("Health")),
    about("GET", "/readyz", "Whether the server takes requests", &[], None, Gives::Json("Health")),
];

/// The document.
///
/// # Errors
/// When a route has no line here, or a line no route: then it would say
/// something that is not so.
pub fn document() -> anyhow::Result<OpenApi> {
    let mut paths = Map::new();
    for route in ROUTES {
        let call = CALLS.iter().find(|call| (call.method, call.path) == (route.method, route.path));
        let Some(call) = call else { anyhow::bail!("{} {} is not described", route.method, route.path) };
        let item = paths.entry(route.path).or_insert_with(|| json!({}));
        if let Some(item) = item.as_object_mut() {
            item.insert(route.method.to_lowercase(), operation(route, call));
        }
    }
    for call in CALLS {
        let there = ROUTES.iter().any(|route| (call.method, call.path) == (route.method, route.path));
        anyhow::ensure!(there, "there is no {} {}", call.method, call.path);
    }
    let schemas: Value = serde_json::from_str(SCHEMAS)?;
    Ok(serde_json::from_value(json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Meantime team server",
            "version": VERSION.to_string(),
            "description": "docs/PROTOCOL.md says what the calls mean and how a client keeps up.",
        },
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {"device": {"type": "http", "scheme": "bearer"}},
        },
    }))?)
}

fn operation(route: &Route, call: &About) -> Value {
    let mut operation = json!({
        "summary": call.says,
        "operationId": name(call),
        "parameters": parameters(route, call),
        "responses": responses(call),
    });
    let Some(fields) = operation.as_object_mut() else { return operation };
    if let Some(shape) = call.body {
        let content = match shape {
            "bytes" => json!({"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}),
            shape => json!({"application/json": {"schema": reference(shape)}}),
        };
        fields.insert("requestBody".to_owned(), json!({"required": true, "content": content}));
    }
    if !matches!(route.door, Door::Secret | Door::Open) {
        fields.insert("security".to_owned(), json!([{"device": []}]));
    }
    operation
}

/// As in `put_members_id_role`.
fn name(call: &About) -> String {
    let path = call.path.trim_start_matches("/v1").replace(['/', '-'], "_").replace(['{', '}'], "");
    format!("{}{path}", call.method.to_lowercase())
}

fn parameters(route: &Route, call: &About) -> Vec<Value> {
    let mut all = Vec::new();
    if route.door != Door::Open {
        let schema = json!({"type": "integer", "enum": [VERSION]});
        all.push(json!({"name": VERSION_HEADER, "in": "header", "required": true, "schema": schema}));
    }
    let parts = call.path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    all.extend(parts.map(|name| json!({"name": name, "in": "path", "required": true, "schema": parameter(name)})));
    let wanted = |name: &str| matches!(name, "scope" | "cursor");
    let asked = |name: &&str| json!({"name": name, "in": "query", "required": wanted(name), "schema": parameter(name)});
    all.extend(call.query.iter().map(asked));
    all
}

fn parameter(name: &str) -> Value {
    match name {
        "scope" => reference("Scope"),
        "cursor" => reference("Cursor"),
        "sha256" => reference("Sha256"),
        "page" => json!({"type": "string"}),
        "limit" => json!({"type": "integer", "minimum": 1, "maximum": MAX_PAGE}),
        "before" => json!({"type": "integer", "minimum": 0}),
        _ => reference("Id"),
    }
}

fn responses(call: &About) -> Value {
    let json_of = |shape| json!({"application/json": {"schema": reference(shape)}});
    let good = |content: Value| json!({"description": "As asked", "content": content});
    let refused = json!({"description": "Refused", "content": json_of("Problem")});
    let bytes = json!({"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}});
    match call.gives {
        Gives::Json("Health") => {
            let not = json!({"description": "Not", "content": json_of("Health")});
            json!({"200": good(json_of("Health")), "503": not})
        }
        Gives::Json(shape) => json!({"200": good(json_of(shape)), "default": refused}),
        Gives::Nothing => json!({"204": {"description": "Done"}, "default": refused}),
        Gives::Events => {
            let events = json!({"text/event-stream": {"schema": {"type": "string"}}});
            json!({"200": good(events), "default": refused})
        }
        Gives::Bytes => json!({"200": good(bytes.clone()), "206": good(bytes), "default": refused}),
        Gives::Head => json!({"200": {"description": "It is there"}, "default": {"description": "It is not"}}),
    }
}

fn reference(shape: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{shape}")})
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    #[test]
    fn the_document_in_docs_is_this_one() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/openapi.json");
        let text = super::document().unwrap().to_pretty_json().unwrap() + "\n";
        if std::env::var_os("MEANTIME_CODEGEN").is_some() {
            fs::write(&path, &text).unwrap();
        }
        let committed = fs::read_to_string(&path).unwrap_or_default();
        assert!(committed == text, "docs/openapi.json is stale: cargo xtask codegen writes it anew");
    }

    #[test]
    fn nothing_is_lost_on_the_way_and_every_shape_is_there() {
        let text = super::document().unwrap().to_json().unwrap();
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        let schemas: serde_json::Value = serde_json::from_str(super::SCHEMAS).unwrap();
        for name in schemas.as_object().unwrap().keys() {
            assert!(!value["components"]["schemas"][name].is_null(), "{name}");
            assert!(text.contains(&format!("#/components/schemas/{name}\"")), "{name} is nobody's");
        }
        for part in text.split("#/components/schemas/").skip(1) {
            let name = part.split('"').next().unwrap();
            assert!(!schemas[name].is_null(), "{name} is not described");
        }
        for kept in ["\"pattern\":\"^[0-9a-f]{64}$\"", "\"maxItems\":500", "\"bearer\"", "\"null\"", "\"maximum\":1000"]
        {
            assert!(text.contains(kept), "{kept}");
        }
    }
}
