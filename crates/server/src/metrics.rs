//! What monitoring reads. Each server has its own numbers, so that several in
//! one process don't mix.
//!
//! Counts; never names a person, a team or what they wrote.

use crate::http::ROUTES;
use meantime_protocol::http::{OpResult, PushOutcome};
use meantime_server_core::{StorageError, Watch};
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};
use std::sync::Arc;
use std::time::Duration;

type Labels<const N: usize> = [(&'static str, String); N];

/// What can be counted of each kind, so that it stands at 0 before the first:
/// a number that begins at 1 is no growth to who watches.
const LIMITS: [&str; 7] =
    ["downloads", "page_bytes", "push_bytes", "requests", "secrets", "streams", "streams_per_second"];
const OUTCOMES: [&str; 3] = ["applied", "duplicate", "rejected"];
const WHYS: [&str; 3] = ["busy", "unsure", "failed"];

/// The numbers. Fields are shared by all clones of what they count.
pub struct Metrics {
    registry: Registry,
    requests: Family<Labels<3>, Counter>,
    took: Family<Labels<1>, Histogram, fn() -> Histogram>,
    /// Answered 503 because of the limit that it names.
    shed: Family<Labels<1>, Counter>,
    /// Requests worked on, live streams apart.
    pub under_way: Gauge,
    /// Open live streams.
    pub streams: Gauge,
    /// Pokes sent to live streams.
    pub pokes: Counter,
    /// Passwords that are hashed or wait for it.
    pub passwords_queued: Gauge,
    /// Memory that pushes under way take, in bytes.
    pub push_bytes: Gauge,
    /// Memory that pages on their way out take, in bytes.
    pub page_bytes: Gauge,
    ops: Family<Labels<1>, Counter>,
    storage: Family<Labels<1>, Counter>,
    storage_errors: Family<Labels<2>, Counter>,
    /// Open connections.
    pub connections: Gauge,
    /// Connections closed at once, because of their address's others.
    pub connections_refused: Counter,
    /// Connections closed because the other side took nothing.
    pub connections_stalled: Counter,
    /// When the certificate ends, in seconds since 1970; 0 while there is none.
    pub certificate_until: Gauge,
    /// New certificates that were of no use, or could not be got.
    pub certificates_refused: Counter,
    /// When the last whole backup was made, in seconds since 1970.
    pub backup_at: Gauge,
    /// Backups that failed.
    pub backups_failed: Counter,
    /// When this process started, in seconds since 1970.
    pub started_at: Gauge,
}

impl Default for Metrics {
    fn default() -> Self {
        let took = Family::<Labels<1>, Histogram, fn() -> Histogram>::new_with_constructor(|| {
            Histogram::new([0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0])
        });
        let mut metrics = Self {
            registry: Registry::with_prefix("meantime"),
            requests: Family::default(),
            took,
            shed: Family::default(),
            under_way: Gauge::default(),
            streams: Gauge::default(),
            pokes: Counter::default(),
            passwords_queued: Gauge::default(),
            push_bytes: Gauge::default(),
            page_bytes: Gauge::default(),
            ops: Family::default(),
            storage: Family::default(),
            storage_errors: Family::default(),
            connections: Gauge::default(),
            connections_refused: Counter::default(),
            connections_stalled: Counter::default(),
            certificate_until: Gauge::default(),
            certificates_refused: Counter::default(),
            backup_at: Gauge::default(),
            backups_failed: Counter::default(),
            started_at: Gauge::default(),
        };
        metrics.register();
        metrics.begin();
        metrics
    }
}

impl Metrics {
    fn register(&mut self) {
        let r = &mut self.registry;
        r.register("requests", "Requests answered", self.requests.clone());
        r.register_with_unit("request", "Time until the answer began", Unit::Seconds, self.took.clone());
        r.register("shed", "Requests answered 503 because of a limit", self.shed.clone());
        r.register("requests_under_way", "Requests worked on, live streams apart", self.under_way.clone());
        r.register("live_streams", "Open live streams", self.streams.clone());
        r.register("pokes", "Pokes sent to live streams", self.pokes.clone());
        r.register("passwords_queued", "Passwords hashed or waiting for it", self.passwords_queued.clone());
        let memory = "Memory that pushes under way may take";
        r.register_with_unit("push", memory, Unit::Bytes, self.push_bytes.clone());
        let pages = "Memory that pages on their way out take";
        r.register_with_unit("page", pages, Unit::Bytes, self.page_bytes.clone());
        r.register("ops", "Changes pushed, by what became of them", self.ops.clone());
        r.register("storage_calls", "Calls to the storage", self.storage.clone());
        r.register("storage_errors", "Calls to the storage that failed", self.storage_errors.clone());
        r.register("connections", "Open connections", self.connections.clone());
        r.register("connections_refused", "Connections over an address's limit", self.connections_refused.clone());
        r.register("connections_stalled", "Connections that took nothing", self.connections_stalled.clone());
        let until = "When the certificate ends, as a Unix time";
        r.register_with_unit("certificate_until", until, Unit::Seconds, self.certificate_until.clone());
        let refused = "New certificates that were of no use or could not be got";
        r.register("certificates_refused", refused, self.certificates_refused.clone());
        let backup = "When the last whole backup was made, as a Unix time";
        r.register_with_unit("backup_made", backup, Unit::Seconds, self.backup_at.clone());
        r.register("backups_failed", "Backups that failed", self.backups_failed.clone());
        let started = "When this process started, as a Unix time";
        r.register_with_unit("start_time", started, Unit::Seconds, self.started_at.clone());
    }

    fn begin(&self) {
        for limit in LIMITS {
            drop(self.shed.get_or_create(&[("limit", limit.to_owned())]));
        }
        for outcome in OUTCOMES {
            drop(self.ops.get_or_create(&[("outcome", outcome.to_owned())]));
        }
        for route in ROUTES {
            let (method, path) = (route.method.to_owned(), route.path.to_owned());
            drop(self.requests.get_or_create(&[("method", method), ("route", path), ("status", "500".to_owned())]));
        }
        self.can_fail("commit");
    }

    fn can_fail(&self, call: &str) {
        for why in WHYS {
            drop(self.storage_errors.get_or_create(&[("call", call.to_owned()), ("why", why.to_owned())]));
        }
    }

    /// A request was answered. `route` as it stands in the router.
    pub fn answered(&self, method: &str, route: &str, status: u16, took: Duration) {
        let labels = [("method", method.to_owned()), ("route", route.to_owned()), ("status", status.to_string())];
        self.requests.get_or_create(&labels).inc();
        self.took.get_or_create(&[("route", route.to_owned())]).observe(took.as_secs_f64());
    }

    /// A request was sent away by a limit.
    pub fn shed(&self, limit: &str) {
        self.shed.get_or_create(&[("limit", limit.to_owned())]).inc();
    }

    /// Changes were judged.
    pub fn pushed(&self, results: &[OpResult]) {
        for result in results {
            let outcome = match result.outcome {
                PushOutcome::Applied { .. } => "applied",
                PushOutcome::Duplicate => "duplicate",
                PushOutcome::Rejected { .. } => "rejected",
            };
            self.ops.get_or_create(&[("outcome", outcome.to_owned())]).inc();
        }
    }

    /// All of it, in OpenMetrics' text form.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::new();
        // Writing into a string can't fail; half a page would say so by its missing end.
        let _ = encode(&mut text, &self.registry);
        text
    }
}

/// Tells the numbers of calls to the storage.
pub struct Storages(pub Arc<Metrics>);

impl Watch for Storages {
    fn ended(&self, call: &'static str, error: Option<&StorageError>) {
        let before = self.0.storage.get_or_create(&[("call", call.to_owned())]).inc();
        if before == 0 {
            self.0.can_fail(call);
        }
        if let Some(error) = error {
            let why = match error {
                StorageError::Busy => "busy",
                StorageError::Unsure(_) => "unsure",
                StorageError::Failed(_) => "failed",
            };
            self.0.storage_errors.get_or_create(&[("call", call.to_owned()), ("why", why.to_owned())]).inc();
        }
    }
}
