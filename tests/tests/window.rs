//! The window itself: whoever starts the app twice gets the one that runs.
//! That everybody can use its screens is tested in `screens.rs`.

use anyhow::{Context, Result, bail, ensure};
use meantime_platform::{Dirs, Lock};
use meantime_tests::process::Process;
use meantime_tests::wait::{Patience, wait_for};
use meantime_tests::webdriver::keys;
use meantime_tests::world::{World, play};
use meantime_tests::{App, Cli, Desk, Person, Server, programs};
use serde_json::json;
use std::process::Command;
use std::time::Duration;

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
fn it_shows_what_a_daemon_has_and_takes_over_from_it() {
    play(async |world| {
        let _desk = Desk::start(world).await?;
        let server = Server::team("Blue Team", &world.folder("server")?, &world.logs()).await?;
        let mut ana = Person::join(world, "Ana", &server.invite()?).await?;
        let kofi = Person::far_away(world, "Kofi", &server.invite()?).await?;
        let app = App::start(&world.profile("ana"), &world.logs()).await?;
        wait_for("both in the team", Patience::LONG, async || {
            Ok((kofi.cli.json(&["team"]).await?["people"].as_array().map(Vec::len) == Some(2)).then_some(()))
        })
        .await?;
        let asks =
            async |title: &str| kofi.cli.json(&["compose", title, "--text", "Hello", "--ask", "Ana", "--now"]).await;
        asks("While the daemon runs").await?;
        app.wait_for_row("While the daemon runs").await?;

        ana.kill_9().await?;
        asks("After it was killed").await?;
        app.wait_for_row("After it was killed").await?;
        // The app has the profile now, answers others, and lets nobody else have it.
        ana.cli.json(&["focus", "start", "--for", "25m"]).await?;
        app.wait_for("[data-testid=held-banner]").await?;
        let second = ana.cli.run(&["daemon"], "").await?;
        ensure!(second.code == 1, "a second engine: {second:?}");
        Ok(())
    });
}

#[test]
fn an_authenticator_is_set_up_with_a_camera() {
    const PASSWORD: &str = "correct horse battery";
    play(async |world| {
        let (desk, server, app) = start(world).await?;
        let axe = axe()?;
        app.wait_for("[data-testid=first-run-join]").await?;
        app.window.click("[data-testid=first-run-join]").await?;
        app.wait_for("[data-testid=join-sign-in]").await?;
        app.window.click("[data-testid=join-sign-in]").await?;
        app.wait_for("[data-testid=sign-in]").await?;
        looks_right(&app, &axe, "signing in").await?;

        let ana = Cli::new(world.profile("ana"))?;
        ana.json_with_input(&["join", "--name", "Ana Sousa"], &server.invite()?).await?;
        ana.json_with_input(&["account", "password", "--login", "ana"], PASSWORD).await?;
        ana.json(&["settings", "set", "theme=dark"]).await?;
        app.wait_for("[data-testid=nav-settings]").await?;
        app.window.click("[data-testid=nav-settings]").await?;
        app.wait_for("[data-testid=settings-devices]").await?;
        app.window.click("[data-testid=settings-devices]").await?;
        app.wait_for("[data-testid=device]").await?;
        app.wait_for("[data-testid=totp]").await?;
        looks_right(&app, &axe, "my devices, dark").await?;
        app.window.click("[data-testid=totp]").await?;
        app.window.type_in("[data-testid=current-password]", PASSWORD).await?;
        app.window.press(&[keys::ENTER]).await?;
        app.wait_for("[data-testid=totp-secret]").await?;
        looks_right(&app, &axe, "a new authenticator, dark").await?;

        let shown = app.window.texts("[data-testid=totp-secret]").await?.concat().replace(' ', "");
        let frame = world.path().join("camera.pgm");
        let read = wait_for("a camera to read the picture", Patience::SHORT, async || {
            desk.screen.screenshot(&frame);
            Ok(in_sight(&std::fs::read(&frame)?))
        })
        .await?;
        ensure!(
            read.starts_with("otpauth://totp/") && read.contains(&format!("secret={shown}")),
            "it read something else"
        );
        Ok(())
    });
}

