//! One request from its first byte to its answer.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use hyper::{
    HeaderMap, Method, Request, Response, StatusCode,
    body::Incoming,
    header::{ALLOW, CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER},
};
use tokio::time::sleep;

use super::{
    auth::{Access, Tokens},
    body::{self, Body, Reader},
    execute::{Executor, Failure},
    faults::{Fate, Fault, Injector},
    json_form, path_form,
    refusal::Refusal,
    reply::{self, Format},
    sync::SyncTokens,
};

const SYNC_TOKEN: HeaderName = HeaderName::from_static("upstash-sync-token");

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
}

/// An answer before its headers.
struct Answer {
    status: StatusCode,
    content_type: HeaderValue,
    body: Vec<u8>,
}

/// Why a request has no answer of Redis.
enum Stop {
    Refused(Refusal),
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
        match self.route(request).await {
            Ok(mut response) => {
                response.headers_mut().insert(SYNC_TOKEN, sync);
                Ok(response)
            }
            Err(Stop::Refused(refusal)) => {
                let mut response = refused(&refusal);
                response.headers_mut().insert(SYNC_TOKEN, sync);
                Ok(response)
            }
            Err(Stop::Cut) => {
                peer.cut.store(true, Ordering::Relaxed);
                Err(Cut)
            }
        }
    }

    async fn route(&self, request: Request<Incoming>) -> Result<Response<Body>, Stop> {
        let (head, incoming) = request.into_parts();
        if ![Method::HEAD, Method::GET, Method::POST, Method::PUT].contains(&head.method) {
            return Err(Refusal::method_not_allowed().into());
        }
        let access = self.tokens.access(&head.headers, head.uri.query())?;
        let format = Format::of(&head.headers)?;
        let path = head.uri.path().strip_prefix('/').unwrap_or_default();

        let fate = self.injector.next();
        if let Some(latency) = fate.latency {
            sleep(latency).await;
        }
        let received = self.reader.read(incoming).await?;
        match fate.fault {
            Some(Fault::ResetBefore) => return Err(Stop::Cut),
            Some(Fault::Status { code, html }) => {
                return Ok(faulty(code, html, fate.retry_after));
            }
            _ => {}
        }
        let answer = self.execute(path, head.uri.query(), &received.bytes, access, format).await?;
        finish(answer, fate).await
    }

    async fn execute(
        &self,
        path: &str,
        query: Option<&str>,
        body: &[u8],
        access: Access,
        format: Format,
    ) -> Result<Answer, Stop> {
        let json = |body| Answer {
            status: StatusCode::OK,
            content_type: Format::Json.content_type(),
            body,
        };
        let executor = &self.executor;
        let answer = match path {
            "pipeline" => {
                let commands = json_form::commands(body)?;
                let outcomes = executor.pipeline(commands, access).await?;
                let body = reply::write_all(&outcomes, format);
                Answer { content_type: format.content_type(), ..json(body) }
            }
            "multi-exec" => {
                let commands = json_form::commands(body)?;
                // Its answer is always JSON.
                let format = if format == Format::Resp2 { Format::Json } else { format };
                let outcomes = executor.transaction(commands, access).await?;
                json(reply::write_all(&outcomes, format))
            }
            path => {
                let command = match path {
                    "" => json_form::command(body)?,
                    path => path_form::command(path, query, body)?,
                };
                let outcome = executor.single(command, access).await?;
                let mut body = Vec::new();
                outcome.write(&mut body, format);
                let status =
                    if outcome.is_error() { StatusCode::BAD_REQUEST } else { StatusCode::OK };
                Answer { status, content_type: format.content_type(), body }
            }
        };
        Ok(answer)
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

/// The answer of Redis, with what happens to it on its way back.
async fn finish(answer: Answer, fate: Fate) -> Result<Response<Body>, Stop> {
    let mut response = Response::new(body::whole(Vec::new()));
    *response.status_mut() = answer.status;
    response.headers_mut().insert(CONTENT_TYPE, answer.content_type);
    match fate.fault {
        Some(Fault::ResetAfter) => return Err(Stop::Cut),
        Some(Fault::Truncate) => {
            let length = HeaderValue::from(answer.body.len());
            response.headers_mut().insert(hyper::header::CONTENT_LENGTH, length);
            *response.body_mut() = body::half(&answer.body);
            return Ok(response);
        }
        Some(Fault::Stall(duration)) => sleep(duration).await,
        _ => {}
    }
    *response.body_mut() = body::whole(answer.body);
    Ok(response)
}

/// A refusal as a response.
fn refused(refusal: &Refusal) -> Response<Body> {
    let mut json = Vec::new();
    reply::write_error(&mut json, &refusal.message);
    let mut response = Response::new(body::whole(json));
    *response.status_mut() = refusal.status;
    let headers: &mut HeaderMap = response.headers_mut();
    headers.insert(CONTENT_TYPE, Format::Json.content_type());
    if refusal.status == StatusCode::METHOD_NOT_ALLOWED {
        headers.insert(ALLOW, HeaderValue::from_static("HEAD, GET, POST, PUT"));
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
