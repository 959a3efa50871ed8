//! The service on the bus: what is asked of it, who it is, and what it means
//! when it can't be reached. What is shown is not its matter.

use super::super::NotifyError;
use std::time::Duration;
use zbus::fdo::DBusProxy;

pub(super) const NAME: &str = "org.freedesktop.Notifications";

#[zbus::proxy(
    interface = "org.freedesktop.Notifications",
    default_service = "org.freedesktop.Notifications",
    default_path = "/org/freedesktop/Notifications",
    gen_blocking = false
)]
pub(super) trait Service {
    fn get_capabilities(&self) -> zbus::Result<Vec<String>>;
    fn close_notification(&self, id: u32) -> zbus::Result<()>;
}

/// Which session this is, and the connection name of its service.
pub(super) async fn owner(bus: &zbus::Connection) -> zbus::Result<(String, String)> {
    let dbus = DBusProxy::new(bus).await?;
    Ok((dbus.get_id().await?.to_string(), dbus.get_name_owner(name()).await?.to_string()))
}

fn name() -> zbus::names::BusName<'static> {
    zbus::names::WellKnownName::from_static_str_unchecked(NAME).into()
}

pub(super) async fn within<T, E: Into<zbus::Error>>(
    limit: Duration,
    work: impl Future<Output = Result<T, E>>,
) -> Result<T, NotifyError> {
    match tokio::time::timeout(limit, work).await {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(error)) => Err(plain(&error.into())),
        Err(_) => Err(silent()),
    }
}

pub(super) fn silent() -> NotifyError {
    NotifyError("the desktop's notification service does not answer; signing out and in again may help".to_owned())
}

fn plain(error: &zbus::Error) -> NotifyError {
    use zbus::fdo::Error as Fdo;
    let absent = match error {
        zbus::Error::MethodError(name, ..) => {
            ["ServiceUnknown", "NameHasNoOwner", "Spawn"].iter().any(|part| name.contains(part))
        }
        zbus::Error::FDO(error) => matches!(**error, Fdo::ServiceUnknown(_) | Fdo::NameHasNoOwner(_)),
        _ => false,
    };
    NotifyError(if absent {
        "this desktop has no notification service, so nothing can pop up; the list still has everything".to_owned()
    } else if matches!(error, zbus::Error::Address(_) | zbus::Error::InputOutput(_)) {
        "there is no desktop session to show notifications in; the list still has everything".to_owned()
    } else {
        format!("the desktop's notification service can't be used: {error}")
    })
}
