//! The log file: `desktop.log` in the profile's cache folder.

use anyhow::Context;
use meantime_platform::Dirs;
use std::fs::File;
use std::path::Path;
use std::sync::Mutex;
use tracing_subscriber::EnvFilter;

/// A longer file is put aside at the start.
const LIMIT: u64 = 4 * 1024 * 1024;

/// Begins to log. `MEANTIME_LOG` sets the level, as in `RUST_LOG`.
pub fn start(dirs: &Dirs) -> anyhow::Result<()> {
    let path = dirs.cache.join("desktop.log");
    let file = open(&path).with_context(|| format!("the log {} can't be written", path.display()))?;
    let filter =
        EnvFilter::try_from_env("MEANTIME_LOG").unwrap_or_else(|_| EnvFilter::new("info,zbus=warn,tracing=warn"));
    tracing_subscriber::fmt().with_env_filter(filter).with_ansi(false).with_writer(Mutex::new(file)).init();
    // A bug is written down as well; whoever catches it says what it means.
    std::panic::set_hook(Box::new(|panic| tracing::error!("{panic}\n{}", std::backtrace::Backtrace::force_capture())));
    Ok(())
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
