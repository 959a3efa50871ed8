//! The tour: a working day in about two minutes on real processes, each step
//! told with what was seen. Exit code 0 only if each step held.
//!
//! `tour --pictures DIR` plays it and puts its pictures there;
//! `tour --screenshot FILE.png` takes one picture of the window instead.

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
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let ended = match args.as_slice() {
        ["--screenshot", file] => screenshot(Path::new(file)),
        ["--pictures", folder] => tour(PathBuf::from(folder)),
        _ => {
            eprintln!("tour --pictures DIR | --screenshot FILE.png");
            return ExitCode::from(2);
        }
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("\nThis did not hold: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn screenshot(file: &Path) -> Result<()> {
    println!("A picture of the real window, with a team, a mailbox and a feed; it takes about half a minute.");
    in_a_world(async |world| day::screenshot(world, file).await)?;
    println!("The picture is in {}", file.display());
    Ok(())
}

fn tour(pictures: PathBuf) -> Result<()> {
    std::fs::create_dir_all(&pictures).with_context(|| format!("can't make {}", pictures.display()))?;
    println!("A working day on real processes, with a minute or two of focus.\n");
    let mut printer = Printer { pictures, started: Instant::now(), steps: 0 };
    in_a_world(async |world: &mut World| day::play(world, &mut printer).await)?;
    println!("\nAll {} steps held. Pictures: {}", printer.steps, printer.pictures.display());
    Ok(())
}
