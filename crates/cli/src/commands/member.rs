//! `member`: who is in the team, and what owners and admins decide.

use super::times;
use crate::reach::Reached;
use crate::show::{Out, clean, short};
use crate::stop::Stop;
use clap::{Args, Subcommand, ValueEnum};
use meantime_engine::api::{FailureCode, MemberRef, NewInvite, Nothing, Role, SetRole, TeamMember};

#[derive(Args)]
pub(crate) struct MemberArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Who is in the team, and what they may do
    List,
    /// Change what somebody may do (owners and admins)
    Role {
        #[command(flatten)]
        who: Who,
        /// From now on
        #[arg(value_enum)]
        role: RoleArg,
    },
    /// Take somebody out of the team (owners and admins)
    Remove(Who),
    /// A link for who lost all devices, or was removed and comes back
    Link(Who),
    /// A link for somebody new (owners and admins)
    Invite {
        /// What they become
        #[arg(long, value_enum, default_value = "member")]
        role: RoleArg,
        /// For how long it is good
        #[arg(long, default_value_t = 72, value_parser = clap::value_parser!(u32).range(1..=72))]
        hours: u32,
    },
}

#[derive(Args)]
struct Who {
    /// Their id, the end of it, or their name, as `member list` shows them
    id: String,
}

/// What somebody may do, as it is typed.
#[derive(Clone, Copy, ValueEnum)]
enum RoleArg {
    /// Everything, and makes owners
    Owner,
    /// Invites, decides about members
    Admin,
    /// Reads and writes threads
    Member,
    /// In the circles they were added to
    Guest,
}

pub(crate) async fn run(engine: &Reached, args: MemberArgs, out: &mut Out) -> Result<(), Stop> {
    match args.what {
        What::List => {
            let members = engine.members(Nothing {}).await?;
            Ok(out.reply(&members, &times(engine, out).await?)?)
        }
        What::Role { who, role } => {
            let member = find(engine, &who.id).await?;
            let done = engine.set_role(SetRole { person: member.id, role: role.into() }).await?;
            Ok(out.sentence(&done, format!("{} is {} now.", clean(&member.name), word(role.into())))?)
        }
        What::Remove(who) => {
            let member = find(engine, &who.id).await?;
            let done = engine.remove_member(MemberRef { person: member.id }).await?;
            Ok(out.sentence(&done, format!("{} is not in the team any more.", clean(&member.name)))?)
        }
        What::Link(who) => {
            let member = find(engine, &who.id).await?;
            let link = engine.member_link(MemberRef { person: member.id }).await?;
            Ok(out.reply(&link, &times(engine, out).await?)?)
        }
        What::Invite { role, hours } => {
            let link = engine.invite(NewInvite { role: role.into(), valid_hours: hours }).await?;
            Ok(out.reply(&link, &times(engine, out).await?)?)
        }
    }
}

/// A role in the words of a sentence.
pub(crate) fn word(role: Role) -> &'static str {
    match role {
        Role::Owner => "an owner",
        Role::Admin => "an admin",
        Role::Member => "a member",
        Role::Guest => "a guest",
    }
}

/// The one person with this id, end of an id, or name.
async fn find(engine: &Reached, wanted: &str) -> Result<TeamMember, Stop> {
    let members = engine.members(Nothing {}).await?.members;
    let wanted = wanted.trim().to_lowercase();
    let is = |member: &TeamMember| {
        member.name.to_lowercase() == wanted || wanted.len() >= 4 && member.id.to_string().ends_with(&wanted)
    };
    let mut found = members.into_iter().filter(is);
    match (found.next(), found.next()) {
        (Some(one), None) => Ok(one),
        (None, _) => Err(Stop::new(FailureCode::NotFound, "there is no such person; see `meantime member list`")),
        (Some(one), Some(other)) => {
            Err(Stop::usage(format!("that may be {} or {}; write more of the id", short(one.id), short(other.id))))
        }
    }
}

impl From<RoleArg> for Role {
    fn from(role: RoleArg) -> Self {
        match role {
            RoleArg::Owner => Self::Owner,
            RoleArg::Admin => Self::Admin,
            RoleArg::Member => Self::Member,
            RoleArg::Guest => Self::Guest,
        }
    }
}
