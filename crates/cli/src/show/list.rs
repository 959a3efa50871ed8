//! Lists of items.

use super::text::clean;
use super::{Out, Show, Style, Table, Times, count, short, source, urgency};
use meantime_engine::api::{Group, GroupCount, InboxPage, Refusal, Row, SearchPage, SnoozeChoice};
use std::io;

impl Show for InboxPage {
    fn show(&self, out: &mut Out, times: &Times) -> io::Result<()> {
        if self.rows.is_empty() {
            return out.line(if self.total == 0 { "Nothing here." } else { "No more rows." });
        }
        let mut table = Table::new(2).long(&[3, 6]);
        if !self.groups.is_empty() {
            table = table.indented();
        }
        let mut last = None;
        for row in &self.rows {
            if row.group != last {
                last = row.group;
                if let Some(group) = row.group {
                    table.heading(heading(group, &self.groups, times));
                }
            }
            table.row(cells(row, times));
        }
        table.print(out)?;
        let shown = u32::try_from(self.rows.len()).unwrap_or(u32::MAX);
        if shown < self.total {
            out.line("")?;
            let rest = format!(
                "{} to {} of {}; --limit and --offset show others",
                self.offset + 1,
                self.offset + shown,
                self.total
            );
            let rest = out.styled(Style::Dim, &rest);
            out.line(rest)?;
        }
        Ok(())
    }
}

fn heading(group: Group, groups: &[GroupCount], times: &Times) -> String {
    let found = groups.iter().find(|other| other.group == group);
    let name = match group {
        Group::Held => "Held while you focused",
        Group::DueToday => "Due today",
        Group::DueLater => "Due later",
        Group::ForInformation => "For information",
    };
    let held = found.and_then(|found| found.held);
    let held = held.map(|held| format!(", {}", times.span(held.start, held.end, held.start))).unwrap_or_default();
    format!("{name}{held} ({})", found.map_or(0, |found| found.count))
}

/// Shape and word, id, title, people, source, when.
fn cells(row: &Row, times: &Times) -> Vec<(String, Style)> {
    let (shape, colour) = urgency(row.urgency);
    let weight = if row.unread { Style::Bold } else { Style::Plain };
    let title = match &row.unreadable {
        Some(why) if row.title.is_empty() => format!("Could not read: {}", clean(why)),
        Some(why) => format!("{} (could not read: {})", clean(&row.title), clean(why)),
        None => clean(&row.title),
    };
    let (when, when_style) = match (row.snoozed_until, row.due) {
        (Some(until), _) => (format!("until {}", times.when(until)), Style::Plain),
        (None, Some(due)) if !row.done => (times.due(due), if times.is_past(due) { Style::Red } else { Style::Plain }),
        _ => (times.when(row.at), Style::Dim),
    };
    let mut marks = Vec::new();
    marks.extend(row.held.then_some("held"));
    marks.extend(row.private.then_some("private"));
    marks.extend(row.muted.then_some("muted"));
    let why = row.why.as_deref().map(clean);
    marks.extend(why.as_deref());
    vec![
        (shape.to_owned(), colour),
        (short(row.id), Style::Dim),
        (title, weight),
        (clean(&row.people), Style::Plain),
        (source(row.source).to_owned(), Style::Dim),
        (when, when_style),
        (marks.join(", "), Style::Dim),
    ]
}

impl Show for SearchPage {
    fn show(&self, out: &mut Out, times: &Times) -> io::Result<()> {
        if self.hits.is_empty() {
            return out.line("Nothing found.");
        }
        for hit in &self.hits {
            let head = format!("{}  {}", short(hit.row.id), times.when(hit.at));
            let head = out.styled(Style::Dim, &head);
            let title = out.styled(Style::Bold, &clean(&hit.row.title));
            out.line(format!("{head}  {title}  {}", clean(&hit.author)))?;
            let excerpt: String = hit
                .excerpt
                .iter()
                .enumerate()
                .map(|(index, piece)| {
                    let piece = harmless_piece(piece);
                    if index % 2 == 1 { out.styled(Style::Yellow, &piece) } else { piece }
                })
                .collect();
            if !excerpt.trim().is_empty() {
                out.line(format!("    {}", excerpt.trim()))?;
            }
        }
        if let Some(next) = self.next {
            let more = out.styled(Style::Dim, &format!("More with --before {next}"));
            out.line(more)?;
        }
        Ok(())
    }
}

/// As [`clean`], but the spaces around a match stay.
fn harmless_piece(piece: &str) -> String {
    let space = |there: bool| if there { " " } else { "" };
    let cleaned = clean(piece);
    if cleaned.is_empty() {
        return space(!piece.is_empty()).to_owned();
    }
    let before = space(piece.starts_with(char::is_whitespace));
    let after = space(piece.ends_with(char::is_whitespace));
    format!("{before}{cleaned}{after}")
}

impl Show for Vec<SnoozeChoice> {
    fn show(&self, out: &mut Out, times: &Times) -> io::Result<()> {
        let mut table = Table::new(0);
        for choice in self {
            table.row([(clean(&choice.label), Style::Plain), (times.when(choice.until), Style::Dim)]);
        }
        table.print(out)
    }
}

impl Show for Vec<Refusal> {
    fn show(&self, out: &mut Out, _: &Times) -> io::Result<()> {
        if self.is_empty() {
            return out.line("Nothing was refused.");
        }
        for refusal in self {
            let head = out.styled(Style::Bold, &format!("{}  {}", refusal.id, clean(&refusal.what)));
            out.line(head)?;
            out.line(format!("    {}", clean(&refusal.message)))?;
            for line in super::clean_lines(&refusal.text).lines() {
                out.line(format!("    | {line}"))?;
            }
            if let Some(present) = &refusal.present {
                out.line("    What stands there now; trying again puts yours in its place:")?;
                for line in super::clean_lines(present).lines() {
                    out.line(format!("    | {line}"))?;
                }
            }
        }
        let all = u32::try_from(self.len()).unwrap_or(u32::MAX);
        let what = count(all, "refusal", "refusals");
        out.line(format!("{what}; `meantime refusals retry ID` tries again, `meantime refusals drop ID` lets go."))
    }
}
