//! A certificate for the peers, of the kind our server makes for itself
//! (ECDSA P-256), and how clients of theirs trust it.

use anyhow::{Context, Result};
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Files of a certificate for `localhost` and 127.0.0.1.
#[derive(Clone, Debug)]
pub struct Certificate {
    /// The certificate.
    pub certificate: PathBuf,
    /// Its key.
    pub key: PathBuf,
    /// Both in one file.
    pub both: PathBuf,
}

impl Certificate {
    /// Makes one.
    ///
    /// # Errors
    /// The disk.
    pub fn make(folder: &Path) -> Result<Self> {
        let mut params = rcgen::CertificateParams::new(vec!["localhost".into(), "127.0.0.1".into()])?;
        // ejabberd drops one whose name is no host's.
        params.distinguished_name.push(rcgen::DnType::CommonName, "localhost");
        (params.not_before, params.not_after) = (rcgen::date_time_ymd(2020, 1, 1), rcgen::date_time_ymd(2049, 1, 1));
        let key = rcgen::KeyPair::generate()?;
        let at = |name: &str| folder.join(name);
        let files = Self { certificate: at("peer.pem"), key: at("peer.key"), both: at("peer-both.pem") };
        let (certificate, key) = (params.self_signed(&key)?.pem(), key.serialize_pem());
        fs::write(&files.certificate, &certificate)?;
        fs::write(&files.key, &key)?;
        fs::write(&files.both, key + &certificate)?;
        Ok(files)
    }

    /// What clients trust.
    ///
    /// # Errors
    /// The file can't be read.
    pub fn trust(&self, protocols: &[&[u8]]) -> Result<Arc<ClientConfig>> {
        trust(&self.certificate, protocols)
    }
}

/// TLS 1.3, trusting what one file has, nothing else; each connection begins
/// with a whole handshake.
///
/// # Errors
/// The file can't be read.
pub fn trust(file: &Path, protocols: &[&[u8]]) -> Result<Arc<ClientConfig>> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(file).with_context(|| format!("{}", file.display()))?)?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.resumption = rustls::client::Resumption::disabled();
    config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
    Ok(Arc::new(config))
}
