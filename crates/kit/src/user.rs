//! Some servers refuse to run as root, as tests in containers do.

use std::path::Path;
use std::process::Command;

/// A command that runs as `user` where this is root, and as this user elsewhere.
#[must_use]
pub fn as_user(user: Option<&str>, program: &Path) -> Command {
    let Some(user) = user.filter(|_| is_root()) else { return Command::new(program) };
    let mut command = Command::new("setpriv");
    command.args([&format!("--reuid={user}"), &format!("--regid={user}"), "--clear-groups", "--"]).arg(program);
    command
}

/// Whether this is root.
#[must_use]
pub fn is_root() -> bool {
    Command::new("id").arg("-u").output().is_ok_and(|id| id.stdout.trim_ascii() == b"0")
}
