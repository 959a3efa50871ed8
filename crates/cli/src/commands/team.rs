//! `team`.

use super::times;
use crate::reach::Reached;
use crate::show::Out;
use crate::stop::Stop;
use chrono::NaiveDate;
use clap::Args;
use meantime_engine::api::TeamQuery;

#[derive(Args)]
pub(crate) struct TeamArgs {
    /// Which day, in my zone [default: today]
    #[arg(long, value_name = "YYYY-MM-DD")]
    day: Option<NaiveDate>,
}

pub(crate) async fn run(engine: &Reached, args: TeamArgs, out: &mut Out) -> Result<(), Stop> {
    let page = engine.team(TeamQuery { day: args.day }).await?;
    Ok(out.reply(&page, &times(engine, out).await?)?)
}
