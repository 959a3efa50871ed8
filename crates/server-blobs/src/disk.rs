//! Folders that survive a power cut. A file's bytes are brought onto the disk by
//! whoever writes them; its name, new, changed or gone, is its folder's.

use std::fs;
use std::io;
use std::path::Path;

/// Brings the names in a folder onto the disk. Does nothing where there is no
/// way to: on Windows, and on some file systems of other machines.
///
/// # Errors
/// When the folder can't be read, or the disk fails.
pub fn sync_folder(folder: &Path) -> io::Result<()> {
    #[cfg(unix)]
    match fs::File::open(named(folder))?.sync_all() {
        Err(e) if matches!(e.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported) => {}
        synced => return synced,
    }
    #[cfg(not(unix))]
    let _ = folder;
    Ok(())
}

/// Makes a folder, and those above it that are missing, for its owner only;
/// on the disk when this returns. One that is there is as good.
///
/// # Errors
/// When the system refuses.
pub fn make_folder(folder: &Path) -> io::Result<()> {
    if named(folder).is_dir() {
        return Ok(());
    }
    let above = folder.parent().unwrap_or(Path::new(""));
    make_folder(above)?;
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    match builder.create(folder) {
        // Somebody else was first.
        Err(_) if folder.is_dir() => Ok(()),
        made => made.and_then(|()| sync_folder(above)),
    }
}

/// Above a name alone there is "", which is this folder.
fn named(folder: &Path) -> &Path {
    if folder.as_os_str().is_empty() { Path::new(".") } else { folder }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_are_made_once_and_for_their_owner() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("a").join("b");
        for _ in 0..2 {
            make_folder(&folder).unwrap();
            sync_folder(&folder).unwrap();
        }
        #[cfg(unix)]
        for folder in [&folder, folder.parent().unwrap()] {
            use std::os::unix::fs::PermissionsExt as _;
            assert_eq!(folder.metadata().unwrap().permissions().mode() & 0o777, 0o700);
        }
        make_folder(Path::new("")).unwrap();
        sync_folder(Path::new("")).unwrap();
        fs::write(folder.join("file"), "").unwrap();
        assert!(make_folder(&folder.join("file")).is_err() && make_folder(&folder.join("file/c")).is_err());
        #[cfg(unix)]
        assert!(sync_folder(&dir.path().join("none")).is_err());
    }
}
