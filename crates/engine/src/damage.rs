//! A database that was found damaged, told in words: once as a notification,
//! and in the status until the person has seen it. What is put aside and what
//! is saved is the store's to decide.

use crate::api::{Damage, Failure, Nothing, Tag};
use crate::engine::Engine;
use crate::notices;
use meantime_store::account::AccountKind;
use meantime_store::{Read, Recovered, account, setting};

/// Setting: what the person has not seen yet, a list of [`Damage`].
const DAMAGE: &str = "damage";

impl Engine {
    /// Tells the person what became of a damaged database.
    ///
    /// # Errors
    /// The new one failed.
    pub async fn report_damage(&self, what: Recovered) -> Result<Damage, Failure> {
        let now = self.now();
        let told = self.write(move |tx| {
            let accounts = account::all(tx)?;
            let archives = accounts.iter().filter(|row| row.kind == AccountKind::Archive);
            let archives: Vec<String> = archives.map(|row| format!("“{}”", row.name)).collect();
            let text = words(&what, accounts.len(), &archives);
            let damage = Damage { at: now, text, file: what.quarantined.display().to_string() };
            let mut all = unseen(tx)?;
            all.push(damage.clone());
            setting::put(tx, DAMAGE, &all)?;
            notices::push_problem(tx, "The database was damaged", damage.text.clone(), now)?;
            Ok(damage)
        });
        let told = told.await?;
        self.notices.notify_one();
        Ok(told)
    }

    pub(crate) async fn damage_was_seen(&self) -> Result<Nothing, Failure> {
        self.write(|tx| Ok(setting::remove(tx, DAMAGE)?)).await?;
        self.tell(&[Tag::Status]);
        Ok(Nothing {})
    }
}

/// What the person has not seen yet.
pub(crate) fn unseen(db: &Read<'_>) -> Result<Vec<Damage>, Failure> {
    Ok(setting::get(db, DAMAGE)?.unwrap_or_default())
}

/// What was kept, where the old file is, and what to do. What exactly was wrong
/// with it is in SQLite's words, and for the log. `archives`: the accounts whose
/// mail was read from files, which nothing fetches again.
fn words(what: &Recovered, accounts: usize, archives: &[String]) -> String {
    let Recovered { quarantined, unreadable, outbox, drafts, .. } = what;
    let counts = [
        (accounts, "account", "accounts"),
        (*drafts as usize, "draft", "drafts"),
        (*outbox as usize, "change that was not sent yet", "changes that were not sent yet"),
    ];
    let there = counts.into_iter().filter(|(n, ..)| *n > 0);
    let kept: Vec<String> = there.map(|(n, one, many)| format!("{n} {}", if n == 1 { one } else { many })).collect();
    let kept = if kept.is_empty() { String::new() } else { format!(" Kept: {}.", kept.join(", ")) };
    let lost = match unreadable.as_slice() {
        [] => String::new(),
        tables => {
            let named: Vec<&str> = tables.iter().copied().map(plain).collect();
            format!(" Not all could be read of: {}.", named.join(", "))
        }
    };
    let step = match (accounts, unreadable.is_empty(), archives.is_empty()) {
        (0, ..) => "Add your accounts and your team again: messages come back from there.",
        (_, false, _) if unreadable.iter().any(|table| matches!(*table, "account" | "setting")) => {
            "Messages are fetched again; look through your accounts and settings, and add what is missing."
        }
        (_, false, _) => "Messages are fetched again; look what is missing of the rest.",
        (_, true, true) => "Messages are fetched again; nothing is left for you to do.",
        (_, true, false) => "Messages are fetched again.",
    };
    let again = match archives {
        [] => String::new(),
        names => format!(" Import the mail of {} again: it was read from files.", names.join(" and ")),
    };
    format!(
        "The database was damaged; a new one took its place.{kept}{lost} {step}{again} The damaged file is {}: keep it \
         until you have seen that nothing is missing.",
        quarantined.display(),
    )
}

/// A table, as people call what is in it.
fn plain(table: &str) -> &str {
    match table {
        "account" => "accounts",
        "setting" => "settings and working hours",
        "draft" => "drafts",
        "outbox" => "changes that were not sent yet",
        "focus" => "focus blocks",
        "notice" => "notifications",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn damage_is_told_with_what_was_kept_and_the_next_step() {
        let mut what = Recovered {
            quarantined: "/p/data/meantime.db.damaged-1".into(),
            found: "this is not a database file".to_owned(),
            unreadable: Vec::new(),
            outbox: 1,
            drafts: 0,
        };
        assert_eq!(
            words(&what, 2, &[]),
            "The database was damaged; a new one took its place. Kept: 2 accounts, 1 change that was not sent yet. \
             Messages are fetched again; nothing is left for you to do. The damaged file is \
             /p/data/meantime.db.damaged-1: keep it until you have seen that nothing is missing."
        );
        let said = words(&what, 2, &["“Maildir”".to_owned()]);
        assert!(
            said.contains(" fetched again. Import the mail of “Maildir” again: ") && !said.contains("nothing is left")
        );
        what.unreadable = vec!["account", "setting"];
        let said = words(&what, 1, &[]);
        assert!(said.contains(" Not all could be read of: accounts, settings and working hours. Messages"), "{said}");
        assert!(said.contains("; look through your accounts and settings, and add what is missing. "), "{said}");
        what.outbox = 0;
        let said = words(&what, 0, &[]);
        assert!(said.contains("took its place. Not all ") && said.contains(" Add your accounts"), "{said}");
    }
}
