//! One conversation.

use super::text::{clean, clean_lines};
use super::{Out, Show, Style, Times, short, source, urgency};
use meantime_engine::api::{AttachmentView, Body, Conversation, MessageView, Sending};
use std::io;

impl Show for Conversation {
    fn show(&self, out: &mut Out, times: &Times) -> io::Result<()> {
        let title = out.styled(Style::Bold, &clean(&self.row.title));
        out.line(title)?;
        let (shape, colour) = urgency(self.row.urgency);
        let mut facts = vec![out.styled(colour, shape), source(self.row.source).to_owned()];
        if !self.place.is_empty() {
            facts.push(clean(&self.place));
        }
        facts.push(short(self.row.id));
        if let Some(due) = self.row.due {
            facts.push(times.due(due));
        }
        if let Some(until) = self.row.snoozed_until {
            facts.push(format!("snoozed until {}", times.when(until)));
        }
        facts.extend(self.row.done.then(|| "done".to_owned()));
        facts.extend(self.row.muted.then(|| "muted".to_owned()));
        out.line(facts.join(" · "))?;
        if let Some(why) = &self.row.why {
            out.line(clean(why))?;
        }
        for asked in &self.asked {
            let state = match (asked.answered, asked.due) {
                (true, _) => "answered".to_owned(),
                (false, Some(due)) => times.due(due),
                (false, None) => "keeps no hours".to_owned(),
            };
            out.line(format!("asked: {} ({state})", clean(&asked.name)))?;
        }
        let mut files = 0;
        for message in &self.messages {
            show_message(message, &mut files, out, times)?;
        }
        if self.draft.is_some() || !self.draft_files.is_empty() {
            out.line("")?;
            let head = out.styled(Style::Dim, "draft of an answer:");
            out.line(head)?;
        }
        if let Some(draft) = &self.draft {
            out.line(clean_lines(draft))?;
        }
        for file in &self.draft_files {
            out.line(format!("+ {} ({}, {})", clean(&file.name), clean(&file.media_type), size(file.bytes)))?;
        }
        Ok(())
    }
}

impl Show for Vec<AttachmentView> {
    fn show(&self, out: &mut Out, _: &Times) -> io::Result<()> {
        if self.is_empty() {
            return out.line("No files hang on it.");
        }
        let mut number = 0;
        self.iter().try_for_each(|file| show_file(file, &mut number, out))
    }
}

/// A file with its number in the conversation.
fn show_file(file: &AttachmentView, number: &mut u32, out: &mut Out) -> io::Result<()> {
    *number += 1;
    let (name, kind) = (clean(&file.name), clean(&file.media_type));
    out.line(format!("+ {number}: {name} ({kind}, {})", size(file.bytes)))
}

fn show_message(message: &MessageView, files: &mut u32, out: &mut Out, times: &Times) -> io::Result<()> {
    out.line("")?;
    let mut head = clean(&message.author);
    if !message.address.is_empty() && message.address != message.author {
        head = format!("{head} <{}>", clean(&message.address));
    }
    let head = out.styled(Style::Bold, head.trim());
    let at = out.styled(Style::Dim, &times.when(message.at));
    out.line(format!("{head}  {at}"))?;
    if !message.reply_to.is_empty() {
        let to: Vec<_> = message.reply_to.iter().map(|to| contact(&to.name, &to.address)).collect();
        let to = out.styled(Style::Dim, &format!("replies go to {}", to.join(", ")));
        out.line(to)?;
    }
    if let Some(why) = &message.unreadable {
        let why = out.styled(Style::Red, &format!("Could not be read: {}", clean(why)));
        out.line(why)?;
    }
    let text = match &message.body {
        Body::Text { text } | Body::Rich { text, .. } | Body::Foreign { text, .. } => clean_lines(text),
    };
    if !text.is_empty() {
        out.line(text)?;
    }
    for file in &message.attachments {
        show_file(file, files, out)?;
    }
    if let Some(link) = &message.link {
        let link = out.styled(Style::Dim, &clean(link));
        out.line(link)?;
    }
    match &message.sending {
        Some(Sending::Pending) => out.line("(on its way)"),
        Some(Sending::Scheduled { at }) => out.line(format!("(will be delivered {})", times.when(*at))),
        Some(Sending::Refused { message }) => out.line(format!("(refused: {})", clean(message))),
        None => Ok(()),
    }
}

/// `Name <address>`, as far as both are known.
pub(super) fn contact(name: &str, address: &str) -> String {
    match (clean(name), clean(address)) {
        (name, address) if address.is_empty() => name,
        (name, address) if name.is_empty() => address,
        (name, address) => format!("{name} <{address}>"),
    }
}

/// `12 KB`: sizes as people know them.
pub(super) fn size(bytes: u64) -> String {
    match bytes {
        0 => "size not known".to_owned(),
        1..1_000 => format!("{bytes} bytes"),
        1_000..1_000_000 => format!("{} KB", bytes / 1_000),
        _ => format!("{}.{} MB", bytes / 1_000_000, bytes % 1_000_000 / 100_000),
    }
}
