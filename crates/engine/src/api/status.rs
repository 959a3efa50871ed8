//! Who I am, what runs, what needs attention.

use super::*;
use chrono::{DateTime, Utc};
use meantime_model::PersonId;
use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// The state of the app in one look.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
pub struct Status {
    /// Of the running engine.
    pub version: String,
    /// Nothing has been set up yet: show the first run.
    pub first_run: bool,
    /// Me, once I joined a team.
    pub me: Option<Me>,
    /// The zone instants are shown in: my schedule's, else this computer's.
    pub zone: String,
    /// This computer's zone, where it is another than `zone`.
    pub other_zone: Option<String>,
    /// What I do now, by my own hours.
    pub state: PersonState,
    /// The running focus block.
    pub focus: FocusStatus,
    /// Rows of each list.
    pub counts: Counts,
    /// The connection to the team server.
    pub connection: Connection,
    /// Refusals that wait for me.
    pub refusals: u32,
    /// Accounts that need me.
    pub broken_accounts: u32,
    /// Accounts whose server has not been reached for longer than a moment;
    /// they are tried again by themselves.
    #[serde(default)]
    pub unreachable: Vec<Unreachable>,
    /// The database was found damaged, and the person has not seen that yet.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[ts(optional, as = "Option<Vec<Damage>>")]
    pub damage: Vec<Damage>,
    /// Where secrets are kept.
    pub secrets: SecretsState,
    /// Notifications can't be shown: why.
    pub notifications: Option<String>,
}

/// An account whose server is not reached.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct Unreachable {
    /// The account's name.
    pub name: String,
    /// Since when.
    pub since: DateTime<Utc>,
    /// Why, in plain words.
    pub message: String,
}

/// What became of a damaged database.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct Damage {
    /// When it was found.
    pub at: DateTime<Utc>,
    /// What was found, what was kept and what to do, in plain words.
    pub text: String,
    /// Where the damaged file is now.
    pub file: String,
}

/// Me in my team.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
pub struct Me {
    /// My id.
    pub id: PersonId,
    /// My name.
    pub name: String,
    /// Where I am.
    pub city: String,
    /// My team's name.
    pub team: String,
}

/// Rows of each list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct Counts {
    /// With something to do: `due today` and `due later`, and what the last
    /// block handed over. What the running block holds is not counted yet.
    pub inbox: u32,
    /// Where I wait for others.
    pub waiting: u32,
    /// Snoozed.
    pub later: u32,
    /// Changes not yet at the server or source.
    pub pending: u32,
}

/// The connection to the team server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum Connection {
    /// There is no team.
    None,
    /// Connecting, or reading for the first time.
    Connecting,
    /// Up to date.
    Live,
    /// Not reached; everything goes on here, and is sent later.
    Offline {
        /// Since when.
        since: DateTime<Utc>,
        /// Why, in plain words.
        message: String,
    },
    /// The server refuses, or is not the one trusted: it waits for the person.
    Refused {
        /// What happened and what to do, in plain words.
        message: String,
        /// This device was signed out: only signing in or joining again helps.
        #[serde(default)]
        signed_out: bool,
    },
}

/// My settings. The first three are those of the person, on each of their
/// devices; the others are this device's.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[serde(default)]
pub struct Settings {
    /// Who may break through a focus block with a red item that asks me.
    pub may_interrupt: Vec<PersonId>,
    /// Mail addresses that may, for items of other sources that are red.
    pub may_interrupt_addresses: Vec<String>,
    /// How long a focus block is when nothing is said, in minutes.
    pub focus_minutes: u32,
    /// Show the content of a message in its notification.
    pub notification_content: bool,
    /// Single-letter keys.
    pub letter_keys: bool,
    /// `system`, `light` or `dark`.
    pub theme: Theme,
    /// `comfortable` or `compact`.
    pub density: Density,
    /// Start with the system, hidden.
    pub autostart: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            may_interrupt: Vec::new(),
            may_interrupt_addresses: Vec::new(),
            focus_minutes: 50,
            notification_content: true,
            letter_keys: true,
            theme: Theme::System,
            density: Density::Comfortable,
            autostart: false,
        }
    }
}

/// Light or dark.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "lowercase")]
pub enum Theme {
    /// As the system says.
    #[default]
    System,
    /// Light.
    Light,
    /// Dark.
    Dark,
}

/// How close rows stand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "lowercase")]
pub enum Density {
    /// Two lines a row.
    #[default]
    Comfortable,
    /// One line a row.
    Compact,
}
