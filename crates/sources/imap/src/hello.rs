//! Before anybody is signed in: the server's greeting, and what it can do.
//! Signing in and everything after it is `session`'s.

use crate::config::MailServer;
use crate::guard::Guarded;
use crate::session::plain_words;
use crate::wire;
use async_imap::error::Error as ImapError;
use meantime_source::{SourceError, SourceResult};
use std::time::Duration;
use tokio::io::AsyncWriteExt;

/// A mail server speaks first (RFC 3501, 3.1), others wait to be asked: a web
/// server at a wrong port says nothing for ever.
pub(crate) const GREETING: Duration = Duration::from_secs(20);
/// Untagged lines one command may bring.
const MAX_LINES: usize = 100;

/// Reads the server's first line.
pub(crate) async fn greeting(server: &MailServer, wire: &mut Guarded) -> SourceResult<()> {
    let line = wire::line(wire).await.map_err(|error| match error.kind() {
        std::io::ErrorKind::TimedOut => SourceError::Transient(format!(
            "{}, port {}, does not greet as a mail server (IMAP) does. It is busy, or the port is another's.",
            server.host, server.port
        )),
        _ => plain_words(&server.host, &ImapError::Io(error)),
    })?;
    if line.to_ascii_uppercase().starts_with("* OK") {
        Ok(())
    } else if line.to_ascii_uppercase().starts_with("* BYE") {
        Err(SourceError::Transient(format!("{} takes no connections right now.", server.host)))
    } else {
        Err(SourceError::Permanent(format!(
            "What answers at {}, port {}, is not a mail server (IMAP). Check the port and the encryption.",
            server.host, server.port
        )))
    }
}

/// Runs a command before anybody is signed in, byte by byte, so that nothing
/// sent before a TLS handshake can slip in behind it. The untagged lines;
/// `None` where the server does not say `OK`.
pub(crate) async fn ask(server: &MailServer, wire: &mut Guarded, command: &str) -> SourceResult<Option<String>> {
    let words = |error: std::io::Error| plain_words(&server.host, &ImapError::Io(error));
    wire.write_all(format!("M0 {command}\r\n").as_bytes()).await.map_err(words)?;
    wire.flush().await.map_err(words)?;
    let mut untagged = String::new();
    for _ in 0..MAX_LINES {
        let line = wire::line(wire).await.map_err(words)?;
        match line.strip_prefix("M0 ") {
            Some(status) => return Ok(status.to_ascii_uppercase().starts_with("OK").then_some(untagged)),
            None => {
                untagged.push_str(&line);
                untagged.push(' ');
            }
        }
    }
    Err(words(std::io::ErrorKind::InvalidData.into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Security;
    use crate::guard::Limits;

    #[tokio::test(start_paused = true)]
    async fn who_does_not_greet_is_no_mail_server() {
        let server = MailServer { host: "x.example".into(), port: 80, security: Security::Tls, certificate: None };
        let greeted = async |said: &[u8]| {
            let (ours, mut theirs) = tokio::io::duplex(1024);
            theirs.write_all(said).await.unwrap();
            let mut wire = Guarded::new(Box::new(ours), Limits::new(GREETING, 1 << 20));
            greeting(&server, &mut wire).await
        };
        greeted(b"* OK ready\r\n").await.unwrap();
        assert!(matches!(greeted(b"* BYE full\r\n").await, Err(SourceError::Transient(_))));
        assert!(matches!(greeted(b"220 ready\r\n").await, Err(SourceError::Permanent(_))));
        let silent = greeted(b"").await.unwrap_err();
        assert!(matches!(silent, SourceError::Transient(_)));
        assert!(silent.to_string().starts_with("x.example, port 80, does not greet as a mail server"), "{silent}");
    }
}
