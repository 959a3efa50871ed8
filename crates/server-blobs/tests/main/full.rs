//! A disk that is full is told from one that fails.

use crate::cases::{bytes, upload};
use async_trait::async_trait;
use futures::stream::BoxStream;
use meantime_model::TeamId;
use meantime_server_blobs::{Begun, BlobError, Blobs};
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result, memory::InMemory,
};
use std::io;
use std::sync::Arc;

/// Writes fail in one way.
#[derive(Debug)]
struct Failing(InMemory, io::ErrorKind);

impl std::fmt::Display for Failing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Failing")
    }
}

#[async_trait]
impl ObjectStore for Failing {
    async fn put_opts(&self, _: &Path, _: PutPayload, _: PutOptions) -> Result<PutResult> {
        Err(Error::Generic { store: "test", source: Box::new(io::Error::from(self.1)) })
    }

    async fn put_multipart_opts(&self, to: &Path, how: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        self.0.put_multipart_opts(to, how).await
    }

    async fn get_opts(&self, from: &Path, how: GetOptions) -> Result<GetResult> {
        self.0.get_opts(from, how).await
    }

    fn delete_stream(&self, paths: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        self.0.delete_stream(paths)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.0.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.0.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, how: CopyOptions) -> Result<()> {
        self.0.copy_opts(from, to, how).await
    }
}

#[tokio::test]
async fn full_is_said_as_full() {
    for (kind, full) in [(io::ErrorKind::StorageFull, true), (io::ErrorKind::PermissionDenied, false)] {
        let blobs = Blobs::of(Arc::new(Failing(InMemory::new(), kind)));
        let all = bytes(10);
        let upload = upload(TeamId::new(), &all);
        let mut begun = Begun::default();
        let appended = blobs.append(&upload, &mut begun, all.slice(..5)).await.unwrap_err();
        assert_eq!(matches!(appended, BlobError::Full(_)), full, "{appended}");
        assert_eq!(begun.offset, 0);
        let finished = blobs.finish(&upload, Begun::default(), all).await.unwrap_err();
        assert_eq!(matches!(finished, BlobError::Full(_)), full, "{finished}");
    }
}
