//! As much of the WebDriver protocol (<https://www.w3.org/TR/webdriver2/>) as
//! looking at a window and pressing its keys takes.

use anyhow::{Context, Result, bail};
use reqwest::{Client, Method};
use serde_json::{Value, json};
use std::path::Path;
use std::time::Duration;

/// An open window.
#[derive(Clone)]
pub struct Browser {
    http: Client,
    session: String,
}

/// Keys that have no letter.
pub mod keys {
    /// Enter.
    pub const ENTER: &str = "\u{e007}";
    /// Delete.
    pub const DELETE: &str = "\u{e017}";
    /// Escape.
    pub const ESCAPE: &str = "\u{e00c}";
    /// Down.
    pub const DOWN: &str = "\u{e015}";
    /// Control, to be held.
    pub const CONTROL: &str = "\u{e009}";
}

impl Browser {
    /// Starts an app through a `tauri-driver` at `port`, and waits for its window.
    ///
    /// # Errors
    /// The driver does not answer, or the app shows no window.
    pub async fn open(port: u16, app: &Path, args: &[&str]) -> Result<Self> {
        let http = Client::builder().no_proxy().timeout(Duration::from_secs(60)).build()?;
        let options = json!({ "application": app, "args": args });
        let wanted = json!({ "capabilities": { "alwaysMatch": { "tauri:options": options, "browserName": "wry" } } });
        let base = format!("http://127.0.0.1:{port}/session");
        let opened = send(&http, Method::POST, &base, Some(wanted)).await?;
        let id = opened.get("sessionId").and_then(Value::as_str).context("the driver named no session")?;
        Ok(Self { session: format!("{base}/{id}"), http })
    }

    /// Runs a function body in the page; its `return` is the answer.
    ///
    /// # Errors
    /// The script threw, or the window is gone.
    pub async fn script(&self, body: &str, args: Value) -> Result<Value> {
        self.post("execute/sync", json!({ "script": body, "args": args })).await
    }

    /// The same with a body that calls its last argument when it is done.
    ///
    /// # Errors
    /// The script threw, took too long, or the window is gone.
    pub async fn script_async(&self, body: &str, args: Value) -> Result<Value> {
        self.post("execute/async", json!({ "script": body, "args": args })).await
    }

    /// The text of each element a selector finds, as a person sees it.
    ///
    /// # Errors
    /// The window is gone.
    pub async fn texts(&self, css: &str) -> Result<Vec<String>> {
        let script =
            "return [...document.querySelectorAll(arguments[0])].map(e => e.innerText.replace(/\\s+/g, ' ').trim())";
        Ok(serde_json::from_value(self.script(script, json!([css])).await?)?)
    }

    /// Clicks the first element a selector finds, in its middle.
    ///
    /// # Errors
    /// There is none, or it can't be clicked.
    pub async fn click(&self, css: &str) -> Result<()> {
        let element = self.find(css).await?;
        self.post(&format!("element/{element}/click"), json!({})).await.map(drop)
    }

    /// Types into the first element a selector finds.
    ///
    /// # Errors
    /// There is none, or it takes no text.
    pub async fn type_in(&self, css: &str, text: &str) -> Result<()> {
        let element = self.find(css).await?;
        self.post(&format!("element/{element}/value"), json!({ "text": text })).await.map(drop)
    }

    /// Presses and releases keys one after the other, wherever the focus is.
    ///
    /// # Errors
    /// The window is gone.
    pub async fn press(&self, keys: &[&str]) -> Result<()> {
        let strokes = keys
            .iter()
            .flat_map(|key| [json!({ "type": "keyDown", "value": key }), json!({ "type": "keyUp", "value": key })]);
        self.keys(strokes.collect()).await
    }

    /// Presses a key while another is held.
    ///
    /// # Errors
    /// The window is gone.
    pub async fn press_with(&self, held: &str, key: &str) -> Result<()> {
        self.keys(vec![
            json!({ "type": "keyDown", "value": held }),
            json!({ "type": "keyDown", "value": key }),
            json!({ "type": "keyUp", "value": key }),
            json!({ "type": "keyUp", "value": held }),
        ])
        .await
    }

    /// Ends the session, and the app with it.
    ///
    /// # Errors
    /// The driver does not answer.
    pub async fn close(&self) -> Result<()> {
        send(&self.http, Method::DELETE, &self.session, None).await.map(drop)
    }

    async fn keys(&self, actions: Vec<Value>) -> Result<()> {
        let keyboard = json!({ "type": "key", "id": "keyboard", "actions": actions });
        self.post("actions", json!({ "actions": [keyboard] })).await.map(drop)
    }

    async fn find(&self, css: &str) -> Result<String> {
        let found = self.post("element", json!({ "using": "css selector", "value": css })).await;
        let found = found.with_context(|| format!("the window has no {css}"))?;
        let id = found.as_object().and_then(|object| object.values().next()).and_then(Value::as_str);
        Ok(id.context("the driver named no element")?.to_owned())
    }

    async fn post(&self, path: &str, body: Value) -> Result<Value> {
        send(&self.http, Method::POST, &format!("{}/{path}", self.session), Some(body)).await
    }
}

async fn send(http: &Client, method: Method, url: &str, body: Option<Value>) -> Result<Value> {
    let mut request = http.request(method, url);
    if let Some(body) = body {
        request = request.json(&body);
    }
    let mut answer: Value = request.send().await?.json().await?;
    let value = answer.get_mut("value").map(Value::take).unwrap_or_default();
    if let Some(code) = value.get("error").and_then(Value::as_str) {
        let message = value.get("message").and_then(Value::as_str).unwrap_or_default();
        bail!("WebDriver: {code}: {message}");
    }
    Ok(value)
}
