//! Synapse, the peer of our team server, and clients of it that are as lean
//! as can be: connections are kept, `/sync` is a long poll of one room with
//! nothing but its messages, and what comes is written to a [`Plain`] database.

use super::certificate::Certificate;
use super::plain::{Plain, Row};
use crate::process::Process;
use crate::wait::{Patience, wait_for};
use anyhow::{Context, Result, bail, ensure};
use meantime_server_postgres::kit::PostgresServer;
use reqwest::Method;
use serde_json::{Value, json};
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Most messages of one answer; Synapse's own limit.
const PAGE: usize = 1000;
/// How long Synapse may hold a `/sync` back.
const LONG_POLL: Duration = Duration::from_secs(30);

/// Where `cargo xtask bench` installed it.
///
/// # Errors
/// It did not.
pub fn programs() -> Result<PathBuf> {
    env::var_os("MEANTIME_SYNAPSE")
        .map(PathBuf::from)
        .context("Synapse is not installed: `cargo xtask bench sync` does")
}

/// A running Synapse.
pub struct Synapse {
    process: Process,
    url: String,
    client: reqwest::Client,
    people: u32,
}

/// A new room and the people in it.
pub struct Room {
    id: String,
    /// Everybody in it.
    pub people: Vec<Person>,
}

/// Somebody with an access token, and connections of their own.
#[derive(Clone)]
pub struct Person {
    url: String,
    client: reqwest::Client,
    token: String,
    name: String,
}

impl Synapse {
    /// Starts one on SQLite, or on a database of a PostgreSQL.
    ///
    /// # Errors
    /// It is not installed, or does not start.
    pub async fn start(
        folder: &Path,
        logs: &Path,
        certificate: &Certificate,
        postgres: Option<&PostgresServer>,
    ) -> Result<Self> {
        let port = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let database = match postgres {
            None => json!({"name": "sqlite3", "args": {"database": folder.join("homeserver.db")}}),
            Some(server) => {
                server.sql("postgres", "CREATE DATABASE synapse OWNER meantime");
                let dsn = server.url("meantime", "synapse");
                json!({"name": "psycopg2", "args": {"dsn": dsn, "cp_min": 5, "cp_max": 10}})
            }
        };
        let log = folder.join("log.yaml");
        fs::write(
            &log,
            "version: 1\nhandlers: {c: {class: logging.StreamHandler}}\nroot: {level: WARNING, handlers: [c]}\n",
        )?;
        let config = folder.join("homeserver.yaml");
        // JSON is YAML.
        fs::write(&config, config_of(folder, port, certificate, &log, &database).to_string())?;
        let mut command = Command::new(programs()?.join("python"));
        command.args(["-m", "synapse.app.homeserver", "--config-path"]).arg(&config).current_dir(folder);
        let mut process = Process::start("synapse", command, logs)?;
        let client = client(certificate)?;
        let url = format!("https://127.0.0.1:{port}");
        wait_for("Synapse", Patience(Duration::from_secs(180)), async || {
            process.must_run()?;
            let answer = client.get(format!("{url}/_matrix/client/versions")).send().await?;
            Ok(answer.status().is_success().then_some(()))
        })
        .await?;
        Ok(Self { process, url, client, people: 0 })
    }

    /// Its process.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// Registers people.
    ///
    /// # Errors
    /// Synapse's words.
    pub async fn register(&mut self, count: usize, certificate: &Certificate) -> Result<Vec<Person>> {
        let mut people = Vec::new();
        for _ in 0..count {
            self.people += 1;
            let name = format!("person{}", self.people);
            let body = json!({"username": name, "password": "a long enough one", "auth": {"type": "m.login.dummy"}});
            let url = format!("{}/_matrix/client/v3/register", self.url);
            let answer = read(self.client.post(url).json(&body)).await?;
            let token = text(&answer, "access_token")?;
            people.push(Person { url: self.url.clone(), client: client(certificate)?, token, name });
        }
        Ok(people)
    }
}

