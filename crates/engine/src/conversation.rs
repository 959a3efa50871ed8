//! One conversation as the reading pane shows it.

use crate::api::*;
use crate::attach::shown;
use crate::compose::deliver;
use crate::drafts::kept_answer;
use crate::engine::Engine;
use crate::inbox::{resolve, row};
use crate::people::{Person, Team};
use crate::recipients::{Recipients, asked_to_answer};
use crate::render;
use crate::save::can_save;
use chrono::{DateTime, Utc};
use meantime_model::{PersonId, Urgency};
use meantime_protocol::Kind;
use meantime_protocol::kinds::Thread;
use meantime_source::text;
use meantime_store::{Read, account, draft, item, message, team as records};
use std::collections::BTreeSet;
use uuid::Uuid;

/// Messages of one conversation that are shown, the newest ones.
pub(crate) const MAX_MESSAGES: u32 = 1000;

impl Engine {
    pub(crate) async fn conversation(&self, id: &str) -> Result<Conversation, Failure> {
        let (id, now) = (id.to_owned(), self.now());
        self.read(move |db| {
            let id = resolve(db, &id)?;
            let found = item::get(db, id)?.ok_or_else(|| Failure::new(FailureCode::NotFound, "that item is gone"))?;
            let messages = message::of_item(db, id, MAX_MESSAGES)?;
            let draft = draft::get(db, Some(id))?;
            let draft_files = draft::files(db, Some(id))?.iter().map(shown).collect();
            let draft_answer = kept_answer(db, id)?;
            let mut draft_answers = None;
            let team = Team::load(db)?;
            let thread = thread(db, team.as_ref(), &found)?;
            let can_reply = can_reply(db, &found)?;
            let deliver = match &thread {
                Some((thread, ..)) if thread.urgency != Urgency::Red => Deliver::WhenTheyStart,
                _ => Deliver::Now,
            };
            let (asked, recipients, redirected, answers) = match (&team, &thread) {
                (Some(team), Some((thread, author, at))) => {
                    let asked = asked(team, thread, *at, &messages);
                    let mut recipients = team_recipients(db, team, (thread, *author), found.circle, now)?;
                    for one in &mut recipients {
                        // What they owe is due since the thread was begun, whatever I answer.
                        let owes = asked.iter().find(|asked| Some(asked.person) == one.person && !asked.answered);
                        one.due = owes.and_then(|asked| asked.due);
                    }
                    (asked, recipients, Vec::new(), None)
                }
                _ if can_reply => {
                    let mine = account::get(db, found.account)?.map(|row| row.name).unwrap_or_default();
                    let answered = reply_target(&messages, None).map(|m| answered(m, &mine));
                    let kept = draft_answer.message.as_deref();
                    let kept = kept.filter(|id| answered.as_ref().is_some_and(|newest| newest.message != *id));
                    draft_answers = kept.and_then(|id| Some(self::answered(reply_target(&messages, Some(id))?, &mine)));
                    answered.map(|a| (Vec::new(), a.recipients, a.redirected, Some(a.message))).unwrap_or_default()
                }
                _ => Default::default(),
            };
            let place = match found.kind {
                // Every mailbox has an INBOX: which one it is says more.
                account::AccountKind::Imap => account::get(db, found.account)?.map(|row| row.name),
                _ => None,
            };
            Ok(Conversation {
                place: place.unwrap_or_else(|| found.place.clone()),
                messages: messages.into_iter().map(|m| view(m, found.kind, team.as_ref(), now)).collect(),
                row: row(found, None),
                // Who gave no address can't be answered.
                can_reply: can_reply && (answers.is_none() || !recipients.is_empty()),
                recipients,
                answers,
                deliver,
                redirected,
                asked,
                draft,
                draft_files,
                draft_answer,
                draft_answers,
            })
        })
        .await
    }

    pub(crate) async fn recipients_of(&self, query: RecipientsQuery) -> Result<Vec<Recipient>, Failure> {
        let now = self.now();
        self.read(move |db| {
            let Some(team) = Team::load(db)? else { return Ok(Vec::new()) };
            let everybody = || team.people.keys().copied().filter(|id| *id != team.config.person).collect();
            let nobody_asked = query.people.is_empty();
            let people: Vec<PersonId> = if nobody_asked { everybody() } else { query.people };
            // A time that is over is refused when it is sent.
            let visible = deliver(query.deliver, &team, &people, now).ok().flatten().unwrap_or(now);
            let due = |person: &Person| {
                let schedule = person.schedule.as_ref().filter(|_| !nobody_asked)?;
                meantime_model::due::due(schedule, visible, team.window(query.urgency)).ok()
            };
            let known = people.iter().filter_map(|id| team.people.get(id));
            Ok(known.map(|person| Recipient { due: due(person), ..recipient(person, now) }).collect())
        })
        .await
    }
}

/// A team item's thread, who wrote it, and when others saw it first.
pub(crate) fn thread(
    db: &Read<'_>,
    team: Option<&Team>,
    item: &item::Item,
) -> Result<Option<(Thread, PersonId, DateTime<Utc>)>, Failure> {
    let (Some(team), account::AccountKind::Team) = (team, item.kind) else { return Ok(None) };
    let Some(row) = records::effective(db, &Kind::THREAD, item.id.0)? else { return Ok(None) };
    let author = row.author.unwrap_or(team.config.person);
    Ok(row.typed().map(|thread| (thread, author, row.shown_at())))
}

