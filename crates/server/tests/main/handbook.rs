//! What docs/OPERATIONS.md tells an administrator to type, typed word by word:
//! on a machine whose folders lie below a temporary one, and whose `systemctl`,
//! `useradd`, `sudo` and the like do as much as is needed here.
//!
//! Docker, another machine and a build from source are not tried.

#![cfg(unix)]

use crate::world::{Client, World};
use meantime_server_postgres::kit::PostgresServer;
use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::PathBuf;
use std::process::Command;

const PAGE: &str = include_str!("../../../../docs/OPERATIONS.md");
/// What a block has in it that can't be tried here.
const ELSEWHERE: [&str; 3] = ["cargo build", "docker", "rsync"];
/// What a block has in it that is for PostgreSQL.
const POSTGRES: [&str; 4] = ["sudo -u postgres psql", "pg-url --postgres-owner", "createdb", "pg_restore --clean"];

/// The blocks of shell on the page.
fn blocks() -> Vec<String> {
    let (mut blocks, mut inside) = (Vec::new(), None);
    for line in PAGE.lines() {
        let indent = line.len() - line.trim_start().len();
        match &mut inside {
            None if line.trim() == "```sh" => inside = Some((indent, String::new())),
            Some(_) if line.trim() == "```" => blocks.extend(inside.take().map(|(_, block)| block)),
            Some((indent, block)) => *block += &format!("{}\n", line.get(*indent..).unwrap_or_default()),
            None => {}
        }
    }
    blocks
}

/// The one block with these words in it.
fn block(words: &str) -> String {
    let mut found: Vec<String> = blocks().into_iter().filter(|block| block.contains(words)).collect();
    assert_eq!(found.len(), 1, "{words}");
    found.remove(0)
}

/// A machine to install on.
struct Machine {
    root: PathBuf,
    port: u16,
    /// PostgreSQL's, of whom `sudo -u postgres` is the superuser.
    postgres: u16,
    _dir: tempfile::TempDir,
}

