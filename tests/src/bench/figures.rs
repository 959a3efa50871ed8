//! Samples and what is said of them.

use std::fs;
use std::time::Duration;

const TICKS_PER_SECOND: f64 = 100.0; // USER_HZ, the same on every Linux

/// Measured values of one thing, in one unit.
#[derive(Clone, Debug, Default)]
pub struct Samples(Vec<f64>);

impl Samples {
    /// Adds one.
    pub fn add(&mut self, value: f64) {
        self.0.push(value);
        self.0.sort_by(f64::total_cmp);
    }

    /// Adds a time, in milliseconds.
    pub fn add_time(&mut self, time: Duration) {
        self.add(time.as_secs_f64() * 1000.0);
    }

    /// Adds many times, in milliseconds.
    pub fn add_times(&mut self, times: impl IntoIterator<Item = Duration>) {
        self.0.extend(times.into_iter().map(|time| time.as_secs_f64() * 1000.0));
        self.0.sort_by(f64::total_cmp);
    }

    /// The value that a part of the samples does not exceed: 0.5 is the median.
    #[must_use]
    pub fn quantile(&self, part: f64) -> f64 {
        let last = self.0.len().saturating_sub(1);
        let at = (part * last as f64).round() as usize;
        self.0.get(at).copied().unwrap_or(f64::NAN)
    }

    /// The same as a time, where the samples are milliseconds.
    #[must_use]
    pub fn quantile_time(&self, part: f64) -> Duration {
        Duration::try_from_secs_f64(self.quantile(part) / 1000.0).unwrap_or_default()
    }

    /// The median.
    #[must_use]
    pub fn median(&self) -> f64 {
        self.quantile(0.5)
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// `median (least–most)`.
    #[must_use]
    pub fn told(&self) -> String {
        format!("{} ({}–{})", short(self.median()), short(self.quantile(0.0)), short(self.quantile(1.0)))
    }
}

/// Three digits that count.
#[must_use]
pub fn short(value: f64) -> String {
    match value.abs() {
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        size if size >= 1.0 => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    }
}

/// Proportional memory of processes, in MB: what is shared is divided by those
/// who share it.
#[must_use]
pub fn pss(pids: &[u32]) -> f64 {
    let kilobytes = pids.iter().filter_map(|pid| {
        let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?;
        rollup.lines().find_map(|line| line.strip_prefix("Pss:")?.split_whitespace().next()?.parse::<f64>().ok())
    });
    kilobytes.sum::<f64>() / 1024.0
}

/// CPU time of processes so far, in seconds.
#[must_use]
pub fn cpu(pids: &[u32]) -> f64 {
    pids.iter().map(|pid| ticks(*pid, &[11, 12])).sum::<f64>() / TICKS_PER_SECOND
}

/// CPU time of a program and all it started, so far, in seconds. What has
/// ended is counted with whoever started it.
#[must_use]
pub fn cpu_of_all(root: u32) -> f64 {
    let reaped: f64 = family(root).iter().map(|pid| ticks(*pid, &[13, 14])).sum();
    cpu(&family(root)) + reaped / TICKS_PER_SECOND
}

/// A process and all below it.
#[must_use]
pub fn family(root: u32) -> Vec<u32> {
    std::iter::once(root).chain(crate::process::below(root).into_iter().map(|(pid, _)| pid)).collect()
}

/// Fields of `/proc/PID/stat` behind the name, which may contain anything but
/// is in parentheses; added up.
fn ticks(pid: u32, fields: &[usize]) -> f64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let rest: Vec<&str> = stat.rsplit_once(") ").map(|(_, rest)| rest.split(' ').collect()).unwrap_or_default();
    fields.iter().filter_map(|at| rest.get(*at)?.parse::<f64>().ok()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_do_not_depend_on_the_order() {
        let mut samples = Samples::default();
        [5.0, 1.0, 3.0, 2.0, 4.0].into_iter().for_each(|value| samples.add(value));
        assert_eq!((samples.median(), samples.quantile(1.0), samples.quantile(0.0)), (3.0, 5.0, 1.0));
        assert_eq!(samples.told(), "3.00 (1.00–5.00)");
    }

    #[test]
    fn this_process_has_memory_and_time() {
        let me = [std::process::id()];
        assert!(pss(&me) > 0.5);
        assert!(cpu(&me) >= 0.0);
        assert!(family(me[0]).contains(&me[0]));
        assert!(cpu_of_all(me[0]) >= cpu(&me));
    }
}
