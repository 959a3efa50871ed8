//! The real sources, and how an account is made of what a person entered.

use crate::archive;
use crate::image::Images;
use async_trait::async_trait;
use meantime_engine::api::{MailFormat, MailServer, NewAccount, NewMailbox, Security, SourceKind};
use meantime_engine::{Adapters, Configured, MailArchive};
use meantime_platform::Clock;
use meantime_source::{Now, Secret, Source, SourceError};
use meantime_source_feed::{FeedConfig, FeedSource};
use meantime_source_imap as imap;
use meantime_source_imap::{ImapSource, MailboxConfig};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::path::Path;
use std::sync::Arc;

/// Opens real accounts.
pub(crate) struct Real {
    now: Now,
    images: Images,
}

impl Real {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        Self { now: Arc::new(move || clock.now()), images: Images::default() }
    }
}

#[async_trait]
impl Adapters for Real {
    fn open(&self, kind: SourceKind, config: &Value, secret: Option<Secret>) -> Result<Arc<dyn Source>, SourceError> {
        match kind {
            SourceKind::Imap => {
                let secret = secret.ok_or_else(|| SourceError::Auth("the password is missing: sign in".to_owned()))?;
                Ok(Arc::new(ImapSource::new(read::<MailboxConfig>(config)?, secret, self.now.clone())))
            }
            SourceKind::Feed => Ok(Arc::new(FeedSource::new(read::<FeedConfig>(config)?, self.now.clone()))),
            SourceKind::Team | SourceKind::Archive => {
                Err(SourceError::Permanent("this kind of account is not read from a source".to_owned()))
            }
        }
    }

    async fn configure(&self, new: NewAccount) -> Result<Configured, SourceError> {
        match new {
            NewAccount::Imap(new) => {
                let secret = Some(Secret::new(new.password.clone()));
                Ok(Configured { kind: SourceKind::Imap, config: written(&mailbox(new)?)?, secret })
            }
            NewAccount::Feed { url, private } => {
                let asked = FeedConfig { url, name: String::new(), allow_private: private };
                let found = FeedSource::new(asked, self.now.clone()).discover().await?;
                let config = FeedConfig { url: found.url, name: found.title, allow_private: private };
                Ok(Configured { kind: SourceKind::Feed, config: written(&config)?, secret: None })
            }
        }
    }

    async fn image(&self, address: &str, most: usize) -> Result<Vec<u8>, SourceError> {
        self.images.fetch(address, most).await
    }

    fn read_mail(&self, path: &Path, format: MailFormat) -> Result<MailArchive, SourceError> {
        archive::read(path, format, self.now.clone())
    }
}

fn mailbox(new: NewMailbox) -> Result<MailboxConfig, SourceError> {
    for (what, text) in [("mail address", &new.address), ("sign-in name", &new.user), ("server", &new.imap.host)] {
        if text.trim().is_empty() {
            return Err(SourceError::Invalid(format!("The {what} is missing: enter it.")));
        }
    }
    Ok(MailboxConfig {
        address: new.address.trim().to_owned(),
        name: new.display_name.trim().to_owned(),
        user: new.user.trim().to_owned(),
        imap: server(new.imap)?,
        smtp: new.smtp.map(server).transpose()?,
    })
}

fn server(server: MailServer) -> Result<imap::MailServer, SourceError> {
    let certificate = match server.certificate.filter(|text| !text.trim().is_empty()) {
        None => None,
        Some(text) => Some(imap::Fingerprint::try_from(text).map_err(SourceError::Invalid)?),
    };
    let security = match server.security {
        Security::Tls => imap::Security::Tls,
        Security::StartTls => imap::Security::Starttls,
        Security::Plain => imap::Security::Plain,
    };
    Ok(imap::MailServer { host: server.host.trim().to_owned(), port: server.port, security, certificate })
}

fn read<T: DeserializeOwned>(config: &Value) -> Result<T, SourceError> {
    let broken = |e| SourceError::Permanent(format!("this account's settings can't be read, add it anew: {e}"));
    serde_json::from_value(config.clone()).map_err(broken)
}

fn written(config: &impl Serialize) -> Result<Value, SourceError> {
    serde_json::to_value(config).map_err(|e| SourceError::Permanent(e.to_string()))
}
