//! Removing an account. What is lost with it is said before, and given back
//! afterwards.

use crate::accounts::{earlier_name, secret_name};
use crate::api::*;
use crate::engine::Engine;
use meantime_model::AccountId;
use meantime_platform::Secrets as _;
use meantime_store::{account, unsent};
use std::sync::Arc;

/// Titles named in one sentence.
const NAMED: usize = 5;

impl Engine {
    pub(crate) async fn unsent_of(&self, id: AccountId) -> Result<Unsent, Failure> {
        self.account_row(id).await?;
        self.read(move |db| Ok(shown(unsent::of(db, id)?))).await
    }

    /// The check and the removal are one step, so that nothing typed in
    /// between is lost unsaid; only then its task is ended.
    pub(crate) async fn forget_account(self: &Arc<Self>, args: RemoveAccount) -> Result<Unsent, Failure> {
        let id = args.id;
        let row = self.account_row(id).await?;
        let name = row.name;
        let lost = self
            .write(move |tx| {
                let lost = unsent::of(tx, id)?;
                if !lost.is_empty() && !args.lose_unsent {
                    return Err(Failure::new(FailureCode::NotPossible, would_be_lost(&name, &lost)));
                }
                account::remove(tx, id)?;
                Ok(shown(lost))
            })
            .await?;
        let running = self.live().accounts.remove(&id);
        if let Some(running) = running {
            running.stop.cancel();
        }
        if row.kind == account::AccountKind::Team {
            self.leave_team().await;
        }
        self.safe.delete(&secret_name(id)).await?;
        self.safe.delete(&earlier_name(id)).await?;
        self.tell(&[Tag::Accounts, Tag::Inbox, Tag::Team, Tag::Status]);
        Ok(lost)
    }
}

fn would_be_lost(name: &str, lost: &unsent::Unsent) -> String {
    let mut parts = Vec::new();
    if !lost.texts.is_empty() {
        let named = lost.texts.iter().take(NAMED).map(|text| format!("“{}” ({})", text.title, word(text.state)));
        let mut titles = named.collect::<Vec<_>>().join(", ");
        if lost.texts.len() > NAMED {
            titles.push_str(&format!(" and {} more", lost.texts.len() - NAMED));
        }
        parts.push(match lost.texts.len() {
            1 => format!("one text that was never sent: {titles}"),
            n => format!("{n} texts that were never sent: {titles}"),
        });
    }
    match lost.changes {
        0 => {}
        1 => parts.push("one change that was not written back".to_owned()),
        n => parts.push(format!("{n} changes that were not written back")),
    }
    format!("{name} was not removed. With it would be lost {}.", parts.join("; and "))
}

fn word(state: unsent::State) -> &'static str {
    match state {
        unsent::State::Draft => "draft",
        unsent::State::Waiting => "on its way",
        unsent::State::Refused => "refused",
    }
}

/// In the interface's words.
fn shown(unsent: unsent::Unsent) -> Unsent {
    let state = |state| match state {
        unsent::State::Draft => UnsentState::Draft,
        unsent::State::Waiting => UnsentState::Waiting,
        unsent::State::Refused => UnsentState::Refused,
    };
    let texts = unsent.texts.into_iter();
    let texts = texts.map(|text| UnsentText { title: text.title, state: state(text.state), text: text.text }).collect();
    Unsent { texts, changes: unsent.changes }
}
