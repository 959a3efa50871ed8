//! Server-sent events, as far as pokes need them (WHATWG HTML, 9.2.6).

use crate::RemoteError;
use meantime_protocol::http::Poke;

/// Longest event accepted, in bytes.
const MAX_EVENT: usize = 1 << 20;

/// Bytes in, pokes out.
#[derive(Default)]
pub(crate) struct Parser {
    line: Vec<u8>,
    event: Vec<u8>,
    data: Vec<u8>,
    after_cr: bool,
}

impl Parser {
    /// Takes bytes in; answers the pokes that became whole. Comments and
    /// events of other names are nothing.
    pub fn take(&mut self, bytes: &[u8]) -> Result<Vec<Poke>, RemoteError> {
        let mut pokes = Vec::new();
        for &byte in bytes {
            let ends = byte == b'\n' || byte == b'\r';
            let second = byte == b'\n' && std::mem::take(&mut self.after_cr);
            self.after_cr = byte == b'\r';
            if second {
                continue;
            }
            if !ends {
                self.line.push(byte);
                if self.line.len() + self.data.len() > MAX_EVENT {
                    return Err(RemoteError::Protocol("an event over 1 MiB".into()));
                }
                continue;
            }
            let line = std::mem::take(&mut self.line);
            if line.is_empty() {
                pokes.extend(self.dispatch()?);
            } else {
                self.field(&line);
            }
        }
        Ok(pokes)
    }

    fn field(&mut self, line: &[u8]) {
        let (name, value) = match line.iter().position(|b| *b == b':') {
            Some(at) => (line.get(..at).unwrap_or_default(), line.get(at + 1..).unwrap_or_default()),
            None => (line, &[][..]),
        };
        let value = value.strip_prefix(b" ").unwrap_or(value);
        match name {
            b"event" => self.event = value.to_vec(),
            b"data" => {
                self.data.extend_from_slice(value);
                self.data.push(b'\n');
            }
            _ => {}
        }
    }

    fn dispatch(&mut self) -> Result<Option<Poke>, RemoteError> {
        let (event, data) = (std::mem::take(&mut self.event), std::mem::take(&mut self.data));
        if event != b"poke" || data.is_empty() {
            return Ok(None);
        }
        serde_json::from_slice(&data).map(Some).map_err(|e| RemoteError::Protocol(format!("a poke: {e}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POKE: &str = "event: poke\ndata: {\"scopes\":{\"team:00000000-0000-0000-0000-000000000001\":7}}\n\n";

    #[test]
    fn pokes_come_out_however_the_bytes_are_cut() {
        let stream = format!(": alive\n\n{POKE}event: other\ndata: x\n\n{}", POKE.replace('\n', "\r\n"));
        for size in 1..stream.len() {
            let mut parser = Parser::default();
            let pokes: Vec<Poke> = stream.as_bytes().chunks(size).flat_map(|b| parser.take(b).unwrap()).collect();
            assert_eq!(pokes.len(), 2, "pieces of {size}");
            assert_eq!(pokes[0].scopes.values().copied().collect::<Vec<_>>(), [7]);
        }
    }

    #[test]
    fn what_is_no_poke_or_never_ends_is_refused() {
        assert!(Parser::default().take(b"event: poke\ndata: {]\n\n").is_err());
        let mut parser = Parser::default();
        let endless = vec![b'x'; 64 << 10];
        assert!((0..32).any(|_| parser.take(&endless).is_err()));
        let mut parser = Parser::default();
        assert!((0..100_000).any(|_| parser.take(b"data: 0123456789\n").is_err()));
    }
}
