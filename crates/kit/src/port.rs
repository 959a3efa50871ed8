//! Ports of 127.0.0.1.

use crate::process::becomes;
use std::io::{self, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

/// A port nobody listens on right now. Another may take it before it is used.
///
/// # Errors
/// The system has none.
pub fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}

/// Somebody takes connections at a port.
#[must_use]
pub fn listens(port: u16) -> bool {
    TcpStream::connect(("127.0.0.1", port)).is_ok()
}

/// Waits until somebody greets at a port, as servers for mail do; false where
/// `gone` says that nobody will, or nobody does in time.
pub fn greets(port: u16, gone: impl FnMut() -> bool) -> bool {
    let greeted = || {
        let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)) else { return false };
        let _ = stream.set_read_timeout(Some(Duration::from_secs(2)));
        if !stream.read(&mut [0; 16]).is_ok_and(|read| read > 0) {
            return false;
        }
        // Said politely, so that the server's log stays clean.
        let _ = stream.write_all(b"x LOGOUT\r\n");
        true
    };
    becomes(greeted, gone)
}
