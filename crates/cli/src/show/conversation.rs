//! One conversation.

use super::text::{clean, clean_lines};
use super::{Out, Show, Style, Times, short, source, urgency};
use meantime_engine::api::{Body, Conversation, MessageView, Sending};
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
        for message in &self.messages {
            show_message(message, out, times)?;
        }
        if let Some(draft) = &self.draft {
            out.line("")?;
            let head = out.styled(Style::Dim, "draft of an answer:");
            out.line(head)?;
            out.line(clean_lines(draft))?;
        }
        Ok(())
    }
}

fn show_message(message: &MessageView, out: &mut Out, times: &Times) -> io::Result<()> {
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
    for attachment in &message.attachments {
        let size = size(attachment.bytes);
        out.line(format!("+ {} ({}, {size})", clean(&attachment.name), clean(&attachment.media_type)))?;
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
