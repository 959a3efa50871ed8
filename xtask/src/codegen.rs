//! Writes the generated files again. That they are fresh is checked by the
//! test beside each generator, as part of `cargo xtask test`.

use crate::{paths, step};
use anyhow::Result;
use std::process::ExitCode;

/// `cargo xtask codegen`.
pub fn run() -> Result<ExitCode> {
    let mut bindings = paths::cargo(&["test", "--package", "meantime-engine", "--test", "typescript"]);
    bindings.env("MEANTIME_CODEGEN", "1");
    step::run("ui/src/host/bindings.ts", bindings, step::minutes(30))?.or_stop()?;
    Ok(ExitCode::SUCCESS)
}
