//! The icon in the tray: what is left of the focus block, and a menu.
//!
//! It is never the only way in: plain GNOME has no tray, a panel may crash or
//! come late. Existing entries are changed, at most once a minute or when
//! focus changes; an open menu is never rebuilt.

mod look;

use crate::backend::Backend;
use crate::run::{self, Shell};
use crate::{trouble, window};
use look::Look;
use meantime_platform::{Clock, SystemClock};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tauri::menu::{Menu, MenuBuilder, MenuEvent, MenuItem, MenuItemBuilder};
use tauri::tray::{MouseButton, MouseButtonState, TrayIcon, TrayIconBuilder, TrayIconEvent};
use tauri::{AppHandle, Manager, Wry};

/// How often the minutes are counted down.
const TICK: Duration = Duration::from_secs(60);

/// The place for the tray's icon: empty until there is a tray.
#[derive(Default)]
pub struct Slot {
    tray: Mutex<Option<Tray>>,
    /// A tray shows it right now.
    host: AtomicBool,
    refresh: tokio::sync::Notify,
}

struct Tray {
    icon: TrayIcon,
    status: MenuItem<Wry>,
    end: MenuItem<Wry>,
    shown: Option<Look>,
}

/// Whether a tray shows the icon, so that a hidden window can come back.
pub fn visible(app: &AppHandle) -> bool {
    app.state::<Shell>().tray.host.load(Ordering::SeqCst)
}

/// Focus changed: look again soon.
pub fn refresh(app: &AppHandle) {
    app.state::<Shell>().tray.refresh.notify_one();
}

/// Puts the icon into the tray, whenever there comes one, and keeps it true.
pub async fn run(app: AppHandle) {
    tokio::join!(host::watch(app.clone()), keep_true(app));
}

async fn keep_true(app: AppHandle) {
    let backend = app.state::<Backend>().inner().clone();
    loop {
        match backend.focus().await {
            Ok(status) => {
                let look = Look::of(&status, SystemClock.now());
                let handle = app.clone();
                let _ = app.run_on_main_thread(move || apply(&handle, look));
            }
            Err(failure) => tracing::warn!("the tray does not know about focus: {failure}"),
        }
        let shell = app.state::<Shell>();
        tokio::select! {
            () = shell.tray.refresh.notified() => {}
            () = tokio::time::sleep(TICK) => {}
        }
    }
}

/// On the main thread.
fn apply(app: &AppHandle, look: Look) {
    let shell = app.state::<Shell>();
    let mut slot = shell.tray.tray.lock().unwrap_or_else(PoisonError::into_inner);
    let Some(tray) = slot.as_mut() else { return };
    if tray.shown.as_ref() == Some(&look) {
        return;
    }
    if let Err(error) = tray.show(&look) {
        tracing::warn!("the tray can't be changed: {error}");
        return;
    }
    tray.shown = Some(look);
}

impl Tray {
    /// On the main thread. Fails where there is no tray.
    fn new(app: &AppHandle) -> tauri::Result<Self> {
        let status = MenuItemBuilder::with_id("status", "Not focusing").enabled(false).build(app)?;
        let end = MenuItemBuilder::with_id("end", "End focus").enabled(false).build(app)?;
        let menu: Menu<Wry> = MenuBuilder::new(app)
            .item(&status)
            .separator()
            .text("start-25", "Focus for 25 minutes")
            .text("start-50", "Focus for 50 minutes")
            .text("start-90", "Focus for 90 minutes")
            .text("start", "Focus until I stop")
            .item(&end)
            .separator()
            .text("show", "Show Meantime")
            .text("quit", "Quit Meantime")
            .build()?;
        let idle = Look::default();
        let icon = TrayIconBuilder::with_id("meantime")
            .menu(&menu)
            .icon(idle.picture()?)
            .icon_as_template(true)
            .tooltip(&idle.tooltip)
            // A click toggles focus, except where everybody expects the menu.
            .show_menu_on_left_click(cfg!(target_os = "macos"))
            .on_menu_event(on_menu)
            .on_tray_icon_event(|icon, event| on_click(icon.app_handle(), &event))
            .build(app)?;
        Ok(Self { icon, status, end, shown: None })
    }

