//! Speaks Upstash's REST API.
//!
//! Commands go as JSON arrays of strings. Answers come back in a form that any bytes survive
//! ([`RestAnswers`]). Every answer's `upstash-sync-token` goes on the next request, so that
//! one's own writes are read whichever replica answers.
//!
//! In JSON an error that a script puts inside an array cannot be told from a string: its plain text
//! is taken for base64, so that the whole answer is refused as malformed, or, where that text happens
//! to be base64, read as other bytes. As RESP2 and over TCP such an error becomes the command's own.
//! Our scripts answer errors alone, never inside an array.
//!
//! Bodies are not compressed, and answers are not asked for compressed. Upstash documents neither
//! (a server that does not know `Content-Encoding` takes the bytes for JSON and refuses them), and
//! little is to be had. A settle-and-claim of 100 jobs, the largest call that a drain makes, has
//! 9.6 KB and its answer 43 KB. gzip (zlib, level 1) makes them 2.6 and 6.0 KB for 78 µs to pack
//! and 36 µs to unpack, half as much again as all the CPU that the client takes for the call (222
//! µs, measured), for a batch whose transfer within a region takes a fraction of a
//! millisecond. Everything smaller fits into a few packets anyway, and a function's zip would grow
//! by a codec.

mod address;
mod encode;
mod json;
mod resp2;
mod retry_after;
mod status;
mod sync_token;
mod url;

use std::time::Duration;

use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER};
use reqwest::{Client, Method, Url};
use tracing::Span;

use self::address::Address;
pub(super) use self::encode::{MAX_REQUEST_BYTES, encoded_len};
use self::sync_token::SyncToken;
pub(crate) use self::url::rest_url;
use super::Options;
use super::budget::Limits;
use super::endpoint::Names;
use super::error::{Error, ErrorKind};
use super::failure::Failure;
use super::request::{Form, Request};
use super::value::{Items, Value};
use crate::secret::Secret;

/// The form in which the REST API answers; both keep every byte.
///
/// Measured with a claim of 100 jobs (release build): 42 KB and 45 µs to decode as JSON, 33 KB and
/// 20 µs as RESP2. That is little beside a round trip, so the default is the form that Upstash's own
/// clients use, and that serves transactions as well.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum RestAnswers {
    /// JSON with its strings in base64 (`Upstash-Encoding: base64`).
    #[default]
    Json,
    /// The Redis protocol's own (`Upstash-Response-Format: resp2`); transactions, for which
    /// Upstash does not offer it, as with [`RestAnswers::Json`].
    Resp2,
}

/// Why a body is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Malformed {
    /// Not of the asked form at all, or cut short.
    Cut,
    /// Not an answer, from about this byte on. Where and no more: what stands there may be a
    /// payload.
    At(usize),
}

/// The decoders, for the fuzz target: the answers in `body`, if it holds any.
#[doc(hidden)]
pub fn decode_rest_answer(
    body: &[u8],
    answers: RestAnswers,
    several: bool,
) -> Option<Vec<Result<Value, String>>> {
    let form = if several { Form::Pipeline } else { Form::Single };
    match answers {
        RestAnswers::Json => json::decode(form, body).ok(),
        RestAnswers::Resp2 => resp2::decode(form, body).ok(),
    }
}

/// A client of one Upstash database.
#[derive(Debug)]
pub(super) struct Rest {
    client: Client,
    single: Url,
    pipeline: Url,
    transaction: Url,
    authorization: HeaderValue,
    answers: RestAnswers,
    sync_token: SyncToken,
    names: Names,
}

