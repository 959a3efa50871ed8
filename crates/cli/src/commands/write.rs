//! `reply`, `compose`, `refusals`.

use super::attachment::attach;
use super::times;
use super::triage::Level;
use crate::ask;
use crate::reach::{self, Reached};
use crate::show::{Out, clean};
use crate::stop::Stop;
use chrono::{DateTime, Utc};
use clap::{Args, Subcommand};
use meantime_engine::api::{
    Compose, Contact, Deliver, FailureCode, ItemRef, Nothing, Reply, Sending, SettleRefusal, SourceKind, TeamPerson,
    TeamQuery, Undoable,
};
use meantime_model::{PersonId, Urgency};
use meantime_platform::{Clock, SystemClock};
use std::path::PathBuf;

#[derive(Args)]
pub(crate) struct ReplyArgs {
    /// Its id, or the end of it, as the lists show it
    id: String,
    /// By mail: answer everybody who got it, and not its author alone
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    text: Text,
    /// Mark the conversation done as well
    #[arg(long)]
    done: bool,
}

#[derive(Args)]
pub(crate) struct ComposeArgs {
    /// One line
    title: String,
    #[command(flatten)]
    text: Text,
    /// How soon an answer is wanted; red must ask somebody
    #[arg(long, value_enum, default_value = "yellow")]
    urgency: Level,
    /// Whose answer is wanted: a name or its beginning; may be given more than once
    #[arg(long, value_name = "WHO")]
    ask: Vec<String>,
    /// The room it belongs to
    #[arg(long)]
    space: Option<String>,
    /// For those who are asked alone: nobody else in the team reads it
    #[arg(long, requires = "ask")]
    private: bool,
}

#[derive(Args)]
struct Text {
    /// The text; without it stdin is read
    #[arg(long)]
    text: Option<String>,
    /// A file to go with it; may be given more than once
    #[arg(long, value_name = "FILE")]
    attach: Vec<PathBuf>,
    #[command(flatten)]
    delivery: Delivery,
}

/// Without a word: when they start in a team thread that is not urgent, at
/// once otherwise, as in the window.
#[derive(Args)]
#[group(multiple = false)]
struct Delivery {
    /// Deliver at once, whatever the hour is where they are
    #[arg(long)]
    now: bool,
    /// Deliver when those of the recipients start who do not work now: usual in a team thread that is not urgent
    #[arg(long)]
    when_they_start: bool,
    /// Deliver then: 2026-12-24T09:00:00+01:00 (team threads)
    #[arg(long, value_name = "RFC3339")]
    at: Option<DateTime<Utc>>,
}

impl Delivery {
    /// What was said; `None`: nothing.
    fn said(&self) -> Option<Deliver> {
        match self.at {
            Some(at) => Some(Deliver::At { at }),
            None if self.when_they_start => Some(Deliver::WhenTheyStart),
            None => self.now.then_some(Deliver::Now),
        }
    }

    /// What was said, else what is usual in a team thread.
    fn or_usual(&self, urgency: Urgency) -> Deliver {
        let usual = if urgency == Urgency::Red { Deliver::Now } else { Deliver::WhenTheyStart };
        self.said().unwrap_or(usual)
    }
}

#[derive(Args)]
pub(crate) struct RefusalsArgs {
    #[command(subcommand)]
    settle: Option<Settle>,
}

#[derive(Subcommand)]
enum Settle {
    /// Try a refused change again
    Retry {
        /// As the list shows it
        id: i64,
    },
    /// Let a refused change go, with its text
    Drop {
        /// As the list shows it
        id: i64,
    },
}

pub(crate) async fn reply(engine: &Reached, args: ReplyArgs, out: &mut Out) -> Result<(), Stop> {
    // Before the text is asked for: a wrong id or path must not cost a long one.
    let open = engine.open(ItemRef { id: args.id.clone() }).await?;
    let team = open.row.source == SourceKind::Team;
    let deliver = args.text.delivery.said().unwrap_or(open.deliver);
    let everybody = || open.recipients.into_iter().map(|one| one.address).collect();
    let to = (args.all && !team).then(everybody);
    let files = attach(engine, Some(&args.id), &args.text.attach).await?;
    let text = ask::text(args.text.text)?;
    let done = engine.reply(Reply { item: args.id, text, done: args.done, deliver, files, message: None, to }).await?;
    tell_written(engine, done, out).await
}

pub(crate) async fn compose(engine: &Reached, args: ComposeArgs, out: &mut Out) -> Result<(), Stop> {
    let deliver = args.text.delivery.or_usual(args.urgency.into());
    // Before the text is asked for: a wrong name must not cost a long one.
    let asked = people(engine, &args.ask).await?;
    let files = attach(engine, None, &args.text.attach).await?;
    let text = ask::text(args.text.text)?;
    let (title, urgency) = (args.title, args.urgency.into());
    let done = engine
        .compose(Compose { title, text, urgency, asked, space: args.space, private: args.private, deliver, files })
        .await?;
    tell_written(engine, done, out).await
}

