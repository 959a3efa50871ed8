//! A real S3 server for tests: s3s-fs, in the test's own process, over TCP,
//! checking signatures.
//!
//! Only built with the feature `kit`; nothing of it is in the server. It may
//! panic: that is how a test fails.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use crate::S3;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use s3s::auth::SimpleAuth;
use s3s::service::S3ServiceBuilder;
use std::path::PathBuf;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

const BUCKET: &str = "attachments";

/// A server with an empty bucket; ends when it is dropped.
pub struct S3Server {
    /// How to reach it.
    pub s3: S3,
    _connections: JoinSet<()>,
    files: TempDir,
}

impl S3Server {
    /// Starts one on a free port.
    pub async fn start() -> Self {
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
        Self { s3, _connections: connections, files }
    }

    /// Where it keeps the objects of the bucket, by their keys.
    pub fn bucket(&self) -> PathBuf {
        self.files.path().join(BUCKET)
    }
}
