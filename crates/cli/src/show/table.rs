//! Aligned columns.

use super::text::{columns, fit, wrap};
use super::{Out, Style};
use std::io;

/// Rows of cells; each column is as wide as its widest cell, and on a
/// terminal some columns give way so that each row stays within it.
pub(crate) struct Table {
    rows: Vec<Row>,
    /// The column that gives way.
    gives: usize,
    /// What it has no room for goes on below.
    wraps: bool,
    /// Columns that give way before it where they are long.
    long: &'static [usize],
    indent: usize,
}

enum Row {
    Heading(String),
    Cells(Vec<(String, Style)>),
}

/// Space between columns.
const GAP: usize = 2;
/// Who gives way down to what, one after the other.
const GIVING: [(Gives, usize); 5] =
    [(Gives::Long, 20), (Gives::One, 24), (Gives::Long, 12), (Gives::One, 12), (Gives::Long, 6)];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Gives {
    /// The columns of names and other words of any length.
    Long,
    /// The column that gives way.
    One,
}

impl Table {
    /// A table whose column `gives` is cut where the terminal is too narrow.
    pub(crate) fn new(gives: usize) -> Self {
        Self { rows: Vec::new(), gives, wraps: false, long: &[], indent: 0 }
    }

    /// Names the columns whose cells may be of any length too: where they are
    /// long, they are cut first.
    pub(crate) fn long(self, long: &'static [usize]) -> Self {
        Self { long, ..self }
    }

    /// Nothing of the column that gives way is lost: it goes on below.
    pub(crate) fn wrapped(self) -> Self {
        Self { wraps: true, ..self }
    }

    /// Sets all rows but the headings in by two columns.
    pub(crate) fn indented(self) -> Self {
        Self { indent: 2, ..self }
    }

    /// A line that spans all columns, with an empty one before it unless it is the first.
    pub(crate) fn heading(&mut self, text: impl Into<String>) {
        self.rows.push(Row::Heading(text.into()));
    }

