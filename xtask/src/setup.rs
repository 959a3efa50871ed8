//! Installs what is missing, or says exactly what is.
//!
//! On Debian and Ubuntu, as root or with a sudo that asks no password, it
//! installs; elsewhere it names the packages and stops. What is there already
//! is found without the network, so a second run takes no time.

use crate::{paths, step};
use anyhow::{Result, bail};
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Packages for one purpose, by the names of each system.
pub struct Set {
    debian: &'static [&'static str],
    fedora: &'static str,
    arch: &'static str,
}

/// To build the app and start it.
pub const BUILD: Set = Set {
    debian: &["build-essential", "pkg-config", "libwebkit2gtk-4.1-dev", "librsvg2-dev", "libdbus-1-dev"],
    fedora: "gcc gcc-c++ make pkgconf-pkg-config webkit2gtk4.1-devel librsvg2-devel dbus-devel",
    arch: "base-devel webkit2gtk-4.1 librsvg dbus",
};

/// To run the tests and the tour: a display, a session bus, a notification
/// daemon, a keyring, mail servers, what several team servers share, what
/// drives the window, and what shows a program's system calls.
pub const TEST: Set = Set {
    debian: &[
        "at-spi2-core",
        "dbus",
        "dbus-x11",
        "dovecot-imapd",
        "dunst",
        "fonts-dejavu-core",
        "gnome-keyring",
        "imagemagick",
        "nats-server",
        "pebble",
        "postgresql",
        "procps",
        "python3-aiosmtpd",
        "python3-venv",
        "strace",
        "webkit2gtk-driver",
        "xauth",
        "xvfb",
    ],
    fedora: "at-spi2-core dbus-daemon dovecot dunst dejavu-sans-fonts gnome-keyring ImageMagick nats-server \
             postgresql-server procps-ng python3-aiosmtpd strace webkit2gtk-driver xauth xorg-x11-server-Xvfb",
    arch: "at-spi2-core dbus dovecot dunst ttf-dejavu gnome-keyring imagemagick nats-server postgresql procps-ng \
           python-aiosmtpd strace webkit2gtk-4.1 xorg-xauth xorg-server-xvfb",
};

/// What the benchmarks of the app compare it with.
pub const BENCH: Set = Set {
    debian: &["chromium", "libnotmuch-dev", "notmuch", "thunderbird"],
    fedora: "chromium notmuch notmuch-devel thunderbird",
    arch: "chromium notmuch thunderbird",
};

/// What the benchmarks of the team server compare it with, and run it on.
pub const BENCH_SERVER: Set = Set {
    debian: &["build-essential", "ejabberd", "nats-server", "postgresql", "procps", "python3-venv"],
    fedora: "gcc ejabberd nats-server postgresql-server procps-ng python3",
    arch: "base-devel ejabberd nats-server postgresql procps-ng python",
};

/// Tries the team server out; only PyPI has it.
const SCHEMATHESIS: &str = "schemathesis==4.32.5";

/// The peer of the team server that only PyPI has, and what it needs for PostgreSQL.
const SYNAPSE: [&str; 2] = ["matrix-synapse==1.163.2", "psycopg2-binary==2.9.13"];

/// Sees to it that all packages of these sets, and Node, are there.
pub fn packages(sets: &[Set]) -> Result<()> {
    node()?;
    if Path::new("/etc/debian_version").exists() {
        return debian(sets.iter().flat_map(|set| set.debian).copied().collect());
    }
    if cfg!(target_os = "linux") {
        return other_linux(sets);
    }
    Ok(()) // The compiler's own tools; without them Rust would not be here.
}

/// Says so where something can't run.
pub fn only_on_linux(what: &str) -> Result<()> {
    if !cfg!(target_os = "linux") {
        bail!("{what} needs Linux: it starts a display, a session bus and servers that are at home there");
    }
    Ok(())
}

/// rustfmt and clippy, which a minimal Rust lacks.
pub fn rust_components() -> Result<()> {
    for (name, subcommand) in [("rustfmt", "fmt"), ("clippy", "clippy")] {
        if !succeeds("cargo", &[subcommand, "--version"]) {
            let mut rustup = paths::command("rustup");
            rustup.args(["component", "add", name]);
            step::run(&format!("rustup component add {name}"), rustup, step::minutes(10))?.or_stop()?;
        }
    }
    Ok(())
}

