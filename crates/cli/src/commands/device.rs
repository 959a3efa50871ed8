//! `device`, `sign-in`, `account password`, `account authenticator`.

use super::times;
use crate::ask::Secrets;
use crate::reach::Reached;
use crate::show::{Out, clean, short};
use crate::stop::Stop;
use clap::{Args, Subcommand};
use meantime_engine::api::{
    Device, DeviceRef, FailureCode, Nothing, SetPassword, SignInInfo, SignInToTeam, TotpCode, WithPassword,
};
use meantime_platform::{Clock as _, SystemClock};

#[derive(Args)]
pub(crate) struct DeviceArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// My devices, the oldest first
    List,
    /// Sign one of my devices out, at once
    End {
        /// Its id, the end of it, or its name, as `device list` shows them
        id: String,
    },
    /// A link that adds a device of mine; good for some minutes, once
    Link,
}

#[derive(Args)]
pub(crate) struct SignInArgs {
    /// Where, as Settings → Devices shows it on another device [default: where this device was signed out]
    #[arg(long, value_name = "HOST:PORT[#KEY]")]
    server: Option<String>,
    /// The name I sign in with
    #[arg(long)]
    login: String,
}

#[derive(Args)]
pub(crate) struct PasswordArgs {
    /// The name to sign in with [default: the present one]
    #[arg(long)]
    login: Option<String>,
}

#[derive(Subcommand)]
pub(crate) enum AuthenticatorArgs {
    /// Begin: shows what to enter into the authenticator
    Begin,
    /// Show that it works: its present code is asked for
    Confirm,
    /// End: no code is asked for any more
    End,
}

pub(crate) async fn run(engine: &Reached, args: DeviceArgs, out: &mut Out) -> Result<(), Stop> {
    match args.what {
        What::List => {
            let devices = engine.devices(Nothing {}).await?;
            Ok(out.reply(&devices, &times(engine, out).await?)?)
        }
        What::End { id } => {
            let device = find(engine, &id).await?;
            let done = engine.end_device(DeviceRef { id: device.id }).await?;
            Ok(out.sentence(&done, format!("{} was signed out.", clean(&device.name)))?)
        }
        What::Link => {
            let link = engine.device_link(Nothing {}).await?;
            Ok(out.reply(&link, &times(engine, out).await?)?)
        }
    }
}

/// The one device with this id, end of an id, or name.
async fn find(engine: &Reached, wanted: &str) -> Result<Device, Stop> {
    let devices = engine.devices(Nothing {}).await?;
    let wanted = wanted.trim().to_lowercase();
    let is = |device: &Device| {
        device.name.to_lowercase() == wanted || wanted.len() >= 4 && device.id.to_string().ends_with(&wanted)
    };
    let mut found = devices.into_iter().filter(is);
    match (found.next(), found.next()) {
        (Some(one), None) => Ok(one),
        (None, _) => Err(Stop::new(FailureCode::NotFound, "there is no such device; see `meantime device list`")),
        (Some(one), Some(other)) => {
            Err(Stop::usage(format!("that may be {} or {}; write more of the id", short(one.id), short(other.id))))
        }
    }
}

pub(crate) async fn sign_in(engine: &Reached, args: SignInArgs, out: &mut Out) -> Result<(), Stop> {
    let mut secrets = Secrets::new()?;
    let password = secrets.next("Password")?;
    let with = |code| SignInToTeam {
        server: args.server.clone().unwrap_or_default(),
        login: args.login.clone(),
        password: password.clone(),
        code,
    };
    let joined = match engine.sign_in(with(None)).await {
        Err(failure) if failure.code == FailureCode::CodeNeeded => {
            let code = secrets.next_if_any("Code of your authenticator")?.ok_or(failure)?;
            engine.sign_in(with(Some(code))).await?
        }
        other => other?,
    };
    Ok(out.sentence(&joined, format!("Signed in to {}.", clean(&joined.team)))?)
}

/// The present password, where there is one, and the new one are asked for.
pub(crate) async fn password(engine: &Reached, args: PasswordArgs, out: &mut Out) -> Result<(), Stop> {
    let now = engine.sign_in_info(Nothing {}).await?;
    let login = args.login.or_else(|| now.login.clone());
    let login = login.ok_or_else(|| Stop::usage("give --login NAME: what you want to sign in with"))?;
    let mut secrets = Secrets::new()?;
    let current = match now.login {
        Some(_) => Some(secrets.next("Present password")?),
        None => None,
    };
    let changed = current.is_some();
    let password = secrets.next_new("New password")?;
    let info = engine.set_password(SetPassword { login, password, current }).await?;
    let others = if changed { " Your other devices were signed out." } else { "" };
    Ok(out.sentence(&info, format!("{}{others}", told(&info)))?)
}

pub(crate) async fn authenticator(engine: &Reached, args: AuthenticatorArgs, out: &mut Out) -> Result<(), Stop> {
    let mut secrets = Secrets::new()?;
    match args {
        AuthenticatorArgs::Begin => {
            let begun = engine.totp_begin(WithPassword { password: secrets.next("Password")? }).await?;
            Ok(out.reply(&begun, &times(engine, out).await?)?)
        }
        AuthenticatorArgs::Confirm => {
            let info = engine.totp_confirm(TotpCode { code: secrets.next("Code of your authenticator")? }).await?;
            Ok(out.sentence(&info, told(&info))?)
        }
        AuthenticatorArgs::End => {
            let info = engine.totp_end(WithPassword { password: secrets.next("Password")? }).await?;
            Ok(out.sentence(&info, told(&info))?)
        }
    }
}

fn told(info: &SignInInfo) -> String {
    let login = clean(info.login.as_deref().unwrap_or_default());
    let code = if info.totp { ", your password and a code of your authenticator" } else { " and your password" };
    format!("You sign in at {} with {login}{code}.", clean(&info.server))
}

/// In how many minutes or hours something lapses.
pub(crate) fn lapses(at: chrono::DateTime<chrono::Utc>) -> String {
    let minutes = (at - SystemClock.now()).num_minutes().max(0) + 1;
    if minutes < 120 { format!("{minutes} minutes") } else { format!("{} hours", minutes / 60) }
}
