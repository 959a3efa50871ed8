//! Who may read what is secret, and what holds it: its owner alone.

use crate::data::DataDir;
use crate::settings::Settings;
use anyhow::{Context as _, ensure};
use std::fs;
use std::path::{Path, PathBuf};

/// Looks at every file and folder that has secrets in it.
///
/// # Errors
/// When somebody else may use some of them: which, and what to do.
pub fn private(data: &DataDir, settings: &Settings) -> anyhow::Result<()> {
    let mut exposed = Vec::new();
    for path in all(data, settings)? {
        exposed.extend(exposes(&path).with_context(|| path.display().to_string())?);
    }
    ensure!(exposed.is_empty(), "{}", exposed.join("; "));
    Ok(())
}

/// Looks whose the files of the data folder are: what root or somebody else
/// made there, the server can't use.
///
/// # Errors
/// Which are not whose the folder is, or not this process's to use.
#[cfg(unix)]
pub fn owned(data: &DataDir) -> anyhow::Result<()> {
    use std::os::unix::fs::MetadataExt as _;
    let folder = data.folder();
    let unread = || format!("{} can't be read", folder.display());
    let owner = fs::metadata(folder).with_context(unread)?.uid();
    let mut others = Vec::new();
    for entry in fs::read_dir(folder).with_context(unread)? {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let ours = OURS.iter().any(|begin| name.starts_with(begin));
        // What is gone by now is nobody's.
        let uid = entry.metadata().ok().map(|found| found.uid());
        if let Some(uid) = uid.filter(|uid| ours && *uid != owner) {
            others.push(format!("{} is user {uid}'s", entry.path().display()));
        }
    }
    others.sort();
    ensure!(others.is_empty(), "{}; the folder is user {owner}'s: chown -R {owner} it", others.join(", "));
    Ok(())
}

#[cfg(not(unix))]
pub fn owned(_: &DataDir) -> anyhow::Result<()> {
    Ok(())
}

/// How the names of what a server makes in its folder begin.
#[cfg(unix)]
const OURS: [&str; 9] =
    ["server.", "ca.", "seal.key", "acme", "address", "lock", "attachments", "backups", "before-restore-"];

fn all(data: &DataDir, settings: &Settings) -> anyhow::Result<Vec<PathBuf>> {
    let mut all = Vec::new();
    // Keys, an account, the database and what it was before.
    let folder = data.folder();
    for entry in fs::read_dir(folder).with_context(|| format!("{} can't be read", folder.display()))? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let begins = ["server.db", "before-restore-", "acme-account"].iter().any(|begin| name.starts_with(begin));
        if begins || name.ends_with(".key") {
            all.push(path);
        }
    }
    let Settings { storage, pokes, tls, attachments, backup, .. } = settings;
    let named = [&storage.url_file, &storage.owner_url_file, &pokes.url_file, &tls.key, &attachments.key_file];
    all.extend(named.into_iter().flatten().cloned());
    all.extend(attachments.in_a_folder().then(|| attachments.folder.clone()));
    all.push(backup.folder.clone());
    // Docker and systemd put secrets where only the container or the service
    // sees them, whatever their modes say.
    let handed = std::env::var_os("CREDENTIALS_DIRECTORY").map(PathBuf::from);
    let elsewhere = [Some(PathBuf::from("/run/secrets")), handed];
    all.retain(|path| !elsewhere.iter().flatten().any(|folder| path.starts_with(folder)));
    Ok(all)
}

/// What is wrong with a mode. A file of somebody else's (root's, say) may be
/// readable for this process's own group: it could not be read otherwise.
#[cfg(unix)]
fn exposes(path: &Path) -> std::io::Result<Option<String>> {
    use rustix::process::{getegid, geteuid};
    use std::os::unix::fs::MetadataExt as _;
    let found = match fs::metadata(path) {
        Ok(found) => found,
        // What has to be there is missed elsewhere.
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(e),
    };
    let mode = found.mode() & 0o777;
    let lent = found.uid() != geteuid().as_raw() && found.gid() == getegid().as_raw();
    let who = match mode {
        mode if mode & 0o007 != 0 => "everybody",
        mode if mode & 0o070 != 0 && !lent => "its group",
        _ => return Ok(None),
    };
    let right = if found.is_dir() { 700 } else { 600 };
    Ok(Some(format!("{who} may use {} (mode {mode:o}); chmod {right} it", path.display())))
}

