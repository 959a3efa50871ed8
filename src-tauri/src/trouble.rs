//! What failed while no window may be open to say so: in the tray's menu, or
//! by the shortcut.

use crate::backend::Backend;
use crate::window;
use meantime_engine::api::Failure;
use tauri::{AppHandle, Manager};

/// Tells the person by a notification. Where the engine can't show one because
/// it does not run here, the window says what is wrong.
pub async fn tell(app: &AppHandle, what: &str, failure: &Failure) {
    tracing::warn!("{what}: {failure}");
    let told = match app.state::<Backend>().ours() {
        Some(engine) => engine.report_problem(what, failure.message.clone()).await.is_ok(),
        None => false,
    };
    if !told {
        window::show(app).await;
    }
}
