//! A disk without space: it is said, nothing that was kept is lost, and once
//! there is space again all goes on.

use crate::kit::at;
use meantime_store::{Store, StoreError, draft};
use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::process::Command;

/// Set in the process that has the small disk: where that is.
const SMALL: &str = "MEANTIME_SMALL_DISK";
const ON_SMALL: &str = "mount -t tmpfs -o size=16m,mode=700 small \"$0\" && exec \"$@\"";

/// On a small disk of its own, which needs user namespaces; some systems (such
/// as Ubuntu since 24.04) keep them from everybody but root.
#[test]
fn a_full_disk_loses_nothing() {
    if let Some(folder) = std::env::var_os(SMALL) {
        return on_a_small_disk(Path::new(&folder));
    }
    let unshare = || {
        let mut command = Command::new("unshare");
        command.args(["--map-root-user", "--mount"]);
        command
    };
    let asked = unshare().arg("true").output().unwrap();
    if !asked.status.success() {
        let why = String::from_utf8_lossy(&asked.stderr);
        // Not by `eprintln!`, which nobody hears of a test that passes.
        writeln!(std::io::stderr(), "skipped: a full disk of the app's: no user namespaces ({})", why.trim()).unwrap();
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let mut again = unshare();
    again.args(["sh", "-c", ON_SMALL]).arg(dir.path()).arg(std::env::current_exe().unwrap());
    again.args(["full::a_full_disk_loses_nothing", "--exact", "--nocapture"]).env(SMALL, dir.path());
    let output = again.output().unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
}

fn on_a_small_disk(folder: &Path) {
    let store = Store::open(&folder.join("meantime.db"), at(0)).unwrap().store;
    let keep = |text: &str| store.write(|tx| draft::put(tx, None, text, at(1)));
    let kept = || store.read(|r| draft::get(r, None)).unwrap();
    keep("typed before").unwrap();
    let ballast = folder.join("ballast");
    let mut file = File::create(&ballast).unwrap();
    while file.write_all(&[0; 4096]).is_ok() {}

    // The log has some room left that was used before.
    let long = |n: usize| format!("{n} {}", "word ".repeat(20_000));
    let (last, refused) = (0..50).find_map(|n| keep(&long(n)).err().map(|error| (n, error))).expect("the disk is full");
    assert!(matches!(refused, StoreError::Full | StoreError::Disk(_)), "{refused:?}");
    assert!(refused.to_string().contains("nothing was lost"), "{refused}");
    let before = if last == 0 { "typed before".to_owned() } else { long(last - 1) };
    assert_eq!(kept(), Some(before.clone()), "what was kept is still there, whole");
    let other = Store::open(&folder.join("other.db"), at(2)).err().expect("there is no space for another");
    assert!(!other.to_string().contains("refused"), "it has no next step: {other}");

    drop(store);
    let store = Store::open(&folder.join("meantime.db"), at(3)).map(|opened| (opened.recovered, opened.store));
    if let Ok((recovered, store)) = &store {
        assert!(recovered.is_none(), "a full disk is no damage: {recovered:?}");
        assert_eq!(store.read(|r| draft::get(r, None)).unwrap(), Some(before.clone()));
    }
    drop(store);

    // Open it would keep its space.
    drop(file);
    std::fs::remove_file(&ballast).unwrap();
    let opened = Store::open(&folder.join("meantime.db"), at(4)).unwrap();
    assert!(opened.recovered.is_none(), "{:?}", opened.recovered);
    opened.store.check().unwrap();
    assert_eq!(opened.store.read(|r| draft::get(r, None)).unwrap(), Some(before));
    opened.store.write(|tx| draft::put(tx, None, "typed after", at(5))).unwrap();
}
