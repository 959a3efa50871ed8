//! What is being typed: kept as it is typed, and given back when what was
//! sent is taken back. It sends nothing.

use crate::api::*;
use crate::compose::MAX_TEXT;
use crate::engine::Engine;
use chrono::{DateTime, Utc};
use meantime_model::ItemId;
use meantime_protocol::Attachment;
use meantime_store::{Read, Tx, draft};
use serde_json::json;

impl Engine {
    pub(crate) async fn keep_draft(&self, args: Draft) -> Result<Nothing, Failure> {
        let thread = args.thread.as_ref();
        let thread = thread.map_or(0, |t| t.title.len() + t.space.len() + t.asked.len() * size_of::<u128>());
        let to = args.answer.as_ref().and_then(|answer| answer.to.as_deref()).unwrap_or_default();
        if args.text.len() + thread + to.iter().map(String::len).sum::<usize>() > MAX_TEXT {
            return Err(Failure::new(FailureCode::Invalid, "the draft is too long to be kept"));
        }
        if args.item.is_some() && args.thread.is_some() {
            return Err(Failure::new(FailureCode::Invalid, "thread: an answer belongs to one already"));
        }
        if args.item.is_none() && args.answer.is_some() {
            return Err(Failure::new(FailureCode::Invalid, "answer: a new thread answers nothing"));
        }
        let now = self.now();
        self.write(move |tx| {
            draft::put(tx, args.item, &args.text, now)?;
            if let Some(thread) = args.thread {
                keep_thread(tx, &thread, now)?;
            }
            if let (Some(item), Some(answer)) = (args.item, args.answer) {
                keep_answer(tx, item, &answer, now)?;
            }
            Ok(())
        })
        .await?;
        Ok(Nothing {})
    }
}

/// What the thread being written is to be, apart from its text.
pub(crate) fn kept_thread(db: &Read<'_>) -> Result<Option<ThreadDraft>, Failure> {
    // What another version kept in another form is no reason to lose the text.
    Ok(draft::chosen(db, None)?.and_then(|kept| serde_json::from_value(kept).ok()))
}

/// Whom the answer being written is to go to, and when.
pub(crate) fn kept_answer(db: &Read<'_>, item: ItemId) -> Result<AnswerDraft, Failure> {
    Ok(draft::chosen(db, Some(item))?.and_then(|kept| serde_json::from_value(kept).ok()).unwrap_or_default())
}

fn keep_thread(tx: &Tx<'_>, thread: &ThreadDraft, now: DateTime<Utc>) -> Result<(), Failure> {
    let chosen = (*thread != ThreadDraft::default()).then(|| json!(thread));
    Ok(draft::put_chosen(tx, None, chosen.as_ref(), now)?)
}

fn keep_answer(tx: &Tx<'_>, item: ItemId, answer: &AnswerDraft, now: DateTime<Utc>) -> Result<(), Failure> {
    let chosen = (*answer != AnswerDraft::default()).then(|| json!(answer));
    Ok(draft::put_chosen(tx, Some(item), chosen.as_ref(), now)?)
}

/// What is being typed there was sent, and is no draft any more. Something else
/// that is being typed stays: a command may have sent this.
pub(crate) fn sent(
    tx: &Tx<'_>,
    item: Option<ItemId>,
    written: &Written<'_>,
    now: DateTime<Utc>,
) -> Result<(), Failure> {
    let other = |typed: &str, sent: &str| !typed.is_empty() && typed.trim() != sent.trim();
    let title = if item.is_none() { kept_thread(tx)?.map(|kept| kept.title) } else { None };
    let sent_title = written.thread.map(|thread| thread.title.as_str()).unwrap_or_default();
    if other(&draft::get(tx, item)?.unwrap_or_default(), written.text) || other(&title.unwrap_or_default(), sent_title)
    {
        let mut files = draft::files(tx, item)?;
        files.retain(|file| !written.files.contains(file));
        return Ok(draft::put_files(tx, item, &files, now)?);
    }
    Ok(draft::clear(tx, item)?)
}

/// Something written.
pub(crate) struct Written<'a> {
    pub(crate) text: &'a str,
    pub(crate) files: &'a [Attachment],
    /// What else it was to be, where it began a thread.
    pub(crate) thread: Option<&'a ThreadDraft>,
    /// Whom it was to go to and when, where it was an answer.
    pub(crate) answer: Option<&'a AnswerDraft>,
}

/// Gives what was written back to the composer, ahead of what is being typed
/// there by now.
pub(crate) fn give_back(
    tx: &Tx<'_>,
    item: Option<ItemId>,
    written: &Written<'_>,
    now: DateTime<Utc>,
) -> Result<(), Failure> {
    let mut words = vec![written.text.to_owned()];
    if let Some(thread) = written.thread {
        match kept_thread(tx)? {
            // The next one has a title of its own already.
            Some(next) if !next.title.is_empty() => words.insert(0, thread.title.clone()),
            _ => keep_thread(tx, thread, now)?,
        }
    }
    let typed = draft::get(tx, item)?;
    let taken = typed.is_some();
    words.extend(typed.filter(|typed| typed != written.text));
    draft::put(tx, item, &words.join("\n\n"), now)?;
    if let (Some(item), Some(answer), false) = (item, written.answer, taken) {
        // What is being typed there has its own.
        keep_answer(tx, item, answer, now)?;
    }
    let mut files = written.files.to_vec();
    files.extend(draft::files(tx, item)?.into_iter().filter(|file| !written.files.contains(file)));
    Ok(draft::put_files(tx, item, &files, now)?)
}
