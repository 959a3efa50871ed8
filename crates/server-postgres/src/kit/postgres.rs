//! A real PostgreSQL, 15 or newer, on a temporary folder and a free port of
//! 127.0.0.1. Everybody signs in with a password, as they would elsewhere.
//!
//! PostgreSQL refuses to run as root; there it runs as `postgres`, or as
//! `nobody` where there is no such user.

use crate::Settings;
use meantime_kit::{Process, Signal, as_user, becomes, free_port, is_root, listens};
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use tempfile::TempDir;

/// The password of every user; nothing but the test can reach the server.
const PASSWORD: &str = "only on 127.0.0.1";
/// Owns the tables; no superuser, but may make roles.
const OWNER: &str = "meantime";

/// A running server.
#[derive(Debug)]
pub struct PostgresServer {
    port: u16,
    programs: PathBuf,
    user: Option<String>,
    extra: String,
    process: Option<Process>,
    databases: AtomicU32,
    folder: TempDir,
}

impl PostgresServer {
    /// PostgreSQL is installed.
    pub fn is_installed() -> bool {
        programs().is_some()
    }

    /// One for all tests of a program, that keeps nothing safe. It ends with
    /// the program.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<PostgresServer> = OnceLock::new();
        SHARED.get_or_init(|| Self::start_with("fsync = off\nsynchronous_commit = off\nfull_page_writes = off\n"))
    }

    /// One that keeps what it acknowledged.
    pub fn start() -> Self {
        Self::start_with("")
    }

    /// One with more lines of configuration.
    pub fn start_with(extra: &str) -> Self {
        let programs = programs().expect("PostgreSQL 15 or newer; `cargo xtask setup` installs it");
        let folder = tempfile::Builder::new().prefix("meantime-postgres-").tempdir().expect("a temporary folder");
        let user = is_root().then(|| if known("postgres") { "postgres" } else { "nobody" }.to_owned());
        let mut server = Self {
            port: 0,
            programs,
            user,
            extra: extra.to_owned(),
            process: None,
            databases: AtomicU32::new(0),
            folder,
        };
        // Whoever it runs as has to pass through.
        fs::set_permissions(server.folder.path(), fs::Permissions::from_mode(0o755)).expect("its mode");
        server.init();
        server.launch();
        server.sql("postgres", &format!("CREATE ROLE {OWNER} LOGIN CREATEROLE PASSWORD '{PASSWORD}'"));
        // Roles belong to all databases, so only one of many tests at once could make it.
        server.sql("postgres", &format!("CREATE ROLE meantime_app NOLOGIN; GRANT meantime_app TO {OWNER}"));
        server
    }

    /// A new, empty database, and how to reach it.
    pub fn database(&self) -> Settings {
        let name = format!("team_{}", self.databases.fetch_add(1, Ordering::Relaxed));
        self.sql("postgres", &format!("CREATE DATABASE {name} OWNER {OWNER}"));
        Settings { connections: 8, ..Settings::new(&self.url(OWNER, &name)) }
    }

    /// The address of a database for one of its users.
    pub fn url(&self, user: &str, database: &str) -> String {
        let password = PASSWORD.replace(' ', "%20");
        format!("postgres://{user}:{password}@127.0.0.1:{}/{database}", self.port)
    }

    /// Runs statements as the superuser; what they print, unaligned. Panics
    /// where one fails.
    pub fn sql(&self, database: &str, sql: &str) -> String {
        let output = self.try_sql("postgres", database, sql);
        assert!(output.status.success(), "{sql}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    /// Runs statements as a user of the server.
    pub fn try_sql(&self, user: &str, database: &str, sql: &str) -> Output {
        Command::new(self.programs.join("psql"))
            .args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-c", sql])
            .arg(self.url(user, database))
            .output()
            .expect("psql")
    }

    /// The port it listens on, whether or not it runs.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Ends it as a power cut would, with everything it was doing.
    pub fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.end(Signal::Kill);
        }
    }

    /// Ends it at once but in order; connections are told.
    pub fn stop(&mut self) {
        self.process = None;
    }

    /// Starts it again on the same port.
    pub fn restart(&mut self) {
        self.stop();
        self.launch();
    }

    /// Starts it again with other lines of configuration.
    pub fn configure(&mut self, extra: &str) {
        extra.clone_into(&mut self.extra);
        self.restart();
    }

    /// A file in its folder, readable for it alone.
    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        fs::write(&path, text).expect("a file");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("its mode");
        self.give_away(&path);
        path
    }

    /// What it logged.
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    fn init(&self) {
        let data = self.data();
        fs::create_dir(&data).expect("a folder");
        fs::set_permissions(&data, fs::Permissions::from_mode(0o700)).expect("its mode");
        self.give_away(&data);
        let password = self.write("password", PASSWORD);
        let made = as_user(self.user.as_deref(), &self.programs.join("initdb"))
            .args(["--username=postgres", "--encoding=UTF8", "--locale=C", "--auth=scram-sha-256"])
            .args(["--no-sync", "--no-instructions"])
            .arg(format!("--pwfile={}", password.display()))
            .arg("--pgdata")
            .arg(&data)
            .current_dir(self.folder.path())
            .output()
            .expect("initdb");
        assert!(made.status.success(), "initdb: {}", String::from_utf8_lossy(&made.stderr));
    }

    fn launch(&mut self) {
        // Another may take the port in between; one that was given out stays.
        // After a kill the children's memory may be in the way for a moment.
        for _ in 0..5 {
            let port = if self.port == 0 { free_port().expect("a free port") } else { self.port };
            let config = format!(
                "listen_addresses = '127.0.0.1'\nport = {port}\nunix_socket_directories = ''\nmax_connections = 200\n\
                 shared_buffers = 32MB\nmax_wal_size = 256MB\njit = off\nlogging_collector = off\n{}",
                self.extra
            );
            let path = self.data().join("postgresql.conf");
            fs::write(&path, config).expect("the configuration");
            let (folder, log) = (self.folder.path(), self.folder.path().join("log"));
            let mut command = as_user(self.user.as_deref(), &self.programs.join("postgres"));
            command.arg("-D").arg(self.data()).current_dir(folder);
            let mut process = Process::start_in(command, &log, &log, Some(folder)).expect("postgres");
            let ready = || listens(port) && self.ready(port);
            if becomes(ready, || !matches!(process.ended(), Ok(None))) {
                // By this it ends at once, but in order.
                (self.port, self.process) = (port, Some(process.asked(Signal::Int)));
                return;
            }
            std::thread::sleep(Duration::from_millis(300));
        }
        panic!("PostgreSQL does not start:\n{}", self.log());
    }

    fn ready(&self, port: u16) -> bool {
        let mut ask = Command::new(self.programs.join("pg_isready"));
        ask.args(["-q", "-h", "127.0.0.1", "-p", &port.to_string()]);
        ask.status().is_ok_and(|status| status.success())
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn give_away(&self, path: &Path) {
        if let Some(user) = &self.user {
            let id = |flag: &str| {
                let output = Command::new("id").args([flag, user.as_str()]).output().expect("id");
                String::from_utf8_lossy(&output.stdout).trim().parse().expect("a number")
            };
            chown(path, Some(id("-u")), Some(id("-g"))).expect("a new owner");
        }
    }
}

/// Where the newest PostgreSQL's programs are: Debian keeps each version
/// apart, and none in the path.
fn programs() -> Option<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let numbered = versions.filter_map(|entry| Some((entry.file_name().to_str()?.parse::<u32>().ok()?, entry.path())));
    let newest = numbered.filter(|(version, path)| *version >= 15 && path.join("bin/initdb").exists()).max();
    if let Some((_, path)) = newest {
        return Some(path.join("bin"));
    }
    let folders = std::env::var_os("PATH")?;
    std::env::split_paths(&folders).find(|folder| folder.join("initdb").exists() && folder.join("postgres").exists())
}

fn known(user: &str) -> bool {
    Command::new("id").args(["-u", user]).output().is_ok_and(|output| output.status.success())
}
