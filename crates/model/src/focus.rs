//! What may interrupt: the decision about everything that arrives, and the
//! clock of a focus block.
//!
//! | arrives | no block runs | a block runs |
//! |---|---|---|
//! | backfill, my own, seen elsewhere, muted | quiet | quiet |
//! | red from somebody on my list, to me | notify | **break through** |
//! | red, yellow | notify | hold |
//! | green | quiet | hold |
//!
//! To me is what asks me by name, and what answers me in what I began: an
//! urgent question to somebody else is not my interruption.
//!
//! Only the decision is made here; who shows and keeps what is the engine's.

use crate::id::{BlockId, PersonId};
use crate::urgency::Urgency;
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fmt;

/// Something new.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// How soon an answer is wanted.
    pub urgency: Urgency,
    /// Who wrote it.
    pub sender: Sender,
    /// I wrote it myself, on this or another device.
    pub own: bool,
    /// It asks me by name.
    pub addressed: bool,
    /// It belongs to what I began, and answers me.
    pub answers_me: bool,
    /// It was there before the account was first read to its end.
    pub backfill: bool,
    /// I have seen it: in another program, or on another device.
    pub seen: bool,
    /// I muted its conversation.
    pub muted: bool,
}

/// Who wrote something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sender {
    /// A teammate.
    Person(PersonId),
    /// Anybody else, by mail address.
    Address(String),
    /// Nobody that could be on a list: a feed.
    Nobody,
}

/// What a decision depends on besides the arrival.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct State {
    /// The running block.
    pub block: Option<RunningBlock>,
    /// Who may break through.
    pub list: MayInterrupt,
}

/// Who may break through a block with something red.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MayInterrupt {
    people: BTreeSet<PersonId>,
    /// In lower case.
    addresses: BTreeSet<String>,
}

/// What to do about an arrival.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// In the list, without a word.
    Quiet {
        /// The reason.
        why: Why,
    },
    /// A notification at once.
    Notify {
        /// The reason.
        why: Why,
    },
    /// A notification at once, though a block runs; the item says why.
    BreakThrough {
        /// The reason.
        why: Why,
    },
    /// Kept for the digest at the end of the block.
    Hold {
        /// The block.
        block: BlockId,
        /// Its planned end.
        until: Option<DateTime<Utc>>,
        /// The reason.
        why: Why,
    },
}

/// The reason of a decision, in plain words where it is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ts_rs::TS)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    /// It was there before.
    Backfill,
    /// I wrote it.
    Own,
    /// I muted it.
    Muted,
    /// I have seen it elsewhere.
    Seen,
    /// Green, and no block runs.
    ForInformation,
    /// Red, and no block runs.
    Urgent,
    /// Yellow, asks me by name, and no block runs.
    AsksYou,
    /// Yellow, and no block runs.
    Standard,
    /// A block runs.
    Focusing,
    /// Red, to me, from somebody on my list while a block runs.
    OnYourList,
}

/// A focus block that was started and not ended yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RunningBlock {
    /// Its id.
    pub id: BlockId,
    /// When it was started, by the wall clock.
    pub since: DateTime<Utc>,
    /// Its planned end by the same clock; none runs until it is stopped.
    pub until: Option<DateTime<Utc>>,
}

/// Time as a running block needs it: the wall clock may be set, so that it is
/// asked once only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Watch {
    /// The wall clock when watching began: at the start of the block, or of
    /// the app if that was later.
    pub began: DateTime<Utc>,
    /// What has passed since then, by a clock that nobody sets and that goes
    /// on while the computer sleeps.
    pub passed: TimeDelta,
}

