//! The one place secrets are kept in: which it is, and how it is changed.

use super::keyring::Keyring;
use super::vault::{self, Key, Lock, Vault, VaultError};
use super::{Secrets, SecretsError};
use crate::Dirs;
use async_trait::async_trait;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Mutex, OwnedMutexGuard, watch};

/// How long a start waits for the keyring. One that asks the person to unlock
/// it takes longer, and is waited for beside everything else.
const AT_ONCE: Duration = Duration::from_secs(2);

/// Keeps this profile's secrets.
pub struct Safe {
    path: PathBuf,
    profile: String,
    keyring: Keyring,
    state: Arc<Mutex<State>>,
    kept: watch::Sender<Kept>,
}

/// Where secrets are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kept {
    /// In a file whose key is in the system's keyring.
    Keyring,
    /// Nowhere yet: the person has to choose; why, in plain words.
    Undecided(String),
    /// In memory, gone when the process ends.
    Session,
    /// In a file encrypted with a passphrase.
    File {
        /// The passphrase has not been given since the start.
        locked: bool,
    },
}

/// What a person may choose without a keyring. What was kept so far, if it
/// can be read, is taken along.
#[derive(Clone)]
pub enum Choice {
    /// Look for the keyring again. Chosen once more after the keyring turned
    /// out to have lost its key: begin anew in it.
    Keyring,
    /// In memory only.
    Session,
    /// In a file; also unlocks an existing one.
    File {
        /// Encrypts it.
        passphrase: String,
    },
}

enum State {
    Keyring(Vault),
    Undecided { why: String, lost: bool },
    Session(vault::Secrets),
    File(Vault),
    Locked,
}

impl State {
    fn kept(&self) -> Kept {
        match self {
            Self::Keyring(_) => Kept::Keyring,
            Self::Undecided { why, .. } => Kept::Undecided(why.clone()),
            Self::Session(_) => Kept::Session,
            Self::File(_) => Kept::File { locked: false },
            Self::Locked => Kept::File { locked: true },
        }
    }

    /// What can be taken along.
    fn secrets(&self) -> Option<vault::Secrets> {
        match self {
            Self::Keyring(vault) | Self::File(vault) => Some(vault.secrets().clone()),
            Self::Session(secrets) => Some(secrets.clone()),
            Self::Undecided { .. } | Self::Locked => None,
        }
    }
}

impl Safe {
    /// Finds out where the secrets are: the keyring is used if it works. An
    /// existing file is never given up, whatever happens. Returns soon; while
    /// a person still has to unlock the keyring, [`Kept::Undecided`] says so,
    /// and reads and writes wait. Must be called within a tokio runtime.
    pub async fn open(dirs: &Dirs) -> Arc<Self> {
        Self::with(dirs, Keyring::new(), AT_ONCE).await
    }

    pub(super) async fn with(dirs: &Dirs, keyring: Keyring, at_once: Duration) -> Arc<Self> {
        let why = "the system's keyring has not answered yet; it may ask you to unlock it".to_owned();
        let state = State::Undecided { why, lost: false };
        let safe = Arc::new(Self {
            path: dirs.data.join("secrets.json"),
            profile: dirs.profile(),
            keyring,
            kept: watch::Sender::new(state.kept()),
            state: Arc::new(Mutex::new(state)),
        });
        let state = safe.state.clone().lock_owned().await;
        let opening = tokio::spawn(safe.clone().look(state));
        let _ = tokio::time::timeout(at_once, opening).await;
        safe
    }

    async fn look(self: Arc<Self>, mut state: OwnedMutexGuard<State>) {
        *state = match Vault::look(&self.path) {
            Ok(Some(Lock::Passphrase(_))) => State::Locked,
            Ok(lock) => self.in_keyring(lock.is_some()).await,
            Err(error) => State::Undecided { why: error.to_string(), lost: true },
        };
        self.kept.send_replace(state.kept());
    }

