//! A server to talk to, and people who do.

use chrono::{DateTime, TimeDelta, Utc};
use meantime_model::OpId;
use meantime_protocol::http::{
    BootstrapPage, InviteRequest, JoinRequest, JoinResponse, Op, OpResult, PullPage, PushOutcome, PushRequest,
    PushResponse,
};
use meantime_protocol::kinds::Role;
use meantime_protocol::{Code, Cursor, Fields, Invite, Kind, Problem, Record, Scope, VERSION, VERSION_HEADER};
use meantime_server::backend::Backend;
use meantime_server::data::Config;
use meantime_server::settings::{Beginning, StorageKind};
use meantime_server::{DataDir, Options, Running, SystemClock, serve};
use meantime_server_core::{Clock, Core};
use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use uuid::Uuid;

/// The machine's clock, shifted.
#[derive(Default)]
pub struct Shifted(AtomicI64);

impl Shifted {
    pub fn pass(&self, time: TimeDelta) {
        self.0.fetch_add(time.num_milliseconds(), Ordering::SeqCst);
    }
}

impl Clock for Shifted {
    fn now(&self) -> DateTime<Utc> {
        SystemClock.now() + TimeDelta::milliseconds(self.0.load(Ordering::SeqCst))
    }
}

/// A server in this process.
pub struct World {
    pub running: Running,
    pub clock: Arc<Shifted>,
    pub data: DataDir,
    _dir: TempDir,
}

impl World {
    pub async fn new() -> Self {
        Self::tuned(&[]).await
    }

    /// With some lines of its settings replaced by others.
    pub async fn tuned(lines: &[(&str, &str)]) -> Self {
        Self::at(Shifted::default(), lines).await
    }

    pub async fn at(clock: Shifted, lines: &[(&str, &str)]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let data = DataDir::new(&dir.path().join("data"));
        let storage = data.create(&Config { hosts: Vec::new(), port: 0 }).unwrap();
        let mut settings = std::fs::read_to_string(data.settings_file()).unwrap();
        for (line, other) in lines {
            assert_eq!(settings.matches(&format!("\n{line}\n")).count(), 1, "{line}");
            settings = settings.replace(&format!("\n{line}\n"), &format!("\n{other}\n"));
        }
        std::fs::write(data.settings_file(), settings).unwrap();
        let clock = Arc::new(clock);
        Core::new(storage, Arc::clone(&clock) as Arc<dyn Clock>).found("Blue Team").await.unwrap();
        let running = start(&data, &clock).await;
        Self { running, clock, data, _dir: dir }
    }

    /// On a database of a real PostgreSQL.
    pub async fn on_postgres(database: &meantime_server_postgres::Settings) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (data, url_file) = (DataDir::new(&dir.path().join("data")), dir.path().join("url"));
        std::fs::write(&url_file, &database.url).unwrap();
        let listen = SocketAddr::from(([127, 0, 0, 1], 0));
        let (storage, url_file) = (StorageKind::Postgres, Some(url_file));
        let settings = data.begin(&Beginning { listen, storage, url_file, ..Beginning::default() }).unwrap();
        let backend = Backend::create(&data, &settings).await.unwrap();
        let clock = Arc::new(Shifted::default());
        let core = Core::new(backend.shared(Arc::new(())), Arc::clone(&clock) as Arc<dyn Clock>);
        core.found("Blue Team").await.unwrap();
        let running = start(&data, &clock).await;
        Self { running, clock, data, _dir: dir }
    }

    pub async fn restarted(self) -> Self {
        let Self { running, clock, data, _dir } = self;
        running.stop().await.unwrap();
        let running = start(&data, &clock).await;
        Self { running, clock, data, _dir }
    }

    pub fn client(&self) -> Client {
        Client::new(self.running.address(), &self.data)
    }

    /// What monitoring reads of one number; 0 while it is not there.
    pub async fn number(&self, name: &str) -> f64 {
        let text = self.monitored("metrics").await.1;
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.map_or(0.0, |value| value.parse().unwrap())
    }

    /// Status and text of a page for monitoring.
    pub async fn monitored(&self, page: &str) -> (StatusCode, String) {
        monitored(self.running.monitoring().unwrap(), page).await
    }

    pub async fn someone(&self, name: &str, role: Role) -> Someone {
        let link = self.running.invite(&InviteRequest { valid_hours: 1, role }).await.unwrap();
        self.client().join(&link, name).await
    }
}

pub async fn monitored(at: SocketAddr, page: &str) -> (StatusCode, String) {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let plain = reqwest::Client::builder().tls_certs_only([]).no_proxy().build().unwrap();
    let answer = plain.get(format!("http://{at}/{page}")).send().await.unwrap();
    (answer.status(), answer.text().await.unwrap())
}

async fn start(data: &DataDir, clock: &Arc<Shifted>) -> Running {
    let listen = match data.settings().unwrap().listen {
        any if any.port() == 0 => SocketAddr::from(([127, 0, 0, 1], 0)),
        one => one,
    };
    serve::start(Options { data: data.clone(), listen, clock: Arc::clone(clock) as _ }).await.unwrap()
}

#[derive(Clone)]
pub struct Client {
    pub http: reqwest::Client,
    pub base: String,
}

