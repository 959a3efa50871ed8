//! A display of one's own.

use super::Process;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

/// A virtual display with a number nobody else uses.
pub struct Xvfb {
    display: String,
    _process: Process,
    _folder: tempfile::TempDir,
}

impl Xvfb {
    /// Starts one, say of `1280x800`.
    ///
    /// # Panics
    /// `Xvfb` is missing.
    #[must_use]
    pub fn start(size: &str) -> Self {
        let folder = tempfile::Builder::new().prefix("mt-x-").tempdir().expect("a folder");
        let mut command = Command::new("Xvfb");
        command.args(["-displayfd", "1", "-screen", "0", &format!("{size}x24"), "-nolisten", "tcp", "-noreset"]);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).env("KIT_KEEPS_STDOUT", "1");
        let mut process = Process::start(folder.path(), "xvfb", &mut command);
        let mut number = String::new();
        let stdout = process.child().stdout.take().expect("its output");
        BufReader::new(stdout).read_line(&mut number).expect("its number");
        assert!(!number.trim().is_empty(), "Xvfb: {}", process.log());
        Self { display: format!(":{}", number.trim()), _process: process, _folder: folder }
    }

    /// For `DISPLAY`.
    #[must_use]
    pub fn display(&self) -> &str {
        &self.display
    }

    /// Writes what is on the screen to a PNG file.
    ///
    /// # Panics
    /// ImageMagick's `import` is missing or fails.
    pub fn screenshot(&self, file: &Path) {
        let done = Command::new("import").args(["-display", &self.display, "-window", "root"]).arg(file).output();
        let done = done.expect("ImageMagick's import");
        assert!(done.status.success(), "import: {}", String::from_utf8_lossy(&done.stderr));
    }
}
