//! The list of commands. A new one is a line here and a method in the engine.

use super::*;
use serde::de::DeserializeOwned;
use serde_json::Value;
use ts_rs::{Config, TS};

/// Something that answers commands by name: the engine itself, or a
/// connection to a running one.
#[async_trait::async_trait]
pub trait Caller: Send + Sync {
    /// One command; `args` and the reply are as [`Commands`] says.
    async fn call(&self, name: &str, args: Value) -> Result<Value, Failure>;
}

/// Typed access to a [`Caller`].
pub struct Client<C>(pub C);

macro_rules! commands {
    ($($(#[$doc:meta])* $name:ident($args:ty) -> $reply:ty;)*) => {
        /// Every command of the app, as the engine answers it.
        #[async_trait::async_trait]
        pub trait Commands: Send + Sync {
            $($(#[$doc])* async fn $name(&self, args: $args) -> Result<$reply, Failure>;)*
        }

        impl<C: Caller> Client<C> {
            $($(#[$doc])* pub async fn $name(&self, args: $args) -> Result<$reply, Failure> {
                request(&self.0, stringify!($name), args).await
            })*
        }

        /// Answer one command by its name.
        pub async fn dispatch(host: &dyn Commands, name: &str, args: Value) -> Result<Value, Failure> {
            match name {
                $(stringify!($name) => reply(host.$name(parse(args)?).await?),)*
                _ => Err(Failure::new(FailureCode::Invalid, format!("there is no command {name}"))),
            }
        }

        /// `Commands`, the map of names to argument and reply types, with
        /// every type it needs, as a TypeScript module.
        #[must_use]
        pub fn typescript() -> String {
            let cfg = Config::new().with_large_int("number");
            let mut types = Declarations::default();
            $(types.add::<$args>(&cfg); types.add::<$reply>(&cfg);)*
            types.add::<Event>(&cfg);
            types.add::<Failure>(&cfg);
            let mut map = String::new();
            $(map.push_str(&format!(
                "  {}: {{ args: {}; reply: {} }};\n",
                stringify!($name), <$args as TS>::name(&cfg), <$reply as TS>::name(&cfg),
            ));)*
            format!(
                "// Generated from crates/engine/src/api by `cargo xtask codegen`. Do not edit.\n\n{}\nexport type Commands = {{\n{map}}};\n",
                types.text(),
            )
        }
    };
}

commands! {
    /// Who I am, what runs, what needs attention.
    status(Nothing) -> Status;
    /// What the status tells of damage was seen; it tells no more of it.
    damage_seen(Nothing) -> Nothing;
    /// A window of rows of one view.
    inbox(InboxQuery) -> InboxPage;
    /// One conversation with its messages. Marks nothing read.
    open(ItemRef) -> Conversation;
    /// Done, snooze, read, mute: one change of one or many items, undoable.
    triage(Triage) -> Undoable;
    /// Takes the last triage, reply or thread back, while that is possible.
    undo(Nothing) -> Undone;
    /// The snooze choices for an item, with the resolved times.
    snooze_choices(ItemRef) -> Vec<SnoozeChoice>;
    /// Full-text search, newest first.
    search(SearchQuery) -> SearchPage;
    /// What was being typed; an empty text if nothing was.
    draft(DraftOf) -> KeptDraft;
    /// Keeps what is being typed; an empty text drops it, the files stay.
    save_draft(Draft) -> Nothing;
    /// Copies files to go with what is being typed.
    attach(Attach) -> Attached;
    /// Takes a file off what is being typed.
    detach(Detach) -> KeptDraft;
    /// Fetches a file of a message and saves it under a name that is free.
    save_attachment(SaveAttachment) -> SavedFile;
    /// Fetches the remote images of a message: its sender may learn of it.
    load_images(LoadImages) -> RemoteImages;
    /// Answers a conversation.
    reply(Reply) -> Undoable;
    /// Starts a team thread.
    compose(Compose) -> Undoable;
    /// For each person: their local time, whether they focus, when the answer is due.
    recipients(RecipientsQuery) -> Vec<Recipient>;
    /// What the server or a source refused, with the text kept.
    refusals(Nothing) -> Vec<Refusal>;
    /// Tries a refused change again, or lets it go.
    settle_refusal(SettleRefusal) -> Nothing;

    /// Starts a block, or changes the end of the running one.
    focus_start(FocusStart) -> FocusStatus;
    /// Ends the running block and hands over what was held.
    focus_stop(Nothing) -> FocusStatus;
    /// Starts a block of the usual length, or ends the running one.
    focus_toggle(Nothing) -> FocusStatus;
    /// The running block, if any.
    focus_status(Nothing) -> FocusStatus;

    /// Everybody's day on one band.
    team(TeamQuery) -> TeamPage;
    /// When the chosen people work at the same time.
    overlap(OverlapQuery) -> Overlap;
    /// My working hours.
    hours(Nothing) -> Hours;
    /// Changes my working hours.
    set_hours(Hours) -> Nothing;
    /// My settings.
    settings(Nothing) -> Settings;
    /// Changes my settings.
    set_settings(Settings) -> Nothing;

    /// Every account with its state.
    accounts(Nothing) -> Vec<Account>;
    /// Adds an account; it is checked first and added only if that worked.
    add_account(NewAccount) -> Account;
    /// Checks an account now and reads what is new.
    check_account(AccountRef) -> Account;
    /// Gives an account its new password.
    sign_in_account(SignIn) -> Account;
    /// What would be lost if an account were removed now.
    unsent(AccountRef) -> Unsent;
    /// Removes an account and what was read from it; refused if something is
    /// lost with it, unless that is said. Answers what was lost.
    remove_account(RemoveAccount) -> Unsent;
    /// Reads mail from files into an archive account.
    import_mail(ImportMail) -> Imported;

    /// What a link invites to; joins nothing.
    look_at_invite(InviteLink) -> InvitePreview;
    /// Joins a team.
    join(Join) -> Joined;
    /// Signs in to my team on this device, by login and password.
    sign_in(SignInToTeam) -> Joined;
    /// My devices, the oldest first.
    devices(Nothing) -> Vec<Device>;
    /// Ends one of my devices: it is signed out at once.
    end_device(DeviceRef) -> Nothing;
    /// A link that adds a device of mine.
    device_link(Nothing) -> Link;
    /// How I sign in on a further device.
    sign_in_info(Nothing) -> SignInInfo;
    /// Sets or changes my login and password.
    set_password(SetPassword) -> SignInInfo;
    /// Begins with an authenticator.
    totp_begin(WithPassword) -> Authenticator;
    /// A first code shows that the authenticator works.
    totp_confirm(TotpCode) -> SignInInfo;
    /// Ends with the authenticator.
    totp_end(WithPassword) -> SignInInfo;
    /// Who is in the team, and what I may decide.
    members(Nothing) -> Members;
    /// Changes what somebody may do.
    set_role(SetRole) -> Nothing;
    /// Takes somebody out of the team.
    remove_member(MemberRef) -> Nothing;
    /// A link that makes its bearer that person: for who lost all devices, or
    /// was removed and comes back.
    member_link(MemberRef) -> Link;
    /// A link for somebody new.
    invite(NewInvite) -> Link;
    /// Starts a team server with a sample team on this machine and joins it.
    start_sample(Nothing) -> Joined;
    /// Where secrets are kept.
    secrets(Nothing) -> SecretsState;
    /// Chooses where secrets are kept when there is no keyring.
    choose_secrets(ChooseSecrets) -> SecretsState;
}

async fn request<A: serde::Serialize, R: DeserializeOwned>(
    caller: &dyn Caller,
    name: &str,
    args: A,
) -> Result<R, Failure> {
    let args = serde_json::to_value(args).map_err(|e| Failure::new(FailureCode::Internal, e.to_string()))?;
    let reply = caller.call(name, args).await?;
    serde_json::from_value(reply).map_err(|e| {
        Failure::new(FailureCode::Internal, format!("{name} was answered in a form this version does not know: {e}"))
    })
}

fn parse<T: DeserializeOwned>(args: Value) -> Result<T, Failure> {
    serde_json::from_value(args).map_err(|e| Failure::new(FailureCode::Invalid, e.to_string()))
}

fn reply<T: serde::Serialize>(reply: T) -> Result<Value, Failure> {
    serde_json::to_value(reply).map_err(|e| Failure::new(FailureCode::Internal, e.to_string()))
}

/// Collects the declaration of each type once, with those it refers to.
#[derive(Default)]
struct Declarations(std::collections::BTreeMap<String, String>);

impl Declarations {
    fn add<T: TS + 'static + ?Sized>(&mut self, cfg: &Config) {
        if T::output_path().is_some() {
            let name = T::ident(cfg);
            if self.0.contains_key(&name) {
                return;
            }
            let docs = T::docs().unwrap_or_default();
            self.0.insert(name, format!("{docs}export {}\n", T::decl(cfg)));
        }
        struct Visit<'a>(&'a mut Declarations, &'a Config);
        impl ts_rs::TypeVisitor for Visit<'_> {
            fn visit<T: TS + 'static + ?Sized>(&mut self) {
                self.0.add::<T>(self.1);
            }
        }
        T::visit_dependencies(&mut Visit(self, cfg));
        T::visit_generics(&mut Visit(self, cfg));
    }

    fn text(&self) -> String {
        self.0.values().cloned().collect::<Vec<_>>().join("\n")
    }
}
