//! Where the server keeps the bytes of attachments: in a folder or in any
//! S3-compatible store, through the `object_store` crate.
//!
//! Unfinished uploads are kept in the same place as whole ones, piece by
//! piece, so that any server process goes on with what another began. Knows
//! no people and no rules: who may read what, and which attachments there
//! are, is decided by whoever calls ([`meantime-server-core`] keeps the list).
//! Never looks into the bytes but to hash them, and reads no clock. How
//! folders get onto the disk ([`disk`]) is here for the server's others too.
//!
//! [`meantime-server-core`]: ../meantime_server_core/index.html

mod blobs;
mod copy;
pub mod disk;
mod error;
mod key;
#[cfg(feature = "kit")]
pub mod kit;
mod place;
mod upload;

pub use blobs::{Blobs, Bytestream, Stored};
pub use copy::Copied;
pub use error::BlobError;
pub use key::{Blob, Upload};
pub use place::S3;
pub use upload::{Begun, Finished, PIECE};
