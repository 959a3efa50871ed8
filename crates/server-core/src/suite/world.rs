//! A small world to try the rules in: a team, its people, a clock with hands.

use crate::pokes::Polling;
use crate::{Actor, Clock, Core, Costs, Incoming, SealKey, Shared, Storage, TeamScope};
use chrono::{DateTime, TimeDelta, TimeZone as _, Utc};
use meantime_model::{OpId, TeamId};
use meantime_protocol::http::{InviteRequest, JoinRequest, Op, PullPage, PullQuery, PushOutcome};
use meantime_protocol::kinds::Role;
use meantime_protocol::{Code, Cursor, Fields, Kind, Record, Scope};
use serde_json::Value;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use uuid::Uuid;

/// A clock that is set by hand.
pub struct Hands(Mutex<DateTime<Utc>>);

/// When every world begins.
pub fn noon() -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2026, 11, 23, 12, 0, 0).unwrap()
}

impl Hands {
    pub fn new() -> Arc<Self> {
        Arc::new(Self(Mutex::new(noon())))
    }

    pub fn pass(&self, time: TimeDelta) {
        *self.0.lock().unwrap() += time;
    }
}

impl Clock for Hands {
    fn now(&self) -> DateTime<Utc> {
        *self.0.lock().unwrap()
    }
}

/// What secrets are sealed with here.
fn key() -> SealKey {
    SealKey::from([7; 32])
}

/// What passwords are hashed at here: the least there is.
pub const CHEAP: Costs = Costs { memory: 8, passes: 1, lanes: 1 };

pub struct World<S> {
    pub core: Arc<Core<S>>,
    pub clock: Arc<Hands>,
    pub team: TeamId,
}

/// A person with one device.
pub struct Someone {
    pub actor: Actor,
    pub token: String,
    next: AtomicU64,
}

impl<S: Storage> World<S> {
    pub async fn new(storage: S) -> Self {
        let world = Self::on(storage, TeamId::new());
        let team = world.core.found("Blue Team").await.unwrap();
        Self { team, ..world }
    }

    /// A team that is there already, as another server process sees it.
    pub fn on(storage: S, team: TeamId) -> Self {
        Self::beside(storage, team, Arc::new(crate::pokes::Alone))
    }

    /// The same, hearing of the others by `pokes`.
    pub fn beside(storage: S, team: TeamId, pokes: Arc<dyn crate::Pokes>) -> Self {
        let clock = Hands::new();
        let core = Core::with_costs(storage, Arc::clone(&clock) as Arc<dyn Clock>, CHEAP).beside(pokes);
        Self { core: Arc::new(core.sealing(key())), clock, team }
    }

    /// Another process on the same storage: it is told nothing, and looks.
    pub fn elsewhere(&self) -> Arc<Core<Shared>> {
        let shared = Shared::from(Arc::clone(&self.core.storage));
        let core = Core::with_costs(shared, Arc::clone(&self.clock) as Arc<dyn Clock>, CHEAP);
        let core = Arc::new(core.beside(Arc::new(Polling(Duration::from_millis(100)))).sealing(key()));
        let hearing = Arc::clone(&core);
        tokio::spawn(async move { hearing.hear_others().await });
        core
    }

    pub fn scope(&self) -> Scope {
        Scope::Team(self.team)
    }

    pub async fn invite(&self, role: Role) -> String {
        self.invite_to(self.team, role).await
    }

    pub async fn invite_to(&self, team: TeamId, role: Role) -> String {
        let request = InviteRequest { valid_hours: 72, role };
        self.core.invite(TeamScope::operator(team), &request).await.unwrap().secret.reveal()
    }

    pub async fn someone(&self, name: &str, role: Role) -> Someone {
        self.someone_in(self.team, name, role).await
    }

    pub async fn someone_in(&self, team: TeamId, name: &str, role: Role) -> Someone {
        let joined = self.core.join(&join(&self.invite_to(team, role).await, name)).await.unwrap();
        let actor = self.core.authenticate(&joined.token).await.unwrap();
        assert_eq!((actor.person, actor.team, actor.device), (joined.person, team, joined.device));
        Someone { actor, token: joined.token, next: AtomicU64::new(1) }
    }

