//! What can go wrong with a database file, in words for the person.

use std::cell::Cell;
use std::path::PathBuf;

/// What went wrong. What a caller may expect (an item that is not there, a
/// notice that exists already) is in the results instead.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// A file or folder can't be used.
    #[error("{path} can't be used: {source}", path = path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file was written by a newer version.
    #[error(
        "this data was written by a newer Meantime (version {found} of its form, this one knows {known}); update Meantime, nothing was changed"
    )]
    Newer {
        /// Version of the file.
        found: u32,
        /// Newest version this build knows.
        known: u32,
    },
    /// The file is a database, but somebody else's.
    #[error("{path} is a database of another program; nothing was changed", path = path.display())]
    Foreign {
        /// Which file.
        path: PathBuf,
    },
    /// The file is damaged. [`crate::Store::open`] repairs what it can itself;
    /// met later, it is noted beside the file for the next start.
    #[error("the database is damaged ({0}); restart Meantime, it will put the file aside and keep what can be read")]
    Damaged(String),
    /// Another process holds the database.
    #[error("the database is in use by another program; close it and try again")]
    Busy,
    /// No space left.
    #[error("the disk is full; nothing was lost, but nothing new can be kept until there is space")]
    Full,
    /// A row does not hold what it should.
    #[error("a row of the database can't be read: {what}")]
    Broken {
        /// What it was.
        what: String,
    },
    /// The SQLite that was linked is one that can corrupt its WAL.
    #[error("SQLite {0} is too old (3.51.3 is needed)")]
    OldSqlite(&'static str),
    /// The disk itself fails.
    #[error(
        "the disk could not be read or written ({0}); nothing was lost. See that it is there and has space, then restart \
         Meantime; if that does not help, look after the disk"
    )]
    Disk(String),
    /// The file, or where it lies, may not be written.
    #[error(
        "the database may not be written; nothing was changed. See that its folder belongs to you and is not \
         write-protected, then restart Meantime"
    )]
    ReadOnly,
    /// The file can't be opened.
    #[error(
        "the database can't be opened; nothing was changed. See that its folder is there and belongs to you, and that \
         there is space on the disk, then restart Meantime"
    )]
    CannotOpen,
    /// Anything else SQLite says.
    #[error("the database refused: {0}")]
    Sqlite(rusqlite::Error),
}

/// As in the rest of the crate.
pub type Result<T, E = StoreError> = std::result::Result<T, E>;

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        use rusqlite::ErrorCode as Code;
        match error.sqlite_error_code() {
            Some(Code::DatabaseCorrupt | Code::NotADatabase) => {
                MET_DAMAGE.set(true);
                Self::Damaged(error.to_string())
            }
            Some(Code::DatabaseBusy | Code::DatabaseLocked) => Self::Busy,
            Some(Code::DiskFull) => Self::Full,
            Some(Code::SystemIoFailure) => Self::Disk(error.to_string()),
            Some(Code::ReadOnly) => Self::ReadOnly,
            Some(Code::CannotOpen) => Self::CannotOpen,
            _ => match error {
                rusqlite::Error::FromSqlConversionFailure(..) | rusqlite::Error::IntegralValueOutOfRange(..) => {
                    Self::Broken { what: error.to_string() }
                }
                other => Self::Sqlite(other),
            },
        }
    }
}

thread_local! {
    /// A closure's error type is its caller's: what this crate's functions
    /// met in it can't be read off its result.
    static MET_DAMAGE: Cell<bool> = const { Cell::new(false) };
}

/// Whether damage was met on this thread since this was asked last.
pub(crate) fn met_damage() -> bool {
    MET_DAMAGE.take()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rusqlite::ffi;

    #[test]
    fn what_the_disk_refuses_is_said_with_the_next_step() {
        for (code, step) in [
            (ffi::SQLITE_FULL, "until there is space"),
            (ffi::SQLITE_IOERR_WRITE, "has space"),
            (ffi::SQLITE_IOERR_SHMSIZE, "restart Meantime"),
            (ffi::SQLITE_READONLY, "write-protected"),
            (ffi::SQLITE_READONLY_DIRECTORY, "belongs to you"),
            (ffi::SQLITE_CANTOPEN, "its folder is there"),
        ] {
            let words = StoreError::from(rusqlite::Error::SqliteFailure(ffi::Error::new(code), None)).to_string();
            assert!(words.contains(step) && !words.contains("refused"), "{code}: {words}");
        }
    }
}
