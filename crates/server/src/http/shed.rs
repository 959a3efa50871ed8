//! Sends requests away that would be too many, before anything is done for
//! them: better some wait than all.

use super::App;
use super::address::Address;
use super::pace::Pace;
use super::push;
use super::refusal::Refusal;
use crate::metrics::Metrics;
use crate::net::whose;
use crate::settings::Limits;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use ipnet::IpNet;
use meantime_model::PersonId;
use meantime_protocol::{Code, MAX_FIELDS_BYTES, Problem};
use meantime_server_core::limits::PAGE_TEXT;
use prometheus_client::metrics::gauge::Gauge;
use std::collections::HashMap;
use std::hash::Hash;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, SemaphorePermit};

/// The part of the room that is for who has no token: one of so many.
const SECRETS: usize = 8;
/// What one address may take: one of so many parts.
const SHARES: usize = 4;
/// Memory that pushes may take together, in bytes for each request that may be
/// worked on: as much as the biggest record.
const PUSH_BYTES: usize = MAX_FIELDS_BYTES;
/// The same for pages on their way out.
const PAGE_BYTES: usize = MAX_FIELDS_BYTES;
/// Pages that are made at once: until it is text, one takes some times as much
/// memory as it is long. The others wait for their turn, which is soon.
const PAGES_MADE: usize = 8;
/// Files that may be under way to one person, on all of their devices.
const DOWNLOADS_EACH: usize = 16;
/// Files that may be under way: one for so many requests that may be worked on.
const DOWNLOADS: usize = 2;

/// How much is done at once.
pub struct Room {
    requests: Arc<Part<IpAddr>>,
    /// For those that carry a secret instead of a token: strangers don't take
    /// the others' room.
    secrets: Arc<Part<IpAddr>>,
    /// Bytes of memory for pushes: many small ones, or a few big ones.
    pushes: Arc<Part<PersonId>>,
    /// For pages that are being made.
    making: Semaphore,
    /// Bytes of pages that are under way, for as long as whoever asked takes.
    pages: Arc<Part<PersonId>>,
    /// For files that are under way: those last longer than their requests.
    downloads: Arc<Part<PersonId>>,
    streams: Arc<Semaphore>,
    /// How fast those are opened.
    opening: Pace,
    /// From there any share is taken: it is said who asks, or they are many.
    exempt: Vec<IpAddr>,
    proxies: Vec<IpNet>,
    retry_seconds: u32,
}

/// Room for some kind of requests, of which one asker gets a share.
struct Part<K> {
    all: Arc<Semaphore>,
    many: usize,
    share: usize,
    taken: Mutex<HashMap<K, usize>>,
}

impl<K: Copy + Eq + Hash> Part<K> {
    fn new(many: usize, share: usize) -> Arc<Self> {
        Arc::new(Self { all: Arc::new(Semaphore::new(many)), many, share, taken: Mutex::default() })
    }

    /// So many places, and a share of them.
    fn shared(many: usize) -> Arc<Self> {
        Self::new(many, (many / SHARES).max(1))
    }

    /// How much of it is taken.
    fn used(&self) -> usize {
        self.many - self.all.available_permits()
    }

    /// So much of it, if there is; for nobody in particular, of all.
    fn take(self: &Arc<Self>, asker: Option<K>, much: u32) -> Option<Place<K>> {
        Some(Place { part: Arc::clone(self), asker, all: self.count(asker, much)? })
    }

    fn count(&self, asker: Option<K>, much: u32) -> Option<OwnedSemaphorePermit> {
        let all = Arc::clone(&self.all).try_acquire_many_owned(much).ok()?;
        if let Some(asker) = asker {
            let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
            let had = taken.get(&asker).copied().unwrap_or_default();
            let has = had.saturating_add(all.num_permits());
            if has > self.share {
                return None;
            }
            taken.insert(asker, has);
        }
        Some(all)
    }
}

