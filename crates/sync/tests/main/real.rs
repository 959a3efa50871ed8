//! The real server over TLS, and the app's real store on each device.

use async_trait::async_trait;
use chrono::{TimeDelta, Utc};
use meantime_model::{AccountId, ItemId, OpId, PersonId};
use meantime_protocol::http::{BootstrapPage, InviteRequest, JoinResponse, OpResult, PullPage};
use meantime_protocol::kinds::Role;
use meantime_protocol::{Invite, Kind, Scope};
use meantime_server::data::Config;
use meantime_server::{DataDir, Options, Running, SystemClock, serve};
use meantime_server_core::{Clock as _, Core};
use meantime_store::account::{self, Account, AccountKind};
use meantime_store::outbox::{self, Change, NewOp, Target};
use meantime_store::team::{self, Team};
use meantime_store::{Store, StoreError, Tx, item, list, message, record, scope};
use meantime_sync::{Feed, Handle, HttpRemote, Log, LogError, Outgoing, Remote, State, Syncer, Token, Tuning};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::task::JoinHandle;
use uuid::Uuid;

/// As `Tuning::default`, but a test does not wait a second to try again.
const QUICK: Tuning = Tuning {
    first_retry: Duration::from_millis(50),
    longest_retry: Duration::from_millis(200),
    reconnect: Duration::from_millis(50),
    poll: Duration::from_secs(300),
    refused: Duration::from_secs(900),
};

pub async fn start(folder: &Path) -> Running {
    let data = DataDir::new(folder);
    if data.has_server().is_none() {
        let storage = data.create(&Config { hosts: Vec::new(), port: 0 }).unwrap();
        Core::new(storage, Arc::new(SystemClock)).found("Blue Team").await.unwrap();
    }
    let listen = SocketAddr::from(([127, 0, 0, 1], 0));
    serve::start(Options { data, listen, clock: Arc::new(SystemClock) }).await.unwrap()
}

/// A server in a folder of its own (`server` within it).
pub async fn folder_and_server() -> (tempfile::TempDir, Running) {
    let folder = tempfile::tempdir().unwrap();
    let server = start(&folder.path().join("server")).await;
    (folder, server)
}

/// One device of one person, its app running.
pub struct App {
    pub store: Store,
    account: AccountId,
    pub joined: JoinResponse,
    pub handle: Handle,
    run: JoinHandle<()>,
    invite: Invite,
    /// By how much its clock is wrong.
    skew: TimeDelta,
    poisoned: AtomicUsize,
    dir: tempfile::TempDir,
}

fn remote_of(invite: &Invite, joined: &JoinResponse) -> HttpRemote {
    HttpRemote::new(&invite.host, invite.ca, &Token::new(joined.token.clone())).unwrap()
}

/// This device's side and the server's, as a syncer sees them.
pub type Sides = (Arc<dyn Log>, Arc<dyn Remote>);

fn syncer(log: Arc<dyn Log>, remote: Arc<dyn Remote>, joined: &JoinResponse, skew: TimeDelta) -> (Syncer, Handle) {
    Syncer::new(log, remote, joined.device, move || SystemClock.now() + skew, QUICK)
}

#[derive(Clone)]
struct Stored {
    store: Store,
    account: AccountId,
    me: PersonId,
    skew: TimeDelta,
}

impl App {
    pub async fn join(server: &Running, name: &str) -> Self {
        Self::join_with(server, name, TimeDelta::zero()).await
    }

    pub async fn join_with(server: &Running, name: &str, skew: TimeDelta) -> Self {
        let request = InviteRequest { valid_hours: 1, role: Role::Member };
        Self::enter(&server.invite(&request).await.unwrap().parse().unwrap(), name, skew).await
    }

    pub async fn enter(invite: &Invite, name: &str, skew: TimeDelta) -> Self {
        let mut app = Self::installed(invite, HttpRemote::join(invite, name, "laptop").await.unwrap(), skew);
        app.begin();
        app
    }

