//! Makes one request to the receiver, and says what came of it.

use std::time::Duration;

use batchmq_redis::{is_loopback, tls};
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use reqwest::{Client, Response, StatusCode, Url};

use crate::error::Error;
use crate::options::ForwardOptions;
use crate::secrets::REQUEST_ID;

/// The longest answer that is read, in bytes.
const MOST_ANSWER_BYTES: usize = 6_000_000;

/// The longest that a connection may take; half of a shorter request's time.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How long an idle connection is kept: less than the 5 s after which a Node server closes it.
const IDLE_TIMEOUT: Duration = Duration::from_secs(4);

/// The longest rest that a receiver may ask for.
const LONGEST_REST: Duration = Duration::from_secs(900);

/// What came of a request.
#[derive(Debug)]
pub(crate) enum Said {
    /// An answer, to be read.
    Answer {
        body: Vec<u8>,
        /// The receiver goes on with what it does not name.
        is_accepted: bool,
    },
    /// No job is to blame: none can be forwarded now.
    Closed(Error),
    /// The receiver has too much to do, and may have said for how long.
    Busy { status: u16, rest: Option<Duration> },
    /// Too many jobs at once.
    TooLarge,
    /// One of the jobs may be to blame.
    Failed(String),
    /// The answer did not come in time.
    Late,
    /// The connection broke before an answer came.
    Broken,
}

/// The way to the receiver.
#[derive(Debug)]
pub(crate) struct Exchange {
    client: Client,
    options: ForwardOptions,
}

impl Exchange {
    pub(crate) fn new(options: ForwardOptions) -> Result<Self, Error> {
        let url = Url::parse(options.url.expose())
            .map_err(|_| Error::Url("is not a URL: copy it again"))?;
        let is_local = url.host_str().is_some_and(is_loopback);
        match url.scheme() {
            "https" => {}
            "http" if is_local || options.allow_plaintext => {}
            "http" => {
                return Err(Error::Url(
                    "must start with https://: over http:// the jobs would be readable on their way",
                ));
            }
            _ => return Err(Error::Url("must start with https://")),
        }
        let mut builder = Client::builder()
            .tls_backend_preconfigured((*tls::client_config()).clone())
            // Else the request's own time is over first, as if its jobs had been too slow.
            .connect_timeout(CONNECT_TIMEOUT.min(options.timeout / 2))
            .pool_idle_timeout(IDLE_TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .user_agent(concat!("batchmq/", env!("CARGO_PKG_VERSION")))
            .tcp_nodelay(true);
        if is_local {
            builder = builder.no_proxy();
        }
        let client = builder.build().map_err(|_| Error::Tls)?;
        Ok(Self { client, options })
    }

    pub(crate) fn options(&self) -> &ForwardOptions {
        &self.options
    }

    /// Sends `body`, and waits for the answer so long.
    pub(crate) async fn post(&self, body: Vec<u8>, timeout: Duration) -> Said {
        let headers = self.headers(&body, timeout);
        let request = self.client.post(self.options.url.expose()).headers(headers);
        match request.timeout(timeout).body(body).send().await {
            Ok(response) => judge(response).await,
            Err(error) => unanswered(&error),
        }
    }

    fn headers(&self, body: &[u8], timeout: Duration) -> HeaderMap {
        let id = format!("{REQUEST_ID}{:032x}", rand::random::<u128>());
        let timestamp = self.options.clock.now_ms().div_euclid(1000);
        let signature = self.options.secrets.sign(&id, timestamp, body);
        let texts = [
            ("webhook-id", id),
            ("webhook-timestamp", timestamp.to_string()),
            ("webhook-signature", signature),
            ("batchmq-timeout-ms", timeout.as_millis().to_string()),
        ];
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        for (name, text) in texts {
            // Letters, digits and base64 always make a header.
            if let Ok(value) = HeaderValue::try_from(text) {
                headers.insert(HeaderName::from_static(name), value);
            }
        }
        headers
    }
}

/// What a request without an answer says.
fn unanswered(error: &reqwest::Error) -> Said {
    if error.is_connect() {
        let reason = tls::distrust(error).unwrap_or_else(|| "no connection".to_owned());
        return Said::Closed(Error::Unreachable(reason));
    }
    if error.is_timeout() { Said::Late } else { Said::Broken }
}

/// What an answer says by its status and its form.
async fn judge(response: Response) -> Said {
    let status = response.status();
    match status.as_u16() {
        200..=299 => read(response).await,
        401 | 403..=405 | 407 | 410 | 421 | 300..=399 => {
            Said::Closed(Error::Refuses(status.as_u16()))
        }
        413 => Said::TooLarge,
        429 | 503 => Said::Busy { status: status.as_u16(), rest: rest(response.headers()) },
        number => Said::Failed(format!("The receiver answered with status {number}")),
    }
}

/// For how long the receiver asks to be left alone.
fn rest(headers: &HeaderMap) -> Option<Duration> {
    let seconds: u64 = headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds).min(LONGEST_REST))
}

