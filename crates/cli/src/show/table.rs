//! Aligned columns.

use super::text::{columns, fit};
use super::{Out, Style};
use std::io;

/// Rows of cells; each column is as wide as its widest cell, and on a
/// terminal one column gives way so that each row stays on its line.
pub(crate) struct Table {
    rows: Vec<Row>,
    /// The column that gives way.
    gives: usize,
    indent: usize,
}

enum Row {
    Heading(String),
    Cells(Vec<(String, Style)>),
}

/// Space between columns.
const GAP: usize = 2;
/// What the column that gives way keeps at least.
const LEAST: usize = 12;

impl Table {
    /// A table whose column `gives` is cut where the terminal is too narrow.
    pub(crate) fn new(gives: usize) -> Self {
        Self { rows: Vec::new(), gives, indent: 0 }
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
                    let text = out.styled(Style::Bold, text);
                    out.line(text)?;
                }
                Row::Cells(cells) => {
                    let line = self.line(cells, &widths, out);
                    out.line(line)?;
                }
            }
        }
        Ok(())
    }

    fn line(&self, cells: &[(String, Style)], widths: &[usize], out: &Out) -> String {
        let mut line = " ".repeat(self.indent);
        let last = cells.iter().rposition(|(text, _)| !text.is_empty());
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
        let all = self.indent + widths.iter().sum::<usize>() + GAP * widths.len().saturating_sub(1);
        let over = terminal.map_or(0, |terminal| all.saturating_sub(terminal));
        if let Some(width) = widths.get_mut(self.gives) {
            *width = width.saturating_sub(over).max(LEAST.min(*width));
        }
        widths
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
        assert_eq!(table().widths(Some(10)), [2, LEAST, 5]);
    }
}
