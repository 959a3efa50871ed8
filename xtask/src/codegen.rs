//! Writes the generated files again. That they are fresh is checked by the
//! test beside each generator, as part of `cargo xtask test`.

use crate::{paths, step};
use anyhow::Result;
use std::process::ExitCode;

/// `cargo xtask codegen`.
pub fn run() -> Result<ExitCode> {
    let mut bindings = paths::cargo(&["test", "--package", "meantime-engine", "--test", "all"]);
    bindings.arg("the_bindings_are_not_stale").env("MEANTIME_CODEGEN", "1");
    step::run("ui/src/host/bindings.ts", bindings, step::minutes(30))?.or_stop()?;
    let mut document = paths::cargo(&["test", "--package", "meantime-server", "--lib"]);
    document.arg("the_document_in_docs_is_this_one").env("MEANTIME_CODEGEN", "1");
    step::run("docs/openapi.json", document, step::minutes(30))?.or_stop()?;
    Ok(ExitCode::SUCCESS)
}
