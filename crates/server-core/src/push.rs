//! Takes changes: each is judged by itself, what is allowed is committed
//! together, and what is refused blocks nothing behind it.

use crate::access::active_role;
use crate::core::{TRIES, busy, failed};
use crate::devices::unauthorized;
use crate::join::member_key;
use crate::limits::{LOOKED_AT, LOOKED_AT_BYTES};
use crate::row::weight;
use crate::rules::{self, Verdict, View};
use crate::storage::{Batch, Change, Commit, Storage, Taken};
use crate::{Actor, Core, Key, Row, TeamScope};
use chrono::{DateTime, Utc};
use meantime_model::{OpId, PersonId};
use meantime_protocol::http::{Op, OpResult, PushOutcome};
use meantime_protocol::{Code, MAX_FIELDS_BYTES, MAX_OPS, Problem};
use std::collections::{HashMap, HashSet};

/// Records read in one call of the storage: with the biggest there are, as
/// much as a push may bring into memory.
const AT_ONCE: usize = LOOKED_AT_BYTES / MAX_FIELDS_BYTES;

/// One op as it came: one that can't be read is refused like any other.
#[derive(Clone, Debug)]
pub struct Incoming {
    /// Its number.
    pub n: u64,
    /// The op, or why it is none.
    pub op: Result<Op, Problem>,
}

/// What was decided, waiting for its commit.
#[derive(Default)]
struct Plan {
    batch: Batch,
    outcomes: Vec<Outcome>,
    /// Index in `batch.writes` of each record's newest image.
    written: HashMap<Key, usize>,
    /// The records that what is allowed relies on.
    relied: HashSet<Key>,
    /// As in [`Taken`].
    forgotten: Option<u64>,
}

enum Outcome {
    Known(PushOutcome),
    /// The seq that this write gets.
    Write(usize),
}

impl<S: Storage> Core<S> {
    /// Takes what is allowed of `ops`, exactly once, durably; one result an op,
    /// in their order.
    ///
    /// # Errors
    /// `too_large` for too many ops, or such that look at too much; `busy`; `internal`. Then nothing was taken
    /// or, after an `internal`, perhaps all: sending it again finds out.
    /// `unauthorized` for somebody who is not in the team any more.
    pub async fn push(&self, actor: &Actor, ops: &[Incoming]) -> Result<Vec<OpResult>, Problem> {
        if ops.len() > MAX_OPS {
            return Err(Problem::new(Code::TooLarge, format!("one push carries at most {MAX_OPS} changes")));
        }
        for _ in 0..TRIES {
            let Plan { batch, outcomes, .. } = self.plan(actor, ops).await?;
            let seqs = if batch.taken.is_empty() {
                Vec::new()
            } else {
                match self.carry_out(actor.team_scope(), batch).await.map_err(failed)? {
                    Commit::Done(seqs) => seqs,
                    Commit::Stale | Commit::InviteGone => {
                        self.still_known(actor).await?;
                        continue;
                    }
                }
            };
            let results = ops.iter().zip(outcomes).map(|(incoming, outcome)| OpResult {
                n: incoming.n,
                outcome: match outcome {
                    Outcome::Known(outcome) => outcome,
                    Outcome::Write(i) => PushOutcome::Applied { seq: seqs.get(i).copied().unwrap_or_default() },
                },
            });
            return Ok(results.collect());
        }
        Err(busy())
    }

    async fn plan(&self, actor: &Actor, ops: &[Incoming]) -> Result<Plan, Problem> {
        let now = self.now();
        let team = actor.team_scope();
        let own = member_key(team, actor.person);
        let mut keys = HashSet::from([own.clone()]);
        for op in readable(ops) {
            keys.extend(rules::needs(actor, op));
            if keys.len() > LOOKED_AT {
                return Err(too_much());
            }
        }
        let keys: Vec<Key> = keys.into_iter().collect();
        let rows = self.looked_at(team, &keys).await?;
        let ns: Vec<u64> = ops.iter().map(|incoming| incoming.n).collect();
        let Taken { ops: taken, forgotten } = self.storage.taken(team, actor.device, &ns).await.map_err(failed)?;
        let people: HashSet<PersonId> = readable(ops).flat_map(rules::counts).collect();
        let people: Vec<PersonId> = people.into_iter().collect();
        // Before the circles are counted: a commit that puts somebody into one
        // relies on their being as many still.
        let access = match people.as_slice() {
            [] => None,
            _ => Some(self.storage.access(team).await.map_err(failed)?),
        };
        let circles = match people.as_slice() {
            [] => Vec::new(),
            people => self.storage.circles(team, people).await.map_err(failed)?,
        };

        let mut plan = Plan { forgotten, ..Plan::default() };
        plan.batch.at = now;
        let seqs: HashMap<Key, u64> =
            keys.iter().cloned().zip(rows.iter().map(|row| row.as_ref().map_or(0, |row| row.record.seq))).collect();
        let counts = people.into_iter().zip(circles.iter().map(Vec::len));
        let mut view = View::new(keys.into_iter().zip(rows), counts);
        // What they may do is what stands in their record now, and the commit
        // relies on it.
        let role = view.row(&own).and_then(active_role).ok_or_else(unauthorized)?;
        let actor = &Actor { role, ..actor.clone() };
        let mut numbers: HashMap<u64, OpId> =
            ns.iter().zip(taken).filter_map(|(n, op)| op.map(|op| (*n, op))).collect();
        for incoming in ops {
            let outcome = plan.take(actor, incoming, &mut view, &mut numbers, now);
            plan.outcomes.push(outcome);
        }
        // What was refused changes nothing, so nothing relies on why.
        plan.relied.insert(own);
        plan.batch.expects = plan.relied.drain().filter_map(|key| seqs.get(&key).map(|seq| (key, *seq))).collect();
        if plan.batch.changes.iter().any(Change::moves_access) {
            plan.batch.access = access;
        }
        Ok(plan)
    }

