//! Starts Meantime with a sample team: a team server on this machine, and the
//! app joined to it. Both keep their data between runs.
//!
//! It makes nothing up: the sample team is made by `meantime-server demo`
//! through the server's ordinary interface, joining is `meantime join`, and
//! the tour is a program of the tests.

use crate::{paths, setup, step, ui};
use anyhow::{Context, Result, bail};
use serde_json::Value;
use std::env;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};

/// Who joins the sample team.
const NAME: &str = "Ana Sousa";

/// `cargo xtask run`.
pub fn run(options: &[&str]) -> Result<ExitCode> {
    let home = match Wanted::from(options)? {
        Wanted::App(home) => home,
        Wanted::Tour => return tour(None),
        Wanted::Picture(file) => return tour(Some(&file)),
    };
    if cfg!(target_os = "linux") && !["DISPLAY", "WAYLAND_DISPLAY"].iter().any(has_value) {
        println!("There is no display here: Meantime starts on a virtual one and plays the tour.");
        if let Some(home) = home {
            println!("The tour has folders of its own; nothing is put into {}.", home.display());
        }
        println!();
        return tour(None);
    }
    setup::packages(&[setup::BUILD])?;
    build()?;
    let home = home.unwrap_or_else(paths::sample);
    fs::create_dir_all(&home).with_context(|| format!("can't make {}", home.display()))?;
    let (mut server, invite) = start_server(&home.join("server"))?;
    let ended = join(&home, &invite).and_then(|()| start_app(&home));
    let _ = server.kill();
    let _ = server.wait();
    ended
}

/// The window, the app, the command line and the server.
fn build() -> Result<()> {
    ui::build()?;
    // The same packages as `cargo xtask test`, which then finds what this built.
    let mut build = paths::everything("build");
    build.arg("--bins");
    step::run("app, command line and server", build, step::minutes(60))?.or_stop()
}

/// Plays the working day on a virtual display, beside whatever runs here; or
/// takes one picture there.
fn tour(picture: Option<&Path>) -> Result<ExitCode> {
    setup::only_on_linux("the tour")?;
    setup::packages(&[setup::BUILD, setup::TEST])?;
    setup::tauri_driver()?;
    build()?;
    let mut tour = paths::command(&paths::built("tour").to_string_lossy());
    tour.env("MEANTIME_TAURI_DRIVER", setup::tauri_driver_path());
    match picture {
        Some(file) => tour.arg("--screenshot").arg(file),
        None => tour.arg("--pictures").arg(paths::logs().join("tour")),
    };
    pass_through(&tour.status().context("can't start the tour")?)
}

fn start_server(data: &Path) -> Result<(Child, String)> {
    let mut server = Command::new(paths::built("meantime-server"))
        .args(["demo", "--watch-parent", "--data"])
        .arg(data)
        // Its end of our pipe tells it when we are gone, however we ended.
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .context("can't start meantime-server")?;
    let mut line = String::new();
    let out = server.stdout.take().context("the server has no output")?;
    BufReader::new(out).read_line(&mut line)?;
    let started: Value = serde_json::from_str(&line)
        .with_context(|| format!("the server did not start; its first line was {line:?}"))?;
    let text = |name: &str| started.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    println!("team server at {}, data in {}", text("listening"), data.display());
    Ok((server, text("invite")))
}

/// Joins the team, on the first start of a profile. Where that has to ask the
/// person something (say, where to keep secrets), the window's first run does.
fn join(home: &Path, invite: &str) -> Result<()> {
    let joined = home.join("joined");
    if joined.exists() {
        return Ok(());
    }
    // The link is a secret: not on a command line that others can read.
    let mut join = meantime(home).args(["join", "--name", NAME]).stdin(Stdio::piped()).spawn()?;
    if let Some(mut stdin) = join.stdin.take() {
        writeln!(stdin, "{invite}")?;
    }
    if join.wait()?.success() {
        fs::write(joined, "")?;
    }
    Ok(())
}

fn start_app(home: &Path) -> Result<ExitCode> {
    println!("Meantime runs; its data is in {}. Ctrl-C ends it.", home.display());
    let app = Command::new(paths::built("meantime-desktop")).env("MEANTIME_HOME", home.join("app")).status();
    pass_through(&app.context("can't start meantime-desktop")?)
}

fn meantime(home: &Path) -> Command {
    let mut meantime = Command::new(paths::built("meantime"));
    meantime.env("MEANTIME_HOME", home.join("app"));
    meantime
}

fn pass_through(status: &std::process::ExitStatus) -> Result<ExitCode> {
    Ok(ExitCode::from(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1)))
}

fn has_value(name: &&str) -> bool {
    env::var_os(name).is_some_and(|value| !value.is_empty())
}

/// What is to be started.
#[derive(Debug, PartialEq, Eq)]
enum Wanted {
    /// The app, with its data in this folder.
    App(Option<PathBuf>),
    Tour,
    /// A picture in this file.
    Picture(PathBuf),
}

impl Wanted {
    fn from(args: &[&str]) -> Result<Self> {
        let (mut tour, mut screenshot, mut home) = (false, None, None);
        let mut args = args.iter();
        while let Some(&arg) = args.next() {
            let mut path = || args.next().map(|path| env::current_dir().unwrap_or_default().join(path));
            match arg {
                "--tour" => tour = true,
                "--screenshot" => screenshot = Some(path().context("--screenshot wants a file")?),
                "--home" => home = Some(path().context("--home wants a folder")?),
                other => bail!("run does not know {other}"),
            }
        }
        match (tour, screenshot, home) {
            (false, None, home) => Ok(Self::App(home)),
            (true, None, None) => Ok(Self::Tour),
            (false, Some(file), None) => Ok(Self::Picture(file)),
            (true, Some(_), _) => bail!("--tour and --screenshot are two things; ask for one after the other"),
            (_, _, Some(_)) => {
                bail!("--home is for the app that stays; the tour and --screenshot have folders of their own")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_was_asked_for_is_left_out_silently() {
        let here = |name: &str| env::current_dir().unwrap().join(name);
        assert_eq!(Wanted::from(&[]).unwrap(), Wanted::App(None));
        assert_eq!(Wanted::from(&["--home", "a"]).unwrap(), Wanted::App(Some(here("a"))));
        assert_eq!(Wanted::from(&["--tour"]).unwrap(), Wanted::Tour);
        assert_eq!(Wanted::from(&["--screenshot", "/a.png"]).unwrap(), Wanted::Picture("/a.png".into()));
        for refused in [
            &["--tour", "--screenshot", "a.png"][..],
            &["--tour", "--home", "a"],
            &["--home", "a", "--screenshot", "a.png"],
            &["--screenshot"],
            &["--tours"],
        ] {
            assert!(Wanted::from(refused).is_err(), "{refused:?}");
        }
    }
}
