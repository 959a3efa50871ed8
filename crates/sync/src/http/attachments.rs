//! Files that go with messages, to the server and from it. What was under way
//! when the connection broke is gone on with by calling again: the server
//! knows how far an upload is, a download's file how far it came.
//!
//! Tries each thing once: when to try again is the caller's business.

use super::{HttpRemote, SILENCE, refused};
use crate::RemoteError;
use futures::{StreamExt as _, stream};
use meantime_protocol::attachment::{UPLOAD_OFFSET, Upload};
use meantime_protocol::{Code, Problem, Scope, Sha256};
use reqwest::header::{CONTENT_LENGTH, CONTENT_RANGE, RANGE};
use reqwest::{Body, Method, RequestBuilder, StatusCode};
use sha2::Digest as _;
use std::io::SeekFrom;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::fs::{self, File, OpenOptions};
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _, AsyncWriteExt as _};

/// Bytes handed over at once.
const CHUNK: usize = 64 << 10;
/// The server ends a request after a quarter of an hour, with what came kept.
const LONGEST: Duration = Duration::from_secs(16 * 60);
/// Somebody else may be sending the same from this device.
const TRIES: usize = 3;

/// How a transfer fails.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum TransferError {
    /// The server: as any call. After [`RemoteError::Offline`] and
    /// [`RemoteError::Busy`] calling again goes on from there.
    #[error(transparent)]
    Remote(#[from] RemoteError),
    /// A file on this machine.
    #[error("{0}")]
    File(String),
    /// The bytes that came are not those that were asked for; they were thrown away.
    #[error("what the server sent is not the file that the message names")]
    OtherBytes,
}

impl HttpRemote {
    /// The SHA-256 of a file and its length in bytes, as [`HttpRemote::upload`] wants them.
    ///
    /// # Errors
    /// When the file can't be read.
    pub async fn hash(path: &Path) -> Result<(Sha256, u64), TransferError> {
        let of = failing(path, "can't be read");
        let mut file = File::open(path).await.map_err(&of)?;
        let (mut hash, mut bytes, mut chunk) = (sha2::Sha256::new(), 0, vec![0; CHUNK]);
        loop {
            match file.read(&mut chunk).await.map_err(&of)? {
                0 => return Ok((Sha256(hash.finalize().into()), bytes)),
                n => {
                    hash.update(chunk.get(..n).unwrap_or_default());
                    bytes += n as u64;
                }
            }
        }
    }

    /// Sends a file into a scope, from where an earlier try ended. When it
    /// returns, messages of that scope may refer to it.
    ///
    /// # Errors
    /// [`RemoteError::Refused`] with `too_large`, `limit_reached` or, when the
    /// file was changed meanwhile, `invalid`; with `not_found` for a scope that
    /// isn't this person's. Else as any call.
    pub async fn upload(&self, scope: Scope, sha256: Sha256, bytes: u64, from: &Path) -> Result<(), TransferError> {
        for _ in 0..TRIES {
            let Some(offset) = self.offset(scope, sha256).await? else { return Ok(()) };
            if offset > bytes {
                self.done(self.attachment(Method::DELETE, scope, sha256)).await?;
                continue;
            }
            match self.send(scope, sha256, bytes, offset, from).await {
                Ok(Upload { complete: true, .. }) => return Ok(()),
                Ok(Upload { .. }) => {}
                Err(TransferError::Remote(RemoteError::Refused(problem))) if problem.code == Code::Conflict => {}
                Err(error) => return Err(error),
            }
        }
        Err(RemoteError::Busy { retry_after: None }.into())
    }

    /// Fetches an attachment into a file, from where an earlier try ended. The
    /// file is there once it is whole and its hash is right; until then what
    /// came lies beside it, with `.part` behind its name.
    ///
    /// # Errors
    /// [`TransferError::OtherBytes`]; [`RemoteError::Refused`] with `not_found`
    /// when it isn't there. Else as any call.
    pub async fn download(&self, scope: Scope, sha256: Sha256, bytes: u64, to: &Path) -> Result<(), TransferError> {
        let part = part_of(to);
        let of = failing(&part, "can't be written");
        let mut file = private().open(&part).await.map_err(&of)?;
        let mut there = file.metadata().await.map_err(&of)?.len();
        if there > bytes {
            file.set_len(0).await.map_err(&of)?;
            there = 0;
        }
        if there < bytes {
            self.fetch(scope, sha256, there..bytes, &mut file, &of).await?;
        }
        file.sync_all().await.map_err(&of)?;
        drop(file);
        if Self::hash(&part).await? != (sha256, bytes) {
            fs::remove_file(&part).await.map_err(&of)?;
            return Err(TransferError::OtherBytes);
        }
        fs::rename(&part, to).await.map_err(failing(to, "can't be written"))
    }

