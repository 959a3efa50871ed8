//! Which bytes a request is about (RFC 9110, section 14).

use axum::http::{HeaderMap, header};
use meantime_protocol::{Code, Problem};
use std::ops::Range;

/// Which bytes are asked for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// All, also when the header is none that is understood, as HTTP has it.
    Whole,
    Within(Range<u64>),
    Outside,
}

/// Which bytes are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Piece {
    pub start: u64,
    /// The byte after the last.
    pub end: u64,
    /// How many the whole attachment has.
    pub total: u64,
}

impl Part {
    pub(super) fn of(headers: &HeaderMap, bytes: u64) -> Self {
        let range = headers.get(header::RANGE).and_then(|value| value.to_str().ok());
        let Some((first, last)) = range.and_then(|r| r.strip_prefix("bytes=")).and_then(|r| r.split_once('-')) else {
            return Self::Whole;
        };
        let part = match (number(first), number(last)) {
            (Some(first), Some(last)) if first <= last => first..last.saturating_add(1).min(bytes),
            (Some(first), None) if last.is_empty() => first..bytes,
            (None, Some(last)) if first.is_empty() => bytes.saturating_sub(last)..bytes,
            _ => return Self::Whole,
        };
        if part.is_empty() { Self::Outside } else { Self::Within(part) }
    }
}

impl Piece {
    pub(super) fn of(headers: &HeaderMap) -> Result<Self, Problem> {
        let bad = |message: &str| Problem::new(Code::BadRequest, message);
        let text = |name| headers.get(name).map(|value| value.to_str().unwrap_or_default());
        let length = text(header::CONTENT_LENGTH).map(|text| number(text).ok_or_else(|| bad("a length is a number")));
        let length = length.transpose()?;
        let Some(range) = text(header::CONTENT_RANGE) else {
            let total = length.ok_or_else(|| bad("it says how long it is: by Content-Length or Content-Range"))?;
            return Ok(Self { start: 0, end: total, total });
        };
        let parsed = || {
            let (part, total) = range.strip_prefix("bytes ")?.split_once('/')?;
            let (first, last) = part.split_once('-')?;
            let (start, last, total) = (number(first)?, number(last)?, number(total)?);
            (start <= last && last < total).then_some(Self { start, end: last + 1, total })
        };
        let piece = parsed().ok_or_else(|| bad("a Content-Range is written as in bytes 0-499/1000"))?;
        if length.is_some_and(|length| length != piece.end - piece.start) {
            return Err(bad("Content-Range and Content-Length say different things"));
        }
        Ok(piece)
    }
}

/// Digits and nothing else; no sign, as `parse` would take.
fn number(text: &str) -> Option<u64> {
    text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::{HeaderName, HeaderValue};

    fn headers(pairs: &[(HeaderName, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.clone(), HeaderValue::from_str(value).unwrap())).collect()
    }

    #[test]
    fn parts_are_read_as_http_has_it() {
        for (range, part) in [
            ("bytes=0-9", Part::Within(0..10)),
            ("bytes=90-", Part::Within(90..100)),
            ("bytes=-10", Part::Within(90..100)),
            ("bytes=-1000", Part::Within(0..100)),
            ("bytes=99-5000", Part::Within(99..100)),
            ("bytes=99-18446744073709551615", Part::Within(99..100)),
            ("bytes=100-", Part::Outside),
            ("bytes=-0", Part::Outside),
            ("bytes=9-0", Part::Whole),
            ("bytes=0-1,3-4", Part::Whole),
            ("bytes=+1-2", Part::Whole),
            ("bytes=99999999999999999999-", Part::Whole),
            ("lines=0-1", Part::Whole),
            ("", Part::Whole),
        ] {
            assert_eq!(Part::of(&headers(&[(header::RANGE, range)]), 100), part, "{range}");
        }
        assert_eq!(Part::of(&HeaderMap::new(), 0), Part::Whole);
        assert_eq!(Part::of(&headers(&[(header::RANGE, "bytes=0-")]), 0), Part::Outside);
    }

    #[test]
    fn pieces_say_what_they_are() {
        let of = |range: &str, length: &str| {
            let pairs = [(header::CONTENT_RANGE, range), (header::CONTENT_LENGTH, length)];
            Piece::of(&headers(&pairs.map(|p| p).into_iter().filter(|(_, v)| !v.is_empty()).collect::<Vec<_>>()))
        };
        assert_eq!(of("bytes 5-9/10", ""), Ok(Piece { start: 5, end: 10, total: 10 }));
        assert_eq!(of("bytes 5-9/10", "5"), Ok(Piece { start: 5, end: 10, total: 10 }));
        assert_eq!(of("", "7"), Ok(Piece { start: 0, end: 7, total: 7 }));
        assert_eq!(of("", "0"), Ok(Piece { start: 0, end: 0, total: 0 }));
        for (range, length) in [
            ("", ""),
            ("", "-1"),
            ("", "x"),
            ("bytes 5-9/10", "6"),
            ("bytes 5-10/10", ""),
            ("bytes 9-5/10", ""),
            ("bytes 0-0/0", ""),
            ("bytes 0-4/*", ""),
            ("bytes */10", ""),
            ("bytes=0-4/10", ""),
            ("0-4/10", ""),
            ("bytes 0-18446744073709551615/18446744073709551616", ""),
        ] {
            assert_eq!(of(range, length).unwrap_err().code, Code::BadRequest, "{range} {length}");
        }
    }
}
