//! Everybody's day.

use super::status::state;
use super::text::clean;
use super::{Out, Show, Style, Table, Times};
use meantime_engine::api::{Band, BandKind, Hours, TeamPage};
use std::io;

impl Show for TeamPage {
    fn show(&self, out: &mut Out, times: &Times) -> io::Result<()> {
        let Some(team) = &self.team else {
            return out.line("There is no team yet: `meantime join LINK` joins one.");
        };
        let mut table = Table::new(4).wrapped().long(&[0, 1, 3]);
        table.heading(format!("{} · {} · {}", clean(team), times.day(self.day.start), clean(&self.zone)));
        for person in &self.people {
            let name = if person.you { format!("{} (you)", clean(&person.name)) } else { clean(&person.name) };
            let clock = person.zone.as_deref().and_then(|zone| times.clock_in(zone)).unwrap_or_default();
            let bands: Vec<_> = person.bands.iter().map(|band| told(band, self, times)).collect();
            table.row([
                (name, Style::Bold),
                (clean(&person.city), Style::Plain),
                (clock, Style::Dim),
                (state(&person.state, times).unwrap_or_default(), Style::Plain),
                (bands.join(", "), Style::Dim),
            ]);
        }
        table.print(out)?;
        for note in &self.notes {
            out.line(format!("! {}", clean(note)))?;
        }
        Ok(())
    }
}

fn told(band: &Band, page: &TeamPage, times: &Times) -> String {
    let span = times.span(band.span.start, band.span.end, page.day.start);
    let label = clean(&band.label);
    match (band.kind, label.is_empty()) {
        (BandKind::Work, true) => span,
        (BandKind::Focus, true) => format!("{span} focus"),
        (BandKind::Away, true) => format!("{span} away"),
        (_, false) => format!("{span} {label}"),
    }
}

impl Show for Hours {
    fn show(&self, out: &mut Out, _: &Times) -> io::Result<()> {
        if self.proposed {
            out.line("You keep no hours yet. This is a proposal; `meantime hours set FILE` sets yours.")?;
        }
        let zone = out.styled(Style::Bold, self.schedule.zone().name());
        out.line(zone)?;
        let clock = |minutes: u16| {
            let minutes = if minutes > 24 * 60 { minutes - 24 * 60 } else { minutes };
            format!("{:02}:{:02}", minutes / 60, minutes % 60)
        };
        let mut table = Table::new(1);
        let days = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
        for (day, intervals) in days.iter().zip(self.schedule.weekly()) {
            let intervals: Vec<_> =
                intervals.iter().map(|interval| format!("{}–{}", clock(interval.start), clock(interval.end))).collect();
            let intervals = if intervals.is_empty() { "–".to_owned() } else { intervals.join(", ") };
            table.row([((*day).to_owned(), Style::Plain), (intervals, Style::Plain)]);
        }
        table.print(out)?;
        if let Some(alternate) = self.schedule.alternate() {
            out.line(format!("the week of {}, then {} other in turn", alternate.from, alternate.weeks.len()))?;
        }
        for change in self.schedule.changes() {
            let home = change.zone.map(|zone| format!(" in {zone}")).unwrap_or_default();
            out.line(format!("other hours{home} from {}", change.from))?;
        }
        for stay in self.schedule.stays() {
            out.line(format!("in {} {} to {}", stay.zone, stay.from, stay.to))?;
        }
        for off in self.schedule.time_off().iter().chain(self.schedule.holidays()) {
            let label = off.label.as_deref().map(|label| format!(" {}", clean(label))).unwrap_or_default();
            out.line(format!("off {} to {}{label}", off.from, off.to))?;
        }
        Ok(())
    }
}