/// The body, up to the longest that is read.
async fn read(mut response: Response) -> Said {
    let is_accepted = response.status() == StatusCode::ACCEPTED;
    let kind = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let kind = kind.and_then(|kind| kind.split(';').next()).unwrap_or_default().trim();
    // `response.status(202).send('Accepted')` in Express is HTML, too.
    if !is_accepted && kind.eq_ignore_ascii_case("text/html") {
        return Said::Closed(Error::Page);
    }
    if !is_accepted && !kind.eq_ignore_ascii_case("application/json") {
        // It fails as what is no answer does: its receiver may have done the work.
        return Said::Answer { body: Vec::new(), is_accepted };
    }
    let mut body = Vec::new();
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) if body.len() + chunk.len() > MOST_ANSWER_BYTES => {
                return Said::Failed("The receiver's answer is longer than 6 MB".to_owned());
            }
            Ok(Some(chunk)) => body.extend_from_slice(&chunk),
            Ok(None) => return Said::Answer { body, is_accepted },
            Err(error) if error.is_timeout() => return Said::Late,
            Err(_) => return Said::Broken,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use batchmq_redis::Secret;

    use super::*;
    use crate::secrets::Secrets;

    fn options(url: &str) -> ForwardOptions {
        let secrets = Secrets::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        ForwardOptions::new(Secret::new(url), secrets)
    }

    #[test]
    fn jobs_go_over_tls_or_nowhere() {
        for good in
            ["https://a.example/jobs", "http://127.0.0.1:1/", "http://[::1]/", "http://localhost/"]
        {
            let exchange = Exchange::new(options(good)).unwrap();
            let shown = format!("{exchange:?}");
            assert!(!shown.contains("MfKQ") && !shown.contains("example"), "{shown}");
        }
        for bad in ["http://a.example/sesame", "https://", "ftp://a.example/sesame", "sesame"] {
            let sentence = Exchange::new(options(bad)).unwrap_err().to_string();
            assert!(
                sentence.starts_with("the receiver's URL") && !sentence.contains("sesame"),
                "{sentence}"
            );
        }
        let trusted = ForwardOptions { allow_plaintext: true, ..options("http://a.example/") };
        Exchange::new(trusted).unwrap();
    }

    #[tokio::test]
    async fn a_connection_that_is_never_made_is_no_late_answer() {
        // Takes the connection, and says nothing to its TLS.
        let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("https://{}/", silent.local_addr().unwrap());
        let timeout = Duration::from_secs(1);
        let exchange = Exchange::new(ForwardOptions { timeout, ..options(&url) }).unwrap();
        let said = exchange.post(Vec::new(), timeout).await;
        assert!(matches!(said, Said::Closed(Error::Unreachable(_))), "{said:?}");
    }
}