    /// One row. The cells are harmless already.
    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = (String, Style)>) {
        self.rows.push(Row::Cells(cells.into_iter().collect()));
    }

    pub(crate) fn print(&self, out: &mut Out) -> io::Result<()> {
        let widths = self.widths(out.width);
        for (index, row) in self.rows.iter().enumerate() {
            match row {
                Row::Heading(text) => {
                    if index > 0 {
                        out.line("")?;
                    }
                    let text = out.width.map_or_else(|| text.clone(), |width| fit(text, width));
                    let text = out.styled(Style::Bold, &text);
                    out.line(text)?;
                }
                Row::Cells(cells) => {
                    for line in self.lines(cells, &widths, out) {
                        out.line(line)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// A row, and what of it goes on below.
    fn lines(&self, cells: &[(String, Style)], widths: &[usize], out: &Out) -> Vec<String> {
        let mut cells = cells.to_vec();
        let mut below = Vec::new();
        if let (Some((text, style)), Some(width @ 1..)) = (cells.get_mut(self.gives), widths.get(self.gives))
            && self.wraps
        {
            let before: usize = widths.iter().take(self.gives).map(|width| width + GAP).sum();
            let margin = " ".repeat(self.indent + before);
            let mut pieces = wrap(text, *width).into_iter();
            *text = pieces.next().unwrap_or_default();
            below.extend(pieces.map(|piece| format!("{margin}{}", out.styled(*style, &fit(&piece, *width)))));
        }
        [self.line(&cells, widths, out)].into_iter().chain(below).collect()
    }

    fn line(&self, cells: &[(String, Style)], widths: &[usize], out: &Out) -> String {
        let mut line = " ".repeat(self.indent);
        let last = cells.iter().zip(widths).rposition(|((text, _), width)| !text.is_empty() && *width > 0);
        for (index, ((text, style), width)) in cells.iter().zip(widths).enumerate() {
            if Some(index) > last {
                break;
            }
            let text = fit(text, *width);
            let pad = width.saturating_sub(columns(&text));
            line.push_str(&out.styled(*style, &text));
            if Some(index) < last {
                line.push_str(&" ".repeat(pad + GAP));
            }
        }
        line
    }

    fn widths(&self, terminal: Option<usize>) -> Vec<usize> {
        let mut widths: Vec<usize> = Vec::new();
        for row in &self.rows {
            let Row::Cells(cells) = row else { continue };
            widths.resize(widths.len().max(cells.len()), 0);
            for (width, (text, _)) in widths.iter_mut().zip(cells) {
                *width = (*width).max(columns(text));
            }
        }
        let shown = widths.iter().rposition(|width| *width > 0).unwrap_or_default();
        let all = self.indent + widths.iter().sum::<usize>() + GAP * shown;
        let mut over = terminal.map_or(0, |terminal| all.saturating_sub(terminal));
        for (who, least) in GIVING {
            let of = |column: usize| {
                if column == self.gives { who == Gives::One } else { who == Gives::Long && self.long.contains(&column) }
            };
            narrow(&mut widths, of, least, &mut over);
        }
        // What is left is cut off at the edge.
        for width in widths.iter_mut().rev().filter(|width| **width > 0) {
            let cut = over.min(*width);
            *width -= cut;
            over -= cut;
            if *width == 0 {
                over = over.saturating_sub(GAP);
            }
        }
        widths
    }
}

/// Takes what is over from the widest of these columns, down to `least`.
fn narrow(widths: &mut [usize], of: impl Fn(usize) -> bool, least: usize, over: &mut usize) {
    while *over > 0 {
        let theirs = widths.iter_mut().enumerate().filter(|(column, width)| of(*column) && **width > least);
        let Some((_, widest)) = theirs.max_by_key(|(_, width)| **width) else { return };
        *widest -= 1;
        *over -= 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let plain = |text: &str| (text.to_owned(), Style::Plain);
        let mut table = Table::new(1).indented();
        table.row([plain("a"), plain("Review the draft of the API"), plain("today")]);
        table.row([plain("bb"), plain("你好"), plain("")]);
        table
    }

    #[test]
    fn columns_line_up() {
        let (table, out) = (table(), Out::new(false));
        let lines: Vec<_> = table
            .rows
            .iter()
            .map(|row| match row {
                Row::Heading(text) => text.clone(),
                Row::Cells(cells) => table.line(cells, &table.widths(None), &out),
            })
            .collect();
        assert_eq!(lines, ["  a   Review the draft of the API  today", "  bb  你好"]);
    }

    #[test]
    fn one_column_gives_way_but_not_all_of_it() {
        assert_eq!(table().widths(Some(30)), [2, 17, 5]);
        assert_eq!(table().widths(Some(24)), [2, 12, 4], "the rest is cut off at the edge");
        assert_eq!(table().widths(Some(19)), [2, 12, 0]);
    }

    #[test]
    fn long_names_give_way_before_titles_and_nothing_is_wider_than_the_terminal() {
        let plain = |text: &str| (text.to_owned(), Style::Plain);
        let long = "Ministério 你好 e\u{301}te\u{301} ❤\u{fe0f}❤\u{fe0f} ".repeat(20);
        let title = "Review the draft of the API by Thursday";
        let mut table = Table::new(1).long(&[2, 4]).indented();
        table.row(["deadbeef", title, &long, "due 17:00", ""].map(plain));
        table.row(["deadbeef", "Short", "Mei Lin", "due tomorrow 17:00", "held"].map(plain));
        assert_eq!(table.widths(Some(100)), [8, 39, 21, 18, 4]);
        assert_eq!(table.widths(Some(90)), [8, 30, 20, 18, 4]);
        let out = Out::new(false);
        for terminal in 40..=120 {
            let widths = table.widths(Some(terminal));
            for row in &table.rows {
                let Row::Cells(cells) = row else { continue };
                let line = table.line(cells, &widths, &out);
                assert!(columns(&line) <= terminal, "{terminal}: {line}");
                assert!(line.starts_with("  deadbeef  "), "{line}");
            }
        }
        assert!(table.widths(None)[2] > 400, "a file holds everything");
    }

    #[test]
    fn what_must_be_read_whole_goes_on_below() {
        let plain = |text: &str| (text.to_owned(), Style::Plain);
        let table = Table::new(1).wrapped();
        let cells = ["a", "The password is wrong: give a new one", "2 changes"].map(plain);
        let lines = table.lines(&cells, &[1, 24, 9], &Out::new(false));
        assert_eq!(lines, ["a  The password is wrong:    2 changes", "   give a new one"]);
    }
}