/// Who is asked, with each one's due in their own working time.
fn asked(team: &Team, thread: &Thread, at: DateTime<Utc>, messages: &[message::Message]) -> Vec<Asked> {
    let answered: BTreeSet<PersonId> = messages.iter().filter_map(|m| m.person).collect();
    let window = team.window(thread.urgency);
    thread
        .asked
        .iter()
        .map(|id| {
            let person = team.people.get(id);
            let schedule = person.and_then(|person| person.schedule.as_ref());
            Asked {
                person: *id,
                name: if *id == team.config.person { "you".to_owned() } else { team.name(*id) },
                answered: answered.contains(id),
                due: schedule.and_then(|schedule| meantime_model::due::due(schedule, at, window).ok()),
                zone: schedule.map(|schedule| schedule.zone().name().to_owned()),
                city: person.map(Person::city).unwrap_or_default(),
            }
        })
        .collect()
}

/// Whom an answer is for, without me: a thread's author and those it asks; in
/// a closed circle everybody of it.
fn team_recipients(
    db: &Read<'_>,
    team: &Team,
    (thread, author): (&Thread, PersonId),
    circle: Option<Uuid>,
    now: DateTime<Utc>,
) -> Result<Vec<Recipient>, Failure> {
    let mut people = vec![author];
    people.extend(thread.asked.iter().copied().filter(|id| *id != author));
    if let Some(circle) = circle {
        people = records::circle_members(db, circle)?;
    }
    people.retain(|id| *id != team.config.person);
    let known = people.iter().filter_map(|id| team.people.get(id));
    Ok(known.map(|person| recipient(person, now)).collect())
}

/// What a sender should know about somebody before sending, but when their
/// answer is due.
fn recipient(person: &Person, now: DateTime<Utc>) -> Recipient {
    let schedule = person.schedule.as_ref();
    let state = person.state(now);
    Recipient {
        person: Some(person.id),
        name: person.name.clone(),
        address: String::new(),
        zone: person.zone(),
        city: person.city(),
        held: match &state {
            PersonState::Focusing { .. } => Some("focusing: it is handed over afterwards".to_owned()),
            _ => None,
        },
        due: None,
        starts: schedule.filter(|schedule| !schedule.works_at(now)).and_then(|schedule| schedule.next_opening(now)),
        state,
        copied: false,
    }
}

/// Whom an answer to a mail can go to, as the composer shows them: nobody gets
/// one unseen.
fn answered(answered: &message::Message, mine: &str) -> Answered {
    Answered {
        message: answered.upstream.clone(),
        recipients: addressees(answered, mine),
        redirected: asked_to_answer(answered, mine).into_iter().map(|c| c.address).collect(),
    }
}

fn addressees(answered: &message::Message, mine: &str) -> Vec<Recipient> {
    let Recipients { to, cc } = Recipients::of(answered, mine);
    let recipient = |(c, copied): (message::Correspondent, bool)| Recipient {
        person: None,
        name: if c.name.is_empty() { c.address.clone() } else { c.name },
        address: c.address,
        zone: None,
        city: String::new(),
        state: PersonState::Unknown,
        held: None,
        due: None,
        starts: None,
        copied,
    };
    let direct = to.into_iter().map(|c| (c, false));
    direct.chain(cc.into_iter().map(|c| (c, true))).map(recipient).collect()
}

/// The message that an answer answers: the named one, else the newest of
/// somebody else, or my own where there is none.
pub(crate) fn reply_target<'a>(messages: &'a [message::Message], named: Option<&str>) -> Option<&'a message::Message> {
    match named {
        Some(id) => messages.iter().find(|m| m.upstream == id),
        None => messages.iter().rev().find(|m| !m.own).or_else(|| messages.last()),
    }
}

pub(crate) fn can_reply(db: &Read<'_>, item: &item::Item) -> Result<bool, Failure> {
    Ok(match item.kind {
        account::AccountKind::Team => true,
        account::AccountKind::Imap => account::get(db, item.account)?
            .is_some_and(|row| row.config.get("smtp").is_some_and(|smtp| !smtp.is_null())),
        account::AccountKind::Feed | account::AccountKind::Archive => false,
    })
}

fn view(m: message::Message, kind: account::AccountKind, team: Option<&Team>, now: DateTime<Utc>) -> MessageView {
    let author = m.person.zip(team).and_then(|(id, team)| team.people.get(&id));
    let body = match kind {
        account::AccountKind::Team => render::rich(&m.text),
        _ => render::foreign(&m.text, m.html.as_deref()),
    };
    // Others chose the name: it is shown as it would be saved.
    let file = |a: &message::Attachment| AttachmentView {
        name: text::file_name(&a.name, "attachment"),
        media_type: text::one_line(&a.media_type),
        bytes: a.bytes,
        can_save: can_save(&m, a, kind),
    };
    let attachments = m.attachments.iter().map(file).collect();
    let scheduled = m.visible_from.filter(|at| *at > now).map(|at| Sending::Scheduled { at });
    MessageView {
        id: m.upstream,
        author: author.map_or(m.author, |person| person.name.clone()),
        address: m.address,
        reply_to: m.reply_to.into_iter().map(|c| Contact { name: c.name, address: c.address }).collect(),
        person: m.person,
        zone: author.and_then(Person::zone),
        city: author.map(Person::city).unwrap_or_default(),
        own: m.own,
        at: m.at,
        body,
        attachments,
        unreadable: m.unreadable,
        sending: match m.sending {
            Some(message::Sending::Pending { .. }) => Some(Sending::Pending),
            Some(message::Sending::Refused { message, .. }) => Some(Sending::Refused { message }),
            None => scheduled,
        },
        link: m.link,
    }
}
