//! The commands of `meantime-server`.

use crate::clock::SystemClock;
use crate::data::{Config, DataDir, PORT};
use crate::demo;
use crate::link::Links;
use crate::serve::{self, Options};
use crate::tls::Authority;
use anyhow::{Context as _, bail};
use clap::{Args, Subcommand, ValueEnum};
use meantime_protocol::http::InviteRequest;
use meantime_protocol::kinds::Role;
use meantime_server_core::core::INVITE_HOURS;
use meantime_server_core::{Clock as _, Core, Storage, TeamScope};
use serde_json::json;
use std::io::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;

/// What the server can be told to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Begin a server for a new team, and print its owner's invite link.
    Init(Init),
    /// Serve until told to end (SIGTERM or Ctrl+C).
    Serve(Serve),
    /// Print an invite link for one more person.
    Invite(Invite),
    /// Serve a sample team to try Meantime with.
    Demo(Demo),
}

/// Arguments of `init`.
#[derive(Debug, Args)]
pub struct Init {
    /// Folder for the database and the keys; made if missing.
    #[arg(long)]
    data: PathBuf,
    /// The team's name.
    #[arg(long)]
    team: String,
    /// A name or address the server is reached by; may be given several times, the first stands in invites.
    #[arg(long)]
    host: Vec<String>,
    /// The port it will listen on.
    #[arg(long, default_value_t = PORT)]
    port: u16,
}

/// Arguments of `serve`.
#[derive(Debug, Args)]
pub struct Serve {
    /// Folder that `init` made.
    #[arg(long)]
    data: PathBuf,
    /// Address and port to listen on; port 0 takes a free one. All addresses and the port of `init` when absent.
    #[arg(long)]
    listen: Option<SocketAddr>,
}

/// Arguments of `invite`.
#[derive(Debug, Args)]
pub struct Invite {
    /// Folder that `init` made. The server may be running.
    #[arg(long)]
    data: PathBuf,
    /// What the new person may do.
    #[arg(long, value_enum, default_value = "member")]
    role: As,
    /// Hours until the link lapses.
    #[arg(long, default_value_t = INVITE_HOURS)]
    hours: u32,
}

/// Arguments of `demo`.
#[derive(Debug, Args)]
pub struct Demo {
    /// Folder for the sample team; made if missing.
    #[arg(long)]
    data: PathBuf,
    /// Address and port to listen on; port 0 takes a free one, the same again if it can.
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// End when standard input is closed, as it is when the parent dies.
    #[arg(long)]
    watch_parent: bool,
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

/// Does it.
///
/// # Errors
/// In words for whoever typed the command.
pub async fn run(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Init(arguments) => init(&arguments).await,
        Command::Serve(arguments) => serve(&arguments).await,
        Command::Invite(arguments) => invite(&arguments).await,
        Command::Demo(Demo { data, listen, watch_parent }) => {
            demo::run(&DataDir::new(&data), listen, watch_parent).await
        }
    }
}

async fn init(Init { data, team, host, port }: &Init) -> anyhow::Result<()> {
    let data = DataDir::new(data);
    if data.has_server() {
        bail!("there is a server in {} already; `meantime-server serve` starts it", data.file("").display());
    }
    let config = Config { hosts: host.clone(), port: *port };
    data.make()?;
    // Before anything is kept: names that no certificate takes are refused here.
    let authority = Authority::of(&data, SystemClock.now())?;
    authority.server(&data, host, SystemClock.now())?;
    let core = Core::new(data.create(&config)?, Arc::new(SystemClock));
    let team = core.found(team).await?;
    let request = InviteRequest { valid_hours: INVITE_HOURS, role: Role::Owner };
    let invite = core.invite(TeamScope::operator(team), &request).await?;
    let at = SocketAddr::from((Ipv4Addr::UNSPECIFIED, *port));
    say(&Links::new(&config, at, authority.pin()).link(invite))
}

async fn serve(Serve { data, listen }: &Serve) -> anyhow::Result<()> {
    let data = DataDir::new(data);
    let port = data.config()?.port;
    let listen = listen.unwrap_or_else(|| SocketAddr::from((Ipv4Addr::UNSPECIFIED, port)));
    let running = serve::start(Options { data, listen, clock: Arc::new(SystemClock) }).await?;
    say(&json!({"listening": running.address()}).to_string())?;
    serve::told_to_end().await?;
    running.stop().await
}

async fn invite(Invite { data, role, hours }: &Invite) -> anyhow::Result<()> {
    let data = DataDir::new(data);
    let (storage, config) = (data.open()?, data.config()?);
    let team = storage.teams().await?.into_iter().next().context("this server has no team")?;
    let core = Core::new(storage, Arc::new(SystemClock));
    let role = match role {
        As::Owner => Role::Owner,
        As::Admin => Role::Admin,
        As::Member => Role::Member,
    };
    let invite = core.invite(TeamScope::operator(team.id), &InviteRequest { valid_hours: *hours, role }).await?;
    let at = data.address().unwrap_or_else(|| SocketAddr::from((Ipv4Addr::UNSPECIFIED, config.port)));
    let pin = Authority::of(&data, SystemClock.now())?.pin();
    say(&Links::new(&config, at, pin).link(invite))
}

/// A line for a program that reads our output, at once.
pub(crate) fn say(line: &str) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}")?;
    Ok(out.flush()?)
}