    /// Where secrets are kept now. Does not wait for anything.
    pub async fn kept(&self) -> Kept {
        self.kept.borrow().clone()
    }

    /// Tells when that changes.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<Kept> {
        self.kept.subscribe()
    }

    /// Changes where secrets are kept, or unlocks the file.
    ///
    /// # Errors
    /// The keyring still can't be used, the passphrase is wrong, or the file
    /// can't be written. Everything is as before, then, but for the words of
    /// [`Kept::Undecided`].
    pub async fn choose(&self, choice: Choice) -> Result<(), SecretsError> {
        let mut state = self.state.lock().await;
        let chosen = self.next(&mut state, choice).await;
        self.kept.send_replace(state.kept());
        chosen
    }

    async fn next(&self, state: &mut State, choice: Choice) -> Result<(), SecretsError> {
        let next = match choice {
            Choice::Session => Ok(State::Session(state.secrets().unwrap_or_default())),
            Choice::File { passphrase } => self.to_file(state, passphrase).await,
            Choice::Keyring => self.to_keyring(state).await,
        };
        match next {
            // Only one undecided state may follow another: nothing open is given up.
            Ok(State::Undecided { why, lost }) => {
                if let State::Undecided { .. } = &*state {
                    *state = State::Undecided { why: why.clone(), lost };
                }
                Err(SecretsError::Unavailable(why))
            }
            Ok(next) => {
                *state = next;
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    async fn to_file(&self, now: &State, passphrase: String) -> Result<State, SecretsError> {
        let secrets = now.secrets();
        let existing = match now {
            State::File(_) | State::Undecided { lost: true, .. } => None,
            _ => Vault::look(&self.path).map_err(plain)?,
        };
        if !matches!(existing, Some(Lock::Passphrase(_))) {
            return self.new_file(passphrase, secrets.unwrap_or_default()).await;
        }
        let mut vault = self.unlock(passphrase).await?;
        vault.change(|kept| kept.extend(secrets.unwrap_or_default())).map_err(plain)?;
        Ok(State::File(vault))
    }

    async fn to_keyring(&self, now: &State) -> Result<State, SecretsError> {
        let exists = match now {
            State::Keyring(_) => return Ok(self.in_keyring(true).await),
            State::Locked => {
                let why = "the file is locked; give its passphrase first, then its secrets can move";
                return Err(SecretsError::Unavailable(why.to_owned()));
            }
            State::Undecided { lost, .. } if *lost => false,
            _ => matches!(Vault::look(&self.path).map_err(plain)?, Some(Lock::Keyring)),
        };
        let secrets = now.secrets().unwrap_or_default();
        if !exists {
            return self.new_in_keyring(secrets).await;
        }
        let mut found = self.in_keyring(true).await;
        if let State::Keyring(vault) = &mut found {
            vault.change(|kept| kept.extend(secrets)).map_err(plain)?;
        }
        Ok(found)
    }

    /// Opens the vault whose key is in the keyring, or begins one.
    async fn in_keyring(&self, exists: bool) -> State {
        let undecided = |error: SecretsError| State::Undecided { why: error.to_string(), lost: false };
        if let Err(error) = self.keyring.probe(&self.profile).await {
            return undecided(error);
        }
        if !exists {
            return self.new_in_keyring(vault::Secrets::new()).await.unwrap_or_else(undecided);
        }
        let key = match self.keyring.get(&self.key_name()).await {
            Ok(key) => key.as_deref().and_then(Key::from_text),
            Err(error) => return undecided(error),
        };
        let lost = || State::Undecided {
            why: "the system's keyring no longer has the key to your saved passwords; open the keyring you used \
                  before and look again, or begin anew and type the passwords once more"
                .to_owned(),
            lost: true,
        };
        let Some(key) = key else { return lost() };
        let path = self.path.clone();
        match blocking(move || Vault::open(&path, key)).await {
            Ok(vault) => State::Keyring(vault),
            Err(VaultError::WrongKey) => lost(),
            Err(error) => State::Undecided { why: error.to_string(), lost: matches!(error, VaultError::Damaged(_)) },
        }
    }

    async fn new_in_keyring(&self, secrets: vault::Secrets) -> Result<State, SecretsError> {
        self.keyring.probe(&self.profile).await?;
        let key = Key::random().map_err(plain)?;
        // The key first: a file without its key would be lost.
        self.put_aside()?;
        self.keyring.set(&self.key_name(), &key.to_text()).await?;
        let path = self.path.clone();
        let vault = blocking(move || Vault::create(&path, key, Lock::Keyring, secrets)).await.map_err(plain)?;
        Ok(State::Keyring(vault))
    }

    async fn new_file(&self, passphrase: String, secrets: vault::Secrets) -> Result<State, SecretsError> {
        self.put_aside()?;
        let path = self.path.clone();
        let vault = blocking(move || {
            let key = Key::random()?;
            let lock = key.wrap(&passphrase)?;
            Vault::create(&path, key, lock, secrets)
        });
        vault.await.map(State::File).map_err(plain)
    }

    async fn unlock(&self, passphrase: String) -> Result<Vault, SecretsError> {
        let path = self.path.clone();
        let vault = blocking(move || match Vault::look(&path)? {
            Some(Lock::Passphrase(wrapped)) => Vault::open(&path, wrapped.unwrap_with(&passphrase)?),
            _ => Err(VaultError::Damaged(path)),
        });
        vault.await.map_err(plain)
    }

    /// Copies the file that is about to be replaced, so that whatever it
    /// holds can still be opened with its old key. One copy is kept.
    fn put_aside(&self) -> Result<(), SecretsError> {
        let old = self.path.with_extension("old.json");
        match std::fs::copy(&self.path, &old) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(plain(VaultError::Disk { path: old, error }))
            }
            _ => Ok(()),
        }
    }

    fn key_name(&self) -> String {
        format!("meantime/{}/key", self.profile)
    }

    async fn change(&self, change: impl FnOnce(&mut vault::Secrets) + Send) -> Result<(), SecretsError> {
        match &mut *self.state.lock().await {
            State::Session(secrets) => {
                change(secrets);
                Ok(())
            }
            // A few kilobytes, a few times a day: short enough to block.
            State::Keyring(vault) | State::File(vault) => vault.change(change).map_err(plain),
            State::Undecided { why, .. } => Err(SecretsError::Unavailable(why.clone())),
            State::Locked => Err(locked()),
        }
    }
}