    /// The rows of some keys, in their order, given that they are not too much.
    async fn looked_at(&self, team: TeamScope, keys: &[Key]) -> Result<Vec<Option<Row>>, Problem> {
        let (mut rows, mut bytes) = (Vec::with_capacity(keys.len()), 0);
        for keys in keys.chunks(AT_ONCE) {
            let some = self.storage.get(team, keys).await.map_err(failed)?;
            bytes += some.iter().flatten().map(|row| weight(&row.record.fields)).sum::<usize>();
            if bytes > LOOKED_AT_BYTES {
                return Err(too_much());
            }
            rows.extend(some);
        }
        Ok(rows)
    }
}

impl Plan {
    fn take(
        &mut self,
        actor: &Actor,
        incoming: &Incoming,
        view: &mut View,
        numbers: &mut HashMap<u64, OpId>,
        now: DateTime<Utc>,
    ) -> Outcome {
        let rejected = |problem| Outcome::Known(PushOutcome::Rejected { problem });
        let op = match &incoming.op {
            Ok(op) => op,
            Err(problem) => return rejected(problem.clone()),
        };
        match numbers.get(&op.n) {
            Some(known) if *known == op.op_id => return Outcome::Known(PushOutcome::Duplicate),
            // A device that counts from the start again must not lose what it sends.
            Some(_) => return rejected(number_used()),
            // Nor what it sent so long ago that nobody knows any more whether it was taken.
            None if self.forgotten.is_some_and(|forgotten| op.n <= forgotten) => return rejected(number_used()),
            None => {}
        }
        let verdict = match rules::judge(actor, op, view, now) {
            Ok(verdict) => verdict,
            Err(problem) => return rejected(problem),
        };
        numbers.insert(op.n, op.op_id);
        self.relied.extend(rules::needs(actor, op));
        self.batch.taken.push((actor.device, op.n, op.op_id));
        let key = rules::target(op);
        match verdict {
            Verdict::Write(row) => {
                let before = view.row(&key).cloned();
                let write = self.write((*row).clone(), view);
                for attachment in rules::referred(actor, op, &row.record, view, now) {
                    self.write(attachment, view);
                }
                if let Some(members) = rules::members_of(&row) {
                    self.circle(actor, before.as_ref(), &row, members, view);
                }
                Outcome::Write(write)
            }
            Verdict::Same => match self.written.get(&key) {
                Some(write) => Outcome::Write(*write),
                None => {
                    let seq = view.row(&key).map_or(0, |row| row.record.seq);
                    Outcome::Known(PushOutcome::Applied { seq })
                }
            },
        }
    }

    fn write(&mut self, row: Row, view: &mut View) -> usize {
        self.written.insert(row.key(), self.batch.writes.len());
        self.batch.writes.push(row.clone());
        view.put(row);
        self.batch.writes.len() - 1
    }

    /// What follows from who is in a circle now.
    fn circle(&mut self, actor: &Actor, before: Option<&Row>, row: &Row, members: Vec<PersonId>, view: &mut View) {
        let were = before.and_then(rules::members_of).unwrap_or_default();
        for person in members.iter().filter(|person| !were.contains(person)) {
            view.joins(*person);
        }
        for row in rules::introduced(view, actor, before, &members) {
            self.write(row, view);
        }
        self.batch.changes.push(Change::Circle { circle: row.record.id, members });
    }
}

fn too_much() -> Problem {
    Problem::new(Code::TooLarge, "these changes refer to too much at once; divide them")
}

fn number_used() -> Problem {
    Problem::new(Code::Conflict, "this device has used that number for another change; it has to join again")
}

fn readable(ops: &[Incoming]) -> impl Iterator<Item = &Op> {
    ops.iter().filter_map(|incoming| incoming.op.as_ref().ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::Memory;
    use crate::suite::World;
    use meantime_protocol::kinds::Role;
    use meantime_protocol::{Epoch, Kind};
    use serde_json::json;
    use uuid::Uuid;

    #[tokio::test]
    async fn a_commit_relies_on_what_was_taken() {
        let world = World::new(Memory::new(Epoch(1))).await;
        let ana = world.someone("Ana", Role::Owner).await;
        let thread = world.thread(&ana, "There").await;
        let asked: Vec<PersonId> = (0..100).map(|_| PersonId::new()).collect();
        let fields = json!({"title": "x", "urgency": "red", "asked": asked});
        let refused = ana.op(&world.scope(), Kind::THREAD, fields.as_object().unwrap().clone());
        let taken = ana.message(&world.scope(), thread, "x");
        let ops = [refused, taken.clone()].map(|op| Incoming { n: op.n, op: Ok(op) });
        let plan = world.core.plan(&ana.actor, &ops).await.unwrap();
        let mut relied: Vec<Uuid> = plan.batch.expects.iter().map(|(key, _)| key.id).collect();
        relied.sort();
        let mut expected = vec![ana.actor.person.0, thread, taken.id];
        expected.sort();
        assert_eq!(relied, expected);
    }
}
