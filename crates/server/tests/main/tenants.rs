//! No route tells anybody about what is not theirs. Made from the table that
//! the router is built from: every route × every id × everybody who has no
//! business with it is answered as if it were not there.

use crate::live::Stream;
use crate::world::{Someone, World};
use meantime_protocol::http::{JoinResponse, Op};
use meantime_protocol::kinds::Role;
use meantime_protocol::{Kind, Scope};
use meantime_server::http::{Door, ROUTES, Route};
use meantime_server_core::{By, TeamScope};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

/// What somebody has no business with: it is there, or it is made up.
#[derive(Clone)]
struct Ids {
    /// Feeds: the team's, a person's own, a circle.
    scopes: Vec<Scope>,
    /// Who may not be decided about.
    person: Uuid,
    device: Uuid,
    /// In each of the feeds that have any.
    thread: Uuid,
    message: Uuid,
    team: Uuid,
    login: String,
    /// An invite that is used, or none.
    secret: String,
    /// The hash of an attachment in the circle.
    attachment: String,
}

impl Ids {
    /// The same, of things that are not there.
    fn made_up(&self) -> Self {
        let new = Uuid::now_v7;
        let scope = |scope: &Scope| match scope {
            Scope::Team(_) => Scope::Team(meantime_model::TeamId::new()),
            Scope::User(_) => Scope::User(meantime_model::PersonId::new()),
            Scope::Private(_) => Scope::Private(new()),
        };
        Self {
            scopes: self.scopes.iter().map(scope).collect(),
            person: new(),
            device: new(),
            thread: new(),
            message: new(),
            team: new(),
            login: "nobody".to_owned(),
            secret: "AAAAAAAAAAAAAAAAAAAAAA".to_owned(),
            attachment: "0".repeat(64),
        }
    }

    fn said(&self) -> Vec<String> {
        let scopes = self.scopes.iter().map(ToString::to_string);
        let ids = [self.person, self.device, self.thread, self.message].into_iter().map(|id| id.to_string());
        scopes.chain(ids).collect()
    }
}

/// Somebody with a token, good or not.
struct Asker {
    who: &'static str,
    someone: Someone,
    foreign: Ids,
    /// The token is good for something.
    known: bool,
}

struct Asked {
    path: String,
    body: Option<Value>,
}

/// Everything that can be asked of a route with some ids in it. A route that
/// is new fails here, until somebody says what to ask of it.
fn asked(route: &Route, asker: &Asker, ids: &Ids) -> Vec<Asked> {
    let path = |path: String| Asked { path, body: None };
    let body = |body: Value| Asked { path: route.path.to_owned(), body: Some(body) };
    let of = |id: Uuid| route.path.replace("{id}", &id.to_string());
    match (route.method, route.path) {
        ("POST", "/v1/join") => vec![body(json!({"secret": ids.secret, "name": "M", "device_name": "M"}))],
        ("POST", "/v1/sign-in") => {
            let request = |team, login| json!({"team": team, "login": login, "password": "?", "device_name": "M"});
            vec![body(request(ids.team, ids.login.as_str())), body(request(ids.team, "somebody"))]
        }
        ("POST", "/v1/push") => pushes(asker, ids).into_iter().map(body).collect(),
        ("GET", "/v1/pull") => {
            let pull = |s: &Scope| path(format!("{}?scope={s}&cursor=0000000000000001:0", route.path));
            ids.scopes.iter().map(pull).collect()
        }
        ("GET", "/v1/bootstrap") => ids.scopes.iter().map(|s| path(format!("{}?scope={s}", route.path))).collect(),
        ("GET", "/v1/devices") => vec![path(format!("{}?person={}", route.path, ids.person))],
        ("DELETE", "/v1/devices/{id}") => vec![path(of(ids.device))],
        ("DELETE", "/v1/members/{id}") => vec![path(of(ids.person))],
        ("PUT", "/v1/members/{id}/role") => {
            vec![Asked { path: of(ids.person), body: Some(json!({"role": "member"})) }]
        }
        ("POST", "/v1/members/{id}/link") => vec![Asked { path: of(ids.person), body: Some(json!({})) }],
        ("HEAD" | "GET" | "PUT" | "DELETE", "/v1/attachments/{scope}/{sha256}") => {
            let sha256 = ids.attachment.as_str();
            let of = |s: &Scope| route.path.replace("{scope}", &s.to_string()).replace("{sha256}", sha256);
            ids.scopes.iter().map(|s| path(of(s))).collect()
        }
        // Nothing of anybody else's can be named in these.
        ("GET", "/v1/me" | "/v1/live" | "/v1/account" | "/v1/audit" | "/healthz" | "/readyz") => {
            vec![path(route.path.to_owned())]
        }
        ("POST", "/v1/invites") => vec![body(json!({"valid_hours": 1, "role": "owner"}))],
        ("POST", "/v1/token" | "/v1/devices/link") => vec![path(route.path.to_owned())],
        ("PUT", "/v1/account") => vec![body(json!({"login": "m m", "password": "?"}))],
        ("POST", "/v1/account/totp" | "/v1/account/totp/end") => vec![body(json!({"password": "?"}))],
        ("PUT", "/v1/account/totp") => vec![body(json!({"code": "000000"}))],
        _ => panic!("say what to ask of {} {}", route.method, route.path),
    }
}

