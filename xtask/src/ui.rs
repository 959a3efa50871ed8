//! The window's sources: packages and build, each skipped when nothing it
//! reads has changed.

use crate::{paths, step};
use anyhow::{Context, Result, bail};
use std::collections::hash_map::DefaultHasher;
use std::fs;
use std::hash::{Hash, Hasher};
use std::path::{Path, PathBuf};

/// `npm ci`, unless the packages of this very lock file are there.
pub fn packages() -> Result<()> {
    let ui = paths::root().join("ui");
    let stamp = Stamp::of("packages", &[ui.join("package-lock.json"), ui.join("package.json")])?;
    if stamp.holds() {
        return Ok(());
    }
    step::run("npm ci", paths::npm(&["ci", "--no-audit", "--no-fund"]), step::minutes(15))?.or_stop()?;
    stamp.keep()
}

/// Builds `ui/dist`, unless it was built from these very sources.
pub fn build() -> Result<()> {
    packages()?;
    let ui = paths::root().join("ui");
    let mut sources = Vec::new();
    files_under(&ui, &mut sources)?;
    let stamp = Stamp::of("dist", &sources)?;
    if stamp.holds() && ui.join("dist/index.html").is_file() {
        return Ok(());
    }
    step::run("window (npm run build)", paths::npm(&["run", "build"]), step::minutes(10))?.or_stop()?;
    if !ui.join("dist/index.html").is_file() {
        bail!("`npm run build` ended well, but there is no ui/dist/index.html");
    }
    stamp.keep()
}

/// What was last made from which files. Kept in `node_modules`: it goes when
/// that goes, and each checkout has its own.
struct Stamp {
    file: PathBuf,
    hash: String,
}

impl Stamp {
    fn of(name: &str, files: &[PathBuf]) -> Result<Self> {
        let mut hasher = DefaultHasher::new();
        for file in files {
            file.hash(&mut hasher);
            fs::read(file).with_context(|| format!("can't read {}", file.display()))?.hash(&mut hasher);
        }
        let file = paths::root().join("ui/node_modules").join(format!(".meantime-{name}"));
        Ok(Self { file, hash: format!("{:016x}", hasher.finish()) })
    }

    fn holds(&self) -> bool {
        fs::read_to_string(&self.file).is_ok_and(|hash| hash == self.hash)
    }

    fn keep(&self) -> Result<()> {
        fs::write(&self.file, &self.hash).with_context(|| format!("can't write {}", self.file.display()))
    }
}

/// In a fixed order, without what is made from them.
fn files_under(folder: &Path, found: &mut Vec<PathBuf>) -> Result<()> {
    let mut entries: Vec<PathBuf> = fs::read_dir(folder)
        .with_context(|| format!("can't read {}", folder.display()))?
        .map(|entry| Ok(entry?.path()))
        .collect::<Result<_>>()?;
    entries.sort();
    for path in entries {
        let name = path.file_name().unwrap_or_default();
        if path.is_dir() {
            if name != "node_modules" && name != "dist" {
                files_under(&path, found)?;
            }
        } else {
            found.push(path);
        }
    }
    Ok(())
}