impl Client {
    pub fn new(address: SocketAddr, data: &DataDir) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let ca = reqwest::Certificate::from_pem(&std::fs::read(data.file("ca.pem")).unwrap()).unwrap();
        let http = reqwest::Client::builder().tls_certs_only([ca]).no_proxy().build().unwrap();
        Self { http, base: format!("https://{address}") }
    }

    pub fn of(listening: &str, data: &Path) -> Self {
        Self::new(listening.parse().unwrap(), &DataDir::new(data))
    }

    pub fn call(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.base)).header(VERSION_HEADER, VERSION)
    }

    pub async fn try_join(&self, link: &str, name: &str) -> Result<Someone, (StatusCode, Problem)> {
        let invite: Invite = link.parse().unwrap();
        let request = JoinRequest { secret: invite.secret, name: name.into(), device_name: "laptop".into() };
        let answer = self.call(Method::POST, "/v1/join").json(&request).send().await.unwrap();
        let status = answer.status();
        if !status.is_success() {
            return Err((status, answer.json().await.unwrap()));
        }
        let joined: JoinResponse = answer.json().await.unwrap();
        Ok(Someone { client: self.clone(), joined, next: AtomicU64::new(1) })
    }

    pub async fn join(&self, link: &str, name: &str) -> Someone {
        self.try_join(link, name).await.unwrap()
    }

    pub async fn alive(&self) -> bool {
        let answer = self.call(Method::GET, "/healthz").send().await;
        answer.is_ok_and(|answer| answer.status() == StatusCode::OK)
    }
}

/// A person on a device.
pub struct Someone {
    pub client: Client,
    pub joined: JoinResponse,
    next: AtomicU64,
}

impl Someone {
    /// The same person on the same device, over another connection; counts on
    /// from far away.
    pub fn again(client: Client, joined: JoinResponse) -> Self {
        Self { client, joined, next: AtomicU64::new(1_000_000) }
    }

    pub fn team(&self) -> Scope {
        Scope::Team(self.joined.team)
    }

    pub fn call(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.call(method, path).bearer_auth(&self.joined.token)
    }

    pub fn change(&self, kind: Kind, id: Uuid, fields: Value) -> Op {
        Op {
            n: self.next.fetch_add(1, Ordering::SeqCst),
            op_id: OpId::new(),
            scope: self.team(),
            kind,
            id,
            fields: Fields::from_iter(fields.as_object().unwrap().clone()),
            base_seq: None,
            deleted: false,
            visible_from: None,
        }
    }

    pub fn message(&self, thread: Uuid, text: &str) -> Op {
        self.change(Kind::MESSAGE, Uuid::now_v7(), json!({"thread": thread, "text": text}))
    }

    pub async fn thread(&self, title: &str) -> Uuid {
        let op = self.change(Kind::THREAD, Uuid::now_v7(), json!({"title": title, "urgency": "green"}));
        let id = op.id;
        assert!(matches!(self.push(vec![op]).await[0].outcome, PushOutcome::Applied { .. }));
        id
    }

    pub async fn try_push(&self, ops: Vec<Op>) -> reqwest::Result<Vec<OpResult>> {
        let request = PushRequest { device: self.joined.device, ops };
        let answer = self.call(Method::POST, "/v1/push").json(&request).send().await?.error_for_status()?;
        Ok(answer.json::<PushResponse>().await?.results)
    }

    pub async fn push(&self, ops: Vec<Op>) -> Vec<OpResult> {
        self.try_push(ops).await.unwrap()
    }

    pub async fn pull(&self, cursor: Cursor, limit: usize) -> Result<PullPage, (StatusCode, Code)> {
        let (scope, cursor, limit) = (self.team().to_string(), cursor.to_string(), limit.to_string());
        let query = [("scope", scope), ("cursor", cursor), ("limit", limit)];
        let answer = self.call(Method::GET, "/v1/pull").query(&query).send().await.unwrap();
        match answer.status() {
            StatusCode::OK => Ok(answer.json().await.unwrap()),
            status => Err((status, answer.json::<Problem>().await.unwrap().code)),
        }
    }

    pub async fn bootstrap(&self) -> BootstrapPage {
        let query = [("scope", self.team().to_string()), ("limit", "1000".to_owned())];
        self.call(Method::GET, "/v1/bootstrap").query(&query).send().await.unwrap().json().await.unwrap()
    }

    /// Everything from the start of the feed.
    pub async fn all(&self) -> Vec<Record> {
        let mut cursor = Cursor { seq: 0, ..self.bootstrap().await.start };
        let mut rows = Vec::new();
        loop {
            let page = self.pull(cursor, 100).await.unwrap();
            rows.extend(page.rows);
            cursor = page.next;
            if !page.more {
                return rows;
            }
        }
    }
}

/// Tries until it holds, for half a minute.
pub async fn eventually(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !holds().await {
        assert!(Instant::now() < deadline, "never came: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Tests of a world: each on a file, and on a real PostgreSQL where there is
/// one.
macro_rules! on_both {
    ($($name:ident),* $(,)?) => {
        mod on_sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                super::$name(crate::world::World::new().await).await;
            })*
        }

        #[cfg(unix)]
        mod on_postgres {
            use meantime_server_postgres::kit::PostgresServer;

            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                if !PostgresServer::is_installed() {
                    eprintln!("PostgreSQL is not installed: this was not tried");
                    return;
                }
                super::$name(crate::world::World::on_postgres(&PostgresServer::shared().database()).await).await;
            })*
        }
    };
}
pub(crate) use on_both;
