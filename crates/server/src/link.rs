//! Invite links: where this server is reached, and how it is known.

use crate::settings::Settings;
use meantime_protocol::Invite;
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

    /// The link of an invite.
    #[must_use]
    pub fn link(&self, invite: NewInvite) -> String {
        let NewInvite { secret, team_name, .. } = invite;
        Invite { host: self.host.clone(), ca: self.pin, secret: secret.reveal(), team: team_name }.to_string()
    }
}
