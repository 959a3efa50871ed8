//! A guest who becomes a member: the team's history was left out of what
//! they pulled before, and is there then.

use crate::devices::{ask, live, row, start};
use crate::rig::Rig;
use meantime_engine::api::*;
use meantime_protocol::Invite;
use meantime_protocol::http::InviteRequest;
use meantime_protocol::kinds::Role;
use meantime_protocol::people::MemberLinkRequest;
use meantime_server::Running;
use meantime_server_core::storage::Storage as _;
use meantime_server_core::{By, TeamScope};

async fn link(server: &Running, role: Role) -> String {
    server.invite(&InviteRequest { valid_hours: 1, role }).await.unwrap()
}

async fn join(rig: &Rig, link: String) -> Joined {
    let joined = rig.engine.join(Join { link, name: "Ada".to_owned() }).await.unwrap();
    live(rig).await;
    joined
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_guest_who_comes_back_as_a_member_gets_what_was_written_before() {
    let folder = tempfile::tempdir().unwrap();
    let server = start(&folder.path().join("server")).await;
    let (kofi, ada) = (Rig::new().await, Rig::new().await);
    join(&kofi, link(&server, Role::Member).await).await;
    let guest = join(&ada, link(&server, Role::Guest).await).await.person;
    ask(&kofi, "Long ago", Vec::new(), false).await;
    ask(&kofi, "A question", vec![guest], true).await;
    ada.until("what comes after is there", || async { row(&ada, View::Inbox, "A question").await.is_some() }).await;
    assert!(row(&ada, View::Inbox, "Long ago").await.is_none(), "a guest reads circles alone");

    let team = TeamScope::operator(server.core().storage().teams().await.unwrap()[0].id);
    server.core().remove(By::Operator(team), guest).await.unwrap();
    let as_member = MemberLinkRequest { role: Some(Role::Member) };
    let made = server.core().member_link(By::Operator(team), guest, &as_member).await.unwrap();
    let like: Invite = link(&server, Role::Member).await.parse().unwrap();
    let back = Invite { secret: made.secret.reveal(), ..like };
    assert_eq!(join(&ada, back.to_string()).await.person, guest, "the same person");
    ada.until("the past is there", || async { row(&ada, View::Inbox, "Long ago").await.is_some() }).await;
    server.stop().await.unwrap();
}
