//! What Lambda is to a function: the Runtime API that it asks for events, and the environment that it finds.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use tokio::net::TcpListener;
use tokio::sync::{Mutex, mpsc};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::{Error, io};

/// What a function says to the Runtime API.
#[derive(Debug)]
pub(super) enum Call {
    /// It asks for an event.
    Next(Instant),
    /// It answers one, or says that it failed.
    Answer { at: Instant, failed: bool, body: String },
}

#[derive(Clone, Debug)]
pub(super) struct Host {
    pub(super) calls: mpsc::UnboundedSender<Call>,
    pub(super) events: Arc<Mutex<mpsc::UnboundedReceiver<Event>>>,
    /// How far the function's clock is ahead of ours: milliseconds.
    pub(super) ahead_ms: i64,
}

/// An event that is handed out.
#[derive(Debug)]
pub(super) struct Event {
    pub(super) body: String,
    /// How long it may take.
    pub(super) limit: Duration,
    /// The invocation's number, from 1.
    pub(super) number: u64,
}

/// What Lambda puts into a function's environment.
pub(super) fn environment(name: &str, address: SocketAddr) -> [(&'static str, String); 8] {
    [
        ("AWS_LAMBDA_RUNTIME_API", address.to_string()),
        ("AWS_LAMBDA_FUNCTION_NAME", name.to_owned()),
        ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST".to_owned()),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "512".to_owned()),
        ("AWS_LAMBDA_LOG_GROUP_NAME", format!("/aws/lambda/{name}")),
        ("AWS_LAMBDA_LOG_STREAM_NAME", "measured".to_owned()),
        ("AWS_LAMBDA_LOG_FORMAT", "JSON".to_owned()),
        ("AWS_REGION", "eu-central-1".to_owned()),
    ]
}

pub(super) async fn serve(host: Host) -> Result<(SocketAddr, JoinHandle<()>), Error> {
    let doing = "serving the Runtime API";
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.map_err(io(doing))?;
    let address = listener.local_addr().map_err(io(doing))?;
    let router = Router::new()
        .route("/2018-06-01/runtime/invocation/next", get(next))
        .route("/2018-06-01/runtime/invocation/{id}/{outcome}", post(answer))
        .route("/2018-06-01/runtime/init/error", post(init_error))
        .with_state(host);
    let serving = tokio::spawn(async move {
        if let Err(error) = axum::serve(listener, router).await {
            tracing::error!(%error, "the Runtime API stopped");
        }
    });
    Ok((address, serving))
}

#[allow(
    clippy::disallowed_methods,
    reason = "the runtime API names a moment of the machine's clock"
)]
async fn next(State(host): State<Host>) -> Response {
    // An error means that nobody measures any more.
    let _ = host.calls.send(Call::Next(Instant::now()));
    let Some(event) = host.events.lock().await.recv().await else {
        return StatusCode::GONE.into_response();
    };
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let deadline_ms = i64::try_from((now + event.limit).as_millis()).unwrap_or(i64::MAX);
    let request_id = format!("8476a536-e9f4-11e8-9739-{:012x}", event.number);
    let headers = [
        ("content-type", "application/json".to_owned()),
        ("lambda-runtime-aws-request-id", request_id),
        ("lambda-runtime-deadline-ms", deadline_ms.saturating_add(host.ahead_ms).to_string()),
        (
            "lambda-runtime-invoked-function-arn",
            "arn:aws:lambda:eu-central-1:123456789012:function:measured".to_owned(),
        ),
        ("lambda-runtime-trace-id", "Root=1-697de0c0-25b420912dee103a5db43412".to_owned()),
    ];
    (headers, event.body).into_response()
}

async fn answer(
    State(host): State<Host>,
    Path((_, outcome)): Path<(String, String)>,
    body: Bytes,
) -> StatusCode {
    tell(&host, outcome != "response", &body)
}

async fn init_error(State(host): State<Host>, body: Bytes) -> StatusCode {
    tell(&host, true, &body)
}

fn tell(host: &Host, failed: bool, body: &[u8]) -> StatusCode {
    let body = String::from_utf8_lossy(body).into_owned();
    // As above.
    let _ = host.calls.send(Call::Answer { at: Instant::now(), failed, body });
    StatusCode::ACCEPTED
}
