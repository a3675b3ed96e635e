//! The way in from API Gateway: HTTP API events (payload version 2).

use std::convert::Infallible;
use std::fmt::Write as _;

use axum::Router;
use lambda_http::Adapter;
use lambda_http::lambda_runtime::{LambdaEvent, Service};
use lambda_http::request::LambdaRequest;
use lambda_http::tower::ServiceExt as _;
use serde::Serialize;

/// `router` as the handler of a Lambda function.
///
/// What `lambda_http` makes of an event is handed on as it is, but for one thing: a query that is
/// no part of a URI (a client may leave out the encoding of a quote) would make it panic.
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
            request.raw_query_string = request.raw_query_string.take().map(|query| encode(&query));
        }
        event
    })
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
