//! The local socket of a profile: only the person who owns the profile may
//! connect. A Unix socket in the profile's runtime folder, a named pipe on
//! Windows.
//!
//! What is said over it is none of its business; the engine's `socket` does
//! that.

use crate::Dirs;
use interprocess::local_socket::tokio as local;
use interprocess::local_socket::traits::tokio::Listener as _;
use std::io;
use std::time::Duration;

pub use interprocess::local_socket::tokio::Stream;

/// How long a running engine may take to accept a connection.
const CONNECT_WITHIN: Duration = Duration::from_secs(3);

/// Waits for connections. Dropping it removes the socket.
pub struct Listener {
    inner: local::Listener,
    own: os::Own,
}

impl Listener {
    /// Listens at the profile's socket. What a process that was killed left
    /// behind is replaced, but only if nobody answers there.
    ///
    /// # Errors
    /// `AddrInUse` if another process listens already; else what the system
    /// says, with the path.
    pub async fn bind(dirs: &Dirs) -> io::Result<Self> {
        if connect(dirs).await?.is_some() {
            return Err(io::Error::new(io::ErrorKind::AddrInUse, "another Meantime runs with this profile"));
        }
        let (inner, own) = os::bind(dirs).map_err(|e| named(dirs, &e))?;
        Ok(Self { inner, own })
    }

    /// The next connection of the profile's owner. Anybody else is turned
    /// away without a word. Dropping the future loses no connection.
    ///
    /// # Errors
    /// What the system says, say that there are too many open files; worth
    /// another try after a pause.
    pub async fn accept(&self) -> io::Result<Stream> {
        loop {
            let stream = self.inner.accept().await?;
            match os::same_person(&stream, &self.own) {
                Ok(true) => return Ok(stream),
                Ok(false) => tracing::warn!("another user of this computer tried to connect, and was turned away"),
                // It has hung up already.
                Err(e) => tracing::debug!("a connection could not be told its owner: {e}"),
            }
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        os::forget(&self.own);
    }
}

/// Connects to the process that listens at the profile's socket; `None` if
/// there is none.
///
/// # Errors
/// `PermissionDenied` if the socket belongs to somebody else, `TimedOut` if
/// nobody accepts within three seconds; else what the system says.
pub async fn connect(dirs: &Dirs) -> io::Result<Option<Stream>> {
    match tokio::time::timeout(CONNECT_WITHIN, os::connect(dirs)).await {
        Ok(done) => done.map_err(|e| named(dirs, &e)),
        Err(_) => Err(io::Error::new(
            io::ErrorKind::TimedOut,
            "Meantime runs but doesn't answer; end it (or wait a little) and try again",
        )),
    }
}

fn named(dirs: &Dirs, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("the local socket in {}: {error}", dirs.runtime.display()))
}

#[cfg(unix)]
mod os {
    use super::*;
    use interprocess::local_socket::traits::StreamCommon as _;
    use interprocess::local_socket::traits::tokio::Stream as _;
    use interprocess::local_socket::{GenericFilePath, ListenerOptions, ToFsName};
    use std::fs;
    use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, PermissionsExt};
    use std::path::{Path, PathBuf};

    /// The user whose socket it is.
    pub(super) struct Own(pub(super) u32);

    fn path(dirs: &Dirs) -> PathBuf {
        dirs.runtime.join("engine.sock")
    }

    pub(super) fn bind(dirs: &Dirs) -> io::Result<(local::Listener, Own)> {
        private_folder(&dirs.runtime)?;
        let path = path(dirs);
        match fs::symlink_metadata(&path) {
            Ok(found) if found.file_type().is_socket() => fs::remove_file(&path)?,
            Ok(_) => {
                return Err(io::Error::new(
                    io::ErrorKind::AlreadyExists,
                    "engine.sock is a file, not a socket; remove it",
                ));
            }
            Err(e) if e.kind() == io::ErrorKind::NotFound => {}
            Err(e) => return Err(e),
        }
        let name = path.as_path().to_fs_name::<GenericFilePath>()?;
        let inner = ListenerOptions::new().name(name).create_tokio().map_err(explain)?;
        // Not all systems let a socket be made with a mode; until it has its
        // own, the folder keeps everybody else out.
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600))?;
        Ok((inner, Own(me())))
    }

    pub(super) async fn connect(dirs: &Dirs) -> io::Result<Option<Stream>> {
        let path = path(dirs);
        let name = path.as_path().to_fs_name::<GenericFilePath>()?;
        match Stream::connect(name).await {
            Ok(stream) if same_person(&stream, &Own(me()))? => Ok(Some(stream)),
            Ok(_) => Err(io::Error::new(
                io::ErrorKind::PermissionDenied,
                "this profile is in use by another user of this computer",
            )),
            Err(e) if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused) => Ok(None),
            Err(e) => Err(explain(e)),
        }
    }

    pub(super) fn same_person(stream: &Stream, own: &Own) -> io::Result<bool> {
        Ok(stream.peer_creds()?.euid() == Some(own.0))
    }

    /// The listener removes its file by itself.
    pub(super) fn forget(_: &Own) {}

    fn me() -> u32 {
        rustix::process::geteuid().as_raw()
    }

    /// The folder, made if need be, open to nobody but its owner: me.
    fn private_folder(folder: &Path) -> io::Result<()> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        let found = fs::symlink_metadata(folder)?;
        if !found.is_dir() || found.uid() != me() {
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, "the folder belongs to another user"));
        }
        if found.mode() & 0o077 != 0 {
            fs::set_permissions(folder, fs::Permissions::from_mode(0o700))?;
        }
        Ok(())
    }

    fn explain(error: io::Error) -> io::Error {
        match error.kind() {
            io::ErrorKind::InvalidInput => io::Error::new(
                io::ErrorKind::InvalidInput,
                "its path is longer than this system allows for a socket; choose a shorter MEANTIME_HOME",
            ),
            _ => error,
        }
    }
}

