//! How a command fails: the sentence, and the exit code that scripts branch on.

use crate::show::{Out, clean};
use clap::error::ErrorKind;
use meantime_engine::api::{Failure, FailureCode};
use serde_json::json;
use std::io;
use std::process::ExitCode;

/// Why a command ended early.
#[derive(Debug)]
pub(crate) enum Stop {
    /// The engine's answer, or one of our own in its form.
    Failed(Failure),
    /// What is wrong was printed already.
    Told(FailureCode),
    /// Nobody reads what is printed any more: no failure.
    Unread,
}

impl Stop {
    pub(crate) fn new(code: FailureCode, message: impl Into<String>) -> Self {
        Self::Failed(Failure::new(code, message))
    }

    /// The arguments don't fit.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::new(FailureCode::Invalid, message)
    }

    /// What was typed is no command.
    pub(crate) fn unparsed(error: &clap::Error) -> Self {
        let text = match error.kind() {
            // Their texts are all of the help, and all of the commands.
            ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand | ErrorKind::MissingSubcommand => {
                "there is no command; see `meantime --help`".to_owned()
            }
            _ => error.render().to_string(),
        };
        // What is wrong, without how it would be right; that is for people.
        let wrong = ["\n\nUsage:", "\n\nFor more information"]
            .iter()
            .fold(text.as_str(), |text, end| text.split(end).next().unwrap_or_default());
        let wrong = wrong.strip_prefix("error: ").unwrap_or(wrong);
        // Its advice is a paragraph of its own, without a sign between them.
        Self::usage(clean(&wrong.replace("\n\n  tip: ", "; ")))
    }

    /// Tells the person or the program, and gives the exit code.
    pub(crate) fn report(self, out: &mut Out) -> ExitCode {
        let failure = match self {
            Self::Failed(failure) => failure,
            Self::Told(code) => {
                let _ = out.flush();
                return ExitCode::from(exit_code(code));
            }
            Self::Unread => return ExitCode::SUCCESS,
        };
        // What was printed before stays; nothing better can be done if it can't.
        let _ = if out.json {
            out.json_document(&json!({ "error": failure }))
        } else {
            eprintln!("meantime: {}", clean(&failure.message));
            Ok(())
        };
        let _ = out.flush();
        ExitCode::from(exit_code(failure.code))
    }
}

fn exit_code(code: FailureCode) -> u8 {
    match code {
        FailureCode::NotPossible | FailureCode::Refused | FailureCode::Internal => 1,
        FailureCode::Invalid => 2,
        FailureCode::NotFound => 3,
        FailureCode::Auth | FailureCode::CodeNeeded | FailureCode::Certificate | FailureCode::NoSecrets => 4,
        FailureCode::Offline => 5,
    }
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::Unread,
            _ => Self::new(FailureCode::Internal, error.to_string()),
        }
    }
}

impl From<serde_json::Error> for Stop {
    fn from(error: serde_json::Error) -> Self {
        // Writing to stdout goes through here as well.
        io::Error::from(error).into()
    }
}
