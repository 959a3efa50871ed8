//! A display of one's own.

use super::Process;
use std::path::Path;
use std::process::Command;
use x11rb::connection::Connection;
use x11rb::protocol::xproto::{AtomEnum, ClientMessageEvent, ConnectionExt, EventMask, MapState};
use x11rb::rust_connection::RustConnection;

/// A virtual display with a number nobody else uses.
pub struct Xvfb {
    display: String,
    _process: Process,
    _folder: tempfile::TempDir,
}

impl Xvfb {
    /// Starts one, say of `1280x800`.
    ///
    /// # Panics
    /// `Xvfb` is missing.
    #[must_use]
    pub fn start(size: &str) -> Self {
        let folder = tempfile::Builder::new().prefix("mt-x-").tempdir().expect("a folder");
        let mut command = Command::new("Xvfb");
        command.args(["-displayfd", "1", "-screen", "0", &format!("{size}x24"), "-nolisten", "tcp", "-noreset"]);
        let (process, number) = Process::start_and_read(folder.path(), "xvfb", &mut command);
        Self { display: format!(":{number}"), _process: process, _folder: folder }
    }

    /// For `DISPLAY`.
    #[must_use]
    pub fn display(&self) -> &str {
        &self.display
    }

    /// Writes what is on the screen to a PNG file.
    ///
    /// # Panics
    /// ImageMagick's `import` is missing or fails.
    pub fn screenshot(&self, file: &Path) {
        let done = Command::new("import").args(["-display", &self.display, "-window", "root"]).arg(file).output();
        let done = done.expect("ImageMagick's import");
        assert!(done.status.success(), "import: {}", String::from_utf8_lossy(&done.stderr));
    }

    /// The titles of the visible windows.
    ///
    /// # Panics
    /// The display is gone.
    #[must_use]
    pub fn windows(&self) -> Vec<String> {
        let (x, root) = self.connect();
        visible(&x, root).into_iter().map(|(_, title)| title).collect()
    }

    /// The person closes the window whose title begins like this, as a window
    /// manager would ask it to.
    ///
    /// # Panics
    /// There is none.
    pub fn close(&self, title: &str) {
        let (x, root) = self.connect();
        let atom = |name: &str| {
            let reply = x.intern_atom(false, name.as_bytes()).expect("the display").reply();
            reply.expect("the display answers").atom
        };
        let found = visible(&x, root).into_iter().find(|(_, name)| name.starts_with(title));
        let (window, _) = found.unwrap_or_else(|| panic!("no window {title} in {:?}", self.windows()));
        let data = [atom("WM_DELETE_WINDOW"), x11rb::CURRENT_TIME, 0, 0, 0];
        let message = ClientMessageEvent::new(32, window, atom("WM_PROTOCOLS"), data);
        let sent = x.send_event(false, window, EventMask::NO_EVENT, message).expect("the display");
        sent.check().expect("the window takes a message");
    }

    fn connect(&self) -> (RustConnection, u32) {
        let (x, screen) = x11rb::connect(Some(&self.display)).expect("the display");
        let root = x.setup().roots[screen].root;
        (x, root)
    }
}

fn visible(x: &RustConnection, root: u32) -> Vec<(u32, String)> {
    let tree = x.query_tree(root).expect("the display").reply().expect("the display answers");
    // Windows come and go meanwhile: one that is gone is left out.
    let named = |window: u32| {
        let seen = x.get_window_attributes(window).ok()?.reply().ok()?.map_state == MapState::VIEWABLE;
        let name = x.get_property(false, window, AtomEnum::WM_NAME, AtomEnum::ANY, 0, 1024).ok()?.reply().ok()?;
        let title = String::from_utf8_lossy(&name.value).into_owned();
        (seen && !title.is_empty()).then_some((window, title))
    };
    tree.children.into_iter().filter_map(named).collect()
}