    /// The same person's second device, added by a link.
    pub async fn second_device(&self, of: &Someone) -> Someone {
        let link = self.core.device_link(&of.actor).await.unwrap().secret.reveal();
        let joined = self.core.join(&join(&link, "")).await.unwrap();
        let actor = self.core.authenticate(&joined.token).await.unwrap();
        Someone { actor, token: joined.token, next: AtomicU64::new(1) }
    }

    /// The same person on the same device, as they stand by now.
    pub async fn again(&self, who: &Someone) -> Someone {
        let actor = self.core.authenticate(&who.token).await.unwrap();
        Someone { actor, token: who.token.clone(), next: AtomicU64::new(who.next.load(Ordering::SeqCst)) }
    }

    pub async fn push(&self, who: &Someone, ops: Vec<Op>) -> Vec<PushOutcome> {
        let ops: Vec<Incoming> = ops.into_iter().map(|op| Incoming { n: op.n, op: Ok(op) }).collect();
        let results = self.core.push(&who.actor, &ops).await.unwrap();
        assert_eq!(results.iter().map(|r| r.n).collect::<Vec<_>>(), ops.iter().map(|o| o.n).collect::<Vec<_>>());
        results.into_iter().map(|r| r.outcome).collect()
    }

    /// Pushes one op that must be taken; its seq.
    pub async fn put(&self, who: &Someone, op: Op) -> u64 {
        match self.push(who, vec![op]).await.remove(0) {
            PushOutcome::Applied { seq } => seq,
            other => panic!("not taken: {other:?}"),
        }
    }

    /// Pushes one op that must be refused; why.
    pub async fn refused(&self, who: &Someone, op: Op) -> Code {
        match self.push(who, vec![op]).await.remove(0) {
            PushOutcome::Rejected { problem } => problem.code,
            other => panic!("not refused: {other:?}"),
        }
    }

    pub async fn thread(&self, who: &Someone, title: &str) -> Uuid {
        let op = who.op(&self.scope(), Kind::THREAD, fields(&[("title", title.into()), ("urgency", "green".into())]));
        let id = op.id;
        self.put(who, op).await;
        id
    }

    pub async fn page(&self, who: &Someone, scope: Scope, after: u64, limit: usize) -> PullPage {
        let cursor = Cursor { epoch: self.core.storage().epoch().await.unwrap(), seq: after };
        self.core.pull(&who.actor, &PullQuery { scope, cursor, limit: Some(limit) }).await.unwrap()
    }

    /// Everything this person's app would have after pulling from the start.
    pub async fn all(&self, who: &Someone, scope: Scope) -> Vec<Record> {
        let (mut rows, mut after) = (Vec::new(), 0);
        loop {
            let page = self.page(who, scope, after, 50).await;
            rows.extend(page.rows);
            after = page.next.seq;
            if !page.more {
                assert_eq!(after, page.upto);
                return rows;
            }
        }
    }

    pub async fn see(&self, who: &Someone, id: Uuid) -> Option<Record> {
        self.all(who, self.scope()).await.into_iter().find(|row| row.id == id)
    }
}

impl Someone {
    pub fn scope(&self) -> Scope {
        Scope::User(self.actor.person)
    }

    /// A change of a new record.
    pub fn op(&self, scope: &Scope, kind: Kind, fields: Fields) -> Op {
        self.change(scope, kind, Uuid::now_v7(), fields)
    }

    /// A change of a record.
    pub fn change(&self, scope: &Scope, kind: Kind, id: Uuid, fields: Fields) -> Op {
        Op {
            n: self.next.fetch_add(1, Ordering::SeqCst),
            op_id: OpId::new(),
            scope: *scope,
            kind,
            id,
            fields,
            base_seq: None,
            deleted: false,
            visible_from: None,
        }
    }

    pub fn message(&self, scope: &Scope, thread: Uuid, text: &str) -> Op {
        self.op(scope, Kind::MESSAGE, fields(&[("thread", thread.to_string().into()), ("text", text.into())]))
    }

    pub fn delete(&self, scope: &Scope, kind: Kind, id: Uuid) -> Op {
        Op { deleted: true, ..self.change(scope, kind, id, Fields::new()) }
    }
}

pub fn join(secret: &str, name: &str) -> JoinRequest {
    JoinRequest { secret: secret.to_owned(), name: name.to_owned(), device_name: "laptop".to_owned() }
}

pub fn fields(pairs: &[(&str, Value)]) -> Fields {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect()
}

pub fn object(value: Value) -> Fields {
    value.as_object().unwrap().clone()
}
