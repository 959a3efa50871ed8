//! The window itself: whoever starts the app twice gets the one that runs,
//! and everybody can use it.

use anyhow::{Context, Result, bail, ensure};
use meantime_tests::process::Process;
use meantime_tests::wait::{Patience, wait_for};
use meantime_tests::webdriver::keys;
use meantime_tests::world::{World, play};
use meantime_tests::{App, Cli, Desk, Server, programs};
use serde_json::json;
use std::process::Command;

#[test]
fn a_second_start_hands_over_to_the_first() {
    play(async |world| {
        let (_desk, server, app) = start(world).await?;
        app.wait_for("[data-testid=first-run]").await?;
        let mut second = Command::new(programs::ours(programs::DESKTOP)?);
        second.arg(server.invite()?).envs(world.profile("ana"));
        let mut second = Process::start("second", second, &world.logs())?;
        let ended = wait_for("the second to end", Patience::LONG, async || second.ended()).await?;
        ensure!(ended.success(), "the second start ended with {ended}");
        // The first got the link, and asks before it does anything.
        app.wait_for("[data-testid=join-go]").await?;
        let status = Cli::new(world.profile("ana"))?.json(&["status"]).await?;
        ensure!(status["me"].is_null(), "a link joined a team without a question");
        Ok(())
    });
}

#[test]
fn every_screen_can_be_used_by_everybody() {
    play(async |world| {
        let (_desk, server, app) = start(world).await?;
        let axe = programs::checkout().join("ui/node_modules/axe-core/axe.min.js");
        let axe = std::fs::read_to_string(axe).context("axe-core is not there: npm ci in ui")?;
        let ana = Cli::new(world.profile("ana"))?;
        app.wait_for("[data-testid=first-run]").await?;
        looks_right(&app, &axe, "first run").await?;

        ana.json_with_input(&["join", "--name", "Ana Sousa"], &server.invite()?).await?;
        app.wait_for("[data-testid=row]").await?;
        app.window.press(&["j", keys::ENTER]).await?;
        app.wait_for("[data-testid=message]").await?;
        looks_right(&app, &axe, "inbox").await?;
        for (screen, css) in [("team", "[data-testid=person]"), ("settings", "[data-testid=settings]")] {
            app.window.click(&format!("[data-testid=nav-{screen}]")).await?;
            app.wait_for(css).await?;
            looks_right(&app, &axe, screen).await?;
        }
        ana.json(&["settings", "set", "theme=dark"]).await?;
        app.window.click("[data-testid=nav-inbox]").await?;
        app.wait_for("[data-testid=row]").await?;
        looks_right(&app, &axe, "inbox, dark").await
    });
}

async fn start(world: &mut World) -> Result<(Desk, Server, App)> {
    let desk = Desk::start(world).await?;
    let server = Server::demo(&world.folder("server")?, &world.logs()).await?;
    let app = App::start(&world.profile("ana"), &world.logs()).await?;
    Ok((desk, server, app))
}

/// Nothing that WCAG 2.2 A or AA asks for is missing, as far as axe can tell.
async fn looks_right(app: &App, axe: &str, screen: &str) -> Result<()> {
    app.window.script(&format!("{axe}; window.axe = axe;"), json!([])).await?;
    let run = "const done = arguments[arguments.length - 1];
        const only = { type: 'tag', values: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'] };
        axe.run(document, { runOnly: only }).then(
            (found) => done(found.passes.length < 5 ? ['axe looked at next to nothing']
                : found.violations.map((v) => v.id + ': ' + v.nodes.map((n) => n.html + ' ' + n.failureSummary).join(' | '))),
            (thrown) => done(['axe: ' + thrown]));";
    let found: Vec<String> = serde_json::from_value(app.window.script_async(run, json!([])).await?)?;
    if !found.is_empty() {
        bail!("{screen}: {}", found.join("\n"));
    }
    Ok(())
}
