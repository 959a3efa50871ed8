//! The team page: everybody's day on one band, and common time.

use crate::api::*;
use crate::engine::Engine;
use crate::people::{Person, Team, running_focus};
use chrono::{DateTime, Days, NaiveDate, NaiveTime, TimeDelta, Utc};
use meantime_model::overlap;
use meantime_model::working::Span as Working;
use meantime_model::zone::Zone;
use meantime_model::{PersonId, Schedule};

/// How far ahead a common slot is looked for.
const SLOT_LOOK_AHEAD: TimeDelta = TimeDelta::weeks(4);
/// Changes of clocks and leave are pointed out this far ahead.
const FORTNIGHT: u64 = 14;
/// People of one overlap at most.
const MAX_PEOPLE: usize = 500;

impl Engine {
    pub(crate) async fn team_page(&self, query: TeamQuery) -> Result<TeamPage, Failure> {
        let (now, zone) = (self.now(), self.zone().await);
        let day = day_span(zone, query.day, now);
        let team = self.read(Team::load).await?;
        let Some(team) = team else {
            return Ok(TeamPage { team: None, zone: zone.to_string(), day, now, people: vec![], notes: vec![] });
        };
        let me = team.config.person;
        let shown = |person: &Person| shown(person, bands(person, day, now, zone), me, now);
        let mut people: Vec<TeamPerson> = team.people.values().map(shown).collect();
        let moment = now.clamp(day.start, day.end);
        people.sort_by_cached_key(|person| place(person, moment));
        let notes = team.people.values().filter_map(|person| clock_change(person, now)).collect();
        Ok(TeamPage { team: Some(team.config.team_name.clone()), zone: zone.to_string(), day, now, people, notes })
    }

    pub(crate) async fn overlap_of(&self, query: OverlapQuery) -> Result<Overlap, Failure> {
        if query.people.is_empty() || query.people.len() > MAX_PEOPLE || !(5..=1440).contains(&query.minutes) {
            let message = format!("choose 1 to {MAX_PEOPLE} people and 5 to 1440 minutes");
            return Err(Failure::new(FailureCode::Invalid, message));
        }
        let (now, zone) = (self.now(), self.zone().await);
        let day = day_span(zone, query.day, now);
        let team = self.read(Team::load).await?;
        let Some(team) = team else { return Err(Failure::new(FailureCode::NotPossible, "you are in no team yet")) };
        let chosen: Vec<&Person> = query.people.iter().filter_map(|id| team.people.get(id)).collect();
        let schedules: Vec<&Schedule> = chosen.iter().filter_map(|person| person.schedule.as_ref()).collect();
        if schedules.len() < query.people.len() {
            return Ok(Overlap { day: Vec::new(), next: None, text: None });
        }
        let common = overlap::overlap(&schedules, schedules.len(), day.start, day.end);
        let length = TimeDelta::minutes(i64::from(query.minutes));
        let next = overlap::next_slot(&schedules, schedules.len(), now, now + SLOT_LOOK_AHEAD, length).map(span);
        Ok(Overlap { day: common.map(span).collect(), text: next.map(|slot| slot_text(slot, &chosen)), next })
    }
}

fn shown(person: &Person, bands: Vec<Band>, me: PersonId, now: DateTime<Utc>) -> TeamPerson {
    TeamPerson {
        id: person.id,
        name: person.name.clone(),
        you: person.id == me,
        title: person.title.clone(),
        city: person.city(),
        zone: person.zone(),
        state: person.state(now),
        bands,
    }
}

/// Me first, then those whose clocks are ahead, as a day goes round the world;
/// within a zone by name. Who says no zone comes last.
fn place(person: &TeamPerson, at: DateTime<Utc>) -> (bool, bool, i32, String) {
    let zone = person.zone.as_ref().and_then(|name| name.parse::<Zone>().ok());
    let ahead = zone.map(|zone| zone.offset(at).local_minus_utc());
    (!person.you, ahead.is_none(), -ahead.unwrap_or_default(), person.name.clone())
}

/// My midnight to my midnight.
fn day_span(zone: Zone, day: Option<NaiveDate>, now: DateTime<Utc>) -> Span {
    let day = day.unwrap_or_else(|| zone.local(now).date());
    let next = day.checked_add_days(Days::new(1)).unwrap_or(day);
    Span { start: zone.start(day.and_time(NaiveTime::MIN)), end: zone.start(next.and_time(NaiveTime::MIN)) }
}

fn bands(person: &Person, day: Span, now: DateTime<Utc>, mine: Zone) -> Vec<Band> {
    let Some(schedule) = &person.schedule else { return Vec::new() };
    let mut out: Vec<Band> = schedule
        .working(day.start, day.end)
        .map(|work| Band { span: span(work), kind: BandKind::Work, label: String::new() })
        .collect();
    let work: Vec<Span> = out.iter().map(|band| band.span).collect();
    for full in schedule.without_time_off().working(day.start, day.end) {
        for away in subtract(span(full), &work) {
            let label = leave_label(schedule, away, mine);
            out.push(Band { span: away, kind: BandKind::Away, label });
        }
    }
    if let Some(until) = running_focus(person.focus.as_ref(), now) {
        let start = person.focus.as_ref().and_then(|focus| focus.since).unwrap_or(now);
        let focus = Span { start, end: until.unwrap_or(now) };
        if focus.start < day.end && day.start < focus.end {
            out.push(Band { span: focus, kind: BandKind::Focus, label: "focus".to_owned() });
        }
    }
    out.sort_by_key(|band| (band.span.start, band.span.end));
    out
}

