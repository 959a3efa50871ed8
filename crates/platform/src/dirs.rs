//! Where things lie on disk.

use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};

/// One folder with a whole profile in it: set by tests and by people who keep
/// more than one.
pub const HOME_VARIABLE: &str = "MEANTIME_HOME";

/// The longest path a socket's folder may have: the system's limit is 104
/// bytes on macOS and 108 on Linux, and the socket's own name needs a few.
const RUNTIME_PATH_LIMIT: usize = 80;

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

/// A folder can't be used: which, and why.
#[derive(Debug, thiserror::Error)]
pub enum DirsError {
    /// The system tells no home folder.
    #[error("this computer tells no home folder; set MEANTIME_HOME to a folder Meantime may use")]
    NoHome,
    /// `MEANTIME_HOME` is not an absolute path.
    #[error("MEANTIME_HOME must be a whole path, beginning at the root, not {0}")]
    NotAbsolute(PathBuf),
    /// The place may be read and not written.
    #[error("{0} can only be read: make it writable, or choose another folder with --home or MEANTIME_HOME")]
    ReadOnly(PathBuf),
    /// A folder can't be made.
    #[error("the folder {path} can't be made or protected: {error}")]
    Create {
        /// Which.
        path: PathBuf,
        /// What the system says.
        error: std::io::Error,
    },
    /// Somebody else's folder lies where ours should be.
    #[error("the folder {0} belongs to another user of this computer; remove it, or set XDG_RUNTIME_DIR")]
    Foreign(PathBuf),
}

impl DirsError {
    /// What kept a folder from being made or protected.
    fn of(path: &Path, error: std::io::Error) -> Self {
        use std::io::ErrorKind::{PermissionDenied, ReadOnlyFilesystem};
        match error.kind() {
            // Where the folder itself is missing, it is the one that it was to be made in.
            PermissionDenied | ReadOnlyFilesystem => {
                let there = path.ancestors().find(|place| place.exists());
                Self::ReadOnly(there.unwrap_or(path).to_owned())
            }
            _ => Self::Create { path: path.to_owned(), error },
        }
    }
}

impl Dirs {
    /// This user's profile, or the one in [`HOME_VARIABLE`]. Nothing is made.
    ///
    /// # Errors
    /// Without a home folder, and for a relative [`HOME_VARIABLE`].
    pub fn standard() -> Result<Self, DirsError> {
        if let Some(home) = std::env::var_os(HOME_VARIABLE).filter(|home| !home.is_empty()) {
            return Self::within(Path::new(&home));
        }
        let found = directories::ProjectDirs::from("app", "", "meantime").ok_or(DirsError::NoHome)?;
        let data = found.data_local_dir().to_owned();
        let cache = found.cache_dir().to_owned();
        let runtime = match found.runtime_dir() {
            Some(runtime) if short(runtime) => runtime.to_owned(),
            _ => runtime_for(&data),
        };
        Ok(Self { data, cache, runtime })
    }

    /// The profile in one folder.
    ///
    /// # Errors
    /// The folder is not an absolute path.
    pub fn within(home: &Path) -> Result<Self, DirsError> {
        if !home.is_absolute() {
            return Err(DirsError::NotAbsolute(home.to_owned()));
        }
        Ok(Self { data: home.join("data"), cache: home.join("cache"), runtime: runtime_for(home) })
    }

    /// Makes what is missing, and takes everybody else's access away.
    ///
    /// # Errors
    /// A folder can't be made, or belongs to another user.
    pub fn create(&self) -> Result<(), DirsError> {
        for path in [&self.data, &self.cache, &self.runtime] {
            private(path)?;
        }
        Ok(())
    }

    /// A short name that tells this profile from every other one of this
    /// computer: 16 hexadecimal digits.
    #[must_use]
    pub fn profile(&self) -> String {
        digest(&self.data)
    }
}

/// A folder for the socket: within the profile if the path stays short enough,
/// else beside the session's own, else below the system's temporary folder.
fn runtime_for(profile: &Path) -> PathBuf {
    let inside = profile.join("run");
    if short(&inside) {
        return inside;
    }
    let name = format!("meantime-{}", digest(profile));
    std::env::var_os("XDG_RUNTIME_DIR")
        .map(|session| Path::new(&session).join(&name))
        .filter(|path| path.is_absolute() && short(path))
        .unwrap_or_else(|| std::env::temp_dir().join(name))
}

