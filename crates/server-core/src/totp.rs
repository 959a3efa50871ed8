//! Codes of an authenticator (RFC 6238): SHA-1, six digits, 30 seconds, as
//! every authenticator has them. One step early or late is let pass.

use chrono::{DateTime, Utc};
use totp_rs::{Algorithm, Secret, TOTP};

/// Seconds that a code stands.
const STEP: u64 = 30;
/// Bytes of a secret, as RFC 4226 asks for.
const SECRET: usize = 20;

/// A new secret.
pub(crate) fn secret() -> Result<Vec<u8>, getrandom::Error> {
    let mut secret = vec![0; SECRET];
    getrandom::fill(&mut secret)?;
    Ok(secret)
}

/// Whether it is kept as it is: what is sealed is longer.
pub(crate) fn is_plain(kept: &[u8]) -> bool {
    kept.len() == SECRET
}

/// As a person types it in, and as a link for a picture.
pub(crate) fn shown(secret: &[u8], team: &str, login: &str) -> (String, String) {
    let text = Secret::Raw(secret.to_vec()).to_encoded().to_string();
    let (team, login) = (escaped(team), escaped(login));
    let uri = format!("otpauth://totp/{team}:{login}?secret={text}&issuer={team}");
    (text, uri)
}

/// The step that a code belongs to, if it is one of about now and none that
/// was taken before.
pub(crate) fn step(secret: &[u8], code: &str, after: u64, now: DateTime<Utc>) -> Option<u64> {
    let totp = TOTP::new(Algorithm::SHA1, 6, 0, STEP, secret.to_vec()).ok()?;
    let present = u64::try_from(now.timestamp()).ok()? / STEP;
    let code = code.trim();
    // All of them are compared, so that the time it takes says nothing.
    let steps = [present.saturating_sub(1), present, present + 1].into_iter();
    steps.filter(|step| totp.check(code, step * STEP)).filter(|step| *step > after).max()
}

/// The code of a moment, as an authenticator shows it.
#[cfg(any(test, feature = "suite"))]
#[allow(clippy::unwrap_used)]
pub(crate) fn code(secret: &[u8], at: DateTime<Utc>) -> String {
    let totp = TOTP::new(Algorithm::SHA1, 6, 0, STEP, secret.to_vec()).unwrap();
    totp.generate(u64::try_from(at.timestamp()).unwrap())
}

fn escaped(text: &str) -> String {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~@".contains(byte);
    text.bytes().map(|b| if plain(&b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_of_the_rfc_are_good_once_and_about_then() {
        // RFC 6238, appendix B, SHA-1: the last six of eight digits.
        let secret = b"12345678901234567890";
        for (at, code) in [(59, "287082"), (1_111_111_109, "081804"), (2_000_000_000, "279037")] {
            let now = DateTime::from_timestamp(at, 0).unwrap();
            let present = u64::try_from(at).unwrap() / 30;
            assert_eq!(step(secret, code, 0, now), Some(present));
            assert_eq!(step(secret, &format!(" {code} "), 0, now), Some(present));
            assert_eq!(step(secret, code, present, now), None, "it was taken");
            assert_eq!(step(secret, code, 0, now + chrono::TimeDelta::seconds(30)), Some(present));
            assert_eq!(step(secret, code, 0, now + chrono::TimeDelta::seconds(61)), None);
            assert_eq!(step(secret, "000000", 0, now), None);
            assert_eq!(step(secret, "", 0, now), None);
        }
    }

    #[test]
    fn a_link_is_whole_whatever_the_names() {
        let (text, uri) = shown(b"12345678901234567890", "Blue & Söhne", "ana@example.org");
        assert_eq!(text, "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ");
        assert_eq!(
            uri,
            format!(
                "otpauth://totp/Blue%20%26%20S%C3%B6hne:ana@example.org?secret={text}&issuer=Blue%20%26%20S%C3%B6hne"
            )
        );
    }
}
