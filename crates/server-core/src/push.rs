//! Takes changes: each is judged by itself, what is allowed is committed
//! together, and what is refused blocks nothing behind it.

use crate::core::{TRIES, busy, failed};
use crate::rules::{self, Verdict, View};
use crate::storage::{Batch, Commit, Storage};
use crate::{Actor, Core, Key};
use chrono::{DateTime, Utc};
use meantime_model::OpId;
use meantime_protocol::http::{Op, OpResult, PushOutcome};
use meantime_protocol::{Code, MAX_OPS, Problem, Scope};
use std::collections::{BTreeMap, HashMap, HashSet};

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
    /// `too_large` for too many ops; `busy`; `internal`. Then nothing was taken
    /// or, after an `internal`, perhaps all: sending it again finds out.
    pub async fn push(&self, actor: &Actor, ops: &[Incoming]) -> Result<Vec<OpResult>, Problem> {
        if ops.len() > MAX_OPS {
            return Err(Problem::new(Code::TooLarge, format!("one push carries at most {MAX_OPS} changes")));
        }
        for _ in 0..TRIES {
            let Plan { batch, outcomes, .. } = self.plan(actor, ops).await?;
            let scopes: Vec<Scope> = batch.writes.iter().map(|row| row.record.scope).collect();
            let holds = batch.writes.iter().any(|row| row.held);
            let seqs = if batch.taken.is_empty() {
                Vec::new()
            } else {
                match self.storage.commit(actor.team_scope(), batch).await.map_err(failed)? {
                    Commit::Done(seqs) => seqs,
                    Commit::Stale | Commit::InviteGone => continue,
                }
            };
            let upto: BTreeMap<Scope, u64> = scopes.into_iter().zip(seqs.iter().copied()).collect();
            for (scope, seq) in upto {
                self.hub.moved(actor.team, scope, seq);
            }
            if holds {
                self.held_changed.notify_one();
            }
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
        let keys: HashSet<Key> = readable(ops).flat_map(|op| rules::needs(actor, op)).collect();
        let keys: Vec<Key> = keys.into_iter().collect();
        let rows = self.storage.get(team, &keys).await.map_err(failed)?;
        let ns: Vec<u64> = ops.iter().map(|incoming| incoming.n).collect();
        let taken = self.storage.taken(team, actor.device, &ns).await.map_err(failed)?;

        let mut plan = Plan::default();
        plan.batch.expects =
            keys.iter().zip(&rows).map(|(k, row)| (k.clone(), row.as_ref().map_or(0, |r| r.record.seq))).collect();
        let mut view: View = keys.into_iter().zip(rows).collect();
        let mut numbers: HashMap<u64, OpId> =
            ns.iter().zip(taken).filter_map(|(n, op)| op.map(|op| (*n, op))).collect();
        for incoming in ops {
            let outcome = plan.take(actor, incoming, &mut view, &mut numbers, now);
            plan.outcomes.push(outcome);
        }
        Ok(plan)
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
            Some(_) => {
                let message = "this device has used that number for another change; it has to join again";
                return rejected(Problem::new(Code::Conflict, message));
            }
            None => {}
        }
        let verdict = match rules::judge(actor, op, view, now) {
            Ok(verdict) => verdict,
            Err(problem) => return rejected(problem),
        };
        numbers.insert(op.n, op.op_id);
        self.batch.taken.push((actor.device, op.n, op.op_id));
        let key = rules::target(op);
        match verdict {
            Verdict::Write(row) => {
                self.written.insert(key.clone(), self.batch.writes.len());
                self.batch.writes.push((*row).clone());
                view.insert(key, Some(*row));
                Outcome::Write(self.batch.writes.len() - 1)
            }
            Verdict::Same => match self.written.get(&key) {
                Some(write) => Outcome::Write(*write),
                None => {
                    let seq = view.get(&key).and_then(Option::as_ref).map_or(0, |row| row.record.seq);
                    Outcome::Known(PushOutcome::Applied { seq })
                }
            },
        }
    }
}

fn readable(ops: &[Incoming]) -> impl Iterator<Item = &Op> {
    ops.iter().filter_map(|incoming| incoming.op.as_ref().ok())
}
