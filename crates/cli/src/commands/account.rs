//! `account`, `join`, `import`.

use super::device::{self, AuthenticatorArgs, PasswordArgs};
use super::times;
use crate::ask;
use crate::reach::Reached;
use crate::show::{Out, clean, clean_lines, count, short};
use crate::stop::Stop;
use clap::builder::NonEmptyStringValueParser;
use clap::{Args, Subcommand, ValueEnum};
use meantime_engine::api::{
    Account, AccountRef, AccountState, FailureCode, ImportMail, Join, MailFormat, MailServer, NewAccount, NewMailbox,
    Nothing, RemoveAccount, Security, SignIn, UnsentState,
};
use meantime_model::AccountId;
use std::path::PathBuf;

#[derive(Args)]
pub(crate) struct AccountArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Add an account; it is checked first
    #[command(subcommand)]
    Add(Add),
    /// Every account with its state
    List,
    /// Check an account now and read what is new
    Check(Which),
    /// Give an account its new password, which is asked for
    SignIn(Which),
    /// Set or change the login and password of my team; they are asked for
    Password(PasswordArgs),
    /// A code of an authenticator beside my password
    #[command(subcommand)]
    Authenticator(AuthenticatorArgs),
    /// Remove an account and what was read from it
    Remove {
        #[command(flatten)]
        which: Which,
        /// Also when something was never sent; the texts are printed
        #[arg(long)]
        force: bool,
    },
}

#[derive(Args)]
struct Which {
    /// Its id, the end of it, or its name, as `account list` shows them
    id: String,
}

#[derive(Subcommand)]
enum Add {
    /// A mailbox; the password is asked for, or read from stdin
    Imap(Box<ImapArgs>),
    /// RSS, Atom or JSON feed
    Feed {
        /// Of the feed, or of a page that names one
        url: String,
        /// The address may be one that is not on the public internet
        #[arg(long)]
        private: bool,
    },
}

#[derive(Args)]
struct ImapArgs {
    /// My own address
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    address: String,
    /// Where mail is read: a host, or host:port
    #[arg(long, value_name = "HOST[:PORT]")]
    imap: String,
    /// How that connection is protected
    #[arg(long, value_enum, default_value = "tls")]
    imap_security: Protection,
    /// Where mail is sent; without it the mailbox is read only
    #[arg(long, value_name = "HOST[:PORT]")]
    smtp: Option<String>,
    /// How that connection is protected
    #[arg(long, value_enum, default_value = "tls")]
    smtp_security: Protection,
    /// Sign-in name [default: the address]
    #[arg(long)]
    user: Option<String>,
    /// My name as recipients see it
    #[arg(long, default_value = "")]
    name: String,
    /// The one certificate to trust at the IMAP server: its SHA-256 in hexadecimal
    #[arg(long, value_name = "SHA256")]
    imap_certificate: Option<String>,
    /// The same at the SMTP server
    #[arg(long, value_name = "SHA256")]
    smtp_certificate: Option<String>,
}

/// How a connection is protected, as it is typed.
#[derive(Clone, Copy, ValueEnum)]
enum Protection {
    /// TLS from the first byte
    Tls,
    /// STARTTLS, required
    Starttls,
    /// None; for this computer's own addresses only
    Plain,
}

#[derive(Args)]
pub(crate) struct JoinArgs {
    /// The invite link; without it, or as `-`, it is asked for or read from stdin
    link: Option<String>,
    /// My name, as teammates will see it
    #[arg(long)]
    name: String,
}

#[derive(Args)]
#[group(required = true, multiple = false)]
pub(crate) struct ImportArgs {
    /// One file, messages behind `From ` lines
    #[arg(long, value_name = "PATH")]
    mbox: Option<PathBuf>,
    /// A folder with `cur` and `new`
    #[arg(long, value_name = "PATH")]
    maildir: Option<PathBuf>,
}

pub(crate) async fn run(engine: &Reached, args: AccountArgs, out: &mut Out) -> Result<(), Stop> {
    let account = match args.what {
        What::Add(Add::Feed { url, private }) => engine.add_account(NewAccount::Feed { url, private }).await?,
        What::Add(Add::Imap(args)) => engine.add_account(NewAccount::Imap(mailbox(*args)?)).await?,
        What::List => {
            let accounts = engine.accounts(Nothing {}).await?;
            return Ok(out.reply(&accounts, &times(engine, out).await?)?);
        }
        What::Check(which) => {
            let id = find(engine, &which.id).await?.id;
            engine.check_account(AccountRef { id }).await?
        }
        What::SignIn(which) => {
            let account = find(engine, &which.id).await?;
            let password = ask::secret(&format!("Password of {}", clean(&account.name)))?;
            engine.sign_in_account(SignIn { id: account.id, password }).await?
        }
        What::Password(args) => return device::password(engine, args, out).await,
        What::Authenticator(args) => return device::authenticator(engine, args, out).await,
        What::Remove { which, force } => {
            let account = find(engine, &which.id).await?;
            return remove(engine, &account, force, out).await;
        }
    };
    out.reply(&account, &times(engine, out).await?)?;
    match account.state {
        AccountState::NeedsYou { .. } => Err(Stop::Told(FailureCode::Auth)),
        AccountState::Retrying { .. } => Err(Stop::Told(FailureCode::Offline)),
        _ => Ok(()),
    }
}