/// Where `tauri-driver` is, once [`tauri_driver`] succeeded.
pub fn tauri_driver_path() -> PathBuf {
    paths::tools().join("bin/tauri-driver")
}

/// The program between a WebDriver client and the app; only crates.io has it.
pub fn tauri_driver() -> Result<()> {
    if !cfg!(target_os = "linux") || tauri_driver_path().exists() {
        return Ok(());
    }
    let root = paths::tools();
    let root = root.to_string_lossy();
    let install = ["install", "tauri-driver", "--version", "^2.1", "--locked", "--root", &root];
    let mut cargo = paths::cargo(&install);
    // Its own folder: it is built once, and never again with ours.
    cargo.env("CARGO_TARGET_DIR", paths::target().join("tools")).current_dir(env::temp_dir());
    step::run("cargo install tauri-driver", cargo, step::minutes(20))?.or_stop()
}

/// Where Synapse's programs are, once [`synapse`] succeeded.
pub fn synapse_programs() -> PathBuf {
    paths::tools().join("synapse/bin")
}

/// Where schemathesis is, once [`schemathesis`] succeeded.
pub fn schemathesis_path() -> PathBuf {
    paths::tools().join("schemathesis/bin/schemathesis")
}

/// Schemathesis, which tries the server out by docs/openapi.json, in a virtual
/// environment of its own; only PyPI has it.
pub fn schemathesis() -> Result<()> {
    if !cfg!(target_os = "linux") || schemathesis_path().exists() {
        return Ok(());
    }
    let folder = paths::tools().join("schemathesis");
    let mut make = paths::command("python3");
    make.args(["-m", "venv", "--clear"]).arg(&folder);
    step::run("a virtual environment for schemathesis", make, step::minutes(5))?.or_stop()?;
    let mut install = paths::command(&folder.join("bin/python").to_string_lossy());
    install.args(["-m", "pip", "install", "--quiet", SCHEMATHESIS]);
    step::run("pip install schemathesis", install, step::minutes(10))?.or_stop()
}

/// Synapse, in a virtual environment of its own.
pub fn synapse() -> Result<()> {
    let folder = paths::tools().join("synapse");
    let python = synapse_programs().join("python");
    if succeeds(&python.to_string_lossy(), &["-c", "import psycopg2, synapse"]) {
        return Ok(());
    }
    let mut make = paths::command("python3");
    make.args(["-m", "venv", "--clear"]).arg(&folder);
    step::run("a virtual environment for Synapse", make, step::minutes(5))?.or_stop()?;
    let mut install = paths::command(&python.to_string_lossy());
    install.args(["-m", "pip", "install", "--quiet"]).args(SYNAPSE);
    step::run("pip install matrix-synapse", install, step::minutes(20))?.or_stop()
}

fn node() -> Result<()> {
    const NEEDED: (u32, u32) = (20, 19);
    let found =
        Command::new("node").arg("--version").output().map(|out| String::from_utf8_lossy(&out.stdout).into_owned());
    let found = found.unwrap_or_default();
    let mut numbers = found.trim().trim_start_matches('v').split('.').map_while(|part| part.parse::<u32>().ok());
    match (numbers.next(), numbers.next()) {
        (Some(major), Some(minor)) if (major, minor) >= NEEDED => Ok(()),
        (Some(_), _) => bail!("Node {} is too old; install Node 22 from https://nodejs.org", found.trim()),
        _ => bail!("Node is missing; install Node 22 from https://nodejs.org"),
    }
}

