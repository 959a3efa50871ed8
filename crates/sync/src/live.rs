//! The live stream: server-sent events that say which feeds moved.

use crate::{RemoteError, RemoteResult};
use meantime_protocol::http::Poke;
use reqwest::Response;
use std::collections::VecDeque;
use std::time::Duration;

/// The server sends something at least every 15 s; three of these missed, the
/// connection is dead, whatever the system says.
const SILENCE: Duration = Duration::from_secs(45);
/// Longest event, in bytes.
const MAX_EVENT: usize = 1 << 20;

/// Pokes as they come.
pub struct Pokes(Source);

enum Source {
    Stream(Box<(Response, Parser)>),
    Channel(tokio::sync::mpsc::Receiver<Poke>),
}

impl Pokes {
    pub(crate) fn new(response: Response) -> Self {
        Self(Source::Stream(Box::new((response, Parser::default()))))
    }

    /// Pokes from elsewhere than HTTP; the stream ends with the channel.
    #[must_use]
    pub fn from_channel(receiver: tokio::sync::mpsc::Receiver<Poke>) -> Self {
        Self(Source::Channel(receiver))
    }

    /// The next poke. May be dropped and called again without losing one.
    ///
    /// # Errors
    /// The stream ended, broke, or fell silent.
    pub async fn next(&mut self) -> RemoteResult<Poke> {
        let ended = || RemoteError::Offline("the connection to the team server ended; connecting again".to_owned());
        let (response, parser) = match &mut self.0 {
            Source::Channel(receiver) => return receiver.recv().await.ok_or_else(ended),
            Source::Stream(stream) => (&mut stream.0, &mut stream.1),
        };
        loop {
            if let Some(poke) = parser.ready.pop_front() {
                return Ok(poke);
            }
            let chunk = tokio::time::timeout(SILENCE, response.chunk()).await.map_err(|_| ended())?;
            parser.feed(&chunk.map_err(|_| ended())?.ok_or_else(ended)?)?;
        }
    }
}

/// Takes `text/event-stream` apart: of each event its `data` lines, when its
/// `event` is `poke`; comments (heartbeats) and other events are skipped.
#[derive(Default)]
struct Parser {
    line: Vec<u8>,
    event: String,
    data: String,
    ready: VecDeque<Poke>,
}

impl Parser {
    fn feed(&mut self, bytes: &[u8]) -> RemoteResult<()> {
        for byte in bytes {
            match byte {
                b'\n' => self.line_ended()?,
                b'\r' => {}
                other => self.line.push(*other),
            }
            if self.line.len() + self.data.len() > MAX_EVENT {
                return Err(RemoteError::Protocol("an event without end".to_owned()));
            }
        }
        Ok(())
    }

    fn line_ended(&mut self) -> RemoteResult<()> {
        let line = std::mem::take(&mut self.line);
        let line = String::from_utf8_lossy(&line);
        if line.is_empty() {
            let (event, data) = (std::mem::take(&mut self.event), std::mem::take(&mut self.data));
            if event == "poke" {
                self.ready.push_back(serde_json::from_str(&data).map_err(|e| RemoteError::Protocol(e.to_string()))?);
            }
            return Ok(());
        }
        let (field, value) = line.split_once(':').unwrap_or((&line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => value.clone_into(&mut self.event),
            "data" => {
                if !self.data.is_empty() {
                    self.data.push('\n');
                }
                self.data.push_str(value);
            }
            _ => {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_read_however_they_are_cut() {
        let scope = "team:0192f0c1-0000-7000-8000-000000000001";
        let text = format!(
            ": hello\n\nevent: poke\r\ndata: {{\"scopes\":\r\ndata: {{\"{scope}\":7}}}}\r\n\r\nevent: x\ndata: 1\n\n"
        );
        for size in 1..text.len() {
            let mut parser = Parser::default();
            for chunk in text.as_bytes().chunks(size) {
                parser.feed(chunk).unwrap();
            }
            let poke = parser.ready.pop_front().unwrap();
            assert_eq!(poke.scopes.get(&scope.parse().unwrap()), Some(&7));
            assert!(parser.ready.is_empty());
        }
    }

    #[test]
    fn an_event_without_end_is_an_error() {
        let mut parser = Parser::default();
        assert!(parser.feed(&vec![b'x'; MAX_EVENT + 1]).is_err());
        assert!(Parser::default().feed(b"event: poke\ndata: {\n\n").is_err());
    }
}
