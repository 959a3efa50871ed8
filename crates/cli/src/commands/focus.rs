//! `focus`.

use super::times;
use crate::reach::{self, Reached};
use crate::show::Out;
use crate::stop::Stop;
use clap::{Args, Subcommand};
use meantime_engine::api::{FocusStart, Nothing};

#[derive(Args)]
pub(crate) struct FocusArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Start a block, or give the running one a new end
    Start {
        /// How long: `50m`, `1h30m`; without it until it is stopped
        #[arg(long = "for", value_name = "LENGTH", value_parser = minutes)]
        length: Option<u32>,
        /// Add it to the running block's end
        #[arg(long, requires = "length")]
        extend: bool,
    },
    /// End the block and hand over what was held
    Stop,
    /// Start a block of the usual length, or end the running one
    Toggle,
    /// The running block, if any
    Status,
}

pub(crate) async fn run(engine: &Reached, args: FocusArgs, out: &mut Out) -> Result<(), Stop> {
    let status = match args.what {
        What::Start { length, extend } => engine.focus_start(FocusStart { minutes: length, extend }).await?,
        What::Stop => engine.focus_stop(Nothing {}).await?,
        What::Toggle => engine.focus_toggle(Nothing {}).await?,
        What::Status => engine.focus_status(Nothing {}).await?,
    };
    out.reply(&status, &times(engine, out).await?)?;
    if reach::is_here(engine) {
        eprintln!(
            "Meantime isn't running: nothing is held or shown until it does. Start the app or `meantime daemon`."
        );
    }
    Ok(())
}

/// `50m`, `2h`, `1h30m` or `50`, in minutes; a day at most.
fn minutes(text: &str) -> Result<u32, String> {
    let wrong = || "write it as 50m, 2h or 1h30m, between one minute and 24 hours".to_owned();
    let number = |text: &str| match text {
        "" => Some(0),
        text if text.bytes().all(|c| c.is_ascii_digit()) => text.parse::<u32>().ok(),
        _ => None,
    };
    let (hours, rest) = text.split_once('h').unwrap_or(("", text));
    let (hours, minutes) = number(hours).zip(number(rest.strip_suffix('m').unwrap_or(rest))).ok_or_else(wrong)?;
    let all = hours.checked_mul(60).and_then(|all| all.checked_add(minutes)).ok_or_else(wrong)?;
    if (1..=24 * 60).contains(&all) { Ok(all) } else { Err(wrong()) }
}

#[cfg(test)]
mod tests {
    use super::minutes;

    #[test]
    fn lengths_are_read() {
        for (text, length) in [("50m", 50), ("50", 50), ("2h", 120), ("1h30m", 90), ("1h30", 90), ("24h", 1440)] {
            assert_eq!(minutes(text), Ok(length), "{text}");
        }
        for text in ["", "m", "h", "0m", "25h", "-5m", "1d", "5 m", "99999999999h", "+5m", "1m5h"] {
            assert!(minutes(text).is_err(), "{text}");
        }
    }
}
