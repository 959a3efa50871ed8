//! The file with the secrets: a JSON object whose `sealed` part is encrypted
//! with XChaCha20-Poly1305 under a key of its own. That key lies in the
//! system's keyring, or in the file itself, wrapped by a key that argon2id
//! makes of a passphrase.
//!
//! Who holds the key is decided in [`super::safe`].

use argon2::{Algorithm, Argon2, Params, Version};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};

/// Bigger files are not ours.
const FILE_LIMIT: u64 = 8 * 1024 * 1024;
const FORMAT: u32 = 1;
/// Bound to the ciphertexts, so that none is taken for the other.
const SEALED: &[u8] = b"meantime secrets 1";
const WRAPPED: &[u8] = b"meantime key 1";

/// Secrets by name.
pub type Secrets = BTreeMap<String, String>;

/// Encrypts one file.
#[derive(Clone)]
pub struct Key([u8; 32]);

/// Where the key is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Lock {
    /// In the system's keyring.
    Keyring,
    /// Here, wrapped by a key made of a passphrase.
    Passphrase(Wrapped),
}

/// A key wrapped by a passphrase, with argon2id's costs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wrapped {
    memory_kib: u32,
    passes: u32,
    lanes: u32,
    salt: String,
    nonce: String,
    key: String,
}

#[derive(Serialize, Deserialize)]
struct File {
    format: u32,
    lock: Lock,
    nonce: String,
    sealed: String,
}

/// Why a vault could not be opened or written.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// The key or passphrase is another one.
    #[error("the key does not fit")]
    WrongKey,
    /// The file is not what we wrote.
    #[error("the file {0} with your secrets is damaged")]
    Damaged(PathBuf),
    /// A newer Meantime wrote the file.
    #[error("the file {0} was written by a newer Meantime; use that one")]
    Newer(PathBuf),
    /// The disk, or the system's random numbers.
    #[error("the file {path} with your secrets can't be read or written: {error}")]
    Disk {
        /// Which.
        path: PathBuf,
        /// What the system says.
        error: std::io::Error,
    },
    /// Argon2 does not take the costs, or there is no randomness.
    #[error("the secrets can't be encrypted: {0}")]
    Crypto(String),
}

/// An opened vault: every change is on the disk before a call returns.
pub struct Vault {
    path: PathBuf,
    key: Key,
    lock: Lock,
    secrets: Secrets,
}

impl Key {
    /// A new one.
    pub fn random() -> Result<Self, VaultError> {
        Ok(Self(random()?))
    }

    /// As text, for a keyring.
    pub fn to_text(&self) -> String {
        BASE64.encode(self.0)
    }

    /// From a keyring; `None` if it is something else.
    pub fn from_text(text: &str) -> Option<Self> {
        Some(Self(BASE64.decode(text.trim()).ok()?.try_into().ok()?))
    }

    /// Wraps it; slow on purpose.
    pub fn wrap(&self, passphrase: &str) -> Result<Lock, VaultError> {
        let (memory_kib, passes, lanes) = (46 * 1024, 1, 1);
        let (salt, nonce) = (random::<16>()?, random::<24>()?);
        let wrapping = derive(passphrase, &salt, memory_kib, passes, lanes)?;
        let key = encrypt(&wrapping, &nonce, &self.0, WRAPPED)?;
        let [salt, nonce, key] = [&salt[..], &nonce, &key].map(|bytes| BASE64.encode(bytes));
        Ok(Lock::Passphrase(Wrapped { memory_kib, passes, lanes, salt, nonce, key }))
    }
}

impl Wrapped {
    /// Takes the key out; slow on purpose.
    pub fn unwrap_with(&self, passphrase: &str) -> Result<Key, VaultError> {
        let decode = |text: &str| BASE64.decode(text).map_err(|e| VaultError::Crypto(e.to_string()));
        let nonce = decode(&self.nonce)?;
        // The costs come from a file anybody may have written.
        if self.memory_kib > 1024 * 1024 || self.passes > 16 || self.lanes > 16 {
            return Err(VaultError::Crypto("the file asks for more work than is sensible".to_owned()));
        }
        let wrapping = derive(passphrase, &decode(&self.salt)?, self.memory_kib, self.passes, self.lanes)?;
        let key = decrypt(&wrapping, &nonce, &decode(&self.key)?, WRAPPED).ok_or(VaultError::WrongKey)?;
        Ok(Key(key.try_into().map_err(|_| VaultError::WrongKey)?))
    }
}

