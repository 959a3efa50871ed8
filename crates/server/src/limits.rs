//! What the operating system allows this process, and others of what it makes.

/// Whatever this process makes is its owner's alone, also where a library
/// makes it (attachments, SQLite's log), and whatever it was started with.
pub fn keep_private() {
    #[cfg(unix)]
    rustix::process::umask(rustix::fs::Mode::RWXG | rustix::fs::Mode::RWXO);
}

/// Each connection takes an open file, and systems are mean with them unless
/// asked: the soft limit becomes the hard one.
pub fn raise_open_files() {
    #[cfg(unix)]
    {
        use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
        let limit = getrlimit(Resource::Nofile);
        if limit.current == limit.maximum {
            return;
        }
        if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }) {
            tracing::warn!(%error, "the limit of open files stays at {:?}", limit.current);
        }
    }
}
