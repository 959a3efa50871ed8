//! Tokens and invite secrets: given out once, kept as their SHA-256.
//!
//! They are random and long, so a plain hash is enough; passwords would not be.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};
use std::fmt;

/// Something only its holder knows. Not kept, not printed.
pub struct Secret(String);

/// The operating system gave no random numbers.
#[derive(Debug, thiserror::Error)]
#[error("the system's random numbers are not available: {0}")]
pub struct NoRandom(String);

impl Secret {
    /// A device's token: 256 bits.
    ///
    /// # Errors
    /// When the system has no random numbers.
    pub fn token() -> Result<Self, NoRandom> {
        Self::random::<32>()
    }

    /// An invite's secret: 128 bits.
    ///
    /// # Errors
    /// When the system has no random numbers.
    pub fn invite() -> Result<Self, NoRandom> {
        Self::random::<16>()
    }

    /// What to keep of it.
    #[must_use]
    pub fn hash(&self) -> SecretHash {
        SecretHash::of(&self.0)
    }

    /// The secret itself, to be handed to its holder.
    #[must_use]
    pub fn reveal(self) -> String {
        self.0
    }

    fn random<const BYTES: usize>() -> Result<Self, NoRandom> {
        let mut bytes = [0; BYTES];
        getrandom::fill(&mut bytes).map_err(|e| NoRandom(e.to_string()))?;
        Ok(Self(URL_SAFE_NO_PAD.encode(bytes)))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

/// SHA-256 of a secret's text. Looked up by equality: a difference in time
/// tells something about the hash, nothing about the secret.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SecretHash(pub [u8; 32]);

impl SecretHash {
    /// The hash of a secret somebody presents.
    #[must_use]
    pub fn of(text: &str) -> Self {
        Self(Sha256::digest(text.as_bytes()).into())
    }
}

impl fmt::Debug for SecretHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretHash")
    }
}
