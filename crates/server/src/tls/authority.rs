//! The server's own CA, made once, and the certificates it signs: one at each
//! start, and another in time. Apps trust the CA's key, whose hash stands in
//! the invite; so names may change and certificates lapse without anybody
//! noticing.

use super::Certificate;
use crate::data::DataDir;
use anyhow::Context as _;
use chrono::{DateTime, Datelike as _, TimeDelta, Utc};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    PublicKeyData as _,
};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use sha2::{Digest as _, Sha256};
use std::fs;

/// The CA of one server.
pub struct Authority {
    key: KeyPair,
    certificate: CertificateDer<'static>,
}

impl Authority {
    /// The folder's CA; made if there never was one.
    ///
    /// # Errors
    /// When its key can't be used, or is gone while its certificate is there:
    /// then the file has to come back from a backup, since all apps rely on
    /// this very key.
    pub fn of(data: &DataDir, now: DateTime<Utc>) -> anyhow::Result<Self> {
        let (path, certificate) = (data.file("ca.key"), data.file("ca.pem"));
        if !path.exists() && !certificate.exists() {
            data.write("ca.key", KeyPair::generate()?.serialize_pem().as_bytes())?;
        }
        let lost = || {
            let path = path.display();
            format!(
                "{path} can't be used; put it back from a backup (with another key every app would have to join anew)"
            )
        };
        let key = fs::read_to_string(&path).with_context(lost)?;
        let key = KeyPair::from_pem(&key).with_context(lost)?;
        if !certificate.exists() {
            // Of the same key it is as good as the one before.
            data.write("ca.pem", authority(now)?.self_signed(&key)?.pem().as_bytes())?;
        }
        let certificate = CertificateDer::from_pem_file(certificate).context("ca.pem can't be read")?;
        Ok(Self { key, certificate })
    }

    /// SHA-256 of the CA's SubjectPublicKeyInfo: what apps pin.
    #[must_use]
    pub fn pin(&self) -> [u8; 32] {
        Sha256::digest(self.key.subject_public_key_info()).into()
    }

    /// A new certificate for a server of these names, besides this machine's own.
    ///
    /// # Errors
    /// When a name can't stand in a certificate, or a file can't be written.
    pub fn certificate(&self, data: &DataDir, hosts: &[String], now: DateTime<Utc>) -> anyhow::Result<Certificate> {
        let mut names = hosts.to_vec();
        names.extend(["localhost", "127.0.0.1", "::1"].map(str::to_owned));
        names.sort();
        names.dedup();
        let mut params = CertificateParams::new(names).context("a host's name can't stand in a certificate")?;
        params.distinguished_name.push(DnType::CommonName, "Meantime team server");
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.use_authority_key_identifier_extension = true;
        valid(&mut params, now, 2);
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &Issuer::new(authority(now)?, &self.key))?;
        data.write("server.pem", certificate.pem().as_bytes())?;
        data.write("server.key", key.serialize_pem().as_bytes())?;

        let chain = vec![certificate.der().clone(), self.certificate.clone()];
        let key = PrivatePkcs8KeyDer::from(key.serialize_der());
        Certificate::of(chain, key.into())
    }
}

fn authority(now: DateTime<Utc>) -> anyhow::Result<CertificateParams> {
    let mut params = CertificateParams::new(Vec::new())?;
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, "Meantime team server CA");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    valid(&mut params, now, 30);
    Ok(params)
}

/// From a month ago, for apps whose clock is behind.
fn valid(params: &mut CertificateParams, now: DateTime<Utc>, years: i32) {
    let day = |at: DateTime<Utc>, years| {
        // The 28th is in every month of every year.
        let day = at.day().min(28);
        rcgen::date_time_ymd(at.year() + years, u8::try_from(at.month()).unwrap_or(1), u8::try_from(day).unwrap_or(1))
    };
    params.not_before = day(now - TimeDelta::days(31), 0);
    params.not_after = day(now, years);
}