fn pushes(asker: &Asker, ids: &Ids) -> Vec<Value> {
    let device = asker.someone.joined.device;
    let mut ops = Vec::new();
    for scope in &ids.scopes {
        let op = |kind: Kind, id: Uuid, fields: Value| {
            let op = Op { scope: *scope, ..asker.someone.change(kind, id, fields) };
            // The same number each time, so that answers can be compared.
            Op { n: 7, ..op }
        };
        ops.push(op(Kind::THREAD, ids.thread, json!({"outcome": "x"})));
        ops.push(op(Kind::MESSAGE, ids.message, json!({"text": "x"})));
        ops.push(op(Kind::MESSAGE, asker.someone.joined.device.0, json!({"text": "x", "thread": ids.thread})));
        ops.push(op(Kind::MEMBER, ids.person, json!({"role": "owner"})));
        ops.push(op(Kind::MARK, ids.thread, json!({"muted": true})));
        ops.push(Op { deleted: true, ..op(Kind::THREAD, ids.thread, json!({})) });
        ops.push(op(Kind::SPACE, ids.thread, json!({"members": [asker.someone.joined.person]})));
    }
    // In one's own feeds, the ids of others' things are nothing.
    let own = |kind: Kind, fields: Value| Op { n: 7, ..asker.someone.change(kind, Uuid::nil(), fields) };
    ops.push(own(Kind::MESSAGE, json!({"text": "x", "thread": ids.thread})));
    let mut pushes: Vec<Value> = ops.iter().map(|op| json!({"device": device, "ops": [op]})).collect();
    pushes.push(json!({"device": ids.device, "ops": []}));
    pushes
}

/// An answer, without what is different each time.
async fn answer(asker: &Asker, route: &Route, asked: &Asked) -> (StatusCode, Option<String>, String) {
    let call = asker.someone.call(route.method.parse::<Method>().unwrap(), &asked.path);
    let call = asked.body.iter().fold(call, |call, body| call.json(body));
    if route.door == Door::Stream && asker.known {
        let first = Stream::open(&asker.someone).await.next().await.unwrap();
        return (StatusCode::OK, None, serde_json::to_string(&first).unwrap());
    }
    let answer = call.send().await.unwrap();
    let telling =
        ["retry-after", "upload-offset", "content-length", "etag"].map(|name| answer.headers().get(name).cloned());
    (answer.status(), Some(format!("{telling:?}")), answer.text().await.unwrap())
}

