//! The tour: a working day in about two minutes on real processes, each step
//! told with what was seen. Exit code 0 only if each step held.
//!
//! `--screenshot FILE.png` takes one picture of the inbox instead;
//! `--pictures DIR` puts those of the tour there.

use anyhow::{Context, Result};
use meantime_tests::day::{self, Audience};
use meantime_tests::world::{World, in_a_world};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

struct Printer {
    pictures: PathBuf,
    started: Instant,
    steps: usize,
}

impl Audience for Printer {
    fn step(&mut self, title: &str, seen: &str) {
        self.steps += 1;
        println!("{:>4} s  {}. {title}\n        {seen}", self.started.elapsed().as_secs(), self.steps);
    }

    fn pictures(&self) -> Option<&Path> {
        Some(&self.pictures)
    }
}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let option =
        |name: &str| args.iter().position(|arg| arg == name).and_then(|at| args.get(at + 1)).map(PathBuf::from);
    let ended = match option("--screenshot") {
        Some(file) => in_a_world(async |world| day::screenshot(world, &file).await)
            .map(|()| println!("the picture is in {}", file.display())),
        None => tour(option("--pictures").unwrap_or_else(|| std::env::temp_dir().join("meantime-tour"))),
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("\nThis did not hold: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn tour(pictures: PathBuf) -> Result<()> {
    std::fs::create_dir_all(&pictures).with_context(|| format!("can't make {}", pictures.display()))?;
    println!("A working day on real processes, with a minute or two of focus.\n");
    let mut printer = Printer { pictures, started: Instant::now(), steps: 0 };
    in_a_world(async |world: &mut World| day::play(world, &mut printer).await)?;
    println!("\nAll {} steps held. Pictures: {}", printer.steps, printer.pictures.display());
    Ok(())
}
