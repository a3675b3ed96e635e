//! The OpenAPI 3.1 description. It is generated from the handlers and their types into `openapi.json`, beside
//! this crate's manifest, and that file is what is served: nothing of the generator is linked into the
//! function. A test holds the one to the other.

use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::Response;
use utoipa::openapi::schema::{Schema, SchemaType, Type};
use utoipa::openapi::security::{
    ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityRequirement, SecurityScheme,
};
use utoipa::openapi::{PathItem, RefOr, Required, request_body::RequestBody};
use utoipa::{Modify, OpenApi};

use crate::described::TagParam;
use crate::envelope::ErrorBody;
use crate::etag::tagged_text;
use crate::{
    compare, fleet, health, history, job, operate, queue, recompute, score, series, settle,
    signals, sync,
};

/// The generated description, as it is committed.
const COMMITTED: &str = include_str!("../openapi.json");

#[derive(OpenApi)]
#[openapi(
    info(
        title = "DEO score",
        description = "Scores of projects for discovery engines: reading them, and asking for \
                       them to be computed again."
    ),
    servers((url = "/", description = "Where this description is served")),
    components(schemas(ErrorBody)),
    paths(
        recompute::recompute,
        recompute::recompute_many,
        sync::recompute_sync,
        score::latest,
        history::history,
        series::series,
        compare::compare,
        fleet::distribution,
        fleet::fleet,
        signals::debug,
        job::job,
        queue::queue,
        queue::failures,
        operate::pause,
        operate::resume,
        operate::retry,
        operate::promote,
        operate::limit,
        settle::callback,
        health::health,
        document,
    ),
    modifiers(&Bearer, &OptionalBodies),
)]
struct Document;

/// Generates the description of all routes, as the text of `openapi.json`.
pub fn openapi() -> String {
    let description = serde_json::json!(Document::openapi());
    format!("{description:#}\n")
}

/// This description.
#[utoipa::path(
    get,
    path = "/openapi.json",
    tag = "operation",
    security(()),
    params(TagParam),
    responses(
        (status = 200, description = "OpenAPI 3.1", body = serde_json::Value,
            content_type = "application/json", headers(("ETag" = String))),
        (status = 304, description = "The client has it already"),
    ),
)]
pub(crate) async fn document(headers: HeaderMap) -> Response {
    let mut response = tagged_text(&headers, "application/json", COMMITTED);
    let anyone = HeaderValue::from_static("public, max-age=300");
    response.headers_mut().insert(header::CACHE_CONTROL, anyone);
    response
}

/// An optional body is described as one that may be `null`; ours may be left out instead.
struct OptionalBodies;

impl Modify for OptionalBodies {
    fn modify(&self, openapi: &mut utoipa::openapi::OpenApi) {
        openapi.paths.paths.values_mut().filter_map(body_of).for_each(leave_out);
    }
}

fn body_of(path: &mut PathItem) -> Option<&mut RequestBody> {
    match path.post.as_mut()?.request_body.as_mut()? {
        RefOr::T(body) => Some(body),
        RefOr::Ref(_) => None,
    }
}

fn leave_out(body: &mut RequestBody) {
    for content in body.content.values_mut() {
        let RefOr::T(content) = content else { continue };
        let Some(RefOr::T(Schema::OneOf(choice))) = &mut content.schema else { continue };
        let is_null = |schema: &RefOr<Schema>| {
            matches!(schema, RefOr::T(Schema::Object(object))
                if object.schema_type == SchemaType::Type(Type::Null))
        };
        choice.items.retain(|schema| !is_null(schema));
        content.schema = choice.items.pop();
        body.required = Some(Required::False);
    }
}

/// Every operation takes the platform's token, unless it says otherwise.
struct Bearer;

impl Modify for Bearer {
    fn modify(&self, openapi: &mut utoipa::openapi::OpenApi) {
        let mut http = Http::new(HttpAuthScheme::Bearer);
        http.bearer_format = Some("JWT".to_owned());
        let components = openapi.components.get_or_insert_default();
        components.add_security_scheme("bearer", SecurityScheme::Http(http));
        let signature = ApiKey::Header(ApiKeyValue::new("webhook-signature"));
        components.add_security_scheme("signature", SecurityScheme::ApiKey(signature));
        let none: [&str; 0] = [];
        openapi.security = Some(vec![SecurityRequirement::new("bearer", none)]);
    }
}
