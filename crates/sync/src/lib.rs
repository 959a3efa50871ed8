//! The app's side of sync: push what waits, pull what moved, begin anew where
//! the server says so, and hear of news as it happens.
//!
//! It works over two traits: [`Remote`], the server, and [`Log`], what this
//! device keeps. It decides no conflict (the server orders) and stores nothing
//! itself; [`HttpRemote`] is the real server over HTTPS.

mod error;
mod http;
mod live;
mod log;
mod remote;
mod syncer;
mod tls;

pub use error::{RemoteError, RemoteResult};
pub use http::{Credentials, HttpRemote, join};
pub use live::Pokes;
pub use log::{Feed, Log};
pub use remote::Remote;
pub use syncer::{State, Syncer};
pub use tls::Pin;