impl Room {
    /// A new room of these people.
    ///
    /// # Errors
    /// Synapse's words.
    pub async fn of(people: &[Person]) -> Result<Self> {
        let (first, others) = people.split_first().context("a room of nobody")?;
        let body = json!({"preset": "public_chat", "name": "A room"});
        let made = first.call(Method::POST, "createRoom", Some(&body)).await?;
        let room = Self { id: text(&made, "room_id")?, people: people.to_vec() };
        for other in others {
            room.join(other).await?;
        }
        Ok(room)
    }

    /// One more comes in.
    ///
    /// # Errors
    /// Synapse's words.
    pub async fn join(&self, person: &Person) -> Result<()> {
        person.call(Method::POST, &format!("rooms/{}/join", self.id), Some(&json!({}))).await?;
        Ok(())
    }

    /// Sends a message; it is durable when this returns.
    ///
    /// # Errors
    /// Synapse's words.
    pub async fn send(&self, person: &Person, n: u64, words: &str) -> Result<()> {
        let call = format!("rooms/{}/send/m.room.message/{n}", self.id);
        person.call(Method::PUT, &call, Some(&json!({"msgtype": "m.text", "body": words}))).await?;
        Ok(())
    }

    /// All its messages, page by page backwards, into a new database; answers
    /// how many there were.
    ///
    /// # Errors
    /// Synapse's words, or the disk.
    pub async fn history(&self, person: &Person, plain: &Plain) -> Result<u64> {
        let mut from = String::new();
        loop {
            let call = format!("rooms/{}/messages?dir=b&limit={PAGE}{from}", self.id);
            let page = person.call(Method::GET, &call, None).await?;
            let events = page.get("chunk").and_then(Value::as_array).context("a page without messages")?;
            let end = page.get("end").and_then(Value::as_str);
            plain.put(&rows(events), &self.id, end.unwrap_or_default())?;
            match end {
                Some(end) if !events.is_empty() => from = format!("&from={end}"),
                _ => return plain.count(),
            }
        }
    }
}

/// A client that follows a room. Dropping it ends it.
pub struct Follower {
    messages: watch::Receiver<u64>,
    plain: Arc<Plain>,
    run: JoinHandle<Result<()>>,
}

impl Follower {
    /// Follows from now on; it is long-polling when this returns.
    ///
    /// # Errors
    /// Synapse's words, or the disk.
    pub async fn start(room: &Room, person: &Person, folder: &Path) -> Result<Self> {
        fs::create_dir_all(folder)?;
        let plain = Arc::new(Plain::create(&folder.join("matrix.db"))?);
        let nothing = json!({"not_types": ["*"]});
        let timeline = json!({"limit": PAGE, "types": ["m.room.message"]});
        let rooms = json!({"rooms": [room.id], "timeline": timeline, "state": nothing, "ephemeral": nothing,
            "account_data": nothing});
        let filter = json!({"room": rooms, "presence": nothing, "account_data": nothing});
        let made =
            person.call(Method::POST, &format!("user/@{}:bench.local/filter", person.name), Some(&filter)).await?;
        let mut walk = Walk {
            room: room.id.clone(),
            person: person.clone(),
            filter: text(&made, "filter_id")?,
            since: None,
            plain: Arc::clone(&plain),
            stored: watch::channel(0).0,
        };
        walk.step(Duration::ZERO).await?;
        let messages = walk.stored.subscribe();
        let run = tokio::spawn(async move {
            loop {
                walk.step(LONG_POLL).await?;
            }
        });
        Ok(Self { messages, plain, run })
    }

    /// Waits until it has stored so many messages.
    ///
    /// # Errors
    /// It ended.
    pub async fn until(&self, count: u64) -> Result<()> {
        self.messages.clone().wait_for(|now| *now >= count).await.context("a client of Synapse ended")?;
        Ok(())
    }

    /// Messages in its database, counted there.
    ///
    /// # Errors
    /// The disk.
    pub fn count(&self) -> Result<u64> {
        self.plain.count()
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.run.abort();
    }
}

struct Walk {
    room: String,
    person: Person,
    filter: String,
    since: Option<String>,
    plain: Arc<Plain>,
    stored: watch::Sender<u64>,
}

