//! A device: what it has stored, and the app running on it for a while.

use crate::server::{Line, Rows, Server};
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use meantime_model::{DeviceId, OpId};
use meantime_protocol::http::{BootstrapPage, Op, OpResult, PullPage, PushOutcome};
use meantime_protocol::{Cursor, Kind, Record, Scope};
use meantime_sync::{Feed, Handle, Log, LogError, Outgoing, Syncer, Tuning};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;
use uuid::Uuid;

/// Waits short enough for a test.
pub const QUICK: Tuning = Tuning {
    first_retry: Duration::from_millis(1),
    longest_retry: Duration::from_millis(4),
    reconnect: Duration::from_millis(2),
    poll: Duration::from_millis(50),
    refused: Duration::from_millis(10),
};

#[derive(Default)]
pub struct Disk {
    pub feeds: BTreeMap<Scope, (Option<Cursor>, Option<String>)>,
    pub rows: BTreeMap<Scope, Rows>,
    old: BTreeMap<Scope, BTreeSet<(String, Uuid)>>,
    /// Local number, op; the op's own number is 0 until it was handed out.
    pub outbox: Vec<Op>,
    last_n: u64,
    pub refused: Vec<(OpId, String)>,
    pub arrived: Vec<OpId>,
    /// Rows there were when the feed became usable.
    pub first_page: Option<usize>,
}

/// The store of one device; survives the app.
pub struct Device {
    pub id: DeviceId,
    pub disk: Arc<Mutex<Disk>>,
    pub line: Arc<Line>,
}

/// The same as a [`Log`].
pub struct Stored(pub Arc<Mutex<Disk>>);

pub fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(1_790_000_000, 0).unwrap()
}

impl Device {
    pub fn new(server: &Arc<Server>, n: u128) -> Self {
        let id = DeviceId(Uuid::from_u128(n));
        Self { id, disk: Arc::default(), line: Line::new(server, id) }
    }

    /// The person writes; answers the op's id.
    pub fn write(&self, scope: Scope, id: u128, field: &str, value: u32) -> OpId {
        let op_id = OpId::new();
        let fields = [(field.to_owned(), json!(value))].into_iter().collect();
        let op = Op {
            n: 0,
            op_id,
            scope,
            kind: Kind::THREAD,
            id: Uuid::from_u128(id),
            fields,
            base_seq: None,
            deleted: field == "deleted",
            visible_from: None,
        };
        self.disk.lock().unwrap().outbox.push(op);
        op_id
    }

    pub fn syncer(&self) -> (Syncer, Handle) {
        Syncer::new(Arc::new(Stored(Arc::clone(&self.disk))), Arc::clone(&self.line) as _, self.id, now, QUICK)
    }

    /// The app runs for at most `steps` awaits, then is gone at once.
    pub async fn run_for(&self, steps: usize) {
        let (syncer, _handle) = self.syncer();
        let run = Steps { inner: pin!(syncer.run(std::future::pending())), left: steps };
        let _ = tokio::time::timeout(Duration::from_millis(30), run).await;
    }

    pub fn rows(&self, scope: Scope) -> Rows {
        self.disk.lock().unwrap().rows.get(&scope).cloned().unwrap_or_default()
    }
}

/// Completes when it was polled that often.
struct Steps<F> {
    inner: F,
    left: usize,
}

impl<F: Future<Output = ()> + Unpin> Future for Steps<F> {
    type Output = ();
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        match self.left.checked_sub(1) {
            None => Poll::Ready(()),
            Some(left) => {
                self.left = left;
                Pin::new(&mut self.inner).poll(cx)
            }
        }
    }
}

impl Disk {
    fn put(&mut self, scope: Scope, row: &Record) {
        let key = (row.kind.to_string(), row.id);
        let old = self.old.entry(scope).or_default().remove(&key);
        let rows = self.rows.entry(scope).or_default();
        if old || rows.get(&key).is_none_or(|known| known.seq < row.seq) {
            rows.insert(key, row.clone());
        }
    }
}

