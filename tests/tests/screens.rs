//! Every screen can be used by everybody: light and dark, nothing that WCAG
//! 2.2 A or AA asks for is missing, as far as axe can tell.

use crate::window::{axe, looks_right, start};
use anyhow::{Context, Result, ensure};
use meantime_tests::wait::{Patience, wait_for};
use meantime_tests::webdriver::keys;
use meantime_tests::world::play;
use meantime_tests::{App, Cli};
use serde_json::json;

#[test]
fn every_screen_can_be_used_by_everybody() {
    play(async |world| {
        let (_desk, server, app) = start(world).await?;
        let ana = Cli::new(world.profile("ana"))?;
        app.wait_for("[data-testid=first-run]").await?;
        let mut visit = Visit { app: &app, axe: axe()?, theme: "" };
        for theme in THEMES {
            visit.turn(&ana, theme).await?;
            visit.first_run().await?;
        }
        ana.json_with_input(&["join", "--name", "Ana Sousa"], &server.invite()?).await?;
        app.wait_for("[data-testid=row]").await?;
        for theme in THEMES {
            visit.turn(&ana, theme).await?;
            visit.lists().await?;
            visit.on_top().await?;
            visit.search().await?;
            visit.team().await?;
            visit.settings().await?;
        }
        Ok(())
    });
}

const THEMES: [&str; 2] = ["light", "dark"];

/// Somebody who looks at one screen after the other.
struct Visit<'a> {
    app: &'a App,
    axe: String,
    theme: &'static str,
}

impl Visit<'_> {
    async fn turn(&mut self, ana: &Cli, theme: &'static str) -> Result<()> {
        ana.json(&["settings", "set", &format!("theme={theme}")]).await?;
        self.app.wait_for(&format!("html[data-theme={theme}]")).await?;
        self.theme = theme;
        Ok(())
    }

    /// The three ways in, and both of joining.
    async fn first_run(&self) -> Result<()> {
        self.see("[data-testid=first-run-sample]").await?;
        self.click_and_see("[data-testid=first-run-join]", "[data-testid=join-link]").await?;
        self.click_and_see("[data-testid=join-sign-in]", "[data-testid=sign-in]").await?;
        self.click(".first .link").await?;
        self.click_and_see("[data-testid=first-run-mail]", "[data-testid=mailbox-form]").await?;
        self.click(".first .link").await?;
        self.app.wait_for("[data-testid=first-run-join]").await
    }

    /// The four lists, a conversation, and an answer to it.
    async fn lists(&self) -> Result<()> {
        for list in ["waiting", "later", "done"] {
            self.click_and_see(&format!("[data-testid=nav-{list}]"), "[data-testid=empty]").await?;
        }
        self.click_and_see("[data-testid=nav-inbox]", "[data-testid=row]").await?;
        self.app.window.press(&["j", keys::ENTER]).await?;
        self.see("[data-testid=message]").await?;
        self.app.window.press(&["r"]).await?;
        self.app.wait_for("[data-testid=reply-text]:focus").await?;
        self.app.window.type_in("[data-testid=reply-text]", "Who can answer that, and by when?").await?;
        self.see("[data-testid=composer] [role=note]").await?;
        self.app.window.press_with(keys::CONTROL, "a").await?;
        self.app.window.press(&[keys::DELETE, keys::ESCAPE]).await?;
        self.gone("[data-testid=reply-text]:focus").await
    }

    /// What lies over the list.
    async fn on_top(&self) -> Result<()> {
        for (key, what) in [("h", "snooze"), ("c", "compose-sheet"), ("?", "help")] {
            self.app.window.press(&[key]).await?;
            self.see_and_close(what).await?;
        }
        self.app.window.press_with(keys::CONTROL, "k").await?;
        self.see_and_close("palette").await
    }

    async fn search(&self) -> Result<()> {
        self.app.window.press(&["/"]).await?;
        self.app.wait_for("[data-testid=search-input]:focus").await?;
        self.search_for(&[keys::DELETE]).await?;
        self.see("section.search").await?;
        self.search_for(&["a", "p", "i"]).await?;
        self.see("[data-testid=hits] [role=row]").await?;
        self.search_for(&["q", "q", "q"]).await?;
        self.gone("[data-testid=hits] [role=row]").await?;
        self.see("section.search").await
    }

    async fn search_for(&self, pressed: &[&str]) -> Result<()> {
        self.app.window.press_with(keys::CONTROL, "a").await?;
        self.app.window.press(pressed).await
    }

    async fn team(&self) -> Result<()> {
        self.click_and_see("[data-testid=nav-team]", "[data-testid=person]").await
    }

    /// Every section, whichever there are.
    async fn settings(&self) -> Result<()> {
        self.click("[data-testid=nav-settings]").await?;
        self.app.wait_for("[data-testid=settings]").await?;
        let script = "return [...document.querySelectorAll('[data-testid^=settings-]')].map((e) => e.dataset.testid)";
        let sections: Vec<String> = serde_json::from_value(self.app.window.script(script, json!([])).await?)?;
        ensure!(sections.len() >= 9, "these sections: {sections:?}");
        for section in sections {
            let button = format!("[data-testid={section}]");
            self.click_and_see(&button, &format!("{button}[aria-current=page]")).await?;
        }
        self.click("[data-testid=settings-accounts]").await?;
        for (add, form) in [("add-mailbox", "mailbox-form"), ("add-feed", "feed-add")] {
            self.click_and_see(&format!("[data-testid={add}]"), &format!("[data-testid={form}]")).await?;
            // Left and come back to, it begins anew.
            self.click("[data-testid=settings-keys]").await?;
            self.click("[data-testid=settings-accounts]").await?;
        }
        self.click_and_see("[data-testid=nav-inbox]", "[data-testid=row]").await
    }

    async fn click(&self, css: &str) -> Result<()> {
        self.app.wait_for(css).await?;
        self.app.window.click(css).await
    }

    async fn click_and_see(&self, button: &str, css: &str) -> Result<()> {
        self.click(button).await?;
        self.see(css).await
    }

    /// Looks at the screen that has this.
    async fn see(&self, css: &str) -> Result<()> {
        self.app.wait_for(css).await?;
        self.still().await?;
        looks_right(self.app, &self.axe, &format!("{css}, {}", self.theme)).await
    }

    async fn see_and_close(&self, testid: &str) -> Result<()> {
        let css = format!("[data-testid={testid}]");
        self.see(&css).await?;
        self.app.window.press(&[keys::ESCAPE]).await?;
        self.gone(&css).await
    }

    async fn gone(&self, css: &str) -> Result<()> {
        wait_for(&format!("the end of {css}"), Patience::SHORT, async || {
            Ok(self.app.window.texts(css).await?.is_empty().then_some(()))
        })
        .await
    }

    /// Nothing fades any more: half-faded letters have no contrast.
    async fn still(&self) -> Result<()> {
        let script = "return document.getAnimations().filter((one) => one.playState === 'running' \
                      && one.effect.getComputedTiming().endTime !== Infinity).length";
        wait_for("a window at rest", Patience::SHORT, async || {
            let moving = self.app.window.script(script, json!([])).await?;
            Ok((moving.as_u64().context("no number")? == 0).then_some(()))
        })
        .await
    }
}
