//! Opening connections: name → address → TCP → TLS, within one deadline, and
//! the plain words for what goes wrong on the way.
//!
//! Trust is either this computer's, or one pinned certificate; there is no
//! way to accept another. Nothing here speaks IMAP or SMTP.

use crate::config::{Fingerprint, MailServer, Security};
use crate::guard::Wire;
use meantime_source::{SourceError, SourceResult};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use rustls_platform_verifier::Verifier;
use sha2::{Digest, Sha256};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// To look up the name and connect, all addresses together.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);
/// To agree on TLS.
pub const TLS_TIMEOUT: Duration = Duration::from_secs(15);

/// Connects over TCP. `Plain` servers must be on this very computer.
pub async fn connect(server: &MailServer) -> SourceResult<TcpStream> {
    let attempt = async {
        let addresses: Vec<_> = tokio::net::lookup_host((server.host.as_str(), server.port))
            .await
            .map_err(|_| {
                SourceError::Transient(format!(
                    "The name {} can't be found. Check the spelling and that this computer is online.",
                    server.host
                ))
            })?
            .filter(|address| server.security != Security::Plain || address.ip().is_loopback())
            .collect();
        if addresses.is_empty() && server.security == Security::Plain {
            return Err(SourceError::Permanent(format!(
                "{} is not this computer, and passwords aren't sent without encryption. Choose TLS or STARTTLS.",
                server.host
            )));
        }
        let mut last = None;
        for address in addresses {
            match TcpStream::connect(address).await {
                Ok(stream) => return Ok(stream),
                Err(error) => last = Some(error),
            }
        }
        Err(unreachable_server(server, last.map_or(std::io::ErrorKind::NotFound, |error| error.kind())))
    };
    let stream = tokio::time::timeout(CONNECT_TIMEOUT, attempt)
        .await
        .unwrap_or_else(|_| Err(unreachable_server(server, std::io::ErrorKind::TimedOut)))?;
    // Commands are short and waited for; without it they wait for each other.
    let _ = stream.set_nodelay(true);
    Ok(stream)
}

/// Speaks TLS over an open connection.
pub async fn secure(server: &MailServer, wire: Box<dyn Wire>) -> SourceResult<Box<dyn Wire>> {
    let trust = Arc::new(Trust::new(server.certificate)?);
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| SourceError::Permanent(format!("TLS can't be set up: {error}.")))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::<Trust>::clone(&trust))
        .with_no_client_auth();
    let name = ServerName::try_from(server.host.clone()).map_err(|_| {
        SourceError::Permanent(format!("“{}” is not a server's name or address. Check the spelling.", server.host))
    })?;
    let handshake = TlsConnector::from(Arc::new(config)).connect(name, wire);
    match tokio::time::timeout(TLS_TIMEOUT, handshake).await {
        Ok(Ok(stream)) => Ok(Box::new(stream)),
        Ok(Err(error)) => Err(trust.explain(server, &error)),
        Err(_) => Err(SourceError::Transient(format!(
            "{}, port {}, does not answer in TLS. If the port is right, choose STARTTLS; else try again later.",
            server.host, server.port
        ))),
    }
}

/// Reads one line of at most 8 KiB, without its end, and not a byte more.
pub async fn line(wire: &mut (impl AsyncRead + Unpin)) -> std::io::Result<String> {
    let mut line = Vec::new();
    loop {
        match wire.read_u8().await? {
            b'\n' => break,
            _ if line.len() >= 8192 => return Err(std::io::ErrorKind::InvalidData.into()),
            byte => line.push(byte),
        }
    }
    Ok(String::from_utf8_lossy(&line).trim_end().to_owned())
}

fn unreachable_server(server: &MailServer, kind: std::io::ErrorKind) -> SourceError {
    let what = match kind {
        std::io::ErrorKind::ConnectionRefused => "refuses the connection",
        std::io::ErrorKind::TimedOut => "does not answer",
        _ => "can't be reached",
    };
    SourceError::Transient(format!("{}, port {}, {what}. Check the server and the port.", server.host, server.port))
}

/// Whom to believe, and what was shown instead.
#[derive(Debug)]
struct Trust {
    pinned: Option<Fingerprint>,
    platform: Verifier,
    provider: Arc<CryptoProvider>,
    shown: Mutex<Option<Fingerprint>>,
}

impl Trust {
    fn new(pinned: Option<Fingerprint>) -> SourceResult<Self> {
        let provider = Arc::new(ring::default_provider());
        let platform = Verifier::new(Arc::clone(&provider)).map_err(|error| {
            SourceError::Permanent(format!("This computer's list of trusted certificates can't be read: {error}."))
        })?;
        Ok(Self { pinned, platform, provider, shown: Mutex::new(None) })
    }

    fn explain(&self, server: &MailServer, error: &std::io::Error) -> SourceError {
        let host = &server.host;
        let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
        let shown = *self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        match (inner, shown) {
            (Some(rustls::Error::InvalidCertificate(why)), Some(shown)) => {
                SourceError::Certificate(match (self.pinned, why) {
                    (Some(pinned), _) => format!(
                        "{host} shows another certificate ({}) than the one you trusted ({}). Either it was renewed, or \
                         somebody stands in between. Ask whoever runs the server for the new fingerprint. Only when it \
                         is the same, add the account once more with it; nothing is lost.",
                        shown.short(),
                        pinned.short()
                    ),
                    (None, CertificateError::Expired | CertificateError::ExpiredContext { .. }) => format!(
                        "The certificate of {host} ({}) has expired. Whoever runs the server has to renew it; check \
                         this computer's date too.",
                        shown.short()
                    ),
                    (None, CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. }) => {
                        format!(
                            "The certificate of {host} ({}) was made for another name. Check the server's name.",
                            shown.short()
                        )
                    }
                    (None, _) => format!(
                        "The certificate of {host} ({}) isn't one this computer trusts. If it is your own server, \
                         read its SHA-256 fingerprint on the server itself and add the account with it.",
                        shown.short()
                    ),
                })
            }
            (Some(rustls::Error::InvalidMessage(_)), _) => SourceError::Permanent(format!(
                "{host}, port {}, does not speak TLS. Check the port, or choose STARTTLS.",
                server.port
            )),
            _ => {
                SourceError::Transient(format!("The encrypted connection to {host}, port {}, broke off.", server.port))
            }
        }
    }
}

impl ServerCertVerifier for Trust {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let shown = Fingerprint(Sha256::digest(end_entity.as_ref()).into());
        *self.shown.lock().unwrap_or_else(PoisonError::into_inner) = Some(shown);
        match self.pinned {
            // This very key was trusted: names and dates add nothing to that.
            Some(pinned) if pinned == shown => Ok(ServerCertVerified::assertion()),
            Some(_) => Err(rustls::Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure)),
            None => self.platform.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now),
        }
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
