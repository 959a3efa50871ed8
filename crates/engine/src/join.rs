//! Joining a team by its invite or by login and password.

use crate::accounts::{earlier_name, secret_name};
use crate::api::*;
use crate::devices::parse_server;
use crate::engine::Engine;
use crate::people::{self, TeamConfig};
use meantime_model::{AccountId, DeviceId};
use meantime_platform::Secrets as _;
use meantime_protocol::Invite;
use meantime_protocol::http::JoinResponse;
use meantime_store::{account, focus, team as records};
use std::sync::Arc;

/// Longest name of a person, in characters.
const MAX_NAME: usize = 80;

/// The key of a server's own authority; none: the system's are trusted.
type Pin = Option<[u8; 32]>;

/// The account and the team that this device was in.
type Before = (AccountId, TeamConfig);

/// The server that was joined.
struct Place {
    host: String,
    pin: Pin,
    sample: bool,
}

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

    /// By login and password.
    pub(crate) async fn sign_in_to_team(self: &Arc<Self>, args: SignInToTeam) -> Result<Joined, Failure> {
        let _one = self.joining.lock().await;
        let given = if args.server.trim().is_empty() { None } else { Some(parse_server(&args.server)?) };
        let key = given.as_ref().and_then(|(_, pin)| pin.map(Some));
        let same = |team: &TeamConfig| given.as_ref().is_none_or(|(host, _)| *host == team.host);
        let before = self.signed_out_of(same, key).await?;
        // The key it was joined with still holds where none is given.
        let (host, pin) = match (given, &before) {
            (Some((host, None)), Some((_, team))) => (host, team.pin()?),
            (Some(given), _) => given,
            (None, Some((_, team))) => (team.host.clone(), team.pin()?),
            (None, None) => {
                let message = "server: say which one; a device of yours that is signed in shows it in the settings";
                return Err(Failure::new(FailureCode::Invalid, message));
            }
        };
        self.room_for_the_token().await?;
        let team = before.as_ref().map(|(_, team)| team.team);
        let joined = crate::team_sync::sign_in(&host, pin, team, args).await?;
        self.enter(Place { host, pin, sample: false }, joined, before).await
    }

    /// The team this device is in, if it is the `same` as is meant and its
    /// server does not know this device any more, or has another key than the
    /// one that this device trusts; none if it is in no team. `key`: what the
    /// person was given to know the server by, if anything. It is trusted with
    /// what they were given along with it, never with this device's token.
    async fn signed_out_of(
        &self,
        same: impl FnOnce(&TeamConfig) -> bool,
        key: Option<Pin>,
    ) -> Result<Option<Before>, Failure> {
        let found = self.read(|db| Ok(people::team_account(db)?.map(|row| row.id).zip(people::config(db)?))).await?;
        let Some((id, config)) = found else { return Ok(None) };
        if config.sample || !same(&config) {
            return Err(in_a_team(&config));
        }
        let token = self.safe.get(&secret_name(id)).await?;
        let pin = config.pin()?;
        let gone = match token {
            None => true,
            Some(token) => match crate::team_sync::is_signed_out(&config, token).await {
                Err(e) if e.code == FailureCode::Certificate && key.is_some_and(|key| key != pin) => true,
                known => known?,
            },
        };
        if gone { Ok(Some((id, config))) } else { Err(in_a_team(&config)) }
    }

    /// Before an invite is used up or a device made: is there a place for the
    /// token?
    async fn room_for_the_token(&self) -> Result<(), Failure> {
        let probe = secret_name(AccountId::new());
        self.safe.set(&probe, "probe").await?;
        Ok(self.safe.delete(&probe).await?)
    }

    /// The caller holds `joining`.
    pub(crate) async fn join_alone(self: &Arc<Self>, args: Join, sample: bool) -> Result<Joined, Failure> {
        let invite = parse(&args.link)?;
        let name = args.name.trim().to_owned();
        if name.is_empty() || name.chars().count() > MAX_NAME || name.chars().any(char::is_control) {
            return Err(Failure::new(FailureCode::Invalid, format!("name: 1 to {MAX_NAME} characters")));
        }
        let same = |team: &TeamConfig| invite.host == team.host || invite.team == team.team_name;
        let before = self.signed_out_of(same, Some(invite.ca)).await?;
        self.room_for_the_token().await?;
        let joined = crate::team_sync::join(&invite, &name).await?;
        self.enter(Place { host: invite.host, pin: invite.ca, sample }, joined, before).await
    }

    /// Keeps what the server answered, and follows the team. What this device
    /// has of the same team goes on.
    async fn enter(
        self: &Arc<Self>,
        place: Place,
        joined: JoinResponse,
        before: Option<Before>,
    ) -> Result<Joined, Failure> {
        let now = self.now();
        let config = TeamConfig {
            host: place.host,
            ca: place.pin.map(|pin| pin.iter().map(|byte| format!("{byte:02x}")).collect()),
            person: joined.person,
            team: joined.team,
            team_name: joined.team_name.clone(),
            device: joined.device,
            token_at: Some(now),
            sample: place.sample,
        };
        if let Some((_, team)) = before.as_ref().filter(|(_, team)| team.team != config.team) {
            return Err(in_a_team(team));
        }
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
        // Where only the key was another, the server still knows it.
        let replaced = before.as_ref().map(|(_, team)| team.device).filter(|device| *device != joined.device);
        self.safe.set(&secret_name(id), &joined.token).await?;
        self.safe.delete(&earlier_name(id)).await?;
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
        self.resume_team().await;
        if let Some(device) = replaced {
            self.end_replaced(device);
        }
        self.tell(&[Tag::Accounts, Tag::Inbox, Tag::Team, Tag::Settings, Tag::Status]);
        Ok(Joined { person: joined.person, team: joined.team_name })
    }

    /// What this device was at the server before. That it is gone already, or
    /// can't be ended now, does no harm: it stands in the person's list.
    fn end_replaced(self: &Arc<Self>, device: DeviceId) {
        let engine = self.clone();
        self.tasks.spawn(async move {
            let ended = async { Ok::<_, Failure>(engine.server().await?.1.end_device(device).await?) };
            if let Err(failure) = ended.await {
                tracing::debug!(%failure, "the device before was not ended");
            }
        });
    }
}
