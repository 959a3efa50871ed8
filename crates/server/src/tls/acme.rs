//! A certificate from an ACME service (RFC 8555), proved by tls-alpn-01 on
//! the port that apps use too: nothing else has to be opened.

use super::Certificate;
use super::current::Current;
use crate::data::DataDir;
use crate::settings::{self, Settings};
use anyhow::{Context as _, bail};
use instant_acme::{
    Account, AccountCredentials, AuthorizationStatus, ChallengeType, Identifier, NewAccount, NewOrder, OrderStatus,
    RetryPolicy,
};
use rcgen::{CertificateParams, CustomExtension, KeyPair};
use rustls::crypto::ring;
use rustls::sign::CertifiedKey;
use rustls_pki_types::PrivatePkcs8KeyDer;
use serde::{Deserialize, Serialize};
use std::fs;
use std::sync::Arc;
use std::time::Duration;

const ACCOUNT: &str = "acme-account.json";
const CHAIN: &str = "acme.pem";
const KEY: &str = "acme.key";
/// How long the service may take to look and to sign.
const PATIENCE: Duration = Duration::from_secs(120);

/// Where certificates are asked for, and for which names.
pub(super) struct Acme {
    data: DataDir,
    settings: settings::Tls,
    hosts: Vec<String>,
}

#[derive(Serialize, Deserialize)]
struct Known {
    directory: String,
    credentials: AccountCredentials,
}

impl Acme {
    pub fn of(data: &DataDir, settings: &Settings) -> Self {
        Self { data: data.clone(), settings: settings.tls.clone(), hosts: settings.hosts.clone() }
    }

    /// The one got last, if it is still for these names.
    pub fn kept(&self) -> Option<Certificate> {
        let (chain, key) = (fs::read(self.data.file(CHAIN)).ok()?, fs::read(self.data.file(KEY)).ok()?);
        let kept = Certificate::of_pem(&chain, &key);
        let kept = kept.inspect_err(|e| tracing::warn!("the kept certificate is of no use: {e:#}")).ok()?;
        let names = kept.names().ok()?;
        self.hosts.iter().all(|host| names.contains(host)).then_some(kept)
    }

    /// Gets a new one, and keeps it.
    pub async fn order(&self, current: &Current) -> anyhow::Result<Certificate> {
        let ordered = self.ordered(current).await;
        current.challenged();
        let (chain, key) = ordered.with_context(|| format!("asked {}", self.settings.acme_directory))?;
        let certificate = Certificate::of_pem(chain.as_bytes(), key.as_bytes())?;
        // The key first: a chain without its key would be of no use.
        self.data.write(KEY, key.as_bytes())?;
        self.data.write(CHAIN, chain.as_bytes())?;
        Ok(certificate)
    }

    async fn ordered(&self, current: &Current) -> anyhow::Result<(String, String)> {
        let account = self.account().await?;
        let names: Vec<Identifier> = self.hosts.iter().cloned().map(Identifier::Dns).collect();
        let order = account.new_order(&NewOrder::new(&names)).await;
        let mut order = order.inspect_err(|error| self.forget_account(error))?;
        let mut authorizations = order.authorizations();
        while let Some(authorization) = authorizations.next().await {
            let mut authorization = authorization?;
            match authorization.status {
                AuthorizationStatus::Valid => continue,
                AuthorizationStatus::Pending => {}
                ref other => bail!("the service refuses one of the hosts: {other:?}"),
            }
            let challenge = authorization.challenge(ChallengeType::TlsAlpn01);
            let mut challenge = challenge.context("the service does not offer tls-alpn-01")?;
            let name = challenge.identifier().to_string();
            let proof = proof(&name, challenge.key_authorization().digest().as_ref())?;
            current.challenge(name, proof);
            challenge.set_ready().await?;
        }
        let patience = RetryPolicy::new().timeout(PATIENCE);
        let status = order.poll_ready(&patience).await?;
        if status != OrderStatus::Ready {
            bail!("the service could not reach this server at port 443 of its hosts, or refused them: {status:?}");
        }
        let key = order.finalize().await?;
        Ok((order.poll_certificate(&patience).await?, key))
    }

    /// The account there; made when there is none, or at another service.
    async fn account(&self) -> anyhow::Result<Account> {
        let builder = match &self.settings.acme_ca {
            Some(ca) => Account::builder_with_root(ca)?,
            None => Account::builder()?,
        };
        let directory = self.settings.acme_directory.clone();
        let known = fs::read(self.data.file(ACCOUNT)).ok().and_then(|text| serde_json::from_slice::<Known>(&text).ok());
        if let Some(Known { credentials, .. }) = known.filter(|known| known.directory == directory) {
            return Ok(builder.from_credentials(credentials).await?);
        }
        let contact: Vec<&str> = self.settings.acme_contact.iter().map(String::as_str).collect();
        let new = NewAccount { contact: &contact, terms_of_service_agreed: true, only_return_existing: false };
        let (account, credentials) = builder.create(&new, directory.clone(), None).await?;
        self.data.write(ACCOUNT, &serde_json::to_vec(&Known { directory, credentials })?)?;
        Ok(account)
    }
}

impl Acme {
    /// A service that doesn't know the account any more is asked for another
    /// one the next time.
    fn forget_account(&self, error: &instant_acme::Error) {
        let instant_acme::Error::Api(problem) = error else { return };
        if problem.r#type.as_deref() == Some("urn:ietf:params:acme:error:accountDoesNotExist") {
            let _ = fs::remove_file(self.data.file(ACCOUNT));
        }
    }
}

/// What shows an ACME service that whoever answers for `name` is who asked it.
fn proof(name: &str, digest: &[u8]) -> anyhow::Result<Arc<CertifiedKey>> {
    anyhow::ensure!(digest.len() == 32, "the service's challenge is not of its form");
    let mut params = CertificateParams::new(vec![name.to_owned()])?;
    params.custom_extensions = vec![CustomExtension::new_acme_identifier(digest)];
    let key = KeyPair::generate()?;
    let certificate = params.self_signed(&key)?;
    let key = PrivatePkcs8KeyDer::from(key.serialize_der()).into();
    // Not checked against each other: the check knows no critical extension.
    let key = ring::default_provider().key_provider.load_private_key(key)?;
    Ok(Arc::new(CertifiedKey::new(vec![certificate.der().clone()], key)))
}