/// What a camera reads in a picture (a portable graymap), if anything.
fn in_sight(pgm: &[u8]) -> Option<String> {
    let mut parts = pgm.splitn(5, |byte| byte.is_ascii_whitespace());
    let mut number = || std::str::from_utf8(parts.next()?).ok()?.parse::<usize>().ok();
    let _kind = number();
    let (width, height, white) = (number()?, number()?, number()?);
    let pixels = parts.next()?;
    // The first byte of a pixel says enough, where it has two.
    let bytes = if white > 255 { 2 } else { 1 };
    let mut image = rqrr::PreparedImage::prepare_from_greyscale(width, height, |x, y| {
        pixels.get((y * width + x) * bytes).copied().unwrap_or(u8::MAX)
    });
    image.detect_grids().first()?.decode().ok().map(|(_, text)| text)
}

pub(crate) fn axe() -> Result<String> {
    let axe = programs::checkout().join("ui/node_modules/axe-core/axe.min.js");
    std::fs::read_to_string(axe).context("axe-core is not there: npm ci in ui")
}

#[test]
fn what_is_typed_is_there_again() {
    const REPLY: &str = "[data-testid=reply-text]";
    const TITLE: &str = "[data-testid=compose-title]";
    play(async |world| {
        let (_desk, server, app) = start(world).await?;
        let ana = Cli::new(world.profile("ana"))?;
        app.wait_for("[data-testid=first-run]").await?;
        ana.json_with_input(&["join", "--name", "Ana Sousa"], &server.invite()?).await?;
        app.wait_for("[data-testid=row]").await?;
        app.window.press(&["j", keys::ENTER]).await?;
        app.wait_for(REPLY).await?;
        let title = app.window.texts("[data-testid=title]").await?.pop().context("no title")?;
        let id = app
            .window
            .script("return document.querySelector('[data-testid=row][aria-selected=true]').dataset.id", json!([]));
        let id = id.await?.as_str().context("no row is selected")?.to_owned();

        // Somebody who never pauses, and a crash in the middle of it.
        app.window.click(REPLY).await?;
        let typing = async {
            for _ in 0..300 {
                app.window.press(&["x"]).await?;
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            bail!("nothing of it was kept while it was typed")
        };
        let kept = wait_for("a draft", Patience::LONG, async || {
            Ok(ana.json(&["show", &id]).await?["draft"].as_str().map(str::to_owned))
        });
        let kept = tokio::select! { typed = typing => typed, kept = kept => kept }?;
        app.kill_9().await?;
        let app = App::start(&world.profile("ana"), &world.logs()).await?;
        app.wait_for_row(&title).await?;
        app.go_to(&title).await?;
        app.window.press(&[keys::ENTER]).await?;
        app.wait_for(REPLY).await?;
        let there = value(&app, REPLY).await?;
        ensure!(!kept.is_empty() && there.starts_with(&kept), "{kept:?} was kept, {there:?} is there");

        // A new thread, of which there is only a title when the session ends.
        app.window.press(&["c"]).await?;
        app.wait_for(TITLE).await?;
        app.window.type_in(TITLE, "Which day?").await?;
        app.end().await?;
        let app = App::start(&world.profile("ana"), &world.logs()).await?;
        app.wait_for("[data-testid=row]").await?;
        app.window.press(&["c"]).await?;
        app.wait_for(TITLE).await?;
        let there = value(&app, TITLE).await?;
        ensure!(there == "Which day?", "of the title {there:?} is there");
        Ok(())
    });
}

#[test]
fn a_start_that_failed_is_made_again_when_asked() {
    play(async |world| {
        let _desk = Desk::start(world).await?;
        let dirs = Dirs::within(&world.folder("ana")?)?;
        dirs.create()?;
        let owned = Lock::take(&dirs)?.context("somebody has the profile")?;
        let app = App::start(&world.profile("ana"), &world.logs()).await?;
        app.wait_for("[data-testid=problem]").await?;
        drop(owned);
        app.window.click("[data-testid=try-again]").await?;
        app.wait_for("[data-testid=first-run]").await
    });
}

async fn value(app: &App, css: &str) -> Result<String> {
    let value = app.window.script("return document.querySelector(arguments[0]).value", json!([css])).await?;
    Ok(value.as_str().context("it has no value")?.to_owned())
}

pub(crate) async fn start(world: &mut World) -> Result<(Desk, Server, App)> {
    let desk = Desk::start(world).await?;
    let server = Server::demo(&world.folder("server")?, &world.logs()).await?;
    let app = App::start(&world.profile("ana"), &world.logs()).await?;
    Ok((desk, server, app))
}

/// Nothing that WCAG 2.2 A or AA asks for is missing, as far as axe can tell.
pub(crate) async fn looks_right(app: &App, axe: &str, screen: &str) -> Result<()> {
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
