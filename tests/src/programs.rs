//! Where the programs under test are: beside the test itself, where
//! `cargo xtask` built them.

use anyhow::{Context, Result, bail};
use std::env;
use std::path::{Path, PathBuf};

/// The app with its window.
pub const DESKTOP: &str = "meantime-desktop";
/// The command line.
pub const CLI: &str = "meantime";
/// The team server.
pub const SERVER: &str = "meantime-server";

/// A program of ours.
///
/// # Errors
/// It was not built.
pub fn ours(name: &str) -> Result<PathBuf> {
    let me = env::current_exe().context("the system does not tell where this test lies")?;
    // A test lies in `deps`, one folder below the programs.
    let folders = me.ancestors().skip(1).take(2);
    let file = format!("{name}{}", env::consts::EXE_SUFFIX);
    let found = folders.map(|folder| folder.join(&file)).find(|path| path.is_file());
    found.with_context(|| format!("{name} is not built: cargo build --workspace --bins"))
}

/// `tauri-driver`, which `cargo xtask` installs.
///
/// # Errors
/// It is nowhere.
pub fn tauri_driver() -> Result<PathBuf> {
    if let Some(path) = env::var_os("MEANTIME_TAURI_DRIVER") {
        return Ok(PathBuf::from(path));
    }
    let cache = env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let cache = cache.or_else(|| env::var_os("HOME").map(|home| Path::new(&home).join(".cache")));
    match cache.map(|cache| cache.join("meantime/tools/bin/tauri-driver")) {
        Some(path) if path.is_file() => Ok(path),
        _ => bail!("tauri-driver is not installed: start `cargo xtask test` once"),
    }
}

/// The checkout.
#[must_use]
pub fn checkout() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("."))
}
