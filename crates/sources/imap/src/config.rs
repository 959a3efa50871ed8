//! What a person enters to connect a mailbox. Stored as JSON; the password is
//! not in it.

use serde::{Deserialize, Serialize};
use std::fmt;

/// A mailbox and how to reach it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MailboxConfig {
    /// The person's mail address: what they write from.
    pub address: String,
    /// Their name, as recipients see it; may be empty.
    #[serde(default)]
    pub name: String,
    /// The login name, the same at both servers; often the address.
    pub user: String,
    /// Where mail is read.
    pub imap: MailServer,
    /// Where mail is sent; without it the mailbox can't answer.
    #[serde(default)]
    pub smtp: Option<MailServer>,
}

/// One server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MailServer {
    /// Name or address.
    pub host: String,
    /// Port; 993, 143, 465 and 587 are the usual ones.
    pub port: u16,
    /// How the connection is protected.
    pub security: Security,
    /// Trust this very certificate (SHA-256 of its DER form) and no other;
    /// without it, those this computer trusts.
    #[serde(default)]
    pub certificate: Option<Fingerprint>,
}

/// How a connection is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Security {
    /// TLS from the first byte.
    Tls,
    /// Plain first, then TLS, or not at all.
    Starttls,
    /// Not protected; only to this very computer (loopback).
    Plain,
}

/// SHA-256 of a certificate; 64 hexadecimal digits, colons allowed.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Fingerprint(pub [u8; 32]);

impl Fingerprint {
    /// The first four bytes, enough to tell two apart: `ab:cd:01:23…`.
    #[must_use]
    pub fn short(&self) -> String {
        let start: Vec<String> = self.0.iter().take(4).map(|byte| format!("{byte:02x}")).collect();
        format!("{}…", start.join(":"))
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl From<Fingerprint> for String {
    fn from(fingerprint: Fingerprint) -> Self {
        fingerprint.to_string()
    }
}

impl TryFrom<String> for Fingerprint {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        const SHAPE: &str = "A certificate's fingerprint is its SHA-256: 64 hexadecimal digits.";
        let digits: Vec<u32> = text
            .chars()
            .filter(|c| *c != ':' && !c.is_whitespace())
            .map(|c| c.to_digit(16).ok_or(SHAPE))
            .collect::<Result<_, _>>()?;
        let bytes: Vec<u8> =
            digits.chunks(2).map(|pair| pair.iter().fold(0u32, |byte, digit| byte * 16 + digit) as u8).collect();
        if digits.len() != 64 {
            return Err(SHAPE.to_owned());
        }
        Ok(Self(bytes.try_into().map_err(|_| SHAPE.to_owned())?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fingerprints_are_read_as_people_write_them() {
        let plain = "ab".repeat(32);
        let spaced: String = vec!["AB"; 32].join(":");
        let one: Fingerprint = plain.clone().try_into().unwrap();
        assert_eq!(one, Fingerprint::try_from(spaced).unwrap());
        assert_eq!(one.to_string(), plain);
        assert_eq!(one.short(), "ab:ab:ab:ab…");
        assert!(Fingerprint::try_from("abc".to_owned()).is_err());
        assert!(Fingerprint::try_from("ä".repeat(64)).is_err());
    }

    #[test]
    fn the_stored_form_has_defaults() {
        let json = r#"{"address":"a@b","user":"a","imap":{"host":"h","port":993,"security":"tls"}}"#;
        let config: MailboxConfig = serde_json::from_str(json).unwrap();
        assert_eq!(config.imap.security, Security::Tls);
        assert!(config.smtp.is_none() && config.imap.certificate.is_none());
    }
}
