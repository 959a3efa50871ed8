//! Starts Meantime with the session, hidden, where the person wants that.

use crate::backend::Backend;
use auto_launch::{AutoLaunch, AutoLaunchBuilder};
use meantime_platform::dirs::HOME_VARIABLE;
use tauri::{AppHandle, Manager};

/// Brings the system to what the settings say. A profile in a folder of its
/// own is not the person's usual one and leaves the system alone.
pub fn follow(app: &AppHandle) {
    if std::env::var_os(HOME_VARIABLE).is_some() {
        return;
    }
    let backend = app.state::<Backend>().inner().clone();
    tauri::async_runtime::spawn(async move {
        let Ok(settings) = backend.settings().await else { return };
        let done = tauri::async_runtime::spawn_blocking(move || set(settings.autostart)).await;
        if let Ok(Err(error)) = done {
            tracing::warn!("starting with the session could not be changed: {error}");
        }
    });
}

fn set(wanted: bool) -> auto_launch::Result<()> {
    let entry = entry()?;
    match (wanted, entry.is_enabled()?) {
        (true, false) => entry.enable(),
        (false, true) => entry.disable(),
        _ => Ok(()),
    }
}

fn entry() -> auto_launch::Result<AutoLaunch> {
    let program = std::env::current_exe()?;
    AutoLaunchBuilder::new()
        .set_app_name("Meantime")
        .set_app_path(&program.to_string_lossy())
        .set_bundle_identifiers(&[meantime_platform::notify::APP_ID])
        .set_args(&["--hidden"])
        .build()
}
