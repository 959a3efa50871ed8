//! The system's keyring: Secret Service, Keychain or Credential Manager.
//!
//! Calls block, may wait for a person, and panic within a tokio runtime. So
//! they run on one thread of their own, each with a time limit; a thread that
//! is stuck is left behind and the next call gets a new one. The stores are
//! used directly because `keyring`'s own wrapper looks for a keyring only
//! once in the life of a process.

use super::SecretsError;
use keyring_core::{CredentialStore, Error};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::Duration;
use tokio::sync::oneshot;

/// Every entry of ours is below this.
const SERVICE: &str = "Meantime";
/// A person may have to type the keyring's password.
const LIMIT: Duration = Duration::from_secs(60);
/// A keyring that has to be started first is there within this part of the
/// limit, or does not come.
const TO_START: u32 = 6;

/// Talks to the keyring.
pub struct Keyring {
    limit: Duration,
    thread: Mutex<Option<mpsc::Sender<Job>>>,
}

enum Job {
    Get(String, oneshot::Sender<Result<Option<String>, Error>>),
    Set(String, String, oneshot::Sender<Result<(), Error>>),
    Delete(String, oneshot::Sender<Result<(), Error>>),
}

impl Keyring {
    /// Does nothing yet.
    pub fn new() -> Self {
        Self::with_limit(LIMIT)
    }

    /// As [`Keyring::new`], with another limit for each call.
    pub fn with_limit(limit: Duration) -> Self {
        Self { limit, thread: Mutex::default() }
    }

    /// Writes, reads and deletes an entry: a keyring may be there, and refuse.
    pub async fn probe(&self, profile: &str) -> Result<(), SecretsError> {
        let name = format!("meantime/{profile}/probe");
        self.set(&name, "probe").await?;
        let read = self.get(&name).await?;
        self.delete(&name).await?;
        match read.as_deref() {
            Some("probe") => Ok(()),
            _ => Err(SecretsError::Unavailable("the system's keyring takes secrets but does not keep them".to_owned())),
        }
    }

    /// The entry, or `None` if there is none.
    pub async fn get(&self, name: &str) -> Result<Option<String>, SecretsError> {
        self.ask(|reply| Job::Get(name.to_owned(), reply)).await
    }

    /// Writes an entry.
    pub async fn set(&self, name: &str, secret: &str) -> Result<(), SecretsError> {
        self.ask(|reply| Job::Set(name.to_owned(), secret.to_owned(), reply)).await
    }

    /// Removes an entry; one that is not there is fine.
    pub async fn delete(&self, name: &str) -> Result<(), SecretsError> {
        self.ask(|reply| Job::Delete(name.to_owned(), reply)).await
    }

    async fn ask<T>(&self, job: impl FnOnce(oneshot::Sender<Result<T, Error>>) -> Job) -> Result<T, SecretsError> {
        let (reply, answer) = oneshot::channel();
        self.send(job(reply))?;
        match tokio::time::timeout(self.limit, answer).await {
            Ok(Ok(done)) => done.map_err(|error| plain(&error)),
            // The thread ended in the middle: a bug of a library.
            Ok(Err(_)) => self.give_up("the system's keyring failed; look again, or keep secrets in another way"),
            Err(_) => self.give_up("the system's keyring does not answer; unlock it, then look again"),
        }
    }

    /// Leaves the thread to itself; the next call begins with a new one.
    fn give_up<T>(&self, why: &str) -> Result<T, SecretsError> {
        *self.thread.lock().unwrap_or_else(PoisonError::into_inner) = None;
        Err(SecretsError::Unavailable(why.to_owned()))
    }

    fn send(&self, job: Job) -> Result<(), SecretsError> {
        let mut thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner);
        let job = match thread.as_ref() {
            None => job,
            Some(running) => match running.send(job) {
                Ok(()) => return Ok(()),
                Err(mpsc::SendError(job)) => job,
            },
        };
        let (sender, jobs) = mpsc::channel();
        let to_start = self.limit / TO_START;
        std::thread::Builder::new()
            .name("keyring".to_owned())
            .spawn(move || work(&jobs, to_start))
            .map_err(|e| SecretsError::Unavailable(format!("the keyring can't be asked: {e}")))?;
        let _ = sender.send(job);
        *thread = Some(sender);
        Ok(())
    }
}

