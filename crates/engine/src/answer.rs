//! The engine's answers: each command leads to the place that does it.

use crate::api::*;
use crate::engine::Engine;
use std::sync::Arc;

#[async_trait::async_trait]
impl Commands for Arc<Engine> {
    async fn status(&self, _: Nothing) -> Result<Status, Failure> {
        self.status_now().await
    }
    async fn damage_seen(&self, _: Nothing) -> Result<Nothing, Failure> {
        self.damage_was_seen().await
    }
    async fn inbox(&self, args: InboxQuery) -> Result<InboxPage, Failure> {
        self.list(args).await
    }
    async fn open(&self, args: ItemRef) -> Result<Conversation, Failure> {
        self.conversation(&args.id).await
    }
    async fn triage(&self, args: Triage) -> Result<Undoable, Failure> {
        self.triage_items(args).await
    }
    async fn undo(&self, _: Nothing) -> Result<Undone, Failure> {
        self.take_back().await
    }
    async fn snooze_choices(&self, args: ItemRef) -> Result<Vec<SnoozeChoice>, Failure> {
        self.snooze_choices_for(&args.id).await
    }
    async fn search(&self, args: SearchQuery) -> Result<SearchPage, Failure> {
        self.find(args).await
    }
    async fn draft(&self, args: DraftOf) -> Result<KeptDraft, Failure> {
        self.kept_draft(args).await
    }
    async fn save_draft(&self, args: Draft) -> Result<Nothing, Failure> {
        self.keep_draft(args).await
    }
    async fn attach(&self, args: Attach) -> Result<Attached, Failure> {
        self.attach_files(args).await
    }
    async fn detach(&self, args: Detach) -> Result<KeptDraft, Failure> {
        self.detach_file(args).await
    }
    async fn save_attachment(&self, args: SaveAttachment) -> Result<SavedFile, Failure> {
        self.save_file(args).await
    }
    async fn load_images(&self, args: LoadImages) -> Result<RemoteImages, Failure> {
        self.load_remote_images(args).await
    }
    async fn reply(&self, args: Reply) -> Result<Undoable, Failure> {
        self.answer(args).await
    }
    async fn compose(&self, args: Compose) -> Result<Undoable, Failure> {
        self.start_thread(args).await
    }
    async fn recipients(&self, args: RecipientsQuery) -> Result<Vec<Recipient>, Failure> {
        self.recipients_of(args).await
    }
    async fn refusals(&self, _: Nothing) -> Result<Vec<Refusal>, Failure> {
        self.refused().await
    }
    async fn settle_refusal(&self, args: SettleRefusal) -> Result<Nothing, Failure> {
        self.settle(args).await
    }

    async fn focus_start(&self, args: FocusStart) -> Result<FocusStatus, Failure> {
        self.start_focus(args).await
    }
    async fn focus_stop(&self, _: Nothing) -> Result<FocusStatus, Failure> {
        self.stop_focus().await
    }
    async fn focus_toggle(&self, _: Nothing) -> Result<FocusStatus, Failure> {
        self.toggle_focus().await
    }
    async fn focus_status(&self, _: Nothing) -> Result<FocusStatus, Failure> {
        self.focus_now().await
    }

    async fn team(&self, args: TeamQuery) -> Result<TeamPage, Failure> {
        self.team_page(args).await
    }
    async fn overlap(&self, args: OverlapQuery) -> Result<Overlap, Failure> {
        self.overlap_of(args).await
    }
    async fn hours(&self, _: Nothing) -> Result<Hours, Failure> {
        self.hours_now().await
    }
    async fn set_hours(&self, args: Hours) -> Result<Nothing, Failure> {
        self.save_hours(args).await
    }
    async fn settings(&self, _: Nothing) -> Result<Settings, Failure> {
        Ok(self.settings_now().await)
    }
    async fn set_settings(&self, args: Settings) -> Result<Nothing, Failure> {
        self.save_settings(args).await
    }

    async fn accounts(&self, _: Nothing) -> Result<Vec<Account>, Failure> {
        self.list_accounts().await
    }
    async fn add_account(&self, args: NewAccount) -> Result<Account, Failure> {
        self.add_new_account(args).await
    }
    async fn check_account(&self, args: AccountRef) -> Result<Account, Failure> {
        self.check_now(args.id).await
    }
    async fn sign_in_account(&self, args: SignIn) -> Result<Account, Failure> {
        self.new_password(args).await
    }
    async fn unsent(&self, args: AccountRef) -> Result<Unsent, Failure> {
        self.unsent_of(args.id).await
    }
    async fn remove_account(&self, args: RemoveAccount) -> Result<Unsent, Failure> {
        self.forget_account(args).await
    }
    async fn import_mail(&self, args: ImportMail) -> Result<Imported, Failure> {
        self.import(args).await
    }

    async fn look_at_invite(&self, args: InviteLink) -> Result<InvitePreview, Failure> {
        crate::join::look_at(&args.link)
    }
    async fn join(&self, args: Join) -> Result<Joined, Failure> {
        self.join_team(args).await
    }
    async fn sign_in(&self, args: SignInToTeam) -> Result<Joined, Failure> {
        self.sign_in_to_team(args).await
    }
    async fn devices(&self, _: Nothing) -> Result<Vec<Device>, Failure> {
        self.my_devices().await
    }
    async fn end_device(&self, args: DeviceRef) -> Result<Nothing, Failure> {
        self.end_my_device(args).await
    }
    async fn device_link(&self, _: Nothing) -> Result<Link, Failure> {
        self.link_for_device().await
    }
    async fn sign_in_info(&self, _: Nothing) -> Result<SignInInfo, Failure> {
        self.how_i_sign_in().await
    }
    async fn set_password(&self, args: SetPassword) -> Result<SignInInfo, Failure> {
        self.change_password(args).await
    }
    async fn totp_begin(&self, args: WithPassword) -> Result<Authenticator, Failure> {
        self.begin_authenticator(args).await
    }
    async fn totp_confirm(&self, args: TotpCode) -> Result<SignInInfo, Failure> {
        self.confirm_authenticator(args).await
    }
    async fn totp_end(&self, args: WithPassword) -> Result<SignInInfo, Failure> {
        self.end_authenticator(args).await
    }
    async fn members(&self, _: Nothing) -> Result<Members, Failure> {
        self.team_members().await
    }
    async fn set_role(&self, args: SetRole) -> Result<Nothing, Failure> {
        self.change_role(args).await
    }
    async fn remove_member(&self, args: MemberRef) -> Result<Nothing, Failure> {
        self.take_out(args).await
    }
    async fn member_link(&self, args: MemberRef) -> Result<Link, Failure> {
        self.link_for_member(args).await
    }
    async fn invite(&self, args: NewInvite) -> Result<Link, Failure> {
        self.link_for_newcomer(args).await
    }
    async fn start_sample(&self, _: Nothing) -> Result<Joined, Failure> {
        self.start_sample_team().await
    }
    async fn secrets(&self, _: Nothing) -> Result<SecretsState, Failure> {
        Ok(crate::secrets::kept(self.safe.kept().await))
    }
    async fn choose_secrets(&self, args: ChooseSecrets) -> Result<SecretsState, Failure> {
        self.choose_safe(args).await
    }
}
