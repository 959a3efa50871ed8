//! `cargo xtask`: everything one does with this repository.
//!
//! It holds no product code and knows the product only by its commands: it
//! installs what a build needs, builds, starts, checks and measures. It is
//! compiled before everything else, so it stays small and almost without
//! dependencies.

mod bench;
mod codegen;
mod icons;
mod paths;
mod platforms;
mod run;
mod setup;
mod step;
mod tally;
mod test;
mod tidy;
mod ui;

use std::process::ExitCode;

const USAGE: &str = "cargo xtask COMMAND

  run [--home DIR]   start Meantime with a sample team, its data in DIR;
                     where there is no display, play the tour
  run --tour         play the tour: a working day on real processes
  run --screenshot FILE.png
                     take one picture of the window
  test               every check and test
  tidy               the rules of docs/ARCHITECTURE.md that can be checked
  codegen            write the generated files again
  icons              draw the artwork's sizes again from icons/*.svg
  check-platforms    type-check app and server for Windows and macOS
  bench NAME [--quick]
                     one of: start, search, sync, streams, storm; writes
                     docs/bench/NAME.md";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let ended = match args.as_slice() {
        ["run", options @ ..] => run::run(options),
        ["test"] => test::run(),
        ["tidy"] => tidy::run(),
        ["codegen"] => codegen::run(),
        ["icons"] => icons::run(),
        ["check-platforms"] => platforms::run(),
        ["bench", name, options @ ..] => bench::run(name, options),
        ["help" | "--help" | "-h"] => {
            println!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    ended.unwrap_or_else(|error| {
        eprintln!("\nxtask: {error:#}");
        ExitCode::FAILURE
    })
}
