//! The shapes in the OpenAPI document and the protocol's Rust types are the
//! same: what the types write is of its shape, with nothing left out; what it
//! calls for is what they always write, or can't read without; and what it
//! lets pass they can read.

use chrono::{DateTime, Utc};
use jsonschema::Validator;
use meantime_model::{DeviceId, OpId, PersonId, TeamId};
use meantime_protocol::attachment::Upload;
use meantime_protocol::http::*;
use meantime_protocol::kinds::Role;
use meantime_protocol::people::*;
use meantime_protocol::{Code, Cursor, Epoch, Fields, Kind, Problem, Record, Scope};
use meantime_server::http::openapi;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

/// Who has to understand what the other wrote.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    /// The server.
    Asked,
    /// The client.
    Answered,
}
use Way::{Answered, Asked};

struct Shapes {
    /// The document, with every object closed to what it does not list.
    document: Value,
    checked: BTreeSet<String>,
}

impl Shapes {
    fn new() -> Self {
        let text = openapi::document().unwrap().to_json().unwrap();
        let mut document: Value = serde_json::from_str(&text).unwrap();
        for shape in document["components"]["schemas"].as_object_mut().unwrap().values_mut() {
            if shape["properties"].is_object() {
                shape["additionalProperties"] = json!(false);
            }
        }
        Self { document, checked: BTreeSet::new() }
    }

    fn shape(&self, name: &str) -> &Value {
        &self.document["components"]["schemas"][name]
    }

    fn validator(&self, name: &str) -> Validator {
        let schema = json!({"$ref": format!("#/components/schemas/{name}"), "components": self.document["components"]});
        jsonschema::options().should_validate_formats(true).build(&schema).unwrap()
    }

    /// `examples`: with everything that there may be, in one or another, and
    /// with as little as there may be.
    fn are<T: Serialize + DeserializeOwned>(&mut self, name: &str, way: Way, examples: &[T]) {
        let valid = self.validator(name);
        let written: Vec<Value> = examples.iter().map(|example| serde_json::to_value(example).unwrap()).collect();
        for value in &written {
            let wrong: Vec<_> = valid.iter_errors(value).map(|e| format!("{}: {e}", e.instance_path())).collect();
            assert!(wrong.is_empty(), "{name}: {value} is not of its shape: {wrong:?}");
        }
        let listed: BTreeSet<&str> = self.shape(name)["properties"].as_object().unwrap().keys().map(|k| &**k).collect();
        let keys = |value: &'_ Value| value.as_object().unwrap().keys().cloned().collect::<BTreeSet<_>>();
        let all: BTreeSet<String> = written.iter().flat_map(keys).collect();
        assert_eq!(all.iter().map(|k| &**k).collect::<BTreeSet<_>>(), listed, "{name}: what there may be");

        let required = self.shape(name)["required"].as_array().cloned().unwrap_or_default();
        let required: BTreeSet<&str> = required.iter().map(|key| key.as_str().unwrap()).collect();
        let reads = |value: &Value| serde_json::from_value::<T>(value.clone()).is_ok();
        let needed: BTreeSet<&str> = match way {
            Answered => listed.iter().copied().filter(|key| written.iter().all(|v| v.get(key).is_some())).collect(),
            Asked => listed.iter().copied().filter(|key| !reads(&without(&written[0], key))).collect(),
        };
        assert_eq!(needed, required, "{name}: what there has to be");

        for value in &written {
            for key in value.as_object().unwrap().keys() {
                for other in [json!(null), json!(true), json!(-7), json!(1.5), json!("x"), json!([[]]), json!({"a": 1})]
                {
                    let mut changed = value.clone();
                    changed[key] = other;
                    assert!(!valid.is_valid(&changed) || reads(&changed), "{name}: {changed} is let pass");
                }
            }
            let mut newer = value.clone();
            newer["something_newer"] = json!({"a": 1});
            assert!(reads(&newer), "{name}: what is not known yet does no harm");
        }
        self.checked.insert(name.to_owned());
    }
}

fn without(value: &Value, key: &str) -> Value {
    let mut less = value.clone();
    less.as_object_mut().unwrap().remove(key);
    less
}

fn now() -> DateTime<Utc> {
    "2026-11-24T09:00:00.123Z".parse().unwrap()
}

