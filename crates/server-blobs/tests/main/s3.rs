//! A real S3 server on this machine.

use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use meantime_server_blobs::{Blobs, S3};
use s3s::auth::SimpleAuth;
use s3s::service::S3ServiceBuilder;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

const BUCKET: &str = "attachments";

/// Ends with it.
pub struct Server {
    _connections: JoinSet<()>,
    _files: TempDir,
}

pub async fn fresh() -> (Blobs, Server) {
    let (s3, server) = start().await;
    (Blobs::s3(&s3).unwrap(), server)
}

async fn start() -> (S3, Server) {
    let files = tempfile::tempdir().unwrap();
    std::fs::create_dir(files.path().join(BUCKET)).unwrap();
    let mut service = S3ServiceBuilder::new(s3s_fs::FileSystem::new(files.path()).unwrap());
    service.set_auth(SimpleAuth::from_single("meantime", "a secret of its own"));
    let service = service.build();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let mut connections = JoinSet::new();
    connections.spawn(async move {
        let mut served = JoinSet::new();
        while let Ok((socket, _)) = listener.accept().await {
            let service = service.clone();
            served.spawn(async move {
                let _ = Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(socket), service).await;
            });
        }
    });
    let s3 = S3 {
        endpoint,
        region: "us-east-1".to_owned(),
        bucket: BUCKET.to_owned(),
        key_id: "meantime".to_owned(),
        key: "a secret of its own".to_owned(),
        ca: None,
    };
    (s3, Server { _connections: connections, _files: files })
}

#[tokio::test]
async fn who_has_no_key_gets_nothing() {
    let (s3, _server) = start().await;
    let wrong = [
        S3 { key: "another secret".to_owned(), ..s3.clone() },
        S3 { key_id: "somebody".to_owned(), ..s3.clone() },
        S3 { bucket: "elsewhere".to_owned(), ..s3.clone() },
    ];
    for wrong in wrong {
        let refused = Blobs::s3(&wrong).unwrap().answers().await;
        let error = refused.unwrap_err().to_string();
        assert!(!error.contains("another secret"), "{error}");
    }
    assert!(!format!("{s3:?}").contains("a secret"), "{s3:?}");
    assert!(!format!("{:?}", Blobs::s3(&s3).unwrap()).contains("a secret"));
}

#[test]
fn a_ca_that_is_none_is_said() {
    let s3 = S3 {
        endpoint: "https://s3.example.org".to_owned(),
        region: String::new(),
        bucket: BUCKET.to_owned(),
        key_id: "a".to_owned(),
        key: "b".to_owned(),
        ca: Some(b"-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n".to_vec()),
    };
    assert!(Blobs::s3(&s3).is_err());
}