/// What to do about something new.
#[must_use]
pub fn decide(arrival: &Arrival, state: &State) -> Decision {
    if let Some(why) = quiet(arrival) {
        return Decision::Quiet { why };
    }
    let urgent = arrival.urgency == Urgency::Red && (arrival.addressed || arrival.answers_me);
    match state.block {
        Some(_) if urgent && state.list.has(&arrival.sender) => Decision::BreakThrough { why: Why::OnYourList },
        Some(block) => Decision::Hold { block: block.id, until: block.until, why: Why::Focusing },
        None => match arrival.urgency {
            Urgency::Red => Decision::Notify { why: Why::Urgent },
            Urgency::Yellow if arrival.addressed => Decision::Notify { why: Why::AsksYou },
            Urgency::Yellow => Decision::Notify { why: Why::Standard },
            Urgency::Green => Decision::Quiet { why: Why::ForInformation },
        },
    }
}

fn quiet(arrival: &Arrival) -> Option<Why> {
    match arrival {
        Arrival { backfill: true, .. } => Some(Why::Backfill),
        Arrival { own: true, .. } => Some(Why::Own),
        Arrival { muted: true, .. } => Some(Why::Muted),
        Arrival { seen: true, .. } => Some(Why::Seen),
        _ => None,
    }
}

impl MayInterrupt {
    /// These people and these mail addresses, whose case doesn't matter.
    #[must_use]
    pub fn new(people: impl IntoIterator<Item = PersonId>, addresses: impl IntoIterator<Item = String>) -> Self {
        let addresses = addresses.into_iter().map(|address| plain(&address)).filter(|address| !address.is_empty());
        Self { people: people.into_iter().collect(), addresses: addresses.collect() }
    }

    /// Whether a sender is on the list.
    #[must_use]
    pub fn has(&self, sender: &Sender) -> bool {
        match sender {
            Sender::Person(person) => self.people.contains(person),
            Sender::Address(address) => self.addresses.contains(&plain(address)),
            Sender::Nobody => false,
        }
    }
}

fn plain(address: &str) -> String {
    address.trim().to_lowercase()
}

impl RunningBlock {
    /// What is left of the block; none if it has no planned end, nothing once
    /// it is over. Never more than was planned, whatever the wall clock says.
    #[must_use]
    pub fn left(&self, watch: Watch) -> Option<TimeDelta> {
        let until = self.until?;
        let none = TimeDelta::zero();
        let planned = (until - self.since).max(none);
        // A clock set back before the app was started must not add to it.
        let at_first = (until - watch.began).clamp(none, planned);
        Some((at_first - watch.passed.max(none)).max(none))
    }

