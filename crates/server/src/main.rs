//! The `meantime-server` command. What it does is in the library.

use clap::Parser;
use meantime_server::commands::{Command, run};
use std::process::ExitCode;

/// The Meantime team server.
#[derive(Debug, Parser)]
#[command(name = "meantime-server", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Arguments::parse().command).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("meantime-server: {error:#}");
            ExitCode::FAILURE
        }
    }
}
