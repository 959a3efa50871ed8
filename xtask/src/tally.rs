//! Counts checks and tests, and keeps what failed for the end.

use crate::step::Ended;

/// What passed and what failed so far.
#[derive(Default)]
pub struct Tally {
    passed: usize,
    failed: usize,
    failures: Vec<String>,
    skipped: Vec<String>,
}

impl Tally {
    /// One check: it passed if the step did.
    pub fn check(&mut self, ended: &Ended) -> bool {
        match &ended.failure {
            None => self.passed += 1,
            Some(why) => self.fail(&format!("{}: {why}", ended.title), &ended.tail()),
        }
        ended.failure.is_none()
    }

    /// One check that ran in here.
    pub fn checked(&mut self, title: &str, problems: &[String]) {
        if problems.is_empty() {
            self.passed += 1;
        } else {
            let listed: String = problems.iter().map(|problem| format!("  | {problem}\n")).collect();
            self.fail(&format!("{title}: {} to put right", problems.len()), &listed);
        }
    }

    /// Something that can't be tried on this machine, and why.
    pub fn skipped(&mut self, what: &str) {
        self.skipped.push(what.to_owned());
    }

    /// A step that ran many tests: each counts. One that failed without a
    /// test to blame (it did not build, or hung) counts as one failure.
    pub fn tests(&mut self, ended: &Ended, counts: Counts) {
        self.passed += counts.passed;
        self.skipped.extend(counts.skipped.iter().cloned());
        match &ended.failure {
            None if counts.failed == 0 => {
                if counts.passed == 0 {
                    self.fail(&format!("{}: no test ran", ended.title), &ended.tail());
                }
            }
            why => {
                let why = why.as_deref().unwrap_or("tests failed");
                let blamed = counts.names.iter().map(|name| format!("  {name}\n")).collect::<String>();
                self.fail(&format!("{}: {why}", ended.title), &(blamed + &counts.excerpt(ended)));
                self.failed += counts.failed.saturating_sub(1);
            }
        }
    }

    /// Everything that failed, then the line everybody waits for.
    pub fn report(&self) -> bool {
        for failure in &self.failures {
            println!("\n--- {failure}");
        }
        if !self.skipped.is_empty() {
            println!();
        }
        for skipped in &self.skipped {
            println!("skipped: {skipped}");
        }
        println!("\n{} passed, {} failed", self.passed, self.failed);
        self.failed == 0
    }

    fn fail(&mut self, what: &str, detail: &str) {
        self.failed += 1;
        self.failures.push(format!("{what}\n{}", detail.trim_end()));
    }
}

/// Tests of one step.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Counts {
    passed: usize,
    failed: usize,
    names: Vec<String>,
    /// What a test said that it could not try.
    skipped: Vec<String>,
}

impl Counts {
    /// From what `cargo test` prints.
    pub fn of_cargo(text: &str) -> Self {
        let mut counts = Self::default();
        for line in text.lines() {
            if let Some(result) = line.strip_prefix("test result: ") {
                counts.passed += number_before(result, " passed");
                counts.failed += number_before(result, " failed");
            } else if let Some(name) = line.strip_prefix("test ").and_then(|rest| rest.strip_suffix(" ... FAILED")) {
                counts.names.push(name.to_owned());
            } else if let Some((_, what)) = line.split_once("skipped: ") {
                counts.skipped.push(what.to_owned());
            }
        }
        counts
    }

    /// From what vitest prints: `Tests  1 failed | 12 passed (13)`.
    pub fn of_vitest(text: &str) -> Self {
        let mut counts = Self::default();
        for line in text.lines().map(str::trim) {
            if line.starts_with("Tests ") {
                counts.passed += number_before(line, " passed");
                counts.failed += number_before(line, " failed");
            } else if let Some(name) = line.strip_prefix("FAIL ") {
                counts.names.push(name.trim().to_owned());
            }
        }
        counts
    }

    /// What failing tests printed, else the end of the log.
    fn excerpt(&self, ended: &Ended) -> String {
        const SHOWN: usize = 300;
        let printed = printed_by_failures(&ended.text());
        if printed.is_empty() {
            return ended.tail();
        }
        printed.iter().take(SHOWN).map(|line| format!("  | {line}\n")).collect()
    }
}

/// Cargo prints a section for each failing test, between the list of all
/// results and the list of those that failed.
fn printed_by_failures(text: &str) -> Vec<String> {
    let mut within = false;
    let sections = text.lines().filter(|line| {
        within = line.starts_with("---- ") || (within && *line != "failures:");
        within
    });
    sections.map(str::to_owned).collect()
}

fn number_before(text: &str, word: &str) -> usize {
    let Some((before, _)) = text.split_once(word) else { return 0 };
    let digits = before.chars().rev().take_while(char::is_ascii_digit).count();
    before.get(before.len() - digits..).and_then(|number| number.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cargo_results_of_several_binaries_add_up() {
        let text = "test a ... ok\ntest b::c ... FAILED\n\
                    test result: FAILED. 11 passed; 1 failed; 0 ignored; 0 measured\n\
                    test result: ok. 7 passed; 0 failed; 2 ignored\n";
        let counts = Counts::of_cargo(text);
        assert_eq!(counts, Counts { passed: 18, failed: 1, names: vec!["b::c".into()], skipped: vec![] });
    }

    #[test]
    fn what_could_not_be_tried_is_heard() {
        // The harness has begun its own line when a test says so.
        let text = "test a ... skipped: a: no room\nok\ntest result: ok. 1 passed; 0 failed\n";
        assert_eq!(Counts::of_cargo(text).skipped, ["a: no room"]);
    }

    #[test]
    fn vitest_counts_tests_and_not_files() {
        let text = " Test Files  1 failed | 2 passed (3)\n      Tests  2 failed | 40 passed (42)\n";
        assert_eq!(Counts::of_vitest(text), Counts { passed: 40, failed: 2, ..Counts::default() });
    }

    #[test]
    fn what_failing_tests_printed_is_found_among_the_rest() {
        let text = "test a ... FAILED\n\nfailures:\n\n---- a stdout ----\nleft: 1\n\nfailures:\n    a\n\ntest b ... ok\n\
                    failures:\n\n---- c stdout ----\nright: 2\nfailures:\n";
        assert_eq!(printed_by_failures(text), ["---- a stdout ----", "left: 1", "", "---- c stdout ----", "right: 2"]);
    }

    #[test]
    fn text_without_a_result_counts_nothing() {
        assert_eq!(Counts::of_cargo("error: could not compile"), Counts::default());
    }
}
