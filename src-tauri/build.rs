//! Bakes the window's files, its icon and its permissions into the program.

fn main() {
    println!("cargo::rerun-if-changed=../ui/dist");
    if !std::path::Path::new("../ui/dist/index.html").exists() {
        println!("cargo::error=the window has not been built: run `npm --prefix ui ci && npm --prefix ui run build`");
        return;
    }
    let commands = tauri_build::AppManifest::new().commands(&["call", "attach", "open_link", "look_at_link"]);
    let attributes = tauri_build::Attributes::new().app_manifest(commands);
    if let Err(error) = tauri_build::try_build(attributes) {
        println!("cargo::error={}", format!("{error:#}").replace('\n', " "));
    }
}
