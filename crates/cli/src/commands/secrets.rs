//! `secrets`: where passwords are kept on a computer without a keyring.

use super::times;
use crate::ask;
use crate::reach::{self, Reached};
use crate::show::{Out, so_that_passwords_are_kept};
use crate::stop::Stop;
use clap::{Args, Subcommand};
use meantime_engine::api::{ChooseSecrets, FailureCode, Nothing, SecretsState};

#[derive(Args)]
pub(crate) struct SecretsArgs {
    #[command(subcommand)]
    keep: Option<Keep>,
}

#[derive(Subcommand)]
enum Keep {
    /// In the system's keyring: look for it again
    Keyring,
    /// In memory, until Meantime ends
    Session,
    /// In a file encrypted with a passphrase, which is asked for; also opens a locked one
    File,
}

/// A failure for want of a place for passwords says how there is to be one.
pub(crate) async fn with_next_step(engine: &Reached, stop: Stop) -> Stop {
    let Stop::Failed(failure) = stop else { return stop };
    if failure.code != FailureCode::NoSecrets {
        return failure.into();
    }
    let step = engine.secrets(Nothing {}).await.ok().and_then(|state| so_that_passwords_are_kept(&state));
    let message = match step {
        Some(step) => format!("{}. {step}.", failure.message.trim_end_matches('.')),
        None => failure.message,
    };
    Stop::new(FailureCode::NoSecrets, message)
}

pub(crate) async fn run(engine: &Reached, args: SecretsArgs, out: &mut Out) -> Result<(), Stop> {
    let now = engine.secrets(Nothing {}).await?;
    let state = match args.keep {
        None => now,
        Some(Keep::Keyring) => engine.choose_secrets(ChooseSecrets::Keyring).await?,
        Some(Keep::Session) if reach::is_here(engine) => {
            let message =
                "no Meantime runs that could keep passwords in memory; start `meantime daemon` or the app first";
            return Err(Stop::new(FailureCode::NotPossible, message));
        }
        Some(Keep::Session) => engine.choose_secrets(ChooseSecrets::Session).await?,
        Some(Keep::File) => {
            let known = matches!(now, SecretsState::File { .. });
            let passphrase = if known { ask::secret("Passphrase")? } else { ask::new_secret("Passphrase")? };
            engine.choose_secrets(ChooseSecrets::File { passphrase }).await?
        }
    };
    out.reply(&state, &times(engine, out).await?)?;
    if reach::is_here(engine) && matches!(state, SecretsState::File { locked: false }) {
        eprintln!("The file is locked again now; do this while `meantime daemon` or the app runs to keep it open.");
    }
    Ok(())
}
