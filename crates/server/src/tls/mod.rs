//! What the server shows to prove who it is, and how that changes while it
//! runs: connections begun later get the newer certificate, open ones go on.
//!
//! Nothing here decides what an app trusts; an invite says that.

mod acme;
mod authority;
mod certificate;
mod current;
mod files;

pub use authority::Authority;
pub use certificate::Certificate;
pub use current::Current;

use crate::data::DataDir;
use crate::metrics::Metrics;
use crate::settings::{Settings, TlsKind};
use acme::Acme;
use anyhow::Context as _;
use chrono::{DateTime, Utc};
use files::Files;
use meantime_server_core::Clock;
use rustls::ServerConfig;
use rustls::crypto::ring;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// How often is looked whether another certificate is there or needed.
const LOOK: Duration = Duration::from_secs(2);
/// Pauses between attempts at an ACME service, the last one again and again.
const AGAIN: [Duration; 4] =
    [Duration::from_secs(10), Duration::from_secs(60), Duration::from_secs(600), Duration::from_secs(3600)];

/// The server's TLS: its certificate, and where the next one comes from.
pub struct Tls {
    source: Source,
    current: Arc<Current>,
    pin: Option<[u8; 32]>,
}

enum Source {
    Own { authority: Authority, data: DataDir, hosts: Vec<String> },
    Files(Files),
    Acme(Acme),
}

/// SHA-256 of the key of the first certificate in a PEM file.
///
/// # Errors
/// When there is none.
pub fn pin_of_file(path: &Path) -> anyhow::Result<[u8; 32]> {
    let pem = fs::read(path).with_context(|| format!("{} can't be read", path.display()))?;
    let chain = certificate::chain_of_pem(&pem).with_context(|| path.display().to_string())?;
    certificate::pin_of(chain.first().context("there is no certificate in it")?)
}

impl Tls {
    /// As the settings say; with a certificate, but for ACME before the first
    /// one was got.
    ///
    /// # Errors
    /// When there can't be one.
    pub fn of(data: &DataDir, settings: &Settings, now: DateTime<Utc>) -> anyhow::Result<Self> {
        let current = Arc::new(Current::default());
        let (source, pin, first) = match settings.tls.kind {
            TlsKind::OwnCa => {
                let authority = Authority::of(data, now)?;
                let first = authority.certificate(data, &settings.hosts, now)?;
                let pin = authority.pin();
                (Source::Own { authority, data: data.clone(), hosts: settings.hosts.clone() }, Some(pin), Some(first))
            }
            TlsKind::Files => {
                let mut files = Files::of(&settings.tls)?;
                let first = files.read()?;
                (Source::Files(files), settings.tls.ca.as_deref().map(pin_of_file).transpose()?, Some(first))
            }
            TlsKind::Acme => {
                let acme = Acme::of(data, settings);
                let first = acme.kept();
                (Source::Acme(acme), None, first)
            }
        };
        if let Some(certificate) = first {
            if certificate.until() <= now {
                tracing::error!(until = %certificate.until(), "the certificate has ended; apps refuse it");
            }
            current.present(certificate);
        }
        Ok(Self { source, current, pin })
    }

    /// What invites pin: SHA-256 of a CA's key, unless apps' systems trust it anyway.
    #[must_use]
    pub fn pin(&self) -> Option<[u8; 32]> {
        self.pin
    }

    /// What is shown at the moment.
    #[must_use]
    pub fn current(&self) -> Arc<Current> {
        Arc::clone(&self.current)
    }

    /// For the listener; follows later changes.
    ///
    /// # Errors
    /// When this build has no usable TLS version.
    pub fn config(&self) -> anyhow::Result<Arc<ServerConfig>> {
        let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .context("TLS is not available")?
            .with_no_client_auth()
            .with_cert_resolver(self.current());
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        if matches!(self.source, Source::Acme(_)) {
            config.alpn_protocols.push(current::ACME_TLS.to_vec());
        }
        Ok(Arc::new(config))
    }

    /// Renews in time, until told to stop.
    pub async fn keep(self, clock: Arc<dyn Clock>, metrics: Arc<Metrics>, stop: CancellationToken) {
        let Self { mut source, current, .. } = self;
        let mut attempts = 0;
        loop {
            let nap = match renew(&mut source, &current, clock.now()).await {
                Ok(renewed) => {
                    attempts = 0;
                    if let Some(certificate) = renewed {
                        tracing::info!(until = %certificate.until(), "a new certificate is in use");
                        current.present(certificate);
                    }
                    LOOK
                }
                Err(error) => {
                    metrics.certificates_refused.inc();
                    tracing::error!("there is no new certificate, the one before stays in use: {error:#}");
                    let nap = AGAIN.get(attempts).or(AGAIN.last()).copied().unwrap_or(LOOK);
                    attempts += 1;
                    // Files are looked at as before: what was refused is not read again.
                    if matches!(source, Source::Acme(_)) { nap } else { LOOK }
                }
            };
            tokio::select! {
                () = tokio::time::sleep(nap) => {}
                () = stop.cancelled() => return,
            }
        }
    }
}

async fn renew(source: &mut Source, current: &Current, now: DateTime<Utc>) -> anyhow::Result<Option<Certificate>> {
    match source {
        Source::Own { authority, data, hosts } if current.due(now) => authority.certificate(data, hosts, now).map(Some),
        Source::Acme(acme) if current.due(now) => acme.order(current).await.map(Some),
        Source::Files(files) if files.changed() => {
            let new = files.read()?;
            anyhow::ensure!(new.until() > now, "the new one has ended already, on {}", new.until());
            Ok(Some(new))
        }
        _ => Ok(None),
    }
}
