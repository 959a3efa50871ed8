//! Commands that root gives a server of another user: what they make has to be
//! that user's, or the server can't use it.

use crate::data::DataDir;

/// Goes on as the owner of a data folder, where root was asked to work in
/// somebody else's. Changes nothing for everybody else, and where the folder is
/// not there yet.
///
/// # Errors
/// When that user may not run this program.
#[cfg(unix)]
pub fn go_on_as(data: &DataDir) -> anyhow::Result<()> {
    use anyhow::Context as _;
    use std::os::unix::fs::MetadataExt as _;
    use std::os::unix::process::CommandExt as _;
    use std::process::Command;
    let Ok(folder) = std::fs::metadata(data.folder()) else { return Ok(()) };
    if folder.uid() == 0 || !rustix::process::geteuid().is_root() {
        return Ok(());
    }
    let words = std::env::args_os().skip(1);
    let failed = match std::env::current_exe() {
        // Returns only if it can't be.
        Ok(program) => Command::new(program).args(words).uid(folder.uid()).gid(folder.gid()).exec(),
        Err(error) => error,
    };
    let (owner, folder) = (folder.uid(), data.folder().display());
    Err(failed)
        .with_context(|| format!("{folder} is user {owner}'s, and as that user this can't go on; run it as them"))
}

/// There are no such users here.
#[cfg(not(unix))]
pub fn go_on_as(_: &DataDir) -> anyhow::Result<()> {
    Ok(())
}
