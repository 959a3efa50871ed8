//! The app's side of sync: push, pull, bootstrap and live, over two traits.
//!
//! [`Log`] is this device's side (the engine implements it over the store),
//! [`Remote`] the server's ([`HttpRemote`] over HTTPS). [`Syncer`] runs
//! between them: it pushes what waits, pulls what a poke or a slow poll says
//! moved, begins a feed anew when the server asks for it, and comes back after
//! an outage, spread out; once a day it replaces this device's token. The files
//! of messages go up beside all that, before the messages that name them. What a
//! record means, who may write what, and how pending changes look on top is
//! nobody's business here; nothing is kept between two runs, and no clock is
//! read but the one passed in.

mod backoff;
mod error;
mod http;
mod log;
mod people;
mod pin;
mod remote;
mod sse;
mod state;
mod syncer;
mod token;

pub use error::RemoteError;
pub use http::{HttpRemote, TransferError};
pub use log::{Feed, Log, LogError, Outgoing, OutgoingFile};
pub use remote::{Pokes, Remote};
pub use state::{Handle, State, Tuning};
pub use syncer::Syncer;
pub use token::{EARLIER, Token, TokenPlace};