#[test]
fn the_document_has_the_shapes_of_the_types() {
    let (person, team, device, id) = (PersonId::new(), TeamId::new(), DeviceId::new(), Uuid::now_v7());
    let (scope, cursor) = (Scope::Private(id), Cursor { epoch: Epoch(0xab), seq: 7 });
    let text = || "text".to_owned();
    let mut shapes = Shapes::new();

    shapes.are("JoinRequest", Asked, &[JoinRequest { secret: text(), name: text(), device_name: text() }]);
    let joined = JoinResponse { person, team, team_name: text(), device, token: text() };
    shapes.are("JoinResponse", Answered, &[joined]);
    let sign_in =
        SignInRequest { team: Some(team), login: text(), password: text(), totp: Some(text()), device_name: text() };
    shapes.are("SignInRequest", Asked, &[sign_in.clone(), SignInRequest { team: None, totp: None, ..sign_in }]);
    let scopes = BTreeMap::from([(Scope::Team(team), cursor), (Scope::User(person), cursor), (scope, cursor)]);
    shapes.are("Me", Answered, &[Me { person, team, device, scopes }]);
    for role in [Role::Owner, Role::Admin, Role::Member, Role::Guest] {
        shapes.are("InviteRequest", Asked, &[InviteRequest { valid_hours: 72, role }]);
    }
    shapes.are("InviteResponse", Answered, &[InviteResponse { link: text(), expires_at: now() }]);

    let fields = Fields::from_iter([("a".to_owned(), json!({"b": [1, null]}))]);
    let op = Op {
        n: 41,
        op_id: OpId::new(),
        scope,
        kind: Kind::MESSAGE,
        id,
        fields: fields.clone(),
        base_seq: Some(57),
        deleted: true,
        visible_from: Some(now()),
    };
    let small = Op { fields: Fields::new(), base_seq: None, visible_from: None, ..op.clone() };
    shapes.are("Op", Asked, &[op.clone(), small]);
    shapes.are("PushRequest", Asked, &[PushRequest { device, ops: vec![op] }]);
    let problem = Problem { retry_after: Some(7), ..Problem::new(Code::Busy, "too much to do") };
    let plain = Problem::new(Code::Invalid, "no");
    let outcomes = [
        PushOutcome::Applied { seq: 57 },
        PushOutcome::Duplicate,
        PushOutcome::Rejected { problem: problem.clone() },
        PushOutcome::Rejected { problem: plain.clone() },
    ];
    let results = outcomes.map(|outcome| OpResult { n: 41, outcome });
    shapes.are("Problem", Answered, &[problem, plain]);
    shapes.are("OpResult", Answered, &results);
    shapes.are("PushResponse", Answered, &[PushResponse { results: results.to_vec() }]);

    let record = Record {
        scope,
        kind: Kind::MESSAGE,
        id,
        seq: 57,
        author: person,
        deleted: false,
        visible_from: Some(now()),
        created_at: now(),
        updated_at: now(),
        fields,
    };
    let rows = vec![record.clone()];
    shapes.are("Record", Answered, &[record.clone(), Record { visible_from: None, ..record }]);
    shapes.are("PullPage", Answered, &[PullPage { rows: rows.clone(), next: cursor, more: true, upto: 57 }]);
    let first = BootstrapPage { rows, next_page: Some(text()), start: cursor };
    shapes.are("BootstrapPage", Answered, &[first.clone(), BootstrapPage { next_page: None, ..first }]);

    shapes.are("TokenResponse", Answered, &[TokenResponse { token: text() }]);
    let info = DeviceInfo { id: device, name: text(), since: now(), seen_at: now(), this: true };
    shapes.are("DeviceInfo", Answered, std::slice::from_ref(&info));
    shapes.are("DevicesResponse", Answered, &[DevicesResponse { devices: vec![info] }]);
    let account = AccountInfo { login: Some(text()), totp: true };
    shapes.are("AccountInfo", Answered, &[account, AccountInfo { login: None, totp: false }]);
    let password = || "correct horse".to_owned();
    let account = AccountRequest { login: text(), password: password(), current_password: Some(text()) };
    shapes.are("AccountRequest", Asked, &[account.clone(), AccountRequest { current_password: None, ..account }]);
    shapes.are("TotpRequest", Asked, &[TotpRequest { password: password() }]);
    shapes.are("TotpResponse", Answered, &[TotpResponse { secret: text(), uri: text() }]);
    shapes.are("TotpConfirm", Asked, &[TotpConfirm { code: "123456".into() }]);
    shapes.are("RoleRequest", Asked, &[RoleRequest { role: Role::Admin }]);
    let links = [MemberLinkRequest { role: Some(Role::Guest) }, MemberLinkRequest { role: None }];
    shapes.are("MemberLinkRequest", Asked, &links);
    let who = (Some(person), Some(device), Some(id));
    let entry = AuditEntry { seq: 1, at: now(), what: text(), by: who.0, device: who.1, about: who.2, note: text() };
    let short = AuditEntry { by: None, device: None, about: None, note: String::new(), ..entry.clone() };
    shapes.are("AuditEntry", Answered, &[entry.clone(), short]);
    shapes.are("AuditPage", Answered, &[AuditPage { entries: vec![entry] }]);
    shapes.are("Upload", Answered, &[Upload { offset: 7, complete: false }]);

    let objects = shapes.document["components"]["schemas"].as_object().unwrap().iter();
    let objects = objects.filter(|(_, shape)| shape["type"] == "object").map(|(name, _)| name.clone());
    // What answers about health is no type: it is written where it is said.
    let objects: BTreeSet<String> = objects.filter(|name| name != "Health").collect();
    assert_eq!(shapes.checked, objects, "every shape was looked at");
}
