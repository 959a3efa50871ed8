//! The remote images of a message, fetched when a person asks for them: the
//! window itself loads nothing from outside. Nothing of them is kept.
//!
//! What may be asked, and how, is the adapter's.

use crate::api::*;
use crate::engine::Engine;
use crate::inbox::resolve;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use futures::StreamExt as _;
use meantime_source::html::held_images;
use meantime_store::{item, message};
use std::time::Duration;

/// Images of one message.
const MOST: usize = 100;
/// Bytes of one.
const BYTES_EACH: usize = 5 << 20;
/// Bytes of all of them.
const BYTES_ALL: usize = 20 << 20;
/// What is drawn of one: a small file may stand for a very large picture.
const PIXELS: u64 = 25_000_000;
/// Fetched at the same time.
const AT_ONCE: usize = 6;
/// Those that are not there by then are missing.
const PATIENCE: Duration = Duration::from_secs(30);

impl Engine {
    pub(crate) async fn load_remote_images(&self, args: LoadImages) -> Result<RemoteImages, Failure> {
        let addresses = self
            .read(move |db| {
                let id = resolve(db, &args.item)?;
                let gone = || Failure::new(FailureCode::NotFound, "that message is gone");
                let account = item::get(db, id)?.ok_or_else(gone)?.account;
                let found =
                    message::by_upstream(db, account, &args.message)?.filter(|m| m.item == id).ok_or_else(gone)?;
                Ok(held_images(&found.html.unwrap_or_default()))
            })
            .await?;
        let wanted = addresses.len();
        let mut fetched = futures::stream::iter(addresses.into_iter().take(MOST))
            .map(|address| self.remote_image(address))
            .buffer_unordered(AT_ONCE);
        let (mut images, mut left) = (Vec::new(), BYTES_ALL);
        let all = async {
            while let Some(one) = fetched.next().await {
                let Some((media_type, address, bytes)) = one else { continue };
                let Some(rest) = left.checked_sub(bytes.len()) else { continue };
                left = rest;
                let data = format!("data:{media_type};base64,{}", BASE64_STANDARD.encode(&bytes));
                images.push(RemoteImage { address, data });
            }
        };
        let _ = tokio::time::timeout(PATIENCE, all).await;
        let missing = u32::try_from(wanted - images.len()).unwrap_or(u32::MAX);
        Ok(RemoteImages { images, missing })
    }

    async fn remote_image(&self, address: String) -> Option<(&'static str, String, Vec<u8>)> {
        let bytes = self.adapters.image(&address, BYTES_EACH).await.ok()?;
        Some((media_type(&bytes)?, address, bytes))
    }
}

/// What these bytes are, whatever was said about them; `None` for what is no
/// image that is shown, or larger than that.
fn media_type(bytes: &[u8]) -> Option<&'static str> {
    let (name, (width, height)) = match bytes {
        [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n', ..] => ("image/png", png(bytes)?),
        [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..] => ("image/gif", gif(bytes)?),
        [0xff, 0xd8, 0xff, ..] => ("image/jpeg", jpeg(bytes)?),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => ("image/webp", webp(bytes)?),
        _ => return None,
    };
    (u64::from(width) * u64::from(height) <= PIXELS).then_some(name)
}

type Size = (u32, u32);

fn big(bytes: &[u8], at: usize, count: usize) -> Option<u32> {
    let bytes = bytes.get(at..at + count)?;
    Some(bytes.iter().fold(0, |number, byte| number << 8 | u32::from(*byte)))
}

fn little(bytes: &[u8], at: usize, count: usize) -> Option<u32> {
    let bytes = bytes.get(at..at + count)?;
    Some(bytes.iter().rev().fold(0, |number, byte| number << 8 | u32::from(*byte)))
}

/// The header chunk comes first (PNG, 5.6).
fn png(bytes: &[u8]) -> Option<Size> {
    Some((big(bytes, 16, 4)?, big(bytes, 20, 4)?))
}