impl Rest {
    /// A client for the database at `url`. Opens no connection.
    pub(super) fn new(
        url: &str,
        token: &Secret,
        allow_plaintext: bool,
        options: Options,
    ) -> Result<Self, Error> {
        let Address { base, authorization, local } =
            Address::parse(url, token, allow_plaintext, &options.names)?;
        let mut builder = Client::builder()
            .tls_backend_preconfigured((*options.trust()?).clone())
            .connect_timeout(options.limits.connect)
            .pool_idle_timeout(options.limits.idle)
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .tcp_nodelay(true);
        if local {
            builder = builder.no_proxy();
        }
        let client = builder.build().map_err(|error| {
            Error::configuration(format!("cannot set up HTTPS: {}", root_cause(&error)))
        })?;
        let join = |path: &str| {
            let mut url = base.clone();
            url.set_path(&format!("{}{path}", base.path().trim_end_matches('/')));
            url
        };
        Ok(Self {
            client,
            single: join("/"),
            pipeline: join("/pipeline"),
            transaction: join("/multi-exec"),
            authorization,
            answers: options.rest_answers,
            sync_token: SyncToken::default(),
            names: options.names,
        })
    }

    /// Opens a connection within `limit` by a question that Upstash answers with a 405 without looking at
    /// the database. It needs no token.
    pub(super) async fn connect(&self, limit: Duration) {
        let question = self.client.request(Method::OPTIONS, self.single.clone()).timeout(limit);
        let answered = async { question.send().await?.bytes().await };
        if let Err(error) = answered.await {
            tracing::warn!(cause = root_cause(&error), "no connection to the REST server yet");
        }
    }

    /// One try of `request`.
    pub(super) async fn exchange(
        &self,
        request: &Request,
        limits: Limits,
    ) -> Result<Items, Failure> {
        let body = encode::encode(request)?;
        Span::current().record("request_bytes", body.len());
        let (url, answers) = match request.form {
            Form::Single => (&self.single, self.answers),
            Form::Pipeline => (&self.pipeline, self.answers),
            Form::Transaction => (&self.transaction, RestAnswers::Json),
        };
        let (header, value) = match answers {
            RestAnswers::Json => ("upstash-encoding", "base64"),
            RestAnswers::Resp2 => ("upstash-response-format", "resp2"),
        };
        let mut post = self
            .client
            .post(url.clone())
            .timeout(limits.answer)
            .header(AUTHORIZATION, self.authorization.clone())
            .header(CONTENT_TYPE, HeaderValue::from_static("application/json"))
            .header(header, HeaderValue::from_static(value))
            .body(body);
        if let Some(token) = self.sync_token.newest() {
            post = post.header(sync_token::HEADER, token);
        }
        let broken = |error| broken(&error, &self.names);
        let response = post.send().await.map_err(broken)?;
        // Before the body is read: a request that starts meanwhile must carry it already.
        self.sync_token.update(response.headers());
        let status = response.status();
        let wait = asked_wait(response.headers());
        let answer = response.bytes().await.map_err(broken)?;
        Span::current().record("response_bytes", answer.len());
        status::interpret(request.form, answers, status, wait, &answer)
    }
}

/// How long the server asks to wait.
#[allow(
    clippy::disallowed_methods,
    reason = "a Retry-After may be a date, which is for the machine's own clock"
)]
fn asked_wait(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?;
    retry_after::parse(text, std::time::SystemTime::now())
}

/// What a failed exchange means: whether the request can have reached the server.
fn broken(error: &reqwest::Error, names: &Names) -> Failure {
    let cause = root_cause(error);
    if let Some(distrust) = crate::tls::distrust(error) {
        return Failure::untrusted("the REST server", &distrust, names.rest_url, names);
    }
    if error.is_builder() {
        let reason = format!("the request cannot be built: {cause}");
        return Failure::Unsent { kind: ErrorKind::Configuration, reason };
    }
    if error.is_connect() {
        return Failure::absent("the REST server", &format!(": {cause}"), names.rest_url);
    }
    let (reason, broken) = if error.is_timeout() {
        ("no answer in time".to_owned(), false)
    } else {
        (format!("the connection broke before the answer was complete: {cause}"), true)
    };
    Failure::Lost { reason, broken, retry_after: None }
}

/// The innermost error: the outer ones repeat the URL and say less.
fn root_cause(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    match cause.downcast_ref::<reqwest::Error>() {
        // Nothing inside: its own words, which end with the URL, which may hold a password.
        Some(_) => "the HTTP client failed".to_owned(),
        None => cause.to_string(),
    }
}
