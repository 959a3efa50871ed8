//! What commands leave on the disk: on it for good, and the right user's.

#![cfg(target_os = "linux")]

use crate::binary::command;
use serde_json::Value;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::Command;

fn skipped(what: &str, why: &str) {
    // Not by `eprintln!`, which nobody hears of a test that passes.
    let said = format!("skipped: {what}: {}\n", why.trim());
    std::io::stderr().write_all(said.as_bytes()).unwrap();
}

/// What a command does to names, in its order, as the kernel sees it; and what
/// it says.
fn traced(command: &Command) -> (Vec<String>, String) {
    let log = tempfile::NamedTempFile::new().unwrap();
    let mut strace = Command::new("strace");
    strace.args(["-f", "-y", "-e", "trace=/rename.*|f.*sync|link.*|unlink.*|rmdir|mkdir.*", "-o"]).arg(log.path());
    strace.arg(command.get_program()).args(command.get_args());
    let done = strace.output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let calls = fs::read_to_string(log.path()).unwrap();
    let well = |line: &&str| !line.contains(" = -1 ") && !line.contains(" resumed>");
    let calls = calls.lines().filter(well).filter_map(|line| Some(line.split_once(' ')?.1.trim().to_owned()));
    (calls.collect(), String::from_utf8(done.stdout).unwrap())
}

/// Where, from a call on, a folder's names are brought onto the disk.
fn synced(calls: &[String], from: usize, folder: &Path) -> Option<usize> {
    let opened = format!("<{}>", folder.display());
    let is = |call: &String| call.starts_with("fsync(") && call.contains(&opened);
    calls.iter().skip(from).position(is).map(|more| from + more)
}

/// Every name that is new, or another's now, is on the disk in the end.
fn all_synced(calls: &[String]) -> usize {
    let mut names = 0;
    for (i, call) in calls.iter().enumerate() {
        if ["rename", "link", "mkdir"].iter().any(|made| call.starts_with(made)) {
            let path = Path::new(call.rsplit('"').nth(1).unwrap());
            assert!(synced(calls, i, path.parent().unwrap()).is_some(), "{call}:\n{}", calls.join("\n"));
            names += 1;
        }
    }
    names
}

#[test]
fn what_was_made_survives_a_power_cut() {
    match Command::new("strace").args(["-f", "true"]).output() {
        Ok(tried) if tried.status.success() => {}
        Ok(tried) => return skipped("names on the disk", &String::from_utf8_lossy(&tried.stderr)),
        Err(why) => return skipped("names on the disk", &format!("strace: {why}")),
    }
    let dir = tempfile::tempdir().unwrap();
    let (data, to) = (dir.path().join("team/server"), dir.path().join("elsewhere"));
    let mut init = command("init", &data);
    init.args(["--team", "Blue Team", "--host", "127.0.0.1", "--monitoring", "off"]);
    // Two folders, two keys, two certificates and the settings.
    assert!(all_synced(&traced(&init).0) >= 7);
    let backup = |keep: &str| {
        let mut backup = command("backup", &data);
        backup.arg("--to").arg(&to).args(["--keep", keep]);
        let (calls, said) = traced(&backup);
        assert!(all_synced(&calls) >= 3);
        let made: Value = serde_json::from_str(&said).unwrap();
        (calls, PathBuf::from(made["backup"].as_str().unwrap()))
    };
    let (_, first) = backup("1");
    let (calls, second) = backup("1");
    assert!(!first.exists() && second.exists());
    // The older one goes when the newer one is there for good: with all its files, and by its name.
    let named = |call: &String, name: &Path| call.contains(name.file_name().unwrap().to_str().unwrap());
    let whole = calls.iter().position(|call| call.starts_with("rename") && call.contains(".part\"")).unwrap();
    let part = second.with_file_name(format!("{}.part", second.file_name().unwrap().to_str().unwrap()));
    assert!(synced(&calls, 0, &part).unwrap() < whole);
    let gone = |call: &String| (call.starts_with("unlink") || call.starts_with("rmdir")) && named(call, &first);
    assert!(synced(&calls, whole, &to).unwrap() < calls.iter().position(gone).unwrap(), "{}", calls.join("\n"));
    let mut restore = command("restore", &data);
    restore.arg("--from").arg(&second);
    // Four files that go aside, and four in their place.
    assert!(all_synced(&traced(&restore).0) >= 8);
}

/// Root works on a folder of somebody else's: what is made there is theirs.
#[test]
fn what_root_makes_is_the_owners() {
    const NOBODY: u32 = 65534;
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    fs::create_dir(&data).unwrap();
    if let Err(why) = chown(&data, Some(NOBODY), Some(NOBODY)) {
        return skipped("commands of root", &why.to_string());
    }
    let open = |path: &Path| fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    open(dir.path());
    // Where others find it.
    let program = dir.path().join("meantime-server");
    fs::copy(env!("CARGO_BIN_EXE_meantime-server"), &program).unwrap();
    open(&program);
    let run = |words: &[&str]| {
        let output = Command::new(&program).args(words).arg("--data").arg(&data).output().unwrap();
        (
            output.status.success(),
            String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr),
        )
    };
    let (good, said) = run(&["init", "--team", "Blue Team", "--host", "127.0.0.1", "--monitoring", "off"]);
    assert!(good, "{said}");
    let (good, said) = run(&["backup"]);
    assert!(good, "{said}");
    let made: Value = serde_json::from_str(&said).unwrap();
    let (good, said) = run(&["restore", "--from", made["backup"].as_str().unwrap()]);
    assert!(good, "{said}");
    let (good, said) = run(&["check"]);
    assert!(good, "{said}");
    let mut folders = vec![data.clone()];
    let mut files = 0;
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let found = path.metadata().unwrap();
            assert_eq!((found.uid(), found.gid()), (NOBODY, NOBODY), "{}", path.display());
            files += 1;
            folders.extend(found.is_dir().then_some(path));
        }
    }
    assert!(files > 15, "{files}");
    // It goes on with no more rights than that user's.
    let closed = dir.path().join("closed");
    fs::create_dir(&closed).unwrap();
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o700)).unwrap();
    let (good, said) = run(&["backup", "--to", closed.join("backups").to_str().unwrap()]);
    assert!(!good && said.contains("Permission denied"), "{said}");
}
