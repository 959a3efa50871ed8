//! Where this device keeps its secrets, as the person chose. How they are kept
//! is the platform's.

use crate::api::*;
use crate::engine::Engine;
use meantime_platform::Secrets as _;
use meantime_platform::secrets::{Choice, Kept};
use meantime_store::setting;
use std::sync::Arc;

/// Setting: secrets are kept in memory, by the person's own choice.
const IN_MEMORY: &str = "secrets_in_memory";

impl Engine {
    pub(crate) async fn choose_safe(self: &Arc<Self>, choice: ChooseSecrets) -> Result<SecretsState, Failure> {
        const SHORTEST: usize = 12;
        let choice = match choice {
            ChooseSecrets::Keyring => Choice::Keyring,
            ChooseSecrets::Session => Choice::Session,
            ChooseSecrets::File { passphrase } => {
                let unlocking = matches!(self.safe.kept().await, Kept::File { locked: true });
                if !unlocking && passphrase.chars().count() < SHORTEST {
                    let message = format!("passphrase: at least {SHORTEST} characters");
                    return Err(Failure::new(FailureCode::Invalid, message));
                }
                Choice::File { passphrase }
            }
        };
        let in_memory = matches!(choice, Choice::Session);
        self.safe.choose(choice).await?;
        self.write(move |tx| Ok(setting::put(tx, IN_MEMORY, &in_memory)?)).await?;
        self.tell(&[Tag::Status]);
        self.retry_accounts().await;
        Ok(kept(self.safe.kept().await))
    }

    /// Who chose memory where there is no keyring is not asked again at each
    /// start. Waits until it is known whether there is one now.
    pub(crate) async fn in_memory_again(&self) -> Result<(), Failure> {
        if !self.read(|db| Ok(setting::get(db, IN_MEMORY)?.unwrap_or(false))).await? {
            return Ok(());
        }
        let known = self.safe.get(IN_MEMORY).await;
        if known.is_err() && matches!(self.safe.kept().await, Kept::Undecided(_)) {
            self.safe.choose(Choice::Session).await?;
        }
        Ok(())
    }
}

/// Where secrets are kept, in the interface's words.
pub(crate) fn kept(kept: Kept) -> SecretsState {
    match kept {
        Kept::Keyring => SecretsState::Keyring,
        Kept::Undecided(message) => SecretsState::Undecided { message },
        Kept::Session => SecretsState::Session,
        Kept::File { locked } => SecretsState::File { locked },
    }
}