/// Says what became of something written: sent only once it is.
async fn tell_written(engine: &Reached, mut done: Undoable, out: &mut Out) -> Result<(), Stop> {
    let here = reach::send(engine).await;
    if let Some(item) = done.item.filter(|_| here) {
        let open = engine.open(ItemRef { id: item.to_string() }).await?;
        done.sending = open.messages.into_iter().rev().find(|message| message.own).and_then(|message| message.sending);
    }
    if out.json && !matches!(done.sending, Some(Sending::Refused { .. })) {
        return Ok(out.json_document(&done)?);
    }
    let title = clean(done.what.split_once(": ").map_or(done.what.as_str(), |(_, title)| title));
    let whom = whom(&done.to);
    let to = |word: &str| whom.as_ref().map(|whom| format!(" {word} {whom}")).unwrap_or_default();
    let stop = if title.ends_with(['.', '?', '!', '…']) { "" } else { "." };
    let queued = format!("Queued{}: {title}{stop}", to("for"));
    let sentence = match done.sending {
        None => format!("Sent{}: {title}", to("to")),
        Some(Sending::Refused { message }) => {
            let message = format!("{title} was refused: {message} The text is kept: `meantime refusals`.");
            return Err(Stop::new(FailureCode::Refused, message));
        }
        Some(Sending::Scheduled { at }) => {
            format!("{queued} It is delivered {}.", times(engine, out).await?.when(at))
        }
        Some(Sending::Pending) if here => {
            format!("{queued} It could not be sent now and goes out when Meantime runs and reaches the server.")
        }
        Some(Sending::Pending) => {
            let seconds = done.until.map_or(0, |until| (until - SystemClock.now()).num_seconds().max(0) + 1);
            format!("{queued} It goes out in {seconds} s; until then `meantime undo` takes it back.")
        }
    };
    Ok(out.line(sentence)?)
}

/// `Pat`, `Pat and Sara`, `Pat and 3 others`; `None`: everybody in the thread.
fn whom(to: &[Contact]) -> Option<String> {
    let name = |one: &Contact| clean(if one.name.is_empty() { &one.address } else { &one.name });
    Some(match to {
        [] => return None,
        [one] => name(one),
        [one, other] => format!("{} and {}", name(one), name(other)),
        [one, others @ ..] => format!("{} and {} others", name(one), others.len()),
    })
}

pub(super) async fn people(engine: &Reached, names: &[String]) -> Result<Vec<PersonId>, Stop> {
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let team = engine.team(TeamQuery { day: None }).await?.people;
    names.iter().map(|name| person(&team, name)).collect()
}

/// The one teammate with this id or name, or whose name begins so.
fn person(team: &[TeamPerson], name: &str) -> Result<PersonId, Stop> {
    let wanted = name.trim().to_lowercase();
    let is = |person: &&TeamPerson| person.id.to_string() == wanted || person.name.to_lowercase() == wanted;
    let begins = |person: &&TeamPerson| !wanted.is_empty() && person.name.to_lowercase().starts_with(&wanted);
    let exact: Vec<_> = team.iter().filter(is).collect();
    let found = if exact.is_empty() { team.iter().filter(begins).collect() } else { exact };
    match found.as_slice() {
        [one] => Ok(one.id),
        [] => Err(Stop::new(FailureCode::NotFound, format!("there is no {name:?} in your team; see `meantime team`"))),
        several => {
            let names: Vec<_> = several.iter().map(|person| person.name.as_str()).collect();
            Err(Stop::usage(format!("{name:?} may be {}; write more of the name", names.join(" or "))))
        }
    }
}

pub(crate) async fn refusals(engine: &Reached, args: RefusalsArgs, out: &mut Out) -> Result<(), Stop> {
    let (id, retry) = match args.settle {
        None => {
            let refusals = engine.refusals(Nothing {}).await?;
            return Ok(out.reply(&refusals, &times(engine, out).await?)?);
        }
        Some(Settle::Retry { id }) => (id, true),
        Some(Settle::Drop { id }) => (id, false),
    };
    let settled = engine.settle_refusal(SettleRefusal { id, retry }).await?;
    Ok(out.sentence(&settled, if retry { "It is tried again." } else { "Let go." })?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use meantime_engine::api::PersonState;

    fn named(name: &str) -> TeamPerson {
        let (title, city) = (String::new(), String::new());
        let state = PersonState::Unknown;
        TeamPerson { id: PersonId::new(), name: name.into(), you: false, title, city, zone: None, state, bands: vec![] }
    }

    #[test]
    fn people_are_found_by_the_beginning_of_their_name() {
        let team = [named("Ana"), named("Anabel Cruz"), named("Mei Lin")];
        let found = |name: &str| person(&team, name).ok();
        assert_eq!(found("ana"), Some(team[0].id), "the whole name wins");
        assert_eq!(found("Mei"), Some(team[2].id));
        assert_eq!(found(&team[1].id.to_string()), Some(team[1].id));
        assert_eq!((found("an"), found("bob"), found("")), (None, None, None));
    }
}