    fn attachment(&self, method: Method, scope: Scope, sha256: Sha256) -> RequestBuilder {
        self.request(method, &format!("attachments/{scope}/{sha256}"))
    }

    /// How far an upload is; none when the attachment is whole.
    async fn offset(&self, scope: Scope, sha256: Sha256) -> Result<Option<u64>, RemoteError> {
        let request = self.attachment(Method::HEAD, scope, sha256).timeout(super::CALL);
        let answer = request.send().await.map_err(|e| self.failed(&e))?;
        let offset = answer.headers().get(UPLOAD_OFFSET).and_then(|v| v.to_str().ok()?.parse().ok());
        match (answer.status(), offset) {
            (StatusCode::OK, _) => Ok(None),
            (StatusCode::NOT_FOUND, Some(offset)) => Ok(Some(offset)),
            // An answer to HEAD has no body that would say it.
            (StatusCode::NOT_FOUND | StatusCode::GONE, None) => {
                let problem = Problem::new(Code::NotFound, "the place it was sent to is not there, or not yours");
                Err(RemoteError::Refused(problem))
            }
            _ => Err(refused(answer).await.err().unwrap_or_else(|| RemoteError::Protocol("no place".into()))),
        }
    }

    async fn send(
        &self,
        scope: Scope,
        sha256: Sha256,
        bytes: u64,
        offset: u64,
        from: &Path,
    ) -> Result<Upload, TransferError> {
        let of = failing(from, "can't be read");
        let mut file = File::open(from).await.map_err(&of)?;
        file.seek(SeekFrom::Start(offset)).await.map_err(&of)?;
        let chunks = stream::try_unfold((file, bytes - offset), |(mut file, left)| async move {
            let mut chunk = vec![0; CHUNK.min(usize::try_from(left).unwrap_or(CHUNK))];
            let n = file.read(&mut chunk).await?;
            chunk.truncate(n);
            std::io::Result::Ok((n > 0).then_some((chunk, (file, left - n as u64))))
        });
        let request = self.attachment(Method::PUT, scope, sha256).timeout(LONGEST);
        let request = request.header(CONTENT_LENGTH, bytes - offset);
        let request = match bytes {
            0 => request,
            _ => request.header(CONTENT_RANGE, format!("bytes {offset}-{}/{bytes}", bytes - 1)),
        };
        Ok(self.whole_call(request.body(Body::wrap_stream(chunks))).await?)
    }

    async fn fetch(
        &self,
        scope: Scope,
        sha256: Sha256,
        part: std::ops::Range<u64>,
        file: &mut File,
        of: &impl Fn(std::io::Error) -> TransferError,
    ) -> Result<(), TransferError> {
        let request = self.attachment(Method::GET, scope, sha256).header(RANGE, format!("bytes={}-", part.start));
        let silent = || RemoteError::Offline(format!("{} has gone silent", self.host));
        let answer = tokio::time::timeout(SILENCE, request.send()).await.map_err(|_| silent())?;
        let answer = refused(answer.map_err(|e| self.failed(&e))?).await?;
        let mut left = match answer.status() {
            StatusCode::PARTIAL_CONTENT => part.end - part.start,
            // All of it, whatever was asked for.
            _ => {
                file.set_len(0).await.map_err(of)?;
                part.end
            }
        };
        file.seek(SeekFrom::End(0)).await.map_err(of)?;
        let mut chunks = answer.bytes_stream();
        while let Some(chunk) = tokio::time::timeout(SILENCE, chunks.next()).await.map_err(|_| silent())? {
            let chunk = chunk.map_err(|e| self.failed(&e))?;
            // More than the message says is not what the message names.
            left = left.checked_sub(chunk.len() as u64).ok_or(TransferError::OtherBytes)?;
            file.write_all(&chunk).await.map_err(of)?;
        }
        file.flush().await.map_err(of)?;
        match left {
            0 => Ok(()),
            _ => Err(RemoteError::Offline(format!("{} broke the connection", self.host)).into()),
        }
    }

    async fn whole_call(&self, request: RequestBuilder) -> Result<Upload, RemoteError> {
        let answer = refused(request.send().await.map_err(|e| self.failed(&e))?).await?;
        serde_json::from_slice(&self.body(answer).await?).map_err(|e| RemoteError::Protocol(e.to_string()))
    }
}

fn part_of(to: &Path) -> PathBuf {
    let mut part = to.as_os_str().to_owned();
    part.push(".part");
    part.into()
}

/// For its owner only.
fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    options.mode(0o600);
    options
}

fn failing(path: &Path, what: &'static str) -> impl Fn(std::io::Error) -> TransferError {
    let path = path.display().to_string();
    move |error| TransferError::File(format!("{path} {what}: {error}"))
}
