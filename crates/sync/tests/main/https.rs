//! Over real TLS: whom it trusts, what it says, what it refuses to read.

use meantime_protocol::{Code, Invite, Scope};
use meantime_sync::{HttpRemote, Remote as _, RemoteError, Token};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, PublicKeyData as _};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use sha2::{Digest as _, Sha256};
use std::sync::Arc;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

struct Ca {
    pin: [u8; 32],
    der: CertificateDer<'static>,
    issuer: Issuer<'static, KeyPair>,
}

fn ca() -> Ca {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, "Meantime test CA");
    let der = params.self_signed(&key).unwrap().der().clone();
    let pin = Sha256::digest(key.subject_public_key_info()).into();
    Ca { pin, der, issuer: Issuer::new(params, key) }
}

/// A server under `signer` that sends `sent` as its CA and answers everything with `answer`.
async fn serve(signer: &Ca, sent: &Ca, name: &str, answer: Vec<u8>) -> String {
    let key = KeyPair::generate().unwrap();
    let leaf = CertificateParams::new([name.to_owned()]).unwrap().signed_by(&key, &signer.issuer).unwrap();
    let chain = vec![leaf.der().clone(), sent.der.clone()];
    let config = rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, PrivateKeyDer::try_from(key.serialize_der()).unwrap())
        .unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((tcp, _)) = listener.accept().await {
            let (acceptor, answer) = (acceptor.clone(), answer.clone());
            tokio::spawn(async move {
                let Ok(mut tls) = acceptor.accept(tcp).await else { return };
                let mut request = [0; 8192];
                let mut seen = 0;
                while !request[..seen].windows(4).any(|w| w == b"\r\n\r\n") {
                    match tls.read(&mut request[seen..]).await {
                        Ok(n) if n > 0 => seen += n,
                        _ => return,
                    }
                }
                let _ = tls.write_all(&answer).await;
                let _ = tls.shutdown().await;
            });
        }
    });
    format!("127.0.0.1:{port}")
}

fn answer(status: &str, headers: &str, body: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status}\r\n{headers}connection: close\r\ncontent-length: {}\r\n\r\n{body}", body.len())
        .into_bytes()
}

const ME: &str = r#"{"person":"00000000-0000-0000-0000-000000000001","team":"00000000-0000-0000-0000-000000000002","device":"00000000-0000-0000-0000-000000000003","scopes":{"team:00000000-0000-0000-0000-000000000002":"00000000000000aa:7"}}"#;

fn remote(host: &str, pin: [u8; 32]) -> HttpRemote {
    HttpRemote::new(host, Some(pin), &Token::new("secret-token".into())).unwrap()
}

async fn me_error(host: &str, pin: [u8; 32]) -> RemoteError {
    remote(host, pin).me().await.expect_err("it must not be taken")
}

#[tokio::test]
async fn the_pinned_authority_is_trusted_and_no_other() {
    let (ours, theirs) = (ca(), ca());
    let good = serve(&ours, &ours, "127.0.0.1", answer("200 OK", "", ME)).await;
    assert_eq!(remote(&good, ours.pin).me().await.unwrap().scopes.len(), 1);

    let said = |e: RemoteError, words: &str| match e {
        RemoteError::Certificate(text) => assert!(text.contains(words), "{text}"),
        other => panic!("{other:?}"),
    };
    said(me_error(&good, theirs.pin).await, "its key is not the one your invite names");
    // Another authority that sends ours along: our certificate is no secret.
    let stolen = serve(&theirs, &ours, "127.0.0.1", answer("200 OK", "", ME)).await;
    said(me_error(&stolen, ours.pin).await, "may not be your team's server");
    let named = serve(&ours, &ours, "other.example", answer("200 OK", "", ME)).await;
    said(me_error(&named, ours.pin).await, "for another name");
    // Without a pin the system's authorities count, which don't know ours.
    let unpinned = HttpRemote::new(&good, None, &Token::new("t".into())).unwrap();
    assert!(matches!(unpinned.me().await, Err(RemoteError::Certificate(_))));
}