#[cfg(windows)]
mod os {
    use super::*;
    use interprocess::local_socket::traits::tokio::Stream as _;
    use interprocess::local_socket::{GenericNamespaced, ListenerOptions, Name, ToNsName};
    use interprocess::os::windows::local_socket::ListenerOptionsExt;
    use interprocess::os::windows::security_descriptor::SecurityDescriptor;
    use std::fs;
    use std::path::PathBuf;

    /// The file that names the pipe.
    pub(super) struct Own(PathBuf);

    fn path(dirs: &Dirs) -> PathBuf {
        dirs.runtime.join("engine.pipe")
    }

    fn name(key: &str) -> io::Result<Name<'static>> {
        format!("meantime-{key}").to_ns_name::<GenericNamespaced>()
    }

    /// Pipes have one name space for the whole computer. The name is drawn
    /// anew at each start and kept in the profile, where only its owner can
    /// read it, so that nobody else can wait there for our passwords.
    pub(super) fn bind(dirs: &Dirs) -> io::Result<(local::Listener, Own)> {
        fs::create_dir_all(&dirs.runtime)?;
        let mut key = [0; 16];
        getrandom::fill(&mut key).map_err(|e| io::Error::other(e.to_string()))?;
        let key: String = key.iter().map(|byte| format!("{byte:02x}")).collect();
        // All rights to the owner of the pipe; nobody else is named, and
        // nothing is inherited.
        let only_owner = SecurityDescriptor::deserialize(widestring::u16cstr!("D:P(A;;GA;;;OW)"))?;
        let inner = ListenerOptions::new().name(name(&key)?).security_descriptor(only_owner).create_tokio()?;
        let path = path(dirs);
        fs::write(&path, key)?;
        Ok((inner, Own(path)))
    }

    pub(super) async fn connect(dirs: &Dirs) -> io::Result<Option<Stream>> {
        let key = match fs::read_to_string(path(dirs)) {
            Ok(key) => key,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(e),
        };
        match Stream::connect(name(key.trim())?).await {
            Ok(stream) => Ok(Some(stream)),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(e),
        }
    }

    /// The pipe's own rights have seen to it.
    pub(super) fn same_person(_: &Stream, _: &Own) -> io::Result<bool> {
        Ok(true)
    }

    pub(super) fn forget(own: &Own) {
        if let Err(e) = fs::remove_file(&own.0) {
            tracing::debug!("{} stays: {e}", own.0.display());
        }
    }
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;
    use std::path::Path;

    fn dirs(home: &Path) -> Dirs {
        Dirs { data: home.join("data"), cache: home.join("cache"), runtime: home.join("run") }
    }

    fn mode(path: &Path) -> u32 {
        std::fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[tokio::test]
    async fn only_the_owner_gets_near() {
        let home = tempfile::tempdir().unwrap();
        let dirs = dirs(home.path());
        std::fs::create_dir(&dirs.runtime).unwrap();
        std::fs::set_permissions(&dirs.runtime, std::fs::Permissions::from_mode(0o755)).unwrap();
        let listener = Listener::bind(&dirs).await.unwrap();
        assert_eq!(mode(&dirs.runtime), 0o700);
        assert_eq!(mode(&dirs.runtime.join("engine.sock")), 0o600);
        let (ours, theirs) = tokio::join!(connect(&dirs), listener.accept());
        assert!(ours.unwrap().is_some());
        let theirs = theirs.unwrap();
        let somebody_else = os::Own(rustix::process::geteuid().as_raw() + 1);
        assert!(!os::same_person(&theirs, &somebody_else).unwrap());
    }

    #[tokio::test]
    async fn a_stale_socket_is_replaced_and_a_living_one_is_not() {
        let home = tempfile::tempdir().unwrap();
        let dirs = dirs(home.path());
        assert!(connect(&dirs).await.unwrap().is_none(), "no folder yet");
        std::fs::create_dir(&dirs.runtime).unwrap();
        // As kill -9 leaves it: the file is there, nobody listens.
        drop(std::os::unix::net::UnixListener::bind(dirs.runtime.join("engine.sock")).unwrap());
        assert!(connect(&dirs).await.unwrap().is_none());
        let listener = Listener::bind(&dirs).await.unwrap();
        let second = Listener::bind(&dirs).await.err().map(|e| e.kind());
        assert_eq!(second, Some(io::ErrorKind::AddrInUse));
        assert!(connect(&dirs).await.unwrap().is_some(), "the first still listens");
        drop(listener);
        assert!(!dirs.runtime.join("engine.sock").exists());
    }

    #[tokio::test]
    async fn a_file_of_that_name_is_not_deleted() {
        let home = tempfile::tempdir().unwrap();
        let dirs = dirs(home.path());
        std::fs::create_dir(&dirs.runtime).unwrap();
        let file = dirs.runtime.join("engine.sock");
        std::fs::write(&file, "mine").unwrap();
        assert!(Listener::bind(&dirs).await.is_err());
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "mine");
    }

    #[tokio::test]
    async fn a_path_too_long_says_what_to_do() {
        let home = tempfile::tempdir().unwrap();
        let dirs = dirs(&home.path().join("long".repeat(40)));
        let said = Listener::bind(&dirs).await.err().unwrap().to_string();
        assert!(said.contains("shorter MEANTIME_HOME"), "{said}");
    }
}
