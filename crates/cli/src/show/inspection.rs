//! What would be shown of a file.

use super::conversation::{contact, size};
use super::text::{clean, clean_lines};
use super::{Out, Style};
use chrono::{DateTime, SecondsFormat, Utc};
use meantime_source::inspect::{InspectedFeed, InspectedMail, Inspection};
use meantime_source::{Attachment, Person};
use std::io;

/// Prints it for people.
pub(crate) fn show_inspection(file: &str, seen: &Inspection, out: &mut Out) -> io::Result<()> {
    let file = out.styled(Style::Dim, &clean(file));
    match seen {
        Inspection::Mail(mail) => {
            out.line(file)?;
            show_mail(mail, out)
        }
        Inspection::Feed(feed) => {
            out.line(file)?;
            show_feed(feed, out)
        }
        Inspection::Error(error) => {
            let what = out.styled(Style::Red, &format!("{} ({})", clean(&error.message), clean(&error.code)));
            out.line(format!("{file}: {what}"))
        }
    }
}

fn show_mail(mail: &InspectedMail, out: &mut Out) -> io::Result<()> {
    let title = out.styled(Style::Bold, &clean(&mail.title));
    out.line(title)?;
    for (name, who) in [("from", &mail.from), ("to", &mail.to), ("cc", &mail.cc), ("replies go to", &mail.reply_to)] {
        if !who.is_empty() {
            out.line(format!("{name}: {}", people(who)))?;
        }
    }
    date(mail.date, out)?;
    if let Some(why) = &mail.unreadable {
        out.line(format!("could not be read fully: {}", clean(why)))?;
    }
    attachments(&mail.attachments, out)?;
    text(&mail.text, out)
}

fn show_feed(feed: &InspectedFeed, out: &mut Out) -> io::Result<()> {
    let title = out.styled(Style::Bold, &clean(&feed.title));
    out.line(title)?;
    if let Some(link) = &feed.link {
        out.line(clean(link))?;
    }
    for item in &feed.items {
        out.line("")?;
        let title = out.styled(Style::Bold, &clean(&item.title));
        out.line(title)?;
        if !item.people.is_empty() {
            out.line(format!("from: {}", people(&item.people)))?;
        }
        date(item.date, out)?;
        if let Some(link) = &item.link {
            out.line(clean(link))?;
        }
        if let Some(why) = &item.unreadable {
            out.line(format!("could not be read: {}", clean(why)))?;
        }
        attachments(&item.attachments, out)?;
        text(&item.text, out)?;
    }
    Ok(())
}

fn attachments(attachments: &[Attachment], out: &mut Out) -> io::Result<()> {
    for attachment in attachments {
        let (name, kind) = (clean(&attachment.name), clean(&attachment.media_type));
        // A feed does not always say how large it is.
        let size = if attachment.bytes > 0 { format!(", {}", size(attachment.bytes)) } else { String::new() };
        out.line(format!("+ {name} ({kind}{size})"))?;
    }
    Ok(())
}

fn people(people: &[Person]) -> String {
    people.iter().map(|person| contact(&person.name, &person.address)).collect::<Vec<_>>().join(", ")
}

fn date(date: Option<DateTime<Utc>>, out: &mut Out) -> io::Result<()> {
    match date {
        Some(date) => out.line(format!("date: {}", date.to_rfc3339_opts(SecondsFormat::Secs, true))),
        None => Ok(()),
    }
}

fn text(text: &str, out: &mut Out) -> io::Result<()> {
    let text = clean_lines(text);
    if text.is_empty() { Ok(()) } else { out.line(format!("\n{text}")) }
}
