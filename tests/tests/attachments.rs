//! Files with messages in the window: those of others are saved, one's own attached.

use anyhow::{Context, ensure};
use meantime_tests::wait::{Patience, wait_for};
use meantime_tests::webdriver::keys;
use meantime_tests::world::play;
use meantime_tests::{App, Cli, Desk, Person, Server};
use serde_json::json;
use std::fs;

const TITLE: &str = "The plan for Tuesday";
const INPUT: &str = "[data-testid=attach-input]";

#[test]
fn files_go_through_the_window() {
    play(async |world| {
        let _desk = Desk::start(world).await?;
        let server = Server::team("Blue Team", &world.folder("server")?, &world.logs()).await?;
        let kofi = Person::far_away(world, "Kofi", &server.invite()?).await?;
        let ana = Cli::new(world.profile("ana"))?;
        let app = App::start(&world.profile("ana"), &world.logs()).await?;
        app.wait_for("[data-testid=first-run]").await?;
        ana.json_with_input(&["join", "--name", "Ana"], &server.invite()?).await?;
        wait_for("both in the team", Patience::LONG, async || {
            let team = kofi.cli.json(&["team"]).await?;
            Ok((team["people"].as_array().map(Vec::len) == Some(2)).then_some(()))
        })
        .await?;

        let mine = world.folder("desk-of-kofi")?;
        let plan: Vec<u8> = (0..700_000_u32).map(|i| (i ^ (i >> 9)) as u8).collect();
        fs::write(mine.join("plan.pdf"), &plan)?;
        let file = mine.join("plan.pdf").to_string_lossy().into_owned();
        let wrote = ["compose", TITLE, "--text", "See there.", "--ask", "Ana", "--now", "--attach", &file];
        kofi.cli.json(&wrote).await?;
        app.wait_for_row(TITLE).await?;
        app.go_to(TITLE).await?;
        app.window.press(&[keys::ENTER]).await?;
        app.wait_for("[data-testid=file]").await?;
        let shown = app.window.texts("[data-testid=file]").await?.concat();
        ensure!(shown.contains("plan.pdf") && shown.contains("700 kB"), "the file is shown as {shown:?}");
        app.window.click("[data-testid=file] button").await?;
        let said = wait_for("the file to be saved", Patience::LONG, async || {
            let said = app.window.texts("[data-testid=file] [role=status]").await?.concat();
            Ok((!said.is_empty()).then_some(said))
        })
        .await?;
        ensure!(said == "Saved in Downloads", "it said {said:?}");
        let path =
            app.window.script("return document.querySelector('[data-testid=file] button').title", json!([])).await?;
        let path = path.as_str().context("no path")?;
        ensure!(fs::read(path)? == plan, "{path} is another file");

        // What the person chooses in the system's dialog the driver lays into the field.
        let numbers = b"week,hours\n46,31\n";
        let theirs = world.folder("desk-of-ana")?;
        fs::write(theirs.join("Zahlen & mehr.csv"), numbers)?;
        fs::write(theirs.join("empty.txt"), b"")?;
        for name in ["Zahlen & mehr.csv", "empty.txt"] {
            app.window.type_in(INPUT, &theirs.join(name).to_string_lossy()).await?;
            wait_for(&format!("{name} in the composer"), Patience::LONG, async || {
                Ok(app
                    .window
                    .texts("[data-testid=files] li")
                    .await?
                    .iter()
                    .any(|chip| chip.contains(name))
                    .then_some(()))
            })
            .await?;
        }
        Ok(())
    });
}
