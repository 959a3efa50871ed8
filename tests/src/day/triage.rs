//! After the block: the list is worked off by keys, and what was done reaches
//! where it came from.

use super::Day;
use super::focus::{id_of, row};
use crate::wait::{Patience, wait_for};
use crate::webdriver::keys;
use anyhow::{Context, Result, ensure};
use rusqlite::{Connection, OpenFlags, OptionalExtension};
use serde_json::json;

/// Done with `e`: a mail, and a team thread.
const DONE_MAIL: &str = "Notes of week 4";
const DONE_THREAD: &str = "Where we meet in spring";
/// Put off with `h`.
const SNOOZED: &str = "Version 2.5";
/// Answered with `r`.
const ANSWERED: &str = "The release is blocked";
const ANSWER: &str = "Looking at it now.";
/// Done with `e` and taken back with `z`.
const TAKEN_BACK: &str = "Notes of week 6";

impl Day<'_> {
    /// `j`, `k`, `e`, `h` and `r`.
    pub(super) async fn keys(&mut self) -> Result<String> {
        for title in [DONE_MAIL, DONE_THREAD] {
            self.app.go_to(title).await?;
            self.app.window.press(&["e"]).await?;
            self.is_in("done", title).await?;
        }
        self.app.go_to(SNOOZED).await?;
        self.app.window.press(&["h"]).await?;
        self.app.wait_for("[data-testid=snooze-choice]").await?;
        self.app.window.press(&[keys::ENTER]).await?;
        self.is_in("later", SNOOZED).await?;

        self.app.go_to(ANSWERED).await?;
        self.app.window.press(&["r"]).await?;
        self.app.wait_for("[data-testid=reply-text]").await?;
        self.app.window.type_in("[data-testid=reply-text]", ANSWER).await?;
        self.app.window.press_with(keys::CONTROL, keys::ENTER).await?;
        let id = id_of(&self.row_anywhere(ANSWERED).await?)?.to_owned();
        wait_for("the answer", Patience::SHORT, async || {
            let shown = self.ana.json(&["show", &id]).await?;
            Ok(shown.to_string().contains(ANSWER).then_some(()))
        })
        .await?;
        Ok(format!(
            "\"{DONE_MAIL}\" and \"{DONE_THREAD}\" done, \"{SNOOZED}\" later, \"{ANSWERED}\" answered{}",
            self.picture("6-triage").await?
        ))
    }

    /// `z`.
    pub(super) async fn undo(&mut self) -> Result<String> {
        self.app.window.press(&[keys::ESCAPE]).await?;
        self.app.go_to(TAKEN_BACK).await?;
        self.app.window.press(&["e"]).await?;
        self.is_in("done", TAKEN_BACK).await?;
        self.app.window.press(&["z"]).await?;
        self.is_in("inbox", TAKEN_BACK).await?;
        self.app.wait_for_row(TAKEN_BACK).await?;
        Ok(format!("\"{TAKEN_BACK}\" is back{}", self.picture("7-undo").await?))
    }

    /// Flags in the mailbox, marks and the answer at the server, and no
    /// notification that was not there before.
    pub(super) async fn written_back(&mut self) -> Result<String> {
        let mail = wait_for("the mailbox", Patience::LONG, async || {
            let stored = self.post.stored(DONE_MAIL)?;
            Ok((stored.mailbox == "Archive").then_some(stored))
        })
        .await?;
        ensure!(mail.flags.contains('S'), "it is archived, but not marked as read: {:?}", mail.flags);
        wait_for("what was taken back in the mailbox", Patience::LONG, async || {
            Ok((self.post.stored(TAKEN_BACK)?.mailbox == "INBOX").then_some(()))
        })
        .await?;
        let thread = id_of(&self.row_anywhere(DONE_THREAD).await?)?.to_owned();
        let status = self.ana.json(&["status"]).await?;
        let me = status["me"]["id"].as_str().context("Ana has no id")?;
        wait_for("the mark at the server", Patience::LONG, async || self.marked_done(&thread, me)).await?;
        let id = id_of(&self.row_anywhere(ANSWERED).await?)?.to_owned();
        let at_jakob = wait_for("Jakob to get the answer", Patience::LONG, async || {
            let shown = self.jakob.cli.json(&["show", &id]).await?;
            Ok(shown.to_string().contains(ANSWER).then_some("Jakob has the answer"))
        })
        .await?;
        let notes = self.desk.notes();
        ensure!(notes.is_empty(), "these were shown as well: {notes:?}");
        Ok(format!("Dovecot has \"{DONE_MAIL}\" in {}, the server has the mark, {at_jakob}", mail.mailbox))
    }

    async fn is_in(&self, view: &str, title: &str) -> Result<()> {
        let what = format!("\"{title}\" among {view}");
        wait_for(&what, Patience::SHORT, async || Ok(row(&self.ana, view, title).await?.map(drop))).await
    }

    async fn row_anywhere(&self, title: &str) -> Result<serde_json::Value> {
        for view in ["inbox", "done", "later", "waiting"] {
            if let Some(row) = row(&self.ana, view, title).await? {
                return Ok(row);
            }
        }
        anyhow::bail!("\"{title}\" is in no list")
    }

    /// The server's own record of Ana's triage of a thread.
    fn marked_done(&self, item: &str, person: &str) -> Result<Option<()>> {
        let database = Connection::open_with_flags(self.server.database(), OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        let sql = "SELECT fields FROM record WHERE kind = 'mark' AND lower(hex(id)) = ?1 AND lower(hex(author)) = ?2";
        let key = [item, person].map(|id| id.replace('-', ""));
        let mark: Option<String> = database.query_row(sql, key, |row| row.get(0)).optional()?;
        let mark: serde_json::Value = serde_json::from_str(&mark.context("the server has no such mark")?)?;
        Ok((mark["done_at"] != json!(null)).then_some(()))
    }
}
