//! The hours file: a schedule as JSON (docs/hours.schema.json).
//!
//! Read by hand rather than derived, so that each error names its field.

use super::{Alternate, Change, DAY, DAYS, Interval, InvalidSchedule, Moment, Schedule, Stay, TimeOff, Weekly};
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
        let Value::Object(object) = value else {
            return Err(InvalidSchedule::new("hours", "must be an object with `zone` and `weekly`"));
        };
        let mut file = Fields { object, path: String::new() };
        let zone = file.required("zone", read_zone)?;
        let weekly = file.required("weekly", read_weekly)?;
        Self {
            alternate: file.optional("alternate", read_alternate)?,
            changes: file.list("changes", read_change)?,
            stays: file.list("stays", read_stay)?,
            time_off: file.list("time_off", read_time_off)?,
            holidays: file.list("holidays", read_time_off)?,
            rest: file.object,
            ..Self::plain(zone, weekly)
        }
        .checked()
    }
}

impl<'de> Deserialize<'de> for Schedule {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::from_json(Value::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

impl Serialize for Schedule {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut file = serializer.serialize_map(None)?;
        file.serialize_entry("zone", &self.zone)?;
        file.serialize_entry("weekly", &written_week(&self.weekly))?;
        if let Some(alternate) = &self.alternate {
            file.serialize_entry("alternate", alternate)?;
        }
        if !self.changes.is_empty() {
            file.serialize_entry("changes", &self.changes)?;
        }
        if !self.stays.is_empty() {
            file.serialize_entry("stays", &self.stays)?;
        }
        file.serialize_entry("time_off", &self.time_off)?;
        if !self.holidays.is_empty() {
            file.serialize_entry("holidays", &self.holidays)?;
        }
        and_rest(file, &self.rest)
    }
}

impl Serialize for Alternate {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut entry = serializer.serialize_map(None)?;
        entry.serialize_entry("from", &self.from)?;
        entry.serialize_entry("weeks", &self.weeks.iter().map(written_week).collect::<Vec<_>>())?;
        and_rest(entry, &self.rest)
    }
}

impl Serialize for Change {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut entry = serializer.serialize_map(None)?;
        entry.serialize_entry("from", &self.from)?;
        if let Some(zone) = &self.zone {
            entry.serialize_entry("zone", zone)?;
        }
        entry.serialize_entry("weekly", &written_week(&self.weekly))?;
        if let Some(alternate) = &self.alternate {
            entry.serialize_entry("alternate", alternate)?;
        }
        and_rest(entry, &self.rest)
    }
}

impl Serialize for Stay {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut entry = serializer.serialize_map(None)?;
        entry.serialize_entry("zone", &self.zone)?;
        entry.serialize_entry("from", &self.from)?;
        entry.serialize_entry("to", &self.to)?;
        and_rest(entry, &self.rest)
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
        and_rest(entry, &self.rest)
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

fn and_rest<M: SerializeMap>(mut entry: M, rest: &Map<String, Value>) -> Result<M::Ok, M::Error> {
    for (key, value) in rest {
        entry.serialize_entry(key, value)?;
    }
    entry.end()
}

fn written_week(weekly: &Weekly) -> Map<String, Value> {
    DAYS.iter()
        .zip(weekly)
        .filter(|(_, intervals)| !intervals.is_empty())
        .map(|(day, intervals)| ((*day).to_owned(), intervals.iter().map(written).collect()))
        .collect()
}

/// An object being read, and where it is: `changes[1].`, nothing for the file.
struct Fields {
    object: Map<String, Value>,
    path: String,
}

/// Reads a value; the text says which field it is of.
type Reader<T> = fn(Value, &str) -> Result<T, InvalidSchedule>;

impl Fields {
    fn of(value: Value, field: &str, what: &str) -> Result<Self, InvalidSchedule> {
        match value {
            Value::Object(object) => Ok(Self { object, path: format!("{field}.") }),
            _ => Err(InvalidSchedule::new(field, format!("must be an object with {what}"))),
        }
    }

    fn required<T>(&mut self, key: &str, read: Reader<T>) -> Result<T, InvalidSchedule> {
        let field = format!("{}{key}", self.path);
        let value = self.object.shift_remove(key).ok_or_else(|| InvalidSchedule::new(&field, "is missing"))?;
        read(value, &field)
    }

    fn optional<T>(&mut self, key: &str, read: Reader<T>) -> Result<Option<T>, InvalidSchedule> {
        match self.object.shift_remove(key) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => read(value, &format!("{}{key}", self.path)).map(Some),
        }
    }

    fn list<T>(&mut self, key: &str, read: Reader<T>) -> Result<Vec<T>, InvalidSchedule> {
        let field = format!("{}{key}", self.path);
        match self.object.shift_remove(key) {
            None | Some(Value::Null) => Ok(Vec::new()),
            Some(value) => read_list(value, &field, read),
        }
    }
}

