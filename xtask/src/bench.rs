//! Benchmarks against something that runs beside Meantime (docs/bench).
//!
//! The programs that measure are in `tests/src/bin/bench_*.rs`; this builds
//! them optimised and lets them write their report.

use crate::{paths, setup, step, ui};
use anyhow::{Context, Result, bail};
use std::process::ExitCode;

/// Those about the app: the window is built for them.
const APP: &[&str] = &["start", "search"];
/// Those about the team server, beside other servers.
const SERVER: &[&str] = &["sync", "streams", "storm"];

/// Those of rules alone: nothing runs beside them.
const RULES: &[&str] = &["due"];

/// `cargo xtask bench NAME [--quick]`.
pub fn run(name: &str, options: &[&str]) -> Result<ExitCode> {
    let quick = match options {
        [] => false,
        ["--quick"] => true,
        other => bail!("bench does not know {}", other.join(" ")),
    };
    setup::only_on_linux("a benchmark")?;
    let mut arguments = vec!["build", "--profile", "bench"];
    if APP.contains(&name) {
        setup::packages(&[setup::BUILD, setup::TEST, setup::BENCH])?;
        setup::tauri_driver()?;
        ui::build()?;
        arguments.extend(["--workspace", "--bins"]);
    } else if SERVER.contains(&name) {
        setup::packages(&[setup::BENCH_SERVER])?;
        if name == "sync" {
            setup::synapse()?;
        }
        arguments.extend(["--package", "meantime-server", "--package", "meantime-tests", "--bins"]);
    } else if RULES.contains(&name) {
        arguments.extend(["--package", "meantime-tests", "--bins"]);
    } else {
        bail!("there is no benchmark {name:?}; there are: {}", [APP, SERVER, RULES].concat().join(", "));
    }
    step::run("optimised build", paths::cargo(&arguments), step::minutes(60))?.or_stop()?;

    let program = paths::target().join("release").join(format!("bench_{name}{}", std::env::consts::EXE_SUFFIX));
    let mut bench = paths::command(&program.to_string_lossy());
    bench.env("MEANTIME_TAURI_DRIVER", setup::tauri_driver_path()).env("MEANTIME_SYNAPSE", setup::synapse_programs());
    if quick {
        bench.arg("--quick");
    } else {
        bench.arg("--report").arg(paths::root().join("docs/bench").join(format!("{name}.md")));
    }
    let status = bench.status().context("can't start the benchmark")?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