    /// Whether the block is over. A clock that is set while it is watched
    /// neither lengthens nor shortens it.
    #[must_use]
    pub fn ended(&self, watch: Watch) -> bool {
        self.left(watch).is_some_and(|left| left.is_zero())
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Backfill => "it was there before",
            Self::Own => "you wrote it",
            Self::Muted => "you muted it",
            Self::Seen => "you have seen it",
            Self::ForInformation => "it is for information",
            Self::Urgent => "it is urgent",
            Self::AsksYou => "it asks you",
            Self::Standard => "you are not focusing",
            Self::Focusing => "you are focusing",
            Self::OnYourList => "on your list",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_decision_table() {
        let (kofi, mei) = (PersonId::new(), PersonId::new());
        let block = BlockId::new();
        let until = Some("2026-06-09T10:50:00Z".parse().unwrap());
        let since = "2026-06-09T10:00:00Z".parse().unwrap();
        let list = MayInterrupt::new([kofi], ["Boss@Example.org ".to_owned(), String::new()]);
        let free = State { block: None, list: list.clone() };
        let focusing = State { block: Some(RunningBlock { id: block, since, until }), list };

        let person = Sender::Person;
        let address = |text: &str| Sender::Address(text.to_owned());
        let new = |urgency, sender: &Sender| Arrival {
            urgency,
            sender: sender.clone(),
            own: false,
            addressed: false,
            answers_me: false,
            backfill: false,
            seen: false,
            muted: false,
        };
        let asks_me = |urgency, sender: &Sender| Arrival { addressed: true, ..new(urgency, sender) };
        let notify = |why| Decision::Notify { why };
        let quiet = |why| Decision::Quiet { why };
        let through = Decision::BreakThrough { why: Why::OnYourList };
        let hold = Decision::Hold { block, until, why: Why::Focusing };
        use Urgency::{Green, Red, Yellow};

        #[rustfmt::skip]
        let table = [
            // what                                   without a block               in a block
            (asks_me(Red, &person(kofi)),              notify(Why::Urgent),          through),
            (asks_me(Red, &address("boss@example.org")), notify(Why::Urgent),        through),
            (Arrival { answers_me: true, ..new(Red, &person(kofi)) }, notify(Why::Urgent), through),
            (new(Red, &person(kofi)),                  notify(Why::Urgent),          hold),
            (new(Red, &address("boss@example.org")),   notify(Why::Urgent),          hold),
            (asks_me(Red, &person(mei)),               notify(Why::Urgent),          hold),
            (asks_me(Red, &address("x@example.org")),  notify(Why::Urgent),          hold),
            (asks_me(Red, &address("")),               notify(Why::Urgent),          hold),
            (asks_me(Red, &Sender::Nobody),            notify(Why::Urgent),          hold),
            (new(Yellow, &person(kofi)),               notify(Why::Standard),        hold),
            (new(Yellow, &person(mei)),                notify(Why::Standard),        hold),
            (new(Green, &person(kofi)),                quiet(Why::ForInformation),   hold),
            (new(Green, &Sender::Nobody),              quiet(Why::ForInformation),   hold),
            (asks_me(Yellow, &person(mei)),            notify(Why::AsksYou),         hold),
            (asks_me(Yellow, &person(kofi)),           notify(Why::AsksYou),         hold),
            (Arrival { backfill: true, ..asks_me(Red, &person(kofi)) }, quiet(Why::Backfill), quiet(Why::Backfill)),
            (Arrival { own: true, ..asks_me(Red, &person(kofi)) },      quiet(Why::Own),      quiet(Why::Own)),
            (Arrival { muted: true, ..asks_me(Red, &person(kofi)) },    quiet(Why::Muted),    quiet(Why::Muted)),
            (Arrival { seen: true, ..asks_me(Red, &person(kofi)) },     quiet(Why::Seen),     quiet(Why::Seen)),
        ];
        for (arrival, without, within) in table {
            assert_eq!(decide(&arrival, &free), without, "{arrival:?}");
            assert_eq!(decide(&arrival, &focusing), within, "{arrival:?}");
        }
    }

    fn at(minute: i64) -> DateTime<Utc> {
        "2026-06-09T10:00:00Z".parse::<DateTime<Utc>>().unwrap() + TimeDelta::minutes(minute)
    }

    /// Minutes left of a block from 0 to 50.
    fn left(began: i64, passed: i64) -> i64 {
        let block = RunningBlock { id: BlockId::new(), since: at(0), until: Some(at(50)) };
        let watch = Watch { began: at(began), passed: TimeDelta::minutes(passed) };
        let left = block.left(watch).unwrap();
        assert_eq!(block.ended(watch), left.is_zero());
        left.num_minutes()
    }

    #[test]
    fn a_block_ends_as_planned() {
        assert_eq!(left(0, 20), 30);
        assert_eq!(left(0, 50), 0);
        assert_eq!(left(0, 51), 0);
        assert_eq!(left(30, 5), 15, "the app was started again");
        assert_eq!(left(70, 0), 0, "the app was started after the end");
    }

    #[test]
    fn a_clock_set_back_never_lengthens_a_block() {
        assert_eq!(left(-600, 0), 50, "set back while the app was not running");
        assert_eq!(left(-600, 50), 0);
    }

    #[test]
    fn a_block_without_an_end_runs_until_it_is_stopped() {
        let block = RunningBlock { id: BlockId::new(), since: at(0), until: None };
        let watch = Watch { began: at(0), passed: TimeDelta::days(400) };
        assert_eq!(block.left(watch), None);
        assert!(!block.ended(watch));
    }
}
