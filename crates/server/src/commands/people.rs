//! `user` and `device`: the people of a team, as whoever runs the server sees
//! and changes them.

use super::begin::As;
use super::place::{Opened, Place};
use super::say;
use anyhow::{Context as _, bail};
use clap::{Args, Subcommand};
use meantime_model::DeviceId;
use meantime_protocol::people::{AuditQuery, MemberLinkRequest};
use meantime_server_core::members::Person;
use meantime_server_core::{By, TeamScope};
use serde_json::json;

/// Arguments of `user` and `device`.
#[derive(Debug, Args)]
pub struct In {
    #[command(flatten)]
    place: Place,
    /// The team, by its name or id; not needed where there is one.
    #[arg(long)]
    team: Option<String>,
}

/// What `user` does.
#[derive(Debug, Subcommand)]
pub enum User {
    /// Everybody who is or was in the team, one line of JSON each.
    List(In),
    /// Change what somebody may do.
    Role {
        #[command(flatten)]
        of: In,
        /// Who, by name or id.
        person: String,
        /// What they may do from now on.
        #[arg(value_enum)]
        role: As,
    },
    /// Take somebody out of the team; what they wrote stays.
    Remove {
        #[command(flatten)]
        of: In,
        /// Who, by name or id.
        person: String,
    },
    /// Print a link that makes its bearer this person: for who lost all devices, or comes back.
    Link {
        #[command(flatten)]
        of: In,
        /// Who, by name or id.
        person: String,
    },
    /// Take somebody's password and authenticator away; their devices stay.
    ResetPassword {
        #[command(flatten)]
        of: In,
        /// Who, by name or id.
        person: String,
    },
    /// What was done with people and devices, newest first, one line of JSON each.
    Log {
        #[command(flatten)]
        of: In,
        /// How many at most.
        #[arg(long, default_value_t = 100)]
        limit: usize,
    },
}

/// What `device` does.
#[derive(Debug, Subcommand)]
pub enum Device {
    /// Somebody's devices, one line of JSON each.
    List {
        #[command(flatten)]
        of: In,
        /// Whose, by name or id.
        person: String,
    },
    /// End a device: it is signed out, and its open streams end.
    End {
        #[command(flatten)]
        of: In,
        /// Its id, as `device list` shows it.
        device: String,
    },
}

/// Does it.
pub async fn user(command: &User) -> anyhow::Result<()> {
    match command {
        User::List(of) => {
            let (opened, team) = of.open().await?;
            for person in opened.core.people(team).await? {
                let Person { id, name, role, removed_at, login, devices } = person;
                let line = json!({
                    "id": id, "name": name, "role": role, "removed_at": removed_at, "login": login, "devices": devices,
                });
                say(&line.to_string())?;
            }
            Ok(())
        }
        User::Role { of, person, role } => {
            let (opened, team, person) = of.person(person).await?;
            Ok(opened.core.set_role(By::Operator(team), person.id, (*role).into()).await?)
        }
        User::Remove { of, person } => {
            let (opened, team, person) = of.person(person).await?;
            Ok(opened.core.remove(By::Operator(team), person.id).await?)
        }
        User::Link { of, person } => {
            let (opened, team, person) = of.person(person).await?;
            let request = MemberLinkRequest { role: None };
            let invite = opened.core.member_link(By::Operator(team), person.id, &request).await?;
            say(&opened.links()?.link(invite))
        }
        User::ResetPassword { of, person } => {
            let (opened, team, person) = of.person(person).await?;
            Ok(opened.core.reset_password(team, person.id).await?)
        }
        User::Log { of, limit } => {
            let (opened, team) = of.open().await?;
            let page = opened.core.audit(team, &AuditQuery { before: None, limit: Some(*limit) }).await?;
            page.entries.iter().try_for_each(|entry| say(&json!(entry).to_string()))
        }
    }
}

/// Does it.
pub async fn device(command: &Device) -> anyhow::Result<()> {
    match command {
        Device::List { of, person } => {
            let (opened, team, person) = of.person(person).await?;
            for device in opened.core.devices(By::Operator(team), person.id).await? {
                let line = json!({
                    "id": device.id, "name": device.name, "since": device.since, "seen_at": device.seen_at,
                });
                say(&line.to_string())?;
            }
            Ok(())
        }
        Device::End { of, device } => {
            let (opened, team) = of.open().await?;
            let id = device.parse().context("a device is named by its id, as `device list` shows it")?;
            Ok(opened.core.revoke(By::Operator(team), DeviceId(id)).await?)
        }
    }
}

impl In {
    pub async fn open(&self) -> anyhow::Result<(Opened, TeamScope)> {
        let opened = self.place.open().await?;
        let team = opened.team(self.team.as_deref()).await?;
        Ok((opened, TeamScope::operator(team.id)))
    }

    pub async fn person(&self, wanted: &str) -> anyhow::Result<(Opened, TeamScope, Person)> {
        let (opened, team) = self.open().await?;
        let person = named(opened.core.people(team).await?, wanted)?;
        Ok((opened, team, person))
    }
}

/// The one person of that name or id.
pub fn named(mut people: Vec<Person>, wanted: &str) -> anyhow::Result<Person> {
    people.retain(|person| person.name == wanted || person.id.to_string() == wanted);
    if people.len() > 1 {
        bail!("several people are called {wanted}; give the id, as `user list` shows it");
    }
    people.pop().with_context(|| format!("nobody here is called {wanted}"))
}
