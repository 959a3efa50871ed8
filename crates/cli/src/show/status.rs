//! Status and focus.

use super::text::clean;
use super::{Out, Show, Style, Times, count};
use meantime_engine::api::{Connection, FocusStatus, PersonState, SecretsState, Status, Unreachable};
use std::io;

impl Show for Status {
    fn show(&self, out: &mut Out, times: &Times) -> io::Result<()> {
        if self.first_run {
            out.line(
                "Nothing is set up yet: `meantime account add` adds a mailbox or a feed, `meantime join` a team.",
            )?;
        }
        let who = match &self.me {
            Some(me) => format!("{}, {}", clean(&me.name), clean(&me.team)),
            None => "no team".to_owned(),
        };
        let who = out.styled(Style::Bold, &who);
        out.line(format!(
            "{who} · {}{}",
            clean(&self.zone),
            state(&self.state, times).map(|s| format!(" · {s}")).unwrap_or_default()
        ))?;
        if let Some(zone) = &self.other_zone {
            out.line(format!("this computer is set to {}", clean(zone)))?;
        }
        self.focus.show(out, times)?;
        let counts = self.counts;
        out.line(format!("inbox {} · waiting {} · later {}", counts.inbox, counts.waiting, counts.later))?;
        if counts.pending > 0 {
            out.line(count(counts.pending, "change is on its way", "changes are on their way"))?;
        }
        match &self.connection {
            Connection::None => {}
            Connection::Connecting => out.line("team server: connecting")?,
            Connection::Live => out.line("team server: up to date")?,
            Connection::Offline { since, message } => {
                out.line(format!("team server: offline since {} ({})", times.when(*since), clean(message)))?;
            }
            Connection::Refused { message, .. } => warn(out, &format!("team server: {}", clean(message)))?,
        }
        for Unreachable { name, since, message } in &self.unreachable {
            let why = clean(message);
            let since = times.when(*since);
            out.line(format!("{}: not reached since {since} ({})", clean(name), why.trim_end_matches('.')))?;
        }
        for damage in &self.damage {
            warn(out, &format!("{} Seen? `meantime status --seen`", clean(&damage.text)))?;
        }
        if self.refusals > 0 {
            warn(
                out,
                &format!(
                    "{}: see `meantime refusals`",
                    count(self.refusals, "change was refused", "changes were refused")
                ),
            )?;
        }
        if self.broken_accounts > 0 {
            let accounts = count(self.broken_accounts, "account needs you", "accounts need you");
            warn(out, &format!("{accounts}: see `meantime account list`"))?;
        }
        if matches!(self.secrets, SecretsState::Undecided { .. } | SecretsState::File { locked: true }) {
            self.secrets.show(out, times)?;
        }
        if let Some(why) = &self.notifications {
            warn(out, &format!("notifications can't be shown: {}", clean(why)))?;
        }
        let version = out.styled(Style::Dim, &format!("Meantime {}", clean(&self.version)));
        out.line(version)
    }
}

fn warn(out: &mut Out, text: &str) -> io::Result<()> {
    let text = out.styled(Style::Yellow, &format!("! {text}"));
    out.line(text)
}

impl Show for FocusStatus {
    fn show(&self, out: &mut Out, times: &Times) -> io::Result<()> {
        let Some(block) = &self.block else {
            return out.line("not focusing: notifications come at once");
        };
        let until = match block.until {
            Some(until) => format!("focusing until {} ({} left)", times.when(until), times.left(until)),
            None => format!("focusing since {}, until you stop", times.when(block.since)),
        };
        out.line(format!("{until}, {} held", block.held))
    }
}

impl Show for SecretsState {
    fn show(&self, out: &mut Out, _: &Times) -> io::Result<()> {
        match self {
            Self::Keyring => out.line("passwords are kept in the system's keyring"),
            Self::Undecided { message } => {
                let why = clean(message);
                warn(out, &format!("passwords can't be kept: {}. {CHOOSE}", why.trim_end_matches('.')))
            }
            Self::Session => out.line("passwords are kept in memory, until Meantime ends"),
            Self::File { locked: false } => out.line("passwords are kept in an encrypted file"),
            Self::File { locked: true } => {
                warn(out, &format!("passwords are kept in an encrypted file, which is locked. {UNLOCK}"))
            }
        }
    }
}

const CHOOSE: &str = "Choose where to keep them: `meantime secrets keyring|session|file`";
const UNLOCK: &str = "Unlock it: `meantime secrets file`";

/// What to do so that passwords can be kept, where they can't.
pub(crate) fn so_that_passwords_are_kept(state: &SecretsState) -> Option<&'static str> {
    match state {
        SecretsState::Undecided { .. } => Some(CHOOSE),
        SecretsState::File { locked: true } => Some(UNLOCK),
        SecretsState::Keyring | SecretsState::Session | SecretsState::File { locked: false } => None,
    }
}

/// What somebody does now; none where it isn't known.
pub(super) fn state(state: &PersonState, times: &Times) -> Option<String> {
    Some(match state {
        PersonState::Works { until } => format!("works until {}", times.when(*until)),
        PersonState::Focusing { until: Some(until) } => format!("focusing until {}", times.when(*until)),
        PersonState::Focusing { until: None } => "focusing".to_owned(),
        PersonState::Starts { at } => format!("starts {}", times.when(*at)),
        PersonState::Away { until } => format!("away until {}", times.when(*until)),
        PersonState::Unknown => return None,
    })
}
