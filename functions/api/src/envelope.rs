//! Around every route: errors get their body, a panic becomes a 500, a request that hangs a 503, what does not
//! say otherwise is stored by no cache, and each request gets one line in the log.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use axum::Json;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt as _;
use serde::Serialize;
use shared::clock::{millis, to_iso8601};
use shared::trace::TraceContext;
use tokio::time::{Instant, timeout};
use tracing::{Instrument as _, info_span};
use utoipa::ToSchema;

use crate::Api;
use crate::error::Error;

/// The longest a request may take: well below the 30 s at which API Gateway gives up.
pub(crate) const REQUEST_LIMIT: Duration = Duration::from_secs(10);

/// How much of that Redis may take, retries included.
pub(crate) const REDIS_LIMIT: Duration = Duration::from_secs(7);

/// What every error looks like.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Error, example = json!({
    "statusCode": 404,
    "error": "NotFoundException",
    "message": "Project not found",
    "code": "HTTP_ERROR",
    "path": "/projects/p1/deo-score",
    "timestamp": "2026-01-31T12:00:00.000Z",
}))]
pub(crate) struct ErrorBody {
    /// The HTTP status.
    status_code: u16,
    /// The exception's name, or `Internal server error`.
    error: &'static str,
    /// A sentence for people.
    message: String,
    /// `HTTP_ERROR`, or `INTERNAL_ERROR` for a 500, or `COMMAND_BUDGET` where many recomputes are refused
    /// since the month's budget is nearly spent. Where Redis refuses: `QUEUE_FULL` (it has no room, or its plan's
    /// quota is used up: come back much later), `QUEUE_READ_ONLY` (as during a failover: come back in a few
    /// seconds), `QUEUE_WRONG_TYPE` and `QUEUE_NO_PERMISSION` (somebody has to mend it). `IDEMPOTENCY_KEY_REUSED`,
    /// `QUEUE_OPERATIONS_OFF` comes with 404,
    /// `RECOMPUTE_UNDER_WAY` and `TOO_MANY_REQUESTS` come with 422, 409 and 429.
    code: &'static str,
    /// The request's target, with its query.
    path: String,
    /// ISO 8601 with milliseconds, UTC.
    #[schema(format = DateTime)]
    timestamp: String,
}

/// The middleware.
pub(crate) async fn envelope(State(api): State<Api>, request: Request, next: Next) -> Response {
    let started = Instant::now();
    let method = request.method().clone();
    let target = target(request.uri()).to_owned();
    let span = info_span!("request", otel.kind = "server", %method, path = request.uri().path());
    if let Some(context) = sent_context(request.headers()) {
        context.adopt(&span);
    }
    let answered = async {
        // No segment is empty, as with Express: the router takes an empty one for a parameter.
        if request.uri().path().contains("//") {
            return no_route(request.method().clone(), request.uri().clone()).await.into_response();
        }
        next.run(request).await
    };
    let run = AssertUnwindSafe(answered).catch_unwind().instrument(span);
    let mut response = match timeout(REQUEST_LIMIT, run).await {
        Ok(Ok(response)) => response,
        Ok(Err(_)) => Error::internal(&"a handler panicked").into_response(),
        Err(_) => Error::Unavailable("The request took too long; try again").into_response(),
    };
    if let Some(error) = response.extensions_mut().remove::<Error>() {
        write_body(&mut response, &error, &target, &api);
    }
    // An answer is its reader's, unless its route knows better.
    let headers = response.headers_mut();
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    let path = target.split('?').next().unwrap_or_default();
    let status = response.status().as_u16();
    let ms = millis(started.elapsed());
    tracing::info!(%method, path, status, ms, "request");
    response
}

/// The trace that the request says it belongs to.
pub(crate) fn sent_context(headers: &HeaderMap) -> Option<TraceContext> {
    let header = |name| headers.get(name).and_then(|value| value.to_str().ok());
    TraceContext::new(header("traceparent")?, header("tracestate"))
}

fn write_body(response: &mut Response, error: &Error, target: &str, api: &Api) {
    let (status, name, message) = error.describe();
    let body = ErrorBody {
        status_code: status.as_u16(),
        error: name,
        message: message.to_owned(),
        code: error.code(),
        path: target.to_owned(),
        timestamp: to_iso8601(api.clock().now_ms()),
    };
    let (parts, body) = Json(body).into_response().into_parts();
    response.headers_mut().extend(parts.headers);
    if status == StatusCode::UNAUTHORIZED {
        let scheme = HeaderValue::from_static("Bearer");
        response.headers_mut().insert(header::WWW_AUTHENTICATE, scheme);
    }
    *response.body_mut() = body;
}

/// The request's target as the platform shows it: path and query, without scheme and host.
fn target(uri: &Uri) -> &str {
    uri.path_and_query().map_or_else(|| uri.path(), |target| target.as_str())
}

/// Answers a route that does not exist.
pub(crate) async fn no_route(method: Method, uri: Uri) -> Error {
    Error::NotFound(format!("Cannot {method} {}", target(&uri)).into())
}

/// Answers a route that exists for other methods.
pub(crate) async fn no_method(method: Method, uri: Uri) -> Error {
    Error::MethodNotAllowed(format!("Cannot {method} {}", target(&uri)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::collections::BTreeMap;

    use axum::Router;
    use axum::body::{Body, to_bytes};
    use axum::middleware::from_fn_with_state;
    use axum::routing::get;
    use lambda_http::tower::ServiceExt as _;
    use serde_json::{Value, json};
    use shared::clock::Clock;
    use shared::config::Config;

    use super::*;

    /// What a client gets from `router` inside the envelope, at noon of 2026-01-31.
    async fn ask(router: Router, target: &str) -> (u16, Value) {
        let config = Config::from_env(&BTreeMap::<String, String>::new()).unwrap();
        let api = Api::with_clock(&config, Clock::manual(1_769_860_800_000)).unwrap();
        let router = router.layer(from_fn_with_state(api, envelope));
        let request = Request::get(target).body(Body::empty()).unwrap();
        let response = router.oneshot(request).await.unwrap();
        let status = response.status().as_u16();
        let body = to_bytes(response.into_body(), 10_000).await.unwrap();
        (status, serde_json::from_slice(&body).unwrap())
    }

    fn error(status: u16, error: &str, message: &str, code: &str) -> (u16, Value) {
        let body = json!({
            "statusCode": status,
            "error": error,
            "message": message,
            "code": code,
            "path": "/x?y=1",
            "timestamp": "2026-01-31T12:00:00.000Z",
        });
        (status, body)
    }

    #[tokio::test]
    async fn a_panic_is_a_500_that_tells_nothing() {
        let panics = Router::new().route("/x", get(async || -> () { panic!("a secret") }));
        let text = "Internal server error";
        assert_eq!(ask(panics, "/x?y=1").await, error(500, text, text, "INTERNAL_ERROR"));
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_that_hangs_is_given_up() {
        let started = Instant::now();
        let hangs = Router::new().route("/x", get(std::future::pending::<()>));
        let message = "The request took too long; try again";
        let expected = error(503, "ServiceUnavailableException", message, "HTTP_ERROR");
        assert_eq!(ask(hangs, "/x?y=1").await, expected);
        assert_eq!(started.elapsed(), REQUEST_LIMIT);
    }

    #[tokio::test]
    async fn the_path_has_no_scheme_and_no_host() {
        let router = Router::new().route("/x", get(async || Error::NotFound("No x".into())));
        let expected = error(404, "NotFoundException", "No x", "HTTP_ERROR");
        assert_eq!(ask(router, "https://api.example.com/x?y=1").await, expected);
    }
}
