//! A tray, as a desktop's panel has one: it takes StatusNotifierItems, reads
//! their menus and clicks.

use super::{PrivateBus, eventually};
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use zbus::zvariant::{OwnedObjectPath, OwnedValue, Structure, Value};

const ITEM: &str = "org.kde.StatusNotifierItem";
const ITEM_PATH: &str = "/StatusNotifierItem";
const MENU: &str = "com.canonical.dbusmenu";

/// The tray; gone when dropped.
pub struct TrayHost {
    bus: zbus::Connection,
    items: Arc<Mutex<Vec<String>>>,
}

/// An icon in the tray.
#[derive(Clone)]
pub struct TrayItem {
    bus: zbus::Connection,
    name: String,
}

/// A line of an item's menu.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MenuEntry {
    /// For clicks.
    pub id: i32,
    /// As shown, without the marks of access keys; empty for a separator.
    pub label: String,
    /// Can be clicked.
    pub enabled: bool,
}

struct Watcher(Arc<Mutex<Vec<String>>>);

#[zbus::interface(name = "org.kde.StatusNotifierWatcher")]
impl Watcher {
    fn register_status_notifier_item(&self, service: String, #[zbus(header)] header: zbus::message::Header<'_>) {
        // Some pass their name, some a path on their own connection.
        let name = match service.strip_prefix('/') {
            Some(_) => header.sender().map(ToString::to_string).unwrap_or_default(),
            None => service,
        };
        self.0.lock().expect("the items").push(name);
    }

    fn register_status_notifier_host(&self, _service: String) {}

    #[zbus(property)]
    fn registered_status_notifier_items(&self) -> Vec<String> {
        self.0.lock().expect("the items").clone()
    }

    #[zbus(property)]
    fn is_status_notifier_host_registered(&self) -> bool {
        true
    }

    #[zbus(property)]
    fn protocol_version(&self) -> i32 {
        0
    }
}

impl TrayHost {
    /// Starts a tray.
    ///
    /// # Panics
    /// There is one already.
    pub async fn start(bus: &PrivateBus) -> Self {
        let items = Arc::new(Mutex::new(Vec::new()));
        let builder = bus.builder().serve_at("/StatusNotifierWatcher", Watcher(items.clone())).expect("its path");
        let builder = builder.name("org.kde.StatusNotifierWatcher").expect("its name");
        Self { bus: builder.build().await.expect("the name is free"), items }
    }

    /// The newest icon whose program still runs; waits until there is one.
    ///
    /// # Panics
    /// None comes.
    pub async fn item(&self) -> TrayItem {
        eventually("an icon in the tray", async || {
            let names: Vec<String> = self.items.lock().expect("the items").clone();
            for name in names.into_iter().rev() {
                let item = TrayItem { bus: self.bus.clone(), name };
                if item.property("Id").await.is_some() {
                    return Some(item);
                }
            }
            None
        })
        .await
    }

    /// How often an icon was put into the tray.
    #[must_use]
    pub fn registrations(&self) -> usize {
        self.items.lock().expect("the items").len()
    }

    /// Ends the tray, as a panel that crashes.
    pub async fn stop(self) {
        let _ = self.bus.close().await;
    }
}

impl TrayItem {
    /// The person clicks the icon.
    ///
    /// # Panics
    /// The item's program does not answer.
    pub async fn activate(&self) {
        self.call(ITEM_PATH, ITEM, "Activate", &(0_i32, 0_i32)).await;
    }

    /// The tooltip's text.
    pub async fn tooltip(&self) -> String {
        let Some(value) = self.property("ToolTip").await else { return String::new() };
        let told = Structure::try_from(value).ok();
        let fields = told.as_ref().map(Structure::fields).unwrap_or_default();
        // (icon name, pixmaps, title, text)
        let text = |at: usize| fields.get(at).and_then(|field| field.downcast_ref::<String>().ok()).unwrap_or_default();
        [text(2), text(3)].into_iter().filter(|text| !text.is_empty()).collect::<Vec<_>>().join(": ")
    }

    /// The icon: width, height and ARGB bytes of its first picture.
    pub async fn icon(&self) -> Option<(i32, i32, Vec<u8>)> {
        let value = self.property("IconPixmap").await?;
        let pictures: Vec<(i32, i32, Vec<u8>)> = value.try_into().ok()?;
        pictures.into_iter().next()
    }

    /// The menu's first level, as it is now.
    ///
    /// # Panics
    /// The item's program does not answer, or not with a menu.
    pub async fn menu(&self) -> Vec<MenuEntry> {
        type Node = (i32, HashMap<String, OwnedValue>, Vec<OwnedValue>);
        let path = self.menu_path().await;
        let reply = self.call(&path, MENU, "GetLayout", &(0_i32, -1_i32, Vec::<&str>::new())).await;
        let (_revision, root): (u32, Node) = reply.body().deserialize().expect("a menu");
        let entry = |value: OwnedValue| {
            let value = match Value::from(value) {
                Value::Value(inner) => *inner,
                value => value,
            };
            let (id, properties, _): Node = Structure::try_from(value).expect("an entry").try_into().expect("an entry");
            let label =
                properties.get("label").and_then(|label| label.downcast_ref::<String>().ok()).unwrap_or_default();
            let enabled = properties.get("enabled").and_then(|on| on.downcast_ref::<bool>().ok()).unwrap_or(true);
            MenuEntry { id, label: label.replace("__", "\u{0}").replace('_', "").replace('\u{0}', "_"), enabled }
        };
        root.2.into_iter().map(entry).collect()
    }

    /// The person clicks the entry whose label begins like this.
    ///
    /// # Panics
    /// There is none that can be clicked.
    pub async fn click(&self, label: &str) {
        let menu = self.menu().await;
        let entry = menu.iter().find(|entry| entry.enabled && entry.label.starts_with(label));
        let entry = entry.unwrap_or_else(|| panic!("no {label} in {menu:?}"));
        let path = self.menu_path().await;
        let event = (entry.id, "clicked", Value::from(0_i32), 0_u32);
        match self.bus.call_method(Some(self.name.as_str()), path.as_str(), Some(MENU), "Event", &event).await {
            // "Quit" may end the program before it answers.
            Err(zbus::Error::MethodError(name, ..)) if name.ends_with(".NoReply") => {}
            clicked => drop(clicked.unwrap_or_else(|e| panic!("{label} can't be clicked: {e}"))),
        }
    }

    async fn menu_path(&self) -> String {
        let path = self.property("Menu").await.and_then(|path| OwnedObjectPath::try_from(path).ok());
        path.expect("the item has a menu").to_string()
    }

    async fn property(&self, name: &str) -> Option<OwnedValue> {
        let get = ("org.freedesktop.DBus.Properties", "Get", (ITEM, name));
        let reply = self.bus.call_method(Some(self.name.as_str()), ITEM_PATH, Some(get.0), get.1, &get.2).await.ok()?;
        reply.body().deserialize::<OwnedValue>().ok()
    }

    async fn call<B: serde::Serialize + zbus::zvariant::DynamicType>(
        &self,
        path: &str,
        interface: &str,
        method: &str,
        body: &B,
    ) -> zbus::Message {
        let called = self.bus.call_method(Some(self.name.as_str()), path, Some(interface), method, body).await;
        called.unwrap_or_else(|e| panic!("{method}: {e}"))
    }
}
