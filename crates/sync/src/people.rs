//! The calls about people, their devices and how they sign in: made when the
//! person asks for them, never by the loop.

use crate::http::client;
use crate::{HttpRemote, RemoteError};
use meantime_model::{DeviceId, PersonId};
use meantime_protocol::http::{InviteRequest, InviteResponse, JoinResponse};
use meantime_protocol::kinds::Role;
use meantime_protocol::people::{
    AccountInfo, AccountRequest, DeviceInfo, DevicesResponse, MemberLinkRequest, RoleRequest, SignInRequest,
    TotpConfirm, TotpRequest, TotpResponse,
};

/// Errors are those of any call ([`RemoteError`]); what the server refuses is
/// [`RemoteError::Refused`] with its code.
impl HttpRemote {
    /// A further device for somebody who has a password. `host` is
    /// `host:port`, `ca` the pin of the server's own authority; without one
    /// the system's certificates are trusted.
    ///
    /// # Errors
    /// `sign_in_failed`, `totp_needed`, `limit_reached`; [`RemoteError::Busy`]
    /// after too many wrong tries; else as any call.
    pub async fn sign_in(
        host: &str,
        ca: Option<[u8; 32]>,
        request: &SignInRequest,
    ) -> Result<JoinResponse, RemoteError> {
        let remote = Self::nobody(client(ca)?, host);
        remote.call(remote.post("sign-in").json(request)).await
    }

    /// Makes an invite link (owners and admins).
    ///
    /// # Errors
    /// As any call.
    pub async fn invite(&self, request: &InviteRequest) -> Result<InviteResponse, RemoteError> {
        self.call(self.post("invites").json(request)).await
    }

    /// This person's devices, the oldest first.
    ///
    /// # Errors
    /// As any call.
    pub async fn devices(&self) -> Result<Vec<DeviceInfo>, RemoteError> {
        Ok(self.call::<DevicesResponse>(self.get("devices")).await?.devices)
    }

    /// Ends a device: its token is good for nothing any more.
    ///
    /// # Errors
    /// `not_found`; else as any call.
    pub async fn end_device(&self, device: DeviceId) -> Result<(), RemoteError> {
        self.done(self.delete(&format!("devices/{device}"))).await
    }

    /// A link that adds a further device of one's own.
    ///
    /// # Errors
    /// `limit_reached`; else as any call.
    pub async fn device_link(&self) -> Result<InviteResponse, RemoteError> {
        self.call(self.post("devices/link")).await
    }

    /// How this person signs in.
    ///
    /// # Errors
    /// As any call.
    pub async fn account(&self) -> Result<AccountInfo, RemoteError> {
        self.call(self.get("account")).await
    }

    /// Sets or changes login and password. A change ends the other devices.
    ///
    /// # Errors
    /// `invalid`, `sign_in_failed`, `conflict` for a login somebody has; else
    /// as any call.
    pub async fn set_account(&self, request: &AccountRequest) -> Result<AccountInfo, RemoteError> {
        self.call(self.put("account").json(request)).await
    }

    /// Begins with an authenticator.
    ///
    /// # Errors
    /// `sign_in_failed`, `not_found` without a password; else as any call.
    pub async fn begin_totp(&self, request: &TotpRequest) -> Result<TotpResponse, RemoteError> {
        self.call(self.post("account/totp").json(request)).await
    }

    /// Shows that the authenticator works; from then on it is asked for.
    ///
    /// # Errors
    /// `sign_in_failed` for a wrong code; else as any call.
    pub async fn confirm_totp(&self, request: &TotpConfirm) -> Result<AccountInfo, RemoteError> {
        self.call(self.put("account/totp").json(request)).await
    }

    /// Ends with the authenticator.
    ///
    /// # Errors
    /// `sign_in_failed`; else as any call.
    pub async fn end_totp(&self, request: &TotpRequest) -> Result<AccountInfo, RemoteError> {
        self.call(self.post("account/totp/end").json(request)).await
    }

    /// Changes what somebody may do (owners and admins).
    ///
    /// # Errors
    /// `forbidden`, `not_found`, `invalid`; else as any call.
    pub async fn set_role(&self, person: PersonId, role: Role) -> Result<(), RemoteError> {
        self.done(self.put(&format!("members/{person}/role")).json(&RoleRequest { role })).await
    }

    /// Takes somebody out of the team (owners and admins; anybody themselves).
    ///
    /// # Errors
    /// `forbidden`, `not_found`; else as any call.
    pub async fn remove_member(&self, person: PersonId) -> Result<(), RemoteError> {
        self.done(self.delete(&format!("members/{person}"))).await
    }

    /// A link that makes its bearer that person (owners and admins).
    ///
    /// # Errors
    /// `forbidden`, `not_found`; else as any call.
    pub async fn member_link(
        &self,
        person: PersonId,
        request: &MemberLinkRequest,
    ) -> Result<InviteResponse, RemoteError> {
        self.call(self.post(&format!("members/{person}/link")).json(request)).await
    }
}
