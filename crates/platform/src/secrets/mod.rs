//! Passwords and tokens. The system's keyring keeps one key; the secrets
//! themselves lie in a file encrypted with it, because keyrings hold little
//! (2,560 bytes on Windows) and some hold text only (KWallet).
//!
//! Without a keyring the person chooses between this session only and a
//! passphrase. Nothing is ever written in plain text.

mod keyring;
mod safe;
#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests;
mod vault;

pub use safe::{Choice, Kept, Safe};

use async_trait::async_trait;

/// Why a secret could not be read or written. Never means "there is none".
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SecretsError {
    /// No keyring can be reached, or it stays locked: why, in plain words.
    #[error("{0}")]
    Unavailable(String),
    /// The passphrase does not open the file.
    #[error("this passphrase does not open the file with your secrets")]
    WrongPassphrase,
}

/// Keeps secrets by name. Calls may run side by side; each ends within a time
/// limit of its own (a keyring may ask the person to unlock it).
#[async_trait]
pub trait Secrets: Send + Sync + 'static {
    /// The secret, or `None` if there is none by this name.
    async fn get(&self, name: &str) -> Result<Option<String>, SecretsError>;
    /// Writes a secret, replacing the old one.
    async fn set(&self, name: &str, secret: &str) -> Result<(), SecretsError>;
    /// Removes a secret; one that is not there is fine.
    async fn delete(&self, name: &str) -> Result<(), SecretsError>;
}
