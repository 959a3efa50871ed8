//! Saving what others sent: under a name that is harmless on every system and
//! free in its folder, as a whole or not at all. Where the bytes are from, and
//! whether they are the right ones, was settled before.

use super::{Temporary, cannot, new_file, sync_folder};
use crate::api::{Failure, FailureCode};
use meantime_source::text;
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// Longest name, in bytes: what file systems take.
const LONGEST: usize = 255;
/// An ending that is longer is none.
const LONGEST_ENDING: usize = 16;
/// Names tried: `plan (2).pdf`, `plan (3).pdf`, …
const TRIES: u32 = 10_000;

/// Where something is saved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// In a folder, under the first name that is free.
    Folder(PathBuf),
    /// As a file that is not there yet.
    File(PathBuf),
}

/// Saves what `from` brings; answers where. `name` is what others call it.
pub(crate) fn put(from: &mut dyn Read, place: &Place, name: &str) -> Result<PathBuf, Failure> {
    let unsaved = |error: io::Error| cannot(name, "saved", &error);
    let (folder, names) = match place {
        Place::Folder(folder) => {
            fs::create_dir_all(folder).map_err(unsaved)?;
            let safe = safe_name(name);
            (folder.clone(), Box::new((1..=TRIES).map(move |n| numbered(&safe, n))) as Box<dyn Iterator<Item = _>>)
        }
        Place::File(path) => {
            let nameless = || Failure::new(FailureCode::Invalid, "to: that names no file");
            let last = path.file_name().ok_or_else(nameless)?.to_owned();
            let folder = path.parent().ok_or_else(nameless)?.to_owned();
            (folder, Box::new(std::iter::once(last.to_string_lossy().into_owned())) as Box<dyn Iterator<Item = _>>)
        }
    };
    let coming = Temporary(folder.join(format!(".meantime-{}.part", uuid::Uuid::now_v7())));
    let mut copy = new_file(&coming.0).map_err(unsaved)?;
    io::copy(from, &mut copy).and_then(|_| copy.sync_all()).map_err(unsaved)?;
    drop(copy);
    for name in names {
        let path = match place {
            Place::Folder(_) => folder.join(&name),
            Place::File(path) => path.clone(),
        };
        // Taking the name is what nobody else can do at the same time; the
        // file then takes the place of the empty one.
        match new_file(&path) {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
            Err(error) => return Err(unsaved(error)),
        }
        if let Err(error) = fs::rename(&coming.0, &path).and_then(|()| sync_folder(&folder)) {
            let _ = fs::remove_file(&path);
            return Err(unsaved(error));
        }
        meantime_platform::downloads::mark_foreign(&path);
        return Ok(path);
    }
    let message = match place {
        Place::File(path) => format!("{} is there already: choose another name", path.display()),
        Place::Folder(_) => format!("{} is full of files called like {name}: choose another folder", folder.display()),
    };
    Err(Failure::new(FailureCode::NotPossible, message))
}

/// A name from outside as one in a folder of the person's: no path, nothing
/// that deceives, not hidden, and none that Windows takes for a device.
fn safe_name(name: &str) -> String {
    let name = text::file_name(name, "attachment");
    let stem = name.split('.').next().unwrap_or_default().trim_end().to_ascii_uppercase();
    if is_device(&stem) { format!("_{name}") } else { name }
}

/// <https://learn.microsoft.com/windows/win32/fileio/naming-a-file>
fn is_device(stem: &str) -> bool {
    let numbered = |prefix: &str| {
        stem.strip_prefix(prefix).is_some_and(|rest| {
            let mut rest = rest.chars();
            rest.next().is_some_and(|c| c.is_ascii_digit() || "¹²³".contains(c)) && rest.next().is_none()
        })
    };
    matches!(stem, "CON" | "PRN" | "AUX" | "NUL" | "CONIN$" | "CONOUT$") || numbered("COM") || numbered("LPT")
}

/// `plan.pdf`, `plan (2).pdf`, …, cut where that is too long.
fn numbered(name: &str, n: u32) -> String {
    let (stem, ending) = match name.rsplit_once('.') {
        Some((stem, ending)) if !stem.is_empty() && ending.len() <= LONGEST_ENDING => (stem, format!(".{ending}")),
        _ => (name, String::new()),
    };
    let number = if n == 1 { String::new() } else { format!(" ({n})") };
    let room = LONGEST - ending.len() - number.len();
    let stem = stem.get(..text::floor_boundary(stem, room)).unwrap_or_default();
    format!("{}{number}{ending}", stem.trim_end_matches([' ', '.']))
}

