//! Devices, an authenticator, links and members.

use super::picture::draw;
use super::text::{clean, columns};
use super::{Out, Show, Style, Table, Times, short};
use crate::commands::device::lapses;
use crate::commands::member::word;
use meantime_engine::api::{Authenticator, Device, Link, Members};
use std::io;

impl Show for Vec<Device> {
    fn show(&self, out: &mut Out, times: &Times) -> io::Result<()> {
        let mut table = Table::new(1);
        for device in self {
            let seen =
                if device.this { "this device".to_owned() } else { format!("seen {}", times.when(device.seen_at)) };
            table.row([
                (short(device.id), Style::Dim),
                (clean(&device.name), Style::Bold),
                (seen, if device.this { Style::Green } else { Style::Plain }),
                (format!("since {}", times.when(device.since)), Style::Dim),
            ]);
        }
        table.print(out)
    }
}

impl Show for Authenticator {
    fn show(&self, out: &mut Out, _: &Times) -> io::Result<()> {
        let picture = draw(&self.picture);
        // Half of it, or in a file, it is of no use.
        let fits = out.width.zip(picture.first()).is_some_and(|(width, line)| columns(line) <= width);
        if fits {
            for line in picture {
                let line = out.styled(Style::Light, &line);
                out.line(line)?;
            }
        }
        let scan = if fits {
            "Scan this with your authenticator, or enter this key"
        } else {
            "Enter this key into your authenticator"
        };
        out.line(format!("{scan}: {}", clean(&self.secret)))?;
        out.line(format!("As a link: {}", clean(&self.uri)))?;
        out.line("Then run `meantime account authenticator confirm`: it asks for the code that is shown.")
    }
}

impl Show for Link {
    fn show(&self, out: &mut Out, _: &Times) -> io::Result<()> {
        out.line(clean(&self.link))?;
        out.line(format!("Good once, for {}. Whoever has it comes in.", lapses(self.expires_at)))
    }
}

impl Show for Members {
    fn show(&self, out: &mut Out, times: &Times) -> io::Result<()> {
        let mut table = Table::new(1);
        for member in &self.members {
            let name = if member.you { format!("{} (you)", clean(&member.name)) } else { clean(&member.name) };
            let state = match member.removed_at {
                Some(at) => format!("removed {}", times.when(at)),
                None => word(member.role).to_owned(),
            };
            let style = if member.removed_at.is_some() { Style::Dim } else { Style::Plain };
            table.row([(short(member.id), Style::Dim), (name, Style::Bold), (state, style)]);
        }
        table.print(out)
    }
}
