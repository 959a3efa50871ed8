//! Devices, links and members.

use super::text::clean;
use super::{Out, Show, Style, Table, Times, short};
use crate::commands::device::lapses;
use crate::commands::member::word;
use meantime_engine::api::{Device, Link, Members};
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
