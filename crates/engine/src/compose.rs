//! Writing: answers, new threads, and what was refused. Everything
//! typed is in the outbox, flushed to disk, before a command answers.

use crate::api::*;
use crate::attach::checked;
use crate::conversation::{MAX_MESSAGES, can_reply, reply_target, thread};
use crate::drafts::{self, Written};
use crate::dues;
use crate::engine::Engine;
use crate::files::Files;
use crate::inbox::resolve;
use crate::out;
use crate::people::{Team, TeamConfig};
use crate::recipients::Recipients;
use crate::state::State;
use crate::triage::{Back, keep_step};
use chrono::{DateTime, TimeDelta, Utc};
use meantime_model::{ItemId, PersonId, Schedule, Urgency};
use meantime_protocol::{Attachment, Fields, Kind};
use meantime_source::{Person, What};
use meantime_store::{Tx, account, item, message, outbox, team as records};
use serde_json::json;
use std::collections::BTreeSet;
use std::sync::Arc;
use tokio::sync::MutexGuard;
use uuid::Uuid;

/// For so long a sent message can be taken back.
const UNDO: TimeDelta = TimeDelta::seconds(10);
/// Somebody who does not start within this is away, not asleep.
const ONE_NIGHT: TimeDelta = TimeDelta::hours(16);
/// Longest text of one message, in bytes.
pub(crate) const MAX_TEXT: usize = 200 * 1024;
/// Longest title, in characters.
const MAX_TITLE: usize = 300;

impl Engine {
    pub(crate) async fn answer(self: &Arc<Self>, args: Reply) -> Result<Undoable, Failure> {
        check_text(&args.text)?;
        let (now, computer) = (self.now(), self.computer_zone());
        let until = self.undo_until(now);
        let (copies, _turn) = self.held(&args.files).await;
        let (what, id, sending, to) = self
            .write(move |tx| {
                let id = resolve(tx, &args.item)?;
                let found = item::get(tx, id)?.ok_or_else(gone)?;
                if !can_reply(tx, &found)? {
                    let message = "this can't be answered here: open it at its source";
                    return Err(Failure::new(FailureCode::NotPossible, message));
                }
                let files = checked(&args.files, &copies, found.kind == account::AccountKind::Imap)?;
                let mut sending = Sending::Pending;
                let mut to = Vec::new();
                let unsent = match found.kind {
                    account::AccountKind::Team if args.to.is_some() => {
                        let message = "to: an answer in a team thread is for everybody who reads it";
                        return Err(Failure::new(FailureCode::Invalid, message));
                    }
                    account::AccountKind::Team => {
                        let team = Team::load(tx)?.ok_or_else(no_team)?;
                        let asked = thread(tx, Some(&team), &found)?;
                        let people = match found.circle {
                            Some(circle) => records::circle_members(tx, circle)?,
                            None => asked.map(|(t, author, _)| [vec![author], t.asked].concat()).unwrap_or_default(),
                        };
                        let visible = deliver(args.deliver, &team, &people, now)?;
                        sending = on_its_way(visible);
                        let said = Said { text: &args.text, files: &files, visible, until, now };
                        send_message(tx, &team.config, (id, found.circle), &said)?
                    }
                    _ if args.deliver != Deliver::Now => {
                        let message = "deliver: only messages to the team can be delivered later";
                        return Err(Failure::new(FailureCode::Invalid, message));
                    }
                    _ => {
                        let said = Said { text: &args.text, files: &files, visible: None, until, now };
                        let (unsent, goes_to) = send_mail(tx, &found, &args, &said)?;
                        to = goes_to;
                        unsent
                    }
                };
                drafts::sent(
                    tx,
                    Some(id),
                    &Written { text: &args.text, files: &files, thread: None, answer: None },
                    now,
                )?;
                let before = State::of(&found);
                before.clone().answered(args.done).put(tx, now)?;
                dues::settle(tx, computer)?;
                let what = format!("Sent: {}", found.title);
                let was = AnswerDraft {
                    message: args.message,
                    to: args.to,
                    deliver: (found.kind == account::AccountKind::Team).then_some(args.deliver),
                };
                let back = Back::unsent(vec![unsent], Some(id), args.text, files).and_item(before).and_answer(was);
                keep_step(tx, &what, Some(id), back, now)?;
                Ok((what, id, sending, to))
            })
            .await?;
        self.after_change(&[id]).await;
        Ok(Undoable { what, item: Some(id), until: Some(until), sending: Some(sending), unchanged: false, to })
    }

