//! The hours file: a schedule as JSON (docs/hours.schema.json).
//!
//! Read by hand rather than derived, so that each error names its field.

use super::{DAY, DAYS, Interval, InvalidSchedule, Moment, Schedule, TimeOff, Weekly};
use crate::zone::Zone;
use chrono::{NaiveDate, NaiveDateTime, NaiveTime, Timelike};
use serde::de::Error as _;
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};
use std::fmt;

impl Schedule {
    /// Reads an hours file that is JSON already. What it doesn't know is kept
    /// in [`Schedule::rest`].
    ///
    /// # Errors
    /// Names the first field that is missing or wrong.
    pub fn from_json(value: Value) -> Result<Self, InvalidSchedule> {
        let Value::Object(mut file) = value else {
            return Err(InvalidSchedule::new("hours", "must be an object with `zone` and `weekly`"));
        };
        let zone = read_zone(take(&mut file, "zone")?)?;
        let weekly = read_weekly(take(&mut file, "weekly")?)?;
        let time_off = match file.shift_remove("time_off") {
            None | Some(Value::Null) => Vec::new(),
            Some(value) => read_all_time_off(value)?,
        };
        Self::checked(zone, weekly, time_off, file)
    }
}

impl<'de> Deserialize<'de> for Schedule {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::from_json(Value::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

impl Serialize for Schedule {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let weekly: Map<String, Value> = DAYS
            .iter()
            .zip(&self.weekly)
            .filter(|(_, intervals)| !intervals.is_empty())
            .map(|(day, intervals)| ((*day).to_owned(), intervals.iter().map(written).collect()))
            .collect();
        let mut file = serializer.serialize_map(None)?;
        file.serialize_entry("zone", &self.zone)?;
        file.serialize_entry("weekly", &weekly)?;
        file.serialize_entry("time_off", &self.time_off)?;
        for (key, value) in &self.rest {
            file.serialize_entry(key, value)?;
        }
        file.end()
    }
}

impl Serialize for TimeOff {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut entry = serializer.serialize_map(None)?;
        entry.serialize_entry("from", &self.from.to_string())?;
        entry.serialize_entry("to", &self.to.to_string())?;
        if let Some(label) = &self.label {
            entry.serialize_entry("label", label)?;
        }
        for (key, value) in &self.rest {
            entry.serialize_entry(key, value)?;
        }
        entry.end()
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Day(day) => write!(f, "{day}"),
            Self::Time(time) if time.second() == 0 => write!(f, "{}", time.format("%Y-%m-%dT%H:%M")),
            Self::Time(time) => write!(f, "{}", time.format("%Y-%m-%dT%H:%M:%S")),
        }
    }
}

fn take(object: &mut Map<String, Value>, key: &str) -> Result<Value, InvalidSchedule> {
    object.shift_remove(key).ok_or_else(|| InvalidSchedule::new(key, "is missing"))
}

fn read_zone(value: Value) -> Result<Zone, InvalidSchedule> {
    let name = value.as_str().ok_or_else(|| InvalidSchedule::new("zone", "must be a name such as Europe/Lisbon"))?;
    name.parse().map_err(|e: crate::zone::UnknownZone| InvalidSchedule::new("zone", e.to_string()))
}