impl Vault {
    /// Where the key of the vault at `path` is; `None` if there is no vault.
    pub fn look(path: &Path) -> Result<Option<Lock>, VaultError> {
        Ok(read(path)?.map(|file| file.lock))
    }

    /// Opens an existing vault.
    pub fn open(path: &Path, key: Key) -> Result<Self, VaultError> {
        let damaged = || VaultError::Damaged(path.to_owned());
        let file = read(path)?.ok_or_else(damaged)?;
        let decode = |text: &str| BASE64.decode(text).map_err(|_| damaged());
        let plain = decrypt(&key, &decode(&file.nonce)?, &decode(&file.sealed)?, SEALED).ok_or(VaultError::WrongKey)?;
        let secrets = serde_json::from_slice(&plain).map_err(|_| damaged())?;
        Ok(Self { path: path.to_owned(), key, lock: file.lock, secrets })
    }

    /// Writes a new vault, over the one that may be there.
    pub fn create(path: &Path, key: Key, lock: Lock, secrets: Secrets) -> Result<Self, VaultError> {
        let vault = Self { path: path.to_owned(), key, lock, secrets };
        vault.write()?;
        Ok(vault)
    }

    /// The secrets.
    pub fn secrets(&self) -> &Secrets {
        &self.secrets
    }

    /// Changes the secrets; when they can't be written they stay as they were.
    pub fn change(&mut self, change: impl FnOnce(&mut Secrets)) -> Result<(), VaultError> {
        let before = self.secrets.clone();
        change(&mut self.secrets);
        if self.secrets == before {
            return Ok(());
        }
        self.write().inspect_err(|_| self.secrets = before)
    }

    fn write(&self) -> Result<(), VaultError> {
        let plain = serde_json::to_vec(&self.secrets).map_err(|e| VaultError::Crypto(e.to_string()))?;
        let nonce = random::<24>()?;
        let sealed = BASE64.encode(encrypt(&self.key, &nonce, &plain, SEALED)?);
        let file = File { format: FORMAT, lock: self.lock.clone(), nonce: BASE64.encode(nonce), sealed };
        let text = serde_json::to_vec_pretty(&file).map_err(|e| VaultError::Crypto(e.to_string()))?;
        replace(&self.path, &text).map_err(|error| VaultError::Disk { path: self.path.clone(), error })
    }
}

fn read(path: &Path) -> Result<Option<File>, VaultError> {
    let failed = |error| VaultError::Disk { path: path.to_owned(), error };
    match std::fs::metadata(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
        Ok(found) if found.len() > FILE_LIMIT => return Err(VaultError::Damaged(path.to_owned())),
        Ok(_) => {}
    }
    let text = std::fs::read(path).map_err(failed)?;
    let damaged = |_| VaultError::Damaged(path.to_owned());
    let value: serde_json::Value = serde_json::from_slice(&text).map_err(damaged)?;
    if value.get("format").and_then(serde_json::Value::as_u64).is_some_and(|format| format > u64::from(FORMAT)) {
        return Err(VaultError::Newer(path.to_owned()));
    }
    serde_json::from_value(value).map(Some).map_err(damaged)
}

/// The whole new file, or the whole old one: whatever happens in between.
fn replace(path: &Path, text: &[u8]) -> std::io::Result<()> {
    let new = path.with_extension("new");
    let mut options = std::fs::File::options();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&new)?;
    file.write_all(text)?;
    file.sync_all()?;
    drop(file);
    std::fs::rename(&new, path)?;
    #[cfg(unix)]
    if let Some(folder) = path.parent() {
        std::fs::File::open(folder)?.sync_all()?;
    }
    Ok(())
}

fn derive(passphrase: &str, salt: &[u8], memory_kib: u32, passes: u32, lanes: u32) -> Result<Key, VaultError> {
    let refused = |e: argon2::Error| VaultError::Crypto(e.to_string());
    let params = Params::new(memory_kib, passes, lanes, Some(32)).map_err(refused)?;
    let mut key = [0; 32];
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into(passphrase.as_bytes(), salt, &mut key)
        .map_err(refused)?;
    Ok(Key(key))
}