/// What of `whole` none of `parts` covers; `parts` are in order and apart.
fn subtract(whole: Span, parts: &[Span]) -> Vec<Span> {
    let mut out = Vec::new();
    let mut from = whole.start;
    for part in parts.iter().filter(|part| part.start < whole.end && whole.start < part.end) {
        if from < part.start {
            out.push(Span { start: from, end: part.start });
        }
        from = from.max(part.end);
    }
    if from < whole.end {
        out.push(Span { start: from, end: whole.end });
    }
    out
}

fn leave_label(schedule: &Schedule, away: Span, mine: Zone) -> String {
    let word = schedule.off_at(away.start).and_then(|off| off.label.clone()).unwrap_or_else(|| "away".to_owned());
    match schedule.next_opening(away.end) {
        Some(back) if back - away.start > TimeDelta::hours(20) => {
            format!("{word} until {}", mine.local(back).format("%a"))
        }
        Some(back) => format!("{word} until {}", mine.local(back).format("%H:%M")),
        None => word,
    }
}

/// `Lisbon’s clocks change on Sunday`: within the next fortnight.
fn clock_change(person: &Person, now: DateTime<Utc>) -> Option<String> {
    let zone = person.schedule.as_ref()?.zone();
    let today = zone.local(now).date();
    for ahead in 0..FORTNIGHT {
        let day = today.checked_add_days(Days::new(ahead))?;
        let (from, to) =
            (zone.start(day.and_time(NaiveTime::MIN)), zone.start(day.succ_opt()?.and_time(NaiveTime::MIN)));
        if zone.offset(from) != zone.offset(to) {
            return Some(format!("{}’s clocks change on {} ({}).", person.city(), day.format("%A"), person.name));
        }
    }
    None
}

/// One line to be copied: the slot in each person's own time.
fn slot_text(slot: Span, people: &[&Person]) -> String {
    let each = people.iter().filter_map(|person| {
        let zone = person.schedule.as_ref()?.zone_at(slot.start);
        let (start, end) = (zone.local(slot.start), zone.local(slot.end));
        let (from, until) = (start.format("%a %-d %b %H:%M"), end.format("%H:%M"));
        Some(format!("{} {from}–{until} ({})", person.name, person.city()))
    });
    each.collect::<Vec<_>>().join(" · ")
}

fn span(working: Working) -> Span {
    Span { start: working.start, end: working.end }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minute: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::minutes(minute)
    }

    #[test]
    fn people_stand_in_the_order_of_their_zones() {
        let person = |name: &str, zone: Option<&str>| TeamPerson {
            id: PersonId::new(),
            name: name.to_owned(),
            you: name == "Ana",
            title: String::new(),
            city: String::new(),
            zone: zone.map(str::to_owned),
            state: PersonState::Unknown,
            bands: Vec::new(),
        };
        let mut people = [
            person("Amina", None),
            person("Ana", Some("Europe/Lisbon")),
            person("Kofi", Some("Africa/Accra")),
            person("Lin", Some("America/New_York")),
            person("Femi", Some("Africa/Lagos")),
            person("Tom", Some("Europe/London")),
            person("Bola", Some("Africa/Lagos")),
            person("Mei", Some("Asia/Taipei")),
        ];
        let order = |people: &mut [TeamPerson], at: &str| {
            people.sort_by_cached_key(|person| place(person, at.parse().unwrap()));
            people.iter().map(|person| person.name.clone()).collect::<Vec<_>>()
        };
        let winter = ["Ana", "Mei", "Bola", "Femi", "Kofi", "Tom", "Lin", "Amina"];
        assert_eq!(order(&mut people, "2026-01-12T09:00:00Z"), winter);
        let summer = ["Ana", "Mei", "Bola", "Femi", "Tom", "Kofi", "Lin", "Amina"];
        assert_eq!(order(&mut people, "2026-07-12T09:00:00Z"), summer, "London's clocks are ahead of Accra's");
    }

    #[test]
    fn subtracting_leaves_what_is_not_covered() {
        let part = |a, b| Span { start: at(a), end: at(b) };
        assert_eq!(subtract(part(0, 10), &[]), [part(0, 10)]);
        assert_eq!(subtract(part(0, 10), &[part(0, 10)]), []);
        assert_eq!(subtract(part(0, 10), &[part(2, 3), part(5, 7)]), [part(0, 2), part(3, 5), part(7, 10)]);
        assert_eq!(subtract(part(5, 10), &[part(0, 6), part(9, 20)]), [part(6, 9)]);
    }
}
