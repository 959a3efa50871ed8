//! What the window may ask for. The app's own commands all go through `call`,
//! but for those that name a file of this computer: a window never does.

use crate::backend::Backend;
use crate::chosen;
use crate::link::Link;
use crate::run::Shell;
use crate::window;
use meantime_engine::api::{Failure, FailureCode};
use serde_json::Value;
use tauri::{AppHandle, State};

/// One command of the engine, by name.
#[tauri::command]
pub async fn call(app: AppHandle, backend: State<'_, Backend>, name: String, args: Value) -> Result<Value, Failure> {
    let reply = if chosen::names_a_path(&name, &args) {
        Err(Failure::new(FailureCode::Invalid, "the window names no files of this computer"))
    } else {
        backend.call(&name, args).await
    };
    // Who asks has a window that is up: what waited for it can be shown.
    window::show_pending(&app);
    reply
}

/// A file that the person chose or dropped, to go with what is being written:
/// its bytes, as the window was given them.
#[tauri::command]
pub async fn attach(
    backend: State<'_, Backend>,
    shell: State<'_, Shell>,
    request: tauri::ipc::Request<'_>,
) -> Result<Value, Failure> {
    let chosen = chosen::Chosen::read(&request)?;
    chosen.attach(&backend, &shell.dirs.cache).await
}

/// Where a link leads, to be shown before it is opened.
#[tauri::command]
pub async fn look_at_link(url: String) -> Result<Link, Failure> {
    Link::parse(&url)
}

/// Opens a link in the browser or the mail program.
#[tauri::command]
pub async fn open_link(url: String) -> Result<(), Failure> {
    let link = Link::parse(&url)?;
    let opened = tokio::task::spawn_blocking(move || link.open()).await;
    opened.unwrap_or_else(|e| Err(Failure::new(FailureCode::Internal, e.to_string())))
}