/// The logical screen (GIF89a, 18).
fn gif(bytes: &[u8]) -> Option<Size> {
    Some((little(bytes, 6, 2)?, little(bytes, 8, 2)?))
}

/// The frame's header, after segments that say their length (ITU T.81, B.2).
fn jpeg(bytes: &[u8]) -> Option<Size> {
    let mut at = 2;
    while bytes.get(at)? == &0xff {
        match *bytes.get(at + 1)? {
            0xff => at += 1,
            0xc4 | 0xc8 | 0xcc => at += 2 + big(bytes, at + 2, 2)? as usize,
            0xc0..=0xcf => return Some((big(bytes, at + 7, 2)?, big(bytes, at + 5, 2)?)),
            // The picture itself, without a header.
            0xd9 | 0xda => return None,
            _ => at += 2 + big(bytes, at + 2, 2)? as usize,
        }
    }
    None
}

/// The first chunk (RFC 9649, 2.5 to 2.7).
fn webp(bytes: &[u8]) -> Option<Size> {
    match bytes.get(12..16)? {
        b"VP8 " => Some((little(bytes, 26, 2)? & 0x3fff, little(bytes, 28, 2)? & 0x3fff)),
        b"VP8L" => {
            let bits = little(bytes, 21, 4)?;
            Some(((bits & 0x3fff) + 1, (bits >> 14 & 0x3fff) + 1))
        }
        b"VP8X" => Some((little(bytes, 24, 3)? + 1, little(bytes, 27, 3)? + 1)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is(bytes: &[&[u8]]) -> Option<&'static str> {
        media_type(&bytes.concat())
    }

    #[test]
    fn an_image_is_what_its_bytes_say() {
        let png = |width: u32, height: u32| {
            is(&[b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", &width.to_be_bytes(), &height.to_be_bytes(), b"\x08\x06"])
        };
        assert_eq!(png(640, 480), Some("image/png"));
        assert_eq!(png(100_000, 100_000), None, "too large to be drawn");
        assert_eq!(is(&[b"GIF89a", &640_u16.to_le_bytes(), &480_u16.to_le_bytes()]), Some("image/gif"));
        assert_eq!(is(&[b"GIF89a", b"\xff\xff\xff\xff"]), None);
        let jpeg = |height: &[u8]| {
            is(&[b"\xff\xd8\xff\xe0\0\x04ab\xff\xff\xc4\0\x02\xff\xc2\0\x11\x08", height, b"\x01\0\x03"])
        };
        assert_eq!(jpeg(b"\x01\0"), Some("image/jpeg"));
        assert_eq!(is(&[b"\xff\xd8\xff\xe0\0\x04ab\xff\xc0\0\x11\x08\xff\xff\xff\xff"]), None);
        let webp = |chunk: &[u8]| is(&[b"RIFF\0\0\0\0WEBP", chunk]);
        assert_eq!(webp(b"VP8X\x0a\0\0\0\0\0\0\0\x7f\x02\0\xdf\x01\0"), Some("image/webp"));
        assert_eq!(webp(b"VP8X\x0a\0\0\0\0\0\0\0\xff\xff\xff\xff\xff\xff"), None);
        assert_eq!(webp(b"VP8 \0\0\0\0\0\0\0\x9d\x01\x2a\x80\x02\xe0\x01"), Some("image/webp"));
        assert_eq!(webp(b"VP8L\0\0\0\0\x2f\x7f\xc2\x77\0"), Some("image/webp"));
    }

    #[test]
    fn what_is_cut_off_or_something_else_is_no_image() {
        for other in [
            &b""[..],
            b"<svg xmlns=\"http://www.w3.org/2000/svg\"/>",
            b"<html>",
            b"\x89PNG\r\n\x1a\n",
            b"GIF89a\x01",
            b"\xff\xd8\xff\xe0\xff\xff",
            b"\xff\xd8\xff\xda\0\x02",
            b"\xff\xd8\xff\xff\xff\xff",
            b"RIFF\0\0\0\0WEBPVP8X",
        ] {
            assert_eq!(media_type(other), None, "{other:?}");
        }
    }
}
