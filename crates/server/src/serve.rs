//! Starts the server and ends it: listening, the clockwork that releases what
//! was sent to appear later, and a shutdown that open streams can't delay.

use crate::attachments::{self, Attachments};
use crate::backend::{self, Backend};
use crate::data::DataDir;
use crate::http::{self, App, Proxies, Room, Writing};
use crate::link::Links;
use crate::metrics::{Metrics, Storages};
use crate::net::Gate;
use crate::observe::Observed;
use crate::tls::Tls;
use crate::{backup, limits, seal};
use anyhow::Context as _;
use axum_server::tls_rustls::{RustlsAcceptor, RustlsConfig};
use axum_server::{Address, Handle, Server};
use hyper_util::rt::TokioTimer;
use meantime_protocol::http::InviteRequest;
use meantime_server_core::{Clock, Core, Shared, Storage, TeamScope};
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
    chores: Vec<JoinHandle<()>>,
    observed: Option<Observed>,
    _lock: File,
}

/// Starts a server; it accepts requests when this returns.
///
/// # Errors
/// When the folder can't be used or the address is taken.
pub async fn start(Options { data, listen, clock }: Options) -> anyhow::Result<Running> {
    let settings = data.settings()?;
    let lock = data.lock()?;
    limits::raise_open_files();
    let beside = backend::is_served(&settings).await?;
    let backend = Backend::open(&data, &settings).await?;
    for risk in backend.risks().await? {
        tracing::warn!("{risk}");
    }
    let metrics = Arc::new(Metrics::default());
    metrics.started_at.set(clock.now().timestamp());
    let storage = backend.shared(Arc::new(Storages(Arc::clone(&metrics))));
    let key = seal::begin(&data, &backend, &storage).await?;
    let tls = Tls::of(&data, &settings, clock.now())?;
    let listener = bind(listen, data.address()).with_context(|| format!("can't listen on {listen}"))?;
    let address = listener.local_addr()?;
    data.write("address", format!("{address}\n").as_bytes())?;

    let stop = CancellationToken::new();
    let app = Arc::new(App {
        core: Core::new(storage, Arc::clone(&clock)).beside(backend::pokes(&settings).await?).sealing(key),
        attachments: Attachments::open(&settings.attachments)?,
        links: Links::new(&settings, address, tls.pin()),
        proxies: Proxies::new(&settings.limits),
        room: Room::new(&settings.limits),
        writing: Writing::default(),
        metrics: Arc::clone(&metrics),
        certificate: tls.current(),
        stop: stop.clone(),
    });
    let observed = match settings.metrics.listen {
        Some(listen) => Some(Observed::start(Arc::clone(&app), listen).await?),
        None => None,
    };
    let gate = Gate::new(&settings.limits, Arc::clone(&metrics));
    let acceptor = RustlsAcceptor::new(RustlsConfig::from_config(tls.config()?)).acceptor(gate);
    let handle = Handle::new();
    let mut server = axum_server::from_tcp(listener)?.acceptor(acceptor).handle(handle.clone());
    patience(&mut server, Duration::from_secs(settings.limits.stall_seconds));
    let service = http::router(Arc::clone(&app)).into_make_service_with_connect_info::<SocketAddr>();
    let served = tokio::spawn(server.serve(service));
    handle.listening().await.context("the listener failed")?;
    let mut chores = vec![
        tokio::spawn(clockwork(Arc::clone(&app))),
        tokio::spawn(attachments::upkeep(Arc::clone(&app))),
        tokio::spawn(hear_others(Arc::clone(&app))),
        tokio::spawn(tls.keep(Arc::clone(&clock), Arc::clone(&metrics), stop.clone())),
    ];
    chores.push(tokio::spawn(backup::scheduled(&data, &settings, &app)));
    if beside && settings.attachments.in_a_folder() && settings.attachments.folder.starts_with(&settings.data) {
        tracing::warn!(
            folder = %settings.attachments.folder.display(),
            "another process works on this database, and the folder of attachments is this one's alone: what is sent to \
             one is missing at the other; attachments.folder has to be one that all of them share, or attachments.kind s3"
        );
    }
    tracing::info!(%address, monitoring = observed.as_ref().map(|o| o.address().to_string()), "serving");
    Ok(Running { address, app, handle, stop, served, chores, observed, _lock: lock })
}

impl Running {
    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where monitoring reads, if anywhere.
    #[must_use]
    pub fn monitoring(&self) -> Option<SocketAddr> {
        self.observed.as_ref().map(Observed::address)
    }

    /// The rules it serves; for tests.
    #[must_use]
    pub fn core(&self) -> &Core<Shared> {
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
        for chore in self.chores {
            chore.await?;
        }
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
fn patience<A: Address, Acceptor>(server: &mut Server<A, Acceptor>, stall: Duration) {
    let http = server.http_builder();
    http.http1().timer(TokioTimer::new()).header_read_timeout(SLOW_HEAD);
    http.http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(stall)
        .keep_alive_timeout(stall)
        .max_concurrent_streams(64);
}

/// Tells the streams here what other processes did; until the server ends.
async fn hear_others(app: Arc<App>) {
    tokio::select! {
        () = app.core.hear_others() => {}
        () = app.stop.cancelled() => {}
    }
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