/// Room for one request, until it is dropped.
pub(super) struct Place<K: Copy + Eq + Hash> {
    part: Arc<Part<K>>,
    asker: Option<K>,
    all: OwnedSemaphorePermit,
}

impl<K: Copy + Eq + Hash> Place<K> {
    /// So much more, if there is.
    fn grow(&mut self, much: u32) -> Option<()> {
        self.all.merge(self.part.count(self.asker, much)?);
        Some(())
    }
}

impl<K: Copy + Eq + Hash> Drop for Place<K> {
    fn drop(&mut self) {
        let Some(asker) = self.asker else { return };
        let mut taken = self.part.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(much) = taken.get_mut(&asker) {
            *much = much.saturating_sub(self.all.num_permits());
            if *much == 0 {
                taken.remove(&asker);
            }
        }
    }
}

impl Room {
    /// As the limits say.
    #[must_use]
    pub fn new(limits: &Limits) -> Self {
        let memory = |each: usize| limits.requests.saturating_mul(each).min(Semaphore::MAX_PERMITS);
        let (pushes, pages) = (memory(PUSH_BYTES), memory(PAGE_BYTES));
        Self {
            requests: Part::shared(limits.requests),
            secrets: Part::shared((limits.requests / SECRETS).max(1)),
            // The heaviest push has room, in one's share too.
            pushes: Part::new(pushes.max(push::HEAVIEST), (pushes / SHARES).max(push::HEAVIEST)),
            making: Semaphore::new(PAGES_MADE),
            // So has the longest page.
            pages: Part::new(pages.max(PAGE_TEXT), (pages / SHARES).max(PAGE_TEXT)),
            downloads: Part::new((limits.requests / DOWNLOADS).max(1), DOWNLOADS_EACH),
            streams: Arc::new(Semaphore::new(limits.streams)),
            opening: Pace::new(limits.streams_per_second, Instant::now()),
            exempt: limits.exempt.iter().map(|ip| ip.to_canonical()).collect(),
            proxies: limits.trusted_proxies.clone(),
            retry_seconds: limits.retry_seconds,
        }
    }

    /// Whose share a request takes.
    fn asker(&self, from: Option<IpAddr>) -> Option<IpAddr> {
        let from = from?.to_canonical();
        let exempt = self.exempt.contains(&from) || self.proxies.iter().any(|network| network.contains(&from));
        (!exempt).then(|| whose(from))
    }

    /// A known device may open a stream now, or is told when.
    pub(super) fn opens(&self, metrics: &Metrics) -> Result<(), Refusal> {
        self.opening.enter(Instant::now()).map_err(|wait| {
            metrics.shed("streams_per_second");
            // Rounded up: whole seconds is what the header has.
            busy(u32::try_from(wait.as_secs()).unwrap_or(u32::MAX).saturating_add(1))
        })
    }

    /// Memory that pushes take just now, in bytes: for monitoring.
    #[must_use]
    pub fn push_bytes(&self) -> usize {
        self.pushes.used()
    }

    /// Memory that pages on their way out take just now, in bytes: for
    /// monitoring.
    #[must_use]
    pub fn page_bytes(&self) -> usize {
        self.pages.used()
    }

    /// Nothing yet of the memory for pushes.
    pub(super) fn push(&self, person: PersonId) -> Option<Place<PersonId>> {
        self.pushes.take(Some(person), 0)
    }

    /// Takes so many bytes of memory more for a push.
    pub(super) fn heavier(&self, place: &mut Place<PersonId>, bytes: usize, metrics: &Metrics) -> Result<(), Refusal> {
        let grown = u32::try_from(bytes).ok().and_then(|bytes| place.grow(bytes));
        grown.ok_or_else(|| self.no_memory(metrics))
    }

    /// There is no memory for another push just now.
    pub(super) fn no_memory(&self, metrics: &Metrics) -> Refusal {
        self.later(metrics, "push_bytes")
    }

