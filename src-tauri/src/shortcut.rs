//! The global shortcut for focus. It works on X11, Windows and macOS; on
//! Wayland a person binds `meantime focus toggle` in the desktop's settings.

use crate::backend::Backend;
use crate::trouble;
use tauri::{AppHandle, Manager};
use tauri_plugin_global_shortcut::{Builder, GlobalShortcutExt, ShortcutState};

/// Starts or ends focus from anywhere.
const TOGGLE: &str = "CmdOrCtrl+Alt+F";

/// Takes the shortcut; without it everything else works.
pub fn register(app: &AppHandle) {
    let plugin = Builder::new().with_handler(|app, _, event| {
        if event.state == ShortcutState::Pressed {
            let app = app.clone();
            tauri::async_runtime::spawn(async move {
                let backend = app.state::<Backend>().inner().clone();
                if let Err(failure) = backend.focus_toggle().await {
                    trouble::tell(&app, "Focus was not changed", &failure).await;
                }
            });
        }
    });
    if let Err(error) = app.plugin(plugin.build()) {
        tracing::warn!("there are no global shortcuts here: {error}");
    } else if let Err(error) = app.global_shortcut().register(TOGGLE) {
        tracing::warn!("the global shortcut {TOGGLE} is not ours: {error}");
    }
}