    fn show(&self, look: &Look) -> tauri::Result<()> {
        self.status.set_text(&look.line)?;
        self.end.set_enabled(look.focusing)?;
        if self.shown.as_ref().is_none_or(|shown| shown.picture != look.picture) {
            self.icon.set_icon_with_as_template(Some(look.picture()?), true)?;
        }
        self.icon.set_tooltip(Some(&look.tooltip))?;
        if cfg!(target_os = "macos") {
            self.icon.set_title(look.minutes.as_deref())?;
        }
        Ok(())
    }
}

fn on_click(app: &AppHandle, event: &TrayIconEvent) {
    let TrayIconEvent::Click { button: MouseButton::Left, button_state: MouseButtonState::Up, .. } = event else {
        return;
    };
    if cfg!(not(target_os = "macos")) {
        act(app, "toggle");
    }
}

fn on_menu(app: &AppHandle, event: MenuEvent) {
    act(app, event.id().as_ref());
}

fn act(app: &AppHandle, what: &str) {
    let (app, what) = (app.clone(), what.to_owned());
    tauri::async_runtime::spawn(async move {
        let backend = app.state::<Backend>().inner().clone();
        let done = match what.as_str() {
            "start-25" => backend.focus_start(Some(25)).await,
            "start-50" => backend.focus_start(Some(50)).await,
            "start-90" => backend.focus_start(Some(90)).await,
            "start" => backend.focus_start(None).await,
            "end" => backend.focus_stop().await,
            "toggle" => backend.focus_toggle().await,
            "show" => return window::show(&app).await,
            "quit" => return run::quit(&app).await,
            _ => return,
        };
        if let Err(failure) = done {
            trouble::tell(&app, "Focus was not changed", &failure).await;
        }
        refresh(&app);
    });
}

/// Builds the icon on the main thread; whether there is one now.
async fn build(app: &AppHandle) -> bool {
    let (sender, receiver) = tokio::sync::oneshot::channel();
    let handle = app.clone();
    let asked = app.run_on_main_thread(move || {
        let shell = handle.state::<Shell>();
        let mut slot = shell.tray.tray.lock().unwrap_or_else(PoisonError::into_inner);
        if slot.is_none() {
            match Tray::new(&handle) {
                Ok(tray) => *slot = Some(tray),
                Err(error) => tracing::info!("there is no tray: {error}"),
            }
        }
        let _ = sender.send(slot.is_some());
    });
    let built = asked.is_ok() && receiver.await.unwrap_or(false);
    if built {
        refresh(app);
    }
    built
}

/// Trays come and go on Linux only.
#[cfg(target_os = "linux")]
mod host {
    use super::*;
    use futures::StreamExt;
    use zbus::fdo::DBusProxy;

    const WATCHER: &str = "org.kde.StatusNotifierWatcher";

    pub async fn watch(app: AppHandle) {
        if let Err(error) = watched(&app).await {
            tracing::warn!("no session bus, so no tray: {error}");
        }
    }

    async fn watched(app: &AppHandle) -> zbus::Result<()> {
        let bus = zbus::Connection::session().await?;
        let names = DBusProxy::new(&bus).await?;
        let mut changes = names.receive_name_owner_changed_with_args(&[(0, WATCHER)]).await?;
        let there = names.name_has_owner(WATCHER.try_into()?).await?;
        set(app, there).await;
        while let Some(change) = changes.next().await {
            if let Ok(args) = change.args() {
                set(app, args.new_owner.is_some()).await;
            }
        }
        Ok(())
    }

    /// Once built, the icon finds its way into a tray that comes back by itself.
    async fn set(app: &AppHandle, there: bool) {
        let shown = there && build(app).await;
        app.state::<Shell>().tray.host.store(shown, Ordering::SeqCst);
        tracing::info!(shown, "the tray");
    }
}

#[cfg(not(target_os = "linux"))]
mod host {
    use super::*;

    pub async fn watch(app: AppHandle) {
        let shown = build(&app).await;
        app.state::<Shell>().tray.host.store(shown, Ordering::SeqCst);
    }
}
