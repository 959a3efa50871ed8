//! How replies look: as one JSON document, or as text for a terminal.
//!
//! Text of others (titles, names, mails) goes through [`clean`] here, always:
//! it must not be able to send escape sequences to a terminal.

mod account;
mod conversation;
mod inspection;
mod list;
mod people;
mod picture;
mod status;
mod table;
mod team;
mod text;
mod time;

pub(crate) use inspection::show_inspection;
pub(crate) use status::so_that_passwords_are_kept;
pub(crate) use table::Table;
pub(crate) use text::{clean, clean_lines};
pub(crate) use time::Times;

use meantime_engine::api::SourceKind;
use meantime_model::Urgency;
use serde::Serialize;
use std::fmt::Display;
use std::io::{self, BufWriter, IsTerminal, Stdout, Write};

/// Where things are printed, and how.
pub(crate) struct Out {
    /// As JSON.
    pub(crate) json: bool,
    /// Columns of the terminal; none where it is no terminal.
    pub(crate) width: Option<usize>,
    colour: bool,
    to: BufWriter<Stdout>,
}

/// How a reply looks as text.
pub(crate) trait Show {
    /// Prints it; times as `times` says.
    fn show(&self, out: &mut Out, times: &Times) -> io::Result<()>;
}

/// A style of the terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Style {
    Plain,
    Bold,
    Dim,
    Red,
    Yellow,
    Green,
    /// White on black, whatever the terminal's own colours are.
    Light,
}

impl Out {
    pub(crate) fn new(json: bool) -> Self {
        let stdout = io::stdout();
        let terminal = stdout.is_terminal();
        let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        // A Windows console from before escape sequences sets neither.
        let understands =
            set("WT_SESSION") || std::env::var_os("TERM").is_some_and(|term| !term.is_empty() && term != "dumb");
        let width = terminal_size::terminal_size_of(&stdout).map(|(width, _)| usize::from(width.0));
        Self {
            json,
            width: width.filter(|width| terminal && *width >= 40),
            colour: terminal && understands && !set("NO_COLOR"),
            to: BufWriter::new(stdout),
        }
    }

    /// Prints a reply: as JSON, or as text with times as `times` says.
    pub(crate) fn reply<T: Serialize + Show>(&mut self, reply: &T, times: &Times) -> io::Result<()> {
        if self.json { self.json_document(reply) } else { reply.show(self, times) }
    }

    /// Prints a reply that needs no times: as JSON, or as one sentence.
    pub(crate) fn sentence<T: Serialize>(&mut self, reply: &T, sentence: impl Display) -> io::Result<()> {
        if self.json { self.json_document(reply) } else { self.line(sentence) }
    }

    /// One JSON document, indented.
    pub(crate) fn json_document(&mut self, value: &impl Serialize) -> io::Result<()> {
        serde_json::to_writer_pretty(&mut self.to, value)?;
        self.to.write_all(b"\n")
    }

    /// One JSON document on one line.
    pub(crate) fn json_line(&mut self, value: &impl Serialize) -> io::Result<()> {
        serde_json::to_writer(&mut self.to, value)?;
        self.to.write_all(b"\n")
    }

    /// One line of text.
    pub(crate) fn line(&mut self, text: impl Display) -> io::Result<()> {
        writeln!(self.to, "{text}")
    }

    /// Text in a style, where the terminal has any.
    pub(crate) fn styled(&self, style: Style, text: &str) -> String {
        let code = match style {
            _ if !self.colour || text.is_empty() => return text.to_owned(),
            Style::Plain => return text.to_owned(),
            Style::Bold => "1",
            Style::Dim => "2",
            Style::Red => "31",
            Style::Yellow => "33",
            Style::Green => "32",
            Style::Light => "97;40",
        };
        format!("\x1b[{code}m{text}\x1b[0m")
    }

    pub(crate) fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

/// The end of an id, as commands take it.
pub(crate) fn short(id: impl Display) -> String {
    let id = id.to_string();
    let skip = id.chars().count().saturating_sub(8);
    id.chars().skip(skip).collect()
}

/// `2 messages`.
pub(crate) fn count(n: u32, one: &str, many: &str) -> String {
    format!("{n} {}", if n == 1 { one } else { many })
}

/// Urgency as a shape and a word, so that it needs no colour.
pub(crate) fn urgency(urgency: Urgency) -> (&'static str, Style) {
    match urgency {
        Urgency::Red => ("▲ urgent", Style::Red),
        Urgency::Yellow => ("● standard", Style::Yellow),
        Urgency::Green => ("○ info", Style::Green),
    }
}

/// Where an item comes from, in a word.
pub(crate) fn source(kind: SourceKind) -> &'static str {
    match kind {
        SourceKind::Team => "team",
        SourceKind::Imap => "mail",
        SourceKind::Feed => "feed",
        SourceKind::Archive => "archive",
    }
}
