//! Names of messages and conversations that outlive a move between mailboxes.
//!
//! A UID dies with every move, so a message is named after its `Message-ID`.
//! That alone is not enough: broken and hostile senders repeat somebody
//! else's, and would overwrite the earlier message. A digest over the headers
//! no move changes is part of the name: `<message-id>#<digest>`. The header
//! block alone is read; no MIME.

use sha2::{Digest, Sha256};

/// As much of a header block as is looked at.
pub const HEADER_BYTES: usize = 256 << 10;
/// A `Message-ID` is kept up to this many bytes.
const ID_BYTES: usize = 200;
/// References looked at, from either end.
const MAX_REFERENCES: usize = 100;
/// What the name is made of, and what has to be fetched to make it.
pub const NAMING_FIELDS: &str = "MESSAGE-ID DATE FROM SUBJECT";

/// The header fields of a raw message: names in lower case, values unfolded,
/// bytes that are not UTF-8 replaced. Stops at the first empty line.
#[must_use]
pub fn header_fields(raw: &[u8]) -> Vec<(String, String)> {
    let raw = raw.get(..HEADER_BYTES).unwrap_or(raw);
    let mut fields: Vec<(String, String)> = Vec::new();
    for line in raw.split(|&byte| byte == b'\n') {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.is_empty() {
            break;
        }
        if line.first().is_some_and(|byte| matches!(byte, b' ' | b'\t')) {
            if let Some((_, value)) = fields.last_mut() {
                value.push(' ');
                value.push_str(String::from_utf8_lossy(line).trim());
            }
            continue;
        }
        let Some(colon) = line.iter().position(|&byte| byte == b':') else { continue };
        let (name, value) = line.split_at(colon);
        if name.is_empty() || !name.iter().all(|byte| byte.is_ascii_graphic() || *byte == b' ') {
            continue;
        }
        let value = String::from_utf8_lossy(value.get(1..).unwrap_or_default()).trim().to_owned();
        fields.push((String::from_utf8_lossy(name).trim().to_ascii_lowercase(), value));
    }
    fields
}

/// The first field of a name.
#[must_use]
pub fn field<'a>(fields: &'a [(String, String)], name: &str) -> Option<&'a str> {
    fields.iter().find(|(field, _)| field == name).map(|(_, value)| value.as_str())
}

/// The name of a message; `None` where it has none of the fields a name is
/// made of.
#[must_use]
pub fn message_name(fields: &[(String, String)]) -> Option<String> {
    let parts: Vec<&str> =
        ["message-id", "date", "from", "subject"].iter().map(|name| field(fields, name).unwrap_or("")).collect();
    if parts.iter().all(|part| part.is_empty()) {
        return None;
    }
    let mut digest = Sha256::new();
    for part in &parts {
        // Servers differ in how they fold; white space does not count.
        let squeezed: String = part.chars().filter(|c| !c.is_whitespace()).collect();
        digest.update(squeezed.as_bytes());
        digest.update([0]);
    }
    let digest: String = digest.finalize().iter().take(10).map(|byte| format!("{byte:02x}")).collect();
    let id = parts.first().and_then(|raw| message_ids(raw).into_iter().next()).unwrap_or_default();
    Some(format!("{id}#{digest}"))
}

/// The `Message-ID` a message's name starts with; `None` where it had none.
#[must_use]
pub fn message_id_of(name: &str) -> Option<&str> {
    name.rsplit_once('#').map(|(id, _)| id).filter(|id| !id.is_empty())
}

/// The conversation a message belongs to: the root of its thread by
/// `References`, then `In-Reply-To`, then the message itself. It looks at this
/// one message only, so that ids that refer to each other in a circle can't
/// lead it round.
#[must_use]
pub fn conversation_name(fields: &[(String, String)], message: &str) -> String {
    ["references", "in-reply-to", "message-id"]
        .iter()
        .find_map(|name| field(fields, name).and_then(|raw| message_ids(raw).into_iter().next()))
        .unwrap_or_else(|| message.to_owned())
}

/// The ids in a header value, without angle brackets; also from those who
/// leave the brackets out.
#[must_use]
pub fn message_ids(raw: &str) -> Vec<String> {
    let mut ids: Vec<String> = raw
        .split('<')
        .skip(1)
        .filter_map(|part| part.split_once('>').map(|(id, _)| clean(id)))
        .filter(|id| !id.is_empty())
        .take(MAX_REFERENCES)
        .collect();
    if ids.is_empty() {
        ids.extend(raw.split_whitespace().map(clean).find(|id| id.contains('@')));
    }
    ids
}

fn clean(id: &str) -> String {
    let id: String = id.chars().filter(|c| !c.is_whitespace() && !c.is_control()).collect();
    id.get(..meantime_source::text::floor_boundary(&id, ID_BYTES)).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(raw: &str) -> Option<String> {
        message_name(&header_fields(raw.as_bytes()))
    }

    #[test]
    fn a_name_outlives_folding_and_other_headers() {
        let one = name("Message-ID: <a@b>\r\nSubject: one two\r\nFrom: x@y\r\n\r\nbody").unwrap();
        let other = name("Received: z\nMESSAGE-ID:\n <a@b>\nFrom: x@y\nSubject: one\n\ttwo\n\n").unwrap();
        assert_eq!(one, other);
        assert_eq!(message_id_of(&one), Some("a@b"));
    }

    #[test]
    fn a_repeated_message_id_does_not_overwrite() {
        let one = name("Message-ID: <a@b>\nSubject: pay 10\n\n");
        let other = name("Message-ID: <a@b>\nSubject: pay 1000\n\n");
        assert_ne!(one, other);
    }

    #[test]
    fn without_an_id_the_rest_names_it() {
        let one = name("From: x@y\nDate: today\n\n").unwrap();
        assert_eq!(message_id_of(&one), None);
        assert!(one.starts_with('#'));
        assert_eq!(name("X-Other: 1\n\nMessage-ID: <in@body>"), None);
        assert!(name(&format!("Message-ID: <{}>\n\n", "x".repeat(9000))).unwrap().len() < 300);
    }

    #[test]
    fn the_root_of_the_thread_names_the_conversation() {
        let conversation = |raw: &str| conversation_name(&header_fields(raw.as_bytes()), "self#1");
        assert_eq!(conversation("References: <r@x> <m@x>\nIn-Reply-To: <m@x>\nMessage-ID: <s@x>\n\n"), "r@x");
        assert_eq!(conversation("In-Reply-To: \"Ana\" of Monday <m@x>\nMessage-ID: <s@x>\n\n"), "m@x");
        assert_eq!(conversation("In-Reply-To: your mail\nMessage-ID: <s@x>\n\n"), "s@x");
        assert_eq!(conversation("References: s@x\nMessage-ID: <s@x>\n\n"), "s@x");
        assert_eq!(conversation("Subject: x\n\n"), "self#1");
    }
}
