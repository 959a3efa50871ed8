//! The desktop shell: the window, the tray, the shortcut, links.
//!
//! It knows no rule of the app: commands and events pass through it to the
//! engine and back. What it decides is when there is a window.
#![cfg_attr(all(windows, not(debug_assertions)), windows_subsystem = "windows")]

mod arguments;
mod autostart;
mod backend;
mod chosen;
mod commands;
mod link;
mod log;
mod run;
mod shortcut;
mod tray;
mod trouble;
mod window;

use arguments::Launch;
use std::process::ExitCode;

fn main() -> ExitCode {
    let launch = Launch::parse(std::env::args().skip(1));
    if launch.version {
        println!("meantime-desktop {}", env!("CARGO_PKG_VERSION"));
        return ExitCode::SUCCESS;
    }
    if let Some(again) = safe_graphics() {
        return again;
    }
    match run::run(launch) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error:#}");
            eprintln!("meantime-desktop: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// `MEANTIME_SAFE_GRAPHICS=1`: some graphics drivers show an empty window
/// unless WebKit draws without DMABUF. GTK reads the environment when it
/// starts, so the program starts itself once more with it.
#[cfg(target_os = "linux")]
fn safe_graphics() -> Option<ExitCode> {
    use std::os::unix::process::CommandExt;
    const DRAW: &str = "WEBKIT_DISABLE_DMABUF_RENDERER";
    if std::env::var_os("MEANTIME_SAFE_GRAPHICS").is_none_or(|on| on != "1") || std::env::var_os(DRAW).is_some() {
        return None;
    }
    let program = std::env::current_exe().ok()?;
    let error = std::process::Command::new(program).args(std::env::args_os().skip(1)).env(DRAW, "1").exec();
    eprintln!("meantime-desktop: can't start with safe graphics: {error}");
    Some(ExitCode::FAILURE)
}

#[cfg(not(target_os = "linux"))]
fn safe_graphics() -> Option<ExitCode> {
    None
}
