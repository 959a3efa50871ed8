//! The committed TypeScript of the command interface is what the code says.

use std::path::Path;

/// `MEANTIME_CODEGEN=1` (set by `cargo xtask codegen`) writes it instead.
#[test]
fn the_bindings_are_not_stale() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../ui/src/host/bindings.ts");
    let fresh = meantime_engine::api::typescript();
    if std::env::var_os("MEANTIME_CODEGEN").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, &fresh).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(committed == fresh, "ui/src/host/bindings.ts is stale: run `cargo xtask codegen`");
}