async fn remove(engine: &Reached, account: &Account, force: bool, out: &mut Out) -> Result<(), Stop> {
    let removed = engine.remove_account(RemoveAccount { id: account.id, lose_unsent: force }).await;
    let lost = removed.map_err(|failure| match failure.code {
        FailureCode::NotPossible if !force => Stop::new(
            FailureCode::NotPossible,
            format!("{} `--force` removes it all the same and prints the texts.", failure.message),
        ),
        _ => failure.into(),
    })?;
    if out.json {
        return Ok(out.json_document(&lost)?);
    }
    out.line(format!("Removed {}.", clean(&account.name)))?;
    if lost.changes > 0 {
        out.line(format!("{} never written back.", count(lost.changes, "change was", "changes were")))?;
    }
    for text in &lost.texts {
        let state = match text.state {
            UnsentState::Draft => "a draft",
            UnsentState::Waiting => "never sent",
            UnsentState::Refused => "refused",
        };
        out.line(format!("\n{} ({state}):\n{}", clean(&text.title), clean_lines(&text.text)))?;
    }
    Ok(())
}

fn mailbox(args: ImapArgs) -> Result<NewMailbox, Stop> {
    let imap = server(&args.imap, args.imap_security, [993, 143, 143], args.imap_certificate)?;
    let smtp =
        args.smtp.map(|smtp| server(&smtp, args.smtp_security, [465, 587, 25], args.smtp_certificate)).transpose()?;
    let password = ask::secret(&format!("Password of {}", clean(&args.address)))?;
    let user = args.user.unwrap_or_else(|| args.address.clone());
    Ok(NewMailbox { address: args.address, display_name: args.name, user, password, imap, smtp })
}

/// `host`, `host:port`, `[::1]:port`; `usual` are the ports for TLS, STARTTLS and none.
fn server(
    text: &str,
    protection: Protection,
    usual: [u16; 3],
    certificate: Option<String>,
) -> Result<MailServer, Stop> {
    let [tls, starttls, plain] = usual;
    let (security, usual) = match protection {
        Protection::Tls => (Security::Tls, tls),
        Protection::Starttls => (Security::StartTls, starttls),
        Protection::Plain => (Security::Plain, plain),
    };
    let bracketed = text.strip_prefix('[').and_then(|rest| rest.split_once(']'));
    let (host, port) = match bracketed {
        Some((host, rest)) => (host, rest.strip_prefix(':')),
        // More than one colon is an IPv6 address on its own.
        None if text.matches(':').count() > 1 => (text, None),
        None => text.split_once(':').map_or((text, None), |(host, port)| (host, Some(port))),
    };
    let port = match port {
        Some(port) => port.parse().ok().filter(|port| *port > 0),
        None => Some(usual),
    };
    match port {
        Some(port) if !host.is_empty() => Ok(MailServer { host: host.to_owned(), port, security, certificate }),
        _ => Err(Stop::usage(format!("{text:?} is no server; write it as mail.example.org or mail.example.org:993"))),
    }
}

/// The one account with this id, end of an id, or name.
async fn find(engine: &Reached, wanted: &str) -> Result<Account, Stop> {
    let accounts = engine.accounts(Nothing {}).await?;
    let wanted = wanted.trim().to_lowercase();
    let is = |id: AccountId, name: &str| {
        name.to_lowercase() == wanted || wanted.len() >= 4 && id.to_string().ends_with(&wanted)
    };
    let mut found = accounts.into_iter().filter(|account| is(account.id, &account.name));
    match (found.next(), found.next()) {
        (Some(one), None) => Ok(one),
        (None, _) => Err(Stop::new(FailureCode::NotFound, "there is no such account; see `meantime account list`")),
        (Some(one), Some(other)) => {
            Err(Stop::usage(format!("that may be {} or {}; write more of the id", short(one.id), short(other.id))))
        }
    }
}

pub(crate) async fn join(engine: &Reached, args: JoinArgs, out: &mut Out) -> Result<(), Stop> {
    let link = match args.link.filter(|link| link != "-") {
        Some(link) => link,
        None => ask::secret("Invite link")?,
    };
    let joined = engine.join(Join { link, name: args.name }).await?;
    Ok(out.sentence(&joined, format!("Joined {}.", clean(&joined.team)))?)
}

pub(crate) async fn import(engine: &Reached, args: ImportArgs, out: &mut Out) -> Result<(), Stop> {
    let (path, format) = match (args.mbox, args.maildir) {
        (Some(path), _) => (path, MailFormat::Mbox),
        (None, Some(path)) => (path, MailFormat::Maildir),
        (None, None) => return Err(Stop::usage("give --mbox PATH or --maildir PATH")),
    };
    // The engine may run elsewhere, in another folder.
    let path = std::path::absolute(path)?;
    let path = path.to_str().ok_or_else(|| Stop::usage("this path is not UTF-8; rename the file or folder"))?;
    let imported = engine.import_mail(ImportMail { path: path.to_owned(), format }).await?;
    let sentence = format!(
        "{} new, {} there already, {} could not be read.",
        count(imported.added, "message", "messages"),
        imported.known,
        imported.unreadable
    );
    Ok(out.sentence(&imported, sentence)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_a_host_with_or_without_a_port() {
        let read = |text| server(text, Protection::Tls, [993, 143, 143], None).ok().map(|s| (s.host, s.port));
        let is = |host: &str, port| Some((host.to_owned(), port));
        assert_eq!(read("mail.example.org"), is("mail.example.org", 993));
        assert_eq!(read("localhost:1143"), is("localhost", 1143));
        assert_eq!(read("[::1]:1143"), is("::1", 1143));
        assert_eq!(read("[::1]"), is("::1", 993));
        assert_eq!(read("::1"), is("::1", 993));
        for wrong in ["", ":993", "host:", "host:0", "host:99999", "host:imap"] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }
}
