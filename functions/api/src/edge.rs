//! The way in from API Gateway: HTTP API events (payload version 2).

use std::convert::Infallible;
use std::fmt::Write as _;

use axum::Router;
use axum::http::header::HOST;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use lambda_http::Adapter;
use lambda_http::aws_lambda_events::apigw::ApiGatewayV2httpRequest;
use lambda_http::lambda_runtime::{LambdaEvent, Service};
use lambda_http::request::LambdaRequest;
use lambda_http::tower::ServiceExt as _;
use serde::Serialize;

/// The longest path and query that are looked at, in bytes: what a URI can hold. API Gateway takes some
/// 10,000 bytes.
const MAX_TARGET: usize = 65_000;

/// `router` as the handler of a Lambda function.
///
/// What `lambda_http` makes of an event is handed on as it is, but for what would make it panic: see
/// [`mend`].
pub fn lambda(
    router: Router,
) -> impl Service<
    LambdaEvent<LambdaRequest>,
    Response = impl Serialize + Send,
    Error = Infallible,
    Future: Send + 'static,
> {
    Adapter::from(router).map_request(|mut event: LambdaEvent<LambdaRequest>| {
        if let LambdaRequest::ApiGatewayV2(request) = &mut event.payload {
            mend(request);
        }
        event
    })
}

/// Makes a request that `lambda_http` can build of one that it cannot: a client may leave out the encoding
/// of a quote, and who invokes the function without API Gateway may send anything.
fn mend(request: &mut ApiGatewayV2httpRequest) {
    // No route asks under which name it was called.
    request.headers.remove(HOST);
    request.request_context.domain_name = None;
    let path = request.raw_path.take().unwrap_or_default();
    let query = request.raw_query_string.take().map(|query| encode(&query));
    // A byte of the path may take three.
    if 3 * path.len() + query.as_ref().map_or(0, String::len) < MAX_TARGET {
        let slash = if path.starts_with('/') { "" } else { "/" };
        (request.raw_path, request.raw_query_string) = (Some(format!("{slash}{path}")), query);
    }
    if request.is_base64_encoded
        && request.body.as_ref().is_some_and(|body| STANDARD.decode(body).is_err())
    {
        // As it came it is no JSON either.
        request.is_base64_encoded = false;
    }
}

/// Percent-encodes what may not stand in a query.
fn encode(query: &str) -> String {
    let mut encoded = String::with_capacity(query.len());
    for byte in query.bytes() {
        if byte.is_ascii_graphic() && !matches!(byte, b'"' | b'#' | b'<' | b'>') {
            encoded.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}
