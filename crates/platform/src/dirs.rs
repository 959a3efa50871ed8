//! Where things lie on disk.

use std::path::PathBuf;

/// The folders of one profile. Each exists, with access for its owner alone,
/// once [`Dirs::create`] succeeded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dirs {
    /// The database, settings, an encrypted secrets file: to be backed up.
    pub data: PathBuf,
    /// Logs and what can be made again.
    pub cache: PathBuf,
    /// The local socket; gone after a restart of the computer.
    pub runtime: PathBuf,
}