async fn circle(someone: &Someone, others: &[&Someone]) -> (Scope, Uuid, Uuid) {
    let (id, thread) = (Uuid::now_v7(), Uuid::now_v7());
    let scope = Scope::Private(id);
    let members: Vec<_> = std::iter::once(someone).chain(others.iter().copied()).map(|s| s.joined.person).collect();
    let op = |kind, id, fields| Op { scope, ..someone.change(kind, id, fields) };
    let message = op(Kind::MESSAGE, Uuid::now_v7(), json!({"thread": thread, "text": "secret"}));
    let message_id = message.id;
    let ops = vec![
        op(Kind::SPACE, id, json!({"members": members})),
        op(Kind::THREAD, thread, json!({"title": "Secret", "urgency": "green"})),
        message,
    ];
    for result in someone.push(ops).await {
        assert!(matches!(result.outcome, meantime_protocol::http::PushOutcome::Applied { .. }), "{result:?}");
    }
    (scope, thread, message_id)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_is_told_of_what_is_not_theirs() {
    nobody_is_told(World::new().await).await;
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_is_told_of_what_is_not_theirs_on_postgres() {
    use meantime_server_postgres::kit::PostgresServer;
    if !PostgresServer::is_installed() {
        eprintln!("PostgreSQL is not installed: this was not tried");
        return;
    }
    nobody_is_told(World::on_postgres(&PostgresServer::shared().database()).await).await;
}

async fn nobody_is_told(world: World) {
    let core = world.running.core();
    let ana = world.someone("Ana", Role::Owner).await;
    let (kofi, mei) = (world.someone("Kofi", Role::Member).await, world.someone("Mei", Role::Member).await);
    let (scope, thread, message) = circle(&kofi, &[&mei]).await;
    let account = json!({"login": "kofi", "password": "correct horse battery"});
    let set = kofi.call(Method::PUT, "/v1/account").json(&account).send().await.unwrap();
    assert_eq!(set.status(), StatusCode::OK);
    let invite = world.running.invite(&meantime_protocol::http::InviteRequest { valid_hours: 1, role: Role::Member });
    let link = invite.await.unwrap();
    let used: meantime_protocol::Invite = link.parse().unwrap();
    world.client().join(&link, "Used").await;

    let bytes = b"secret bytes".as_slice();
    let attachment: String = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    let put =
        kofi.call(Method::PUT, &format!("/v1/attachments/{scope}/{attachment}")).body(bytes).send().await.unwrap();
    assert!(put.status().is_success(), "{}", put.text().await.unwrap());

    // Kofi's things, as somebody outside of the team has no business with them.
    let (person, device) = (kofi.joined.person.0, kofi.joined.device.0);
    let (team, own) = (kofi.team(), Scope::User(kofi.joined.person));
    let (login, secret) = ("kofi".to_owned(), used.secret);
    let ids = Ids {
        scopes: vec![team, own, scope],
        person,
        device,
        thread,
        message,
        team: kofi.joined.team.0,
        login,
        secret,
        attachment,
    };
    // And as somebody of the team has none: the circle, and what is Kofi's own.
    let inside = Ids { scopes: vec![own, scope], ..ids.clone() };
    // Ana decides about Kofi; there the made-up one stands for both.
    let owners = Ids { person: Uuid::now_v7(), device: Uuid::now_v7(), ..inside.clone() };

    let red = core.found("Red Team").await.unwrap();
    let request = meantime_protocol::http::InviteRequest { valid_hours: 1, role: Role::Owner };
    let secret = core.invite(TeamScope::operator(red), &request).await.unwrap().secret.reveal();
    let join = json!({"secret": secret, "name": "Mallory", "device_name": "x"});
    let joined = world.client().call(Method::POST, "/v1/join").json(&join).send().await.unwrap();
    let mallory = Someone::again(world.client(), joined.json::<JoinResponse>().await.unwrap());
    let removed = world.someone("Rem", Role::Owner).await;
    let operator = By::Operator(TeamScope::operator(kofi.joined.team));
    core.remove(operator, removed.joined.person).await.unwrap();
    let open = core.invite(TeamScope::operator(kofi.joined.team), &request).await.unwrap().secret.reveal();
    let invited = Someone::again(world.client(), JoinResponse { token: open, ..mallory.joined.clone() });
    let revoked = world.someone("Rev", Role::Owner).await;
    core.revoke(operator, revoked.joined.device).await.unwrap();
    let (lea, guest) = (world.someone("Lea", Role::Member).await, world.someone("Gast", Role::Guest).await);
    let admin = world.someone("Adm", Role::Admin).await;

    let asker = |who, someone, foreign: &Ids, known| Asker { who, someone, foreign: foreign.clone(), known };
    let askers = [
        asker("another team's owner", mallory, &ids, true),
        asker("somebody removed", removed, &ids, false),
        asker("somebody invited who has not joined", invited, &ids, false),
        asker("somebody whose device was ended", revoked, &ids, false),
        asker("a teammate outside of the circle", lea, &inside, true),
        asker("a guest outside of the circle", guest, &inside, true),
        asker("an owner outside of the circle", ana, &owners, true),
        asker("an admin outside of the circle", admin, &owners, true),
    ];
    for (i, asker) in askers.iter().enumerate() {
        let made_up = asker.foreign.made_up();
        // No token is looked at where a secret is asked for: once is enough.
        for route in ROUTES.iter().filter(|route| i == 0 || route.door != Door::Secret) {
            let (real, other) = (asked(route, asker, &asker.foreign), asked(route, asker, &made_up));
            assert_eq!(real.len(), other.len());
            for (real, other) in real.iter().zip(&other) {
                let said = format!("{}: {} {} {:?}", asker.who, route.method, real.path, real.body);
                let (told, absent) = (answer(asker, route, real).await, answer(asker, route, other).await);
                let makes = ["/v1/token", "/v1/devices/link", "/v1/invites"].contains(&route.path);
                if !makes || !told.0.is_success() {
                    assert_eq!(told, absent, "{said}");
                }
                if !asker.known && matches!(route.door, Door::Token | Door::Stream) {
                    assert_eq!(told.0, StatusCode::UNAUTHORIZED, "{said}");
                }
                for secret in asker.foreign.said() {
                    assert!(!told.2.contains(&secret), "{said}: {}", told.2);
                }
            }
        }
    }
    // Nothing of all that did anything.
    let me = kofi.call(Method::GET, "/v1/me").send().await.unwrap();
    assert_eq!(me.status(), StatusCode::OK);
    assert_eq!(me.json::<meantime_protocol::http::Me>().await.unwrap().scopes[&scope].seq, 3);
}

/// Whoever adds a route outside of the table adds one that nobody tests.
#[test]
fn there_is_no_route_but_in_the_table() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/http");
    let mut routes = Vec::new();
    let mut folders = vec![std::path::PathBuf::from(folder)];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let text = std::fs::read_to_string(path).unwrap();
            routes.extend(text.lines().filter(|line| line.contains(".route(")).map(|line| line.trim().to_owned()));
        }
    }
    assert_eq!(routes.len(), 1, "{routes:?}");
    let mut known: Vec<(&str, &str)> = ROUTES.iter().map(|route| (route.method, route.path)).collect();
    known.sort_unstable();
    known.dedup();
    assert_eq!(known.len(), ROUTES.len(), "each stands there once");
}

