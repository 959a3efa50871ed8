//! Raw bytes before they are parsed: what the parser would choke on is
//! mended or refused here.
//!
//! What is in a mail is `mail`'s matter.

use std::borrow::Cow;

/// Messages inside of messages; the parser's result is a tree that is dropped
/// recursively, so that its depth has to be bounded before.
pub const NESTED_MESSAGES: usize = 100;
/// Parts of any kind.
pub const PARTS: usize = 5_000;

const BOUNDARY: &[u8] = b"boundary=";

/// A message that ends in the middle of a part (cut by us, or broken) gets the
/// end it lacks: the parser takes a part without one for damaged.
pub fn closed(raw: Cow<'_, [u8]>) -> Cow<'_, [u8]> {
    let boundaries: Vec<Vec<u8>> = raw
        .split(|&byte| byte == b'\n')
        .filter_map(|line| {
            let at = line.windows(BOUNDARY.len()).position(|window| window.eq_ignore_ascii_case(BOUNDARY))?;
            let value = line.get(at + BOUNDARY.len()..)?.trim_ascii_start();
            let value = match value.split_first() {
                Some((b'"', quoted)) => quoted.split(|&byte| byte == b'"').next()?,
                _ => value.split(|byte| matches!(byte, b';' | b' ' | b'\t' | b'\r')).next()?,
            };
            (!value.is_empty()).then(|| value.to_vec())
        })
        .take(NESTED_MESSAGES)
        .collect();
    let last = raw.rsplit(|&byte| byte == b'\n').find_map(|line| {
        let line = line.trim_ascii_end().strip_prefix(b"--")?;
        let open = boundaries.iter().find(|boundary| line.starts_with(boundary))?;
        Some((open.clone(), line.len() > open.len()))
    });
    match last {
        Some((boundary, false)) => {
            let mut whole = raw.into_owned();
            // Whole lines, so that what is encoded in base64 can be decoded.
            if let Some(end) = whole.iter().rposition(|&byte| byte == b'\n')
                && whole.get(end..).is_some_and(|rest| rest.len() > 60)
            {
                whole.truncate(end + 1);
            }
            whole.extend_from_slice(b"\r\n--");
            whole.extend_from_slice(&boundary);
            whole.extend_from_slice(b"--\r\n");
            Cow::Owned(whole)
        }
        _ => raw,
    }
}

/// Mail that names no charset at all and is not UTF-8 is Windows-1252 nearly
/// always; the parser would make question marks of it.
pub fn decode_unlabelled(raw: &[u8]) -> Cow<'_, [u8]> {
    if std::str::from_utf8(raw).is_ok() || contains_any_case(raw, b"charset") {
        return Cow::Borrowed(raw);
    }
    // Bytes above 0x9f are the same in Latin-1 and Unicode; the few below differ.
    let decoded = raw.iter().map(|&byte| match byte {
        0x80..=0x9f => WINDOWS_1252.get(usize::from(byte - 0x80)).copied().unwrap_or('\u{fffd}'),
        _ => char::from(byte),
    });
    Cow::Owned(decoded.collect::<String>().into_bytes())
}

const WINDOWS_1252: [char; 32] = [
    '€', '\u{81}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{8d}', 'Ž', '\u{8f}', '\u{90}', '‘', '’',
    '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\u{9d}', 'ž', 'Ÿ',
];

/// Why it is not to be taken apart.
pub fn too_deep(raw: &[u8]) -> Option<&'static str> {
    let (mut messages, mut parts) = (0usize, 0usize);
    for line in raw.split(|&byte| byte == b'\n') {
        if line.starts_with(b"--") {
            parts += 1;
        } else if contains_any_case(line, b"message/") || contains_any_case(line, b"multipart/digest") {
            messages += 1;
        } else if contains_any_case(line, b"multipart/") {
            parts += 1;
        }
    }
    if messages > NESTED_MESSAGES {
        Some("This mail holds too many mails inside of mails to be taken apart.")
    } else if parts > PARTS {
        Some("This mail has too many parts to be taken apart.")
    } else {
        None
    }
}

fn contains_any_case(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|window| window.eq_ignore_ascii_case(needle))
}
