//! Certificates change while the server runs.

use crate::tls::chain;
use crate::world::{Shifted, World, eventually};
use chrono::TimeDelta;
use meantime_protocol::Invite;
use meantime_protocol::http::InviteRequest;
use meantime_protocol::kinds::Role;
use rcgen::{BasicConstraints, Certificate, CertificateParams, IsCa, Issuer, KeyPair, PublicKeyData as _};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use sha2::{Digest as _, Sha256};
use std::fs;
use std::path::Path;

const MONITORED: (&str, &str) = ("listen = \"\"", "listen = \"127.0.0.1:0\"");

/// Somebody else's CA.
pub struct Ca {
    params: CertificateParams,
    key: KeyPair,
    pub certificate: Certificate,
}

impl Ca {
    pub fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        Self { params, key, certificate }
    }

    /// Chain and key in PEM, for this machine.
    pub fn signs(&self, year: Option<i32>) -> (String, String) {
        let mut params = CertificateParams::new(["localhost".to_owned(), "127.0.0.1".to_owned()]).unwrap();
        if let Some(year) = year {
            params.not_before = rcgen::date_time_ymd(year - 1, 1, 1);
            params.not_after = rcgen::date_time_ymd(year, 1, 1);
        }
        let key = KeyPair::generate().unwrap();
        let issuer = Issuer::new(self.params.clone(), &self.key);
        (params.signed_by(&key, &issuer).unwrap().pem(), key.serialize_pem())
    }
}

fn write(folder: &Path, (chain, key): &(String, String)) {
    fs::write(folder.join("chain.pem"), chain).unwrap();
    fs::write(folder.join("key.pem"), key).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn files_are_followed_and_bad_ones_are_not() {
    let (ca, dir) = (Ca::new(), tempfile::tempdir().unwrap());
    let (first, second) = (ca.signs(None), ca.signs(None));
    write(dir.path(), &first);
    fs::write(dir.path().join("ca.pem"), ca.certificate.pem()).unwrap();
    let file = |key: &str, name: &str| format!("{key} = \"{}\"", dir.path().join(name).display());
    let world = World::tuned(&[
        ("kind = \"own-ca\"", "kind = \"files\""),
        ("certificate = \"\"", &file("certificate", "chain.pem")),
        ("key = \"\"", &file("key", "key.pem")),
        ("# sent along, and invites pin its key.\nca = \"\"", &file("ca", "ca.pem")),
        MONITORED,
    ])
    .await;
    let address = world.running.address();
    let trusted = ca.certificate.der().clone();
    let leaf = |pair: &(String, String)| CertificateDer::from_pem_slice(pair.0.as_bytes()).unwrap();
    let shown = || chain(address, "localhost", &trusted).unwrap();
    assert_eq!(shown(), [leaf(&first), trusted.clone()], "the CA goes along, for apps that pin it");
    let link = world.running.invite(&InviteRequest { valid_hours: 1, role: Role::Owner }).await.unwrap();
    let pin: [u8; 32] = Sha256::digest(ca.key.subject_public_key_info()).into();
    assert_eq!(link.parse::<Invite>().unwrap().ca, Some(pin));

    // Each of these is refused once, and the one before stays.
    let ended = ca.signs(Some(2020));
    let bad = [
        ("no PEM".to_owned(), second.1.clone()),
        (second.0.clone(), first.1.clone()),
        (String::new(), second.1.clone()),
        ended,
    ];
    for (count, pair) in bad.iter().enumerate() {
        write(dir.path(), pair);
        let refused = (count + 1) as f64;
        eventually("it to be refused", async || world.number("meantime_certificates_refused_total").await >= refused)
            .await;
        assert_eq!(shown()[0], leaf(&first));
    }
    write(dir.path(), &second);
    eventually("the new one", async || shown()[0] == leaf(&second)).await;
    fs::remove_file(dir.path().join("chain.pem")).unwrap();
    eventually("the loss to be seen", async || world.number("meantime_certificates_refused_total").await >= 5.0).await;
    assert_eq!(shown()[0], leaf(&second));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_own_certificate_is_renewed_before_it_ends() {
    // A server that began long ago: its certificate is good for two years.
    let clock = Shifted::default();
    clock.pass(-TimeDelta::days(500));
    let world = World::at(clock, &[]).await;
    let ca = CertificateDer::from_pem_file(world.data.file("ca.pem")).unwrap();
    let shown = || chain(world.running.address(), "localhost", &ca).unwrap();
    let first = shown();
    world.clock.pass(TimeDelta::days(400));
    assert_eq!(shown(), first);
    world.clock.pass(TimeDelta::days(100));
    eventually("another one", async || shown()[0] != first[0]).await;
    assert_eq!(shown()[1], first[1], "of the same CA, so no app notices");
}
