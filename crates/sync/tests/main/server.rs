//! A server of a few lines that keeps the protocol's promises, and breaks
//! connections on request.

use async_trait::async_trait;
use chrono::DateTime;
use futures::{StreamExt as _, stream};
use meantime_model::{DeviceId, OpId, PersonId, TeamId};
use meantime_protocol::http::{BootstrapPage, Me, OpResult, Poke, PullPage, PushOutcome, PushRequest, PushResponse};
use meantime_protocol::{Code, Cursor, Epoch, Problem, Record, Scope};
use meantime_sync::{OutgoingFile, Pokes, Remote, RemoteError, TransferError};
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::{Arc, Mutex};
use tokio::sync::watch;
use uuid::Uuid;

pub const TEAM: Scope = Scope::Team(TeamId(Uuid::from_u128(1)));
pub const PRIVATE: Scope = Scope::Private(Uuid::from_u128(2));
pub const PERSON: PersonId = PersonId(Uuid::from_u128(3));
/// Rows a page has: small, so that there are many.
const PAGE: usize = 3;

pub type Rows = BTreeMap<(String, Uuid), Record>;

#[derive(Clone, Default)]
pub struct Feed {
    pub seq: u64,
    pub rows: Rows,
    /// Cursors below are gone.
    pub min_seq: u64,
}

/// What happens to a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    None,
    /// It does not get there.
    Before,
    /// It is carried out; the answer gets lost.
    After,
    Busy,
}

#[derive(Clone)]
pub struct State {
    pub epoch: u64,
    pub feeds: BTreeMap<Scope, Feed>,
    pub taken: HashMap<(DeviceId, u64), OpId>,
    /// How often each op took effect.
    pub effects: HashMap<OpId, u32>,
}

pub struct Server {
    pub state: Mutex<State>,
    pub down: Mutex<bool>,
    moved: watch::Sender<u64>,
}

/// The server as one device reaches it.
pub struct Line {
    pub server: Arc<Server>,
    pub device: DeviceId,
    pub faults: Mutex<VecDeque<Fault>>,
    pub calls: Mutex<BTreeMap<&'static str, u32>>,
}

impl Server {
    pub fn new() -> Arc<Self> {
        let feeds = [(TEAM, Feed::default()), (PRIVATE, Feed::default())].into();
        let state = State { epoch: 1, feeds, taken: HashMap::new(), effects: HashMap::new() };
        Arc::new(Self { state: Mutex::new(state), down: Mutex::new(false), moved: watch::Sender::new(0) })
    }

    pub fn poke(&self) {
        self.moved.send_modify(|n| *n += 1);
    }

    /// Puts the state of a backup back, as a new epoch.
    pub fn restore(&self, backup: &State) {
        let mut state = self.state.lock().unwrap();
        let epoch = state.epoch + 1;
        *state = State { epoch, ..backup.clone() };
        drop(state);
        self.poke();
    }
}

impl Line {
    pub fn new(server: &Arc<Server>, device: DeviceId) -> Arc<Self> {
        Arc::new(Self { server: Arc::clone(server), device, faults: Mutex::default(), calls: Mutex::default() })
    }

    /// One call: faults first, then the effect, then maybe no answer.
    async fn call<T>(
        &self,
        name: &'static str,
        effect: impl FnOnce(&mut State) -> Result<T, RemoteError> + Send,
    ) -> Result<T, RemoteError> {
        tokio::task::yield_now().await;
        *self.calls.lock().unwrap().entry(name).or_default() += 1;
        let fault = self.faults.lock().unwrap().pop_front().unwrap_or(Fault::None);
        let lost = || RemoteError::Offline("the test cut the line".into());
        match fault {
            _ if *self.server.down.lock().unwrap() => return Err(lost()),
            Fault::Before => return Err(lost()),
            Fault::Busy => return Err(RemoteError::Busy { retry_after: None }),
            Fault::None | Fault::After => {}
        }
        let answer = effect(&mut self.server.state.lock().unwrap());
        tokio::task::yield_now().await;
        if fault == Fault::After { Err(lost()) } else { answer }
    }
}

impl State {
    fn cursor(&self, feed: &Feed) -> Cursor {
        Cursor { epoch: Epoch(self.epoch), seq: feed.seq }
    }

    fn feed(&self, scope: Scope) -> Result<&Feed, RemoteError> {
        let none = || RemoteError::Refused(Problem::new(Code::NotFound, "no such feed"));
        self.feeds.get(&scope).ok_or_else(none)
    }

