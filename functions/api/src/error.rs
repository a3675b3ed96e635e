//! Defines what can go wrong, and what the client sees of it.

use std::borrow::Cow;

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::refused::Refusal;

/// A refused or failed request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Error {
    /// 400: the request itself is wrong; the text says how to mend it, without repeating it.
    BadRequest(Cow<'static, str>),
    /// 401: no token, or none that counts; never why.
    Unauthorized,
    /// 403: the user is known, and may not.
    Forbidden(&'static str),
    /// 404: no such route, project or job.
    NotFound(Cow<'static, str>),
    /// 404: the setting that switches the route on is not set. Clients know it by its code.
    OperationsOff,
    /// 405: the route exists for other methods, which the `Allow` header lists.
    MethodNotAllowed(String),
    /// 409: another recompute-sync of the project is under way.
    UnderWay,
    /// 413: the body is over the limit.
    TooLarge,
    /// 415: the body comes in a coding that is not read.
    UnknownCoding,
    /// 422: the caller's `Idempotency-Key` came before, with something else.
    KeyReused,
    /// 429: the user has sent as many POST requests as a minute may have; they may send the next one after
    /// so many seconds, which `Retry-After` says.
    TooMany(u64),
    /// 503: Redis or Postgres does not answer. The client sees the sentence; the cause is logged.
    Unavailable(&'static str),
    /// 503: Redis refuses to write, for a reason that the client knows by its code.
    Refused(Refusal),
    /// 503: so much of `COMMAND_BUDGET` is spent that bulk has to wait. Clients know it by its code.
    Budget,
    /// 500: our own fault. The client sees nothing but the fact; the cause is logged.
    Internal,
}

impl Error {
    /// A 400 with a sentence that does not change.
    pub(crate) const fn bad_request(message: &'static str) -> Self {
        Self::BadRequest(Cow::Borrowed(message))
    }

    /// A 404 with a sentence that does not change.
    pub(crate) const fn not_found(message: &'static str) -> Self {
        Self::NotFound(Cow::Borrowed(message))
    }

    /// Whether the request itself is wrong, whatever it is about and whoever sends it.
    pub(crate) const fn is_about_input(&self) -> bool {
        matches!(self, Self::BadRequest(_) | Self::TooLarge | Self::UnknownCoding)
    }

    /// A 500 whose cause goes to the log only.
    pub(crate) fn internal(cause: &dyn std::fmt::Display) -> Self {
        tracing::error!(%cause, "request failed");
        Self::Internal
    }

    /// The word by which clients tell errors apart that they can act on.
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Self::Internal => "INTERNAL_ERROR",
            Self::Budget => "COMMAND_BUDGET",
            Self::Refused(refusal) => refusal.code(),
            Self::OperationsOff => "QUEUE_OPERATIONS_OFF",
            Self::UnderWay => "RECOMPUTE_UNDER_WAY",
            Self::KeyReused => "IDEMPOTENCY_KEY_REUSED",
            Self::TooMany(_) => "TOO_MANY_REQUESTS",
            _ => "HTTP_ERROR",
        }
    }

    /// The status, the exception's name as the platform's clients know it, and the message.
    pub(crate) fn describe(&self) -> (StatusCode, &'static str, &str) {
        match self {
            Self::BadRequest(message) => (StatusCode::BAD_REQUEST, "BadRequestException", message),
            Self::Unauthorized => {
                (StatusCode::UNAUTHORIZED, "UnauthorizedException", "Unauthorized")
            }
            Self::Forbidden(message) => (StatusCode::FORBIDDEN, "ForbiddenException", message),
            Self::NotFound(message) => (StatusCode::NOT_FOUND, "NotFoundException", message),
            Self::OperationsOff => (
                StatusCode::NOT_FOUND,
                "NotFoundException",
                "Operating the queue over the API is switched off: API_QUEUE_OPERATIONS=true switches it on",
            ),
            Self::MethodNotAllowed(message) => {
                (StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowedException", message)
            }
            Self::TooLarge => (
                StatusCode::PAYLOAD_TOO_LARGE,
                "PayloadTooLargeException",
                "The body is larger than 256 KiB",
            ),
            Self::UnknownCoding => (
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "UnsupportedMediaTypeException",
                "The body's Content-Encoding must be gzip or identity",
            ),
            Self::UnderWay => (
                StatusCode::CONFLICT,
                "ConflictException",
                "The project's score is being computed already; read it in a moment",
            ),
            Self::KeyReused => (
                StatusCode::UNPROCESSABLE_ENTITY,
                "UnprocessableEntityException",
                "This Idempotency-Key was used for another request: take a new one",
            ),
            Self::TooMany(_) => (
                StatusCode::TOO_MANY_REQUESTS,
                "ThrottlerException",
                "Too many requests; try again when Retry-After is over",
            ),
            Self::Unavailable(message) => {
                (StatusCode::SERVICE_UNAVAILABLE, "ServiceUnavailableException", message)
            }
            Self::Refused(refusal) => {
                (StatusCode::SERVICE_UNAVAILABLE, "ServiceUnavailableException", refusal.message())
            }
            Self::Budget => (
                StatusCode::SERVICE_UNAVAILABLE,
                "ServiceUnavailableException",
                "The month's budget for the queue is nearly spent: ask for one project at a time, or next \
                 month",
            ),
            Self::Internal => (
                StatusCode::INTERNAL_SERVER_ERROR,
                "Internal server error",
                "Internal server error",
            ),
        }
    }
}

/// The error travels as an extension: only the envelope around all routes knows the request's
/// target, which belongs into the body.
impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let mut response = self.describe().0.into_response();
        if let Self::TooMany(seconds) = self {
            response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
        }
        response.extensions_mut().insert(self);
        response
    }
}
