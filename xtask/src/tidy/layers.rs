//! Who may use whom. Dependencies of tests (`[dev-dependencies]`) are free.

use crate::paths;
use anyhow::{Context, Result, bail};
use serde_json::Value;

const KIT: &str = "meantime-kit";
const MODEL: &str = "meantime-model";
const PROTOCOL: &str = "meantime-protocol";
const STORE: &str = "meantime-store";
const SYNC: &str = "meantime-sync";
const SOURCE: &str = "meantime-source";
const IMAP: &str = "meantime-source-imap";
const FEED: &str = "meantime-source-feed";
const PLATFORM: &str = "meantime-platform";
const ENGINE: &str = "meantime-engine";
const APP: &str = "meantime-app";
const CLI: &str = "meantime-cli";
const DESKTOP: &str = "meantime-desktop";
const CORE: &str = "meantime-server-core";
const SQLITE: &str = "meantime-server-sqlite";
const POSTGRES: &str = "meantime-server-postgres";
const BLOBS: &str = "meantime-server-blobs";
const NATS: &str = "meantime-server-nats";
const SERVER: &str = "meantime-server";
const TESTS: &str = "meantime-tests";
const XTASK: &str = "xtask";

/// Each crate, and the crates of ours it may use.
const MAY_USE: &[(&str, &[&str])] = &[
    // Starts programs for tests; nothing of it is in the product.
    (KIT, &[]),
    (MODEL, &[]),
    (PROTOCOL, &[MODEL]),
    (SOURCE, &[KIT, MODEL]),
    (PLATFORM, &[MODEL]),
    (STORE, &[MODEL, PROTOCOL]),
    (SYNC, &[MODEL, PROTOCOL]),
    (IMAP, &[MODEL, SOURCE]),
    (FEED, &[MODEL, SOURCE]),
    // Of platform, the traits alone: what implements them comes in from above.
    (ENGINE, &[MODEL, PROTOCOL, STORE, SYNC, SOURCE, PLATFORM]),
    (APP, &[MODEL, PROTOCOL, STORE, SYNC, SOURCE, PLATFORM, ENGINE, IMAP, FEED]),
    (CLI, &[MODEL, SOURCE, PLATFORM, ENGINE, APP, IMAP, FEED]),
    (DESKTOP, &[MODEL, PLATFORM, ENGINE, APP]),
    (CORE, &[MODEL, PROTOCOL]),
    (SQLITE, &[MODEL, PROTOCOL, CORE]),
    (POSTGRES, &[KIT, MODEL, PROTOCOL, CORE]),
    (NATS, &[MODEL, PROTOCOL, CORE]),
    (BLOBS, &[MODEL, PROTOCOL]),
    (SERVER, &[MODEL, PROTOCOL, CORE, SQLITE, POSTGRES, NATS, BLOBS]),
    (
        TESTS,
        &[
            KIT, MODEL, PROTOCOL, SOURCE, PLATFORM, STORE, SYNC, IMAP, FEED, ENGINE, APP, CLI, DESKTOP, CORE, SQLITE,
            POSTGRES, NATS, BLOBS, SERVER,
        ],
    ),
    (XTASK, &[]),
];

/// Crates without an entry, and uses the table does not allow.
pub fn problems() -> Result<Vec<String>> {
    let metadata = paths::cargo(&["metadata", "--format-version=1", "--no-deps", "--locked"]).output()?;
    if !metadata.status.success() {
        bail!("cargo metadata: {}", String::from_utf8_lossy(&metadata.stderr).trim());
    }
    let metadata: Value = serde_json::from_slice(&metadata.stdout)?;
    let packages = metadata.get("packages").and_then(Value::as_array).context("cargo metadata names no packages")?;
    Ok(packages.iter().flat_map(of_package).collect())
}

fn of_package(package: &Value) -> Vec<String> {
    let name = text(package, "name");
    let Some((_, allowed)) = MAY_USE.iter().find(|(of, _)| *of == name) else {
        return vec![format!("{name}: has no line in xtask/src/tidy/layers.rs, nor in docs/ARCHITECTURE.md?")];
    };
    let used = package.get("dependencies").and_then(Value::as_array).into_iter().flatten();
    used.filter(|used| used.get("path").is_some() && text(used, "kind") != "dev")
        .map(|used| text(used, "name"))
        .filter(|used| !allowed.contains(used))
        .map(|used| format!("{name}: must not use {used} (see docs/ARCHITECTURE.md)"))
        .collect()
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_arrow_that_points_up_is_a_problem() {
        let package = json!({"name": STORE, "dependencies": [
            {"name": MODEL, "path": "/x", "kind": null},
            {"name": ENGINE, "path": "/x", "kind": null},
            {"name": APP, "path": "/x", "kind": "dev"},
            {"name": "serde", "kind": null},
        ]});
        assert_eq!(of_package(&package), ["meantime-store: must not use meantime-engine (see docs/ARCHITECTURE.md)"]);
    }

    #[test]
    fn the_table_itself_points_down() {
        for (at, (name, allowed)) in MAY_USE.iter().enumerate() {
            for used in *allowed {
                let below = MAY_USE.iter().position(|(of, _)| of == used).unwrap();
                assert!(below < at, "{name} uses {used}, which stands below it in the table");
            }
        }
    }
}
