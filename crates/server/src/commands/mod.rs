//! The commands of `meantime-server`. Each works beside a running server,
//! except where it says otherwise.

mod begin;
mod check;
mod copies;
mod handing;
mod owner;
mod people;
mod place;
mod secrets;

use crate::clock::SystemClock;
use crate::data::DataDir;
use crate::demo;
use crate::limits;
use crate::logging;
use crate::serve::{self, Options};
use crate::settings::Logging;
use clap::{Args, Subcommand};
use place::Place;
use serde_json::json;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

/// What the server can be told to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Begin a server for a new team: write its settings, and print its owner's invite link.
    Init(begin::Init),
    /// Serve until told to end (SIGTERM or Ctrl+C).
    Serve(Serve),
    /// Print an invite link for one more person.
    Invite(begin::Invite),
    /// Say whether settings, keys and database are as they should be.
    Check(check::Check),
    /// Make a backup now.
    Backup(copies::Backup),
    /// Put a backup back. The server must not be running.
    Restore(copies::Restore),
    /// The people of a team: who there is, what they may do.
    #[command(subcommand)]
    User(people::User),
    /// Somebody's devices: which there are, and ending one.
    #[command(subcommand)]
    Device(people::Device),
    /// Write all of a team, or what is a person's in it, as JSON lines.
    Export(handing::Export),
    /// Delete a team, or a person and what they wrote.
    Delete(handing::Delete),
    /// Serve a sample team to try Meantime with.
    Demo(Demo),
}

/// Arguments of `serve`.
#[derive(Debug, Args)]
pub struct Serve {
    #[command(flatten)]
    place: Place,
    /// Address and port to listen on instead of the settings'; port 0 takes a free one.
    #[arg(long)]
    listen: Option<SocketAddr>,
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

/// Does it.
///
/// # Errors
/// In words for whoever typed the command.
pub async fn run(command: Command) -> anyhow::Result<()> {
    limits::keep_private();
    if !matches!(command, Command::Serve(_)) {
        logging::start(&Logging::default());
    }
    match command {
        Command::Init(arguments) => begin::init(&arguments).await,
        Command::Serve(arguments) => serve(&arguments).await,
        Command::Invite(arguments) => begin::invite(&arguments).await,
        Command::Check(arguments) => check::check(&arguments).await,
        Command::Backup(arguments) => copies::backup(&arguments).await,
        Command::Restore(arguments) => copies::restore(&arguments).await,
        Command::User(command) => people::user(&command).await,
        Command::Device(command) => people::device(&command).await,
        Command::Export(arguments) => handing::export(&arguments).await,
        Command::Delete(arguments) => handing::delete(&arguments).await,
        Command::Demo(Demo { data, listen, watch_parent }) => {
            demo::run(&DataDir::new(&data), listen, watch_parent).await
        }
    }
}

async fn serve(Serve { place, listen }: &Serve) -> anyhow::Result<()> {
    let data = place.data()?;
    let settings = data.settings()?;
    logging::start(&settings.logging);
    let listen = listen.unwrap_or(settings.listen);
    let running = serve::start(Options { data, listen, clock: Arc::new(SystemClock) }).await?;
    let ready = json!({"listening": running.address(), "monitoring": running.monitoring()});
    say(&ready.to_string())?;
    serve::told_to_end().await?;
    running.stop().await
}

/// A line for a program that reads our output, at once.
pub(crate) fn say(line: &str) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}")?;
    Ok(out.flush()?)
}
