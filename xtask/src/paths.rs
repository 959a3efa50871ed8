//! Where things lie: the checkout, what is built, what is kept between runs.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The checkout.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("."))
}

/// What is built goes here. On a build machine (`CI=true`) this is a folder
/// outside the checkout, so that a fresh clone finds what the last one built.
pub fn target() -> PathBuf {
    match env::var_os("CARGO_TARGET_DIR") {
        Some(dir) => root().join(dir),
        None if on_ci() => cache().join("target"),
        None => root().join("target"),
    }
}

/// Logs of the steps. Where checkouts share what is built, each has its own.
pub fn logs() -> PathBuf {
    let logs = target().join("xtask-logs");
    if target().starts_with(root()) {
        return logs;
    }
    let name = root().to_string_lossy();
    logs.join(name.trim_matches(['/', '\\']).replace(|c: char| !c.is_ascii_alphanumeric(), "-"))
}

/// Kept between runs and shared by checkouts; may be deleted at any time.
pub fn cache() -> PathBuf {
    base("XDG_CACHE_HOME", ".cache", "Library/Caches").join("meantime")
}

/// Programs the tests need that no package manager has.
pub fn tools() -> PathBuf {
    cache().join("tools")
}

/// The sample team and its app, as `cargo xtask run` left them.
pub fn sample() -> PathBuf {
    base("XDG_DATA_HOME", ".local/share", "Library/Application Support").join("meantime-sample")
}

/// On a build machine.
pub fn on_ci() -> bool {
    env::var("CI").is_ok_and(|ci| ci == "true" || ci == "1")
}

/// `cargo`, without what the outer `cargo run` set for this program alone: an
/// inner build that sees it would not be the one a person starts by hand.
pub fn cargo(args: &[&str]) -> Command {
    let mut cargo = command("cargo");
    cargo.args(args);
    cargo
}

/// A cargo command for the same packages each time: with others, features
/// would differ and dependencies be built twice.
pub fn everything(command: &str) -> Command {
    let mut everything = cargo(&[command, "--workspace"]);
    if !cfg!(target_os = "linux") {
        // The whole-system tests, the tour and the benchmarks are made of Linux's parts.
        everything.args(["--exclude", "meantime-tests"]);
    }
    if cfg!(windows) {
        // This very program: while it runs, Windows lets nobody replace it.
        everything.args(["--exclude", "xtask"]);
    }
    everything
}

/// A program, started in the checkout with the folders above.
pub fn command(program: &str) -> Command {
    let mut command = Command::new(program);
    command.current_dir(root()).env("CARGO_TARGET_DIR", target());
    for (name, _) in env::vars_os() {
        let name = name.to_string_lossy();
        if name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_") {
            command.env_remove(&*name);
        }
    }
    if on_ci() && env::var_os("npm_config_cache").is_none() {
        command.env("npm_config_cache", cache().join("npm"));
    }
    command
}

/// `npm`, in the folder of the window's sources.
pub fn npm(args: &[&str]) -> Command {
    let mut npm = command(if cfg!(windows) { "npm.cmd" } else { "npm" });
    npm.args(args).current_dir(root().join("ui")).env("NO_COLOR", "1");
    npm
}

/// A program of ours, as built in the dev profile.
pub fn built(name: &str) -> PathBuf {
    target().join("debug").join(format!("{name}{}", env::consts::EXE_SUFFIX))
}

fn base(variable: &str, unix: &str, mac: &str) -> PathBuf {
    let home = |name: &str| PathBuf::from(env::var_os(name).unwrap_or_else(|| OsString::from(".")));
    match env::var_os(variable) {
        Some(dir) if Path::new(&dir).is_absolute() => PathBuf::from(dir),
        _ if cfg!(windows) => home("LOCALAPPDATA"),
        _ if cfg!(target_os = "macos") => home("HOME").join(mac),
        _ => home("HOME").join(unix),
    }
}
