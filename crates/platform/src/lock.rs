//! One engine a profile. The system gives the lock back when its process
//! ends, however it ends.

use crate::Dirs;
use std::fs::{File, TryLockError};
use std::io::{self, Write};

/// Held by the one process that owns a profile; given back when dropped.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the profile's lock; `None` if another process holds it.
    ///
    /// # Errors
    /// The lock file can't be opened or locked.
    pub fn take(dirs: &Dirs) -> io::Result<Option<Self>> {
        let mut options = File::options();
        options.read(true).write(true).create(true).truncate(false);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(dirs.data.join("engine.lock"))?;
        match file.try_lock() {
            Ok(()) => {
                // For people who look; nothing reads it.
                let _ = file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id()));
                Ok(Some(Self { _file: file }))
            }
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_holds_it_and_the_next_may() {
        let home = tempfile::tempdir().unwrap();
        let dirs = Dirs::within(home.path()).unwrap();
        dirs.create().unwrap();
        let first = Lock::take(&dirs).unwrap();
        assert!(first.is_some());
        assert!(Lock::take(&dirs).unwrap().is_none());
        drop(first);
        // A program that another test starts at this moment holds all open
        // files for as long as it takes to become that program.
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(10);
        while Lock::take(&dirs).unwrap().is_none() {
            assert!(std::time::Instant::now() < deadline);
            std::thread::yield_now();
        }
    }
}
