//! `init` and `invite`: a team begins, and people come in.

use super::owner;
use super::place::{Opened, Place};
use super::say;
use crate::backend::Backend;
use crate::clock::SystemClock;
use crate::data::PORT;
use crate::seal;
use crate::settings::{Beginning, StorageKind};
use crate::tls::Authority;
use anyhow::{Context as _, bail};
use clap::{Args, ValueEnum};
use meantime_protocol::http::InviteRequest;
use meantime_protocol::kinds::Role;
use meantime_server_core::core::INVITE_HOURS;
use meantime_server_core::{Clock as _, Storage as _, TeamScope};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

/// Arguments of `init`.
#[derive(Debug, Args)]
pub struct Init {
    #[command(flatten)]
    place: Place,
    /// The team's name.
    #[arg(long)]
    team: String,
    /// A name or address the server is reached by; may be given several times, the first stands in invites.
    #[arg(long)]
    host: Vec<String>,
    /// The port it will listen on.
    #[arg(long, default_value_t = PORT)]
    port: u16,
    /// Address and port for monitoring, without TLS; `off` for none.
    #[arg(long, default_value = "127.0.0.1:9464", value_parser = monitoring)]
    monitoring: Monitoring,
    /// Keep the data in PostgreSQL, whose URL stands in this file. A file in the data folder otherwise.
    #[arg(long)]
    postgres_url_file: Option<PathBuf>,
    /// The same for who owns the tables, where that is somebody else.
    #[arg(long, requires = "postgres_url_file")]
    postgres_owner_url_file: Option<PathBuf>,
}

/// Arguments of `invite`.
#[derive(Debug, Args)]
pub struct Invite {
    #[command(flatten)]
    place: Place,
    /// The team, by its name or id; not needed where there is one.
    #[arg(long)]
    team: Option<String>,
    /// What the new person may do.
    #[arg(long, value_enum, default_value = "member")]
    role: As,
    /// Hours until the link lapses, 1 to 72.
    #[arg(long, default_value_t = INVITE_HOURS, value_parser = clap::value_parser!(u32).range(1..=i64::from(INVITE_HOURS)))]
    hours: u32,
}

/// A role by its name.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum As {
    /// Everything.
    Owner,
    /// Invites, writes the agreement.
    Admin,
    /// Reads and writes threads.
    Member,
}

impl From<As> for Role {
    fn from(role: As) -> Self {
        match role {
            As::Owner => Self::Owner,
            As::Admin => Self::Admin,
            As::Member => Self::Member,
        }
    }
}

/// An address, or none.
#[derive(Clone, Copy, Debug)]
struct Monitoring(Option<SocketAddr>);

fn monitoring(text: &str) -> Result<Monitoring, String> {
    if text == "off" {
        return Ok(Monitoring(None));
    }
    text.parse().map(|at| Monitoring(Some(at))).map_err(|_| "it is ADDRESS:PORT or `off`".to_owned())
}

/// Makes a server and a team. Either both are there in the end, or what was
/// made can be used by calling it again.
pub async fn init(arguments: &Init) -> anyhow::Result<()> {
    let Init { place, team, host, port, monitoring, postgres_url_file, postgres_owner_url_file } = arguments;
    let data = place.new_data()?;
    owner::go_on_as(&data)?;
    if let Some(file) = data.has_server() {
        let (folder, file) = (data.folder().display(), file.display());
        bail!("there is a server in {folder} already ({file}); `meantime-server serve` starts it");
    }
    let storage = if postgres_url_file.is_some() { StorageKind::Postgres } else { StorageKind::Sqlite };
    let absolute = |path: &Option<PathBuf>| path.as_deref().map(std::path::absolute).transpose();
    let beginning = Beginning {
        data: std::path::absolute(data.folder()).context("the data folder's path")?,
        hosts: host.clone(),
        listen: SocketAddr::from((Ipv4Addr::UNSPECIFIED, *port)),
        storage,
        url_file: absolute(postgres_url_file)?,
        owner_url_file: absolute(postgres_owner_url_file)?,
        metrics: monitoring.0,
    };
    data.make()?;
    let made = async {
        // Before anything else is kept: names that no certificate takes are refused here.
        let authority = Authority::of(&data, SystemClock.now())?;
        authority.certificate(&data, host, SystemClock.now())?;
        let settings = data.begin(&beginning)?;
        let backend = Backend::create(&data, &settings).await?;
        let opened = Opened::of(data.clone(), settings, &backend);
        if !opened.core.storage().teams().await?.is_empty() {
            bail!("there is a team in this database already; `meantime-server serve` serves it");
        }
        // Now, so that it can be copied to further processes before they start.
        seal::key(&opened.data, opened.core.storage()).await?;
        let team = opened.core.found(team).await?;
        let request = InviteRequest { valid_hours: INVITE_HOURS, role: Role::Owner };
        let invite = opened.core.invite(TeamScope::operator(team), &request).await?;
        Ok(opened.links()?.link(invite))
    };
    match made.await {
        Ok(link) => say(&link),
        Err(error) => {
            // So that it can be called again; a database is never removed.
            for file in [data.settings_file(), &data.file("ca.key"), &data.file("ca.pem"), &data.file(seal::FILE)] {
                let _ = std::fs::remove_file(file);
            }
            Err(error)
        }
    }
}

/// Prints a link.
pub async fn invite(Invite { place, team, role, hours }: &Invite) -> anyhow::Result<()> {
    let opened = place.open().await?;
    let team = opened.team(team.as_deref()).await?;
    let request = InviteRequest { valid_hours: *hours, role: (*role).into() };
    let invite = opened.core.invite(TeamScope::operator(team.id), &request).await?;
    say(&opened.links()?.link(invite))
}
