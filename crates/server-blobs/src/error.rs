//! How keeping bytes fails.

use std::error::Error;
use std::io;

/// The store failed. Says nothing about what a person did.
#[derive(Debug, thiserror::Error)]
pub enum BlobError {
    /// There is no room left.
    #[error("the store of attachments is full: {0}")]
    Full(String),
    /// It does not work.
    #[error("the store of attachments failed: {0}")]
    Failed(String),
}

impl From<object_store::Error> for BlobError {
    fn from(error: object_store::Error) -> Self {
        let text = error.to_string();
        let mut cause: Option<&(dyn Error + 'static)> = Some(&error);
        while let Some(e) = cause {
            let full = |e: &io::Error| matches!(e.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded);
            if e.downcast_ref::<io::Error>().is_some_and(full) {
                return Self::Full(text);
            }
            cause = e.source();
        }
        Self::Failed(text)
    }
}
