//! My devices, how I sign in, and who is in the team: asked of the team's
//! server when I ask for it. What a person may do there is the server's to say.

use crate::accounts::secret_name;
use crate::api::*;
use crate::engine::Engine;
use crate::people::{self, Team, TeamConfig};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use meantime_platform::Secrets as _;
use meantime_protocol::http::{InviteRequest, InviteResponse};
use meantime_protocol::kinds;
use meantime_protocol::people::{AccountInfo, AccountRequest, MemberLinkRequest, TotpConfirm, TotpRequest};
use meantime_sync::{HttpRemote, Token};

impl Engine {
    pub(crate) async fn my_devices(&self) -> Result<Vec<Device>, Failure> {
        let devices = self.server().await?.1.devices().await?;
        let shown = devices.into_iter().map(|d| Device {
            id: d.id,
            name: d.name,
            since: d.since,
            seen_at: d.seen_at,
            this: d.this,
        });
        Ok(shown.collect())
    }

    pub(crate) async fn end_my_device(&self, args: DeviceRef) -> Result<Nothing, Failure> {
        self.server().await?.1.end_device(args.id).await?;
        Ok(Nothing {})
    }

    pub(crate) async fn link_for_device(&self) -> Result<Link, Failure> {
        Ok(link(self.server().await?.1.device_link().await?))
    }

    pub(crate) async fn how_i_sign_in(&self) -> Result<SignInInfo, Failure> {
        let (config, remote) = self.server().await?;
        Ok(info(&config, remote.account().await?))
    }

    pub(crate) async fn change_password(&self, args: SetPassword) -> Result<SignInInfo, Failure> {
        let (config, remote) = self.server().await?;
        let SetPassword { login, password, current } = args;
        let request = AccountRequest { login, password, current_password: current };
        Ok(info(&config, remote.set_account(&request).await?))
    }

    pub(crate) async fn begin_authenticator(&self, args: WithPassword) -> Result<Authenticator, Failure> {
        let request = TotpRequest { password: args.password };
        let begun = self.server().await?.1.begin_totp(&request).await?;
        let picture = crate::picture::rows(&begun.uri);
        Ok(Authenticator { secret: begun.secret, uri: begun.uri, picture })
    }

    pub(crate) async fn confirm_authenticator(&self, args: TotpCode) -> Result<SignInInfo, Failure> {
        let (config, remote) = self.server().await?;
        let code = args.code.chars().filter(|c| !c.is_whitespace()).collect();
        Ok(info(&config, remote.confirm_totp(&TotpConfirm { code }).await?))
    }

    pub(crate) async fn end_authenticator(&self, args: WithPassword) -> Result<SignInInfo, Failure> {
        let (config, remote) = self.server().await?;
        Ok(info(&config, remote.end_totp(&TotpRequest { password: args.password }).await?))
    }

    pub(crate) async fn team_members(&self) -> Result<Members, Failure> {
        let team = self.read(Team::load).await?;
        let Some(team) = team else { return Err(no_team()) };
        let me = team.config.person;
        let may_give = match team.me().map(|me| me.role) {
            Some(kinds::Role::Owner) => vec![Role::Owner, Role::Admin, Role::Member, Role::Guest],
            Some(kinds::Role::Admin) => vec![Role::Admin, Role::Member, Role::Guest],
            _ => Vec::new(),
        };
        let everybody = team.people.values().chain(team.former.values());
        let mut members: Vec<TeamMember> = everybody
            .map(|person| TeamMember {
                id: person.id,
                name: person.name.clone(),
                you: person.id == me,
                role: shown(person.role),
                removed_at: person.removed_at,
            })
            .collect();
        members.sort_by_key(|member| (member.removed_at.is_some(), !member.you, member.name.to_lowercase()));
        Ok(Members { may_give, members })
    }

    pub(crate) async fn change_role(&self, args: SetRole) -> Result<Nothing, Failure> {
        self.server().await?.1.set_role(args.person, role(args.role)).await?;
        Ok(Nothing {})
    }

    pub(crate) async fn take_out(&self, args: MemberRef) -> Result<Nothing, Failure> {
        self.server().await?.1.remove_member(args.person).await?;
        Ok(Nothing {})
    }