    /// A turn to make a page, until it is dropped; none when there are none any
    /// more.
    pub(super) async fn turn(&self) -> Option<SemaphorePermit<'_>> {
        self.making.acquire().await.ok()
    }

    /// Room for a page of so many bytes on its way to somebody, for as long as
    /// it is.
    pub(super) fn page(&self, person: PersonId, bytes: usize, metrics: &Metrics) -> Result<Place<PersonId>, Refusal> {
        let place = u32::try_from(bytes).ok().and_then(|bytes| self.pages.take(Some(person), bytes));
        place.ok_or_else(|| self.later(metrics, "page_bytes"))
    }

    /// A place for a file on its way to somebody, for as long as it is.
    pub(super) fn download(&self, person: PersonId, metrics: &Metrics) -> Result<Place<PersonId>, Refusal> {
        self.downloads.take(Some(person), 1).ok_or_else(|| self.later(metrics, "downloads"))
    }

    /// Come back later, not all at the same moment.
    fn later(&self, metrics: &Metrics, limit: &str) -> Refusal {
        metrics.shed(limit);
        let mut random = [0; 4];
        // Without randomness everybody waits longest.
        let wait = match getrandom::fill(&mut random) {
            Ok(()) => 1 + u32::from_ne_bytes(random) % self.retry_seconds.max(1),
            Err(_) => self.retry_seconds,
        };
        busy(wait)
    }
}

/// `wait` in seconds.
fn busy(wait: u32) -> Refusal {
    let problem = Problem::new(Code::Busy, "the server has too much to do; it will be tried again");
    Refusal(Problem { retry_after: Some(wait), ..problem })
}

/// So many requests are worked on, and no more.
pub(super) async fn requests(
    State(app): State<Arc<App>>,
    Address(from): Address,
    request: Request,
    next: Next,
) -> Response {
    work(&app, &app.room.requests, "requests", from, next.run(request)).await
}

/// So many requests of strangers are worked on, and no more.
pub(super) async fn secrets(
    State(app): State<Arc<App>>,
    Address(from): Address,
    request: Request,
    next: Next,
) -> Response {
    work(&app, &app.room.secrets, "secrets", from, next.run(request)).await
}

/// Does it if there is a place in this part of the room; `limit` is what it is
/// called where sheddings are counted.
async fn work(
    app: &App,
    part: &Arc<Part<IpAddr>>,
    limit: &str,
    from: Option<IpAddr>,
    answer: impl Future<Output = Response>,
) -> Response {
    let Some(_place) = part.take(app.room.asker(from), 1) else {
        return app.room.later(&app.metrics, limit).into_response();
    };
    let _counted = Counted::new(&app.metrics.under_way);
    answer.await
}

/// So many live streams are open, and no more.
pub(super) async fn streams(State(app): State<Arc<App>>, mut request: Request, next: Next) -> Response {
    let Ok(permit) = Arc::clone(&app.room.streams).try_acquire_owned() else {
        return app.room.later(&app.metrics, "streams").into_response();
    };
    request.extensions_mut().insert(Open(Arc::new(Stream::new(&app.metrics, permit))));
    next.run(request).await
}

/// A place among the streams, until the last of it is dropped, with the
/// stream's body.
#[derive(Clone)]
pub(super) struct Open(Arc<Stream>);

impl Open {
    /// A poke is sent.
    pub(super) fn poked(&self) {
        self.0.metrics.pokes.inc();
    }
}

struct Stream {
    metrics: Arc<Metrics>,
    _counted: Counted,
    _permit: OwnedSemaphorePermit,
}

impl Stream {
    fn new(metrics: &Arc<Metrics>, permit: OwnedSemaphorePermit) -> Self {
        Self { metrics: Arc::clone(metrics), _counted: Counted::new(&metrics.streams), _permit: permit }
    }
}

/// One more, until it is dropped: whoever asks may go away at any moment.
struct Counted(Gauge);

impl Counted {
    fn new(gauge: &Gauge) -> Self {
        gauge.inc();
        Self(gauge.clone())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.dec();
    }
}