    pub(crate) async fn start_thread(self: &Arc<Self>, args: Compose) -> Result<Undoable, Failure> {
        check_text(&args.text)?;
        let title = args.title.trim().to_owned();
        if title.is_empty() || title.chars().count() > MAX_TITLE || title.chars().any(char::is_control) {
            let message = format!("title: one line of 1 to {MAX_TITLE} characters");
            return Err(Failure::new(FailureCode::Invalid, message));
        }
        if args.urgency == Urgency::Red && args.asked.is_empty() {
            let message = "asked: an urgent thread names whose answer is wanted";
            return Err(Failure::new(FailureCode::Invalid, message));
        }
        let again = again(&args);
        let now = self.now();
        let until = self.undo_until(now);
        let id = ItemId::new();
        let what = format!("Sent: {title}");
        let said = what.clone();
        let (copies, _turn) = self.held(&args.files).await;
        let sending = self.write(move |tx| {
            let team = Team::load(tx)?.ok_or_else(no_team)?;
            if let Some(stranger) = args.asked.iter().find(|id| !team.people.contains_key(id)) {
                return Err(Failure::new(FailureCode::Invalid, format!("asked: {stranger} is not in your team")));
            }
            let everybody: Vec<PersonId> = team.people.keys().copied().collect();
            let files = checked(&args.files, &copies, false)?;
            let people = if args.asked.is_empty() { &everybody } else { &args.asked };
            let visible = deliver(args.deliver, &team, people, now)?;
            let mut fields = Fields::new();
            fields.insert("title".to_owned(), json!(title));
            fields.insert("urgency".to_owned(), json!(args.urgency));
            fields.insert("asked".to_owned(), json!(args.asked));
            if let Some(space) = args.space.filter(|space| !space.trim().is_empty()) {
                fields.insert("space".to_owned(), json!(space.trim()));
            }
            let circle = if args.private { Some(circle_for(tx, &team, &args.asked, now)?) } else { None };
            let change = out::Change::new(Kind::THREAD, id.0, fields).within(circle);
            let change = change.later(visible, until).of(id, &said, &args.text);
            let begun = out::team_op(tx, &team.config, change, now)?;
            let message = Said { text: &args.text, files: &files, visible, until, now };
            let first = send_message(tx, &team.config, (id, circle), &message)?;
            drafts::sent(
                tx,
                None,
                &Written { text: &args.text, files: &files, thread: Some(&again), answer: None },
                now,
            )?;
            let back = Back::unsent(vec![first, begun], None, args.text, files).and_thread(again);
            keep_step(tx, &said, Some(id), back, now)?;
            Ok(on_its_way(visible))
        });
        let sending = sending.await?;
        self.after_change(&[id]).await;
        let (item, until, sending) = (Some(id), Some(until), Some(sending));
        Ok(Undoable { what, item, until, sending, unchanged: false, to: Vec::new() })
    }

    pub(crate) async fn refused(&self) -> Result<Vec<Refusal>, Failure> {
        let shown = self.read(|db| {
            let mut shown = Vec::new();
            for row in outbox::refused(db)? {
                let outbox::State::Refused { message, .. } = row.state else { continue };
                let outbox::NewOp { item, what, text, target, .. } = row.op;
                let present = records::met(db, row.id)?.and_then(|record| same_words(&target, &record.fields));
                shown.push(Refusal { id: row.id, item, what, text, message, present });
            }
            Ok(shown)
        });
        shown.await
    }

    pub(crate) async fn settle(self: &Arc<Self>, args: SettleRefusal) -> Result<Nothing, Failure> {
        let now = self.now();
        let item = self
            .write(move |tx| {
                let row = if args.retry { records::retry(tx, args.id)? } else { outbox::discard(tx, args.id)? };
                let row = row.ok_or_else(|| Failure::new(FailureCode::NotFound, "that refusal is settled already"))?;
                out::shown_again(tx, &row, now)?;
                Ok(row.op.item)
            })
            .await?;
        self.after_change(&item.into_iter().collect::<Vec<_>>()).await;
        self.sweep_files().await;
        Ok(Nothing {})
    }