fn short(path: &Path) -> bool {
    path.as_os_str().len() <= RUNTIME_PATH_LIMIT
}

fn digest(path: &Path) -> String {
    let hash = Sha256::digest(path.as_os_str().as_encoded_bytes());
    hash.iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(unix)]
fn private(path: &Path) -> Result<(), DirsError> {
    use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
    let failed = |error| DirsError::of(path, error);
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(failed)?;
    // Below the temporary folder anybody may have been here first, with a
    // folder of their own or a link to somewhere else.
    let found = std::fs::symlink_metadata(path).map_err(failed)?;
    let temporary = path.starts_with(std::env::temp_dir());
    if found.uid() != rustix::process::geteuid().as_raw() || (temporary && found.is_symlink()) {
        return Err(DirsError::Foreign(path.to_owned()));
    }
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o700)).map_err(failed)
}

/// Windows: the profile's folders inherit an access list for their owner alone.
#[cfg(not(unix))]
fn private(path: &Path) -> Result<(), DirsError> {
    std::fs::create_dir_all(path).map_err(|error| DirsError::of(path, error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_home_holds_the_whole_profile() {
        let dirs = Dirs::within(Path::new("/p")).unwrap();
        assert_eq!(dirs.data, Path::new("/p/data"));
        assert_eq!(dirs.cache, Path::new("/p/cache"));
        assert_eq!(dirs.runtime, Path::new("/p/run"));
        assert!(matches!(Dirs::within(Path::new("p")), Err(DirsError::NotAbsolute(_))));
    }

    #[test]
    fn a_long_home_still_has_a_short_socket_path() {
        let deep = PathBuf::from(format!("/{}", "deep/".repeat(40)));
        let (one, other) = (Dirs::within(&deep).unwrap(), Dirs::within(&deep.join("er")).unwrap());
        assert!(short(&one.runtime), "{:?}", one.runtime);
        assert_ne!(one.runtime, other.runtime, "two profiles share no socket");
        assert_ne!(one.profile(), other.profile());
        assert_eq!(one, Dirs::within(&deep).unwrap(), "the same profile is always in the same place");
    }

    #[cfg(unix)]
    #[test]
    fn folders_are_for_their_owner_alone() {
        use std::os::unix::fs::PermissionsExt;
        let home = tempfile::tempdir().unwrap();
        let dirs = Dirs::within(home.path()).unwrap();
        std::fs::create_dir(&dirs.data).unwrap();
        std::fs::set_permissions(&dirs.data, std::fs::Permissions::from_mode(0o755)).unwrap();
        dirs.create().unwrap();
        for path in [&dirs.data, &dirs.cache, &dirs.runtime] {
            assert_eq!(std::fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o700, "{path:?}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_link_somebody_laid_below_tmp_is_refused() {
        let home = tempfile::tempdir().unwrap();
        let elsewhere = tempfile::tempdir().unwrap();
        let dirs = Dirs::within(home.path()).unwrap();
        std::os::unix::fs::symlink(elsewhere.path(), &dirs.runtime).unwrap();
        assert!(matches!(dirs.create(), Err(DirsError::Foreign(_))));
    }

    #[test]
    fn what_can_only_be_read_is_said_with_the_next_step() {
        let home = tempfile::tempdir().unwrap();
        let data = home.path().join("data");
        for kind in [std::io::ErrorKind::ReadOnlyFilesystem, std::io::ErrorKind::PermissionDenied] {
            let said = |path: &Path| DirsError::of(path, kind.into()).to_string();
            let step = "can only be read: make it writable, or choose another folder with --home or MEANTIME_HOME";
            assert_eq!(said(home.path()), format!("{} {step}", home.path().display()));
            assert_eq!(said(&data), said(home.path()), "the folder that is there");
        }
    }

    /// Even root makes no folder there.
    #[cfg(target_os = "linux")]
    #[test]
    fn a_profile_where_nothing_can_be_made_is_refused_in_words() {
        let said = Dirs::within(Path::new("/sys/meantime")).unwrap().create().unwrap_err();
        assert!(matches!(&said, DirsError::ReadOnly(path) if path == Path::new("/sys")), "{said}");
    }

    #[test]
    fn a_file_in_the_way_is_said_plainly() {
        let home = tempfile::tempdir().unwrap();
        std::fs::write(home.path().join("data"), "").unwrap();
        let said = Dirs::within(home.path()).unwrap().create().unwrap_err().to_string();
        assert!(said.contains("can't be made"), "{said}");
    }
}
