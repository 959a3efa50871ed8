//! Who decides about people, and what becomes of who is taken out: real
//! commands, real engines, a real server over TLS.

use crate::desks::{Office, device, failed, ok, typed};
use anyhow::{Context, Result, ensure};
use meantime_tests::wait::{Patience, wait_for};
use meantime_tests::world::{World, play};
use meantime_tests::{Person, Server};
use serde_json::{Value, json};

#[test]
fn owners_and_admins_decide_and_nobody_else() {
    play(async |world| {
        let office = Office::open(world).await?;
        let ana = joins(world, &office.server, "Ana", "owner").await?;
        let kofi = joins(world, &office.server, "Kofi", "member").await?;
        let mei = joins(world, &office.server, "Mei", "member").await?;
        for person in [&ana, &kofi, &mei] {
            wait_for("everybody", Patience::LONG, async || Ok((members(person).await?.len() == 3).then_some(())))
                .await?;
        }
        let mei_is = mei.id.clone();
        mei.cli.json(&["compose", "From Mei", "--text", "Written by Mei", "--urgency", "green", "--now"]).await?;
        wait_for("what Mei wrote", Patience::LONG, async || has(&ana, "written").await).await?;

        // A member decides nothing, and is told who does.
        for args in [
            &["member", "role", "Mei", "admin"][..],
            &["member", "remove", "Mei"],
            &["member", "link", "Mei"],
            &["member", "invite"],
        ] {
            failed(&kofi.cli.run(args, "").await?, 1, "refused", "owners and admins")?;
            failed(&kofi.cli.run(&[args, &["--json"]].concat(), "").await?, 1, "refused", "owners and admins")?;
        }
        ensure!(kofi.cli.json(&["member", "list"]).await?["may_give"] == json!([]), "a member may give roles");
        let shown = kofi.cli.run(&["member", "list"], "").await?.out;
        for line in ["Kofi (you)  a member", "Ana         an owner", "Mei         a member"] {
            ensure!(shown.contains(line), "{shown}");
        }

        // The last owner stays one; a guest is no matter of a role.
        failed(&ana.cli.run(&["member", "role", "Ana", "member"], "").await?, 1, "refused", "last owner")?;
        failed(&ana.cli.run(&["member", "remove", "Ana", "--json"], "").await?, 1, "refused", "last owner")?;
        failed(&ana.cli.run(&["member", "role", "Mei", "guest", "--json"], "").await?, 2, "invalid", "new link")?;
        failed(&ana.cli.run(&["member", "role", "Tom", "admin"], "").await?, 3, "not_found", "meantime member list")?;
        let made = ana.cli.run(&["member", "role", "Kofi", "admin"], "").await?;
        ensure!((made.code, made.out.as_str()) == (0, "Kofi is an admin now.\n"), "{made:?}");
        wait_for("Kofi's new role", Patience::LONG, async || {
            let may = kofi.cli.json(&["member", "list"]).await?["may_give"].clone();
            Ok((may == json!(["admin", "member", "guest"])).then_some(()))
        })
        .await?;
        failed(&kofi.cli.run(&["member", "remove", "Ana"], "").await?, 1, "refused", "only an owner")?;
        failed(&kofi.cli.run(&["member", "invite", "--role", "owner"], "").await?, 1, "refused", "owner")?;

        // Who is taken out is signed out, keeps what they have, and is named.
        let removed = kofi.cli.run(&["member", "remove", &mei_is], "").await?;
        ensure!((removed.code, removed.out.as_str()) == (0, "Mei is not in the team any more.\n"), "{removed:?}");
        wait_for("Mei being told", Patience::LONG, async || {
            let connection = mei.cli.json(&["status"]).await?["connection"].clone();
            let told = connection["message"].as_str().is_some_and(|said| said.contains("ask for a new link"));
            Ok((connection["signed_out"] == true && told).then_some(()))
        })
        .await?;
        ensure!(has(&mei, "written").await?.is_some(), "what she wrote is gone from her own machine");
        failed(&mei.cli.run(&["member", "invite"], "").await?, 4, "auth", "Sign in again, or ask for a new link")?;
        wait_for("the others to know", Patience::LONG, async || {
            let gone = members(&ana).await?.into_iter().find(|member| member["id"] == mei_is.as_str());
            Ok(gone.filter(|member| member["removed_at"].is_string()).map(drop))
        })
        .await?;
        ensure!(has(&ana, "written").await?.is_some(), "what she wrote is gone from the others");
        let shown = ana.cli.run(&["member", "list"], "").await?.out;
        ensure!(shown.lines().any(|line| line.contains("Mei  ") && line.contains("removed")), "{shown}");

        // And comes back by a link, as who she was.
        let link = kofi.cli.json(&["member", "link", "Mei"]).await?["link"].as_str().context("no link")?.to_owned();
        let back = ok(typed(&mei.cli, &["join", "--name", "Mei", "--json"], &[&link]).await?)?;
        ensure!(back["person"] == mei_is.as_str(), "{back}");
        failed(&typed(&mei.cli, &["join", "--name", "Mei", "--json"], &[&link]).await?, 1, "not_possible", "already")?;

        // Anybody may leave.
        let left = kofi.cli.run(&["member", "remove", "Kofi"], "").await?;
        ensure!(left.code == 0, "{left:?}");
        wait_for("Kofi being out", Patience::LONG, async || {
            Ok((kofi.cli.json(&["status"]).await?["connection"]["signed_out"] == true).then_some(()))
        })
        .await
    });
}

async fn joins(world: &mut World, server: &Server, name: &str, role: &str) -> Result<Person> {
    let mut person = device(world, &name.to_lowercase()).await?;
    let joined = ok(typed(&person.cli, &["join", "--name", name, "--json"], &[&server.invite_as(role)?]).await?)?;
    person.id = joined["person"].as_str().context("joining told no person")?.to_owned();
    Ok(person)
}

async fn members(person: &Person) -> Result<Vec<Value>> {
    let list = person.cli.json(&["member", "list"]).await?;
    Ok(list["members"].as_array().context("no members")?.clone())
}

async fn has(person: &Person, word: &str) -> Result<Option<()>> {
    let found = person.cli.json(&["search", word]).await?;
    Ok(found["hits"].as_array().filter(|hits| !hits.is_empty()).map(drop))
}