impl Machine {
    fn new(postgres: u16) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().to_owned();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        for folder in ["etc/systemd/system", "var/lib", "var/tmp", "usr/local/bin", "stubs", "src/target/release"] {
            fs::create_dir_all(root.join(folder)).unwrap();
        }
        symlink(concat!(env!("CARGO_MANIFEST_DIR"), "/../../deploy"), root.join("src/deploy")).unwrap();
        let machine = Self { root, port, postgres, _dir: dir };
        let (real, root) = (env!("CARGO_BIN_EXE_meantime-server"), machine.root.display().to_string());
        // In the background, as a service manager or another shell has it.
        let serve = format!(
            "rm -f {root}/ready; {real} \"$@\" >{root}/ready 2>>{root}/log </dev/null & echo $! >{root}/pid
             for _ in $(seq 600); do [ -s {root}/ready ] && exit; sleep 0.05; done; cat {root}/log >&2; exit 1"
        );
        let server = format!(
            "case $1 in
             init) exec {real} \"$@\" --port {port} --monitoring off;;
             delete) exec {real} \"$@\" --yes;;
             serve) {serve};;
             *) exec {real} \"$@\";;
             esac"
        );
        let stop = format!("kill $(cat {root}/pid); while kill -0 $(cat {root}/pid) 2>/dev/null; do sleep 0.05; done");
        let start = format!("meantime-server serve --config {root}/etc/meantime/server.toml");
        let systemctl = format!(
            "case \"$*\" in
             'stop meantime-server') {stop};;
             'start meantime-server'|'enable --now meantime-server') {start};;
             'restart meantime-server') {stop}; {start};;
             daemon-reload|'edit meantime-server'|'edit meantime-backup'|'enable --now meantime-backup.timer') ;;
             *) echo \"systemctl $*\" >&2; exit 1;;
             esac"
        );
        // There is no such user here: whoever runs the test is it.
        let install = "for word; do shift; case $word in -o|-g) skip=1;; *) [ \"${skip-}\" ] && skip= || \
                       set -- \"$@\" \"$word\";; esac; done; exec /usr/bin/install \"$@\"";
        let sudo = format!(
            "[ \"$1 $2\" = '-u postgres' ] || exit 1; shift 2
             export PGHOST=127.0.0.1 PGPORT={postgres} PGUSER=postgres PGPASSWORD='only on 127.0.0.1' PSQLRC=/dev/null
             exec \"$@\""
        );
        machine.program("src/target/release/meantime-server", &server);
        machine.program("stubs/meantime-server", &server);
        machine.program("stubs/systemctl", &systemctl);
        machine.program("stubs/journalctl", &format!("cat {root}/log"));
        machine.program("stubs/install", install);
        machine.program("stubs/sudo", &sudo);
        machine.program("stubs/useradd", "");
        machine.program("stubs/chown", "");
        machine
    }

    fn program(&self, name: &str, text: &str) {
        fs::write(self.root.join(name), format!("#!/bin/sh\n{text}\n")).unwrap();
        fs::set_permissions(self.root.join(name), fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// Types a block; what it printed.
    fn types(&self, block: &str) -> String {
        let mut block = block.replace("192.0.2.10", "127.0.0.1").replace("8443", &self.port.to_string());
        block = block.replace("@127.0.0.1/", &format!("@127.0.0.1:{}/", self.postgres));
        for folder in ["/etc/", "/var/", "/mnt/", "/usr/local/"] {
            block = block.replace(folder, &format!("{}{folder}", self.root.display()));
        }
        if let Some(backup) = self.newest_backup() {
            block = block.replace("2026-11-22T041500.123Z", &backup);
        }
        while let Some((before, (_, after))) =
            block.split_once(" [--").map(|(before, rest)| (before, rest.split_once(']').unwrap()))
        {
            block = format!("{before}{after}");
        }
        let folders = ["usr/local/bin", "stubs"].map(|folder| self.root.join(folder).display().to_string());
        let path = format!("{}:{}", folders.join(":"), std::env::var("PATH").unwrap());
        let mut shell = Command::new("sh");
        shell.args(["-eu", "-c", &block]).current_dir(self.root.join("src")).env("PATH", path);
        let output = shell.output().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{block}\n{errors}");
        String::from_utf8(output.stdout).unwrap()
    }

    fn newest_backup(&self) -> Option<String> {
        let names = fs::read_dir(self.root.join("mnt/elsewhere/meantime")).ok()?.flatten();
        names.filter_map(|entry| entry.file_name().into_string().ok()).filter(|name| name.starts_with("20")).max()
    }

    fn data(&self) -> PathBuf {
        self.root.join("var/lib/meantime")
    }

    /// A person by a link that stands in what was printed.
    async fn joined(&self, printed: &str, name: &str) {
        let link = printed.lines().find(|line| line.starts_with("meantime://join#")).expect(printed);
        let client = Client::of(&format!("127.0.0.1:{}", self.port), &self.data());
        client.join(link, name).await;
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        if let Ok(pid) = fs::read_to_string(self.root.join("pid")) {
            let _ = Command::new("kill").args(["-KILL", pid.trim()]).status();
        }
    }
}

fn there_is(program: &str) -> bool {
    let there = Command::new(program).arg("--version").output().is_ok();
    if !there {
        eprintln!("{program} is not installed: this was not tried");
    }
    there
}

fn json(text: &str, key: &str) -> serde_json::Value {
    let line = text.lines().find(|line| line.starts_with('{') && line.contains(key)).expect(text);
    serde_json::from_str::<serde_json::Value>(line).unwrap()[key].clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_administrator_gets_there_by_the_page_alone() {
    if !there_is("curl") {
        return;
    }
    let machine = Machine::new(0);
    let mut installed = false;
    for block in blocks() {
        if ELSEWHERE.iter().chain(&POSTGRES).any(|words| block.contains(words)) {
            continue;
        }
        // Where the page goes over to another machine or another server.
        if block.contains("useradd") {
            machine.types("systemctl stop meantime-server");
        } else if block.starts_with("#!/bin/sh") {
            certbot(&machine, &block);
            continue;
        } else if block.contains("restore") && block.contains("--data /var/lib/meantime") {
            machine.types("systemctl stop meantime-server");
            fs::remove_dir_all(machine.root.join("etc/meantime")).unwrap();
            fs::remove_dir_all(machine.data()).unwrap();
            machine.types(block_of(&self::block("useradd"), "install -d").as_str());
        }
        let printed = machine.types(&block);
        if block.contains("useradd") {
            machine.joined(&printed, "Mei").await;
            let invited = machine.types("meantime-server invite --config /etc/meantime/server.toml");
            machine.joined(&invited, "Ana Sousa").await;
            installed = true;
        } else if block.contains("curl") {
            assert_eq!(json(&printed, "status"), "ok");
        } else if block.contains("restore") && block.contains("/var/tmp/drill") {
            assert!(printed.contains("\nok: the database") && printed.contains("\"Ana Sousa\""), "{printed}");
            assert!(!machine.root.join("var/tmp/drill").exists());
        } else if block.contains("--data /var/lib/meantime") && block.contains("restore") {
            machine.types("systemctl start meantime-server");
        } else if block.contains("restore") {
            assert_eq!(json(&printed, "links_ended"), 0);
            assert!(!printed.contains("FAULT"), "{printed}");
        }
    }
    assert!(installed);
    let exported = fs::read_to_string(machine.root.join("src/ana.jsonl")).unwrap();
    assert!(exported.contains("Ana Sousa") && exported.contains("\"whole\":true"), "{exported}");
    let mode = fs::metadata(machine.root.join("src/ana.jsonl")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert!(machine.types("meantime-server check --config /etc/meantime/server.toml").contains("has 0 teams"));
}

/// The lines of a block that begin so.
fn block_of(block: &str, begin: &str) -> String {
    block.lines().filter(|line| line.starts_with(begin)).map(|line| format!("{line}\n")).collect()
}

fn certbot(machine: &Machine, hook: &str) {
    let live = machine.root.join("etc/letsencrypt/live/NAME");
    fs::create_dir_all(&live).unwrap();
    fs::write(live.join("privkey.pem"), "key").unwrap();
    fs::write(live.join("fullchain.pem"), "chain").unwrap();
    machine.types(&format!("export RENEWED_LINEAGE=/etc/letsencrypt/live/NAME\n{hook}"));
    assert_eq!(fs::read_to_string(machine.root.join("etc/meantime/tls/key.pem")).unwrap(), "key");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_administrator_gets_to_postgresql_by_the_page_alone() {
    if !PostgresServer::is_installed() || !there_is("createdb") || !there_is("openssl") {
        return;
    }
    let server = tokio::task::block_in_place(PostgresServer::start);
    server.sql("postgres", "REVOKE meantime_app FROM meantime; DROP ROLE meantime_app; DROP ROLE meantime");
    let machine = Machine::new(server.port());
    let all: Vec<String> = blocks();
    assert_eq!(all.iter().filter(|block| POSTGRES.iter().any(|words| block.contains(words))).count(), POSTGRES.len());

    let install = block("useradd");
    machine.types(&(block_of(&install, "install -m") + &block_of(&install, "install -d")));
    machine.types(&block(POSTGRES[0]));
    let printed = machine.types(&block(POSTGRES[1]));
    machine.types("systemctl start meantime-server");
    machine.joined(&printed, "Ana Sousa").await;
    assert!(machine.types(&block("journalctl")).contains("ok: the database"));
    let back = block("--from /mnt/elsewhere/meantime/2026-11-22T041500.123Z\n# ");
    machine.types(&block("install -d -m 700 -o meantime -g meantime /mnt/elsewhere"));
    machine.types(&block("backup --config /etc/meantime/server.toml --to"));
    // Beside the server, which goes on.
    let drilled = machine.types(&block(POSTGRES[2]));
    assert!(drilled.contains("ok: the database") && !drilled.contains("FAULT"), "{drilled}");
    machine.types(&back);
    machine.types("systemctl stop meantime-server");
    let dump = machine.root.join("mnt/elsewhere/meantime").join(machine.newest_backup().unwrap()).join("server.dump");
    fs::copy(dump, machine.root.join("src/server.dump")).unwrap();
    assert_eq!(json(&machine.types(&block(POSTGRES[3])), "new_life"), true);
    let printed =
        machine.types("systemctl start meantime-server\nmeantime-server invite --config /etc/meantime/server.toml");
    machine.joined(&printed, "Kofi").await;
}

/// What the page says to watch is what there is to watch.
#[tokio::test]
async fn the_numbers_on_the_page_are_there() {
    let world = World::tuned(&[("listen = \"\"", "listen = \"127.0.0.1:0\"")]).await;
    // How long answers took is told from the first one on.
    assert!(world.client().alive().await);
    let (_, told) = world.monitored("metrics").await;
    let (_, section) = PAGE.split_once("## Monitoring\n").unwrap();
    let (section, _) = section.split_once("\n### Logs").unwrap();
    let mut names = 0;
    for part in section.split("meantime_").skip(1) {
        let name = part.split(|c: char| !c.is_ascii_lowercase() && c != '_').next().unwrap();
        assert!(told.contains(&format!("meantime_{name}")), "meantime_{name}:\n{told}");
        names += 1;
    }
    assert!(names > 20, "{names}");
}
