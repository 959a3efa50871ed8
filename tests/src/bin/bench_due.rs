//! Goal 10: dues of a million (person, instant, window), one after the other on
//! one core. There is no peer: nothing else counts working time in this way.

use anyhow::{Context, Result, ensure};
use chrono::{DateTime, TimeDelta, Utc};
use meantime_model::due::{Window, due};
use meantime_model::{Schedule, Zone};
use meantime_tests::bench::figures::{Samples, cpu, short};
use meantime_tests::bench::report::{Options, machine, table};
use meantime_tests::dice::Dice;
use serde_json::{Value, json};
use std::hint::black_box;
use std::time::Instant;

const PEOPLE: usize = 1_000;
const ROUNDS: usize = 9;
/// Dues a second on one core.
const GOAL: f64 = 1_000_000.0;
const WINDOWS: [&str; 6] = ["90m", "4h", "16h", "1d", "3d", "10d"];

/// Who is asked, about a message of when.
struct Question {
    person: usize,
    at: DateTime<Utc>,
}

fn main() -> Result<()> {
    let options = Options::from_args();
    let count = if options.quick { 20_000 } else { 1_000_000 };
    let mut dice = Dice::new(10);
    let people: Vec<Schedule> = (0..PEOPLE).map(|_| person(&mut dice)).collect::<Result<_>>()?;
    let first: DateTime<Utc> = "2024-01-01T00:00:00Z".parse()?;
    let questions: Vec<Question> = (0..count)
        .map(|_| Question {
            person: dice.roll(PEOPLE as u64) as usize,
            // Anywhere in seven years.
            at: first + TimeDelta::seconds(dice.roll(7 * 365 * 86_400) as i64),
        })
        .collect();
    let windows: Vec<Window> = WINDOWS.iter().map(|text| text.parse()).collect::<Result<_, _>>()?;

    let mut rows = vec![["window", "million dues a second", "per CPU-second"].map(str::to_owned).to_vec()];
    let (mut all, mut all_cpu) = (Samples::default(), Samples::default());
    for _ in 0..ROUNDS {
        // By turns, as they come: neither people nor windows are sorted.
        let pick = |n: usize| windows.get(n % windows.len()).copied();
        let (rate, rate_cpu) = round(&people, &questions, pick)?;
        all.add(rate);
        all_cpu.add(rate_cpu);
    }
    rows.push(vec!["all by turns".to_owned(), all.told(), all_cpu.told()]);
    for (name, window) in WINDOWS.iter().zip(&windows) {
        let (mut wall, mut cpu) = (Samples::default(), Samples::default());
        for _ in 0..ROUNDS.div_ceil(3) {
            let (rate, rate_cpu) = round(&people, &questions, |_| Some(*window))?;
            wall.add(rate);
            cpu.add(rate_cpu);
        }
        rows.push(vec![(*name).to_owned(), wall.told(), cpu.told()]);
    }

    let met = if all_cpu.median() * 1e6 >= GOAL { "met" } else { "missed" };
    let report = format!(
        "# Working time\n\nGoal 10: dues of a million (person, instant, window), at least a million a second on one \
         core.\n\n**{} million a CPU-second: {met}.**\n\nWorkload: {PEOPLE} people in all zones, Monday to Friday with \
         a break, at night or in turns, with 20 entries of time off each, and every fifth with stays elsewhere and \
         changed hours; {count} instants from 2024 to 2030, in no order; windows by turns. One thread, {ROUNDS} rounds \
         (a third of that for each window alone). There is no peer.\n\nMachine: {}. Versions: meantime {}.\n\n{}",
        short(all_cpu.median()),
        machine(),
        env!("CARGO_PKG_VERSION"),
        table(&rows),
    );
    options.finish(&report)
}

/// Millions of dues a second, and a CPU-second.
fn round(people: &[Schedule], questions: &[Question], window: impl Fn(usize) -> Option<Window>) -> Result<(f64, f64)> {
    let pid = [std::process::id()];
    let (started, cpu_before) = (Instant::now(), cpu(&pid));
    let mut known = 0_usize;
    for (n, question) in questions.iter().enumerate() {
        let schedule = people.get(question.person).context("there is nobody")?;
        let window = window(n).context("there is no window")?;
        known += usize::from(black_box(due(schedule, black_box(question.at), window)).is_ok());
    }
    let (took, took_cpu) = (started.elapsed().as_secs_f64(), cpu(&pid) - cpu_before);
    ensure!(known * 10 > questions.len() * 9, "only {known} of {} have a due", questions.len());
    let millions = questions.len() as f64 / 1e6;
    // CPU time is told in hundredths of a second.
    Ok((millions / took, millions / took_cpu.max(0.01)))
}

/// Somebody's hours.
fn person(dice: &mut Dice) -> Result<Schedule> {
    let zones: Vec<&str> = Zone::all().map(Zone::name).collect();
    let mut zone = || dice.pick(&zones).copied().unwrap_or("UTC");
    let (home, other) = (zone(), zone());
    let day = match dice.roll(4) {
        0 => json!([["22:00", "06:00"]]),
        1 => json!([["07:30", "12:00"], ["12:30", "16:00"]]),
        _ => json!([["09:00", "13:00"], ["14:00", "18:00"]]),
    };
    let week = |days: &[&str]| -> Value {
        days.iter().map(|name| ((*name).to_owned(), day.clone())).collect::<serde_json::Map<_, _>>().into()
    };
    let usual = week(&["mon", "tue", "wed", "thu", "fri"]);
    let time_off: Vec<Value> = (0..20)
        .map(|_| {
            let (year, month, first) = (2024 + dice.roll(7), 1 + dice.roll(12), 1 + dice.roll(14));
            let last = first + dice.roll(14);
            json!({ "from": format!("{year}-{month:02}-{first:02}"), "to": format!("{year}-{month:02}-{last:02}") })
        })
        .collect();
    let special = dice.roll(5) == 0;
    let also = |value: Value| if special { value } else { Value::Null };
    let hours = json!({
        "zone": home,
        "weekly": usual,
        "alternate": also(json!({ "from": "2024-01-01", "weeks": [week(&["mon", "wed", "fri"])] })),
        "changes": also(json!([{ "from": "2027-01-01", "weekly": usual }])),
        "stays": also(json!([{ "zone": other, "from": "2025-03-03", "to": "2025-03-28" }])),
        "time_off": time_off,
    });
    Ok(Schedule::from_json(hours)?)
}
