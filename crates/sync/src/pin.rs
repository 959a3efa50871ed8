//! Trust in one certificate authority by its key, as an invite names it.
//!
//! The server sends its CA along. If the SHA-256 of that certificate's
//! SubjectPublicKeyInfo is the pin, it is the only root the rest of the chain
//! is checked against, names and dates included. Nothing is ever accepted
//! "anyway".

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::{CertificateError, DigitallySignedStruct, RootCertStore, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use sha2::{Digest as _, Sha256};
use std::sync::Arc;

/// No certificate that the server sent has the pinned key.
#[derive(Debug, thiserror::Error)]
#[error("the server's key is not the one the invite names")]
pub(crate) struct OtherKey;

/// Trusts the CA of one key.
#[derive(Debug)]
pub(crate) struct PinnedCa {
    pin: [u8; 32],
    provider: Arc<CryptoProvider>,
}

impl PinnedCa {
    pub fn new(pin: [u8; 32], provider: Arc<CryptoProvider>) -> Self {
        Self { pin, provider }
    }

    /// A store whose one root is that certificate, if it has the pinned key.
    fn root(&self, certificate: &CertificateDer<'_>) -> Option<RootCertStore> {
        let mut roots = RootCertStore::empty();
        roots.add(certificate.clone().into_owned()).ok()?;
        let anchor = roots.roots.first()?;
        (spki_sha256(&anchor.subject_public_key_info) == self.pin).then_some(roots)
    }
}

impl ServerCertVerifier for PinnedCa {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let roots = intermediates.iter().find_map(|certificate| self.root(certificate)).ok_or_else(|| {
            rustls::Error::InvalidCertificate(CertificateError::Other(rustls::OtherError(Arc::new(OtherKey))))
        })?;
        let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&self.provider))
            .build()
            .map_err(|e| rustls::Error::General(e.to_string()))?;
        verifier.verify_server_cert(end_entity, intermediates, server_name, ocsp, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// SHA-256 of a SubjectPublicKeyInfo, of which `inside` is the content: a
/// trust anchor leaves the outer SEQUENCE's tag and length away.
fn spki_sha256(inside: &[u8]) -> [u8; 32] {
    let mut hash = Sha256::new();
    let length = inside.len();
    hash.update([0x30]);
    match length {
        0..=0x7f => hash.update([length.to_le_bytes()[0]]),
        0x80..=0xff => hash.update([0x81, length.to_le_bytes()[0]]),
        _ => hash.update([0x82, length.to_le_bytes()[1], length.to_le_bytes()[0]]),
    }
    hash.update(inside);
    hash.finalize().into()
}
