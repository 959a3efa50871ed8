//! `settings` and `hours`.

use super::times;
use crate::reach::Reached;
use crate::show::{Out, clean};
use crate::stop::Stop;
use clap::{Args, Subcommand};
use meantime_engine::api::{Hours, Nothing, Settings, TeamQuery};
use meantime_model::{PersonId, Schedule};
use serde_json::{Map, Value};
use std::path::PathBuf;

/// Setting: teammates who may interrupt a focus block.
const INTERRUPT: &str = "may_interrupt";
/// Setting: mail addresses that may.
const INTERRUPT_ADDRESSES: &str = "may_interrupt_addresses";

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
        /// Say `focus_minutes=25`, `theme=dark` or `may_interrupt=Mei,kofi@example.org`; other lists are JSON
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
        None | Some(Setting::Get { name: None }) => print(engine, settings, out).await,
        Some(Setting::Get { name: Some(name) }) => {
            with_names(engine, &mut settings, out).await?;
            let value = settings.get(&name).ok_or_else(|| unknown(&name, &settings))?;
            Ok(out.sentence(value, plain(value))?)
        }
        Some(Setting::Set { changes }) => {
            for change in &changes {
                match change.split_once('=') {
                    Some((name, who)) if name.trim() == INTERRUPT => interrupt(engine, &mut settings, who).await?,
                    _ => set(&mut settings, change)?,
                }
            }
            let changed: Settings = serde_json::from_value(Value::Object(settings.clone()))
                .map_err(|e| Stop::usage(format!("this is no value for the setting: {e}")))?;
            engine.set_settings(changed).await?;
            print(engine, settings, out).await
        }
    }
}

/// Takes those over who may interrupt: teammates by name or id, anybody else
/// by mail address, which is added to the addresses that may.
async fn interrupt(engine: &Reached, settings: &mut Map<String, Value>, who: &str) -> Result<(), Stop> {
    let named = listed(who);
    let (addresses, names): (Vec<_>, Vec<_>) = named.into_iter().partition(|who| who.contains('@'));
    let (ids, names): (Vec<_>, Vec<_>) = names.into_iter().partition(|who| who.parse::<PersonId>().is_ok());
    let mut people: Vec<Value> = ids.into_iter().map(Value::from).collect();
    people.extend(super::write::people(engine, &names).await?.into_iter().map(|id| Value::from(id.to_string())));
    settings.insert(INTERRUPT.to_owned(), people.into());
    if let Some(Value::Array(known)) = settings.get_mut(INTERRUPT_ADDRESSES) {
        for address in addresses {
            let is = |known: &Value| known.as_str().is_some_and(|known| known.eq_ignore_ascii_case(&address));
            if !known.iter().any(is) {
                known.push(address.into());
            }
        }
    }
    Ok(())
}

/// A list as JSON, or as it is said: `Mei, Kofi`.
fn listed(text: &str) -> Vec<String> {
    let list = serde_json::from_str(text).unwrap_or_else(|_| text.split(',').map(str::to_owned).collect::<Vec<_>>());
    list.into_iter().map(|one| one.trim().to_owned()).filter(|one| !one.is_empty()).collect()
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

async fn print(engine: &Reached, mut settings: Map<String, Value>, out: &mut Out) -> Result<(), Stop> {
    with_names(engine, &mut settings, out).await?;
    if out.json {
        return Ok(out.json_document(&settings)?);
    }
    for (name, value) in &settings {
        out.line(format!("{name}={}", plain(value)))?;
    }
    Ok(())
}

/// For people, those who may interrupt by their names, as far as known.
async fn with_names(engine: &Reached, settings: &mut Map<String, Value>, out: &Out) -> Result<(), Stop> {
    let Some(Value::Array(people)) = settings.get_mut(INTERRUPT).filter(|_| !out.json) else { return Ok(()) };
    if people.is_empty() {
        return Ok(());
    }
    let team = engine.team(TeamQuery { day: None }).await?.people;
    for person in people {
        let known = team.iter().find(|known| person.as_str().is_some_and(|id| id == known.id.to_string()));
        if let Some(name) = known.map(|known| clean(&known.name)).filter(|name| !name.is_empty()) {
            *person = name.into();
        }
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
    fn lists_are_said_or_written_as_json() {
        assert_eq!(listed("Mei Lin, kofi@example.org"), ["Mei Lin", "kofi@example.org"]);
        assert_eq!(listed(r#"["Mei Lin","Kofi, the second"]"#), ["Mei Lin", "Kofi, the second"]);
        assert_eq!((listed("[]"), listed(" ")), (vec![], vec![]));
    }

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