    /// The copies of files, and while there are some to be sent, that none of
    /// them is swept.
    async fn held(&self, files: &[AttachedFile]) -> (Arc<Files>, Option<MutexGuard<'_, ()>>) {
        let turn = if files.is_empty() { None } else { Some(self.files.turn.lock().await) };
        (self.files.clone(), turn)
    }

    /// A lone command can't wait for seconds in which nothing happens.
    fn undo_until(&self, now: DateTime<Utc>) -> DateTime<Utc> {
        if self.background { now + UNDO } else { now }
    }
}

/// The words of a record that a change would have replaced.
fn same_words(target: &outbox::Target, present: &Fields) -> Option<String> {
    let outbox::Target::Record { change, .. } = target else { return None };
    let field = ["text", "outcome", "title"].into_iter().find(|field| change.fields.contains_key(*field))?;
    present.get(field)?.as_str().map(str::to_owned)
}

/// How something written goes that others see from then on, or at once.
fn on_its_way(visible: Option<DateTime<Utc>>) -> Sending {
    visible.map_or(Sending::Pending, |at| Sending::Scheduled { at })
}

/// When a message becomes visible to others; `None`: at once.
pub(crate) fn deliver(
    deliver: Deliver,
    team: &Team,
    people: &[PersonId],
    now: DateTime<Utc>,
) -> Result<Option<DateTime<Utc>>, Failure> {
    match deliver {
        Deliver::Now => Ok(None),
        Deliver::At { at } if at > now => Ok(Some(at)),
        Deliver::At { .. } => Err(Failure::new(FailureCode::Invalid, "deliver: that time is over already")),
        Deliver::WhenTheyStart => {
            let others = people.iter().filter(|id| **id != team.config.person);
            let schedules: Vec<_> = others.filter_map(|id| team.people.get(id)?.schedule.as_ref()).collect();
            Ok(when_they_start(&schedules, now))
        }
    }
}

/// When the next of those starts who don't work now. Who is away for long
/// keeps nobody waiting who is at work.
fn when_they_start(schedules: &[&Schedule], now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let (awake, asleep): (Vec<&Schedule>, Vec<&Schedule>) =
        schedules.iter().partition(|schedule| schedule.works_at(now));
    let start = asleep.iter().filter_map(|schedule| schedule.next_opening(now)).min();
    start.filter(|at| awake.is_empty() || *at <= now + ONE_NIGHT)
}

/// What is said, and when.
struct Said<'a> {
    text: &'a str,
    files: &'a [Attachment],
    visible: Option<DateTime<Utc>>,
    until: DateTime<Utc>,
    now: DateTime<Utc>,
}

fn send_message(
    tx: &Tx<'_>,
    team: &TeamConfig,
    (thread, circle): (ItemId, Option<Uuid>),
    said: &Said<'_>,
) -> Result<i64, Failure> {
    let mut fields = Fields::new();
    fields.insert("thread".to_owned(), json!(thread.0));
    fields.insert("text".to_owned(), json!(said.text));
    fields.insert("written_at".to_owned(), json!(said.now));
    if !said.files.is_empty() {
        fields.insert("attachments".to_owned(), json!(said.files));
    }
    let change = out::Change::new(Kind::MESSAGE, Uuid::now_v7(), fields).within(circle);
    let change = change.later(said.visible, said.until).of(thread, "Your message", said.text);
    out::team_op(tx, team, change, said.now)
}

