//! The engine put together with its adapters: what the desktop shell and the
//! command line both run.
//!
//! One process owns a profile at a time; whoever comes second talks to it over
//! the local socket. No rule and no screen is here.

mod adapters;
mod archive;
mod image;

pub use meantime_engine::Engine;
pub use meantime_engine::socket::Connection;

use anyhow::Context;
use meantime_engine::Setup;
use meantime_engine::api::Damage;
use meantime_engine::socket::{self, Listener};
use meantime_platform::secrets::Safe;
use meantime_platform::{Clock, DesktopNotifier, Dirs, Lock, SystemClock, Wakes};
use meantime_store::{Opened, Store};
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// How long to wait for another process to answer, or to give the profile back.
const PATIENCE: Duration = Duration::from_secs(15);

/// What to start, and where.
#[derive(Clone, Debug)]
pub struct Options {
    /// The profile.
    pub dirs: Dirs,
    /// What for.
    pub role: Role,
}

/// What an engine is started for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// A window and a tray: follows the accounts and the team.
    Desktop,
    /// The same without a face.
    Daemon,
    /// One command: follows nothing, answers no one else.
    Once,
}

/// What [`start`] found.
pub enum Started {
    /// This process owns the profile now.
    Running(Running),
    /// Another one does; here is a connection to it.
    Elsewhere(Connection),
}

/// An engine of this process.
pub struct Running {
    /// It answers commands.
    pub engine: Arc<Engine>,
    /// The database was damaged when it was opened: what became of it.
    pub damage: Option<Damage>,
    shutdown: CancellationToken,
    server: Option<tokio::task::JoinHandle<()>>,
    // Given back last.
    _lock: Lock,
}

/// Starts the engine of a profile, or connects to the one that runs.
///
/// # Errors
/// The profile's folders or its database can't be used: in plain words.
pub async fn start(options: Options) -> anyhow::Result<Started> {
    // One TLS implementation for everything; a second call finds the first's.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let dirs = options.dirs;
    dirs.create()?;
    let lock = match own_or_connect(&dirs).await? {
        Profile::Ours(lock) => lock,
        Profile::Theirs(connection) => return Ok(Started::Elsewhere(connection)),
    };
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let Opened { store, recovered } = open(&dirs, clock.now()).await?;
    let background = options.role != Role::Once;
    let engine = Engine::start(Setup {
        store,
        notifier: Arc::new(DesktopNotifier::new()),
        safe: Safe::open(&dirs).await,
        adapters: Arc::new(adapters::Real::new(clock.clone())),
        wakes: Wakes::watch(clock.clone()),
        sample_dir: dirs.data.join("sample"),
        files_dir: dirs.data.join("files"),
        downloads: meantime_platform::downloads::folder(),
        background,
        clock,
    })
    .await?;
    let damage = match recovered {
        Some(what) => {
            tracing::error!(?what, "the database was damaged; what could be read was kept");
            Some(engine.report_damage(what).await?)
        }
        None => None,
    };
    let shutdown = CancellationToken::new();
    let server = if background { Some(serve(&dirs, &engine, &shutdown).await?) } else { None };
    Ok(Started::Running(Running { engine, damage, shutdown, server, _lock: lock }))
}

impl Running {
    /// Stops answering, lets what runs finish, and gives the profile back.
    pub async fn stop(self) {
        self.shutdown.cancel();
        if let Some(server) = self.server {
            let _ = server.await;
        }
        self.engine.stop().await;
    }
}

enum Profile {
    Ours(Lock),
    Theirs(Connection),
}

/// Owns the profile, or talks to the process that does. A single command owns
/// it for a moment and answers no one, and an engine that starts has the lock
/// before it has the socket: both are waited for.
async fn own_or_connect(dirs: &Dirs) -> anyhow::Result<Profile> {
    let until = tokio::time::Instant::now() + PATIENCE;
    loop {
        let lock = Lock::take(dirs).with_context(|| format!("{} can't be used", dirs.data.display()))?;
        if let Some(lock) = lock {
            return Ok(Profile::Ours(lock));
        }
        if let Some(connection) = socket::connect(dirs).await? {
            return Ok(Profile::Theirs(connection));
        }
        if tokio::time::Instant::now() > until {
            anyhow::bail!("another Meantime command has this profile and does not end; wait for it, or end it");
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn open(dirs: &Dirs, now: chrono::DateTime<chrono::Utc>) -> anyhow::Result<Opened> {
    let path = dirs.data.join("meantime.db");
    Ok(tokio::task::spawn_blocking(move || Store::open(&path, now)).await??)
}

async fn serve(
    dirs: &Dirs,
    engine: &Arc<Engine>,
    shutdown: &CancellationToken,
) -> anyhow::Result<tokio::task::JoinHandle<()>> {
    let listener: Listener = socket::listen(dirs).await.context("the local socket can't be used")?;
    Ok(tokio::spawn(listener.serve(Arc::new(engine.clone()), shutdown.clone())))
}
