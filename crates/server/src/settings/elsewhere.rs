//! A settings file that is put to another place than it was written for: the
//! few paths in it that name the old one are written anew, everything else
//! stays as it is, comments too.

use super::template::escaped;
use super::{Fault, Settings};
use std::path::{Path, PathBuf};

/// What is another in the new place.
#[derive(Clone, Debug, Default)]
pub struct Elsewhere {
    /// The data folder.
    pub data: PathBuf,
    /// PostgreSQL: the file with the URL, and that of the tables' owner.
    pub urls: Option<(PathBuf, Option<PathBuf>)>,
}

impl Elsewhere {
    /// The text of a settings file that shall lie in `folder`, for the new place.
    ///
    /// # Errors
    /// When it has faults, or names these paths in a way that is not found.
    pub fn rewrite(&self, text: &str, folder: &Path) -> Result<String, Vec<Fault>> {
        let read = |text: &str| {
            let mut settings = Settings::parse(text)?;
            settings.relative_to(folder);
            Ok::<_, Vec<Fault>>(settings)
        };
        let mut text = text.to_owned();
        let before = read(&text)?;
        if before.data != self.data {
            text = with(&text, "", "data", &self.data);
        }
        if let Some((url, owner)) = &self.urls {
            text = with(&text, "storage", "url_file", url);
            text = with(&text, "storage", "owner_url_file", owner.as_deref().unwrap_or(Path::new("")));
        }
        let after = read(&text)?;
        let mut meant = Settings { data: self.data.clone(), ..before };
        if let Some((url, owner)) = &self.urls {
            (meant.storage.url_file, meant.storage.owner_url_file) = (Some(url.clone()), owner.clone());
        }
        if (&after.data, &after.storage) == (&meant.data, &meant.storage) {
            return Ok(text);
        }
        Err(vec![Fault::general(
            "`data` and the files of [storage] can't be changed in it; write each on one line".into(),
        )])
    }
}

/// A text in which a setting has another value: on its line, else on a new one
/// where its section begins.
fn with(text: &str, section: &str, key: &str, value: &Path) -> String {
    let set = format!("{key} = \"{}\"", escaped(&value.to_string_lossy()));
    let mut lines: Vec<&str> = text.lines().collect();
    match Fault::at(text, section, key, String::new()).line.map(|line| line - 1) {
        Some(at) if lines.get(at).is_some_and(|line| !line.trim_start().starts_with('[')) => {
            if let Some(line) = lines.get_mut(at) {
                *line = &set;
            }
        }
        Some(at) => lines.insert(at + 1, &set),
        None => lines.insert(0, &set),
    }
    lines.join("\n") + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Beginning;

    #[test]
    fn the_new_place_stands_in_it_and_all_else_stays() {
        let text = Beginning { data: "/old".into(), ..Beginning::default() }.text();
        let moved = Elsewhere { data: "/a \"new\"/place".into(), urls: Some(("/url".into(), None)) };
        let fresh = moved.rewrite(&text, Path::new("/etc")).unwrap();
        let others: Vec<_> = text.lines().zip(fresh.lines()).filter(|(a, b)| a != b).collect();
        assert_eq!(others.len(), 2, "{others:?}");
        let settings = Settings::parse(&fresh).unwrap();
        assert_eq!(settings.data, moved.data);
        assert_eq!(settings.storage.url_file, Some("/url".into()));
        // What says the same in other words is left alone.
        let same = Elsewhere { data: "/etc/life".into(), urls: None };
        assert_eq!(same.rewrite("data = \"./life\" # here", Path::new("/etc")).unwrap(), "data = \"./life\" # here");
    }

    #[test]
    fn what_is_not_there_is_added_and_what_can_not_be_found_is_said() {
        let moved = Elsewhere { data: "/new".into(), urls: Some(("/url".into(), Some("/owner".into()))) };
        let settings = |text: &str| Settings::parse(&moved.rewrite(text, Path::new("/etc")).unwrap()).unwrap();
        for text in ["", "hosts = []\n[storage]\nconnections = 3\n", "[storage]\nkind = \"sqlite\"\n[tls]\nca = \"\"\n"]
        {
            if text.is_empty() {
                assert!(moved.rewrite(text, Path::new("/etc")).is_err(), "there is no section");
                continue;
            }
            let settings = settings(text);
            assert_eq!(settings.data, Path::new("/new"));
            assert_eq!(settings.storage.owner_url_file, Some("/owner".into()));
        }
        let odd = "data = \"\"\"\n/old\"\"\"\n[storage]\n";
        assert!(moved.rewrite(odd, Path::new("/etc")).is_err());
    }
}
