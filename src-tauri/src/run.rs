//! Puts the shell together: one process a profile, the engine behind it, and
//! an end that leaves nothing undone.

use crate::arguments::Launch;
use crate::backend::Backend;
use crate::window::{self, Window};
use crate::{commands, log, shortcut, tray};
use anyhow::{Context, bail};
use meantime_engine::api::Target;
use meantime_platform::{Dirs, dirs::HOME_VARIABLE};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::Command;
use std::time::Duration;
use tauri::{AppHandle, Manager, RunEvent};
use tauri_plugin_window_state::StateFlags;

/// How long the engine may take to end. The store is safe at any moment.
const END_WITHIN: Duration = Duration::from_secs(5);

const NO_WINDOW: &str = "the window system can't be used; on a machine without a display, use `meantime` instead";

/// How long the window gets to hand over what is being typed.
const LAST_WORDS: Duration = Duration::from_millis(250);

/// What the parts of the shell share.
pub struct Shell {
    /// The profile.
    pub dirs: Dirs,
    /// The window.
    pub window: Window,
    /// The tray.
    pub tray: tray::Slot,
}

/// Runs until the person quits.
pub fn run(launch: Launch) -> anyhow::Result<()> {
    let dirs = Dirs::standard()?;
    dirs.create()?;
    log::start(&dirs);
    tracing::info!(version = env!("CARGO_PKG_VERSION"), ?launch, "Meantime starts");

    let mut builder = tauri::Builder::default();
    if let Some(plugin) = single_instance(&dirs) {
        // Before everything else: a second start ends here.
        builder = builder.plugin(plugin);
    }
    let state_file = window::state_file(&dirs).to_string_lossy().into_owned();
    let remembered = StateFlags::SIZE | StateFlags::POSITION | StateFlags::MAXIMIZED | StateFlags::FULLSCREEN;
    let window_state =
        tauri_plugin_window_state::Builder::new().with_filename(state_file).with_state_flags(remembered).build();
    let backend = Backend::new();
    let builder = builder
        .plugin(window_state)
        .manage(Shell { dirs: dirs.clone(), window: Window::default(), tray: tray::Slot::default() })
        .manage(backend.clone())
        .invoke_handler(tauri::generate_handler![
            commands::call,
            commands::attach,
            commands::look_at_link,
            commands::open_link
        ])
        .on_window_event(|window, event| window::on_event(window.app_handle(), event))
        .setup(move |app| {
            let app = app.handle();
            shortcut::register(app);
            tauri::async_runtime::spawn(backend.run(app.clone(), dirs));
            tauri::async_runtime::spawn(tray::run(app.clone()));
            tauri::async_runtime::spawn(end_on_signal(app.clone()));
            tauri::async_runtime::spawn(open(app.clone(), launch));
            Ok(())
        });
    // Without a display the window library panics instead of failing.
    let built = catch_unwind(AssertUnwindSafe(|| builder.build(tauri::generate_context!())));
    let app = match built {
        Err(_) => bail!(NO_WINDOW),
        Ok(Err(tauri::Error::PluginInitialization(plugin, why))) if plugin == "single-instance" => {
            return once_more(&why);
        }
        Ok(built) => built.context(NO_WINDOW)?,
    };
    app.run(|app, event| match event {
        // The last window went: the tray stays. `exit` carries a code.
        RunEvent::ExitRequested { api, code: None, .. } => api.prevent_exit(),
        RunEvent::Exit => {
            let backend = app.state::<Backend>().inner().clone();
            let ended =
                tauri::async_runtime::block_on(async { tokio::time::timeout(END_WITHIN, backend.stop()).await });
            tracing::info!(in_time = ended.is_ok(), "Meantime ends");
        }
        _ => {}
    });
    Ok(())
}

/// The app that runs was asked to take this start over and went away instead:
/// it was ending. In its place this one starts again, once.
fn once_more(why: &str) -> anyhow::Result<()> {
    const STARTED_AGAIN: &str = "MEANTIME_STARTED_AGAIN";
    let again = std::env::var_os(STARTED_AGAIN).is_none();
    tracing::warn!(again, "the app that runs does not answer: {why}");
    if again {
        std::thread::sleep(Duration::from_secs(1));
        let mut command = Command::new(std::env::current_exe()?);
        command.args(std::env::args_os().skip(1)).env(STARTED_AGAIN, "1");
        #[cfg(unix)]
        return Err(std::os::unix::process::CommandExt::exec(&mut command).into());
        #[cfg(not(unix))]
        return Ok(command.spawn().map(drop)?);
    }
    bail!("Meantime runs already and does not answer ({why}); end it, and start again")
}

/// Ends the app, once the window handed over what is being typed there.
pub async fn quit(app: &AppHandle) {
    for window in app.webview_windows().values() {
        // The page keeps it when it goes; ending the process would not tell it.
        if window.eval("dispatchEvent(new Event('pagehide'))").is_ok() {
            tokio::time::sleep(LAST_WORDS).await;
        }
    }
    app.exit(0);
}

/// Hands a second start over to the first. A profile of its own is an app of
/// its own; where the system can't tell them apart, the profile's lock does.
fn single_instance(dirs: &Dirs) -> Option<tauri::plugin::TauriPlugin<tauri::Wry>> {
    let own_profile = std::env::var_os(HOME_VARIABLE).is_some();
    if own_profile && !cfg!(target_os = "linux") {
        return None;
    }
    let mut builder = tauri_plugin_single_instance::Builder::new().callback(|app, arguments, _folder| {
        let launch = Launch::parse(arguments.into_iter().skip(1));
        tracing::info!(?launch, "started a second time");
        tauri::async_runtime::spawn(open(app.clone(), Launch { hidden: false, ..launch }));
    });
    if own_profile {
        builder = builder.dbus_id(format!("{}.p{}", meantime_platform::notify::APP_ID, dirs.profile()));
    }
    Some(builder.build())
}

/// What a start asks for.
async fn open(app: AppHandle, launch: Launch) {
    match launch.join {
        Some(link) => window::show_target(&app, Target::Join { link: link.into_text() }).await,
        None if launch.hidden => tracing::info!("started hidden"),
        None => window::show(&app).await,
    }
}

/// The system ends the session, or a person presses Ctrl+C.
async fn end_on_signal(app: AppHandle) {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let (Ok(mut term), Ok(mut int)) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt())) else {
            return;
        };
        tokio::select! {
            _ = term.recv() => {}
            _ = int.recv() => {}
        }
    }
    #[cfg(not(unix))]
    if tokio::signal::ctrl_c().await.is_err() {
        return;
    }
    quit(&app).await;
}
