//! Accounts.

use super::text::clean;
use super::{Out, Show, Style, Table, Times, count, short, source};
use meantime_engine::api::{Account, AccountState};
use std::io;

impl Show for Account {
    fn show(&self, out: &mut Out, times: &Times) -> io::Result<()> {
        let mut table = table();
        table.row(cells(self, times));
        table.print(out)
    }
}

impl Show for Vec<Account> {
    fn show(&self, out: &mut Out, times: &Times) -> io::Result<()> {
        if self.is_empty() {
            return out
                .line("There is no account yet: `meantime account add imap` or `meantime account add feed` adds one.");
        }
        let mut table = table();
        for account in self {
            table.row(cells(account, times));
        }
        table.print(out)
    }
}

/// What is wrong is said to the end.
fn table() -> Table {
    Table::new(3).wrapped().long(&[2])
}

fn cells(account: &Account, times: &Times) -> Vec<(String, Style)> {
    let (state, style) = match &account.state {
        AccountState::New => ("not read yet".to_owned(), Style::Plain),
        AccountState::Reading { messages } => {
            (format!("first reading, {} so far", count(*messages, "message", "messages")), Style::Plain)
        }
        AccountState::Fine => {
            let checked = account.checked_at.map(|at| format!(", checked {}", times.when(at))).unwrap_or_default();
            (format!("fine{checked}"), Style::Green)
        }
        AccountState::Retrying { message, since, again } => {
            let again =
                again.map_or_else(|| "tried again by itself".to_owned(), |at| format!("again {}", times.when(at)));
            let message = clean(message);
            (format!("{}; since {}, {again}", message.trim_end_matches('.'), times.when(*since)), Style::Yellow)
        }
        AccountState::NeedsYou { password: true, message } => {
            (format!("{} (`meantime account sign-in {}`)", clean(message), short(account.id)), Style::Red)
        }
        AccountState::NeedsYou { password: false, message } => (clean(message), Style::Red),
    };
    let pending = if account.pending > 0 {
        count(account.pending, "change on its way", "changes on their way")
    } else {
        String::new()
    };
    vec![
        (short(account.id), Style::Dim),
        (source(account.kind).to_owned(), Style::Plain),
        (clean(&account.name), Style::Bold),
        (state, style),
        (pending, Style::Dim),
    ]
}
