//! Time zones by their IANA names, and how a local time becomes an instant.
//!
//! The rules of the zones are those of the tz database that is compiled in;
//! nothing here asks the operating system which zone it is in.

use chrono::{DateTime, FixedOffset, MappedLocalTime, NaiveDateTime, Offset, TimeDelta, TimeZone, Utc};
use chrono_tz::{GapInfo, TZ_VARIANTS, Tz};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::str::FromStr;

/// A time zone. As text its IANA name, `Europe/Lisbon`; read without regard to case.
#[derive(Clone, Copy, PartialEq, Eq, Hash, ts_rs::TS)]
#[ts(type = "string")]
pub struct Zone(Tz);

/// A name that no zone has.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no time zone {given:?}{}", hint(.nearest))]
pub struct UnknownZone {
    /// What was given, cut to a sensible length.
    pub given: String,
    /// The known name that is nearest to it, if one is near at all.
    pub nearest: Option<&'static str>,
}

fn hint(nearest: &Option<&'static str>) -> String {
    nearest.map(|name| format!("; did you mean {name}?")).unwrap_or_default()
}

impl Zone {
    /// Coordinated universal time.
    pub const UTC: Self = Self(Tz::UTC);

    /// The IANA name.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.0.name()
    }

    /// The place the zone is named after: `Lisbon`, `Mexico City`.
    #[must_use]
    pub fn city(self) -> String {
        city(self.name()).replace('_', " ")
    }

    /// The zone as chrono knows it.
    #[must_use]
    pub fn tz(self) -> Tz {
        self.0
    }

    /// Every zone that can be chosen, by name.
    pub fn all() -> impl Iterator<Item = Self> {
        TZ_VARIANTS.iter().map(|tz| Self(*tz))
    }

    /// The offset from UTC at an instant.
    #[must_use]
    pub fn offset(self, at: DateTime<Utc>) -> FixedOffset {
        self.0.offset_from_utc_datetime(&at.naive_utc()).fix()
    }

    /// What the clock on the wall shows at an instant.
    #[must_use]
    pub fn local(self, at: DateTime<Utc>) -> NaiveDateTime {
        at.naive_utc().checked_add_offset(self.offset(at)).unwrap_or(at.naive_utc())
    }

    /// The instant at which something starts that starts at a local time: the
    /// first valid one after a gap, the earlier of two.
    #[must_use]
    pub fn start(self, local: NaiveDateTime) -> DateTime<Utc> {
        self.readings(local).0
    }

    /// The instant at which something ends that ends at a local time: the
    /// first valid one after a gap, the later of two.
    #[must_use]
    pub fn end(self, local: NaiveDateTime) -> DateTime<Utc> {
        self.readings(local).1
    }

    /// What [`Zone::start`] and [`Zone::end`] make of a local time. Beyond the
    /// years chrono can represent, local time is read as UTC.
    pub(crate) fn readings(self, local: NaiveDateTime) -> (DateTime<Utc>, DateTime<Utc>) {
        let at = |offset: FixedOffset| {
            let offset = TimeDelta::seconds(offset.local_minus_utc().into());
            local.checked_sub_signed(offset).unwrap_or(local).and_utc()
        };
        match self.0.offset_from_local_datetime(&local) {
            MappedLocalTime::Single(only) => (at(only.fix()), at(only.fix())),
            MappedLocalTime::Ambiguous(first, second) => {
                let (first, second) = (at(first.fix()), at(second.fix()));
                (first.min(second), first.max(second))
            }
            MappedLocalTime::None => {
                let end = GapInfo::new(&local, &self.0).and_then(|gap| gap.end);
                let end = end.map_or(local.and_utc(), |end| end.with_timezone(&Utc));
                (end, end)
            }
        }
    }
}

impl From<Tz> for Zone {
    fn from(tz: Tz) -> Self {
        Self(tz)
    }
}

impl FromStr for Zone {
    type Err = UnknownZone;