#[cfg(not(unix))]
fn exposes(_: &Path) -> std::io::Result<Option<String>> {
    Ok(None)
}

#[cfg(all(test, unix))]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::settings::{Backup, Beginning};
    use std::os::unix::fs::{PermissionsExt as _, chown};

    fn mode(path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn nobody_else_uses_a_secret() {
        let dir = tempfile::tempdir().unwrap();
        let data = DataDir::new(&dir.path().join("data"));
        let mut settings = data.begin(&Beginning::default()).unwrap();
        let elsewhere = |name: &str| Some(dir.path().join(name));
        settings.storage.url_file = elsewhere("url");
        settings.storage.owner_url_file = elsewhere("owner-url");
        settings.pokes.url_file = elsewhere("nats-url");
        settings.tls.key = elsewhere("tls.pem");
        settings.attachments.key_file = elsewhere("s3-key");
        settings.backup = Backup { folder: dir.path().join("backups"), ..Backup::default() };
        private(&data, &settings).expect("what is not there is nobody's");
        let folders = [settings.attachments.folder.clone(), settings.backup.folder.clone()];
        let inside = ["ca.key", "server.key", "acme.key", "acme-account.json", "server.db", "server.db-wal"];
        let outside = ["url", "owner-url", "nats-url", "tls.pem", "s3-key"];
        let files: Vec<PathBuf> =
            inside.iter().map(|name| data.file(name)).chain(outside.iter().map(|name| dir.path().join(name))).collect();
        folders.iter().for_each(|folder| fs::create_dir(folder).unwrap());
        files.iter().for_each(|file| fs::write(file, "secret").unwrap());
        let every = || files.iter().map(|file| (file, 0o600)).chain(folders.iter().map(|folder| (folder, 0o700)));
        every().for_each(|(path, right)| mode(path, right));
        private(&data, &settings).unwrap();
        for (path, right) in every() {
            for (more, who) in [(0o040, "its group may use "), (0o004, "everybody may use "), (0o020, "its group")] {
                mode(path, right | more);
                let said = private(&data, &settings).unwrap_err().to_string();
                assert!(said.starts_with(who) && said.contains(path.to_str().unwrap()), "{said}");
                assert!(said.ends_with(&format!("chmod {right:o} it")), "{said}");
            }
            mode(path, right);
        }
        // All of them are said at once; what anybody may know is no secret.
        mode(&files[0], 0o644);
        mode(&files[1], 0o640);
        fs::write(data.file("ca.pem"), "no secret").unwrap();
        mode(&data.file("ca.pem"), 0o644);
        assert_eq!(private(&data, &settings).unwrap_err().to_string().matches("chmod").count(), 2);
    }

    #[test]
    fn what_somebody_else_made_there_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let data = DataDir::new(dir.path());
        fs::write(data.file("server.db"), "").unwrap();
        fs::write(data.file("notes.txt"), "").unwrap();
        owned(&data).unwrap();
        let other = rustix::process::geteuid().as_raw() + 1;
        if chown(data.file("server.db"), Some(other), None).is_err() {
            return;
        }
        chown(data.file("notes.txt"), Some(other), None).unwrap();
        let said = owned(&data).unwrap_err().to_string();
        assert!(said.contains("server.db is user") && said.contains("chown -R"), "{said}");
        assert!(!said.contains("notes.txt"), "what is not the server's own is nobody's business: {said}");
    }

    #[test]
    fn a_file_of_roots_may_be_lent_to_the_service() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("url");
        fs::write(&file, "secret").unwrap();
        mode(&file, 0o640);
        // Only root gives files away; to somebody else here, as root's are to the service.
        if chown(&file, Some(rustix::process::geteuid().as_raw() + 1), None).is_err() {
            return;
        }
        assert_eq!(exposes(&file).unwrap(), None);
        mode(&file, 0o644);
        assert!(exposes(&file).unwrap().unwrap().starts_with("everybody"));
        mode(&file, 0o640);
        chown(&file, None, Some(rustix::process::getegid().as_raw() + 1)).unwrap();
        assert!(exposes(&file).unwrap().unwrap().starts_with("its group"), "another group");
    }
}
