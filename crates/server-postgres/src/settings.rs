//! Where the database is, who connects, and how its certificate is checked.

use crate::OpenError;
use crate::schema::quoted;
use rustls::ClientConfig;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use rustls_platform_verifier::Verifier;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode, TargetSessionAttrs};
use tokio_postgres_rustls::MakeRustlsConnect;

/// How long a connection may take to be made.
const CONNECTING: Duration = Duration::from_secs(5);
/// After this much silence the system asks whether the database is still there.
const IDLE: Duration = Duration::from_secs(30);
/// What was sent must be acknowledged by then, or the connection is dead.
const UNHEARD: Duration = Duration::from_secs(15);

/// What the connections of a process that serves are called.
pub(crate) const SERVING: &str = "meantime-server";

/// How to reach the database.
#[derive(Clone, PartialEq, Eq)]
pub struct Settings {
    /// `postgres://USER:PASSWORD@HOST:PORT/DATABASE`, or `host=… user=…`. The
    /// user must be a member of [`Settings::role`], or that role itself.
    /// Unless the host is this machine, TLS is required; `sslmode=disable` in
    /// it goes without.
    pub url: String,
    /// The same for who owns the tables, and makes and changes them; when
    /// absent, the user of `url` does.
    pub owner_url: Option<String>,
    /// Queries run as this role. It owns nothing, so that row-level security
    /// holds for it. Made with the tables if it isn't there and the owner may.
    pub role: String,
    /// Certificates (PEM) that the database's must lead to; when absent, the
    /// system's.
    pub ca_file: Option<PathBuf>,
    /// Connections at most, of this process.
    pub connections: usize,
}

impl Settings {
    /// A database, with everything else as usual: 16 connections, the role
    /// `meantime_app`, tables owned by the user of `url`.
    #[must_use]
    pub fn new(url: &str) -> Self {
        let role = "meantime_app".to_owned();
        Self { url: url.to_owned(), owner_url: None, role, ca_file: None, connections: 16 }
    }

    /// For those who own the tables.
    pub(crate) fn owner(&self) -> Result<Config, OpenError> {
        self.config(self.owner_url.as_ref().unwrap_or(&self.url), "meantime-server owner")
    }

    /// For those who only use them. A statement or a wait for another's lock
    /// is given up long before a request is.
    pub(crate) fn app(&self) -> Result<Config, OpenError> {
        let mut config = self.config(&self.url, SERVING)?;
        let given = config.get_options().unwrap_or_default().to_owned();
        let role = self.role()?;
        config.options(format!(
            "{given} -c role={role} -c search_path=meantime,pg_temp -c statement_timeout=10s -c lock_timeout=5s \
             -c idle_in_transaction_session_timeout=10s"
        ));
        Ok(config)
    }

    /// Who serves, where that is not the tables' owner.
    pub(crate) fn serving(&self) -> Option<String> {
        self.owner_url.as_ref()?;
        self.url.parse::<Config>().ok()?.get_user().map(str::to_owned)
    }

    /// Everybody who connects, as they may stand in a statement.
    pub(crate) fn users(&self) -> String {
        let urls = [self.owner_url.as_ref(), Some(&self.url)];
        let users = urls.into_iter().flatten().filter_map(|url| Some(quoted(url.parse::<Config>().ok()?.get_user()?)));
        users.collect::<Vec<_>>().join(", ")
    }

    /// The role's name, harmless in any statement.
    pub(crate) fn role(&self) -> Result<&str, OpenError> {
        let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        let starts = self.role.starts_with(|c: char| c.is_ascii_lowercase() || c == '_');
        if starts && self.role.len() <= 63 && self.role.chars().all(fits) {
            return Ok(&self.role);
        }
        Err(OpenError::Settings(format!("`{}` is no role: a-z, 0-9 and _, at most 63 of them", self.role)))
    }

