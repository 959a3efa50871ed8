//! What an app can check before it trusts a server.

use crate::world::World;
use meantime_protocol::http::InviteRequest;
use meantime_protocol::kinds::Role;
use meantime_protocol::{Invite, VERSION, VERSION_HEADER};
use meantime_server::SystemClock;
use meantime_server::tls::Authority;
use meantime_server_core::Clock as _;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use rustls_pki_types::pem::PemObject as _;
use sha2::{Digest as _, Sha256};
use std::io::Write as _;
use std::net::TcpStream;
use std::sync::{Arc, Mutex};

/// Trusts the CA it was given, and remembers what the server sent.
#[derive(Debug)]
struct Watching {
    inner: Arc<WebPkiServerVerifier>,
    sent: Mutex<Vec<CertificateDer<'static>>>,
}

impl ServerCertVerifier for Watching {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let all = std::iter::once(leaf).chain(others).map(|c| c.clone().into_owned());
        *self.sent.lock().unwrap() = all.collect();
        self.inner.verify_server_cert(leaf, others, name, ocsp, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}

/// What the server sends to a client that trusts `ca`, asking for `name`.
pub fn chain(
    address: std::net::SocketAddr,
    name: &str,
    ca: &CertificateDer<'static>,
) -> Result<Vec<CertificateDer<'static>>, std::io::Error> {
    let mut roots = RootCertStore::empty();
    roots.add(ca.clone()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let inner = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider)).build().unwrap();
    let watching = Arc::new(Watching { inner, sent: Mutex::default() });
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::clone(&watching) as _)
        .with_no_client_auth();
    let mut tls = ClientConnection::new(Arc::new(config), ServerName::try_from(name.to_owned()).unwrap()).unwrap();
    let mut tcp = TcpStream::connect(address)?;
    while tls.is_handshaking() {
        tls.complete_io(&mut tcp)?;
    }
    tcp.flush()?;
    Ok(std::mem::take(&mut watching.sent.lock().unwrap()))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_invite_pins_the_ca_that_the_server_sends() {
    let world = World::new().await;
    let address = world.running.address();
    let ca = CertificateDer::from_pem_file(world.data.file("ca.pem")).unwrap();
    for name in ["127.0.0.1", "::1", "localhost"] {
        let sent = chain(address, name, &ca).unwrap();
        assert_eq!((sent.len(), &sent[1]), (2, &ca), "{name}");
    }
    assert!(chain(address, "elsewhere.example", &ca).is_err());

    let link = world.running.invite(&InviteRequest { valid_hours: 1, role: Role::Owner }).await.unwrap();
    let invite: Invite = link.parse().unwrap();
    assert_eq!(invite.host, address.to_string());
    // The key stands in the certificate as it is hashed: find it by its hash.
    let spki = (0..ca.len()).flat_map(|from| (80..120).map(move |length| (from, from + length)));
    let pinned = spki.filter_map(|(from, to)| ca.get(from..to)).any(|part| {
        let digest: [u8; 32] = Sha256::digest(part).into();
        Some(digest) == invite.ca
    });
    assert!(pinned, "the pin is the hash of a key in the certificate");

    // The same key after a restart, with a certificate of its own.
    let first = chain(address, "localhost", &ca).unwrap();
    let world = world.restarted().await;
    let second = chain(world.running.address(), "localhost", &ca).unwrap();
    assert_eq!(second[1], first[1]);
    assert_ne!(second[0], first[0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_ca_is_not_trusted() {
    let (world, other) = (World::new().await, World::new().await);
    let ca = CertificateDer::from_pem_file(other.data.file("ca.pem")).unwrap();
    assert!(chain(world.running.address(), "localhost", &ca).is_err());
    let client = other.client().http;
    let url = format!("https://{}/healthz", world.running.address());
    assert!(client.get(url).header(VERSION_HEADER, VERSION).send().await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_ca_is_not_replaced_by_another() {
    let world = World::new().await;
    let now = SystemClock.now();
    let pin = Authority::of(&world.data, now).unwrap().pin();
    // The certificate follows from the key, the key from nothing.
    std::fs::remove_file(world.data.file("ca.pem")).unwrap();
    assert_eq!(Authority::of(&world.data, now).unwrap().pin(), pin);
    std::fs::remove_file(world.data.file("ca.key")).unwrap();
    let Err(error) = Authority::of(&world.data, now) else { panic!("another CA was made") };
    assert!(format!("{error:#}").contains("from a backup"), "{error:#}");
    assert!(!world.data.file("ca.key").exists());
}
