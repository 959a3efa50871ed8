//! Which mailboxes play which part: the archive and the sent mail.
//!
//! By SPECIAL-USE (RFC 6154) where the server says so, else by the names in
//! use. The inbox is always `INBOX`.

use crate::session::{Mailbox, quote};
use async_imap::imap_proto::{MailboxDatum, NameAttribute, Response};
use meantime_source::SourceResult;

/// The mailboxes with a part, by their names on the wire.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Folders {
    /// Where done messages go.
    pub archive: Option<String>,
    /// Where sent messages are kept.
    pub sent: Option<String>,
    /// Put before the name of a new mailbox, say `INBOX.`.
    prefix: String,
}

/// As the server lists one mailbox.
struct Listed {
    name: String,
    delimiter: String,
    attributes: Vec<NameAttribute<'static>>,
}

/// Finds them.
pub async fn find(mailbox: &mut Mailbox) -> SourceResult<Folders> {
    let with_use =
        if mailbox.can("LIST-EXTENDED") && mailbox.can("SPECIAL-USE") { " RETURN (SPECIAL-USE)" } else { "" };
    let mut listed = Vec::new();
    let list = format!("LIST \"\" \"*\"{with_use}");
    let answers = |answer: &Response<'_>| {
        if let Response::MailboxData(MailboxDatum::List(list)) = answer {
            listed.push(Listed {
                name: list.name.to_string(),
                delimiter: list.delimiter.as_deref().unwrap_or_default().to_owned(),
                attributes: list.name_attributes.iter().cloned().map(NameAttribute::into_owned).collect(),
            });
        }
    };
    mailbox.ask(&list, answers).await?;
    Ok(choose(&listed))
}

/// The archive; made where there is none.
pub async fn archive(mailbox: &mut Mailbox, folders: &Folders) -> SourceResult<String> {
    made(mailbox, folders, folders.archive.as_ref(), "Archive").await
}

/// The sent mail; made where there is none.
pub async fn sent(mailbox: &mut Mailbox, folders: &Folders) -> SourceResult<String> {
    made(mailbox, folders, folders.sent.as_ref(), "Sent").await
}

async fn made(mailbox: &mut Mailbox, folders: &Folders, found: Option<&String>, name: &str) -> SourceResult<String> {
    if let Some(found) = found {
        return Ok(found.clone());
    }
    let name = format!("{}{name}", folders.prefix);
    mailbox.command(&format!("CREATE {}", quote(&name))).await?;
    Ok(name)
}

fn choose(listed: &[Listed]) -> Folders {
    let usable: Vec<&Listed> = listed.iter().filter(|one| !one.attributes.contains(&NameAttribute::NoSelect)).collect();
    let by_use = |wanted: &NameAttribute<'_>| usable.iter().find(|one| one.attributes.contains(wanted));
    let by_name = |names: &[&str]| {
        names.iter().find_map(|name| {
            usable.iter().find(|one| {
                let last = one.name.rsplit(one.delimiter.as_str()).next().filter(|_| !one.delimiter.is_empty());
                let depth = if one.delimiter.is_empty() { 0 } else { one.name.matches(&one.delimiter).count() };
                depth <= 1 && last.unwrap_or(&one.name).eq_ignore_ascii_case(name)
            })
        })
    };
    let name = |found: Option<&&Listed>| found.map(|one| one.name.clone());
    // Where there is only "all mail" (Gmail), taking a message out of the inbox archives it there.
    let archive = by_use(&NameAttribute::Archive)
        .or_else(|| by_name(&["Archive", "Archives"]))
        .or_else(|| by_use(&NameAttribute::All));
    let sent = by_use(&NameAttribute::Sent).or_else(|| by_name(&["Sent", "Sent Items", "Sent Messages", "Sent Mail"]));
    let below_inbox = usable.iter().find_map(|one| {
        let inbox = format!("INBOX{}", one.delimiter);
        (!one.delimiter.is_empty() && one.name.starts_with(&inbox)).then_some(inbox)
    });
    let only_below = usable.iter().all(|one| one.name.to_ascii_uppercase().starts_with("INBOX"));
    Folders { archive: name(archive), sent: name(sent), prefix: below_inbox.filter(|_| only_below).unwrap_or_default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(name: &str, attributes: &[NameAttribute<'static>]) -> Listed {
        Listed { name: name.into(), delimiter: ".".into(), attributes: attributes.to_vec() }
    }

    #[test]
    fn the_servers_word_goes_before_names() {
        let found = choose(&[
            listed("INBOX", &[]),
            listed("Archive", &[]),
            listed("Ablage", &[NameAttribute::Archive]),
            listed("Sent Items", &[]),
        ]);
        assert_eq!(found.archive.as_deref(), Some("Ablage"));
        assert_eq!(found.sent.as_deref(), Some("Sent Items"));
        assert_eq!(found.prefix, "");
    }

    #[test]
    fn old_servers_keep_everything_below_the_inbox() {
        let found = choose(&[listed("INBOX", &[]), listed("INBOX.Sent", &[]), listed("INBOX.a.Archive", &[])]);
        assert_eq!(found.sent.as_deref(), Some("INBOX.Sent"));
        assert_eq!(found.archive, None);
        assert_eq!(found.prefix, "INBOX.");
    }

    #[test]
    fn all_mail_serves_as_the_archive() {
        let found = choose(&[listed("INBOX", &[]), listed("[Gmail].All Mail", &[NameAttribute::All])]);
        assert_eq!(found.archive.as_deref(), Some("[Gmail].All Mail"));
    }
}
