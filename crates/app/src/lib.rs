//! The engine put together with its adapters: what the desktop shell and the
//! command line both run.
//!
//! One process owns a profile at a time; whoever comes second talks to it over
//! the local socket. No rule and no screen is here.

mod adapters;
mod archive;

pub use meantime_engine::Engine;
pub use meantime_engine::socket::Connection;

use anyhow::Context;
use meantime_engine::Setup;
use meantime_engine::socket::{self, Listener};
use meantime_platform::secrets::Safe;
use meantime_platform::{Clock, DesktopNotifier, Dirs, Lock, SystemClock, Wakes};
use meantime_store::{Opened, Store};
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// How long to wait for a running engine to answer before it is taken for dead.
const PATIENCE: Duration = Duration::from_secs(5);

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
    let Some(lock) = lock_or_connect(&dirs).await? else {
        return Ok(Started::Elsewhere(connect(&dirs).await?));
    };
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let Opened { store, recovered } = open(&dirs, clock.now()).await?;
    if let Some(what) = recovered {
        tracing::error!(?what, "the database was damaged; what could be read was kept");
    }
    let background = options.role != Role::Once;
    let engine = Engine::start(Setup {
        store,
        notifier: Arc::new(DesktopNotifier::new()),
        safe: Arc::new(Safe::open(&dirs).await),
        adapters: Arc::new(adapters::Real::new(clock.clone())),
        wakes: Wakes::watch(clock.clone()),
        sample_dir: dirs.data.join("sample"),
        background,
        clock,
    })
    .await?;
    let shutdown = CancellationToken::new();
    let server = if background { Some(serve(&dirs, &engine, &shutdown).await?) } else { None };
    Ok(Started::Running(Running { engine, shutdown, server, _lock: lock }))
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

/// `None`: another process owns the profile.
async fn lock_or_connect(dirs: &Dirs) -> anyhow::Result<Option<Lock>> {
    let lock = Lock::take(dirs).with_context(|| format!("{} can't be used", dirs.data.display()))?;
    Ok(lock)
}

async fn connect(dirs: &Dirs) -> anyhow::Result<Connection> {
    let until = tokio::time::Instant::now() + PATIENCE;
    loop {
        // It may be starting: the lock is taken before the socket is there.
        if let Some(connection) = socket::connect(dirs).await? {
            return Ok(connection);
        }
        if tokio::time::Instant::now() > until {
            anyhow::bail!("Meantime runs already but does not answer; end it and try again");
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
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
