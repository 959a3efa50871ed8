//! A real IMAP server: Dovecot 2.3 on a temporary folder, with one account.
//!
//! Started as root it keeps the mail as `nobody`, because Dovecot serves no
//! mail as root; as anybody else, as themselves. It listens on 127.0.0.1.

use meantime_kit::{Process, Signal, free_port, greets};
use sha2::{Digest, Sha256};
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};
use tempfile::TempDir;

const PROGRAM: &str = "/usr/sbin/dovecot";
/// Counts deliveries: file names in a maildir are unique.
static DELIVERED: AtomicU64 = AtomicU64::new(0);

/// A running server.
#[derive(Debug)]
pub struct Dovecot {
    /// IMAP with STARTTLS, or plain.
    pub imap_port: u16,
    /// IMAP over TLS.
    pub imaps_port: u16,
    /// SHA-256 of its certificate, 64 hexadecimal digits.
    pub fingerprint: String,
    /// The account's login name and address.
    pub user: String,
    /// The account's password.
    pub password: String,
    extra: String,
    process: Option<Process>,
    folder: TempDir,
}

/// A message as it lies in a mailbox.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Stored {
    /// `INBOX`, `Archive`, `Sent`, …
    pub mailbox: String,
    /// The Subject header, undecoded.
    pub subject: String,
    /// The letters of the maildir: `S` seen, `T` deleted, `D` draft, `R` answered, `F` flagged.
    pub flags: String,
    /// The whole message.
    pub raw: String,
}

impl Dovecot {
    /// Dovecot is installed.
    pub fn is_installed() -> bool {
        Path::new(PROGRAM).exists()
    }

    /// Starts a server with one empty account.
    pub fn start() -> Self {
        Self::start_with("")
    }

