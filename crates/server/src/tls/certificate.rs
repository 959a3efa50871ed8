//! A certificate with its key, and what stands in it.

use anyhow::{Context as _, anyhow, ensure};
use chrono::{DateTime, Utc};
use rustls::crypto::ring;
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use sha2::{Digest as _, Sha256};
use std::sync::Arc;
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer as _;

/// What a server proves itself with.
#[derive(Clone, Debug)]
pub struct Certificate {
    key: Arc<CertifiedKey>,
    from: DateTime<Utc>,
    until: DateTime<Utc>,
}

impl Certificate {
    /// A chain, the server's first, and its key.
    ///
    /// # Errors
    /// When they can't be read or don't belong together.
    pub fn of(chain: Vec<CertificateDer<'static>>, key: PrivateKeyDer<'static>) -> anyhow::Result<Self> {
        let first = chain.first().context("there is no certificate in it")?;
        let read = parsed(first)?;
        let (from, until) = (instant(read.validity().not_before)?, instant(read.validity().not_after)?);
        let key = CertifiedKey::from_der(chain, key, &ring::default_provider())
            .map_err(|e| anyhow!("certificate and key don't belong together or can't be used: {e}"))?;
        Ok(Self { key: Arc::new(key), from, until })
    }

    /// The same from PEM.
    ///
    /// # Errors
    /// As [`Certificate::of`].
    pub fn of_pem(chain: &[u8], key: &[u8]) -> anyhow::Result<Self> {
        let key =
            PrivateKeyDer::from_pem_slice(key).map_err(|e| anyhow!("the key is not PEM of a private key: {e}"))?;
        Self::of(chain_of_pem(chain)?, key)
    }

    /// When it ends.
    #[must_use]
    pub fn until(&self) -> DateTime<Utc> {
        self.until
    }

    /// When two thirds of its time are over.
    #[must_use]
    pub fn renew_at(&self) -> DateTime<Utc> {
        self.until - (self.until - self.from) / 3
    }

    /// The names and addresses it is for.
    ///
    /// # Errors
    /// When it can't be read.
    pub fn names(&self) -> anyhow::Result<Vec<String>> {
        let first = self.key.cert.first().context("there is no certificate in it")?;
        let read = parsed(first)?;
        let names = read.subject_alternative_name()?.map(|names| names.value.general_names.clone());
        Ok(names.unwrap_or_default().iter().filter_map(name).collect())
    }

    pub(super) fn key(&self) -> Arc<CertifiedKey> {
        Arc::clone(&self.key)
    }
}

/// All certificates in a PEM text; at least one.
pub(super) fn chain_of_pem(pem: &[u8]) -> anyhow::Result<Vec<CertificateDer<'static>>> {
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let chain = chain.map_err(|e| anyhow!("the certificate is not PEM: {e}"))?;
    ensure!(!chain.is_empty(), "there is no certificate in it");
    Ok(chain)
}

/// SHA-256 of a certificate's SubjectPublicKeyInfo: what apps pin.
pub(super) fn pin_of(certificate: &CertificateDer<'_>) -> anyhow::Result<[u8; 32]> {
    Ok(Sha256::digest(parsed(certificate)?.public_key().raw).into())
}

fn parsed<'a>(der: &'a CertificateDer<'_>) -> anyhow::Result<X509Certificate<'a>> {
    let (_, certificate) = X509Certificate::from_der(der).map_err(|e| anyhow!("the certificate can't be read: {e}"))?;
    Ok(certificate)
}

fn instant(time: x509_parser::time::ASN1Time) -> anyhow::Result<DateTime<Utc>> {
    DateTime::from_timestamp(time.timestamp(), 0).context("a time in the certificate is out of range")
}

fn name(name: &x509_parser::extensions::GeneralName<'_>) -> Option<String> {
    use x509_parser::extensions::GeneralName;
    match name {
        GeneralName::DNSName(name) => Some((*name).to_owned()),
        GeneralName::IPAddress(bytes) => match bytes.len() {
            4 => <[u8; 4]>::try_from(*bytes).ok().map(|b| std::net::Ipv4Addr::from(b).to_string()),
            _ => <[u8; 16]>::try_from(*bytes).ok().map(|b| std::net::Ipv6Addr::from(b).to_string()),
        },
        _ => None,
    }
}