/// The closed circle of exactly me and those who are asked: the one there is,
/// or a new one. A new one stays when the thread is taken back: empty, it
/// tells nobody anything, and the next thread of these people uses it.
fn circle_for(tx: &Tx<'_>, team: &Team, asked: &[PersonId], now: DateTime<Utc>) -> Result<Uuid, Failure> {
    let mut people: BTreeSet<PersonId> = asked.iter().copied().collect();
    people.insert(team.config.person);
    if people.len() < 2 {
        let message = "asked: a private thread names those it is for";
        return Err(Failure::new(FailureCode::Invalid, message));
    }
    if let Some(circle) = records::circle_of_people(tx, &people)? {
        return Ok(circle);
    }
    let circle = Uuid::now_v7();
    let mut fields = Fields::new();
    fields.insert("members".to_owned(), json!(people));
    let change = out::Change::new(Kind::SPACE, circle, fields).within(Some(circle));
    out::team_op(tx, &team.config, change, now)?;
    Ok(circle)
}

/// Queues an answer to a mail and shows it in its conversation at once. Tells
/// whom it goes to.
fn send_mail(tx: &Tx<'_>, found: &item::Item, args: &Reply, said: &Said<'_>) -> Result<(i64, Vec<Contact>), Failure> {
    let messages = message::of_item(tx, found.id, MAX_MESSAGES)?;
    let gone = || Failure::new(FailureCode::NotFound, "the mail that this answers is gone");
    let answered = reply_target(&messages, args.message.as_deref()).ok_or_else(gone)?;
    let mine = account::get(tx, found.account)?.map(|row| row.name).unwrap_or_default();
    let Recipients { to, cc } = Recipients::of(answered, &mine).chosen(args.to.as_deref())?;
    let contact = |c: &message::Correspondent| Contact { name: c.name.clone(), address: c.address.clone() };
    let goes_to = to.iter().chain(&cc).map(contact).collect();
    let person = |c: message::Correspondent| Person { name: c.name, address: c.address };
    let subject = match found.title.get(..3) {
        Some(start) if start.eq_ignore_ascii_case("re:") => found.title.clone(),
        _ => format!("Re: {}", found.title),
    };
    let what = What::Reply {
        to_message: answered.upstream.clone(),
        to: to.into_iter().map(person).collect(),
        cc: cc.into_iter().map(person).collect(),
        subject,
        text: said.text.to_owned(),
        files: said.files.iter().map(out::named_by_hash).collect(),
    };
    Ok((out::mail_reply(tx, found, &what, said.text, said.until, said.now)?, goes_to))
}

fn check_text(text: &str) -> Result<(), Failure> {
    if text.trim().is_empty() {
        return Err(Failure::new(FailureCode::Invalid, "text: there is nothing to send"));
    }
    if text.len() > MAX_TEXT {
        let message = format!("text: longer than {} KiB, send it as a document", MAX_TEXT / 1024);
        return Err(Failure::new(FailureCode::Invalid, message));
    }
    Ok(())
}

fn gone() -> Failure {
    Failure::new(FailureCode::NotFound, "that item is gone")
}

fn no_team() -> Failure {
    Failure::new(FailureCode::NotPossible, "you are in no team yet: join one first")
}

/// What has to be written again, were it taken back.
fn again(args: &Compose) -> ThreadDraft {
    ThreadDraft {
        title: args.title.clone(),
        urgency: args.urgency,
        asked: args.asked.clone(),
        space: args.space.clone().unwrap_or_default(),
        private: args.private,
        deliver: args.deliver,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_woken_and_nobody_waits_for_a_holiday() {
        let at = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
        let keeps = |zone: &str, off: serde_json::Value| {
            let day = json!([["09:00", "17:00"]]);
            let weekly = json!({"mon": day, "tue": day, "wed": day, "thu": day, "fri": day});
            Schedule::from_json(json!({"zone": zone, "weekly": weekly, "time_off": off})).unwrap()
        };
        let (accra, taipei) = (keeps("Africa/Accra", json!([])), keeps("Asia/Taipei", json!([])));
        let away = keeps("Africa/Lagos", json!([{"from": "2026-11-16", "to": "2026-11-20"}]));
        // Monday noon in Accra, 20:00 in Taipei.
        let now = at("2026-11-16T12:00:00Z");
        for (who, want) in [
            (vec![&accra], None),
            (vec![&accra, &taipei], Some(at("2026-11-17T01:00:00Z"))),
            (vec![&accra, &away], None),
            (vec![&away], Some(at("2026-11-23T08:00:00Z"))),
            (vec![], None),
        ] {
            assert_eq!(when_they_start(&who, now), want);
        }
    }
}
