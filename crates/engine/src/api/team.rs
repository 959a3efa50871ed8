//! People, their hours and what they have in common.

use super::*;
use chrono::{DateTime, NaiveDate, Utc};
use meantime_model::PersonId;
use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// Which day is shown.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize, TS)]
pub struct TeamQuery {
    /// In my zone; today when absent.
    pub day: Option<NaiveDate>,
}

/// Everybody's day on one band, in my zone.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
pub struct TeamPage {
    /// The team's name; none without a team.
    pub team: Option<String>,
    /// My zone.
    pub zone: String,
    /// The day shown: my midnight to my midnight, 23 to 25 hours.
    pub day: Span,
    /// When this page was made.
    pub now: DateTime<Utc>,
    /// Me first, then by the start of their day.
    pub people: Vec<TeamPerson>,
    /// What is special in the next fortnight, in plain sentences.
    pub notes: Vec<String>,
}

/// One person's day.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
pub struct TeamPerson {
    /// Who.
    pub id: PersonId,
    /// As shown.
    pub name: String,
    /// It is me.
    pub you: bool,
    /// What they do, in a few words.
    pub title: String,
    /// Where they are.
    pub city: String,
    /// Their zone; none if they keep no hours.
    pub zone: Option<String>,
    /// What they do now.
    pub state: PersonState,
    /// Their bands within the day shown.
    pub bands: Vec<Band>,
}

/// A stretch of somebody's day.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct Band {
    /// From, until; may begin before and end after the day shown.
    pub span: Span,
    /// What it is.
    pub kind: BandKind,
    /// Say `leave until Thu`; may be empty.
    pub label: String,
}

/// What a band shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "lowercase")]
pub enum BandKind {
    /// Working hours.
    Work,
    /// A focus block.
    Focus,
    /// Working hours that fall into time off.
    Away,
}

/// What somebody does now. No presence: only what helps to plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum PersonState {
    /// At work.
    Works {
        /// The end of the present stretch.
        until: DateTime<Utc>,
    },
    /// In a focus block.
    Focusing {
        /// Its end, if it has one.
        until: Option<DateTime<Utc>>,
    },
    /// Outside working hours.
    Starts {
        /// The next opening.
        at: DateTime<Utc>,
    },
    /// On leave.
    Away {
        /// The next opening after the leave.
        until: DateTime<Utc>,
    },
    /// Keeps no hours, or none within the look-ahead.
    Unknown,
}

/// Whose common time is wanted.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
pub struct OverlapQuery {
    /// Who.
    pub people: Vec<PersonId>,
    /// How long the next common slot must be, in minutes.
    pub minutes: u32,
    /// The day shown; today when absent.
    pub day: Option<NaiveDate>,
}

/// Common working time.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
pub struct Overlap {
    /// In which all of them work, on the day shown.
    pub day: Vec<Span>,
    /// The next slot of the wanted length, within four weeks.
    pub next: Option<Span>,
    /// The slot as one line of text, each person's time in it, to be copied.
    pub text: Option<String>,
}

/// My working hours: the hours file, see docs/hours.schema.json.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
pub struct Hours {
    /// What teammates see.
    pub schedule: meantime_model::Schedule,
    /// Not kept yet: a proposal (this computer's zone, Monday to Friday).
    #[serde(default)]
    pub proposed: bool,
}
