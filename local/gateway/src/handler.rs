//! One request from its first byte to its answer.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};

use hyper::{
    Method, Request, Response, StatusCode,
    body::Incoming,
    header::{
        ALLOW, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER,
    },
};
use tokio::{sync::watch, time::sleep};

use super::{
    admin,
    auth::{Access, Tokens},
    billing::Meter,
    body::{self, Body, Reader},
    command::Command,
    deviations::{Deviation, Deviations},
    execute::Executor,
    failure::Failure,
    faults::{Fault, Injector},
    json_form, path_form,
    refusal::Refusal,
    reply::{self, Format},
    sse,
    sync::SyncTokens,
    turn::{Turn, Turns},
};

const SYNC_TOKEN: HeaderName = HeaderName::from_static("upstash-sync-token");
const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
const BILLED_COMMANDS: HeaderName = HeaderName::from_static("x-billed-commands");

/// The connection that a request came on.
#[derive(Clone, Debug)]
pub(super) struct Peer {
    /// Whose it is.
    pub(super) address: SocketAddr,
    /// Set to have the connection reset.
    pub(super) cut: Arc<AtomicBool>,
}

/// The connection is to break without an answer.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the connection is cut")]
pub(super) struct Cut;

/// All that requests share.
pub(super) struct Handler {
    /// Who may ask.
    pub(super) tokens: Tokens,
    /// Runs commands.
    pub(super) executor: Executor,
    /// Decides what goes wrong.
    pub(super) injector: Injector,
    /// Numbers the answers.
    pub(super) sync: SyncTokens,
    /// Reads bodies.
    pub(super) reader: Reader,
    /// Who may have a large answer.
    pub(super) turns: Turns,
    /// Counts commands, if that was asked for.
    pub(super) meter: Option<Meter>,
    /// Turns true to end streams.
    pub(super) stopping: watch::Receiver<bool>,
    /// How it differs on purpose.
    pub(super) deviations: Deviations,
}

/// An answer before its headers.
struct Answer {
    status: StatusCode,
    content_type: HeaderValue,
    body: Vec<u8>,
    /// Kept until the body is sent.
    turn: Option<Turn>,
}

/// Why a request has no answer of Redis.
enum Stop {
    Refused(Refusal),
    /// Answered by something in front of the database, which knows nothing of it.
    Proxy(Response<Body>),
    Cut,
}

impl From<Refusal> for Stop {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl Handler {
    /// Answers a request.
    ///
    /// # Errors
    /// [`Cut`], when the connection must break instead.
    pub(super) async fn serve(
        self: &Arc<Self>,
        request: Request<Incoming>,
        peer: Peer,
    ) -> Result<Response<Body>, Cut> {
        let sync = self.sync.next(request.headers().get(SYNC_TOKEN));
        let method = request.method().clone();
        let started = Instant::now();
        let result = self.route(request, &peer).await;
        let elapsed = started.elapsed();
        let mut response = match result {
            Ok(response) => response,
            Err(Stop::Refused(refusal)) => refused(&refusal),
            Err(Stop::Proxy(response)) => return Ok(response),
            Err(Stop::Cut) => {
                // Never the path: it holds keys, values and perhaps the token.
                tracing::debug!(%method, ?elapsed, "cut");
                peer.cut.store(true, Ordering::Relaxed);
                return Err(Cut);
            }
        };
        tracing::debug!(%method, status = response.status().as_u16(), ?elapsed, "answered");
        if !self.deviations.has(Deviation::NoSyncTokens) {
            response.headers_mut().insert(SYNC_TOKEN, sync);
        }
        Ok(response)
    }

    async fn route(&self, request: Request<Incoming>, peer: &Peer) -> Result<Response<Body>, Stop> {
        let (head, incoming) = request.into_parts();
        // Unlike Upstash: what a page sends without asking first would be executed, token or link in hand.
        if head.headers.get(FETCH_SITE).is_some_and(|site| site == "cross-site") {
            return Err(Refusal::cross_site().into());
        }
        if head.method == Method::OPTIONS && self.deviations.has(Deviation::FailsOptions) {
            return Err(Stop::Proxy(faulty(500, false, false)));
        }
        if ![Method::HEAD, Method::GET, Method::POST, Method::PUT].contains(&head.method) {
            return Err(Refusal::method_not_allowed().into());
        }
        let query = head.uri.query();
        let access = self.tokens.access(&head.headers, query)?;
        let path = head.uri.path().strip_prefix('/').unwrap_or_default();

        if path == admin::PATH {
            let body = self.reader.read(incoming).await?.bytes;
            let caller = peer.address.ip();
            let json = admin::answer(&self.injector, &head.method, &body, access, caller)?;
            return Ok(Answer::json(json).into_response());
        }
        if let Some(command) = sse::command(path)? {
            return self.stream(&command, access).await;
        }
        let format = Format::of(&head.headers)?;
        let fate = self.injector.next();
        if let Some(latency) = fate.latency {
            sleep(latency).await;
        }
        let received = self.reader.read(incoming).await?;
        match fate.fault {
            Some(Fault::ResetBefore) => return Err(Stop::Cut),
            Some(Fault::Status { code, html }) => {
                return Err(Stop::Proxy(faulty(code, html, fate.retry_after)));
            }
            _ => {}
        }
        let body = &received.bytes;
        let Some(meter) = &self.meter else {
            let answer = self.execute(path, query, body, access, format).await?;
            return finish(answer, fate.fault).await;
        };
        let pool = self.executor.pool();
        let running = meter.begin(pool).await.map_err(Failure::from)?;
        let answer = self.execute(path, query, body, access, format).await?;
        let billed = running.end(pool).await.map_err(Failure::from)?;
        let mut response = finish(answer, fate.fault).await?;
        response.headers_mut().insert(BILLED_COMMANDS, billed.into());
        Ok(response)
    }

