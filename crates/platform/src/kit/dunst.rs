//! A real notification daemon.

use super::{PrivateBus, Process, Xvfb, eventually};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A running dunst.
pub struct Dunst {
    address: String,
    display: String,
    folder: PathBuf,
    process: Process,
}

/// A note that dunst showed and closed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DunstNote {
    /// dunst's own number.
    pub id: u64,
    /// Title.
    pub summary: String,
    /// Text, as dunst got it (markup included).
    pub body: String,
    /// The sender's name.
    pub app: String,
}

impl Dunst {
    /// Starts dunst and waits until it owns its name. Notes stay until they
    /// are closed; `dunstctl context` picks the action named in `<folder>/pick`.
    ///
    /// # Panics
    /// dunst is missing or does not start.
    pub async fn start(folder: &Path, bus: &PrivateBus, screen: &Xvfb) -> Self {
        let (pick, config) = (folder.join("pick.sh"), folder.join("dunstrc"));
        let script = format!("#!/bin/sh\ngrep -F \"$(cat '{}')\" | head -n 1\n", folder.join("pick").display());
        std::fs::write(&pick, script).expect("the picker");
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o700);
        std::fs::set_permissions(&pick, mode).expect("the picker may run");
        let text = format!(
            "[global]\nhistory_length = 100\nnotification_limit = 0\ndmenu = {}\nshow_age_threshold = -1\n\
             [urgency_low]\ntimeout = 0\n[urgency_normal]\ntimeout = 0\n[urgency_critical]\ntimeout = 0\n",
            pick.display()
        );
        std::fs::write(&config, text).expect("dunst's configuration");
        let mut command = Command::new("dunst");
        command.arg("-config").arg(&config);
        command.env("DBUS_SESSION_BUS_ADDRESS", bus.address()).env("DISPLAY", screen.display());
        let process = Process::start(folder, "dunst", &mut command);
        let dunst = Self {
            address: bus.address().to_owned(),
            display: screen.display().to_owned(),
            folder: folder.to_owned(),
            process,
        };
        eventually("dunst owns its name", async || bus.has("org.freedesktop.Notifications").await.then_some(())).await;
        dunst
    }

    /// How many notes are on the screen.
    #[must_use]
    pub fn displayed(&self) -> usize {
        self.ctl(&["count", "displayed"]).trim().parse().unwrap_or_else(|_| panic!("dunst: {}", self.process.log()))
    }

    /// Every note that was closed, the newest first. What is still on the
    /// screen is not among them: [`Dunst::close_all`] first.
    #[must_use]
    pub fn history(&self) -> Vec<DunstNote> {
        let told: Value = serde_json::from_str(&self.ctl(&["history"])).expect("dunst's history");
        let notes = told["data"][0].as_array().cloned().unwrap_or_default();
        let text = |note: &Value, field: &str| note[field]["data"].as_str().unwrap_or_default().to_owned();
        let note = |note: &Value| DunstNote {
            id: note["id"]["data"].as_u64().unwrap_or_default(),
            summary: text(note, "summary"),
            body: text(note, "body"),
            app: text(note, "appname"),
        };
        notes.iter().map(note).collect()
    }

    /// The person dismisses everything.
    pub fn close_all(&self) {
        self.ctl(&["close-all"]);
    }

    /// The person clicks the newest note.
    pub fn click(&self) {
        self.ctl(&["action", "0"]);
    }

    /// The person picks the button with this label from dunst's menu.
    ///
    /// # Panics
    /// The folder is gone.
    pub fn pick(&self, label: &str) {
        std::fs::write(self.folder.join("pick"), label).expect("the choice");
        self.ctl(&["context"]);
    }

    fn ctl(&self, args: &[&str]) -> String {
        let mut command = Command::new("dunstctl");
        command.args(args).env("DBUS_SESSION_BUS_ADDRESS", &self.address).env("DISPLAY", &self.display);
        let output = command.output().expect("dunstctl");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "dunstctl {args:?}: {said}\ndunst: {}", self.process.log());
        String::from_utf8_lossy(&output.stdout).into_owned()
    }
}
