//! Somebody real joined the sample team: its people ask them, too. What was
//! done is read from the team itself, so a restart neither forgets nor repeats.

use super::client::{Client, op};
use super::content::Team;
use super::state::State;
use crate::data::DataDir;
use anyhow::Context as _;
use futures::StreamExt as _;
use meantime_protocol::http::Op;
use meantime_protocol::kinds;
use meantime_protocol::{Kind, Record};
use serde::Deserialize as _;
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashSet};
use std::time::Duration;
use uuid::Uuid;

/// Waits for people who join, and asks them; as long as the server runs.
pub(super) async fn welcome(client: Client, data: DataDir, mut state: State) {
    loop {
        if let Err(error) = follow(&client, &data, &mut state).await {
            tracing::warn!(%error, "the sample people lost sight of the team");
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

async fn follow(client: &Client, data: &DataDir, state: &mut State) -> anyhow::Result<()> {
    let first = state.people.values().next().context("there are no sample people")?.joined.clone();
    let mut pokes = client.live(&first).await?.bytes_stream();
    // The first poke comes at once; a heartbeat does no harm.
    while let Some(poke) = pokes.next().await {
        poke?;
        let rows = client.everything(&first).await?;
        let pushes = asks(&rows, state)?;
        if !pushes.is_empty() {
            // The numbers given out are kept before they are used.
            state.write(data)?;
        }
        for (by, ops) in pushes {
            let sample = state.people.get(&by).context("the author of a sample thread is gone")?;
            client.push(&sample.joined, ops).await?;
        }
    }
    Ok(())
}

/// What the sample people write, each in one push.
fn asks(rows: &[Record], state: &mut State) -> anyhow::Result<BTreeMap<String, Vec<Op>>> {
    let team = Team::read()?;
    let ours: HashSet<Uuid> = state.people.values().map(|sample| sample.joined.person.0).collect();
    let there: HashSet<Uuid> = rows.iter().map(|row| row.id).collect();
    let new: Vec<&Record> = rows.iter().filter(|row| row.kind == Kind::MEMBER && !ours.contains(&row.id)).collect();
    let mut pushes: BTreeMap<String, Vec<Op>> = BTreeMap::new();
    for (thread, id) in team.threads.iter().zip(state.threads.clone()).filter(|(thread, _)| thread.asks_newcomer) {
        let Some(row) = rows.iter().find(|row| row.kind == Kind::THREAD && row.id == id) else { continue };
        let Some(by) = thread.messages.first().map(|said| said.by.clone()) else { continue };
        let author = state.people.get_mut(&by).context("the author of a sample thread is gone")?;
        let who = author.joined.clone();
        let mut asked = kinds::Thread::deserialize(&Value::Object(row.fields.clone()))?.asked;
        let before = asked.len();
        asked.extend(
            new.iter().map(|m| meantime_model::PersonId(m.id)).filter(|p| !asked.contains(p)).collect::<Vec<_>>(),
        );
        let ops = pushes.entry(by).or_default();
        if asked.len() > before {
            ops.push(op(&who, author.number(), Kind::THREAD, id, &json!({"asked": asked}))?);
        }
        for member in &new {
            // The same id for the same person: said once, however often this runs.
            let message = Uuid::new_v5(&id, member.id.as_bytes());
            if let Some(text) = thread.welcome.as_ref().filter(|_| !there.contains(&message)) {
                let fields = json!({"thread": id, "text": text.replace("{name}", first_name(member))});
                ops.push(op(&who, author.number(), Kind::MESSAGE, message, &fields)?);
            }
        }
    }
    pushes.retain(|_, ops| !ops.is_empty());
    Ok(pushes)
}

fn first_name(member: &Record) -> &str {
    let name = member.fields.get("name").and_then(Value::as_str).unwrap_or_default();
    name.split_whitespace().next().unwrap_or("Hello")
}
