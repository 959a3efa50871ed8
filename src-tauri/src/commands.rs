//! What the window may ask for. The app's own commands all go through `call`.

use crate::backend::Backend;
use crate::link::Link;
use crate::window;
use meantime_engine::api::{Failure, FailureCode};
use serde_json::Value;
use tauri::{AppHandle, State};

/// One command of the engine, by name.
#[tauri::command]
pub async fn call(app: AppHandle, backend: State<'_, Backend>, name: String, args: Value) -> Result<Value, Failure> {
    let reply = backend.call(&name, args).await;
    // Who asks has a window that is up: what waited for it can be shown.
    window::show_pending(&app);
    reply
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
