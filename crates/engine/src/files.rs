//! The app's own copies of files: those that wait to go out, and those that
//! came and are being saved. Each is named by the hash of its bytes and is
//! there as a whole or not at all. Which of them are needed is the store's to
//! say, what a person's file is called where it is saved [`place`]'s.

mod place;

pub(crate) use place::{Place, place_for, put};

use crate::api::{Failure, FailureCode};
use chrono::{DateTime, TimeDelta, Utc};
use meantime_protocol::Sha256;
use meantime_protocol::attachment::{self, Attachment};
use sha2::Digest as _;
use std::collections::HashSet;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// Behind the name of what is being copied in.
const COMING: &str = ".coming";
/// What came of a file is gone on with for so long.
const PART_KEPT: TimeDelta = TimeDelta::days(7);
/// Bytes copied at once.
const CHUNK: usize = 256 << 10;

/// The folder of the app's own copies.
pub(crate) struct Files {
    dir: PathBuf,
    /// Held while a copy was made and is not named anywhere yet, and while
    /// what nothing names is swept.
    pub(crate) turn: tokio::sync::Mutex<()>,
    in_use: Mutex<HashSet<Sha256>>,
}

/// A copy that is not swept while this lives.
pub(crate) struct InUse {
    files: Arc<Files>,
    sha256: Sha256,
}

impl Drop for InUse {
    fn drop(&mut self) {
        self.files.in_use.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.sha256);
    }
}

impl Files {
    pub(crate) fn new(dir: PathBuf) -> Self {
        Self { dir, turn: tokio::sync::Mutex::default(), in_use: Mutex::default() }
    }

    /// Where the copy of a file lies, if it is there.
    pub(crate) fn path(&self, sha256: &Sha256) -> PathBuf {
        self.dir.join(sha256.to_string())
    }

    /// Whether a copy of that length is there.
    pub(crate) fn has(&self, sha256: &Sha256, bytes: u64) -> bool {
        fs::metadata(self.path(sha256)).is_ok_and(|found| found.is_file() && found.len() == bytes)
    }

    /// There are no copies at all.
    pub(crate) fn is_empty(&self) -> bool {
        fs::read_dir(&self.dir).map_or(true, |mut entries| entries.next().is_none())
    }

    /// Makes the folder, for its owner alone.
    pub(crate) fn make(&self) -> io::Result<()> {
        let mut builder = fs::DirBuilder::new();
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.recursive(true).create(&self.dir)
    }

    /// Keeps a copy from being swept; none when somebody uses it already.
    pub(crate) async fn using(self: &Arc<Self>, sha256: Sha256) -> Option<InUse> {
        let _turn = self.turn.lock().await;
        let fresh = self.in_use.lock().unwrap_or_else(PoisonError::into_inner).insert(sha256);
        fresh.then(|| InUse { files: self.clone(), sha256 })
    }

    /// Copies a file in; on disk once it returns. `name`: what it is called,
    /// if not as its path says; `most`: the bytes it may have.
    pub(crate) fn take_in(&self, from: &Path, name: Option<&str>, most: u64) -> Result<Attachment, Failure> {
        let own = name.map(str::to_owned).or_else(|| Some(from.file_name()?.to_string_lossy().into_owned()));
        let name = attachment::file_name(&own.unwrap_or_default());
        let unread = |error: io::Error| cannot(&name, "read", &error);
        let found = fs::metadata(from).map_err(unread)?;
        if found.is_dir() {
            let message = format!("{name} is a folder: pack it into one file first");
            return Err(Failure::new(FailureCode::Invalid, message));
        }
        // A pipe or a device has no end, or none that is known.
        if !found.is_file() {
            return Err(Failure::new(FailureCode::Invalid, format!("{name} is no ordinary file")));
        }
        if found.len() > most {
            return Err(too_large(&name, most));
        }
        let mut source = File::open(from).map_err(unread)?;
        let uncopied = |error: io::Error| cannot(&name, "copied", &error);
        self.make().map_err(uncopied)?;
        let coming = Temporary(self.dir.join(format!("{}{COMING}", uuid::Uuid::now_v7())));
        let mut copy = new_file(&coming.0).map_err(uncopied)?;
        let (mut hash, mut bytes, mut chunk) = (sha2::Sha256::new(), 0_u64, vec![0; CHUNK]);
        loop {
            let n = source.read(&mut chunk).map_err(unread)?;
            if n == 0 {
                break;
            }
            bytes += n as u64;
            // It may grow while it is read.
            if bytes > most {
                return Err(too_large(&name, most));
            }
            let read = chunk.get(..n).unwrap_or_default();
            hash.update(read);
            copy.write_all(read).map_err(uncopied)?;
        }
        copy.sync_all().map_err(uncopied)?;
        drop(copy);
        let sha256 = Sha256(hash.finalize().into());
        fs::rename(&coming.0, self.path(&sha256)).and_then(|()| sync_folder(&self.dir)).map_err(uncopied)?;
        let media_type = media_type(&name).to_owned();
        Ok(Attachment { sha256, name, media_type, bytes })
    }

