//! What goes out: ops in batches, and the files that messages wait for. When
//! it is time for either is the loop's matter.

use super::{End, Syncer, Work};
use crate::backoff;
use crate::{Outgoing, RemoteError, TransferError};
use chrono::TimeDelta;
use meantime_model::backoff::Backoff;
use meantime_protocol::http::{Op, OpResult, PushOutcome, PushRequest};
use meantime_protocol::{Code, Problem};
use tokio::time::Instant;

/// How far apart two clocks may be that agree: as far in the past as the server
/// takes a moment.
const AGREE: TimeDelta = TimeDelta::minutes(5);

impl Syncer {
    /// Pushes one batch. What was to appear while this device was away goes at
    /// once, unless its clock is wrong: then the server says what becomes of it.
    pub(super) async fn push(&self, work: &mut Work) -> Result<(), End> {
        if self.log.has_overdue().await? && self.clocks_agree().await? {
            self.log.send_overdue().await?;
        }
        let Outgoing { ops, next_at } = self.log.outgoing().await?;
        work.push_at = next_at.map(|at| Instant::now() + (at - (self.clock)()).to_std().unwrap_or_default());
        if ops.is_empty() {
            work.push = false;
            self.pushed.notify_one();
            return Ok(());
        }
        let results = match self.send(&ops).await {
            // The request as a whole was refused: find out which op it is.
            Err(RemoteError::Refused(problem)) if ops.len() > 1 && is_about_ops(problem.code) => {
                for op in &ops {
                    let result = self.send(std::slice::from_ref(op)).await;
                    self.log.settle(&blame(op, result)?).await?;
                }
                return Ok(());
            }
            result => match ops.as_slice() {
                [op] => blame(op, result)?,
                _ => result?,
            },
        };
        self.log.settle(&results).await?;
        Ok(())
    }

    /// Sends the files of messages that wait for them, one at a time; after
    /// each the message is pushed, or what may go next. One that fails for a
    /// while is gone on with later: the rest of the connection goes on.
    pub(super) async fn carry_files(&self) -> Result<std::convert::Infallible, End> {
        let mut backoff = Backoff::new(self.tuning.first_retry, self.tuning.longest_retry);
        loop {
            self.pushed.notified().await;
            let Some(file) = self.log.next_file().await? else { continue };
            match self.remote.send_file(&file).await {
                Ok(()) => {
                    backoff.reset();
                    self.log.file_arrived(&file).await?;
                }
                Err(error) => match refusal(error) {
                    Ok(problem) => self.log.file_refused(&file, &problem).await?,
                    Err(e) if e.is_final() => return Err(e.into()),
                    Err(e) => {
                        tracing::debug!(message = %e, "a file did not go up yet");
                        let asked = if let RemoteError::Busy { retry_after } = e { retry_after } else { None };
                        tokio::time::sleep(backoff::fail(&mut backoff, asked)).await;
                    }
                },
            }
            self.nudge.notify_one();
        }
    }

    async fn clocks_agree(&self) -> Result<bool, RemoteError> {
        let theirs = self.remote.time().await?;
        Ok(theirs.is_some_and(|theirs| (theirs - (self.clock)()).abs() <= AGREE))
    }

    async fn send(&self, ops: &[Op]) -> Result<Vec<OpResult>, RemoteError> {
        let request = PushRequest { device: self.device, ops: ops.to_vec() };
        let results = self.remote.push(&request).await?.results;
        if !results.iter().map(|r| r.n).eq(ops.iter().map(|op| op.n)) {
            return Err(RemoteError::Protocol("a push was answered with other outcomes than were asked for".into()));
        }
        Ok(results)
    }
}

/// A request is refused for this because of what an op in it says.
fn is_about_ops(code: Code) -> bool {
    matches!(code, Code::BadRequest | Code::Invalid | Code::TooLarge)
}

/// The outcome of an op that was sent alone: refused as a whole, it was it.
fn blame(op: &Op, result: Result<Vec<OpResult>, RemoteError>) -> Result<Vec<OpResult>, RemoteError> {
    match result {
        Err(RemoteError::Refused(problem)) if is_about_ops(problem.code) => {
            Ok(vec![OpResult { n: op.n, outcome: PushOutcome::Rejected { problem } }])
        }
        other => other,
    }
}

/// Why a file is refused for good; else what may pass.
fn refusal(error: TransferError) -> Result<Problem, RemoteError> {
    match error {
        TransferError::Remote(RemoteError::Refused(problem)) => Ok(problem),
        // Answered to a file, it is about the scope.
        TransferError::Remote(RemoteError::Gone) => {
            Ok(Problem::new(Code::ScopeGone, "the place it was sent to is not there, or not yours"))
        }
        TransferError::Remote(e) => Err(e),
        TransferError::File(message) => Ok(Problem::new(Code::Invalid, message)),
        TransferError::OtherBytes => Ok(Problem::new(Code::Invalid, error.to_string())),
    }
}