/// The place a person named, or the folder for downloads.
pub(crate) fn place_for(to: Option<&str>, downloads: Option<&Path>) -> Result<Place, Failure> {
    let Some(to) = to.map(Path::new) else {
        let none = "this computer tells no folder for downloads: say where to save it";
        return downloads
            .map(|folder| Place::Folder(folder.to_owned()))
            .ok_or_else(|| Failure::new(FailureCode::NotPossible, none));
    };
    if !to.is_absolute() {
        return Err(Failure::new(FailureCode::Invalid, "to: give a whole path"));
    }
    Ok(if to.is_dir() { Place::Folder(to.to_owned()) } else { Place::File(to.to_owned()) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_names_become_harmless_ones() {
        for (raw, safe) in [
            ("plan.pdf", "plan.pdf"),
            ("../../.bashrc", "bashrc"),
            ("..\\..\\autorun.inf", "autorun.inf"),
            ("/etc/passwd", "passwd"),
            ("C:evil.txt", "Cevil.txt"),
            (".hidden", "hidden"),
            ("...", "attachment"),
            ("", "attachment"),
            ("CON", "_CON"),
            ("nul.txt", "_nul.txt"),
            ("com1.tar.gz", "_com1.tar.gz"),
            ("LPT².log", "_LPT².log"),
            ("CONsole", "CONsole"),
            ("com10", "com10"),
            ("invoice\u{202e}fdp.exe", "invoicefdp.exe"),
            ("a\0b\nc.txt", "a b c.txt"),
            ("a<b>|?*.txt", "ab.txt"),
            ("trailing. . ", "trailing"),
        ] {
            assert_eq!(safe_name(raw), safe, "{raw:?}");
        }
        let long = format!("{}.tar.gz", "ü".repeat(300));
        assert!(numbered(&safe_name(&long), 1).len() <= LONGEST);
        let long = format!("{}.pdf", "ü".repeat(125));
        for n in [1, 2, 10_000] {
            let name = numbered(&safe_name(&long), n);
            assert!(name.len() <= LONGEST && name.ends_with(".pdf"), "{name}");
        }
    }

    #[test]
    fn nothing_is_overwritten() {
        let home = tempfile::tempdir().unwrap();
        let place = Place::Folder(home.path().join("Downloads"));
        let save = |text: &str| put(&mut text.as_bytes(), &place, "../plan.pdf").unwrap();
        let saved: Vec<_> = ["one", "two", "three"].map(save).into();
        let names: Vec<_> = saved.iter().map(|path| path.file_name().unwrap().to_str().unwrap()).collect();
        assert_eq!(names, ["plan.pdf", "plan (2).pdf", "plan (3).pdf"]);
        assert_eq!(fs::read(&saved[1]).unwrap(), b"two");
        assert_eq!(fs::read_dir(home.path().join("Downloads")).unwrap().count(), 3, "nothing else is left there");
        let taken = Place::File(saved[0].clone());
        let failure = put(&mut "four".as_bytes(), &taken, "plan.pdf").unwrap_err();
        assert!(failure.message.contains("is there already"), "{failure}");
        assert_eq!(fs::read(&saved[0]).unwrap(), b"one");
        let new = Place::File(home.path().join("new"));
        assert_eq!(fs::read(put(&mut "five".as_bytes(), &new, "plan.pdf").unwrap()).unwrap(), b"five");
        #[cfg(unix)]
        assert_eq!(
            std::os::unix::fs::PermissionsExt::mode(&fs::metadata(&saved[0]).unwrap().permissions()) & 0o777,
            0o600
        );
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_full_disk_is_said_and_leaves_nothing() {
        struct Endless;
        impl Read for Endless {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Err(io::ErrorKind::StorageFull.into())
            }
        }
        let home = tempfile::tempdir().unwrap();
        let failure = put(&mut Endless, &Place::Folder(home.path().to_owned()), "plan.pdf").unwrap_err();
        assert!(failure.message.contains("no room on this disk"), "{failure}");
        assert_eq!(fs::read_dir(home.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_place_is_a_whole_path() {
        let home = tempfile::tempdir().unwrap();
        let to = |to: &str| place_for(Some(to), None);
        assert!(to("plan.pdf").is_err() && place_for(None, None).is_err());
        assert_eq!(to(home.path().to_str().unwrap()).unwrap(), Place::Folder(home.path().to_owned()));
        let file = home.path().join("plan.pdf");
        assert_eq!(to(file.to_str().unwrap()).unwrap(), Place::File(file));
    }
}
