//! The one notification at the end of a focus block: what was held, summed up.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use std::fmt::Write;

/// How many items a digest names.
pub const LINES: usize = 3;

/// An item that was held, as a digest sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// When my answer is due; none if nobody waits for one.
    pub due: Option<DateTime<Utc>>,
    /// It answers something I wrote, or a conversation I take part in.
    pub reply: bool,
    /// One line, say `Kofi: Release blocked`.
    pub line: String,
}

/// What was held. Each item counts in one part: as due today, else as a reply,
/// else as due later or for information.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Digest {
    /// All of them.
    pub total: u32,
    /// Due by the end of the day, or overdue.
    pub due_today: u32,
    /// Answers to me.
    pub replies: u32,
    /// Due on a later day.
    #[serde(default)]
    pub due_later: u32,
    /// Nobody waits for an answer.
    pub for_information: u32,
    /// The first items, in the order of the list that the digest opens.
    pub lines: Vec<String>,
}

impl Digest {
    /// Sums up what was held, in the order of the list; `end_of_day` is when today ends for the reader
    /// ([`crate::group::end_of_day`]).
    #[must_use]
    pub fn of(held: &[Held], end_of_day: DateTime<Utc>) -> Self {
        let mut digest = Self::default();
        for item in held {
            digest.total += 1;
            match item.due {
                Some(due) if due < end_of_day => digest.due_today += 1,
                _ if item.reply => digest.replies += 1,
                Some(_) => digest.due_later += 1,
                None => digest.for_information += 1,
            }
        }
        digest.lines = held.iter().take(LINES).map(|item| item.line.clone()).collect();
        digest
    }

    /// The title: `12 held: 1 due today, 3 replies, 8 for information`. Parts
    /// that are nothing are left out.
    #[must_use]
    pub fn title(&self) -> String {
        let replies = if self.replies == 1 { "reply" } else { "replies" };
        let parts = [
            (self.due_today, "due today"),
            (self.replies, replies),
            (self.due_later, "due later"),
            (self.for_information, "for information"),
        ];
        let mut title = format!("{} held", self.total);
        for (index, (count, what)) in parts.iter().filter(|(count, _)| *count > 0).enumerate() {
            // Writing into a `String` does not fail.
            let _ = write!(title, "{} {count} {what}", if index == 0 { ":" } else { "," });
        }
        title
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(due: Option<&str>, reply: bool, line: &str) -> Held {
        Held { due: due.map(|due| due.parse().unwrap()), reply, line: line.to_owned() }
    }

    const MIDNIGHT: &str = "2026-06-09T23:00:00Z";

    #[test]
    fn the_title_leaves_out_what_is_nothing() {
        let title = |due_today, replies, due_later, for_information| {
            let total = due_today + replies + due_later + for_information;
            Digest { total, due_today, replies, due_later, for_information, lines: Vec::new() }.title()
        };
        assert_eq!(title(1, 3, 0, 8), "12 held: 1 due today, 3 replies, 8 for information");
        assert_eq!(title(0, 1, 0, 0), "1 held: 1 reply");
        assert_eq!(title(0, 0, 2, 7), "9 held: 2 due later, 7 for information");
    }

    #[test]
    fn each_item_counts_once_and_the_first_are_named() {
        let today = Some("2026-06-09T15:00:00Z");
        let tomorrow = Some("2026-06-10T15:00:00Z");
        let digest = Digest::of(
            &[
                held(None, false, "feed"),
                held(tomorrow, true, "reply, due tomorrow"),
                held(tomorrow, false, "due tomorrow"),
                held(today, true, "reply, due today"),
                held(None, false, "red, asks nobody"),
                held(Some(MIDNIGHT), false, "red, due at midnight"),
            ],
            MIDNIGHT.parse().unwrap(),
        );
        assert_eq!(digest.title(), "6 held: 1 due today, 1 reply, 2 due later, 2 for information");
        assert_eq!(digest.lines, ["feed", "reply, due tomorrow", "due tomorrow"]);
        let json = serde_json::to_string(&digest).unwrap();
        assert_eq!(serde_json::from_str::<Digest>(&json).unwrap(), digest);
    }
}