#[tokio::test]
async fn answers_become_typed_errors() {
    let ca = ca();
    let problem = |code: &str| format!(r#"{{"code":"{code}","message":"plain words"}}"#);
    for (status, headers, body, want) in [
        ("401 Unauthorized", "", problem("unauthorized"), RemoteError::Unauthorized),
        ("410 Gone", "", problem("cursor_gone"), RemoteError::Gone),
        ("426 Upgrade Required", "", problem("version_unsupported"), RemoteError::Version("plain words".into())),
        (
            "503 Service Unavailable",
            "retry-after: 7\r\n",
            problem("busy"),
            RemoteError::Busy { retry_after: Some(std::time::Duration::from_secs(7)) },
        ),
        ("429 Too Many Requests", "", "<html>".into(), RemoteError::Busy { retry_after: None }),
    ] {
        let host = serve(&ca, &ca, "127.0.0.1", answer(status, headers, &body)).await;
        assert_eq!(me_error(&host, ca.pin).await, want, "{status}");
    }
    for (status, body) in [("404 Not Found", "<html>"), ("200 OK", "<html>"), ("200 OK", "{}"), ("302 Found", "")] {
        let host = serve(&ca, &ca, "127.0.0.1", answer(status, "location: https://127.0.0.1:1/\r\n", body)).await;
        assert!(matches!(me_error(&host, ca.pin).await, RemoteError::Protocol(_)), "{status} {body}");
    }
    let host = serve(&ca, &ca, "127.0.0.1", answer("404 Not Found", "", &problem("not_found"))).await;
    let team: Scope = "team:00000000-0000-0000-0000-000000000002".parse().unwrap();
    assert!(
        matches!(remote(&host, ca.pin).bootstrap(team, None).await, Err(RemoteError::Refused(p)) if p.code == Code::NotFound)
    );
}

#[tokio::test]
async fn an_answer_without_end_is_not_read_to_it() {
    let ca = ca();
    let mut endless = b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n\"".to_vec();
    endless.resize((64 << 20) + 1000, b'x');
    let host = serve(&ca, &ca, "127.0.0.1", endless).await;
    assert!(matches!(me_error(&host, ca.pin).await, RemoteError::Protocol(text) if text.contains("64 MiB")));
}

#[tokio::test]
async fn nobody_there_is_said_with_the_address_and_without_the_token() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let host = format!("127.0.0.1:{}", listener.local_addr().unwrap().port());
    drop(listener);
    let remote = remote(&host, [0; 32]);
    match remote.me().await {
        Err(RemoteError::Offline(text)) => assert_eq!(text, format!("{host} can't be reached: nothing answers there")),
        other => panic!("{other:?}"),
    }
    assert!(!format!("{remote:?}").contains("secret-token"));
}

#[tokio::test]
async fn joining_and_listening() {
    use futures::StreamExt as _;
    let ca = ca();
    let joined = r#"{"person":"00000000-0000-0000-0000-000000000001","team":"00000000-0000-0000-0000-000000000002","team_name":"Blue","device":"00000000-0000-0000-0000-000000000003","token":"t"}"#;
    let host = serve(&ca, &ca, "127.0.0.1", answer("200 OK", "", joined)).await;
    let invite = Invite { host, ca: Some(ca.pin), secret: "AAAAAAAAAAAAAAAAAAAAAA".into(), team: "Blue".into() };
    assert_eq!(HttpRemote::join(&invite, "Ana", "laptop").await.unwrap().team_name, "Blue");

    let stream = "event: poke\ndata: {\"scopes\":{\"team:00000000-0000-0000-0000-000000000002\":9}}\n\n: alive\n\n";
    let host = serve(&ca, &ca, "127.0.0.1", answer("200 OK", "content-type: text/event-stream\r\n", stream)).await;
    let pokes: Vec<_> = remote(&host, ca.pin).live().await.unwrap().collect().await;
    assert_eq!(pokes.len(), 1);
    assert_eq!(pokes[0].as_ref().unwrap().scopes.values().copied().collect::<Vec<_>>(), [9]);
}

#[tokio::test]
async fn a_row_that_can_not_be_read_keeps_none_behind_it_from_being_read() {
    let ca = ca();
    let team: Scope = "team:00000000-0000-0000-0000-000000000002".parse().unwrap();
    let row = |seq: u64, more: &str| {
        format!(
            r#"{{"scope":"{team}","kind":"message","id":"00000000-0000-0000-0000-00000000000{seq}","seq":{seq},
            "author":"00000000-0000-0000-0000-000000000001","updated_at":"2026-06-09T09:00:00Z","fields":{{}}{more}}}"#
        )
    };
    let good = r#","created_at":"2026-06-09T09:00:00Z""#;
    let rows = [row(7, good), r#"{"kind":5,"seq":8}"#.to_owned(), row(9, good)].join(",");
    let date = "date: Tue, 09 Jun 2026 10:00:00 GMT\r\n";
    let page = format!(r#"{{"rows":[{rows}],"next":"00000000000000aa:9","more":false,"upto":9}}"#);
    let host = serve(&ca, &ca, "127.0.0.1", answer("200 OK", date, &page)).await;
    let read = remote(&host, ca.pin).pull(team, "00000000000000aa:6".parse().unwrap()).await.unwrap();
    assert_eq!(read.rows.iter().map(|row| row.seq).collect::<Vec<_>>(), [7, 8, 8, 9]);
    assert_eq!((read.next.seq, read.rows[1].created_at.to_rfc3339()), (9, "2026-06-09T10:00:00+00:00".to_owned()));
    let page = format!(r#"{{"rows":[{rows}],"next_page":null,"start":"00000000000000aa:9"}}"#);
    let host = serve(&ca, &ca, "127.0.0.1", answer("200 OK", date, &page)).await;
    assert_eq!(remote(&host, ca.pin).bootstrap(team, None).await.unwrap().rows.len(), 4);
}
