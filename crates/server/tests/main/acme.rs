//! A certificate from a real ACME service: pebble, which Debian has. Where it
//! is not installed this test has nothing to say, and says so.

use crate::certificates::Ca;
use crate::tls::chain;
use crate::world::{World, eventually};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use serde_json::json;
use std::fs;
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};

/// The service; killed when dropped.
struct Pebble(Child);

impl Drop for Pebble {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_is_asked_and_shown_who_asks() {
    if Command::new("pebble").arg("-version").output().is_err() {
        eprintln!("pebble is not installed: ACME was not tried");
        return;
    }
    let _ = rustls::crypto::ring::default_provider().install_default();
    let (ca, dir) = (Ca::new(), tempfile::tempdir().unwrap());
    let (certificate, key) = ca.signs(None);
    let file = |name: &str, text: &str| {
        fs::write(dir.path().join(name), text).unwrap();
        dir.path().join(name).to_str().unwrap().to_owned()
    };
    let (certificate, key) = (file("pebble.pem", &certificate), file("pebble.key", &key));
    let root = file("root.pem", &ca.certificate.pem());
    let (service, management, ours) = (free_port(), free_port(), free_port());
    let config = json!({"pebble": {
        "listenAddress": format!("127.0.0.1:{service}"),
        "managementListenAddress": format!("127.0.0.1:{management}"),
        "certificate": certificate, "privateKey": key, "httpPort": 1, "tlsPort": ours,
        "ocspResponderURL": "", "externalAccountBindingRequired": false,
    }});
    let config = file("pebble.json", &config.to_string());
    let mut pebble = Command::new("pebble");
    pebble.args(["-config", &config]).env("PEBBLE_VA_NOSLEEP", "1").env("PEBBLE_WFE_NONCEREJECT", "20");
    let _pebble = Pebble(pebble.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());

    // The service tells its root only where it is managed.
    let trust = reqwest::Certificate::from_pem(ca.certificate.pem().as_bytes()).unwrap();
    let http = reqwest::Client::builder().tls_certs_only([trust]).no_proxy().build().unwrap();
    let url = format!("https://127.0.0.1:{management}/roots/0");
    eventually("the service", async || http.get(&url).send().await.is_ok()).await;
    let directory = format!("acme_directory = \"https://127.0.0.1:{service}/dir\"");
    let world = World::tuned(&[
        ("hosts = []", "hosts = [\"localhost\"]"),
        ("listen = \"0.0.0.0:0\"", &format!("listen = \"127.0.0.1:{ours}\"")),
        ("kind = \"own-ca\"", "kind = \"acme\""),
        ("acme_directory = \"https://acme-v02.api.letsencrypt.org/directory\"", &directory),
        ("acme_ca = \"\"", &format!("acme_ca = \"{root}\"")),
        ("listen = \"\"", "listen = \"127.0.0.1:0\""),
    ])
    .await;
    let root = http.get(&url).send().await.unwrap().bytes().await.unwrap();
    let root = CertificateDer::from_pem_slice(&root).unwrap();
    let address = world.running.address();
    eventually("a certificate", async || chain(address, "localhost", &root).is_ok()).await;
    assert!(world.number("meantime_certificate_until_seconds").await > 0.0);
    assert_eq!(world.monitored("readyz").await.0.as_u16(), 200);
    // After a restart the one that was got is used; the service isn't asked again.
    let first = chain(address, "localhost", &root).unwrap();
    let world = world.restarted().await;
    assert_eq!(chain(world.running.address(), "localhost", &root).unwrap(), first);
}
