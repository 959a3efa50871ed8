//! Saving what hangs on a message: fetched when it is asked for, checked, and
//! put where the person wants it. A team's files come from its server, those
//! of mail from the mailbox.

use crate::api::*;
use crate::engine::{Engine, blocking};
use crate::files::{self, Place};
use crate::inbox::resolve;
use meantime_model::AccountId;
use meantime_protocol::{Scope, Sha256};
use meantime_store::{Read, account, item, message};
use meantime_sync::{HttpRemote, RemoteError, TransferError};
use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// A mailbox that is slower than this is asked again by the person.
const FROM_MAIL: Duration = Duration::from_secs(300);

/// A file of a message, and where its bytes are.
struct Wanted {
    file: message::Attachment,
    from: Origin,
}

enum Origin {
    /// At the team's server; the closed circle, where it is in one.
    Team { circle: Option<uuid::Uuid>, sha256: Sha256 },
    /// In a mailbox, at this place of this message's list.
    Mail { account: AccountId, message: String, index: usize },
}

impl Engine {
    pub(crate) async fn save_file(self: &Arc<Self>, args: SaveAttachment) -> Result<SavedFile, Failure> {
        let place = files::place_for(args.to.as_deref(), self.downloads.as_deref())?;
        let Wanted { file, from } = self.read(move |db| wanted(db, &args)).await?;
        let path = match from {
            Origin::Team { circle, sha256 } => self.save_from_team(circle, sha256, file, place).await?,
            Origin::Mail { account, message, index } => {
                let bytes = self.bytes_of_mail(account, &message, index, &file).await?;
                blocking(move || files::put(&mut bytes.as_slice(), &place, &file.name)).await?
            }
        };
        let named = |path: Option<&std::ffi::OsStr>| path.unwrap_or_default().to_string_lossy().into_owned();
        Ok(SavedFile {
            name: named(path.file_name()),
            folder: named(path.parent().and_then(Path::file_name)),
            path: path.to_string_lossy().into_owned(),
        })
    }

    async fn save_from_team(
        self: &Arc<Self>,
        circle: Option<uuid::Uuid>,
        sha256: Sha256,
        file: message::Attachment,
        place: Place,
    ) -> Result<std::path::PathBuf, Failure> {
        let name = file.name.clone();
        let busy = || Failure::new(FailureCode::NotPossible, format!("{name} is being fetched already: wait for it"));
        let in_use = self.files.using(sha256).await.ok_or_else(busy)?;
        let copy = self.files.path(&sha256);
        // A file of mine that has not gone out yet is here.
        if HttpRemote::hash(&copy).await != Ok((sha256, file.bytes)) {
            let (config, remote) = self.server().await?;
            let scope = circle.map_or(Scope::Team(config.team), Scope::Private);
            self.files.make().map_err(|e| Failure::new(FailureCode::Internal, e.to_string()))?;
            remote.download(scope, sha256, file.bytes, &copy).await.map_err(|e| not_fetched(e, &file.name))?;
        }
        let saved = blocking(move || {
            let mut bytes = std::fs::File::open(&copy)
                .map_err(|e| Failure::new(FailureCode::Internal, format!("{} can't be saved: {e}", file.name)))?
                .take(file.bytes);
            files::put(&mut bytes, &place, &file.name)
        })
        .await;
        drop(in_use);
        self.sweep_files().await;
        saved
    }

    async fn bytes_of_mail(
        &self,
        account: AccountId,
        message: &str,
        index: usize,
        file: &message::Attachment,
    ) -> Result<Vec<u8>, Failure> {
        let source = self.open_source(account).await?;
        let listed = meantime_source::Attachment {
            name: file.name.clone(),
            media_type: file.media_type.clone(),
            bytes: file.bytes,
        };
        let fetched = tokio::time::timeout(FROM_MAIL, source.attachment(message, index, &listed)).await;
        let slow = || Failure::new(FailureCode::Offline, "the mail server is too slow right now: try again later");
        let gone = || {
            let message = format!("{} is not in the mailbox any more: its mail was moved or deleted", file.name);
            Failure::new(FailureCode::NotFound, message)
        };
        fetched.map_err(|_| slow())??.ok_or_else(gone)
    }
}

fn wanted(db: &Read<'_>, args: &SaveAttachment) -> Result<Wanted, Failure> {
    let id = resolve(db, &args.item)?;
    let none = || Failure::new(FailureCode::NotFound, "there is no such attachment");
    let item = item::get(db, id)?.ok_or_else(none)?;
    let found = message::by_upstream(db, item.account, &args.message)?.filter(|m| m.item == id).ok_or_else(none)?;
    let index = args.index as usize;
    let file = found.attachments.get(index).cloned().ok_or_else(none)?;
    if !can_save(&found, &file, item.kind) {
        let message = match item.kind {
            account::AccountKind::Archive => {
                "the file of an archive is not kept: look for it where it was imported from"
            }
            account::AccountKind::Feed => "what a feed names is not fetched: open the entry in the browser",
            _ => "that file is on its way",
        };
        return Err(Failure::new(FailureCode::NotPossible, message));
    }
    let from = match file.sha256 {
        Some(sha256) => Origin::Team { circle: item.circle, sha256 },
        None => Origin::Mail { account: item.account, message: args.message.clone(), index },
    };
    Ok(Wanted { file, from })
}

/// Whether the bytes of a file can be had.
pub(crate) fn can_save(message: &message::Message, file: &message::Attachment, kind: account::AccountKind) -> bool {
    match kind {
        account::AccountKind::Team => file.sha256.is_some(),
        // A mail of mine that was not found in the sent mail yet is nowhere else.
        account::AccountKind::Imap => !message.upstream.ends_with(meantime_source::op::REPLY_ID),
        account::AccountKind::Feed | account::AccountKind::Archive => false,
    }
}

fn not_fetched(error: TransferError, name: &str) -> Failure {
    match error {
        TransferError::Remote(RemoteError::Refused(problem)) if problem.code == meantime_protocol::Code::NotFound => {
            let message = format!("the server does not have {name} any more: ask who sent it to send it again");
            Failure::new(FailureCode::NotFound, message)
        }
        TransferError::Remote(RemoteError::Gone) => {
            Failure::new(FailureCode::NotFound, format!("{name} is not there, or not for you"))
        }
        TransferError::Remote(error) => {
            let Failure { code, message } = Failure::from(error);
            let more = if code == FailureCode::Offline { ". Try again: it goes on from there" } else { "" };
            Failure::new(code, format!("{name} could not be fetched: {message}{more}"))
        }
        TransferError::OtherBytes => {
            let message = format!(
                "what the server sent is not {name} as it was sent, and was thrown away: try again, and tell who runs \
                 the server"
            );
            Failure::new(FailureCode::Refused, message)
        }
        error => Failure::new(FailureCode::Internal, format!("{name} could not be fetched: {error}")),
    }
}
