//! Starts the server and ends it: listening, the clockwork that releases what
//! was sent to appear later, and a shutdown that open streams can't delay.

use crate::data::DataDir;
use crate::http::{self, App};
use crate::link::Links;
use crate::tls::Authority;
use anyhow::Context as _;
use axum_server::tls_rustls::RustlsConfig;
use axum_server::{Address, Handle, Server};
use hyper_util::rt::TokioTimer;
use meantime_protocol::http::InviteRequest;
use meantime_server_core::{Clock, Core, Storage, TeamScope};
use meantime_server_sqlite::Sqlite;
use std::fs::File;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// How long requests under way may take once the server was told to end.
const GRACE: Duration = Duration::from_secs(3);
/// Longest sleep of the clockwork: the wall clock may have been set meanwhile.
const NAP: Duration = Duration::from_secs(20);
/// How often old tombstones are looked for.
const SWEEP: Duration = Duration::from_secs(24 * 3600);
/// A request's head has to be here by then.
const SLOW_HEAD: Duration = Duration::from_secs(30);

/// What a server is started with.
pub struct Options {
    /// Its folder, in which `init` was done.
    pub data: DataDir,
    /// Where to listen; port 0 takes the one of last time, else a free one.
    pub listen: SocketAddr,
    /// Its time.
    pub clock: Arc<dyn Clock>,
}

/// A server that accepts requests. Dropping it leaves it running.
pub struct Running {
    address: SocketAddr,
    app: Arc<App>,
    handle: Handle<SocketAddr>,
    stop: CancellationToken,
    served: JoinHandle<io::Result<()>>,
    clockwork: JoinHandle<()>,
    _lock: File,
}

/// Starts a server; it accepts requests when this returns.
///
/// # Errors
/// When the folder can't be used or the address is taken.
pub async fn start(Options { data, listen, clock }: Options) -> anyhow::Result<Running> {
    let config = data.config()?;
    let lock = data.lock()?;
    let storage = data.open()?;
    let authority = Authority::of(&data, clock.now())?;
    let tls = authority.server(&data, &config.hosts, clock.now())?;
    let listener = bind(listen, data.address()).with_context(|| format!("can't listen on {listen}"))?;
    let address = listener.local_addr()?;
    data.write("address", format!("{address}\n").as_bytes())?;

    let stop = CancellationToken::new();
    let links = Links::new(&config, address, authority.pin());
    let app = Arc::new(App { core: Core::new(storage, clock), links, stop: stop.clone() });
    let clockwork = tokio::spawn(clockwork(Arc::clone(&app)));
    let handle = Handle::new();
    let mut server =
        axum_server::from_tcp_rustls(listener, RustlsConfig::from_config(Arc::new(tls)))?.handle(handle.clone());
    patience(&mut server);
    let served = tokio::spawn(server.serve(http::router(Arc::clone(&app)).into_make_service()));
    handle.listening().await.context("the listener failed")?;
    tracing::info!(%address, "serving");
    Ok(Running { address, app, handle, stop, served, clockwork, _lock: lock })
}

impl Running {
    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The rules it serves; for tests.
    #[must_use]
    pub fn core(&self) -> &Core<Sqlite> {
        &self.app.core
    }

    /// A fresh invite link to its first team, as the operator makes it.
    ///
    /// # Errors
    /// When there is no team, or the request is out of range.
    pub async fn invite(&self, request: &InviteRequest) -> anyhow::Result<String> {
        let team = self.core().storage().teams().await?.into_iter().next().context("this server has no team")?;
        Ok(self.app.links.link(self.core().invite(TeamScope::operator(team.id), request).await?))
    }

    /// Ends it: streams at once, requests under way within seconds.
    ///
    /// # Errors
    /// When it had failed before.
    pub async fn stop(self) -> anyhow::Result<()> {
        self.stop.cancel();
        self.handle.graceful_shutdown(Some(GRACE));
        self.served.await?.context("serving failed")?;
        self.clockwork.await?;
        tracing::info!("ended");
        Ok(())
    }
}

/// Returns when the process is told to end.
///
/// # Errors
/// When signals can't be listened for.
pub async fn told_to_end() -> anyhow::Result<()> {
    #[cfg(unix)]
    {
        let mut term = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
        tokio::select! {
            _ = term.recv() => {}
            interrupted = tokio::signal::ctrl_c() => interrupted?,
        }
    }
    #[cfg(not(unix))]
    tokio::signal::ctrl_c().await?;
    Ok(())
}

/// Port 0 is the one of last time if that is free: apps know it.
fn bind(listen: SocketAddr, last: Option<SocketAddr>) -> io::Result<TcpListener> {
    let again = last.filter(|at| listen.port() == 0 && at.ip() == listen.ip()).map(TcpListener::bind);
    let listener = match again {
        Some(Ok(listener)) => listener,
        _ => TcpListener::bind(listen)?,
    };
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// Bounds what a connection may keep waiting for.
fn patience<A: Address, Acceptor>(server: &mut Server<A, Acceptor>) {
    let http = server.http_builder();
    http.http1().timer(TokioTimer::new()).header_read_timeout(SLOW_HEAD);
    http.http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(Duration::from_secs(30))
        .keep_alive_timeout(Duration::from_secs(20))
        .max_concurrent_streams(64);
}

/// Releases what is due, and sweeps once a day; until the server ends.
async fn clockwork(app: Arc<App>) {
    let mut sweep = tokio::time::interval(SWEEP);
    loop {
        let nap = match app.core.release_due().await {
            Ok(Some(next)) => (next - app.core.now()).to_std().unwrap_or_default().min(NAP),
            Ok(None) => NAP,
            Err(error) => {
                tracing::error!(%error, "what is due to appear could not be released; it is tried again");
                Duration::from_secs(1)
            }
        };
        tokio::select! {
            () = tokio::time::sleep(nap) => {}
            () = app.core.held_changed() => {}
            _ = sweep.tick() => match app.core.sweep().await {
                Ok(0) => {}
                Ok(swept) => tracing::info!(swept, "old tombstones were forgotten"),
                Err(error) => tracing::error!(%error, "old tombstones could not be swept"),
            },
            () = app.stop.cancelled() => return,
        }
    }
}
