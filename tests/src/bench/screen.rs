//! A display whose pixels can be looked at while it is drawn, at next to no
//! cost: Xvfb keeps its frame buffer in a file.

use crate::process::Process;
use crate::wait::{Patience, wait_for};
use anyhow::{Context, Result, bail};
use std::fs::File;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

const WIDTH: usize = 1280;
const HEIGHT: usize = 800;
/// Every so many rows are looked at; a line of text has more.
const ROW_STEP: usize = 4;
const QUIET: Duration = Duration::from_secs(3);
const LIMIT: Duration = Duration::from_secs(60);

/// A display of 1280×800.
pub struct Screen {
    display: String,
    pixels: File,
    _xvfb: Process,
}

impl Screen {
    /// Starts it; its frame buffer and its log are in `folder`.
    ///
    /// # Errors
    /// Xvfb is missing or does not start.
    pub async fn start(folder: &Path) -> Result<Self> {
        let mut command = Command::new("Xvfb");
        command.args(["-displayfd", "1", "-nolisten", "tcp", "-noreset", "-fbdir"]).arg(folder);
        command.args(["-screen", "0", &format!("{WIDTH}x{HEIGHT}x24")]);
        let mut xvfb = Process::start("xvfb", command, folder)?;
        let number = wait_for("a display", Patience::SHORT, async || {
            xvfb.must_run()?;
            Ok(xvfb.output().lines().next().map(|line| line.trim().to_owned()))
        })
        .await?;
        let pixels = File::open(folder.join("Xvfb_screen0")).context("Xvfb keeps no frame buffer")?;
        Ok(Self { display: format!(":{number}"), pixels, _xvfb: xvfb })
    }

    /// For `DISPLAY`.
    #[must_use]
    pub fn display(&self) -> &str {
        &self.display
    }

    /// How long after `started` the last pixel changed, before a stretch of
    /// quiet: everything is painted then.
    ///
    /// # Errors
    /// Nothing was painted, or it never came to rest.
    pub fn painted(&self, started: Instant) -> Result<Duration> {
        let empty = self.look()?;
        let (mut last, mut changed) = (empty, None);
        loop {
            std::thread::sleep(Duration::from_millis(5));
            let seen = self.look()?;
            if seen != last {
                (last, changed) = (seen, Some(started.elapsed()));
            }
            match changed {
                Some(at) if started.elapsed() > at + QUIET => return Ok(at),
                _ if started.elapsed() > LIMIT => bail!("nothing was painted, or it never came to rest"),
                _ => {}
            }
        }
    }

    fn look(&self) -> Result<u64> {
        const ROW: usize = WIDTH * 4;
        // Pixels are the last thing in the file; what stands before varies.
        let before = self.pixels.metadata()?.len().saturating_sub((ROW * HEIGHT) as u64);
        let mut hasher = DefaultHasher::new();
        let mut row = [0_u8; ROW];
        for y in (0..HEIGHT).step_by(ROW_STEP) {
            self.pixels.read_exact_at(&mut row, before + (y * ROW) as u64)?;
            row.hash(&mut hasher);
        }
        Ok(hasher.finish())
    }
}
