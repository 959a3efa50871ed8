//! Sealing what a database must not show and a plain hash would not keep:
//! XChaCha20-Poly1305 under a key that lies elsewhere than what it seals,
//! bound to whose it is.
//!
//! Where the key lies is decided by whoever runs [`crate::Core`]; what is
//! sealed and when by [`crate::authenticators`].

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chacha20poly1305::aead::{Aead as _, KeyInit as _, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use meantime_model::{PersonId, TeamId};
use sha2::{Digest as _, Sha256};
use std::fmt;

/// First byte of whatever is sealed in this form: 1, the key's mark, the
/// nonce, the ciphertext with its tag.
const FORM: u8 = 1;
const KEY: usize = 32;
const MARK: usize = 8;
const NONCE: usize = 24;
/// Bound to all that is sealed, so that none is taken for something else's.
const WHAT: &[u8] = b"meantime authenticator 1";

/// Seals and opens. Whoever has it and the database has the secrets.
#[derive(Clone)]
pub struct SealKey([u8; KEY]);

/// Why something sealed can't be opened, or nothing be sealed. Its words are
/// for whoever runs the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// None was given.
    #[error("there is no key to seal with here")]
    NoKey,
    /// It was sealed with another one.
    #[error("it was sealed with another key than the one that is here; put the right one back from a backup")]
    OtherKey,
    /// It is somebody else's, or not as it was written.
    #[error("it was not sealed for whom it is kept, or was changed since")]
    Broken,
    /// The system gave no random numbers, or it is too much.
    #[error("it can't be sealed: the system gave no random numbers")]
    Unsealed,
}

/// What a server seals with, if it was given a key.
#[derive(Clone, Default)]
pub(crate) struct Seals(Option<SealKey>);

impl SealKey {
    /// A new one.
    ///
    /// # Errors
    /// When the system has no random numbers.
    pub fn random() -> Result<Self, SealError> {
        let mut key = [0; KEY];
        getrandom::fill(&mut key).map_err(|_| SealError::Unsealed)?;
        Ok(Self(key))
    }

    /// One that was written down; `None` if it is none.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Some(Self(STANDARD.decode(text.trim()).ok()?.try_into().ok()?))
    }

    /// To be written down where only the server reads it: Base64.
    #[must_use]
    pub fn reveal(&self) -> String {
        STANDARD.encode(self.0)
    }

    /// Tells keys apart, and nothing of them.
    fn mark(&self) -> [u8; MARK] {
        let hash: [u8; 32] = Sha256::new().chain_update(b"meantime seal key").chain_update(self.0).finalize().into();
        let mut mark = [0; MARK];
        mark.iter_mut().zip(hash).for_each(|(to, from)| *to = from);
        mark
    }
}

impl From<[u8; KEY]> for SealKey {
    fn from(key: [u8; KEY]) -> Self {
        Self(key)
    }
}

impl fmt::Debug for SealKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SealKey")
    }
}

impl Seals {
    pub(crate) fn with(key: SealKey) -> Self {
        Self(Some(key))
    }

    /// What to keep of a secret of this person in this team.
    pub(crate) fn seal(&self, team: TeamId, person: PersonId, secret: &[u8]) -> Result<Vec<u8>, SealError> {
        let key = self.0.as_ref().ok_or(SealError::NoKey)?;
        let mut nonce = [0; NONCE];
        getrandom::fill(&mut nonce).map_err(|_| SealError::Unsealed)?;
        let payload = Payload { msg: secret, aad: &whose(team, person) };
        let sealed = XChaCha20Poly1305::new(&key.0.into()).encrypt(&XNonce::from(nonce), payload);
        let sealed = sealed.map_err(|_| SealError::Unsealed)?;
        Ok([[FORM].as_slice(), key.mark().as_slice(), nonce.as_slice(), sealed.as_slice()].concat())
    }

    /// What was sealed for this person in this team.
    pub(crate) fn open(&self, team: TeamId, person: PersonId, kept: &[u8]) -> Result<Vec<u8>, SealError> {
        let key = self.0.as_ref().ok_or(SealError::NoKey)?;
        let rest = kept.strip_prefix(&[FORM]).ok_or(SealError::Broken)?;
        let (mark, rest) = rest.split_first_chunk::<MARK>().ok_or(SealError::Broken)?;
        if *mark != key.mark() {
            return Err(SealError::OtherKey);
        }
        let (nonce, msg) = rest.split_first_chunk::<NONCE>().ok_or(SealError::Broken)?;
        let payload = Payload { msg, aad: &whose(team, person) };
        let opened = XChaCha20Poly1305::new(&key.0.into()).decrypt(&XNonce::from(*nonce), payload);
        opened.map_err(|_| SealError::Broken)
    }
}

/// So that what was sealed for one is good in nobody else's place.
fn whose(team: TeamId, person: PersonId) -> Vec<u8> {
    [WHAT, team.0.as_bytes().as_slice(), person.0.as_bytes().as_slice()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sealed_opens_for_its_owner_with_its_key_alone() {
        let (seals, others) = (Seals::with(SealKey::random().unwrap()), Seals::with(SealKey::random().unwrap()));
        let (team, ana, kofi) = (TeamId::new(), PersonId::new(), PersonId::new());
        let secret = b"12345678901234567890".as_slice();
        let sealed = seals.seal(team, ana, secret).unwrap();
        assert!(!sealed.windows(secret.len()).any(|part| part == secret));
        assert_ne!(seals.seal(team, ana, secret).unwrap(), sealed, "each has a nonce of its own");
        assert_eq!(seals.open(team, ana, &sealed).unwrap(), secret);
        assert_eq!(seals.open(team, kofi, &sealed), Err(SealError::Broken));
        assert_eq!(seals.open(TeamId::new(), ana, &sealed), Err(SealError::Broken));
        assert_eq!(others.open(team, ana, &sealed), Err(SealError::OtherKey));
        assert_eq!(Seals::default().open(team, ana, &sealed), Err(SealError::NoKey));
        assert_eq!(Seals::default().seal(team, ana, secret), Err(SealError::NoKey));
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert!(seals.open(team, ana, &changed).is_err(), "byte {at}");
            assert!(seals.open(team, ana, &sealed[..at]).is_err(), "{at} bytes");
        }
    }

    #[test]
    fn a_key_is_written_down_and_read_again() {
        let key = SealKey::random().unwrap();
        let read = SealKey::parse(&format!("{}\n", key.reveal())).unwrap();
        assert_eq!(read.reveal(), key.reveal());
        assert_eq!(format!("{key:?}"), "SealKey");
        for none in ["", "AAAA", &key.reveal()[1..], "not base64 at all"] {
            assert!(SealKey::parse(none).is_none(), "{none}");
        }
    }
}