impl Walk {
    async fn step(&mut self, patience: Duration) -> Result<()> {
        let since = self.since.as_ref().map(|since| format!("&since={since}")).unwrap_or_default();
        let call = format!("sync?filter={}&timeout={}{since}", self.filter, patience.as_millis());
        let answer = self.person.call(Method::GET, &call, None).await?;
        let next = text(&answer, "next_batch")?;
        let path = ["rooms", "join", &self.room, "timeline"];
        let timeline = path.iter().try_fold(&answer, |value, key| value.get(*key));
        if let Some(timeline) = timeline {
            let limited = timeline.get("limited").and_then(Value::as_bool).unwrap_or_default();
            ensure!(!limited || self.since.is_none(), "Synapse left messages out of a sync");
            let events = timeline.get("events").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
            let rows = rows(events);
            tokio::task::block_in_place(|| self.plain.put(&rows, &self.room, &next))?;
            self.stored.send_modify(|now| *now += rows.len() as u64);
        }
        self.since = Some(next);
        Ok(())
    }
}

impl Person {
    async fn call(&self, method: Method, call: &str, body: Option<&Value>) -> Result<Value> {
        let request = self.client.request(method, format!("{}/_matrix/client/v3/{call}", self.url));
        let request = request.bearer_auth(&self.token);
        match body {
            Some(body) => read(request.json(body)).await,
            None => read(request).await,
        }
    }
}

fn rows(events: &[Value]) -> Vec<Row> {
    let of = |value: Option<&Value>| value.and_then(Value::as_str).unwrap_or_default().to_owned();
    let messages = events.iter().filter(|event| of(event.get("type")) == "m.room.message");
    let row = |event: &Value| Row {
        id: of(event.get("event_id")),
        author: of(event.get("sender")),
        text: of(event.get("content").and_then(|content| content.get("body"))),
    };
    messages.map(row).collect()
}

fn text(answer: &Value, key: &str) -> Result<String> {
    answer.get(key).and_then(Value::as_str).map(str::to_owned).with_context(|| format!("Synapse told no {key}"))
}

async fn read(request: reqwest::RequestBuilder) -> Result<Value> {
    let answer = request.send().await?;
    let status = answer.status();
    let body = answer.bytes().await?;
    if !status.is_success() {
        bail!("Synapse answered {status}: {}", String::from_utf8_lossy(&body));
    }
    Ok(serde_json::from_slice(&body)?)
}

fn client(certificate: &Certificate) -> Result<reqwest::Client> {
    let tls = certificate.trust(&[b"http/1.1"])?;
    Ok(reqwest::Client::builder().tls_backend_preconfigured((*tls).clone()).no_proxy().build()?)
}

/// Without limits of pace, presence, federation, search of people, statistics
/// and previews: nothing that a message has to pay for beyond itself.
fn config_of(folder: &Path, port: u16, certificate: &Certificate, log: &Path, database: &Value) -> Value {
    let free = json!({"per_second": 1_000_000, "burst_count": 1_000_000});
    json!({
        "server_name": "bench.local",
        "report_stats": false,
        "pid_file": folder.join("pid"),
        "log_config": log,
        "media_store_path": folder.join("media"),
        "signing_key_path": folder.join("signing.key"),
        "trusted_key_servers": [],
        "macaroon_secret_key": "a",
        "form_secret": "b",
        "registration_shared_secret": "c",
        "enable_registration": true,
        "enable_registration_without_verification": true,
        "bcrypt_rounds": 4,
        "listeners": [{
            "port": port, "tls": true, "type": "http", "bind_addresses": ["127.0.0.1"],
            "resources": [{"names": ["client"], "compress": false}],
        }],
        "tls_certificate_path": certificate.certificate,
        "tls_private_key_path": certificate.key,
        "database": database,
        "presence": {"enabled": false},
        "user_directory": {"enabled": false},
        "stats": {"enabled": false},
        "url_preview_enabled": false,
        "federation_domain_whitelist": [],
        "filter_timeline_limit": PAGE,
        "caches": {"global_factor": 2.0},
        "rc_message": free, "rc_registration": free, "rc_registration_token_validity": free,
        "rc_login": {"address": free, "account": free, "failed_attempts": free},
        "rc_joins": {"local": free, "remote": free}, "rc_joins_per_room": free,
        "rc_invites": {"per_room": free, "per_user": free, "per_issuer": free},
        "rc_room_creation": free,
    })
}