fn read_weekly(value: Value) -> Result<Weekly, InvalidSchedule> {
    let Value::Object(days) = value else {
        return Err(InvalidSchedule::new("weekly", "must be an object with the days mon to sun"));
    };
    let mut weekly = Weekly::default();
    for (name, intervals) in days {
        let field = format!("weekly.{}", shown(&name));
        let day = DAYS.iter().position(|day| *day == name).and_then(|index| weekly.get_mut(index));
        let day = day.ok_or_else(|| InvalidSchedule::new(&field, "is no day; the days are mon, tue, … sun"))?;
        let Value::Array(intervals) = intervals else {
            return Err(InvalidSchedule::new(field, r#"must be a list such as [["09:00", "17:00"]]"#));
        };
        *day = intervals
            .iter()
            .enumerate()
            .map(|(index, interval)| {
                read_interval(interval).map_err(|problem| InvalidSchedule::new(format!("{field}[{index}]"), problem))
            })
            .collect::<Result<_, _>>()?;
    }
    Ok(weekly)
}

fn read_interval(value: &Value) -> Result<Interval, String> {
    let pair = value.as_array().and_then(|pair| match pair.as_slice() {
        [start, end] => Some((start.as_str()?, end.as_str()?)),
        _ => None,
    });
    let (start, end) = pair.ok_or_else(|| r#"must be two times such as ["09:00", "17:00"]"#.to_owned())?;
    let (start, end) = (minutes(start)?, minutes(end)?);
    match (start, end) {
        (DAY, _) => Err("can't start at 24:00; write 00:00 on the next day".to_owned()),
        (start, end) if start == end => Err("is empty: it ends when it starts".to_owned()),
        (start, end) if end < start => Ok(Interval { start, end: end + DAY }),
        (start, end) => Ok(Interval { start, end }),
    }
}

/// `HH:MM` as minutes after midnight, 24:00 included.
fn minutes(text: &str) -> Result<u16, String> {
    let two = |part: &str| match part.as_bytes() {
        [tens @ b'0'..=b'9', ones @ b'0'..=b'9'] => Some(u16::from(tens - b'0') * 10 + u16::from(ones - b'0')),
        _ => None,
    };
    text.split_once(':')
        .and_then(|(hours, minutes)| Some((two(hours)?, two(minutes)?)))
        .filter(|(hours, minutes)| *minutes < 60 && hours * 60 + minutes <= DAY)
        .map(|(hours, minutes)| hours * 60 + minutes)
        .ok_or_else(|| format!("{:?} is no time of day; write it as 09:30, between 00:00 and 24:00", shown(text)))
}

fn written(interval: &Interval) -> Value {
    let clock = |minutes: u16| format!("{:02}:{:02}", minutes / 60, minutes % 60);
    let end = if interval.end > DAY { interval.end - DAY } else { interval.end };
    Value::from(vec![clock(interval.start), clock(end)])
}

fn read_all_time_off(value: Value) -> Result<Vec<TimeOff>, InvalidSchedule> {
    let Value::Array(entries) = value else {
        return Err(InvalidSchedule::new("time_off", "must be a list"));
    };
    entries.into_iter().enumerate().map(|(index, entry)| read_time_off(index, entry)).collect()
}

fn read_time_off(index: usize, value: Value) -> Result<TimeOff, InvalidSchedule> {
    let field = |key: &str| format!("time_off[{index}].{key}");
    let Value::Object(mut entry) = value else {
        return Err(InvalidSchedule::new(format!("time_off[{index}]"), "must be an object with `from` and `to`"));
    };
    let mut moment = |key: &str| {
        let value = entry.shift_remove(key).ok_or_else(|| InvalidSchedule::new(field(key), "is missing"))?;
        value.as_str().and_then(read_moment).ok_or_else(|| {
            let given = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            let problem = format!("{:?} is no day (2026-12-24) and no local time (2026-12-31T12:00)", shown(&given));
            InvalidSchedule::new(field(key), problem)
        })
    };
    let (from, to) = (moment("from")?, moment("to")?);
    let label = match entry.shift_remove("label") {
        None | Some(Value::Null) => None,
        Some(Value::String(label)) => Some(label),
        Some(_) => return Err(InvalidSchedule::new(field("label"), "must be text")),
    };
    Ok(TimeOff { from, to, label, rest: entry })
}

/// `2026-12-24`, `2026-12-31T12:00` or `2026-12-31T12:00:30`; nothing looser.
fn read_moment(text: &str) -> Option<Moment> {
    let (day, time) = match text.split_once('T') {
        Some((day, time)) => (day, Some(time)),
        None => (text, None),
    };
    let date = NaiveDate::parse_from_str(day, "%Y-%m-%d").ok().filter(|_| digits(day, "0000-00-00"))?;
    let Some(time) = time else {
        return Some(Moment::Day(date));
    };
    let time = match time.len() {
        5 if digits(time, "00:00") => NaiveTime::parse_from_str(time, "%H:%M").ok()?,
        8 if digits(time, "00:00:00") => NaiveTime::parse_from_str(time, "%H:%M:%S").ok()?,
        _ => return None,
    };
    Some(Moment::Time(NaiveDateTime::new(date, time)))
}

/// Whether a text has digits where the pattern has `0`, and is else the same.
fn digits(text: &str, pattern: &str) -> bool {
    text.len() == pattern.len()
        && text.bytes().zip(pattern.bytes()).all(|(c, p)| if p == b'0' { c.is_ascii_digit() } else { c == p })
}

/// What was given, short enough for a message.
fn shown(given: &str) -> String {
    given.chars().take(40).collect()
}
