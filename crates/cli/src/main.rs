//! `meantime`, the command line: the same commands as the window, for the
//! shell and for scripts (docs/CLI.md).
//!
//! It holds no rule of its own. Commands go to the running engine over the
//! local socket, or to one that is started for a moment in this process;
//! `due`, `overlap` and `inspect` need neither.

mod args;
mod ask;
mod commands;
mod reach;
mod show;
mod stop;

use crate::args::{Cli, Command};
use crate::commands::{
    account, attachment, daemon, device, due, focus, inspect, list, member, overlap, profile, secrets, team, triage,
    write,
};
use crate::show::Out;
use crate::stop::Stop;
use clap::Parser;
use std::process::ExitCode;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        // What was typed can't be trusted to say how: `--json` anywhere counts.
        Err(error) if error.use_stderr() && std::env::args_os().any(|arg| arg == "--json") => {
            return Stop::unparsed(&error).report(&mut Out::new(true));
        }
        Err(error) => error.exit(),
    };
    let mut out = Out::new(cli.json);
    let done = match cli.command {
        // Pure: no profile, no engine.
        Command::Due(args) => due::run(&args, &mut out),
        Command::Overlap(args) => overlap::run(&args, &mut out),
        Command::Inspect(args) => inspect::run(&args, &mut out),
        command => with_engine(command, cli.home.as_deref(), &mut out),
    };
    match done.and_then(|()| Ok(out.flush()?)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(stop) => stop.report(&mut out),
    }
}

fn with_engine(command: Command, home: Option<&std::path::Path>, out: &mut Out) -> Result<(), Stop> {
    log(&command);
    let dirs = reach::dirs(home)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let done = runtime.block_on(async {
        if let Command::Daemon = command {
            return daemon::run(dirs).await;
        }
        let engine = reach::reach(dirs).await?;
        let chooses = matches!(command, Command::Secrets(_));
        let done = match run(command, &engine, out).await {
            Err(stop) if !chooses => Err(secrets::with_next_step(&engine, stop).await),
            done => done,
        };
        reach::close(engine).await;
        done
    });
    // A prompt may still be waiting for a key on a thread of its own.
    runtime.shutdown_background();
    done
}

async fn run(command: Command, engine: &reach::Reached, out: &mut Out) -> Result<(), Stop> {
    match command {
        Command::Status(args) => list::status(engine, &args, out).await,
        Command::Inbox(args) => list::inbox(engine, args, out).await,
        Command::Search(args) => list::search(engine, args, out).await,
        Command::Show(args) => list::show(engine, args, out).await,
        Command::Attachment(args) => attachment::run(engine, args, out).await,
        Command::Done(ids) => triage::done(engine, ids, out).await,
        Command::Reopen(ids) => triage::reopen(engine, ids, out).await,
        Command::Read(ids) => triage::read(engine, ids, out).await,
        Command::Unread(ids) => triage::unread(engine, ids, out).await,
        Command::Mute(ids) => triage::mute(engine, ids, out).await,
        Command::Unmute(ids) => triage::unmute(engine, ids, out).await,
        Command::Urgency(args) => triage::urgency(engine, args, out).await,
        Command::Snooze(args) => triage::snooze(engine, args, out).await,
        Command::Undo => triage::undo(engine, out).await,
        Command::Reply(args) => write::reply(engine, args, out).await,
        Command::Compose(args) => write::compose(engine, args, out).await,
        Command::Refusals(args) => write::refusals(engine, args, out).await,
        Command::Focus(args) => focus::run(engine, args, out).await,
        Command::Team(args) => team::run(engine, args, out).await,
        Command::Account(args) => account::run(engine, args, out).await,
        Command::Join(args) => account::join(engine, args, out).await,
        Command::SignIn(args) => device::sign_in(engine, args, out).await,
        Command::Device(args) => device::run(engine, args, out).await,
        Command::Member(args) => member::run(engine, args, out).await,
        Command::Import(args) => account::import(engine, args, out).await,
        Command::Secrets(args) => secrets::run(engine, args, out).await,
        Command::Settings(args) => profile::settings(engine, args, out).await,
        Command::Hours(args) => profile::hours(engine, args, out).await,
        // Answered before an engine was looked for.
        Command::Daemon | Command::Due(_) | Command::Overlap(_) | Command::Inspect(_) => Ok(()),
    }
}

/// The daemon tells what it does; a single command has its own words, unless it
/// is asked for more.
fn log(command: &Command) {
    let usual = if matches!(command, Command::Daemon) { "info" } else { "off" };
    let filter = tracing_subscriber::EnvFilter::try_from_env("MEANTIME_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new(usual));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(false).init();
}