    /// The same with more lines of configuration, say
    /// `imap_capability = IMAP4rev1` for a server that can little.
    pub fn start_with(extra: &str) -> Self {
        let folder = tempfile::Builder::new().prefix("meantime-dovecot-").tempdir().expect("a temporary folder");
        // The mail's owner has to pass through.
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).expect("its mode");
        let mut dovecot = Self {
            imap_port: 0,
            imaps_port: 0,
            fingerprint: String::new(),
            user: "ana@example.org".to_owned(),
            password: "korrekt \"pferd\" \\ batterie ß".to_owned(),
            extra: extra.to_owned(),
            process: None,
            folder,
        };
        for part in
            ["home", "run", "home/rawlog", "home/Maildir", "home/Maildir/new", "home/Maildir/cur", "home/Maildir/tmp"]
        {
            let path = dovecot.folder.path().join(part);
            fs::create_dir(&path).expect("a folder");
            if part.starts_with("home") {
                dovecot.give_away(&path);
            }
        }
        dovecot.write_password();
        dovecot.new_certificate();
        dovecot.launch();
        dovecot
    }

    /// Where the mail is.
    pub fn maildir(&self) -> PathBuf {
        self.folder.path().join("home/Maildir")
    }

    /// What the server logged.
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// Commands that clients sent once they were signed in, so far.
    pub fn commands(&self) -> usize {
        let entries = fs::read_dir(self.folder.path().join("home/rawlog")).expect("the protocols");
        let of_clients =
            entries.flatten().map(|entry| entry.path()).filter(|path| path.extension().is_some_and(|e| e == "in"));
        of_clients
            .map(|path| fs::read(path).unwrap_or_default())
            .map(|log| log.split(|byte| *byte == b'\n').count() - 1)
            .sum()
    }

    /// Mail arrives in the inbox.
    pub fn deliver(&self, raw: &[u8]) {
        self.deliver_to("INBOX", raw);
    }

    /// Mail turns up in a mailbox.
    pub fn deliver_to(&self, mailbox: &str, raw: &[u8]) {
        let maildir = self.folder_of(mailbox);
        if !maildir.exists() {
            self.doveadm(&["mailbox", "create"], &[mailbox]);
        }
        let name = format!("{:08}.M1P{}.test", DELIVERED.fetch_add(1, Ordering::Relaxed), std::process::id());
        let (tmp, new) = (maildir.join("tmp").join(&name), maildir.join("new").join(&name));
        fs::write(&tmp, raw).expect("the mail");
        self.give_away(&tmp);
        fs::rename(tmp, new).expect("delivery");
    }

    /// Runs `doveadm` for the account: another client, as it were. Gives what
    /// it prints; panics where it fails.
    pub fn doveadm(&self, command: &[&str], arguments: &[&str]) -> String {
        let output = Command::new("doveadm")
            .arg("-c")
            .arg(self.config_path())
            .args(command)
            .args(["-u", &self.user])
            .args(arguments)
            .output()
            .expect("doveadm");
        assert!(output.status.success(), "doveadm {command:?} {arguments:?}: {output:?}\n{}", self.log());
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Everything in the account, by mailbox and subject, read from the disk.
    pub fn stored(&self) -> Vec<Stored> {
        let mut stored = Vec::new();
        let entries = fs::read_dir(self.maildir()).expect("the maildir");
        let subfolders = entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned());
        let mut mailboxes: Vec<String> =
            subfolders.filter_map(|name| name.strip_prefix('.').map(str::to_owned)).collect();
        mailboxes.push("INBOX".to_owned());
        for mailbox in mailboxes {
            for part in ["new", "cur"] {
                let Ok(files) = fs::read_dir(self.folder_of(&mailbox).join(part)) else { continue };
                for file in files.flatten() {
                    // A file may be renamed between being listed and being read.
                    let Ok(raw) = fs::read(file.path()) else { return self.stored() };
                    let raw = String::from_utf8_lossy(&raw).into_owned();
                    let name = file.file_name().to_string_lossy().into_owned();
                    let subject = raw.lines().find_map(|line| line.strip_prefix("Subject: ")).unwrap_or_default();
                    stored.push(Stored {
                        mailbox: mailbox.clone(),
                        subject: subject.to_owned(),
                        flags: name.rsplit_once(":2,").map(|(_, flags)| flags.to_owned()).unwrap_or_default(),
                        raw,
                    });
                }
            }
        }
        stored.sort();
        stored
    }

    /// From now on the account has another password.
    pub fn set_password(&mut self, password: &str) {
        self.password = password.to_owned();
        self.write_password();
    }

    /// From now on the server shows another certificate.
    pub fn renew_certificate(&mut self) {
        self.stop();
        self.new_certificate();
        self.launch();
    }

    /// Ends the server; the mail stays.
    pub fn stop(&mut self) {
        self.process = None;
    }

    /// Starts it again, on the same ports.
    pub fn restart(&mut self) {
        self.stop();
        self.launch();
    }

    /// All mailboxes get another UIDVALIDITY.
    pub fn change_uidvalidity(&self) {
        for mailbox in self.doveadm(&["mailbox", "list"], &[]).lines() {
            let now: u32 = self
                .doveadm(&["mailbox", "status"], &["uidvalidity", mailbox])
                .trim()
                .rsplit('=')
                .next()
                .and_then(|number| number.parse().ok())
                .expect("a number");
            self.doveadm(&["mailbox", "update"], &["--uid-validity", &(now + 1).to_string(), mailbox]);
        }
    }

    fn folder_of(&self, mailbox: &str) -> PathBuf {
        if mailbox == "INBOX" { self.maildir() } else { self.maildir().join(format!(".{mailbox}")) }
    }

    fn config_path(&self) -> PathBuf {
        self.folder.path().join("dovecot.conf")
    }

    /// Uid and gid the mail belongs to.
    fn owner(&self) -> (u32, u32) {
        let own = fs::metadata(self.folder.path()).expect("the folder");
        if own.uid() == 0 { (65534, 65534) } else { (own.uid(), own.gid()) }
    }

    fn give_away(&self, path: &Path) {
        let (uid, gid) = self.owner();
        // Only root has to.
        if fs::metadata(path).expect("it").uid() != uid {
            chown(path, Some(uid), Some(gid)).expect("a new owner");
        }
    }

    fn write_password(&self) {
        let path = self.folder.path().join("passwd");
        // Colons separate; the test's passwords have none.
        fs::write(&path, format!("{}:{{PLAIN}}{}\n", self.user, self.password)).expect("the passwords");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).expect("its mode");
    }

    fn new_certificate(&mut self) {
        let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).expect("a certificate");
        self.fingerprint = Sha256::digest(made.cert.der()).iter().map(|byte| format!("{byte:02x}")).collect();
        fs::write(self.folder.path().join("cert.pem"), made.cert.pem()).expect("the certificate");
        fs::write(self.folder.path().join("key.pem"), made.signing_key.serialize_pem()).expect("its key");
    }

    fn launch(&mut self) {
        for _ in 0..5 {
            if self.imap_port == 0 {
                let port = || free_port().expect("a free port");
                (self.imap_port, self.imaps_port) = (port(), port());
            }
            fs::write(self.config_path(), self.config()).expect("the configuration");
            let mut command = Command::new(PROGRAM);
            command.arg("-F").arg("-c").arg(self.config_path());
            let out = self.folder.path().join("out");
            let mut process = Process::start_in(command, &out, &out, Some(self.folder.path())).expect("Dovecot");
            if greets(self.imap_port, || !matches!(process.ended(), Ok(None))) {
                // Asked first: it takes its children along.
                self.process = Some(process.asked(Signal::Term));
                return;
            }
            // Somebody else may have taken the port in between.
            drop(process);
            self.imap_port = 0;
        }
        let out = fs::read_to_string(self.folder.path().join("out")).unwrap_or_default();
        panic!("Dovecot does not start:\n{out}\n{}", self.log());
    }

    fn config(&self) -> String {
        let root = self.folder.path().display();
        let (uid, gid) = self.owner();
        let (imap, imaps, extra) = (self.imap_port, self.imaps_port, &self.extra);
        // As root the small services drop to accounts Debian has made for them.
        let users = if fs::metadata(self.folder.path()).expect("the folder").uid() == 0 {
            String::new()
        } else {
            let name = |flag| {
                let output = Command::new("id").arg(flag).output().expect("id");
                String::from_utf8_lossy(&output.stdout).trim().to_owned()
            };
            let (user, group) = (name("-un"), name("-gn"));
            format!(
                "default_internal_user = {user}\ndefault_internal_group = {group}\ndefault_login_user = {user}\n\
                 service anvil {{\n  chroot =\n}}\nservice stats {{\n  chroot =\n}}\n"
            )
        };
        format!(
            "base_dir = {root}/run\nstate_dir = {root}/run\nlog_path = {root}/log\nprotocols = imap\n\
             ssl = yes\nssl_cert = <{root}/cert.pem\nssl_key = <{root}/key.pem\ndisable_plaintext_auth = no\n\
             auth_mechanisms = plain login\nauth_failure_delay = 0\n\
             first_valid_uid = 1\nfirst_valid_gid = 1\nmail_location = maildir:~/Maildir\n\
             mailbox_list_index = no\nmaildir_very_dirty_syncs = no\nrawlog_dir = %h/rawlog\n{users}\
             service imap-login {{\n  chroot =\n  inet_listener imap {{\n    address = 127.0.0.1\n    port = {imap}\n  }}\n  \
             inet_listener imaps {{\n    address = 127.0.0.1\n    port = {imaps}\n    ssl = yes\n  }}\n}}\n\
             passdb {{\n  driver = passwd-file\n  args = {root}/passwd\n}}\n\
             userdb {{\n  driver = static\n  args = uid={uid} gid={gid} home={root}/home\n}}\n\
             namespace inbox {{\n  inbox = yes\n  separator = /\n  mailbox Sent {{\n    auto = create\n    special_use = \\Sent\n  }}\n  \
             mailbox Archive {{\n    auto = create\n    special_use = \\Archive\n  }}\n}}\n{extra}\n"
        )
    }
}
