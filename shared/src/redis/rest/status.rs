//! What an HTTP answer means.

use std::time::Duration;

use reqwest::StatusCode;

use super::super::error::ErrorKind;
use super::super::failure::{Failure, kind_of};
use super::super::request::Form;
use super::super::transport::Items;
use super::decode::{self, Item, Malformed};

/// Turns a whole answer into items or a failure. `wait` is what `Retry-After` asked for.
pub(super) fn interpret(
    form: Form,
    status: StatusCode,
    wait: Option<Duration>,
    body: &[u8],
) -> Result<Items, Failure> {
    if status == StatusCode::OK {
        return items(form, body);
    }
    // Upstash's own refusals are JSON; whatever stands in front of it answers what it likes.
    let refusal = match decode::single(body) {
        Ok(Item(Err(line))) => Some(line),
        Ok(Item(Ok(_))) | Err(_) => None,
    };
    match (status.as_u16(), refusal) {
        (_, Some(line)) if kind_of(&line) == ErrorKind::Quota => Err(Failure::Refused(line)),
        (408 | 429, line) => {
            let said = line.map(|line| format!(" ({})", line.trim())).unwrap_or_default();
            let reason = format!("the server answered HTTP {}{said}", status.as_u16());
            Err(Failure::Throttled { reason, retry_after: wait })
        }
        // A proxy's 502, 503 or 504 says nothing about whether the request got through.
        (500..=599, _) => Err(Failure::Lost {
            reason: format!("the server answered HTTP {}", status.as_u16()),
            broken: false,
            retry_after: wait,
        }),
        (400, Some(line)) => match form {
            Form::Single => Ok(vec![Err(line)]),
            Form::Pipeline | Form::Transaction => Err(Failure::Refused(line)),
        },
        (401 | 403, Some(line)) => Err(Failure::Refused(line)),
        (401 | 403, None) => Err(Failure::Final {
            kind: ErrorKind::Authorization,
            reason: format!(
                "the server refused the token with HTTP {}; check UPSTASH_REDIS_REST_TOKEN and \
                 that it belongs to this URL",
                status.as_u16()
            ),
        }),
        (413, _) => Err(Failure::Final {
            kind: ErrorKind::Unsendable,
            reason: "the server refused the request as too large (HTTP 413); split it".into(),
        }),
        (300..=399 | 404 | 405, _) => Err(Failure::Final {
            kind: ErrorKind::Configuration,
            reason: format!(
                "the server answered HTTP {}, as no Upstash REST API does; check \
                 UPSTASH_REDIS_REST_URL",
                status.as_u16()
            ),
        }),
        (code, _) => Err(Failure::Final {
            kind: ErrorKind::Protocol,
            reason: format!("the server answered HTTP {code} without an Upstash error"),
        }),
    }
}

/// The items of a 200.
fn items(form: Form, body: &[u8]) -> Result<Items, Failure> {
    let items = match form {
        Form::Single => decode::single(body).map(|item| vec![item]),
        Form::Pipeline | Form::Transaction => decode::several(body),
    };
    match items {
        Ok(items) => Ok(items.into_iter().map(|Item(item)| item).collect()),
        Err(malformed) => match (form, decode::single(body)) {
            // A discarded transaction, or a body that could not be read, as one error.
            (Form::Pipeline | Form::Transaction, Ok(Item(Err(line)))) => {
                Err(Failure::Refused(line))
            }
            _ => Err(unreadable(malformed, body)),
        },
    }
}

fn unreadable(malformed: Malformed, body: &[u8]) -> Failure {
    match malformed {
        Malformed::Json => Failure::Lost {
            reason: format!("the answer is not JSON or was cut short ({} bytes)", body.len()),
            broken: false,
            retry_after: None,
        },
        Malformed::Form(column) => Failure::Final {
            kind: ErrorKind::Protocol,
            reason: format!(
                "the answer is not of Upstash's form at column {column}; if its strings are not \
                 in base64, something on the way drops the Upstash-Encoding header"
            ),
        },
    }
}
