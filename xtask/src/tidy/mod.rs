//! The rules of docs/ARCHITECTURE.md that a program can check: who may use
//! whom, how long a file may be, what must not be in one. What clippy and
//! rustfmt check is not repeated here.

mod files;
mod layers;
mod locks;

use crate::paths;
use anyhow::{Context, Result, bail};
use std::path::PathBuf;
use std::process::{Command, ExitCode};

/// `cargo xtask tidy`.
pub fn run() -> Result<ExitCode> {
    let problems = problems()?;
    for problem in &problems {
        println!("{problem}");
    }
    if problems.is_empty() {
        println!("tidy");
        return Ok(ExitCode::SUCCESS);
    }
    bail!("{} to put right", problems.len())
}

/// One line for each thing to put right, with the place.
pub fn problems() -> Result<Vec<String>> {
    let mut problems = layers::problems()?;
    for path in tracked()? {
        // A file may be gone while its removal is not committed yet; pictures
        // and other bytes have no lines to look at.
        let Some(text) = std::fs::read(paths::root().join(&path)).ok().and_then(|bytes| String::from_utf8(bytes).ok())
        else {
            continue;
        };
        files::look(&path, &text, &mut problems);
        locks::look(&path, &text, &mut problems);
    }
    Ok(problems)
}

/// Files git knows or would add, relative to the checkout.
fn tracked() -> Result<Vec<PathBuf>> {
    let git = Command::new("git")
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        .current_dir(paths::root())
        .output()
        .context("can't start git")?;
    if !git.status.success() {
        bail!("git ls-files: {}", String::from_utf8_lossy(&git.stderr).trim());
    }
    let mut files: Vec<PathBuf> =
        String::from_utf8_lossy(&git.stdout).split('\0').filter(|path| !path.is_empty()).map(PathBuf::from).collect();
    files.sort();
    files.dedup();
    Ok(files)
}
