//! Where files from others are put, and how the system is told that they are
//! from others. What they are called and what is in them is decided before.

use std::path::{Path, PathBuf};

/// The person's folder for downloads, which may not be there yet; none where
/// the system tells no home folder.
#[must_use]
pub fn folder() -> Option<PathBuf> {
    let dirs = directories::UserDirs::new()?;
    Some(dirs.download_dir().map_or_else(|| dirs.home_dir().join("Downloads"), Path::to_owned))
}

/// Tells the system that a file came from somebody else, so that it warns
/// before it runs it. Where that does not work the file is an ordinary one.
pub fn mark_foreign(path: &Path) {
    if let Err(error) = mark(path) {
        tracing::debug!(%error, "a file could not be marked as foreign");
    }
}

/// The zone of the internet, in the stream beside the file that Windows looks at.
#[cfg(windows)]
fn mark(path: &Path) -> std::io::Result<()> {
    let mut stream = path.as_os_str().to_owned();
    stream.push(":Zone.Identifier");
    std::fs::write(stream, "[ZoneTransfer]\r\nZoneId=3\r\n")
}

/// The attribute that Gatekeeper looks at.
#[cfg(target_os = "macos")]
fn mark(path: &Path) -> std::io::Result<()> {
    let attribute = ["-w", "com.apple.quarantine", "0081;00000000;Meantime;"];
    std::process::Command::new("/usr/bin/xattr").args(attribute).arg(path).status().map(drop)
}

/// Linux runs nothing that is not marked as a program, and this is not.
#[cfg(not(any(windows, target_os = "macos")))]
fn mark(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    let mut permissions = std::fs::metadata(path)?.permissions();
    permissions.set_mode(permissions.mode() & !0o111);
    std::fs::set_permissions(path, permissions)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    #[test]
    fn what_came_from_others_is_no_program() {
        use std::os::unix::fs::PermissionsExt as _;
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("a");
        std::fs::write(&path, "#!/bin/sh").unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        super::mark_foreign(&path);
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o644);
    }
}