    async fn stream(&self, command: &Command, access: Access) -> Result<Response<Body>, Stop> {
        if access == Access::ReadOnly {
            return Err(Refusal::no_permission(&command.name()).into());
        }
        let events = sse::events(command, self.executor.pool(), self.stopping.clone()).await?;
        let mut response = Response::new(body::streamed(events));
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        Ok(response)
    }

    async fn execute(
        &self,
        path: &str,
        query: Option<&str>,
        body: &[u8],
        access: Access,
        format: Format,
    ) -> Result<Answer, Stop> {
        let executor = &self.executor;
        let mut turn = self.turns.waiting();
        let answer = match path {
            "pipeline" => {
                let commands = json_form::commands(body)?;
                let outcomes = executor.pipeline(commands, access, &mut turn).await?;
                let body = reply::write_all(&outcomes, format);
                Answer { content_type: format.content_type(), ..Answer::json(body) }
            }
            "multi-exec" => {
                let commands = json_form::commands(body)?;
                // Its answer is always JSON.
                let format = if format == Format::Resp2 { Format::Json } else { format };
                let outcomes = executor.transaction(commands, access, &mut turn).await?;
                Answer::json(reply::write_all(&outcomes, format))
            }
            path => {
                let command = match path {
                    "" => json_form::command(body)?,
                    path => path_form::command(path, query, body)?,
                };
                let outcome = executor.single(command, access, &mut turn).await?;
                let mut body = Vec::new();
                outcome.write(&mut body, format);
                let status =
                    if outcome.is_error() { StatusCode::BAD_REQUEST } else { StatusCode::OK };
                Answer { status, content_type: format.content_type(), ..Answer::json(body) }
            }
        };
        if answer.body.len() > self.deviations.largest_answer() {
            return Err(Refusal::bad_request("ERR max response size exceeded").into());
        }
        Ok(Answer { turn: Some(turn), ..answer })
    }
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Refused(refusal) => Self::Refused(refusal),
            // Nobody knows whether the commands were executed, and no status says that: the
            // client has to see what it would see of a proxy that dies.
            Failure::Lost => Self::Cut,
        }
    }
}

impl Answer {
    fn json(body: Vec<u8>) -> Self {
        Self { status: StatusCode::OK, content_type: Format::Json.content_type(), body, turn: None }
    }

    fn into_response(self) -> Response<Body> {
        let length = self.body.len();
        let body = match self.turn {
            Some(turn) if turn.is_taken() => body::pieces(self.body.into(), turn),
            _ => body::whole(self.body),
        };
        let mut response = Response::new(body);
        *response.status_mut() = self.status;
        response.headers_mut().insert(CONTENT_LENGTH, length.into());
        response.headers_mut().insert(CONTENT_TYPE, self.content_type);
        response
    }
}

/// The answer of Redis, with what happens to it on its way back.
async fn finish(answer: Answer, fault: Option<Fault>) -> Result<Response<Body>, Stop> {
    match fault {
        Some(Fault::ResetAfter) => Err(Stop::Cut),
        Some(Fault::Truncate) => {
            let half = body::half(&answer.body);
            Ok(answer.into_response().map(|_| half))
        }
        Some(Fault::Stall(duration)) => {
            sleep(duration).await;
            Ok(answer.into_response())
        }
        _ => Ok(answer.into_response()),
    }
}

/// A refusal as a response.
fn refused(refusal: &Refusal) -> Response<Body> {
    let mut json = Vec::new();
    reply::write_error(&mut json, &refusal.message);
    let mut response = Answer { status: refusal.status, ..Answer::json(json) }.into_response();
    if refusal.status == StatusCode::METHOD_NOT_ALLOWED {
        response.headers_mut().insert(ALLOW, HeaderValue::from_static("HEAD, GET, POST, PUT"));
    }
    response
}

/// What a proxy in front of Upstash answers: no JSON.
fn faulty(code: u16, html: bool, retry_after: bool) -> Response<Body> {
    let status = StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let reason = status.canonical_reason().unwrap_or("Error");
    let (content_type, text) = if html {
        let page = format!(
            "<html>\r\n<head><title>{code} {reason}</title></head>\r\n<body>\r\n\
             <center><h1>{code} {reason}</h1></center>\r\n</body>\r\n</html>\r\n"
        );
        ("text/html", page)
    } else {
        ("text/plain; charset=utf-8", format!("{reason}\n"))
    };
    let mut response = Response::new(body::whole(text));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    if code == 429 && retry_after {
        headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
    }
    response
}
