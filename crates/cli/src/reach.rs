//! The engine a command talks to: the one that runs with this profile, or one
//! that is started for this command.

use crate::show::clean;
use crate::stop::Stop;
use meantime_app::{Options, Role, Running, Started};
use meantime_engine::api::{Caller, Client, Failure, FailureCode};
use meantime_engine::socket::Connection;
use meantime_platform::Dirs;
use serde_json::Value;
use std::path::Path;

/// An engine, with its commands as methods.
pub(crate) type Reached = Client<Engine>;

/// Where the engine runs.
pub(crate) enum Engine {
    /// In another process.
    Elsewhere(Connection),
    /// In this one, for this command.
    Here(Box<Running>),
}

#[async_trait::async_trait]
impl Caller for Engine {
    async fn call(&self, name: &str, args: Value) -> Result<Value, Failure> {
        match self {
            Self::Elsewhere(connection) => connection.call(name, args).await,
            Self::Here(running) => running.engine.call(name, args).await,
        }
    }
}

/// The profile's folders.
pub(crate) fn dirs(home: Option<&Path>) -> Result<Dirs, Stop> {
    let dirs = match home {
        Some(home) => Dirs::within(&std::path::absolute(home)?),
        None => Dirs::standard(),
    };
    dirs.map_err(|e| Stop::new(FailureCode::Internal, e.to_string()))
}

/// Finds the running engine or starts one.
pub(crate) async fn reach(dirs: Dirs) -> Result<Reached, Stop> {
    let engine = match start(dirs, Role::Once).await? {
        Started::Elsewhere(connection) => Engine::Elsewhere(connection),
        Started::Running(running) => {
            // Whatever was asked: this may be the only one to say it for long.
            if let Some(damage) = &running.damage {
                eprintln!("meantime: {}", clean(&damage.text));
            }
            Engine::Here(Box::new(running))
        }
    };
    Ok(Client(engine))
}

/// Starts an engine, unless one runs with this profile.
pub(crate) async fn start(dirs: Dirs, role: Role) -> Result<Started, Stop> {
    // The whole chain: which file, and what the system says about it.
    meantime_app::start(Options { dirs, role }).await.map_err(|e| match e.downcast::<Failure>() {
        Ok(failure) => failure.into(),
        Err(e) => Stop::new(FailureCode::Internal, format!("{e:#}")),
    })
}

/// The engine was started for this command and ends with it.
pub(crate) fn is_here(reached: &Reached) -> bool {
    matches!(reached.0, Engine::Here(_))
}

/// Sends what a command queued, as far as that works now, where the engine
/// was started for this command; else the running one does it by itself.
/// Whether it was this one.
pub(crate) async fn send(reached: &Reached) -> bool {
    if let Engine::Here(running) = &reached.0 {
        running.engine.finish().await;
    }
    is_here(reached)
}

/// Ends an engine that was started for this command; what it changed is sent,
/// or kept for the next one.
pub(crate) async fn close(reached: Reached) {
    if let Engine::Here(running) = reached.0 {
        running.engine.finish().await;
        running.stop().await;
    }
}