    pub fn take(&mut self, device: DeviceId, op: &meantime_protocol::http::Op) -> PushOutcome {
        if let Some(known) = self.taken.get(&(device, op.n)) {
            assert_eq!(*known, op.op_id, "a number was used twice");
            return PushOutcome::Duplicate;
        }
        if op.fields.contains_key("poison") || !self.feeds.contains_key(&op.scope) {
            return PushOutcome::Rejected { problem: Problem::new(Code::Invalid, "no") };
        }
        self.taken.insert((device, op.n), op.op_id);
        *self.effects.entry(op.op_id).or_default() += 1;
        let feed = self.feeds.get_mut(&op.scope).unwrap();
        feed.seq += 1;
        let at = DateTime::from_timestamp(i64::try_from(feed.seq).unwrap(), 0).unwrap();
        let row = feed.rows.entry((op.kind.to_string(), op.id)).or_insert_with(|| Record {
            scope: op.scope,
            kind: op.kind.clone(),
            id: op.id,
            seq: 0,
            author: PERSON,
            deleted: false,
            visible_from: None,
            created_at: at,
            updated_at: at,
            fields: serde_json::Map::new(),
        });
        row.seq = feed.seq;
        row.updated_at = at;
        row.deleted = op.deleted;
        for (name, value) in &op.fields {
            row.fields.insert(name.clone(), value.clone());
        }
        PushOutcome::Applied { seq: feed.seq }
    }
}

#[async_trait]
impl Remote for Line {
    async fn me(&self) -> Result<Me, RemoteError> {
        let device = self.device;
        self.call("me", |state| {
            let scopes = state.feeds.iter().map(|(scope, feed)| (*scope, state.cursor(feed))).collect();
            Ok(Me { person: PERSON, team: TeamId(Uuid::from_u128(1)), device, scopes })
        })
        .await
    }

    async fn push(&self, request: &PushRequest) -> Result<PushResponse, RemoteError> {
        assert!(request.ops.is_sorted_by_key(|op| op.n));
        let answer = self
            .call("push", |state| {
                if request.ops.iter().any(|op| op.fields.contains_key("too large")) {
                    return Err(RemoteError::Refused(Problem::new(Code::TooLarge, "too large")));
                }
                let take = |op| OpResult { n: op_n(op), outcome: state.take(request.device, op) };
                Ok(PushResponse { results: request.ops.iter().map(take).collect() })
            })
            .await;
        self.server.poke();
        answer
    }

    async fn pull(&self, scope: Scope, cursor: Cursor) -> Result<PullPage, RemoteError> {
        self.call("pull", |state| {
            let feed = state.feed(scope)?;
            let newest = state.cursor(feed);
            if cursor.epoch != newest.epoch || cursor.seq > newest.seq || cursor.seq < feed.min_seq {
                return Err(RemoteError::Gone);
            }
            let mut rows: Vec<Record> = feed.rows.values().filter(|r| r.seq > cursor.seq).cloned().collect();
            rows.sort_by_key(|r| r.seq);
            let more = rows.len() > PAGE;
            rows.truncate(PAGE);
            let seq = if more { rows.last().map_or(cursor.seq, |r| r.seq) } else { feed.seq };
            Ok(PullPage { rows, next: Cursor { seq, ..newest }, more, upto: feed.seq })
        })
        .await
    }

    async fn bootstrap(&self, scope: Scope, page: Option<&str>) -> Result<BootstrapPage, RemoteError> {
        self.call("bootstrap", |state| {
            let feed = state.feed(scope)?;
            let (start, below) = match page.map(|p| p.split_once('<').unwrap()) {
                None => (state.cursor(feed), u64::MAX),
                Some((start, below)) => (start.parse().unwrap(), below.parse().unwrap()),
            };
            if start.epoch != state.cursor(feed).epoch {
                return Err(RemoteError::Gone);
            }
            let mut rows: Vec<Record> =
                feed.rows.values().filter(|r| !r.deleted && r.seq < below && r.seq <= start.seq).cloned().collect();
            rows.sort_by_key(|r| std::cmp::Reverse(r.seq));
            let more = rows.len() > PAGE;
            rows.truncate(PAGE);
            let next_page = more.then(|| format!("{start}<{}", rows.last().unwrap().seq));
            Ok(BootstrapPage { rows, next_page, start })
        })
        .await
    }

    async fn send_file(&self, file: &OutgoingFile) -> Result<(), TransferError> {
        Err(RemoteError::Protocol(format!("{file:?} in a test without files")).into())
    }

    async fn live(&self) -> Result<Pokes, RemoteError> {
        self.call("live", |_| Ok(())).await?;
        let (server, moved) = (Arc::clone(&self.server), self.server.moved.subscribe());
        let pokes = stream::unfold((server, moved), |(server, mut moved)| async move {
            moved.changed().await.ok()?;
            if *server.down.lock().unwrap() {
                return None;
            }
            let scopes = server.state.lock().unwrap().feeds.iter().map(|(scope, feed)| (*scope, feed.seq)).collect();
            Some((Ok(Poke { scopes, gone: Vec::new() }), (server, moved)))
        });
        Ok(pokes.boxed())
    }
}

fn op_n(op: &meantime_protocol::http::Op) -> u64 {
    op.n
}

/// Scopes a set of devices may read, as `me` says.
pub fn scopes(server: &Server) -> BTreeSet<Scope> {
    server.state.lock().unwrap().feeds.keys().copied().collect()
}