    fn from_str(given: &str) -> Result<Self, UnknownZone> {
        let name = given.trim();
        if let Ok(tz) = name.parse::<Tz>() {
            return Ok(Self(tz));
        }
        Self::all().find(|zone| zone.name().eq_ignore_ascii_case(name)).ok_or_else(|| {
            let given: String = name.chars().take(LONGEST).collect();
            UnknownZone { nearest: nearest(&given), given }
        })
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Debug for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Serialize for Zone {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for Zone {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// Longer names than this are not compared: no zone's is half as long.
const LONGEST: usize = 64;

fn city(name: &str) -> &str {
    name.rsplit('/').next().unwrap_or(name)
}

/// The known name whose city has the fewest letters to change: a third of them
/// at most, half in the right region. What names no region may be all of a name.
fn nearest(given: &str) -> Option<&'static str> {
    let given: Vec<char> = given.to_lowercase().replace(' ', "_").chars().collect();
    let slash = given.iter().rposition(|c| *c == '/');
    let (region, town) = given.split_at(slash.map_or(0, |slash| slash + 1));
    let wrong = |name: &str| {
        let its_region = name.get(..name.len() - city(name).len()).unwrap_or_default();
        let elsewhere = region.is_empty() || distance(region, its_region, 0) > 0;
        let most = town.len() / if elsewhere { 3 } else { 2 };
        let mut letters = distance(town, city(name), most);
        if region.is_empty() {
            letters = letters.min(distance(town, name, most));
        }
        // The right city in the wrong region beats another city in the right one.
        (letters <= most).then_some((letters, elsewhere))
    };
    let near = Zone::all().filter_map(|zone| Some((wrong(zone.name())?, zone.name())));
    near.min_by_key(|(wrong, _)| *wrong).map(|(_, name)| name)
}

/// Letters to insert, drop or replace to turn one word into a zone's name,
/// without regard to case; if there are more than `most`, some number above it.
fn distance(word: &[char], name: &str, most: usize) -> usize {
    let far = most.saturating_add(1);
    if word.len().abs_diff(name.len()) > most {
        return far;
    }
    let mut row: Vec<usize> = (0..=name.len()).collect();
    for (i, x) in word.iter().enumerate() {
        let mut corner = i;
        let mut left = i + 1;
        let mut least = left;
        for (cell, y) in row.iter_mut().skip(1).zip(name.bytes()) {
            left = (corner + usize::from(*x != char::from(y.to_ascii_lowercase()))).min(left + 1).min(*cell + 1);
            corner = std::mem::replace(cell, left);
            least = least.min(left);
        }
        if least > most {
            return far;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn utc(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn local(text: &str) -> NaiveDateTime {
        text.parse().unwrap()
    }

    #[test]
    fn a_name_is_read_in_any_case_and_written_as_iana_does() {
        let zone: Zone = "europe/LISBON".parse().unwrap();
        assert_eq!(serde_json::to_string(&zone).unwrap(), r#""Europe/Lisbon""#);
        assert_eq!(serde_json::from_str::<Zone>(r#""America/Mexico_City""#).unwrap().city(), "Mexico City");
        assert_eq!(Zone::UTC.city(), "UTC");
    }

    #[test]
    fn an_unknown_name_gets_the_nearest_known_one() {
        for (given, nearest) in [
            ("Europe/Lisbone", Some("Europe/Lisbon")),
            ("Lisbon", Some("Europe/Lisbon")),
            ("America/Acra", Some("Africa/Accra")),
            ("new york", Some("America/New_York")),
            ("Europe Lisbon", Some("Europe/Lisbon")),
            ("Asia/Omks", Some("Asia/Omsk")),
            ("Europe/iyonyigz", None),
            ("Europe/", None),
            ("Mars/Olympus_Mons", None),
            ("", None),
        ] {
            let error = given.parse::<Zone>().unwrap_err();
            assert_eq!(error.nearest, nearest, "{given}");
        }
        let error = "Europe/Lisbone".parse::<Zone>().unwrap_err().to_string();
        assert_eq!(error, r#"there is no time zone "Europe/Lisbone"; did you mean Europe/Lisbon?"#);
        assert_eq!("x".repeat(1_000_000).parse::<Zone>().unwrap_err().given.len(), LONGEST);
    }

    #[test]
    fn a_local_time_in_a_gap_moves_to_the_first_valid_instant() {
        let lisbon: Zone = "Europe/Lisbon".parse().unwrap();
        let gap = local("2026-03-29T01:30:00");
        assert_eq!((lisbon.start(gap), lisbon.end(gap)), (utc("2026-03-29T01:00:00Z"), utc("2026-03-29T01:00:00Z")));
        let apia: Zone = "Pacific/Apia".parse().unwrap();
        assert_eq!(apia.start(local("2011-12-30T12:00:00")), utc("2011-12-30T10:00:00Z"), "a whole day is missing");
    }

    #[test]
    fn in_a_fold_a_start_is_the_earlier_and_an_end_the_later() {
        let lord_howe: Zone = "Australia/Lord_Howe".parse().unwrap();
        let fold = local("2026-04-05T01:45:00");
        assert_eq!(lord_howe.start(fold), utc("2026-04-04T14:45:00Z"));
        assert_eq!(lord_howe.end(fold), utc("2026-04-04T15:15:00Z"));
    }

    #[test]
    fn the_ends_of_time_are_no_panic() {
        for zone in Zone::all() {
            for edge in [NaiveDateTime::MIN, NaiveDateTime::MAX] {
                assert!(zone.start(edge) <= zone.end(edge));
                assert!((zone.local(edge.and_utc()) - edge).num_hours().abs() <= 24);
            }
        }
    }
}
