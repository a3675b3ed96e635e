//! Describes for OpenAPI what routes share: parameters and errors.

use std::collections::BTreeMap;

use utoipa::openapi::header::{Header, HeaderBuilder};
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::{Content, Ref, RefOr, Response, ResponseBuilder};
use utoipa::{IntoParams, IntoResponses};

/// What a route about a project has in its path.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
#[expect(dead_code, reason = "only described; `input::Id` reads it")]
pub(crate) struct IdParam {
    /// The project's id, percent-encoded.
    #[param(min_length = 1, max_length = 191, pattern = r"^[^\u0000]*$")]
    id: String,
}

/// What a route about a job has in its path.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
#[expect(dead_code, reason = "only described; `input::Id` reads it")]
pub(crate) struct JobIdParam {
    /// The job's id, percent-encoded.
    #[param(rename = "jobId", min_length = 1, max_length = 191, pattern = r"^[^\u0000]*$")]
    id: String,
}

/// What makes a read conditional.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "only described; `etag` reads it")]
pub(crate) struct TagParam {
    /// Tags of what the client has already.
    #[param(rename = "If-None-Match", nullable = false)]
    if_none_match: Option<String>,
}

/// What makes a retry safe.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "only described; `input::IdempotencyKey` reads it")]
pub(crate) struct KeyParam {
    /// For 24 hours, the same request with the same key adds no job and gets the first answer; another
    /// body with it gets 422.
    #[param(
        rename = "Idempotency-Key",
        nullable = false,
        min_length = 1,
        max_length = 255,
        pattern = "^[!-~]+$"
    )]
    idempotency_key: Option<String>,
}

/// Errors of a route that asks for a user only.
pub(crate) struct ForUser;

impl IntoResponses for ForUser {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        errors(&[400, 401, 413, 415, 422, 429, 500, 503])
    }
}

/// Errors of a route that asks for an administrator.
pub(crate) struct ForAdmin;

impl IntoResponses for ForAdmin {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        errors(&[401, 403, 500, 503])
    }
}

/// Errors of a route about something that must exist and to which the user needs access.
pub(crate) struct ForReader;

impl IntoResponses for ForReader {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        errors(&[400, 401, 403, 404, 500, 503])
    }
}

/// Errors of a route that changes such a thing.
pub(crate) struct ForWriter;

impl IntoResponses for ForWriter {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        errors(&[400, 401, 403, 404, 413, 415, 422, 429, 500, 503])
    }
}

/// Errors of a route that operates the queue.
pub(crate) struct ForOperator;

impl IntoResponses for ForOperator {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        errors(&[400, 401, 403, 404, 413, 415, 429, 500, 503])
    }
}

/// Errors of a route that does at once what others ask a queue for.
pub(crate) struct ForSync;

impl IntoResponses for ForSync {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        errors(&[400, 401, 403, 404, 409, 413, 415, 429, 500, 503])
    }
}

/// Errors of the route for receivers of a queue's jobs.
pub(crate) struct ForReceiver;

impl IntoResponses for ForReceiver {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        errors(&[400, 401, 404, 413, 500, 503])
    }
}

fn seconds() -> Header {
    let whole = ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(1_u32));
    HeaderBuilder::new().schema(Some(whole)).description(Some("Seconds to wait")).build()
}

fn errors(statuses: &[u16]) -> BTreeMap<String, RefOr<Response>> {
    let describe = |status: u16| match status {
        400 => "The request is not of the documented form",
        401 => "No valid token or signature, or of a user who is gone",
        403 => "The caller may not",
        404 => "There is no such project, job or queue, or the route is switched off",
        409 => "Another one of the project is under way",
        413 => "The body is larger than 256 KiB",
        415 => "The body comes in a coding other than gzip",
        422 => "The Idempotency-Key was used for another request",
        429 => {
            "The user has sent as many POST requests as a minute may have; `Retry-After` says when to go on"
        }
        503 => "Redis or Postgres does not answer, or Redis refuses to write: `code` says why",
        _ => "Our fault",
    };
    let response = |status| {
        let content = Content::new(Some(Ref::from_schema_name("Error")));
        let response = ResponseBuilder::new()
            .description(describe(status))
            .content("application/json", content);
        match status {
            429 => response.header("Retry-After", seconds()).build(),
            _ => response.build(),
        }
    };
    statuses.iter().map(|status| (status.to_string(), RefOr::T(response(*status)))).collect()
}
