//! Sends one wake-up: an HTTP request, and what its answer means.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Body, Client, StatusCode, Url};
use tokio::sync::oneshot;

use super::WakeError;
use crate::config::{Secret, WakeConfig};
use crate::outward;

/// How long a request lives. A drain that takes longer has its request long since.
const LIFE: Duration = Duration::from_secs(10);

/// Where and with what to ask for a drain.
#[derive(Debug)]
pub(super) struct Bell {
    client: Client,
    /// Never shown: it may hold a token.
    url: Secret,
    headers: HeaderMap,
}

impl Bell {
    pub(super) fn new(url: &Secret, config: &WakeConfig) -> Result<Self, WakeError> {
        let parsed = Url::parse(url.expose())
            .map_err(|_| WakeError("DRAIN_WAKE_URL is not a URL: copy it again"))?;
        let builder = outward::client(&parsed).ok_or(WakeError(
            "DRAIN_WAKE_URL must start with https://: over http:// its token would be readable",
        ))?;
        let client = builder.timeout(LIFE).build();
        let client = client.map_err(|_| WakeError("HTTPS cannot be set up"))?;
        Ok(Self { client, url: url.clone(), headers: headers(config)? })
    }

    /// Asks once, and tells `sent` when the request is on its way. A drain that answers late, or that
    /// is at work already, is what was wanted.
    pub(super) async fn ring(&self, sent: oneshot::Sender<()>) {
        let body = Body::wrap(Told(Some((Bytes::from_static(b"{}"), sent))));
        let request = self.client.post(self.url.expose()).headers(self.headers.clone()).body(body);
        match request.send().await {
            Ok(answer) if answer.status().is_success() => tracing::debug!("the drain was woken"),
            // As many drains as may run are running, and look for jobs until they find none.
            Ok(answer) if answer.status() == StatusCode::TOO_MANY_REQUESTS => {
                tracing::debug!("the drain is at work already");
            }
            Ok(answer) => {
                let status = answer.status().as_u16();
                tracing::warn!(status, "the drain was not woken; the next tick has its jobs");
            }
            Err(error) if error.is_timeout() && !error.is_connect() => {
                tracing::debug!("the drain was woken, and is at work");
            }
            Err(error) => {
                let reason = if error.is_connect() { "no connection" } else { "no answer" };
                tracing::warn!(reason, "the drain was not woken; the next tick has its jobs");
            }
        }
    }
}

/// A body that tells when it is taken to be written.
struct Told(Option<(Bytes, oneshot::Sender<()>)>);

impl http_body::Body for Told {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let body = self.0.take().map(|(bytes, sent)| {
            // Nobody may be waiting any more.
            let _ = sent.send(());
            Ok(Frame::data(bytes))
        });
        Poll::Ready(body)
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.0.as_ref().map_or(0, |(bytes, _)| bytes.len() as u64))
    }
}

/// The drain's token as a bearer; through QStash, which takes a token of its own there, as a header
/// to forward. QStash need not try again: there is a tick for that.
fn headers(config: &WakeConfig) -> Result<HeaderMap, WakeError> {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let forward = HeaderName::from_static("upstash-forward-authorization");
    let drain = match &config.qstash {
        Some(token) => {
            headers.insert(AUTHORIZATION, bearer(token)?);
            headers.insert("upstash-retries", HeaderValue::from_static("0"));
            forward
        }
        None => AUTHORIZATION,
    };
    if let Some(token) = &config.token {
        headers.insert(drain, bearer(token)?);
    }
    Ok(headers)
}

fn bearer(token: &Secret) -> Result<HeaderValue, WakeError> {
    let mut value = HeaderValue::from_str(&format!("Bearer {}", token.expose())).map_err(|_| {
        WakeError("DRAIN_WAKE_TOKEN or QSTASH_TOKEN has characters that no header can carry")
    })?;
    value.set_sensitive(true);
    Ok(value)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn config(url: &str, qstash: Option<&str>) -> WakeConfig {
        WakeConfig {
            url: Some(Secret::new(url)),
            token: Some(Secret::new("sesame")),
            qstash: qstash.map(Secret::new),
        }
    }

    fn bell(url: &str) -> Result<Bell, WakeError> {
        Bell::new(&Secret::new(url), &config(url, None))
    }

    #[test]
    fn a_token_goes_over_tls_or_nowhere() {
        for good in
            ["https://x.lambda-url.eu-central-1.on.aws/", "http://127.0.0.1:1/", "http://[::1]/"]
        {
            assert!(!format!("{:?}", bell(good).unwrap()).contains("sesame"));
        }
        for bad in [
            "http://x.lambda-url.eu-central-1.on.aws/",
            "http://localhost.example/?t=secret",
            "https://",
        ] {
            let sentence = bell(bad).unwrap_err().to_string();
            assert!(
                sentence.starts_with("DRAIN_WAKE_URL") && !sentence.contains("secret"),
                "{sentence}"
            );
        }
    }

    #[test]
    fn qstash_gets_its_own_token_and_forwards_the_drains() {
        let direct = headers(&config("https://x/", None)).unwrap();
        assert_eq!(direct[AUTHORIZATION], "Bearer sesame");
        assert!(!direct.contains_key("upstash-forward-authorization"));
        let through = headers(&config("https://x/", Some("qstash"))).unwrap();
        assert_eq!(through[AUTHORIZATION], "Bearer qstash");
        assert_eq!(through["upstash-forward-authorization"], "Bearer sesame");
        assert!(!format!("{through:?}").contains("sesame"));
    }
}
