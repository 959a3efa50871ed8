//! Images of messages, fetched from the web: over TLS, from public addresses,
//! each redirect checked, without cookies, a referrer or a word about who asks.
//! It does not look at what comes.

use meantime_source::{SourceError, SourceResult};
use meantime_source_feed::address::{self, Gate};
use reqwest::header::{ACCEPT, LOCATION};
use reqwest::{Client, Response};
use std::time::Duration;
use tokio::sync::OnceCell;
use url::Url;

/// Redirects followed.
const REDIRECTS: usize = 3;
/// To connect.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Altogether.
const TIMEOUT: Duration = Duration::from_secs(20);

/// Fetches images. Nothing is asked, and nothing made ready, before the first.
#[derive(Default)]
pub(crate) struct Images {
    client: OnceCell<Client>,
    /// In tests: the one private host, asked without TLS.
    private_host: Option<String>,
}

impl Images {
    /// The bytes at an address.
    pub(crate) async fn fetch(&self, address: &str, most: usize) -> SourceResult<Vec<u8>> {
        let unfit = || SourceError::Permanent("an image has no such address".to_owned());
        let mut url = Url::parse(address).map_err(|_| unfit())?;
        let client = self.client.get_or_try_init(async || self.client()).await?;
        for _ in 0..=REDIRECTS {
            let secure = url.scheme() == "https" || self.private_host.is_some();
            if !secure || !url.username().is_empty() || url.password().is_some() {
                return Err(unfit());
            }
            address::check(&url, self.private_host.as_deref())?;
            // The part after `#` is for whoever shows it.
            url.set_fragment(None);
            let request = client.get(url.clone()).header(ACCEPT, "image/png, image/jpeg, image/gif, image/webp");
            let response = request.send().await.map_err(failed)?;
            if response.status().is_redirection() {
                let target = response.headers().get(LOCATION).and_then(|value| value.to_str().ok());
                url = target.and_then(|target| url.join(target).ok()).ok_or_else(unfit)?;
                continue;
            }
            if !response.status().is_success() {
                return Err(SourceError::Transient(format!("the image was refused ({})", response.status().as_u16())));
            }
            return read(response, most).await;
        }
        Err(unfit())
    }

    fn client(&self) -> SourceResult<Client> {
        Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .dns_resolver(Gate { private_host: self.private_host.clone() })
            .https_only(self.private_host.is_none())
            // It would connect where the address check can't look.
            .no_proxy()
            .referer(false)
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(TIMEOUT)
            .user_agent("Meantime")
            .build()
            .map_err(failed)
    }
}

async fn read(mut response: Response, most: usize) -> SourceResult<Vec<u8>> {
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(failed)? {
        if bytes.len() + chunk.len() > most {
            return Err(SourceError::Permanent("the image is too large".to_owned()));
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

/// Without the address, which tells whose mail it is.
fn failed(error: reqwest::Error) -> SourceError {
    SourceError::Transient(format!("the image can't be had: {}", error.without_url()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Mutex};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    /// A web server, and what it was asked.
    async fn web() -> (String, Arc<Mutex<Vec<String>>>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let (asked, here) = (Arc::new(Mutex::new(Vec::new())), base.clone());
        let heard = asked.clone();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut request = vec![0; 8192];
                let read = stream.read(&mut request).await.unwrap();
                let request = String::from_utf8_lossy(&request[..read]).into_owned();
                let answer = match request.split(' ').nth(1).unwrap() {
                    "/there" => {
                        "HTTP/1.1 200 OK\r\nset-cookie: who=ana\r\ncontent-length: 4\r\nconnection: close\r\n\r\nGIF8"
                            .to_owned()
                    }
                    "/endless" => format!("HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n{}", "x".repeat(100_000)),
                    "/moved" => format!("HTTP/1.1 302 Found\r\nlocation: {here}/there\r\nconnection: close\r\n\r\n"),
                    "/round" => "HTTP/1.1 302 Found\r\nlocation: /round\r\nconnection: close\r\n\r\n".to_owned(),
                    "/inside" => {
                        "HTTP/1.1 302 Found\r\nlocation: http://127.0.0.2/\r\nconnection: close\r\n\r\n".to_owned()
                    }
                    _ => "HTTP/1.1 404 Not Found\r\nconnection: close\r\n\r\n".to_owned(),
                };
                heard.lock().unwrap().push(request);
                let _ = stream.write_all(answer.as_bytes()).await;
            }
        });
        (base, asked)
    }

    #[tokio::test]
    async fn an_image_is_fetched_within_limits_and_tells_nothing() {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let (base, asked) = web().await;
        let images = Images { private_host: Some("127.0.0.1".to_owned()), ..Images::default() };
        let fetch = async |path: &str| images.fetch(&format!("{base}{path}"), 1000).await;
        assert_eq!(fetch("/there").await.unwrap(), b"GIF8");
        assert_eq!(fetch("/moved#part").await.unwrap(), b"GIF8");
        for request in asked.lock().unwrap().iter() {
            let lower = request.to_lowercase();
            for told in ["cookie", "referer", "accept-language", "#part"] {
                assert!(!lower.contains(told), "{told} in {request}");
            }
        }
        for path in ["/endless", "/round", "/inside", "/none"] {
            assert!(fetch(path).await.is_err(), "{path}");
        }
        let rounds = asked.lock().unwrap().iter().filter(|request| request.contains("/round")).count();
        assert_eq!(rounds, REDIRECTS + 1);
    }

    #[tokio::test]
    async fn nothing_private_is_asked_and_nothing_without_tls() {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let (base, asked) = web().await;
        let images = Images::default();
        for address in [
            format!("{base}/there"),
            format!("{base}/there").replace("http:", "https:"),
            base.replace("http://127.0.0.1", "https://localhost"),
            "http://example.org/x.png".to_owned(),
            "https://user@example.org/x.png".to_owned(),
            "https://[::1]/x.png".to_owned(),
            "file:///etc/passwd".to_owned(),
            "data:image/png;base64,AA".to_owned(),
            String::new(),
        ] {
            assert!(images.fetch(&address, 1000).await.is_err(), "{address}");
        }
        assert!(asked.lock().unwrap().is_empty());
    }
}
