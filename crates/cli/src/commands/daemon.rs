//! `meantime daemon`: the engine without a window.

use crate::reach;
use crate::stop::Stop;
use meantime_app::{Role, Started};
use meantime_engine::api::FailureCode;
use meantime_platform::Dirs;

/// Runs until the process is asked to end, then ends in order.
pub(crate) async fn run(dirs: Dirs) -> Result<(), Stop> {
    let data = dirs.data.clone();
    match reach::start(dirs, Role::Daemon).await? {
        Started::Running(running) => {
            eprintln!("meantime: running with the profile in {}; Ctrl+C ends it", data.display());
            meantime_platform::quit::asked_to_quit().await?;
            eprintln!("meantime: ending");
            running.stop().await;
            Ok(())
        }
        Started::Elsewhere(_) => Err(Stop::new(
            FailureCode::NotPossible,
            format!(
                "another Meantime already runs with the profile in {}; commands talk to that one, or end it first",
                data.display()
            ),
        )),
    }
}