fn work(jobs: &mpsc::Receiver<Job>, to_start: Duration) {
    let mut store = Kept { store: None, to_start };
    for job in jobs {
        match job {
            Job::Get(name, reply) => {
                let read = with(&mut store, |store| match entry(store, &name)?.get_password() {
                    Ok(secret) => Ok(Some(secret)),
                    Err(Error::NoEntry) => Ok(None),
                    Err(error) => Err(error),
                });
                let _ = reply.send(read);
            }
            Job::Set(name, secret, reply) => {
                let _ = reply.send(with(&mut store, |store| entry(store, &name)?.set_password(&secret)));
            }
            Job::Delete(name, reply) => {
                let done = with(&mut store, |store| match entry(store, &name)?.delete_credential() {
                    Err(Error::NoEntry) => Ok(()),
                    done => done,
                });
                let _ = reply.send(done);
            }
        }
    }
}

/// The connection, while it works.
struct Kept {
    store: Option<Arc<CredentialStore>>,
    to_start: Duration,
}

/// Runs one call. A connection that broke since the last one (the keyring was
/// started again) is made anew once.
fn with<T>(kept: &mut Kept, call: impl Fn(&CredentialStore) -> Result<T, Error>) -> Result<T, Error> {
    if let Some(store) = kept.store.take() {
        match call(store.as_ref()) {
            Err(Error::PlatformFailure(error)) => tracing::debug!("the keyring's connection broke: {error}"),
            done => {
                kept.store = Some(store);
                return done;
            }
        }
    }
    let store = open(kept.to_start)?;
    let done = call(store.as_ref());
    if !matches!(done, Err(Error::PlatformFailure(_))) {
        kept.store = Some(store);
    }
    done
}

fn entry(store: &CredentialStore, name: &str) -> Result<keyring_core::Entry, Error> {
    store.build(SERVICE, name, None)
}

/// The bus would wait for minutes for a keyring that does not come.
#[cfg(target_os = "linux")]
fn open(to_start: Duration) -> Result<Arc<CredentialStore>, Error> {
    const NAME: &str = "org.freedesktop.secrets";
    let start = || -> zbus::Result<()> {
        let bus = zbus::blocking::connection::Builder::session()?.method_timeout(to_start).build()?;
        let proxy = zbus::blocking::fdo::DBusProxy::new(&bus)?;
        if !proxy.name_has_owner(NAME.try_into()?)? {
            proxy.start_service_by_name(NAME.try_into()?, 0)?;
        }
        Ok(())
    };
    start().map_err(|error| Error::PlatformFailure(error.into()))?;
    Ok(zbus_secret_service_keyring_store::Store::new()?)
}

#[cfg(target_os = "macos")]
fn open(_: Duration) -> Result<Arc<CredentialStore>, Error> {
    Ok(apple_native_keyring_store::keychain::Store::new()?)
}

#[cfg(windows)]
fn open(_: Duration) -> Result<Arc<CredentialStore>, Error> {
    Ok(windows_native_keyring_store::Store::new()?)
}

/// What the system says is for the log: people have no use for the names of
/// its parts.
fn plain(error: &Error) -> SecretsError {
    let words = match error {
        Error::NoStorageAccess(_) => "the system's keyring stayed locked; unlock it, then look again",
        Error::PlatformFailure(why) if absent(&why.to_string()) => {
            "this computer runs no keyring that Meantime could keep passwords in"
        }
        Error::PlatformFailure(why) if late(&why.to_string()) => {
            "the system's keyring does not start; look again in a moment, or keep passwords in another way"
        }
        // Its text never carries a secret's bytes.
        other => {
            tracing::warn!(error = %other, "the keyring failed");
            "the system's keyring can't be used now; look again, or keep passwords in another way"
        }
    };
    SecretsError::Unavailable(words.to_owned())
}

/// It was to be started, and did not come.
fn late(why: &str) -> bool {
    ["timed out", "TimedOut", "NoReply"].iter().any(|sign| why.contains(sign))
}

/// No bus, or nobody on it who keeps secrets.
fn absent(why: &str) -> bool {
    ["ServiceUnknown", "not provided by any", "DBUS_SESSION_BUS_ADDRESS", "No such file", "unavailable"]
        .iter()
        .any(|sign| why.contains(sign))
}
