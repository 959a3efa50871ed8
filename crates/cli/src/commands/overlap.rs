//! `overlap`: when people work at the same time, over hours files. Pure: no
//! profile, no engine.

use super::due::{Problem, instant, parse_hours, read_file, theirs};
use crate::show::{Out, clean};
use crate::stop::Stop;
use chrono::{DateTime, FixedOffset, SecondsFormat, TimeDelta, Utc};
use clap::Args;
use meantime_model::overlap::{self, Marked};
use meantime_model::working::LOOK_AHEAD;
use meantime_model::{Schedule, Span};
use serde::Serialize;
use serde_json::json;
use std::path::PathBuf;

/// A meeting is at most so long.
const LONGEST: TimeDelta = TimeDelta::days(1);
/// Fairness is counted over a year of weekly meetings.
const WEEKS: u32 = 52;

#[derive(Args)]
pub(crate) struct OverlapArgs {
    /// The hours file of each person; `-` reads stdin
    #[arg(long, value_name = "FILE", required = true, num_args = 1..)]
    hours: Vec<PathBuf>,
    /// Where to look from
    #[arg(long, value_name = "RFC3339")]
    from: String,
    /// Where to look to, two years later at most
    #[arg(long, value_name = "RFC3339")]
    to: String,
    /// Find the next slot of a length too: `45m`, `2h`
    #[arg(long)]
    length: Option<String>,
    /// So many of them are enough [default: all]
    #[arg(long, value_name = "K")]
    at_least: Option<usize>,
    /// Mark core hours: an hours file with them
    #[arg(long, value_name = "FILE")]
    core: Option<PathBuf>,
}

/// A stretch in which enough people work.
#[derive(Serialize)]
struct Common {
    from: String,
    to: String,
    /// Whether it lies in core hours; absent where none were given.
    #[serde(skip_serializing_if = "Option::is_none")]
    core: Option<bool>,
}

/// The next slot, and what it is to each person.
#[derive(Serialize)]
struct Slot {
    from: String,
    to: String,
    people: Vec<Theirs>,
    /// How many weekly meetings `outside_day` counts.
    weeks: u32,
}

/// A slot as one person sees it.
#[derive(Serialize)]
struct Theirs {
    /// Their hours file.
    hours: String,
    /// By their clock.
    from: String,
    to: String,
    /// Whether they work from its start to its end.
    works: bool,
    /// How many meetings they have outside of 9 to 18 if it is held every week.
    outside_day: usize,
}

pub(crate) fn run(args: &OverlapArgs, out: &mut Out) -> Result<(), Stop> {
    let mut people = Vec::new();
    for file in &args.hours {
        people.push(named(file, out)?);
    }
    let core = args.core.as_ref().map(|file| named(file, out)).transpose()?;
    let asked = match Asked::read(args) {
        Ok(asked) => asked,
        Err(problem) => return Err(problem.stop(out)),
    };
    let schedules: Vec<&Schedule> = people.iter().collect();
    let (from, to) = (asked.from.to_utc(), asked.to);
    let spans = overlap::overlap(&schedules, asked.at_least, from, to);
    let common: Vec<Common> = match &core {
        Some(core) => {
            overlap::marked(spans, core).iter().map(|Marked { span, core }| asked.common(*span, Some(*core))).collect()
        }
        None => spans.map(|span| asked.common(span, None)).collect(),
    };
    let slot = asked.length.map(|length| {
        let slot = overlap::next_slot(&schedules, asked.at_least, from, to, length);
        slot.map(|span| asked.slot(span, &args.hours, &people))
    });
    if out.json {
        let answer = match slot {
            Some(slot) => json!({ "overlap": common, "slot": slot }),
            None => json!({ "overlap": common }),
        };
        return Ok(out.json_document(&answer)?);
    }
    if common.is_empty() {
        out.line("there is no such time")?;
    }
    for Common { from, to, core } in common {
        out.line(format!("{from} to {to}{}", if core == Some(true) { ", core hours" } else { "" }))?;
    }
    match slot {
        None => {}
        Some(None) => out.line("no slot is long enough")?,
        Some(Some(slot)) => {
            out.line(format!("next slot: {} to {}", slot.from, slot.to))?;
            for Theirs { hours, from, to, works, outside_day } in slot.people {
                let works = if works { "works" } else { "doesn’t work" };
                let odd = format!("held weekly, outside of 9 to 18 in {outside_day} of {WEEKS} weeks");
                out.line(format!("  {}: {from} to {to}, {works}; {odd}", clean(&hours)))?;
            }
        }
    }
    Ok(())
}

/// The schedule of a file, which an error names.
fn named(file: &std::path::Path, out: &mut Out) -> Result<Schedule, Stop> {
    let problem = |problem: Problem| problem.of(&file.display().to_string());
    parse_hours(&read_file(file)?).map_err(|wrong| problem(wrong).stop(out))
}

/// What was asked for.
struct Asked {
    /// Its offset is what common time is shown in.
    from: DateTime<FixedOffset>,
    to: DateTime<Utc>,
    length: Option<TimeDelta>,
    at_least: usize,
}

impl Asked {
    fn read(args: &OverlapArgs) -> Result<Self, Problem> {
        let from = instant("from", "invalid_from", &args.from)?;
        let to = instant("to", "invalid_to", &args.to)?.to_utc();
        if to <= from.to_utc() || to - from.to_utc() > LOOK_AHEAD {
            return Err(Problem::new("invalid_to", "to: must be after `from`, and 731 days after it at most"));
        }
        let people = args.hours.len();
        let at_least = args.at_least.unwrap_or(people);
        if !(1..=people).contains(&at_least) {
            return Err(Problem::new(
                "invalid_at_least",
                format!("at_least: must be 1 to {people}, the people there are"),
            ));
        }
        Ok(Self { from, to, length: args.length.as_deref().map(length).transpose()?, at_least })
    }

    fn common(&self, span: Span, core: Option<bool>) -> Common {
        Common { from: self.shown(span.start), to: self.shown(span.end), core }
    }

    fn slot(&self, span: Span, files: &[PathBuf], people: &[Schedule]) -> Slot {
        // Held at the same time each week where the first of them is.
        let zone = people.first().map(|person| person.zone_at(span.start)).unwrap_or(meantime_model::Zone::UTC);
        let each = files.iter().zip(people).map(|(file, person)| Theirs {
            hours: file.display().to_string(),
            from: theirs(person, span.start),
            to: theirs(person, span.end),
            works: person.working_time_between(span.start, span.end) == span.length(),
            outside_day: overlap::outside_day(person, overlap::weekly(span, zone, WEEKS)),
        });
        Slot { from: self.shown(span.start), to: self.shown(span.end), people: each.collect(), weeks: WEEKS }
    }

    fn shown(&self, at: DateTime<Utc>) -> String {
        at.with_timezone(self.from.offset()).to_rfc3339_opts(SecondsFormat::AutoSi, false)
    }
}

/// `45m` or `2h`.
fn length(text: &str) -> Result<TimeDelta, Problem> {
    let number = |unit: char| text.strip_suffix(unit).filter(|n| n.bytes().all(|c| c.is_ascii_digit()))?.parse().ok();
    let length = number('m').and_then(TimeDelta::try_minutes).or_else(|| number('h').and_then(TimeDelta::try_hours));
    length
        .filter(|length| (TimeDelta::minutes(1)..=LONGEST).contains(length))
        .ok_or_else(|| Problem::new("invalid_length", "length: is written as 45m or 2h, from 1m to 24h"))
}