impl Stored {
    /// An await before and after, where the app may be gone.
    async fn at_once<T>(&self, change: impl FnOnce(&mut Disk) -> T + Send) -> Result<T, LogError> {
        tokio::task::yield_now().await;
        let answer = change(&mut self.0.lock().unwrap());
        tokio::task::yield_now().await;
        Ok(answer)
    }
}

#[async_trait]
impl Log for Stored {
    async fn feeds(&self) -> Result<Vec<Feed>, LogError> {
        self.at_once(|disk| {
            let feed = |(scope, (cursor, page)): (&Scope, &(Option<Cursor>, Option<String>))| Feed {
                scope: *scope,
                cursor: *cursor,
                page: page.clone(),
                was: None,
                lost: false,
            };
            disk.feeds.iter().map(feed).collect()
        })
        .await
    }

    async fn follow(&self, scope: Scope) -> Result<(), LogError> {
        self.at_once(|disk| {
            disk.feeds.entry(scope).or_default();
        })
        .await
    }

    async fn forget(&self, scope: Scope) -> Result<(), LogError> {
        self.at_once(|disk| {
            disk.feeds.remove(&scope);
            disk.rows.remove(&scope);
            let (gone, kept) = std::mem::take(&mut disk.outbox).into_iter().partition(|op: &Op| op.scope == scope);
            disk.outbox = kept;
            disk.refused.extend(gone.into_iter().map(|op: Op| (op.op_id, "gone".into())));
        })
        .await
    }

    async fn apply_page(&self, scope: Scope, page: &PullPage) -> Result<(), LogError> {
        self.at_once(|disk| {
            page.rows.iter().for_each(|row| disk.put(scope, row));
            disk.feeds.get_mut(&scope).unwrap().0 = Some(page.next);
        })
        .await
    }

    async fn apply_bootstrap(&self, scope: Scope, page: &BootstrapPage) -> Result<(), LogError> {
        self.at_once(|disk| {
            page.rows.iter().for_each(|row| disk.put(scope, row));
            disk.first_page.get_or_insert(page.rows.len());
            let feed = disk.feeds.get_mut(&scope).unwrap();
            feed.0.get_or_insert(page.start);
            feed.1 = page.next_page.clone();
            if page.next_page.is_none() {
                for key in disk.old.remove(&scope).unwrap_or_default() {
                    disk.rows.entry(scope).or_default().remove(&key);
                }
            }
        })
        .await
    }

    async fn begin_anew(&self, scope: Scope, _lost_epoch: bool) -> Result<(), LogError> {
        self.at_once(|disk| {
            let keys = disk.rows.entry(scope).or_default().keys().cloned().collect();
            disk.old.insert(scope, keys);
            disk.feeds.insert(scope, (None, None));
        })
        .await
    }

    async fn outgoing(&self) -> Result<Outgoing, LogError> {
        self.at_once(|disk| {
            let mut last = disk.last_n;
            for op in disk.outbox.iter_mut().take(4).filter(|op| op.n == 0) {
                last += 1;
                op.n = last;
            }
            disk.last_n = last;
            Outgoing { ops: disk.outbox.iter().take(4).cloned().collect(), next_at: None }
        })
        .await
    }

    async fn settle(&self, results: &[OpResult]) -> Result<(), LogError> {
        let results = results.to_vec();
        self.at_once(move |disk| {
            for result in results {
                let Some(at) = disk.outbox.iter().position(|op| op.n == result.n) else { continue };
                let op = disk.outbox.remove(at);
                match result.outcome {
                    PushOutcome::Rejected { problem } => disk.refused.push((op.op_id, problem.message)),
                    PushOutcome::Applied { .. } | PushOutcome::Duplicate => disk.arrived.push(op.op_id),
                }
            }
        })
        .await
    }
}
