//! Lines of bounded length, in and out.

use serde::Serialize;
use std::io;
use std::time::Duration;
use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::mpsc;

/// A reader that takes nothing for so long is cut off.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

/// What the next line is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// Its bytes, without the end of the line.
    Whole(Vec<u8>),
    /// Longer than allowed; it was skipped.
    TooLong,
    /// There is none: the other side has ended. Half a line before it is dropped.
    End,
}

/// Reads lines of at most `limit` bytes.
pub(super) struct Lines<R> {
    reader: R,
    limit: usize,
    line: Vec<u8>,
    skipping: bool,
}

impl<R: AsyncBufRead + Unpin> Lines<R> {
    pub(super) fn new(reader: R, limit: usize) -> Self {
        Self { reader, limit, line: Vec::new(), skipping: false }
    }

    /// The next line. Nothing is lost when the future is dropped.
    pub(super) async fn next(&mut self) -> io::Result<Line> {
        loop {
            let bytes = self.reader.fill_buf().await?;
            if bytes.is_empty() {
                return Ok(Line::End);
            }
            let (part, ended) = match bytes.iter().position(|byte| *byte == b'\n') {
                Some(at) => (bytes.get(..at).unwrap_or_default(), true),
                None => (bytes, false),
            };
            if self.skipping || self.line.len() + part.len() > self.limit {
                self.skipping = true;
                self.line = Vec::new();
            } else {
                self.line.extend_from_slice(part);
            }
            let taken = part.len() + usize::from(ended);
            self.reader.consume(taken);
            if ended {
                let line = std::mem::take(&mut self.line);
                return Ok(if std::mem::take(&mut self.skipping) { Line::TooLong } else { Line::Whole(line) });
            }
        }
    }
}

/// A value as one line.
pub(super) fn line(value: &impl Serialize) -> Result<Vec<u8>, serde_json::Error> {
    let mut line = serde_json::to_vec(value)?;
    line.push(b'\n');
    Ok(line)
}

/// Writes what comes until every sender is gone. Ends early, and so lets the
/// senders know, when the other side takes nothing for `patience`.
pub(super) async fn write(mut to: impl AsyncWrite + Unpin, mut lines: mpsc::Receiver<Vec<u8>>, patience: Duration) {
    while let Some(line) = lines.recv().await {
        if let Err(e) = write_one(&mut to, &line, patience).await {
            tracing::debug!("a local connection is cut off: {e}");
            return;
        }
    }
}

async fn write_one(to: &mut (impl AsyncWrite + Unpin), line: &[u8], patience: Duration) -> io::Result<()> {
    let mut rest = line;
    while !rest.is_empty() {
        let written = tokio::time::timeout(patience, to.write(rest))
            .await
            .map_err(|_| io::Error::new(io::ErrorKind::TimedOut, "it reads too slowly"))??;
        if written == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        rest = rest.get(written..).unwrap_or_default();
    }
    tokio::time::timeout(patience, to.flush())
        .await
        .map_err(|_| io::Error::new(io::ErrorKind::TimedOut, "it reads too slowly"))?
}