fn encrypt(key: &Key, nonce: &[u8; 24], msg: &[u8], aad: &[u8]) -> Result<Vec<u8>, VaultError> {
    XChaCha20Poly1305::new(&key.0.into())
        .encrypt(&XNonce::from(*nonce), Payload { msg, aad })
        .map_err(|_| VaultError::Crypto("too much to encrypt".to_owned()))
}

fn decrypt(key: &Key, nonce: &[u8], msg: &[u8], aad: &[u8]) -> Option<Vec<u8>> {
    let nonce: [u8; 24] = nonce.try_into().ok()?;
    XChaCha20Poly1305::new(&key.0.into()).decrypt(&XNonce::from(nonce), Payload { msg, aad }).ok()
}

fn random<const N: usize>() -> Result<[u8; N], VaultError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|e| VaultError::Crypto(e.to_string()))?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file() -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secrets.json");
        (folder, path)
    }

    fn one(name: &str, secret: &str) -> Secrets {
        Secrets::from([(name.to_owned(), secret.to_owned())])
    }

    #[test]
    fn what_was_written_is_read_and_nothing_is_plain() {
        let (_folder, path) = file();
        let key = Key::random().unwrap();
        let mut vault = Vault::create(&path, key.clone(), Lock::Keyring, one("imap", "hunter2")).unwrap();
        vault.change(|secrets| drop(secrets.insert("smtp".into(), "s3cret".into()))).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(!text.contains("hunter2") && !text.contains("imap") && !text.contains("s3cret"), "{text}");
        let again = Vault::open(&path, Key::from_text(&key.to_text()).unwrap()).unwrap();
        assert_eq!(again.secrets().len(), 2);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        }
    }

    #[test]
    fn another_passphrase_or_key_is_told_from_damage() {
        let (_folder, path) = file();
        let key = Key::random().unwrap();
        let lock = key.wrap("correct horse battery").unwrap();
        drop(Vault::create(&path, key, lock, one("a", "b")).unwrap());
        let Some(Lock::Passphrase(wrapped)) = Vault::look(&path).unwrap() else { panic!() };
        assert!(matches!(wrapped.unwrap_with("correct horse"), Err(VaultError::WrongKey)));
        let key = wrapped.unwrap_with("correct horse battery").unwrap();
        assert_eq!(Vault::open(&path, key).unwrap().secrets(), &one("a", "b"));
        assert!(matches!(Vault::open(&path, Key::random().unwrap()), Err(VaultError::WrongKey)));

        for broken in ["", "{}", "[1]", "\u{0}", r#"{"format":1,"lock":{"kind":"keyring"},"nonce":"","sealed":7}"#] {
            std::fs::write(&path, broken).unwrap();
            assert!(matches!(Vault::look(&path), Err(VaultError::Damaged(_))), "{broken}");
        }
        std::fs::write(&path, r#"{"format":2,"future":true}"#).unwrap();
        assert!(matches!(Vault::look(&path), Err(VaultError::Newer(_))));
    }

    #[test]
    fn a_file_can_not_ask_for_endless_work() {
        let greedy = Wrapped {
            memory_kib: u32::MAX,
            passes: 1,
            lanes: 1,
            salt: BASE64.encode([0; 16]),
            nonce: BASE64.encode([0; 24]),
            key: BASE64.encode([0; 48]),
        };
        assert!(matches!(greedy.unwrap_with("x"), Err(VaultError::Crypto(_))));
    }

    #[test]
    fn a_change_that_can_not_be_written_did_not_happen() {
        let (folder, path) = file();
        let mut vault = Vault::create(&path, Key::random().unwrap(), Lock::Keyring, one("a", "b")).unwrap();
        // A folder in the way of the new file: fails for root as well.
        std::fs::create_dir(folder.path().join("secrets.new")).unwrap();
        assert!(matches!(vault.change(Secrets::clear), Err(VaultError::Disk { .. })));
        assert_eq!(vault.secrets(), &one("a", "b"));
    }
}