    /// Not started yet.
    pub fn installed(invite: &Invite, joined: JoinResponse, skew: TimeDelta) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("meantime.db"), SystemClock.now()).unwrap().store;
        let account = AccountId::new();
        let row = Account {
            id: account,
            kind: AccountKind::Team,
            name: joined.team_name.clone(),
            identity: format!("team:{}", joined.team),
            config: Value::Null,
            created_at: SystemClock.now(),
            checked_at: None,
            error: None,
            position: 0,
        };
        store.write(|tx| account::put(tx, &row)).unwrap();
        let log = Stored { store: store.clone(), account, me: joined.person, skew };
        let (_, handle) = syncer(Arc::new(log), Arc::new(remote_of(invite, &joined)), &joined, skew);
        let (invite, poisoned, run) = (invite.clone(), AtomicUsize::new(0), tokio::spawn(async {}));
        Self { store, account, joined, handle, run, invite, skew, poisoned, dir }
    }

    /// The app ends, wherever it is.
    pub fn end(&mut self) {
        self.run.abort();
    }

    /// It ends as by `kill -9`: what is in the files is all there is.
    pub fn die(&mut self) {
        self.end();
        let after = tempfile::tempdir().unwrap();
        for file in std::fs::read_dir(self.dir.path()).unwrap() {
            let file = file.unwrap();
            // Only other processes need that one; it is made anew.
            if !file.file_name().to_string_lossy().ends_with("-shm") {
                std::fs::copy(file.path(), after.path().join(file.file_name())).unwrap();
            }
        }
        self.store = Store::open(&after.path().join("meantime.db"), SystemClock.now()).unwrap().store;
        self.dir = after;
    }

    /// And is started again.
    pub fn begin(&mut self) {
        self.begin_through(|log, remote| (log, remote));
    }

    /// Signed out, it joins again, as the engine does it.
    pub fn rejoin(&mut self, invite: &Invite, joined: JoinResponse) {
        self.end();
        let (account, before, me, now) = (self.account, self.joined.person, joined.person, self.now());
        let identity = format!("team:{}:{me}", joined.team);
        self.store.write(|tx| team::rejoin(tx, account, &identity, before, me, now)).unwrap();
        (self.invite, self.joined) = (invite.clone(), joined);
        self.begin();
    }

    /// And is started with something between it and its two sides.
    pub fn begin_through(&mut self, between: impl FnOnce(Arc<dyn Log>, Arc<dyn Remote>) -> Sides) {
        let (account, me, skew) = (self.account, self.joined.person, self.skew);
        let log = Stored { store: self.store.clone(), account, me, skew };
        let (log, remote) = between(Arc::new(log), Arc::new(self.remote()));
        let (syncer, handle) = syncer(log, remote, &self.joined, skew);
        (self.handle, self.run) = (handle, tokio::spawn(syncer.run(std::future::pending())));
    }

    pub fn remote(&self) -> HttpRemote {
        remote_of(&self.invite, &self.joined)
    }

    pub fn now(&self) -> chrono::DateTime<Utc> {
        SystemClock.now() + self.skew
    }

    fn team(&self) -> Team {
        Team { account: self.account, me: self.joined.person, now: self.now() }
    }

    pub fn feed(&self) -> Scope {
        Scope::Team(self.joined.team)
    }

    fn push(&self, kind: Kind, id: Uuid, item: ItemId, fields: Value) {
        self.put(self.feed(), kind, id, Some(item), fields);
    }

    pub fn put(&self, scope: Scope, kind: Kind, id: Uuid, item: Option<ItemId>, fields: Value) {
        self.write(scope, kind, id, item, changed(fields), ("Thread", "", None));
    }

    pub fn mark(&self, id: ItemId, fields: Value) {
        self.put(Scope::User(self.joined.person), Kind::MARK, id.0, Some(id), fields);
    }

    pub fn delete(&self, scope: Scope, kind: Kind, id: Uuid) {
        let change = Change { deleted: true, ..Change::default() };
        self.write(scope, kind, id, Some(ItemId(id)), change, ("Delete", "", None));
    }

    /// Words for a thread that are not to be sent yet.
    pub fn hold_back(&self, scope: Scope, thread: ItemId, text: &str) {
        let fields = json!({"thread": thread.0, "text": text});
        let later = Some(self.now() + TimeDelta::hours(1));
        self.write(scope, Kind::MESSAGE, Uuid::now_v7(), Some(thread), changed(fields), ("Your message", text, later));
    }

    /// What nobody may do: it is refused and blocks nothing behind it.
    pub fn poison(&self) {
        self.poisoned.fetch_add(1, Ordering::Relaxed);
        let fields = json!({"name": "Root", "role": "owner"});
        self.write(self.feed(), Kind::MEMBER, self.joined.person.0, None, changed(fields), ("Poison", "", None));
    }

    pub fn poisoned(&self) -> usize {
        self.poisoned.load(Ordering::Relaxed)
    }

    fn write(
        &self,
        scope: Scope,
        kind: Kind,
        id: Uuid,
        item: Option<ItemId>,
        change: Change,
        (what, text, not_before): (&str, &str, Option<chrono::DateTime<Utc>>),
    ) {
        let op = NewOp {
            account: self.account,
            op_id: OpId::new(),
            target: Target::Record { scope, kind, id, change },
            item,
            what: what.into(),
            text: text.into(),
            not_before,
            made_at: self.now(),
        };
        self.store.write(|tx| team::push(tx, &self.team(), &op)).unwrap();
        self.handle.nudge();
    }

    pub fn ask(&self, title: &str, asked: &[PersonId]) -> ItemId {
        let id = ItemId::new();
        self.push(Kind::THREAD, id.0, id, json!({"title": title, "urgency": "yellow", "asked": asked}));
        self.say(id, title);
        id
    }

    /// A thread with its first words, to appear to others from then on.
    pub fn ask_later(&self, title: &str, asked: &[PersonId], at: chrono::DateTime<Utc>) -> ItemId {
        let (id, feed, words) = (ItemId::new(), self.feed(), ("Your message", title, None));
        let later = |fields: Value| Change { visible_from: Some(at), ..changed(fields) };
        let thread = later(json!({"title": title, "urgency": "yellow", "asked": asked}));
        self.write(feed, Kind::THREAD, id.0, Some(id), thread, words);
        let message = later(json!({"thread": id.0, "text": title}));
        self.write(feed, Kind::MESSAGE, Uuid::now_v7(), Some(id), message, words);
        id
    }

    /// A circle with a thread in it.
    pub fn ask_in_private(&self, title: &str, asked: &[PersonId]) -> (Scope, ItemId) {
        let (circle, id) = (Uuid::now_v7(), ItemId::new());
        let (scope, members) = (Scope::Private(circle), [&[self.joined.person], asked].concat());
        self.put(scope, Kind::SPACE, circle, None, json!({ "members": members }));
        let thread = json!({"title": title, "urgency": "red", "asked": asked});
        self.put(scope, Kind::THREAD, id.0, Some(id), thread);
        self.say_in(scope, id, title);
        (scope, id)
    }

    pub fn say_in(&self, scope: Scope, thread: ItemId, text: &str) {
        let fields = json!({"thread": thread.0, "text": text});
        self.write(scope, Kind::MESSAGE, Uuid::now_v7(), Some(thread), changed(fields), ("Your message", text, None));
    }

    pub fn say(&self, thread: ItemId, text: &str) {
        self.push(Kind::MESSAGE, Uuid::now_v7(), thread, json!({"thread": thread.0, "text": text}));
    }

    /// Tries something again that was refused.
    pub fn retry(&self, id: i64) {
        let again = |tx: &Tx<'_>| {
            let entry = team::retry(tx, id)?.expect("it was refused");
            team::replay(tx, &self.team(), &entry)
        };
        self.store.write(again).unwrap();
        self.handle.nudge();
    }

    pub fn item(&self, id: ItemId) -> Option<item::Item> {
        self.store.read(|r| item::get(r, id)).unwrap()
    }

    pub fn texts(&self, id: ItemId) -> Vec<String> {
        let messages = self.store.read(|r| message::of_item(r, id, 999)).unwrap();
        messages.into_iter().map(|m| m.text).collect()
    }

    pub fn waiting(&self) -> u32 {
        self.store.read(|r| outbox::count_waiting(r, None)).unwrap()
    }
}

