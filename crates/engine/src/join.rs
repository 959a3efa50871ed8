//! Joining a team by its invite, and where secrets are kept.

use crate::accounts::secret_name;
use crate::api::*;
use crate::engine::Engine;
use crate::people::{self, TeamConfig};
use meantime_model::AccountId;
use meantime_platform::Secrets as _;
use meantime_platform::secrets::{Choice, Kept};
use meantime_protocol::Invite;
use meantime_store::{account, focus, team as records};
use std::sync::Arc;

/// Longest name of a person, in characters.
const MAX_NAME: usize = 80;

/// What a link invites to; nothing is asked and nothing joined.
pub(crate) fn look_at(link: &str) -> Result<InvitePreview, Failure> {
    let invite = parse(link)?;
    let team = if invite.team.is_empty() { invite.host.clone() } else { invite.team };
    Ok(InvitePreview { team, pinned: invite.ca.is_some(), host: invite.host })
}

fn parse(link: &str) -> Result<Invite, Failure> {
    link.parse().map_err(|e: meantime_protocol::invite::BadInvite| Failure::new(FailureCode::Invalid, e.to_string()))
}

fn in_a_team(team: &TeamConfig) -> Failure {
    let message = format!("this device is in the team {} already: remove that account first", team.team_name);
    Failure::new(FailureCode::NotPossible, message)
}

impl Engine {
    pub(crate) async fn join_team(self: &Arc<Self>, args: Join) -> Result<Joined, Failure> {
        let _one = self.joining.lock().await;
        self.join_alone(args, false).await
    }

    /// A device is in one team at most.
    pub(crate) async fn in_no_team(&self) -> Result<(), Failure> {
        match self.read(crate::people::config).await? {
            Some(team) => Err(in_a_team(&team)),
            None => Ok(()),
        }
    }

    /// The team this device is in, if that is the one of the invite and its
    /// server does not know this device any more; none if it is in no team.
    async fn signed_out_of(&self, invite: &Invite) -> Result<Option<(AccountId, TeamConfig)>, Failure> {
        let found = self.read(|db| Ok(people::team_account(db)?.map(|row| row.id).zip(people::config(db)?))).await?;
        let Some((id, config)) = found else { return Ok(None) };
        let same = invite.host == config.host || invite.team == config.team_name;
        if config.sample || !same {
            return Err(in_a_team(&config));
        }
        let token = self.safe.get(&secret_name(id)).await?;
        let gone = match token {
            None => true,
            Some(token) => crate::team_sync::is_signed_out(&config, token).await?,
        };
        if gone { Ok(Some((id, config))) } else { Err(in_a_team(&config)) }
    }

    /// The caller holds `joining`.
    pub(crate) async fn join_alone(self: &Arc<Self>, args: Join, sample: bool) -> Result<Joined, Failure> {
        let invite = parse(&args.link)?;
        let name = args.name.trim().to_owned();
        if name.is_empty() || name.chars().count() > MAX_NAME || name.chars().any(char::is_control) {
            return Err(Failure::new(FailureCode::Invalid, format!("name: 1 to {MAX_NAME} characters")));
        }
        let before = self.signed_out_of(&invite).await?;
        // Before the one-use invite is used up: is there a place for the token?
        let probe = secret_name(AccountId::new());
        self.safe.set(&probe, "probe").await?;
        self.safe.delete(&probe).await?;

        let joined = crate::team_sync::join(&invite, &name).await?;
        let config = TeamConfig {
            host: invite.host.clone(),
            ca: invite.ca.map(|pin| pin.iter().map(|byte| format!("{byte:02x}")).collect()),
            person: joined.person,
            team: joined.team,
            team_name: joined.team_name.clone(),
            device: joined.device,
            sample,
        };
        if let Some((_, team)) = before.as_ref().filter(|(_, team)| team.team != config.team) {
            return Err(in_a_team(team));
        }
        let now = self.now();
        let identity = format!("team:{}:{}", joined.team, joined.person);
        let row = account::Account {
            id: before.as_ref().map_or_else(AccountId::new, |(id, _)| *id),
            kind: account::AccountKind::Team,
            name: joined.team_name.clone(),
            identity: identity.clone(),
            config: serde_json::to_value(&config).map_err(|e| Failure::new(FailureCode::Internal, e.to_string()))?,
            created_at: now,
            checked_at: None,
            error: None,
            position: -1,
        };
        let id = row.id;
        self.safe.set(&secret_name(id), &joined.token).await?;
        self.write(move |tx| {
            account::put(tx, &row)?;
            if let Some((_, team)) = before {
                records::rejoin(tx, id, &identity, team.person, config.person, now)?;
                if let Some(block) = focus::running(tx)? {
                    crate::focus::tell_team(tx, Some(block.since), block.until(), now)?;
                }
            }
            Ok(())
        })
        .await?;
        self.share_hours().await?;
        self.resume_team().await;
        self.tell(&[Tag::Accounts, Tag::Inbox, Tag::Team, Tag::Settings, Tag::Status]);
        Ok(Joined { person: joined.person, team: joined.team_name })
    }

    /// Teammates count on my hours: those kept so far, else the proposal.
    async fn share_hours(self: &Arc<Self>) -> Result<(), Failure> {
        let mut hours = self.hours_now().await?;
        hours.proposed = false;
        self.save_hours(hours).await?;
        Ok(())
    }

    pub(crate) async fn choose_safe(&self, choice: ChooseSecrets) -> Result<SecretsState, Failure> {
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
        self.safe.choose(choice).await?;
        self.tell(&[Tag::Status]);
        self.retry_accounts();
        Ok(kept(self.safe.kept().await))
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
