//! `meantime-server demo`: a sample team to try Meantime with. Five people in
//! five time zones, made through the ordinary HTTPS API on the first start,
//! who ask whoever joins them.
//!
//! A real server with made-up people: nothing in it is special to the app.

mod client;
mod content;
mod newcomer;
mod past;
mod populate;
mod state;

use crate::clock::SystemClock;
use crate::commands::say;
use crate::data::{Config, DataDir};
use crate::serve::{self, Options, Running};
use anyhow::Context as _;
use client::Client;
use content::Team;
use meantime_protocol::http::InviteRequest;
use meantime_protocol::kinds::Role;
use meantime_server_core::core::INVITE_HOURS;
use meantime_server_core::{Clock as _, Core};
use past::PastClock;
use serde_json::json;
use state::State;
use std::fs;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::sync::oneshot;

/// Serves the sample team until told to end; prints one line of JSON with
/// `listening`, `invite` and `team` when it is ready.
///
/// # Errors
/// When the folder holds another team, or the address is taken.
pub async fn run(data: &DataDir, listen: SocketAddr, watch_parent: bool) -> anyhow::Result<()> {
    let parent = watch_parent.then(parent_gone);
    let (running, client, state) = start(data, listen).await?;
    let owner = state.people.get("kofi").context("the sample team has no owner")?.joined.clone();
    let request = InviteRequest { valid_hours: INVITE_HOURS, role: Role::Member };
    let invite = client.invite(&owner, &request).await?;
    say(&json!({"listening": running.address(), "invite": invite, "team": owner.team_name}).to_string())?;

    let welcome = tokio::spawn(newcomer::welcome(client, data.clone(), state));
    match parent {
        Some(gone) => tokio::select! {
            told = serve::told_to_end() => told?,
            _ = gone => {}
        },
        None => serve::told_to_end().await?,
    }
    welcome.abort();
    running.stop().await
}

async fn start(data: &DataDir, listen: SocketAddr) -> anyhow::Result<(Running, Client, State)> {
    let known = State::read(data)?;
    let clock = Arc::new(PastClock::default());
    let now = SystemClock.now();
    if known.is_none() {
        data.make()?;
        state::begin(data)?;
        let hosts = if listen.ip().is_unspecified() { Vec::new() } else { vec![listen.ip().to_string()] };
        let storage = data.create(&Config { hosts, port: listen.port() })?;
        clock.go_to(populate::beginning(now));
        Core::new(storage, Arc::clone(&clock) as _).found(&Team::read()?.team).await?;
    }
    let running = serve::start(Options { data: data.clone(), listen, clock: Arc::clone(&clock) as _ }).await?;
    let client = Client::new(running.address(), &fs::read(data.file("ca.pem"))?)?;
    let state = match known {
        Some(mut state) => {
            let pushes = populate::today(&mut state, now)?;
            // The numbers given out are kept before they are used.
            state.write(data)?;
            for (who, ops) in pushes {
                client.push(&who, ops).await?;
            }
            state
        }
        None => {
            let invite = running.invite(&InviteRequest { valid_hours: 1, role: Role::Owner }).await?;
            let state = populate::populate(&client, &clock, &invite, now).await?;
            state.write(data)?;
            state::end(data)?;
            state
        }
    };
    Ok((running, client, state))
}

/// Resolves when standard input ends: whoever started us is gone. A thread of
/// its own, because such a read can't be called off.
fn parent_gone() -> oneshot::Receiver<()> {
    let (tell, gone) = oneshot::channel();
    std::thread::spawn(move || {
        let _ = std::io::copy(&mut std::io::stdin().lock(), &mut std::io::sink());
        let _ = tell.send(());
    });
    gone
}