    pub(crate) async fn link_for_member(&self, args: MemberRef) -> Result<Link, Failure> {
        let request = MemberLinkRequest::default();
        Ok(link(self.server().await?.1.member_link(args.person, &request).await?))
    }

    pub(crate) async fn link_for_newcomer(&self, args: NewInvite) -> Result<Link, Failure> {
        let request = InviteRequest { valid_hours: args.valid_hours, role: role(args.role) };
        Ok(link(self.server().await?.1.invite(&request).await?))
    }

    /// The team's server, as this device reaches it.
    pub(crate) async fn server(&self) -> Result<(TeamConfig, HttpRemote), Failure> {
        let found = self.read(|db| Ok(people::team_account(db)?.map(|row| row.id).zip(people::config(db)?))).await?;
        let (id, config) = found.ok_or_else(no_team)?;
        let token = self.safe.get(&secret_name(id)).await?.ok_or_else(crate::team_sync::no_token)?;
        let remote = HttpRemote::new(&config.host, config.pin()?, &Token::new(token))?;
        Ok((config, remote))
    }
}

/// Where to sign in, as a person types or pastes it: `HOST:PORT`, and behind
/// `#` the key of the server's own authority.
pub(crate) fn parse_server(text: &str) -> Result<(String, Option<[u8; 32]>), Failure> {
    let invalid = |message: &str| Failure::new(FailureCode::Invalid, format!("server: {message}"));
    let text = text.trim();
    let text = text.strip_prefix("https://").unwrap_or(text);
    let (host, pin) = text.split_once('#').map_or((text, None), |(host, pin)| (host, Some(pin)));
    let host = host.trim_end_matches('/');
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':' | '[' | ']');
    let port = host.rsplit_once(':').and_then(|(name, port)| Some((name, port.parse::<u16>().ok()?)));
    if !host.chars().all(allowed) || port.is_none_or(|(name, port)| name.is_empty() || port == 0) {
        return Err(invalid("write it as team.example.org:8787, or as another device of yours shows it"));
    }
    let pin = match pin {
        None => None,
        Some(pin) => {
            let bytes = URL_SAFE_NO_PAD.decode(pin).ok().and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
            Some(bytes.ok_or_else(|| invalid("the key behind # is damaged; copy it again"))?)
        }
    };
    Ok((host.to_owned(), pin))
}

fn info(config: &TeamConfig, account: AccountInfo) -> SignInInfo {
    let pin = config.pin().ok().flatten().map(|pin| format!("#{}", URL_SAFE_NO_PAD.encode(pin)));
    let server = format!("{}{}", config.host, pin.unwrap_or_default());
    SignInInfo { server, login: account.login, totp: account.totp }
}

fn link(made: InviteResponse) -> Link {
    Link { link: made.link, expires_at: made.expires_at }
}

fn no_team() -> Failure {
    Failure::new(FailureCode::NotPossible, "you are in no team yet: join one first")
}

fn shown(role: kinds::Role) -> Role {
    match role {
        kinds::Role::Owner => Role::Owner,
        kinds::Role::Admin => Role::Admin,
        kinds::Role::Member => Role::Member,
        kinds::Role::Guest => Role::Guest,
    }
}

fn role(role: Role) -> kinds::Role {
    match role {
        Role::Owner => kinds::Role::Owner,
        Role::Admin => kinds::Role::Admin,
        Role::Member => kinds::Role::Member,
        Role::Guest => kinds::Role::Guest,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_typed_or_pasted() {
        let pin = URL_SAFE_NO_PAD.encode([7; 32]);
        let pinned = format!("https://[::1]:8787/#{pin}");
        for (text, want) in [
            ("team.example.org:8787", Some(("team.example.org:8787", None))),
            (" https://team.example.org:443/ ", Some(("team.example.org:443", None))),
            (pinned.as_str(), Some(("[::1]:8787", Some([7; 32])))),
            ("team.example.org", None),
            ("team.example.org:0", None),
            ("team.example.org:99999", None),
            (":8787", None),
            ("you@team.example.org:8787", None),
            ("team.example.org:8787/path", None),
            ("team.example.org:8787#short", None),
            ("", None),
        ] {
            let want = want.map(|(host, pin)| (host.to_owned(), pin));
            assert_eq!(parse_server(text).ok(), want, "{text}");
        }
    }
}
