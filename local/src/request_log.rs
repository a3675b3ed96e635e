//! Says on stdout what the API on localhost was asked, a line a request.

use std::time::Instant;

use axum::Router;
use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use axum::response::Response;

use crate::terminal::say;

/// Returns `router` with a line on stdout for each request that it answers.
pub(crate) fn logged(router: Router) -> Router {
    router.layer(from_fn(log))
}

/// Method, path, status and time. A query may hold what is nobody else's business.
async fn log(request: Request, next: Next) -> Response {
    let asked = format!("{} {}", request.method(), request.uri().path());
    let began = Instant::now();
    let response = next.run(request).await;
    let (status, took) = (response.status().as_u16(), began.elapsed().as_millis());
    // Whoever closed our stdout still wants an answer.
    let _ = say(format!("api: {asked} {status} in {took} ms"));
    response
}
