//! The OpenAPI 3.1 description: collected from the routes and their types, served as JSON.

use std::sync::OnceLock;

use axum::http::header;
use axum::response::IntoResponse;
use axum::routing::get;
use utoipa::openapi::schema::{Schema, SchemaType, Type};
use utoipa::openapi::security::{
    ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityRequirement, SecurityScheme,
};
use utoipa::openapi::{PathItem, RefOr, Required, request_body::RequestBody};
use utoipa::{Modify, OpenApi};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::envelope::ErrorBody;
use crate::{
    Api, compare, fleet, health, history, job, operate, queue, recompute, score, series, settle,
    signals, sync,
};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "DEO score",
        description = "Scores of projects for discovery engines: reading them, and asking for \
                       them to be computed again."
    ),
    components(schemas(ErrorBody)),
    paths(series::series, compare::compare, fleet::distribution),
    modifiers(&Bearer),
)]
struct Document;

/// All routes with their description.
pub(crate) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::with_openapi(Document::openapi())
        .routes(routes!(recompute::recompute))
        .routes(routes!(recompute::recompute_many))
        .routes(routes!(sync::recompute_sync))
        .routes(routes!(score::latest))
        .routes(routes!(history::history))
        // One handler for three routes: what differs is what it is asked for.
        .route("/projects/{id}/deo-score/series", get(history::history))
        .route("/projects/{id}/deo-score/compare", get(history::history))
        .routes(routes!(fleet::fleet))
        .route("/fleet", get(fleet::fleet))
        .routes(routes!(signals::debug))
        .routes(routes!(job::job))
        .routes(routes!(queue::queue))
        .routes(routes!(queue::failures))
        .routes(routes!(operate::pause))
        .routes(routes!(operate::resume))
        .routes(routes!(operate::retry))
        .routes(routes!(operate::promote))
        .routes(routes!(operate::limit))
        .routes(routes!(settle::callback))
        .routes(routes!(health::health))
        .routes(routes!(document))
}

/// This description.
#[utoipa::path(
    get,
    path = "/openapi.json",
    tag = "operation",
    security(()),
    responses((status = 200, description = "OpenAPI 3.1", body = serde_json::Value,
        content_type = "application/json")),
)]
async fn document() -> impl IntoResponse {
    static TEXT: OnceLock<String> = OnceLock::new();
    let text = TEXT.get_or_init(|| {
        let mut document = routes().into_openapi();
        document.paths.paths.values_mut().filter_map(body_of).for_each(leave_out);
        serde_json::json!(document).to_string()
    });
    ([(header::CONTENT_TYPE, "application/json")], text.as_str())
}

fn body_of(path: &mut PathItem) -> Option<&mut RequestBody> {
    match path.post.as_mut()?.request_body.as_mut()? {
        RefOr::T(body) => Some(body),
        RefOr::Ref(_) => None,
    }
}

/// An optional body is described as one that may be `null`; ours may be left out instead.
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
