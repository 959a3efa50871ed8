//! The settings file: one TOML file, every setting of the server.
//!
//! What is not in it has its default; what is not known is a fault, with its
//! line. Secrets never stand in it: it names files that hold them.

mod attachments;
mod elsewhere;
mod faults;
mod sense;
mod template;
mod values;

pub use attachments::{Attachments, AttachmentsKind};
pub use elsewhere::Elsewhere;
pub use faults::{Fault, Faults};
pub use template::Beginning;
pub use values::{
    Backup, Format, Level, Limits, Logging, Metrics, Pokes, PokesKind, ProxyHeader, Settings, Storage, StorageKind,
    Tls, TlsKind,
};

use crate::data::DataDir;
use std::fs;
use std::path::{Path, PathBuf};

/// The settings file's name in a data folder.
pub const FILE: &str = "server.toml";

impl Settings {
    /// Reads a settings file and makes its paths absolute.
    ///
    /// # Errors
    /// Every fault found, each with its line.
    pub fn read(path: &Path) -> Result<Self, Faults> {
        Ok(Self::of_file(path)?.in_force(path.parent().unwrap_or(Path::new(""))))
    }

    /// Reads a settings file, which may lie somewhere else, such as in a backup,
    /// as it is understood for that data folder, whichever it names itself.
    ///
    /// # Errors
    /// As [`Settings::read`].
    pub fn read_for(path: &Path, data: &DataDir) -> Result<Self, Faults> {
        Ok(Self::of_file(path)?.of(data))
    }

    /// Reads the text of a settings file as it is understood for that folder.
    ///
    /// # Errors
    /// As [`Settings::parse`].
    pub fn parse_for(text: &str, data: &DataDir) -> Result<Self, Vec<Fault>> {
        Ok(Self::parse(text)?.of(data))
    }

    fn of(self, data: &DataDir) -> Self {
        let settings = Self { data: absolute(data.folder()), ..self };
        settings.in_force(data.settings_file().parent().unwrap_or(Path::new("")))
    }

    fn of_file(path: &Path) -> Result<Self, Faults> {
        let of = |faults| Faults { file: path.to_owned(), faults };
        let text = fs::read_to_string(path).map_err(|e| of(vec![Fault::general(format!("it can't be read: {e}"))]))?;
        Self::parse(&text).map_err(of)
    }

    fn in_force(mut self, folder: &Path) -> Self {
        self.relative_to(&absolute(folder));
        self.heed_environment();
        self
    }

    /// Reads the text of a settings file.
    ///
    /// # Errors
    /// Every fault found, each with its line.
    pub fn parse(text: &str) -> Result<Self, Vec<Fault>> {
        let settings: Self = toml::from_str(text).map_err(|e| vec![Fault::of_toml(text, &e)])?;
        let faults = settings.faults(text);
        if faults.is_empty() { Ok(settings) } else { Err(faults) }
    }
}

fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::SocketAddr;

    fn beginning() -> Beginning {
        Beginning { metrics: Some(SocketAddr::from(([127, 0, 0, 1], 9464))), ..Beginning::default() }
    }

    #[test]
    fn what_init_writes_is_every_default() {
        let text = beginning().text();
        assert!(!text.contains(['{', '}']), "{text}");
        assert_eq!(Settings::parse(&text).unwrap(), Settings::default());
        assert_eq!(Settings::parse("").unwrap(), Settings::default());
        // Every setting is in it: without its line, its name is not known from elsewhere.
        let keys = text.lines().filter(|l| !l.starts_with('#') && l.contains(" = ")).count();
        assert_eq!(keys, 47, "a new setting goes into server.toml with a comment, and is counted here");
    }

    #[test]
    fn hosts_and_paths_are_written_as_they_are() {
        let hosts = vec!["a\"b".to_owned(), "[::1]".to_owned(), "tëam.example".to_owned()];
        let data = "C:\\Temp \"x\"".into();
        let settings = Settings::parse(&Beginning { hosts: hosts.clone(), data, ..beginning() }.text());
        // A quote can't stand in a host, and that is said of the right line.
        let faults = settings.unwrap_err();
        assert_eq!(faults.len(), 1);
        assert!(faults[0].to_string().starts_with("line 12: "), "{}", faults[0]);
    }

    #[test]
    fn faults_are_said_in_words_with_their_line() {
        for (text, line, words) in [
            ("lissten = \"0.0.0.0:1\"", Some(1), "lissten"),
            ("\n[limits]\nrequest = 1", Some(3), "request"),
            ("[nothing]", Some(1), "nothing"),
            ("listen = \"somewhere\"", Some(1), "address"),
            ("listen = 7", Some(1), "socket address"),
            ("hosts = \"a\"", Some(1), "sequence"),
            ("hosts = [\"a b\"]", Some(1), "host"),
            ("data = \"x\"\ndata = \"y\"", Some(2), "duplicate"),
            ("[storage]\nkind = \"mysql\"", Some(2), "mysql"),
            ("[storage]\nkind = \"postgres\"", Some(2), "url_file"),
            ("[storage]\n\nconnections = 0\n", Some(3), "at least 1"),
            ("[pokes]\nkind = \"nats\"", Some(2), "url_file"),
            ("[attachments]\nkind = \"s3\"", Some(1), "https://"),
            ("[attachments]\nlargest_mib = 0", Some(2), "1 to 1024"),
            ("[attachments]\n\nteam_gib = -1", Some(3), "-1"),
            ("[tls]\nkind = \"files\"\nkey = \"k.pem\"", Some(2), "certificate"),
            ("[tls]\nkind = \"files\"\ncertificate = \"c.pem\"", Some(2), "key"),
            ("[tls]\nkind = \"acme\"", Some(2), "hosts"),
            ("hosts = [\"10.0.0.1\"]\n[tls]\nkind = \"acme\"", Some(1), "name"),
            ("[tls]\nacme_contact = \"ops\"", Some(2), "mailto:"),
            ("[limits]\nrequests = 0", Some(2), "at least 1"),
            ("[limits]\nrequests = -1", Some(2), "-1"),
            ("[limits]\nstall_seconds = 0", Some(2), "at least 1"),
            ("[limits]\nexempt = [\"me\"]", Some(2), "address"),
            ("[limits]\ntrusted_proxies = [\"10.0.0.0/33\"]", Some(2), "network"),
            ("[limits]\nproxy_header = \"via\"", Some(2), "via"),
            ("[backup]\nkeep = 0", Some(2), "at least 1"),
            ("[logging]\nlevel = \"loud\"", Some(2), "loud"),
            ("[metrics]\nlisten = \"9464\"", Some(2), "address"),
            ("invite_address = \"team.example\"", Some(1), "HOST:PORT"),
            ("= 7", Some(1), ""),
        ] {
            let faults = Settings::parse(text).expect_err(text);
            assert_eq!(faults[0].line, line, "{text}: {}", faults[0]);
            assert!(faults[0].message.contains(words), "{text}: {}", faults[0]);
        }
    }

    #[test]
    fn all_faults_are_said_at_once() {
        let faults = Settings::parse("[limits]\nrequests = 0\nstreams = 0\n[backup]\nkeep = 0").unwrap_err();
        assert_eq!(faults.iter().map(|f| f.line).collect::<Vec<_>>(), [Some(2), Some(3), Some(5)]);
    }

    #[test]
    fn paths_are_relative_to_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("server.toml");
        fs::write(&path, "data = \"life\"\n[tls]\nkind = \"files\"\ncertificate = \"c.pem\"\nkey = \"/k.pem\"")
            .unwrap();
        let settings = Settings::read(&path).unwrap();
        assert_eq!(settings.data, dir.path().join("life"));
        assert_eq!(settings.tls.certificate, Some(dir.path().join("c.pem")));
        assert_eq!(settings.tls.key.unwrap(), Path::new("/k.pem"));
        assert_eq!(settings.backup.folder, dir.path().join("life/backups"), "backups lie in the data folder");
        assert!(Settings::read(&dir.path().join("none")).unwrap_err().to_string().contains("can't be read"));
    }
}
