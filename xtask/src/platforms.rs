//! Type-checks the app for the systems this machine is not. Building, signing
//! and running there is the release workflow's work.

use crate::{paths, setup, step};
use anyhow::Result;
use std::process::ExitCode;

const PACKAGES: &[&str] = &["--package", "meantime-desktop", "--package", "meantime-cli"];

/// `cargo xtask check-platforms`.
pub fn run() -> Result<ExitCode> {
    setup::packages(&[setup::PLATFORMS])?;
    crate::ui::build()?;
    for target in ["x86_64-pc-windows-gnu", "aarch64-apple-darwin"] {
        let mut rustup = paths::command("rustup");
        rustup.args(["target", "add", target]);
        step::run(&format!("rustup target {target}"), rustup, step::minutes(10))?.or_stop()?;

        let mut check = paths::cargo(&["check", "--target", target]);
        check.args(PACKAGES);
        if target.contains("apple") {
            // C code is not type-checked: no compiler for it exists here, and
            // build scripts only want to see one succeed.
            for tool in ["CC", "CXX", "AR"] {
                check.env(format!("{tool}_{}", target.replace('-', "_")), "/bin/true");
            }
        }
        step::run(&format!("check {target}"), check, step::minutes(40))?.or_stop()?;
    }
    Ok(ExitCode::SUCCESS)
}