fn changed(fields: Value) -> Change {
    let Value::Object(fields) = fields else { panic!("an object") };
    Change { fields, ..Change::default() }
}

impl Drop for App {
    fn drop(&mut self) {
        self.run.abort();
    }
}

impl Stored {
    async fn with<T: Send + 'static>(
        &self,
        f: impl FnOnce(&Tx<'_>, &Team) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, LogError> {
        let this = self.clone();
        let now: chrono::DateTime<Utc> = SystemClock.now() + this.skew;
        let team = Team { account: this.account, me: this.me, now };
        let done = tokio::task::spawn_blocking(move || this.store.write(|tx| f(tx, &team))).await.unwrap();
        done.map_err(|e| LogError(e.to_string()))
    }
}

fn of_store(feed: scope::Feed) -> Feed {
    let scope::Feed { scope, cursor, page, was, lost } = feed;
    Feed { scope, cursor, page, was, lost }
}

#[async_trait]
impl Log for Stored {
    async fn feeds(&self) -> Result<Vec<Feed>, LogError> {
        let feeds = self.with(|tx, team| scope::all(tx, team.account)).await?;
        Ok(feeds.into_iter().map(of_store).collect())
    }
    async fn follow(&self, scope: Scope) -> Result<(), LogError> {
        self.with(move |tx, team| scope::add(tx, team.account, scope)).await
    }
    async fn forget(&self, scope: Scope) -> Result<(), LogError> {
        self.with(move |tx, team| team::forget(tx, team, scope).map(drop)).await
    }
    async fn apply_page(&self, scope: Scope, page: &PullPage) -> Result<(), LogError> {
        let page = page.clone();
        self.with(move |tx, team| team::apply_page(tx, team, scope, &page).map(drop)).await
    }
    async fn apply_bootstrap(&self, scope: Scope, page: &BootstrapPage) -> Result<(), LogError> {
        let page = page.clone();
        self.with(move |tx, team| team::apply_bootstrap(tx, team, scope, &page).map(drop)).await
    }
    async fn begin_anew(&self, scope: Scope, lost_epoch: bool) -> Result<(), LogError> {
        self.with(move |tx, _| team::begin_anew(tx, scope, lost_epoch)).await
    }
    async fn bring_back(&self, scope: Scope) -> Result<(), LogError> {
        self.with(move |tx, team| team::bring_back(tx, team, scope)).await
    }
    async fn has_overdue(&self) -> Result<bool, LogError> {
        self.with(|tx, team| team::has_overdue(tx, team.account, team.now)).await
    }
    async fn send_overdue(&self) -> Result<(), LogError> {
        self.with(|tx, team| team::send_overdue(tx, team).map(drop)).await
    }
    async fn outgoing(&self) -> Result<Outgoing, LogError> {
        self.with(|tx, team| {
            let ops = team::next_ops(tx, team.account, team.now)?;
            Ok(Outgoing { ops, next_at: outbox::next_ready(tx, team.account, team.now)? })
        })
        .await
    }
    async fn settle(&self, results: &[OpResult]) -> Result<(), LogError> {
        let results = results.to_vec();
        self.with(move |tx, team| team::settle(tx, team, &results).map(drop)).await
    }
}

