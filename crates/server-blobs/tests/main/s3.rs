//! A real S3 server on this machine.

use meantime_server_blobs::kit::S3Server;
use meantime_server_blobs::{Blobs, S3};

pub async fn fresh() -> (Blobs, S3Server) {
    let server = S3Server::start().await;
    (Blobs::s3(&server.s3).unwrap(), server)
}

#[tokio::test]
async fn who_has_no_key_gets_nothing() {
    let server = S3Server::start().await;
    let s3 = server.s3.clone();
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
        bucket: "attachments".to_owned(),
        key_id: "a".to_owned(),
        key: "b".to_owned(),
        ca: Some(b"-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n".to_vec()),
    };
    assert!(Blobs::s3(&s3).is_err());
}