/// docs/PROTOCOL.md describes each of them, and none that is not there.
#[test]
fn every_route_is_described() {
    let text = include_str!("../../../../docs/PROTOCOL.md");
    let mut described: Vec<String> = Vec::new();
    let mut several = None;
    for line in text.lines() {
        if line.starts_with('#') {
            several = None;
        }
        let code = |start: &str| line.strip_prefix(start).and_then(|rest| rest.split('`').next());
        match code("### `").map(|call| call.split(['?', '[']).next().unwrap_or_default()) {
            Some(call) if call.contains(' ') => described.push(call.to_owned()),
            // One path with several methods, each with what it does.
            Some(path) => several = Some(path),
            None => {}
        }
        if let (Some(path), Some(method)) = (several, code("- `")) {
            described.push(format!("{method} {path}"));
        }
    }
    let names = |path: &str| -> String {
        let part = |part: &str| match part.strip_prefix('{').and_then(|name| name.strip_suffix('}')) {
            Some(name) => name.to_uppercase(),
            None => part.to_owned(),
        };
        path.split('/').map(part).collect::<Vec<_>>().join("/")
    };
    let mut served: Vec<String> =
        ROUTES.iter().map(|route| format!("{} {}", route.method, names(route.path))).collect();
    described.sort_unstable();
    served.sort_unstable();
    assert_eq!(described, served);
}
