//! What can be typed.

use crate::commands::account::{AccountArgs, ImportArgs, JoinArgs};
use crate::commands::attachment::AttachmentArgs;
use crate::commands::device::{DeviceArgs, SignInArgs};
use crate::commands::due::DueArgs;
use crate::commands::focus::FocusArgs;
use crate::commands::inspect::InspectArgs;
use crate::commands::list::{InboxArgs, SearchArgs, StatusArgs};
use crate::commands::member::MemberArgs;
use crate::commands::overlap::OverlapArgs;
use crate::commands::profile::{HoursArgs, SettingsArgs};
use crate::commands::secrets::SecretsArgs;
use crate::commands::team::TeamArgs;
use crate::commands::triage::{SnoozeArgs, UrgencyArgs};
use crate::commands::write::{ComposeArgs, RefusalsArgs, ReplyArgs};
use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;

/// A calm inbox for people who don't work at the same time.
#[derive(Parser)]
#[command(
    name = "meantime",
    version,
    after_help = "Exit codes: 0 done, 1 failed, 2 wrong usage, 3 not found, 4 waits for you \
                  (password, certificate, where to keep secrets), 5 offline."
)]
pub(crate) struct Cli {
    /// Print one JSON document instead of text
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Folder of the profile [default: this user's, or MEANTIME_HOME]
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) home: Option<PathBuf>,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Run the engine without a window until it is ended
    Daemon,
    /// Who I am, what runs, what needs attention
    Status(StatusArgs),
    /// The list: due today, due later, for information
    Inbox(InboxArgs),
    /// Search all messages, newest first
    Search(SearchArgs),
    /// Show a conversation (marks nothing read)
    Show(Item),
    /// Files that hang on messages
    Attachment(AttachmentArgs),
    /// Mark items done
    Done(Items),
    /// Bring done items back to the inbox
    Reopen(Items),
    /// Put an item off: a time, or words such as `3h`, `tomorrow`, `monday`
    Snooze(SnoozeArgs),
    /// Mark items read
    Read(Items),
    /// Mark the newest message of items unread
    Unread(Items),
    /// Let later messages neither notify nor bring items back
    Mute(Items),
    /// Undo `mute`
    Unmute(Items),
    /// Change how soon I take an answer to be wanted
    Urgency(UrgencyArgs),
    /// Take the last triage, reply or thread back
    Undo,
    /// Answer a conversation; the text comes from --text or from stdin
    Reply(ReplyArgs),
    /// Start a team thread; the text comes from --text or from stdin
    Compose(ComposeArgs),
    /// What the server or a source refused, with the text kept
    Refusals(RefusalsArgs),
    /// Hold every notification for a while
    Focus(FocusArgs),
    /// When everybody works
    Team(TeamArgs),
    /// Mailboxes and feeds, and my own password
    Account(AccountArgs),
    /// Join a team with an invite link
    Join(JoinArgs),
    /// Sign in to my team on this device; the password is asked for, or read from stdin
    SignIn(SignInArgs),
    /// My devices in the team
    Device(DeviceArgs),
    /// Who is in the team
    Member(MemberArgs),
    /// Read mail from files
    Import(ImportArgs),
    /// Where passwords are kept
    Secrets(SecretsArgs),
    /// Settings of this device
    Settings(SettingsArgs),
    /// My working hours
    Hours(HoursArgs),
    /// When an answer is due, by an hours file (needs no profile)
    Due(DueArgs),
    /// When people work at the same time, by hours files (needs no profile)
    Overlap(OverlapArgs),
    /// What Meantime would show of mail and feed files (needs no profile)
    Inspect(InspectArgs),
}

/// An item by its id.
#[derive(Args)]
pub(crate) struct Item {
    /// Its id, or the end of it, as the lists show it
    pub(crate) id: String,
}

/// Items by their ids.
#[derive(Args)]
pub(crate) struct Items {
    /// Their ids, or the ends of them, as the lists show them
    #[arg(required = true, value_name = "ID")]
    pub(crate) ids: Vec<String>,
}
