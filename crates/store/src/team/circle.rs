//! Closed circles: who reads a private feed.

use super::effective::{all, effective};
use crate::{Read, Result};
use meantime_model::PersonId;
use meantime_protocol::Kind;
use meantime_protocol::kinds::Space;
use std::collections::BTreeSet;
use uuid::Uuid;

/// Who is in a circle; empty for one that is not known here.
pub fn circle_members(r: &Read<'_>, circle: Uuid) -> Result<Vec<PersonId>> {
    let space: Option<Space> = effective(r, &Kind::SPACE, circle)?.and_then(|row| row.typed());
    Ok(space.map(|space| space.members).unwrap_or_default())
}

/// The circle without a title of exactly these people, the oldest of several.
pub fn circle_of_people(r: &Read<'_>, people: &BTreeSet<PersonId>) -> Result<Option<Uuid>> {
    let same = |space: &Space| {
        space.title.is_none()
            && space.members.len() == people.len()
            && space.members.iter().all(|person| people.contains(person))
    };
    let circles = all(r, &Kind::SPACE)?;
    let found = circles.iter().filter(|row| row.typed::<Space>().is_some_and(|space| same(&space)));
    Ok(found.map(|row| row.id).min())
}
