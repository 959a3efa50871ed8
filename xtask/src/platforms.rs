//! Type-checks app, command line and server for the systems this machine is
//! not. Building, signing and running there is the release workflow's work.

use crate::step::{self, Ended, minutes};
use crate::tally::Tally;
use crate::{paths, setup, ui};
use anyhow::{Result, bail};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// All that a release has.
const PACKAGES: &[&str] =
    &["--package", "meantime-desktop", "--package", "meantime-cli", "--package", "meantime-server"];
const TARGETS: [&str; 2] = ["x86_64-pc-windows-gnu", "aarch64-apple-darwin"];

/// `cargo xtask check-platforms`: fails where something is missing.
pub fn run() -> Result<ExitCode> {
    setup::only_on_linux("checking for other systems")?;
    setup::packages(&[setup::BUILD])?;
    ui::build()?;
    for target in TARGETS {
        if let Some(why) = missing(target)? {
            bail!("{target}: {why}");
        }
        of(target)?.or_stop()?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The same among all checks: where something is missing, that is said.
pub fn check(tally: &mut Tally) -> Result<()> {
    for target in TARGETS {
        match missing(target)? {
            None => drop(tally.check(&of(target)?)),
            Some(why) => tally.skipped(&format!("check for {target}: {why}")),
        }
    }
    Ok(())
}

fn of(target: &str) -> Result<Ended> {
    let mut check = paths::cargo(&["check", "--target", target]);
    // Nobody works on these builds: what makes the next one quicker takes room.
    check.args(PACKAGES).env("CARGO_INCREMENTAL", "0");
    // C code and resources are not type-checked: there may be no compiler for
    // them here, and build scripts only want to see one succeed.
    let suffix = target.replace('-', "_");
    for tool in ["CC", "CXX", "AR"] {
        check.env(format!("{tool}_{suffix}"), "/bin/true");
    }
    check.env(format!("RC_{suffix}"), windres()?);
    step::run(&format!("check for {target}"), check, minutes(40))
}

/// A resource compiler that says its name, which is looked at, and nothing else.
fn windres() -> Result<PathBuf> {
    let program = paths::logs().join("windres");
    fs::create_dir_all(paths::logs())?;
    fs::write(&program, "#!/bin/sh\necho GNU windres\n")?;
    #[cfg(unix)]
    fs::set_permissions(&program, std::os::unix::fs::PermissionsExt::from_mode(0o700))?;
    Ok(program)
}

/// Why this can't be checked here, if it can't. Gets what can be had.
fn missing(target: &str) -> Result<Option<String>> {
    if !cfg!(target_os = "linux") {
        return Ok(Some("that is done on Linux".to_owned()));
    }
    if has_standard_library(target) {
        return Ok(None);
    }
    if !setup::succeeds("rustup", &["--version"]) {
        return Ok(Some("its standard library is not installed, and there is no rustup to get it".to_owned()));
    }
    let mut rustup = paths::command("rustup");
    rustup.args(["target", "add", target]);
    let added = step::run(&format!("rustup target add {target}"), rustup, minutes(5))?;
    Ok(added.failure.map(|why| format!("its standard library can't be had ({why}; see {})", added.log.display())))
}

fn has_standard_library(target: &str) -> bool {
    let asked = paths::command("rustc").args(["--print", "target-libdir", "--target", target]).output();
    asked.is_ok_and(|told| Path::new(String::from_utf8_lossy(&told.stdout).trim()).is_dir())
}
