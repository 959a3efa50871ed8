//! The one window: made when it is wanted, hidden when it is closed, gone
//! after a minute out of sight (what it shows lives in the engine).

use crate::backend::emit;
use crate::run::{self, Shell};
use crate::tray;
use meantime_engine::api::{Event, Target};
use meantime_platform::Dirs;
#[cfg(unix)]
use std::fs::{File, Permissions};
#[cfg(unix)]
use std::path::Path;
use std::path::PathBuf;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;
use tauri::webview::NewWindowResponse;
use tauri::{AppHandle, Manager, Url, WebviewUrl, WebviewWindow, WebviewWindowBuilder, WindowEvent};

/// Its label, as the capability file names it.
pub const MAIN: &str = "main";
/// Hiding alone frees no memory.
const GONE_AFTER: Duration = Duration::from_secs(60);

/// Shows the window, and makes it first where there is none. Must not be
/// called on the main thread: making a window waits for it.
pub async fn show(app: &AppHandle) {
    let shell = app.state::<Shell>();
    let _one = shell.window.making.lock().await;
    shell.window.visible();
    let shown = match app.get_webview_window(MAIN) {
        Some(window) => window.unminimize().and_then(|()| window.show()).and_then(|()| window.set_focus()),
        None => make(app, &shell).map(drop),
    };
    if let Err(error) = shown {
        tracing::error!("the window can't be shown: {error}");
    }
}

/// Shows the window, and in it what is asked for; that waits until the window
/// listens.
pub async fn show_target(app: &AppHandle, what: Target) {
    let shell = app.state::<Shell>();
    *shell.window.pending.lock().unwrap_or_else(PoisonError::into_inner) = Some(what);
    show(app).await;
    if shell.window.up.load(Ordering::SeqCst) {
        show_pending(app);
    }
}

/// Tells the window what it is still to show, if it listens by now. Called
/// whenever it asked for something: then it is up.
pub fn show_pending(app: &AppHandle) {
    let shell = app.state::<Shell>();
    if !shell.window.up.swap(true, Ordering::SeqCst) {
        tracing::info!("the window is up");
    }
    let mut pending = shell.window.pending.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(what) = pending.take()
        && !emit(app, &Event::Show { what: what.clone() })
    {
        *pending = Some(what);
    }
}

/// What happened to the window; runs on the main thread.
pub fn on_event(app: &AppHandle, event: &WindowEvent) {
    let WindowEvent::CloseRequested { api, .. } = event else { return };
    api.prevent_close();
    if !tray::visible(app) {
        // No tray, no way back in but starting again: closing ends the app.
        let app = app.clone();
        tauri::async_runtime::spawn(async move { run::quit(&app).await });
        return;
    }
    let Some(window) = app.get_webview_window(MAIN) else { return };
    if let Err(error) = window.hide() {
        tracing::warn!("the window can't be hidden: {error}");
        return;
    }
    let hidden = app.state::<Shell>().window.hidden();
    let app = app.clone();
    tauri::async_runtime::spawn(async move {
        tokio::time::sleep(GONE_AFTER).await;
        let shell = app.state::<Shell>();
        let _one = shell.window.making.lock().await;
        if shell.window.still(hidden)
            && let Some(window) = app.get_webview_window(MAIN)
        {
            tracing::info!("the window was hidden for a while; its memory is given back");
            let _ = window.destroy();
        }
    });
}

/// Where the window's place is remembered. The plugin would let everybody read
/// a file that it makes itself; it leaves one that is there as it is.
pub fn state_file(dirs: &Dirs) -> PathBuf {
    let path = dirs.data.join("window.json");
    #[cfg(unix)]
    if let Err(error) = owners_alone(&path) {
        tracing::warn!(%error, path = %path.display(), "others may read where the window is");
    }
    path
}

#[cfg(unix)]
fn owners_alone(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
    let file = File::options().append(true).create(true).mode(0o600).open(path)?;
    file.set_permissions(Permissions::from_mode(0o600))
}

/// What is known about the window.
#[derive(Default)]
pub struct Window {
    /// One at a time.
    making: tokio::sync::Mutex<()>,
    /// Counts shows and hides.
    turn: AtomicU64,
    /// Its page runs.
    up: AtomicBool,
    pending: std::sync::Mutex<Option<Target>>,
}

impl Window {
    fn visible(&self) {
        self.hidden();
    }

    fn hidden(&self) -> u64 {
        self.turn.fetch_add(1, Ordering::SeqCst) + 1
    }

    fn still(&self, turn: u64) -> bool {
        self.turn.load(Ordering::SeqCst) == turn
    }
}

fn make(app: &AppHandle, shell: &Shell) -> tauri::Result<WebviewWindow> {
    shell.window.up.store(false, Ordering::SeqCst);
    let window = WebviewWindowBuilder::new(app, MAIN, WebviewUrl::App("index.html".into()))
        .title("Meantime")
        .inner_size(1280.0, 800.0)
        .min_inner_size(640.0, 480.0)
        .center()
        .data_directory(shell.dirs.cache.join("webview"))
        .disable_drag_drop_handler()
        .on_navigation(ours)
        .on_new_window(|_, _| NewWindowResponse::Deny)
        .build()?;
    window.set_focus()?;
    Ok(window)
}

/// The window shows our own files, and foreign mail in frames without an
/// address; links are opened outside.
fn ours(url: &Url) -> bool {
    let ours = match url.scheme() {
        "tauri" => true,
        "http" | "https" => url.host_str() == Some("tauri.localhost"),
        "about" => matches!(url.path(), "blank" | "srcdoc"),
        _ => false,
    };
    if !ours {
        tracing::warn!("the window wanted to leave for another {} address; it stays", url.scheme());
    }
    ours
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_never_leaves() {
        for (url, stays) in [
            ("tauri://localhost/index.html", true),
            ("http://tauri.localhost/", true),
            ("about:srcdoc", true),
            ("https://example.org/", false),
            ("https://tauri.localhost.example.org/", false),
            ("file:///etc/passwd", false),
            ("data:text/html,x", false),
            ("about:config", false),
        ] {
            assert_eq!(ours(&Url::parse(url).unwrap()), stays, "{url}");
        }
    }
}