fn debian(wanted: Vec<&str>) -> Result<()> {
    let missing = missing_on_debian(&wanted);
    if missing.is_empty() {
        return Ok(());
    }
    let Some(as_root) = as_root() else {
        bail!(
            "these packages are missing, and installing them needs root:\n\n  sudo apt-get install {}\n",
            missing.join(" ")
        );
    };
    println!("installing {}", missing.join(" "));
    let mut update = as_root("apt-get");
    update.args(["update", "--quiet"]);
    // Without a network the lists that are there may still do.
    step::run("apt-get update", update, step::minutes(10))?;
    let mut install = as_root("apt-get");
    install.args(["install", "--yes", "--quiet", "--no-install-recommends"]).args(&missing);
    step::run("apt-get install", install, step::minutes(30))?.or_stop()?;
    if Path::new("/run/systemd/system").exists() {
        // These packages start a server for the whole machine. The tests start
        // their own, so nobody asked for those.
        for (package, units) in [
            ("dovecot-imapd", &["dovecot.service", "dovecot.socket"][..]),
            ("ejabberd", &["ejabberd.service"]),
            ("nats-server", &["nats-server.service"]),
            ("postgresql", &["postgresql.service"]),
        ] {
            if missing.contains(&package) {
                let mut disable = as_root("systemctl");
                disable.args(["disable", "--now"]).args(units);
                step::run(&format!("the machine's own {package}: off"), disable, step::minutes(2))?;
            }
        }
    }
    Ok(())
}

fn missing_on_debian<'a>(wanted: &[&'a str]) -> Vec<&'a str> {
    let query = Command::new("dpkg-query")
        .args(["--show", "--showformat=${Package} ${db:Status-Status}\n"])
        .args(wanted)
        .output();
    let installed = query.map(|out| String::from_utf8_lossy(&out.stdout).into_owned()).unwrap_or_default();
    let installed: Vec<&str> = installed.lines().filter_map(|line| line.strip_suffix(" installed")).collect();
    wanted.iter().filter(|name| !installed.contains(*name)).copied().collect()
}

/// How to start a program as root without a question, if at all.
fn as_root() -> Option<impl Fn(&str) -> Command> {
    let uid = Command::new("id").arg("-u").output().ok()?;
    let sudo = match uid.stdout.trim_ascii() {
        b"0" => false,
        _ if succeeds("sudo", &["-n", "true"]) => true,
        _ => return None,
    };
    Some(move |program: &str| {
        let mut command = if sudo { Command::new("sudo") } else { Command::new("env") };
        if sudo {
            command.args(["-n", "env"]);
        }
        // RUNLEVEL keeps packages from starting services where there is no systemd.
        command.args(["DEBIAN_FRONTEND=noninteractive", "RUNLEVEL=1", program]);
        command
    })
}

fn other_linux(sets: &[Set]) -> Result<()> {
    if succeeds("pkg-config", &["--exists", "webkit2gtk-4.1", "librsvg-2.0", "dbus-1"]) && programs_there(sets) {
        return Ok(());
    }
    let system = fs::read_to_string("/etc/os-release").unwrap_or_default();
    let like = |name: &str| system.lines().any(|line| line.starts_with("ID") && line.contains(name));
    let all = |names: fn(&Set) -> &'static str| sets.iter().map(names).collect::<Vec<_>>().join(" ");
    if like("fedora") || like("rhel") {
        bail!("install what is missing, then start again:\n\n  sudo dnf install {}\n", all(|set| set.fedora));
    }
    if like("arch") {
        bail!("install what is missing, then start again:\n\n  sudo pacman -S --needed {}\n", all(|set| set.arch));
    }
    let debian: Vec<&str> = sets.iter().flat_map(|set| set.debian).copied().collect();
    bail!("install what Debian calls {}, then start again", debian.join(" "))
}

/// Only for the tests: the programs they start.
fn programs_there(sets: &[Set]) -> bool {
    let testing = sets.iter().any(|set| set.debian == TEST.debian);
    let programs = [
        "Xvfb",
        "dbus-daemon",
        "dovecot",
        "dunst",
        "gnome-keyring-daemon",
        "import",
        "nats-server",
        "postgres",
        "WebKitWebDriver",
    ];
    !testing || programs.iter().all(|program| succeeds("sh", &["-c", &format!("command -v {program}")]))
}

/// Whether a program is there and ends well.
pub fn succeeds(program: &str, args: &[&str]) -> bool {
    Command::new(program)
        .args(args)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}