    /// Removes what is not `needed`, and what is left of copies that were
    /// never whole. Called with the turn held.
    pub(crate) fn sweep(&self, needed: &HashSet<Sha256>, now: DateTime<Utc>) -> io::Result<()> {
        let used = self.in_use.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let keeps = |sha256: &Sha256| needed.contains(sha256) || used.contains(sha256);
        for entry in fs::read_dir(&self.dir)? {
            let entry = entry?;
            let Ok(name) = entry.file_name().into_string() else { continue };
            let stale = if let Some(hash) = name.strip_suffix(".part") {
                let since = entry.metadata()?.modified().map(DateTime::<Utc>::from);
                let old = since.is_ok_and(|since| since + PART_KEPT < now);
                old && !hash.parse().is_ok_and(|sha256| used.contains(&sha256))
            } else if name.ends_with(COMING) {
                true
            } else {
                name.parse().is_ok_and(|sha256| !keeps(&sha256))
            };
            if stale {
                fs::remove_file(entry.path())?;
            }
        }
        Ok(())
    }
}

/// A file that is gone again unless it was renamed.
struct Temporary(PathBuf);

impl Drop for Temporary {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// A file that is not there yet, for its owner alone.
fn new_file(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// A name in a folder is on disk once the folder is.
fn sync_folder(folder: &Path) -> io::Result<()> {
    #[cfg(unix)]
    File::open(folder)?.sync_all()?;
    #[cfg(not(unix))]
    let _ = folder;
    Ok(())
}

fn too_large(name: &str, most: u64) -> Failure {
    let message =
        format!("{name} is larger than {} MiB, the most that can be sent: share a link to it instead", most >> 20);
    Failure::new(FailureCode::Invalid, message)
}

fn cannot(name: &str, what: &str, error: &io::Error) -> Failure {
    match error.kind() {
        io::ErrorKind::NotFound => Failure::new(FailureCode::NotFound, format!("{name} is not there")),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            let message = format!("there is no room on this disk for {name}: free some, then try again");
            Failure::new(FailureCode::NotPossible, message)
        }
        io::ErrorKind::PermissionDenied => {
            let message = format!("{name} can't be {what}: you have no right to it or its folder");
            Failure::new(FailureCode::NotPossible, message)
        }
        _ => Failure::new(FailureCode::Internal, format!("{name} can't be {what}: {error}")),
    }
}

/// What a file is taken for by the end of its name; the receiver relies on it
/// as little as on the name.
fn media_type(name: &str) -> &'static str {
    let ending = name.rsplit_once('.').map(|(_, ending)| ending.to_lowercase()).unwrap_or_default();
    match ending.as_str() {
        "csv" => "text/csv",
        "doc" => "application/msword",
        "docx" => "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        "gif" => "image/gif",
        "gz" => "application/gzip",
        "htm" | "html" => "text/html",
        "ics" => "text/calendar",
        "jpeg" | "jpg" => "image/jpeg",
        "json" => "application/json",
        "log" | "txt" => "text/plain",
        "md" => "text/markdown",
        "mp3" => "audio/mpeg",
        "mp4" => "video/mp4",
        "odp" => "application/vnd.oasis.opendocument.presentation",
        "ods" => "application/vnd.oasis.opendocument.spreadsheet",
        "odt" => "application/vnd.oasis.opendocument.text",
        "pdf" => "application/pdf",
        "png" => "image/png",
        "pptx" => "application/vnd.openxmlformats-officedocument.presentationml.presentation",
        "svg" => "image/svg+xml",
        "webm" => "video/webm",
        "webp" => "image/webp",
        "xlsx" => "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        "zip" => "application/zip",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(dir: &Path) -> Vec<String> {
        let mut names: Vec<_> =
            fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_copy_is_whole_private_and_swept_when_nothing_names_it() {
        let home = tempfile::tempdir().unwrap();
        let files = Files::new(home.path().join("files"));
        assert!(files.is_empty());
        let own = home.path().join("plan: v2.PDF");
        fs::write(&own, "what is planned").unwrap();
        let plan = files.take_in(&own, None, 100).unwrap();
        assert_eq!((plan.name.as_str(), plan.media_type.as_str(), plan.bytes), ("plan_ v2.PDF", "application/pdf", 15));
        assert_eq!(files.take_in(&own, Some("same"), 100).unwrap().sha256, plan.sha256);
        assert!(files.has(&plan.sha256, 15) && !files.has(&plan.sha256, 14));
        assert_eq!(names(&files.dir), [plan.sha256.to_string()], "the same bytes lie there once");
        #[cfg(unix)]
        for (path, mode) in [(files.dir.clone(), 0o700), (files.path(&plan.sha256), 0o600)] {
            use std::os::unix::fs::PermissionsExt as _;
            assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o777, mode);
        }

        // What a killed process leaves counts for nothing.
        fs::write(files.dir.join(format!("x{COMING}")), "half a").unwrap();
        fs::write(files.dir.join(format!("{}.part", plan.sha256)), "half a").unwrap();
        let now = DateTime::<Utc>::from(fs::metadata(&own).unwrap().modified().unwrap());
        files.sweep(&HashSet::from([plan.sha256]), now).unwrap();
        let part = format!("{}.part", plan.sha256);
        assert_eq!(names(&files.dir), [plan.sha256.to_string(), part.clone()]);
        files.sweep(&HashSet::new(), now).unwrap();
        assert_eq!(names(&files.dir), [part]);
        files.sweep(&HashSet::new(), now + TimeDelta::days(8)).unwrap();
        assert!(files.is_empty());
    }

