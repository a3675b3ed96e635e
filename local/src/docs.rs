//! The page on which a person reads the API's description and tries it: Swagger UI, whose files this program
//! holds. It is on localhost only, and no part of the function.

use axum::Router;
use axum::extract::Request;
use axum::http::{HeaderValue, header};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use utoipa_swagger_ui::SwaggerUi;

/// In place of Swagger UI's own, which starts on an example.
const INITIALIZER: &str = include_str!("docs.js");

/// Nothing but its own files; React writes styles into elements.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
     connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
);

/// The page at `/docs`.
pub(crate) fn routes() -> Router {
    Router::from(SwaggerUi::new("/docs"))
        .route("/docs/swagger-initializer.js", get(initializer))
        .layer(from_fn(secure))
}

async fn initializer() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/javascript")], INITIALIZER)
}

async fn secure(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, POLICY);
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    response
}
