//! Invite links: where this server is reached, and how it is known.

use crate::settings::Settings;
use meantime_protocol::Invite;
use meantime_protocol::invite::MAX_LINK;
use meantime_server_core::NewInvite;
use std::net::{IpAddr, SocketAddr};

/// What stands in every link of this server.
#[derive(Clone, Debug)]
pub struct Links {
    host: String,
    pin: Option<[u8; 32]>,
}

impl Links {
    /// Links to a server that listens at `at` and whose CA has that hash, if
    /// apps' systems don't trust it anyway.
    #[must_use]
    pub fn new(settings: &Settings, at: SocketAddr, pin: Option<[u8; 32]>) -> Self {
        if let Some(host) = &settings.invite_address {
            return Self { host: host.clone(), pin };
        }
        let name = match settings.hosts.first() {
            Some(host) if host.parse::<std::net::Ipv6Addr>().is_ok() => format!("[{host}]"),
            Some(host) => host.clone(),
            None => match at.ip() {
                ip if ip.is_unspecified() => "127.0.0.1".to_owned(),
                IpAddr::V4(ip) => ip.to_string(),
                IpAddr::V6(ip) => format!("[{ip}]"),
            },
        };
        Self { host: format!("{name}:{}", at.port()), pin }
    }

    /// The link of an invite. A team's name that would make it longer than apps
    /// take is cut: it is there to be shown, no more.
    #[must_use]
    pub fn link(&self, invite: NewInvite) -> String {
        let NewInvite { secret, team_name, .. } = invite;
        let mut invite = Invite { host: self.host.clone(), ca: self.pin, secret: secret.reveal(), team: team_name };
        let mut link = invite.to_string();
        while link.len() > MAX_LINK && invite.team.pop().is_some() {
            link = invite.to_string();
        }
        link
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::DateTime;
    use meantime_server_core::Secret;

    #[test]
    fn a_team_of_any_name_can_be_joined() {
        let settings = Settings { invite_address: Some("meantime.example.org:8443".to_owned()), ..Settings::default() };
        let links = Links::new(&settings, ([0, 0, 0, 0], 8443).into(), Some([7; 32]));
        for team_name in ["Blue Team".to_owned(), "\u{9752}".repeat(100), "\u{1f426}".repeat(100)] {
            let secret = Secret::invite().unwrap();
            let text = links.link(NewInvite { secret, expires_at: DateTime::UNIX_EPOCH, team_name: team_name.clone() });
            let parsed: Invite = text.parse().unwrap();
            assert!(!parsed.team.is_empty() && team_name.starts_with(&parsed.team), "{}", parsed.team);
            assert!(parsed.team == team_name || text.len() > MAX_LINK - 12, "no more is cut than has to be: {text}");
        }
    }
}
