//! Where NATS is, and how its certificate is checked.

use async_nats::{ConnectOptions, ServerAddr};
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// How long a connection may take to be made.
const CONNECTING: Duration = Duration::from_secs(5);
/// After this much silence NATS is asked whether it is there; twice without
/// an answer means that it isn't.
const PING: Duration = Duration::from_secs(5);
/// Pokes of others that wait to be taken; further ones are lost.
const WAITING: usize = 16_384;

/// How to reach NATS.
#[derive(Clone, PartialEq, Eq)]
pub struct Settings {
    /// `nats://USER:PASSWORD@HOST:PORT`, `nats://TOKEN@HOST:PORT`, or
    /// `tls://…`; several with commas, the first of which says who connects.
    pub url: String,
    /// What the subject begins with, for several installations on one NATS.
    pub prefix: String,
    /// Certificates (PEM) that NATS's must lead to; when absent, the system's.
    pub ca_file: Option<PathBuf>,
    /// How often counters are looked at while NATS can't be reached.
    pub poll: Duration,
}

/// The settings make no sense.
#[derive(Debug, thiserror::Error)]
#[error("NATS: {0}")]
pub struct NatsError(pub(crate) String);

impl Settings {
    /// A NATS, with everything else as usual: the prefix `meantime`, looking
    /// every second while it is gone.
    #[must_use]
    pub fn new(url: &str) -> Self {
        Self { url: url.to_owned(), prefix: "meantime".to_owned(), ca_file: None, poll: Duration::from_secs(1) }
    }

    pub(crate) fn servers(&self) -> Result<Vec<ServerAddr>, NatsError> {
        // What is wrong is not repeated: the text has a password.
        let wrong = |_| NatsError("the address is not of the form nats://USER:PASSWORD@HOST:PORT".to_owned());
        self.url.split(',').map(|one| one.trim().parse().map_err(wrong)).collect()
    }

    pub(crate) fn options(&self) -> Result<ConnectOptions, NatsError> {
        let options = ConnectOptions::new()
            .name("meantime-server")
            .no_echo()
            .retry_on_initial_connect()
            .max_reconnects(None)
            .reconnect_delay_callback(|tries| Duration::from_millis(100 << tries.min(5)))
            .connection_timeout(CONNECTING)
            .ping_interval(PING)
            .subscription_capacity(WAITING);
        let first = self.servers()?.into_iter().next();
        let user = first.as_ref().and_then(|server| server.username()).map(plain).transpose()?;
        let password = first.as_ref().and_then(|server| server.password()).map(plain).transpose()?;
        let options = match (user, password) {
            (Some(user), Some(password)) => options.user_and_password(user, password),
            (Some(token), None) => options.token(token),
            (None, _) => options,
        };
        Ok(match &self.ca_file {
            Some(path) if !path.exists() => return Err(NatsError(format!("there is no file {}", path.display()))),
            Some(path) => options.add_root_certificates(path.clone()).require_tls(true),
            None => options,
        })
    }

    pub(crate) fn subject(&self) -> Result<String, NatsError> {
        let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        let parts = self.prefix.split('.').all(|part| !part.is_empty());
        if parts && self.prefix.len() <= 100 && self.prefix.chars().all(fits) {
            return Ok(format!("{}.moved", self.prefix));
        }
        Err(NatsError(format!("`{}` is no prefix: letters, digits, - and _, with dots between", self.prefix)))
    }
}

/// A part of an address without its `%XX`.
fn plain(part: &str) -> Result<String, NatsError> {
    let wrong = || NatsError("the address has a % that is none; write %25".to_owned());
    let mut bytes = Vec::with_capacity(part.len());
    let mut rest = part.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let mut digit = || (rest.next().map(char::from).and_then(|c| c.to_digit(16))).ok_or_else(wrong);
            let (high, low) = (digit()?, digit()?);
            bytes.push(u8::try_from(high * 16 + low).map_err(|_| wrong())?);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).map_err(|_| wrong())
}

/// Without the address, which holds a password.
impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings").field("prefix", &self.prefix).field("poll", &self.poll).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn what_is_wrong_is_said_without_the_password() {
        let refused = Settings::new("nats://ana:hunter2@").servers().unwrap_err().to_string();
        assert!(refused.contains("NATS") && !refused.contains("hunter2"), "{refused}");
        let settings = Settings::new("nats://ana:hunter2@a.example.org, tls://b.example.org:4443");
        assert!(!format!("{settings:?}").contains("hunter2"));
        assert_eq!(settings.servers().unwrap().len(), 2);
    }

    #[test]
    fn a_password_may_have_any_letters() {
        assert_eq!(plain("p%40ss%3A%2f%C3%9F").unwrap(), "p@ss:/ß");
        for wrong in ["%", "%4", "%zz", "%ff", "a%"] {
            assert!(plain(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_prefix_is_part_of_one_subject() {
        assert_eq!(Settings::new("x").subject().unwrap(), "meantime.moved");
        for prefix in ["", "a b", "a.*", ">", "a..b", ".a"] {
            assert!(Settings { prefix: prefix.to_owned(), ..Settings::new("x") }.subject().is_err(), "{prefix}");
        }
    }
}
