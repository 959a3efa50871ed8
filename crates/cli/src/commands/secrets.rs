//! `secrets`: where passwords are kept on a computer without a keyring.

use super::times;
use crate::ask;
use crate::reach::Reached;
use crate::show::Out;
use crate::stop::Stop;
use clap::{Args, Subcommand};
use meantime_engine::api::{ChooseSecrets, Nothing, SecretsState};

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

pub(crate) async fn run(engine: &Reached, args: SecretsArgs, out: &mut Out) -> Result<(), Stop> {
    let now = engine.secrets(Nothing {}).await?;
    let state = match args.keep {
        None => now,
        Some(Keep::Keyring) => engine.choose_secrets(ChooseSecrets::Keyring).await?,
        Some(Keep::Session) => engine.choose_secrets(ChooseSecrets::Session).await?,
        Some(Keep::File) => {
            let known = matches!(now, SecretsState::File { .. });
            let passphrase = if known { ask::secret("Passphrase")? } else { ask::new_secret("Passphrase")? };
            engine.choose_secrets(ChooseSecrets::File { passphrase }).await?
        }
    };
    Ok(out.reply(&state, &times(engine, out).await?)?)
}
