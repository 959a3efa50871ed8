//! What goes over the wire between app and server: records, push, pull,
//! invites and errors of protocol version 1.
//!
//! Shapes only. Who may write what is decided in `server-core`; how a client
//! keeps up is in `sync`. docs/PROTOCOL.md describes the same for somebody
//! who writes another client.

pub mod attachment;
pub mod cursor;
pub mod error;
pub mod http;
pub mod invite;
pub mod kinds;
pub mod people;
pub mod record;
pub mod scope;

pub use attachment::{Attachment, Sha256};
pub use cursor::{Cursor, Epoch};
pub use error::{Code, Problem};
pub use invite::Invite;
pub use record::{Fields, Kind, Record};
pub use scope::Scope;

/// The protocol version this crate speaks, sent as `Meantime-Protocol`.
pub const VERSION: u32 = 1;
/// Name of the request header that carries the client's protocol version.
pub const VERSION_HEADER: &str = "meantime-protocol";
/// The most ops one push may carry; more is `too_large`.
pub const MAX_OPS: usize = 500;
/// The most bytes one op's fields may take as JSON; more is `too_large`.
pub const MAX_FIELDS_BYTES: usize = 256 * 1024;
/// The most values one op's fields may hold, at all levels together: texts,
/// numbers, lists, objects, `null`; more is `too_large`.
pub const MAX_VALUES: usize = 4096;
/// The most bytes the body of a push may take; more is `too_large`. A push of
/// large ops has to be divided; one op always fits.
pub const MAX_BODY_BYTES: usize = 8 * 1024 * 1024;
/// The most bytes the body of any other request may take, files apart.
pub const MAX_SMALL_BODY_BYTES: usize = 16 * 1024;
/// The most rows one pull or bootstrap page may carry.
pub const MAX_PAGE: usize = 1000;