fn read_list<T>(value: Value, field: &str, read: Reader<T>) -> Result<Vec<T>, InvalidSchedule> {
    let Value::Array(entries) = value else {
        return Err(InvalidSchedule::new(field, "must be a list"));
    };
    entries.into_iter().enumerate().map(|(index, entry)| read(entry, &format!("{field}[{index}]"))).collect()
}

fn read_zone(value: Value, field: &str) -> Result<Zone, InvalidSchedule> {
    let name = value.as_str().ok_or_else(|| InvalidSchedule::new(field, "must be a name such as Europe/Lisbon"))?;
    name.parse().map_err(|e: crate::zone::UnknownZone| InvalidSchedule::new(field, e.to_string()))
}

fn read_alternate(value: Value, field: &str) -> Result<Alternate, InvalidSchedule> {
    let mut fields = Fields::of(value, field, "`from` and `weeks`")?;
    let from = fields.required("from", read_date)?;
    let weeks = fields.required("weeks", |value, field| read_list(value, field, read_weekly))?;
    Ok(Alternate { from, weeks, rest: fields.object })
}

fn read_change(value: Value, field: &str) -> Result<Change, InvalidSchedule> {
    let mut fields = Fields::of(value, field, "`from` and `weekly`")?;
    Ok(Change {
        from: fields.required("from", read_date)?,
        zone: fields.optional("zone", read_zone)?,
        weekly: fields.required("weekly", read_weekly)?,
        alternate: fields.optional("alternate", read_alternate)?,
        rest: fields.object,
    })
}

fn read_stay(value: Value, field: &str) -> Result<Stay, InvalidSchedule> {
    let mut fields = Fields::of(value, field, "`zone`, `from` and `to`")?;
    Ok(Stay {
        zone: fields.required("zone", read_zone)?,
        from: fields.required("from", read_date)?,
        to: fields.required("to", read_date)?,
        rest: fields.object,
    })
}

fn read_weekly(value: Value, field: &str) -> Result<Weekly, InvalidSchedule> {
    let Value::Object(days) = value else {
        return Err(InvalidSchedule::new(field, "must be an object with the days mon to sun"));
    };
    let mut weekly = Weekly::default();
    for (name, intervals) in days {
        let field = || format!("{field}.{}", shown(&name));
        let day = DAYS.iter().position(|day| *day == name).and_then(|index| weekly.get_mut(index));
        let day = day.ok_or_else(|| InvalidSchedule::new(field(), "is no day; the days are mon, tue, … sun"))?;
        let Value::Array(intervals) = intervals else {
            return Err(InvalidSchedule::new(field(), r#"must be a list such as [["09:00", "17:00"]]"#));
        };
        *day = intervals
            .iter()
            .enumerate()
            .map(|(index, interval)| {
                read_interval(interval)
                    .map_err(|problem| InvalidSchedule::new(format!("{}[{index}]", field()), problem))
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

fn read_time_off(value: Value, field: &str) -> Result<TimeOff, InvalidSchedule> {
    let mut fields = Fields::of(value, field, "`from` and `to`")?;
    Ok(TimeOff {
        from: fields.required("from", read_moment)?,
        to: fields.required("to", read_moment)?,
        label: fields.optional("label", read_text)?,
        rest: fields.object,
    })
}

fn read_text(value: Value, field: &str) -> Result<String, InvalidSchedule> {
    match value {
        Value::String(text) => Ok(text),
        _ => Err(InvalidSchedule::new(field, "must be text")),
    }
}

fn read_date(value: Value, field: &str) -> Result<NaiveDate, InvalidSchedule> {
    value
        .as_str()
        .and_then(date)
        .ok_or_else(|| InvalidSchedule::new(field, format!("{:?} is no day; write it as 2026-12-24", given(&value))))
}

fn read_moment(value: Value, field: &str) -> Result<Moment, InvalidSchedule> {
    value.as_str().and_then(moment).ok_or_else(|| {
        let problem = format!("{:?} is no day (2026-12-24) and no local time (2026-12-31T12:00)", given(&value));
        InvalidSchedule::new(field, problem)
    })
}

/// `2026-12-24`; nothing looser.
fn date(text: &str) -> Option<NaiveDate> {
    NaiveDate::parse_from_str(text, "%Y-%m-%d").ok().filter(|_| digits(text, "0000-00-00"))
}

/// `2026-12-24`, `2026-12-31T12:00` or `2026-12-31T12:00:30`; nothing looser.
fn moment(text: &str) -> Option<Moment> {
    let (day, time) = match text.split_once('T') {
        Some((day, time)) => (day, Some(time)),
        None => (text, None),
    };
    let date = date(day)?;
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

/// A value as it was given, short enough for a message.
fn given(value: &Value) -> String {
    value.as_str().map_or_else(|| shown(&value.to_string()), shown)
}

/// A text short enough for a message.
fn shown(given: &str) -> String {
    given.chars().take(40).collect()
}
