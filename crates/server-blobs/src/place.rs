//! Opens the store that the settings name.

use crate::{BlobError, Blobs};
use object_store::aws::AmazonS3Builder;
use object_store::local::LocalFileSystem;
use object_store::memory::InMemory;
use object_store::{Certificate, ClientOptions, ObjectStore, RetryConfig};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// An answer of the store that takes longer than that is none.
const SLOW: Duration = Duration::from_secs(60);
/// Failed requests to the store are repeated for so long: less than a client
/// waits.
const REPEAT: Duration = Duration::from_secs(20);

/// An S3-compatible store. `Debug` leaves the key out.
#[derive(Clone)]
pub struct S3 {
    /// `https://HOST[:PORT]`; plain HTTP only if the caller allows it.
    pub endpoint: String,
    /// The region, where the store has some.
    pub region: String,
    /// The bucket; it has to be there.
    pub bucket: String,
    /// Whose access.
    pub key_id: String,
    /// The secret to it.
    pub key: String,
    /// PEM of the store's CA, when the system has no trust in it.
    pub ca: Option<Vec<u8>>,
}

impl std::fmt::Debug for S3 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { endpoint, bucket, .. } = self;
        f.debug_struct("S3").field("endpoint", endpoint).field("bucket", bucket).finish_non_exhaustive()
    }
}

impl Blobs {
    /// In a folder that is there. What is written is on the disk when a call
    /// returns.
    ///
    /// # Errors
    /// When there is no such folder.
    pub fn folder(folder: &Path) -> Result<Self, BlobError> {
        // Without its cleanup of empty folders an upload would leave its own for ever.
        let store = LocalFileSystem::new_with_prefix(folder)?.with_fsync(true).with_automatic_cleanup(true);
        Ok(Self::over(Arc::new(store), Some(folder.to_owned())))
    }

    /// In an S3-compatible store. Nothing is asked of it yet: see [`Blobs::answers`].
    ///
    /// # Errors
    /// When something of it can't be.
    pub fn s3(s3: &S3) -> Result<Self, BlobError> {
        // An error means that one is installed already, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let plain = s3.endpoint.starts_with("http://");
        let mut client = ClientOptions::new().with_timeout(SLOW).with_allow_http(plain);
        if let Some(pem) = &s3.ca {
            for certificate in Certificate::from_pem_bundle(pem)? {
                client = client.with_root_certificate(certificate);
            }
        }
        let store = AmazonS3Builder::new()
            .with_endpoint(s3.endpoint.trim_end_matches('/'))
            .with_region(&s3.region)
            .with_bucket_name(&s3.bucket)
            .with_access_key_id(&s3.key_id)
            .with_secret_access_key(&s3.key)
            .with_retry(RetryConfig { max_retries: 4, retry_timeout: REPEAT, ..RetryConfig::default() })
            .with_client_options(client)
            .build()?;
        Ok(Self::over(Arc::new(store), None))
    }

    /// In memory, gone with the process; for tests.
    #[must_use]
    pub fn memory() -> Self {
        Self::of(Arc::new(InMemory::new()))
    }

    /// In any store of `object_store`.
    #[must_use]
    pub fn of(store: Arc<dyn ObjectStore>) -> Self {
        Self::over(store, None)
    }
}