    pub(crate) fn tls(&self) -> Result<MakeRustlsConnect, OpenError> {
        let wrong = |what: &dyn fmt::Display| OpenError::Settings(format!("TLS to the database: {what}"));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider));
        let builder = builder.with_safe_default_protocol_versions().map_err(|e| wrong(&e))?;
        let Some(path) = &self.ca_file else {
            let verifier = Verifier::new(provider).map_err(|e| wrong(&e))?;
            let config = builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier));
            return Ok(MakeRustlsConnect::new(config.with_no_client_auth()));
        };
        let mut roots = rustls::RootCertStore::empty();
        let unread = |e: &dyn fmt::Display| wrong(&format!("{}: {e}", path.display()));
        for certificate in CertificateDer::pem_file_iter(path).map_err(|e| unread(&e))? {
            roots.add(certificate.map_err(|e| unread(&e))?).map_err(|e| unread(&e))?;
        }
        if roots.is_empty() {
            return Err(unread(&"no certificate is in it"));
        }
        Ok(MakeRustlsConnect::new(builder.with_root_certificates(roots).with_no_client_auth()))
    }

    fn config(&self, url: &str, name: &str) -> Result<Config, OpenError> {
        // What is wrong is not said in full: the text has a password.
        let wrong = |what: &str| OpenError::Settings(format!("the database's address: {what}"));
        let mut config: Config = url.parse().map_err(|e: tokio_postgres::Error| {
            let reason = std::error::Error::source(&e).map(ToString::to_string);
            wrong(&reason.unwrap_or_else(|| "it is not of the form postgres://USER@HOST/DATABASE".to_owned()))
        })?;
        if config.get_dbname().is_none() || config.get_user().is_none() {
            return Err(wrong("it must name a user and a database"));
        }
        let here = |host: &Host| match host {
            Host::Tcp(name) => name == "localhost" || name.parse::<std::net::IpAddr>().is_ok_and(|at| at.is_loopback()),
            #[cfg(unix)]
            Host::Unix(_) => true,
        };
        let all_here = config.get_hosts().iter().all(here) && config.get_hostaddrs().iter().all(|at| at.is_loopback());
        if config.get_ssl_mode() == SslMode::Prefer && (self.ca_file.is_some() || !all_here) {
            config.ssl_mode(SslMode::Require);
        }
        config
            .application_name(name)
            .connect_timeout(CONNECTING)
            .tcp_user_timeout(UNHEARD)
            .keepalives_idle(IDLE)
            .keepalives_interval(Duration::from_secs(5))
            .keepalives_retries(3)
            // After a failover the old primary takes no changes.
            .target_session_attrs(TargetSessionAttrs::ReadWrite);
        Ok(config)
    }
}

/// Without the addresses, which hold passwords.
impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings").field("role", &self.role).field("connections", &self.connections).finish()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn settings(url: &str) -> Settings {
        Settings::new(url)
    }

    #[test]
    fn another_machine_is_asked_for_tls() {
        let mode = |url: &str| settings(url).app().unwrap().get_ssl_mode();
        assert_eq!(mode("postgres://a:b@db.example.org/team"), SslMode::Require);
        assert_eq!(mode("postgres://a:b@192.0.2.1/team?sslmode=prefer"), SslMode::Require);
        assert_eq!(mode("postgres://a:b@db.example.org/team?sslmode=disable"), SslMode::Disable);
        assert_eq!(mode("postgres://a:b@127.0.0.1/team"), SslMode::Prefer);
        assert_eq!(mode("host=/run/postgresql user=a dbname=team"), SslMode::Prefer);
        assert_eq!(mode("postgres://a:b@localhost,db.example.org/team"), SslMode::Require);
        let pinned = Settings { ca_file: Some("ca.pem".into()), ..settings("postgres://a:b@127.0.0.1/team") };
        assert_eq!(pinned.app().unwrap().get_ssl_mode(), SslMode::Require);
    }

    #[test]
    fn what_is_wrong_is_said_without_the_password() {
        for url in ["postgres://ana:hunter2@db.example.org", "mysql://ana:hunter2@x/y", "postgres://:hunter2@x/y?a=b"] {
            let refused = settings(url).app().unwrap_err().to_string();
            assert!(!refused.contains("hunter2") && refused.contains("address"), "{refused}");
        }
        let hidden = settings("postgres://ana:hunter2@db.example.org/team");
        assert!(!format!("{hidden:?}").contains("hunter2"));
        for role in ["", "Meantime", "a b", "1a", "x;y", &"x".repeat(64)] {
            let refused = Settings { role: role.to_owned(), ..hidden.clone() }.app().unwrap_err();
            assert!(matches!(refused, OpenError::Settings(_)), "{role}");
        }
        let missing = Settings { ca_file: Some("/nonexistent/ca.pem".into()), ..hidden };
        assert!(matches!(missing.tls().map(drop), Err(OpenError::Settings(_))));
    }
}
