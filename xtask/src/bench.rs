//! Benchmarks against something that runs beside Meantime (docs/bench).
//!
//! The programs that measure are in `tests/src/bin/bench_*.rs`; this builds
//! them optimised and lets them write their report.

use crate::{paths, setup, step, ui};
use anyhow::{Context, Result, bail};
use std::process::ExitCode;

const KNOWN: &[&str] = &["start", "search"];

/// `cargo xtask bench NAME [--quick]`.
pub fn run(name: &str, options: &[&str]) -> Result<ExitCode> {
    if !KNOWN.contains(&name) {
        bail!("there is no benchmark {name:?}; there are: {}", KNOWN.join(", "));
    }
    let quick = match options {
        [] => false,
        ["--quick"] => true,
        other => bail!("bench does not know {}", other.join(" ")),
    };
    setup::packages(&[setup::BUILD, setup::TEST, setup::BENCH])?;
    setup::tauri_driver()?;
    ui::build()?;
    let build = paths::cargo(&["build", "--profile", "bench", "--workspace", "--bins"]);
    step::run("optimised build", build, step::minutes(60))?.or_stop()?;

    let program = paths::target().join("release").join(format!("bench_{name}{}", std::env::consts::EXE_SUFFIX));
    let mut bench = paths::command(&program.to_string_lossy());
    bench.env("MEANTIME_TAURI_DRIVER", setup::tauri_driver_path());
    if quick {
        bench.arg("--quick");
    } else {
        bench.arg("--report").arg(paths::root().join("docs/bench").join(format!("{name}.md")));
    }
    let status = bench.status().context("can't start the benchmark")?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
