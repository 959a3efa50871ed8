//! Writes the sample team's history: everybody joins by an invite, says when
//! they work, and writes what they wrote, each at its time.

use super::client::{Client, op};
use super::content::{Said, Team, Thread};
use super::past::PastClock;
use super::state::{Sample, State};
use anyhow::Context as _;
use chrono::{DateTime, TimeDelta, Utc};
use meantime_model::PersonId;
use meantime_protocol::Kind;
use meantime_protocol::http::{InviteRequest, JoinResponse, Op};
use meantime_protocol::kinds::Role;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use uuid::Uuid;

/// When the team was founded.
const FOUNDED: TimeDelta = TimeDelta::days(90);

/// Makes the team on an empty server whose clock is `clock`, beginning with
/// its owner's invite.
pub(super) async fn populate(
    client: &Client,
    clock: &PastClock,
    owner_invite: &str,
    now: DateTime<Utc>,
) -> anyhow::Result<State> {
    let team = Team::read()?;
    let mut state = State { people: BTreeMap::new(), threads: team.threads.iter().map(|_| Uuid::now_v7()).collect() };
    let mut owner: Option<JoinResponse> = None;
    for person in &team.people {
        let request = InviteRequest { valid_hours: 1, role: Role::Member };
        let link = match &owner {
            None => owner_invite.to_owned(),
            Some(owner) => client.invite(owner, &request).await?,
        };
        let joined = client.join(&link, &person.name).await?;
        owner.get_or_insert_with(|| joined.clone());
        let mut sample = Sample { joined, next: 0 };
        let who = sample.joined.clone();
        let member = json!({"title": person.title, "city": person.city});
        client.push(&who, vec![op(&who, sample.number(), Kind::MEMBER, who.person.0, &member)?]).await?;
        state.people.insert(person.key.clone(), sample);
    }
    for (who, ops) in today(&mut state, now)? {
        client.push(&who, ops).await?;
    }
    for (at, by, steps) in history(&team, &state, now)? {
        clock.go_to(at);
        let sample = state.people.get_mut(by).with_context(|| format!("nobody is called {by}"))?;
        let who = sample.joined.clone();
        let ops = steps.into_iter().map(|(kind, id, fields)| op(&who, sample.number(), kind, id, &fields));
        client.push(&who, ops.collect::<anyhow::Result<Vec<Op>>>()?).await?;
    }
    clock.arrive();
    Ok(state)
}

/// Hours, leave and focus as of today, for each person to push.
pub(super) fn today(state: &mut State, now: DateTime<Utc>) -> anyhow::Result<Vec<(JoinResponse, Vec<Op>)>> {
    let mut pushes = Vec::new();
    for person in Team::read()?.people {
        let Some(sample) = state.people.get_mut(&person.key) else { continue };
        let who = sample.joined.clone();
        let mut ops = vec![op(&who, sample.number(), Kind::SCHEDULE, who.person.0, &person.schedule(now))?];
        if let Some(minutes) = person.focus_minutes {
            let focus = json!({"since": now - TimeDelta::minutes(20), "until": now + TimeDelta::minutes(minutes)});
            ops.push(op(&who, sample.number(), Kind::FOCUS, who.person.0, &focus)?);
        }
        pushes.push((who, ops));
    }
    Ok(pushes)
}

/// When the history begins.
pub(super) fn beginning(now: DateTime<Utc>) -> DateTime<Utc> {
    now - FOUNDED
}

type Step = (Kind, Uuid, Value);
type Written<'a> = (DateTime<Utc>, &'a str, Vec<Step>);

/// What was written: when, by whom, what; the oldest first.
fn history<'a>(team: &'a Team, state: &State, now: DateTime<Utc>) -> anyhow::Result<Vec<Written<'a>>> {
    let mut history = Vec::new();
    for (thread, id) in team.threads.iter().zip(&state.threads) {
        for (i, said) in thread.messages.iter().enumerate() {
            let message = json!({"thread": id, "text": said.text, "written_at": said.at(now)});
            let message = (Kind::MESSAGE, Uuid::now_v7(), message);
            let steps = if i == 0 { vec![begin(thread, *id, state)?, message] } else { vec![message] };
            history.push((said.at(now), said.by.as_str(), steps));
        }
        if let Some(outcome @ Said { by, text, .. }) = &thread.outcome {
            history.push((outcome.at(now), by.as_str(), vec![(Kind::THREAD, *id, json!({"outcome": text}))]));
        }
    }
    history.sort_by_key(|(at, ..)| *at);
    Ok(history)
}

fn begin(thread: &Thread, id: Uuid, state: &State) -> anyhow::Result<Step> {
    let person = |key: &String| -> anyhow::Result<PersonId> {
        Ok(state.people.get(key).with_context(|| format!("nobody is called {key}"))?.joined.person)
    };
    let asked = thread.asked.iter().map(person).collect::<anyhow::Result<Vec<_>>>()?;
    let fields = json!({"title": thread.title, "urgency": thread.urgency, "space": thread.space, "asked": asked});
    Ok((Kind::THREAD, id, fields))
}
