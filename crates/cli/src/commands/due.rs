//! `due`: the reply clock, over hours files. Pure: no profile, no engine.

use crate::show::Out;
use crate::stop::Stop;
use chrono::{DateTime, FixedOffset, SecondsFormat, Utc};
use clap::Args;
use meantime_engine::api::FailureCode;
use meantime_model::Schedule;
use meantime_model::due::{NoDue, Window, due};
use serde::Serialize;
use serde_json::{Value, json};
use std::fmt::Display;
use std::fs::File;
use std::io::{self, BufRead, Read};
use std::path::{Path, PathBuf};

/// A line of a batch, or an hours file, is at most so long, in bytes.
const LONGEST: usize = 16 << 20;

#[derive(Args)]
pub(crate) struct DueArgs {
    /// The recipient's hours file; `-` reads stdin
    #[arg(long, value_name = "FILE", required_unless_present = "batch", conflicts_with = "batch")]
    hours: Option<PathBuf>,
    /// When the message was written
    #[arg(long, value_name = "RFC3339", required_unless_present = "batch", conflicts_with = "batch")]
    at: Option<String>,
    /// How long the answer may take in working time: `4h`, `90m`, `1d`
    #[arg(long, required_unless_present = "batch", conflicts_with = "batch")]
    window: Option<String>,
    /// Read `{"hours": {…}, "at": "…", "window": "4h"}` lines from stdin, print one line for each
    #[arg(long)]
    batch: bool,
}

/// Why there is no answer: a code for programs, a sentence for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Problem {
    code: &'static str,
    message: String,
}

impl Problem {
    pub(super) fn new(code: &'static str, message: impl Display) -> Self {
        Self { code, message: message.to_string() }
    }

    /// The same, with the file that it is about.
    pub(super) fn of(self, file: &str) -> Self {
        Self { message: format!("{file}: {}", self.message), ..self }
    }

    /// Tells it as the only answer of a command.
    pub(super) fn stop(self, out: &mut Out) -> Stop {
        let code = if self.code.starts_with("invalid_") { FailureCode::Invalid } else { FailureCode::NotPossible };
        if !out.json {
            return Stop::new(code, self.message);
        }
        match out.json_document(&json!({ "error": self })) {
            Ok(()) => Stop::Told(code),
            Err(error) => error.into(),
        }
    }
}

pub(crate) fn run(args: &DueArgs, out: &mut Out) -> Result<(), Stop> {
    if args.batch {
        return batch(io::stdin().lock(), out);
    }
    let (Some(hours), Some(at), Some(window)) = (&args.hours, &args.at, &args.window) else {
        return Err(Stop::usage("give --hours, --at and --window, or --batch"));
    };
    let answer = parse_hours(&read_file(hours)?).and_then(|hours| compute(&hours, at, window));
    match answer {
        Ok(due) => Ok(out.sentence(&json!({ "due": due }), &due)?),
        Err(problem) => Err(problem.stop(out)),
    }
}

/// One line out for each line in; empty lines are skipped.
fn batch(mut input: impl BufRead, out: &mut Out) -> Result<(), Stop> {
    let mut last = None;
    let mut line = Vec::new();
    while read_line(&mut input, &mut line)? {
        if line.trim_ascii().is_empty() {
            continue;
        }
        match answer(&line, &mut last) {
            Ok(due) => out.json_line(&json!({ "due": due }))?,
            Err(problem) => out.json_line(&json!({ "error": problem }))?,
        }
    }
    Ok(())
}

/// Reads a line, of which no more than a byte too many is kept. False at the end.
fn read_line(input: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<bool> {
    line.clear();
    let taken = input.take(LONGEST as u64 + 1).read_until(b'\n', line)?;
    if taken > LONGEST && line.last() != Some(&b'\n') {
        input.skip_until(b'\n')?;
    }
    Ok(taken > 0)
}

/// The hours of a line, and what they are.
type Known = (Value, Result<Schedule, Problem>);

/// The due of one line. Lines often have the same hours as the one before:
/// they are kept in `last`.
fn answer(line: &[u8], last: &mut Option<Known>) -> Result<String, Problem> {
    if line.len() > LONGEST {
        return Err(Problem::new("too_long", format!("a line may be {} MiB long at most", LONGEST >> 20)));
    }
    let Ok(Value::Object(mut line)) = serde_json::from_slice(line) else {
        return Err(Problem::new("invalid_line", "this is no JSON object with `hours`, `at` and `window`"));
    };
    let hours = line.shift_remove("hours").ok_or_else(|| Problem::new("invalid_hours", "hours: is missing"))?;
    let text = |field: &str, code: &'static str| {
        let value = line.get(field).ok_or_else(|| Problem::new(code, format!("{field}: is missing")))?;
        value.as_str().ok_or_else(|| Problem::new(code, format!("{field}: must be text")))
    };
    let schedule = match last {
        Some((known, schedule)) if *known == hours => schedule,
        _ => &last.insert((hours.clone(), read_hours(hours))).1,
    };
    let schedule = schedule.as_ref().map_err(Problem::clone)?;
    compute(schedule, text("at", "invalid_at")?, text("window", "invalid_window")?)
}

/// The schedule of an hours file.
pub(super) fn parse_hours(file: &[u8]) -> Result<Schedule, Problem> {
    let hours = serde_json::from_slice(file)
        .map_err(|e| Problem::new("invalid_hours", format!("hours: this is not JSON: {e}")))?;
    read_hours(hours)
}

fn read_hours(hours: Value) -> Result<Schedule, Problem> {
    Schedule::from_json(hours).map_err(|e| Problem::new("invalid_hours", e))
}

/// The due as RFC 3339 with the person's offset.
fn compute(schedule: &Schedule, at: &str, window: &str) -> Result<String, Problem> {
    let at = instant("at", "invalid_at", at)?;
    let window: Window = window.parse().map_err(|e| Problem::new("invalid_window", format!("window: {e}")))?;
    let due = due(schedule, at.to_utc(), window).map_err(|e: NoDue| Problem::new(e.code(), e))?;
    Ok(theirs(schedule, due))
}

pub(super) fn instant(field: &str, code: &'static str, text: &str) -> Result<DateTime<FixedOffset>, Problem> {
    DateTime::parse_from_rfc3339(text)
        .map_err(|_| Problem::new(code, format!("{field}: is no instant such as 2026-11-24T09:30:00+01:00 (RFC 3339)")))
}

/// An instant as RFC 3339 with the offset that the person's clock has then.
pub(super) fn theirs(schedule: &Schedule, at: DateTime<Utc>) -> String {
    at.with_timezone(&schedule.zone_at(at).offset(at)).to_rfc3339_opts(SecondsFormat::AutoSi, false)
}

/// A whole file of bounded length; `-` is stdin.
pub(crate) fn read_file(path: &Path) -> Result<Vec<u8>, Stop> {
    let mut bytes = Vec::new();
    let read = if path == Path::new("-") {
        io::stdin().lock().take(LONGEST as u64 + 1).read_to_end(&mut bytes)
    } else {
        File::open(path).and_then(|file| file.take(LONGEST as u64 + 1).read_to_end(&mut bytes))
    };
    match read {
        Ok(read) if read <= LONGEST => Ok(bytes),
        Ok(_) => Err(Stop::usage(format!("{} is larger than {} MiB", path.display(), LONGEST >> 20))),
        Err(e) if e.kind() == io::ErrorKind::NotFound => {
            Err(Stop::new(FailureCode::NotFound, format!("there is no file {}", path.display())))
        }
        Err(e) => Err(Stop::new(FailureCode::Internal, format!("{}: {e}", path.display()))),
    }
}
