//! `settings` and `hours`.

use super::times;
use crate::reach::Reached;
use crate::show::{Out, clean};
use crate::stop::Stop;
use clap::{Args, Subcommand};
use meantime_engine::api::{Hours, Nothing, Settings};
use meantime_model::Schedule;
use serde_json::{Map, Value};
use std::path::PathBuf;

#[derive(Args)]
pub(crate) struct SettingsArgs {
    #[command(subcommand)]
    what: Option<Setting>,
}

#[derive(Subcommand)]
enum Setting {
    /// Print one setting, or all of them
    Get {
        /// Its name, as `meantime settings` shows it
        name: Option<String>,
    },
    /// Change settings
    Set {
        /// Say `focus_minutes=25` or `theme=dark`; a list is written as JSON
        #[arg(required = true, value_name = "NAME=VALUE")]
        changes: Vec<String>,
    },
}

#[derive(Args)]
pub(crate) struct HoursArgs {
    #[command(subcommand)]
    what: Option<HoursWhat>,
}

#[derive(Subcommand)]
enum HoursWhat {
    /// My working hours; --json prints the hours file
    Show,
    /// Take my working hours from an hours file
    Set {
        /// JSON as docs/hours.schema.json describes it; `-` reads stdin
        file: PathBuf,
    },
}

pub(crate) async fn settings(engine: &Reached, args: SettingsArgs, out: &mut Out) -> Result<(), Stop> {
    let mut settings = fields(&engine.settings(Nothing {}).await?)?;
    match args.what {
        None | Some(Setting::Get { name: None }) => print(&settings, out),
        Some(Setting::Get { name: Some(name) }) => {
            let value = settings.get(&name).ok_or_else(|| unknown(&name, &settings))?;
            Ok(out.sentence(value, plain(value))?)
        }
        Some(Setting::Set { changes }) => {
            for change in &changes {
                set(&mut settings, change)?;
            }
            let changed: Settings = serde_json::from_value(Value::Object(settings.clone()))
                .map_err(|e| Stop::usage(format!("this is no value for the setting: {e}")))?;
            engine.set_settings(changed).await?;
            print(&settings, out)
        }
    }
}

fn fields(settings: &Settings) -> Result<Map<String, Value>, Stop> {
    match serde_json::to_value(settings)? {
        Value::Object(fields) => Ok(fields),
        _ => Ok(Map::new()),
    }
}

/// Takes `name=value` over; the value is JSON or, where the setting is text, plain.
fn set(settings: &mut Map<String, Value>, change: &str) -> Result<(), Stop> {
    let (name, value) = change.split_once('=').ok_or_else(|| Stop::usage(format!("{change:?} has no `=`")))?;
    let (name, value) = (name.trim(), value.trim());
    let unknown = unknown(name, settings);
    let field = settings.get_mut(name).ok_or(unknown)?;
    *field = match field {
        Value::String(_) => Value::String(value.trim_matches('"').to_owned()),
        _ => serde_json::from_str(value)
            .map_err(|_| Stop::usage(format!("{value:?} is no value for {name}, which is now {field}")))?,
    };
    Ok(())
}

fn unknown(name: &str, settings: &Map<String, Value>) -> Stop {
    let names: Vec<_> = settings.keys().map(String::as_str).collect();
    Stop::usage(format!("there is no setting {name:?}; there are {}", names.join(", ")))
}

fn print(settings: &Map<String, Value>, out: &mut Out) -> Result<(), Stop> {
    if out.json {
        return Ok(out.json_document(settings)?);
    }
    for (name, value) in settings {
        out.line(format!("{name}={}", plain(value)))?;
    }
    Ok(())
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), clean)
}

pub(crate) async fn hours(engine: &Reached, args: HoursArgs, out: &mut Out) -> Result<(), Stop> {
    let hours = match args.what {
        None | Some(HoursWhat::Show) => engine.hours(Nothing {}).await?,
        Some(HoursWhat::Set { file }) => {
            let schedule = read_hours(&file)?;
            engine.set_hours(Hours { schedule: schedule.clone(), proposed: false }).await?;
            Hours { schedule, proposed: false }
        }
    };
    if out.json {
        return Ok(out.json_document(&hours.schedule)?);
    }
    Ok(out.reply(&hours, &times(engine, out).await?)?)
}

/// An hours file.
pub(crate) fn read_hours(file: &std::path::Path) -> Result<Schedule, Stop> {
    let bytes = super::due::read_file(file)?;
    let value =
        serde_json::from_slice(&bytes).map_err(|e| Stop::usage(format!("{} is not JSON: {e}", file.display())))?;
    Schedule::from_json(value).map_err(|e| Stop::usage(format!("{}: {e}", file.display())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_changed_by_name() {
        let mut settings = fields(&Settings::default()).unwrap();
        for change in ["focus_minutes=25", "theme=dark", "letter_keys = false", "may_interrupt_addresses=[\"a@b.c\"]"] {
            set(&mut settings, change).unwrap();
        }
        let changed: Settings = serde_json::from_value(Value::Object(settings.clone())).unwrap();
        assert_eq!((changed.focus_minutes, changed.letter_keys), (25, false));
        assert_eq!(changed.may_interrupt_addresses, ["a@b.c"]);
        for wrong in ["focus_minutes", "focus_minutes=soon", "no_such=1"] {
            assert!(set(&mut settings, wrong).is_err(), "{wrong}");
        }
    }
}
