//! Tells what an HTTP answer means.

use std::time::Duration;

use reqwest::StatusCode;

use super::{Malformed, RestAnswers, json, resp2};
use crate::condition::kind_of;
use crate::error::ErrorKind;
use crate::failure::Failure;
use crate::request::Form;
use crate::value::Items;

/// Turns a whole answer into items or a failure. `wait` is what `Retry-After` asked for.
pub(super) fn interpret(
    form: Form,
    answers: RestAnswers,
    status: StatusCode,
    wait: Option<Duration>,
    body: &[u8],
) -> Result<Items, Failure> {
    if status == StatusCode::OK {
        return items(form, answers, body);
    }
    let refusal = refusal(answers, body);
    match (status.as_u16(), refusal) {
        (_, Some(line)) if kind_of(&line) == ErrorKind::Quota => Err(Failure::Refused(line)),
        (408 | 429, line) => {
            Err(Failure::Throttled { reason: told(status, line), retry_after: wait })
        }
        // A proxy's 502, 503 or 504 says nothing about whether the request got through.
        (500..=599, line) => {
            Err(Failure::Lost { reason: told(status, line), broken: false, retry_after: wait })
        }
        (400, Some(line)) => match form {
            Form::Single => Ok(vec![Err(line)]),
            Form::Pipeline | Form::Transaction => Err(Failure::Refused(line)),
        },
        (401 | 403, Some(line)) => Err(Failure::Refused(line)),
        (401 | 403, None) => Err(Failure::Final {
            kind: ErrorKind::Authorization,
            reason: format!(
                "the server refused the token with HTTP {}; check the REST token, and \
                 that it belongs to this URL",
                status.as_u16()
            ),
        }),
        (413, _) => Err(Failure::Final {
            kind: ErrorKind::Unsendable,
            reason: "the server refused the request as too large (HTTP 413); send less at once"
                .into(),
        }),
        (300..=399 | 404 | 405, _) => Err(Failure::Final {
            kind: ErrorKind::Configuration,
            reason: format!(
                "the server answered HTTP {}, as no Upstash REST API does; check \
                 the REST URL",
                status.as_u16()
            ),
        }),
        (code, _) => Err(Failure::Final {
            kind: ErrorKind::Protocol,
            reason: format!("the server answered HTTP {code} without an Upstash error"),
        }),
    }
}

/// What it answered, with what it says of that.
fn told(status: StatusCode, line: Option<String>) -> String {
    let said = line.map(|line| format!(" ({})", line.trim())).unwrap_or_default();
    format!("the server answered HTTP {}{said}", status.as_u16())
}

/// The items of a 200.
fn items(form: Form, answers: RestAnswers, body: &[u8]) -> Result<Items, Failure> {
    let items = match answers {
        RestAnswers::Json => json::decode(form, body),
        RestAnswers::Resp2 => resp2::decode(form, body),
    };
    match (items, form) {
        (Ok(items), _) => Ok(items),
        (Err(malformed), Form::Single) => Err(unreadable(malformed, body)),
        // A discarded transaction, or a body that could not be read, is one error.
        (Err(malformed), Form::Pipeline | Form::Transaction) => match json::refusal(body) {
            Some(line) => Err(Failure::Refused(line)),
            None => Err(unreadable(malformed, body)),
        },
    }
}

/// The error that a refusal holds: Upstash's own are JSON whatever was asked for; what stands in
/// front of it answers what it likes.
fn refusal(answers: RestAnswers, body: &[u8]) -> Option<String> {
    json::refusal(body).or_else(|| match answers {
        RestAnswers::Json => None,
        RestAnswers::Resp2 => resp2::refusal(body),
    })
}

fn unreadable(malformed: Malformed, body: &[u8]) -> Failure {
    match malformed {
        Malformed::Cut => Failure::Lost {
            reason: format!("the answer was cut short or is no answer ({} bytes)", body.len()),
            broken: false,
            retry_after: None,
        },
        Malformed::At(place) => Failure::Final {
            kind: ErrorKind::Protocol,
            reason: format!(
                "the answer is not of Upstash's form at byte {place}; perhaps an error stands \
                 inside an array, which JSON does not tell from a string, or something on the way \
                 drops the Upstash-Encoding header"
            ),
        },
    }
}