pub async fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !holds() {
        assert!(Instant::now() < deadline, "in a minute: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thread_its_answer_an_outage_and_a_device_that_comes_late() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("server");
    let server = start(&data).await;
    let (ana, kofi) = (App::join(&server, "Ana").await, App::join(&server, "Kofi").await);

    let id = ana.ask("Which day?", &[kofi.joined.person]);
    assert!(ana.item(id).unwrap().waiting, "it is there at once");
    eventually("the question arrives", || kofi.item(id).is_some_and(|i| i.asks_me && i.unread)).await;
    kofi.say(id, "Tuesday.");
    eventually("the answer arrives", || ana.item(id).is_some_and(|i| i.answered_count == 1 && !i.waiting)).await;
    assert_eq!(ana.item(id).unwrap().people, "Kofi");

    // The server goes away; both go on writing; it comes back at the same place.
    server.stop().await.unwrap();
    for app in [&ana, &kofi] {
        let mut state = app.handle.state();
        let offline = state.wait_for(|s| matches!(s, State::Offline { .. }));
        tokio::time::timeout(Duration::from_secs(30), offline).await.expect("in time").unwrap();
    }
    ana.say(id, "Written by Ana without a server.");
    kofi.say(id, "Written by Kofi without a server.");
    assert_eq!((ana.waiting(), kofi.waiting()), (1, 1));
    let server = start(&data).await;
    for app in [&ana, &kofi] {
        eventually("both have both", || app.texts(id).len() == 4 && app.waiting() == 0).await;
    }
    assert_eq!(ana.texts(id), kofi.texts(id), "in the server's order");

    // Somebody who comes late has it all, and everybody has the same rows.
    for n in 0..120 {
        ana.ask(&format!("thread {n}"), &[]);
    }
    eventually("all is sent", || ana.waiting() == 0).await;
    let mei = App::join(&server, "Mei").await;
    let rows = |app: &App| app.store.read(|r| record::of_scope(r, app.feed())).unwrap();
    eventually("three devices, one state", || {
        let ours = rows(&ana);
        ours.len() >= 240 && ours == rows(&kofi) && ours == rows(&mei)
    })
    .await;
    let counts = mei.store.read(list::counts).unwrap();
    assert_eq!(counts.information + counts.due, 121);
    eventually("she hears of news", || *mei.handle.state().borrow() == State::Live).await;
    server.stop().await.unwrap();
}
