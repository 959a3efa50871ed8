//! A certificate that somebody else renews: files, looked at for changes.

use super::Certificate;
use super::certificate::chain_of_pem;
use crate::settings;
use anyhow::Context as _;
use rustls_pki_types::PrivateKeyDer;
use rustls_pki_types::pem::PemObject as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// The files, and how they looked when they were read.
#[derive(Debug)]
pub(super) struct Files {
    certificate: PathBuf,
    key: PathBuf,
    ca: Option<PathBuf>,
    seen: Vec<Look>,
}

/// Tells whether a file is another one than before, without reading it.
type Look = Option<(SystemTime, u64)>;

impl Files {
    pub fn of(settings: &settings::Tls) -> anyhow::Result<Self> {
        let certificate = settings.certificate.clone().context("tls.certificate is not set")?;
        let key = settings.key.clone().context("tls.key is not set")?;
        Ok(Self { certificate, key, ca: settings.ca.clone(), seen: Vec::new() })
    }

    /// What they hold now.
    pub fn read(&mut self) -> anyhow::Result<Certificate> {
        // Looked at first: a change while they are read is seen the next time.
        self.seen = self.look();
        let mut chain = chain_of_pem(&bytes(&self.certificate)?).with_context(|| shown(&self.certificate))?;
        if let Some(path) = &self.ca {
            let ca = chain_of_pem(&bytes(path)?).with_context(|| shown(path))?.into_iter().next();
            // An app finds the pinned key in the chain.
            chain.extend(ca.filter(|ca| !chain.contains(ca)));
        }
        let key = PrivateKeyDer::from_pem_slice(&bytes(&self.key)?).with_context(|| shown(&self.key))?;
        Certificate::of(chain, key).with_context(|| shown(&self.certificate))
    }

    /// Whether they are others than those read last.
    pub fn changed(&self) -> bool {
        self.look() != self.seen
    }

    fn look(&self) -> Vec<Look> {
        let look = |path: &PathBuf| fs::metadata(path).ok().and_then(|m| Some((m.modified().ok()?, m.len())));
        [&self.certificate, &self.key].into_iter().chain(&self.ca).map(look).collect()
    }
}

fn bytes(path: &Path) -> anyhow::Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("{} can't be read", path.display()))
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}
