//! The log file: `desktop.log` in the profile's cache folder.

use meantime_platform::Dirs;
use std::fs::File;
use std::path::Path;
use std::sync::Mutex;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::writer::BoxMakeWriter;

/// A longer file is put aside at the start.
const LIMIT: u64 = 4 * 1024 * 1024;

/// Begins to log. `MEANTIME_LOG` sets the level, as in `RUST_LOG`.
///
/// A log that can't be written (say, the disk is full) keeps nobody from their
/// window: it goes to stderr then.
pub fn start(dirs: &Dirs) {
    let path = dirs.cache.join("desktop.log");
    let (writer, unwritable) = writer(&path);
    let filter =
        EnvFilter::try_from_env("MEANTIME_LOG").unwrap_or_else(|_| EnvFilter::new("info,zbus=warn,tracing=warn"));
    tracing_subscriber::fmt().with_env_filter(filter).with_ansi(false).with_writer(writer).init();
    if let Some(error) = unwritable {
        tracing::warn!(%error, path = %path.display(), "the log can't be written: it goes here instead");
    }
    // A bug is written down as well; whoever catches it says what it means.
    std::panic::set_hook(Box::new(|panic| tracing::error!("{panic}\n{}", std::backtrace::Backtrace::force_capture())));
}

/// Where it goes, and why not into the file if it doesn't.
fn writer(path: &Path) -> (BoxMakeWriter, Option<std::io::Error>) {
    match open(path) {
        Ok(file) => (BoxMakeWriter::new(Mutex::new(file)), None),
        Err(error) => (BoxMakeWriter::new(std::io::stderr), Some(error)),
    }
}

fn open(path: &Path) -> std::io::Result<File> {
    if std::fs::metadata(path).is_ok_and(|found| found.len() > LIMIT) {
        std::fs::rename(path, path.with_extension("old.log"))?;
    }
    let mut options = File::options();
    options.append(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;
    use tracing_subscriber::fmt::MakeWriter as _;

    #[test]
    fn a_log_that_can_not_be_written_goes_elsewhere() {
        let folder = tempfile::tempdir().unwrap();
        let (writer, unwritable) = writer(&folder.path().join("desktop.log"));
        assert!(unwritable.is_none());
        writer.make_writer().write_all(b"one line\n").unwrap();
        assert_eq!(std::fs::read(folder.path().join("desktop.log")).unwrap(), b"one line\n");
        let (writer, unwritable) = super::writer(&folder.path().join("desktop.log/below"));
        assert!(unwritable.is_some());
        writer.make_writer().write_all(b"").unwrap();
    }
}
