//! Which server a command is about.

use super::owner;
use crate::backend::Backend;
use crate::clock::SystemClock;
use crate::data::DataDir;
use crate::link::Links;
use crate::settings::{Settings, TlsKind};
use crate::tls::{Authority, pin_of_file};
use anyhow::{Context as _, bail};
use clap::Args;
use meantime_server_core::storage::Team;
use meantime_server_core::{Clock as _, Core, Shared, Storage as _};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

const NO_TEAM: &str = "this server has no team; `meantime-server init` in an empty folder begins another";

/// A data folder, or a settings file that names one.
#[derive(Debug, Args)]
#[group(required = true, multiple = true)]
pub struct Place {
    /// The data folder; its settings are server.toml in it.
    #[arg(long)]
    data: Option<PathBuf>,
    /// The settings file, where it lies elsewhere; it names the data folder, unless --data does.
    #[arg(long)]
    config: Option<PathBuf>,
}

/// A server's data, opened for a command.
pub struct Opened {
    /// The settings.
    pub settings: Settings,
    /// The rules on its storage.
    pub core: Core<Shared>,
    /// Its folder.
    pub data: DataDir,
}

impl Place {
    /// For a server that is there.
    pub fn data(&self) -> anyhow::Result<DataDir> {
        match (&self.data, &self.config) {
            (Some(data), None) => Ok(DataDir::new(data)),
            (Some(data), Some(config)) => Ok(DataDir::new(data).with_settings(config)),
            (None, Some(config)) => DataDir::of_settings(config),
            (None, None) => bail!("--data or --config says which server is meant"),
        }
    }

    /// For a server that is to be made: the settings file need not be there.
    pub fn new_data(&self) -> anyhow::Result<DataDir> {
        match (&self.data, &self.config) {
            (None, Some(config)) => {
                let folder = config.parent().context("--config is the path of a file")?;
                Ok(DataDir::new(folder).with_settings(config))
            }
            _ => self.data(),
        }
    }

    /// For a server that may be there or not, as before a restore. Settings that
    /// name one folder are never made those of another.
    pub fn data_there_or_not(&self) -> anyhow::Result<DataDir> {
        let (Some(config), data) = (&self.config, &self.data) else { return self.new_data() };
        let there = config.exists().then(|| DataDir::of_settings(config));
        match (data, there) {
            (None, Some(there)) => there,
            (None, None) => bail!(
                "there is no {}, so nothing says where the data shall go; add --data FOLDER, as for `init`",
                config.display()
            ),
            // What can't be read names nothing.
            (Some(data), Some(Ok(there))) if !same(data, there.folder()) => bail!(
                "{} are the settings of {}, not of {}; leave --config out, and those of the backup go into --data",
                config.display(),
                there.folder().display(),
                data.display()
            ),
            (Some(_), _) => self.new_data(),
        }
    }

    /// Opens its data, which has to be up to date; the server may be running.
    pub async fn open(&self) -> anyhow::Result<Opened> {
        let data = self.data()?;
        owner::go_on_as(&data)?;
        let settings = data.settings()?;
        let backend = Backend::open_as_it_is(&data, &settings).await?;
        Ok(Opened::of(data, settings, &backend))
    }
}

/// Whether two paths are of one folder.
fn same(one: &Path, other: &Path) -> bool {
    let real = |path: &Path| fs::canonicalize(path).or_else(|_| std::path::absolute(path)).ok();
    real(one) == real(other)
}

impl Opened {
    pub fn of(data: DataDir, settings: Settings, backend: &Backend) -> Self {
        let core = Core::new(backend.shared(Arc::new(())), Arc::new(SystemClock));
        Self { settings, core, data }
    }

    /// The links of its invites.
    pub fn links(&self) -> anyhow::Result<Links> {
        let at = self.data.address().unwrap_or(self.settings.listen);
        let pin = match self.settings.tls.kind {
            TlsKind::OwnCa => Some(Authority::of(&self.data, SystemClock.now())?.pin()),
            TlsKind::Files => self.settings.tls.ca.as_deref().map(pin_of_file).transpose()?,
            TlsKind::Acme => None,
        };
        Ok(Links::new(&self.settings, at, pin))
    }

    /// The team of a name or id; the only one when none is given.
    pub async fn team(&self, wanted: Option<&str>) -> anyhow::Result<Team> {
        let mut teams = self.core.storage().teams().await?;
        if let Some(wanted) = wanted {
            teams.retain(|team| team.name == wanted || team.id.to_string() == wanted);
        }
        match (teams.len(), wanted) {
            (1, _) => teams.pop().context(NO_TEAM),
            (0, None) => bail!(NO_TEAM),
            (0, Some(wanted)) => bail!("no team here is called {wanted}"),
            (_, None) => bail!("this server has several teams; --team says which, by its name or id"),
            (_, Some(wanted)) => bail!("several teams are called {wanted}; give the id"),
        }
    }
}
