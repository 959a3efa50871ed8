//! Every check and test, in the order in which a mistake is cheapest to find.
//! The last line is `N passed, N failed`; what could not be tried on this
//! machine is said before it.

use crate::step::{self, Ended, minutes};
use crate::tally::{Counts, Tally};
use crate::{paths, platforms, setup, tidy, ui};
use anyhow::Result;
use std::process::ExitCode;

/// `cargo xtask test`.
pub fn run() -> Result<ExitCode> {
    let mut tally = Tally::default();
    if let Err(error) = all(&mut tally) {
        // Nothing after this step would mean anything; what was counted stands.
        tally.checked("preparations", &[format!("{error:#}")]);
    }
    Ok(if tally.report() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn all(tally: &mut Tally) -> Result<()> {
    println!("logs: {}", paths::logs().display());
    setup::packages(&[setup::BUILD, setup::TEST])?;
    setup::rust_components()?;
    setup::tauri_driver()?;
    setup::schemathesis()?;

    tally.check(&step::run("rustfmt", paths::cargo(&["fmt", "--all", "--check"]), minutes(5))?);
    tally.checked("tidy", &tidy::problems()?);

    ui::packages()?;
    tally.check(&step::run("window: types", paths::npm(&["run", "check"]), minutes(10))?);
    let tests = step::run("window: tests", paths::npm(&["test"]), minutes(15))?;
    tally.tests(&tests, Counts::of_vitest(&tests.text()));
    // The desktop crate takes the built window in, so it comes before it.
    ui::build()?;

    let mut clippy = paths::everything("clippy");
    clippy.args(["--all-targets", "--", "--deny", "warnings"]);
    tally.check(&step::run("clippy", clippy, minutes(40))?);

    let mut build = paths::everything("build");
    build.arg("--all-targets");
    if tally.check(&step::run("build", build, minutes(60))?) {
        let tests = cargo_tests()?;
        tally.tests(&tests, Counts::of_cargo(&tests.text()));
    }
    platforms::check(tally)?;
    Ok(())
}

/// Unit, integration and whole-system tests.
fn cargo_tests() -> Result<Ended> {
    let mut test = paths::everything("test");
    // What failed says enough; where in the runtime it did says nothing.
    test.arg("--no-fail-fast").env("RUST_BACKTRACE", "0").env("MEANTIME_TAURI_DRIVER", setup::tauri_driver_path());
    test.env("MEANTIME_SCHEMATHESIS", setup::schemathesis_path());
    // Most of a test is waiting: for a process, for a clock.
    let cores = std::thread::available_parallelism().map_or(2, usize::from);
    test.env("RUST_TEST_THREADS", (2 * cores).to_string());
    step::run("tests", test, minutes(40))
}