#[async_trait]
impl Secrets for Safe {
    async fn get(&self, name: &str) -> Result<Option<String>, SecretsError> {
        match &*self.state.lock().await {
            State::Session(secrets) => Ok(secrets.get(name).cloned()),
            State::Keyring(vault) | State::File(vault) => Ok(vault.secrets().get(name).cloned()),
            State::Undecided { why, .. } => Err(SecretsError::Unavailable(why.clone())),
            State::Locked => Err(locked()),
        }
    }

    async fn set(&self, name: &str, secret: &str) -> Result<(), SecretsError> {
        self.change(|secrets| drop(secrets.insert(name.to_owned(), secret.to_owned()))).await
    }

    async fn delete(&self, name: &str) -> Result<(), SecretsError> {
        self.change(|secrets| drop(secrets.remove(name))).await
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, VaultError> + Send + 'static,
) -> Result<T, VaultError> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|e| Err(VaultError::Crypto(e.to_string())))
}

fn locked() -> SecretsError {
    SecretsError::Unavailable("the file with your secrets is locked; give its passphrase".to_owned())
}

fn plain(error: VaultError) -> SecretsError {
    match error {
        VaultError::WrongKey => SecretsError::WrongPassphrase,
        other => SecretsError::Unavailable(other.to_string()),
    }
}