    #[test]
    fn what_can_not_be_copied_is_said_and_leaves_nothing() {
        let home = tempfile::tempdir().unwrap();
        let files = Files::new(home.path().join("files"));
        fs::write(home.path().join("large"), [0; 11]).unwrap();
        let said = |name: &str| files.take_in(&home.path().join(name), None, 10).unwrap_err();
        for (name, code, words) in [
            ("large", FailureCode::Invalid, "larger than"),
            ("none", FailureCode::NotFound, "not there"),
            ("", FailureCode::Invalid, "folder"),
        ] {
            let failure = said(name);
            assert!(failure.code == code && failure.message.contains(words), "{failure:?}");
        }
        #[cfg(target_os = "linux")]
        assert!(files.take_in(Path::new("/dev/zero"), None, 10).unwrap_err().message.contains("no ordinary file"));
        assert!(files.is_empty());
    }

    #[tokio::test]
    async fn what_is_used_is_not_swept() {
        let home = tempfile::tempdir().unwrap();
        let files = Arc::new(Files::new(home.path().join("files")));
        fs::write(home.path().join("a"), "a").unwrap();
        let a = files.take_in(&home.path().join("a"), None, 10).unwrap();
        let used = files.using(a.sha256).await.unwrap();
        assert!(files.using(a.sha256).await.is_none());
        files.sweep(&HashSet::new(), DateTime::UNIX_EPOCH).unwrap();
        assert!(files.has(&a.sha256, 1));
        drop(used);
        files.sweep(&HashSet::new(), DateTime::UNIX_EPOCH).unwrap();
        assert!(!files.has(&a.sha256, 1));
    }
}
