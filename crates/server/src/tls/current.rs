//! The certificate that new connections get.

use super::Certificate;
use chrono::{DateTime, Utc};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

/// The protocol an ACME service speaks to see a challenge (RFC 8737).
pub(super) const ACME_TLS: &[u8] = b"acme-tls/1";

/// What is shown now. Shared by the listener and whoever renews.
#[derive(Debug, Default)]
pub struct Current {
    certificate: RwLock<Option<Certificate>>,
    challenges: RwLock<HashMap<String, Arc<CertifiedKey>>>,
}

impl Current {
    /// From now on new connections get this one.
    pub fn present(&self, certificate: Certificate) {
        *self.certificate.write().unwrap_or_else(PoisonError::into_inner) = Some(certificate);
    }

    /// Until when the present one is good; `None` while there is none.
    #[must_use]
    pub fn until(&self) -> Option<DateTime<Utc>> {
        self.read(Certificate::until)
    }

    /// Whether another one should be got.
    pub(super) fn due(&self, now: DateTime<Utc>) -> bool {
        self.read(Certificate::renew_at).is_none_or(|at| at <= now)
    }

    /// Answers an ACME service that asks for this name.
    pub(super) fn challenge(&self, name: String, key: Arc<CertifiedKey>) {
        self.challenges.write().unwrap_or_else(PoisonError::into_inner).insert(name, key);
    }

    /// No challenge is under way any more.
    pub(super) fn challenged(&self) {
        self.challenges.write().unwrap_or_else(PoisonError::into_inner).clear();
    }

    fn read<T>(&self, part: impl FnOnce(&Certificate) -> T) -> Option<T> {
        self.certificate.read().unwrap_or_else(PoisonError::into_inner).as_ref().map(part)
    }
}

impl ResolvesServerCert for Current {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        if hello.alpn().is_some_and(|mut protocols| protocols.any(|name| name == ACME_TLS)) {
            let challenges = self.challenges.read().unwrap_or_else(PoisonError::into_inner);
            return challenges.get(hello.server_name()?).cloned();
        }
        self.read(Certificate::key)
    }
}
