//! A report as Markdown: what was measured, on what, and how it came out.

use anyhow::{Context, Result};
use rustix::process::{Resource, getrlimit, setrlimit};
use std::fs;
use std::path::PathBuf;
use std::process::Command;

/// What the command line of a benchmark says.
pub struct Options {
    /// Check in a minute that it still runs; no report.
    pub quick: bool,
    report: Option<PathBuf>,
}

impl Options {
    /// `--quick`, or `--report FILE`.
    #[must_use]
    pub fn from_args() -> Self {
        let args: Vec<String> = std::env::args().skip(1).collect();
        let report = args.iter().position(|arg| arg == "--report").and_then(|at| args.get(at + 1)).map(PathBuf::from);
        Self { quick: args.iter().any(|arg| arg == "--quick"), report }
    }

    /// Prints the report, and writes it where it was asked for.
    ///
    /// # Errors
    /// The disk.
    pub fn finish(&self, report: &str) -> Result<()> {
        println!("\n{report}");
        let Some(file) = &self.report else { return Ok(()) };
        fs::create_dir_all(file.parent().unwrap_or(file))?;
        fs::write(file, report).with_context(|| format!("can't write {}", file.display()))?;
        println!("written to {}", file.display());
        Ok(())
    }
}

/// A table; the first row is its head.
#[must_use]
pub fn table(rows: &[Vec<String>]) -> String {
    let mut text = String::new();
    for (at, row) in rows.iter().enumerate() {
        text += &format!("| {} |\n", row.join(" | "));
        if at == 0 {
            text += &format!("|{}\n", "---|".repeat(row.len()));
        }
    }
    text
}

/// The machine and the system, in one line.
#[must_use]
pub fn machine() -> String {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let after = |text: &str, key: &str| {
        let line = text.lines().find(|line| line.starts_with(key)).unwrap_or_default();
        line.split_once([':', '=']).map(|(_, value)| value.trim().trim_matches('"').to_owned()).unwrap_or_default()
    };
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let kilobytes: f64 = after(&read("/proc/meminfo"), "MemTotal").trim_end_matches(" kB").parse().unwrap_or(0.0);
    format!(
        "{cores} cores of {}, {:.0} GB, {}, Linux {}; shared with other work",
        after(&read("/proc/cpuinfo"), "model name"),
        kilobytes / 1024.0 / 1024.0,
        after(&read("/etc/os-release"), "PRETTY_NAME"),
        read("/proc/sys/kernel/osrelease").trim(),
    )
}

/// The first line a program prints about its version.
#[must_use]
pub fn version(program: &str, args: &[&str]) -> String {
    let told = Command::new(program).args(args).output();
    let told = told.map(|out| String::from_utf8_lossy(&out.stdout).into_owned()).unwrap_or_default();
    told.lines().next().unwrap_or("unknown").trim().to_owned()
}

/// A program by its name; Debian has servers where only root's path looks.
#[must_use]
pub fn program(name: &str) -> PathBuf {
    let places = ["/usr/sbin", "/sbin", "/usr/local/sbin"].map(|folder| PathBuf::from(folder).join(name));
    places.into_iter().find(|path| path.exists()).unwrap_or_else(|| PathBuf::from(name))
}

/// Lets this program, and what it starts, have so many files open at once.
///
/// # Errors
/// The system does not.
pub fn open_files(wanted: usize) -> Result<()> {
    let wanted = wanted as u64 + 500;
    let mut limit = getrlimit(Resource::Nofile);
    if limit.current.is_some_and(|current| current < wanted) {
        limit.current = limit.maximum;
        setrlimit(Resource::Nofile, limit)?;
    }
    let most = getrlimit(Resource::Nofile).current;
    anyhow::ensure!(most.is_none_or(|most| most >= wanted), "{wanted} files may not be open at once (ulimit -Hn)");
    Ok(())
}

/// Compiles a small C program of `tests/bench`.
///
/// # Errors
/// There is no compiler, or a library is missing.
pub fn compile(name: &str, libraries: &str) -> Result<PathBuf> {
    let source = crate::programs::checkout().join(format!("tests/bench/{name}.c"));
    let program = std::env::current_exe()?.with_file_name(name);
    let script = format!("cc -O2 -o '{}' '{}' {libraries}", program.display(), source.display());
    let done = Command::new("sh").args(["-c", &script]).output()?;
    anyhow::ensure!(done.status.success(), "{script}: {}", String::from_utf8_lossy(&done.stderr));
    Ok(program)
}
