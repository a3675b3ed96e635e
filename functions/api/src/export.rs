//! Serves a history as CSV or NDJSON, in pages that fit into an answer of Lambda's.

use std::fmt::Write as _;

use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::Response;
use shared::clock::to_iso8601;
use shared::store::{Cursor, History, Snapshot};
use utoipa::openapi::schema::{Object, ObjectBuilder, Type};

use crate::error::Error;
use crate::etag::tagged_text;
use crate::history;
use crate::score::SnapshotBody;

/// Snapshots a page, where the request does not say.
pub(crate) const PAGE: u32 = 10_000;

/// The longest page, in bytes, but for its last line. Lambda answers 6 MB at most; of what it does not know
/// to be text, base64 makes a third more.
const MAX_BYTES: usize = 4_000_000;

const COLUMNS: &str = "id,computedAt,version,overall,content,entities,technical,visibility\r\n";

/// In which form a history is served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// One object with a list.
    Json,
    /// RFC 4180, with a header on every page.
    Csv,
    /// One object a line.
    Ndjson,
}

impl Format {
    const ALL: [(Self, &'static str, &'static str); 3] = [
        (Self::Json, "json", "application/json"),
        (Self::Csv, "csv", "text/csv"),
        (Self::Ndjson, "ndjson", "application/x-ndjson"),
    ];

    fn names(self) -> (&'static str, &'static str) {
        let (_, name, kind) = Self::ALL[self as usize];
        (name, kind)
    }
}

/// What `format` can be.
pub(crate) fn formats() -> Object {
    let names = Format::ALL.map(|(_, name, _)| name);
    ObjectBuilder::new().schema_type(Type::String).enum_values(Some(names)).build()
}

/// The format that a request asks for: the parameter decides, else the first type in `Accept` that there is.
pub(crate) fn format(parameter: Option<&str>, headers: &HeaderMap) -> Result<Format, Error> {
    if let Some(wanted) = parameter {
        let found = Format::ALL.iter().find(|(_, name, _)| *name == wanted);
        let refusal = "format must be json, csv or ndjson";
        return found.map(|found| found.0).ok_or(Error::bad_request(refusal));
    }
    let accepted = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let mut types = accepted
        .flat_map(|value| value.split(','))
        .map(|range| range.split(';').next().unwrap_or_default().trim());
    let known = |wanted: &str| match wanted {
        "*/*" | "application/*" => Some(Format::Json),
        _ => {
            let found = Format::ALL.iter().find(|(.., kind)| kind.eq_ignore_ascii_case(wanted));
            found.map(|found| found.0)
        }
    };
    // As ever: who accepts none of them gets JSON.
    Ok(types.find_map(known).unwrap_or(Format::Json))
}

/// A page, and in `Link` where the next one is.
pub(crate) fn page(
    headers: &HeaderMap,
    format: Format,
    limit: u32,
    page: History,
    project_id: &str,
) -> Result<Response, Error> {
    let mut text = if format == Format::Csv { COLUMNS.to_owned() } else { String::new() };
    let mut next = page.next;
    for snapshot in page.snapshots {
        if text.len() >= MAX_BYTES {
            break;
        }
        let place = Cursor { computed_at_ms: snapshot.computed_at_ms, id: snapshot.id.clone() };
        if format == Format::Csv {
            line(&mut text, &snapshot);
        } else {
            let body = SnapshotBody::brief(project_id, snapshot);
            let body = serde_json::to_string(&body).map_err(|error| Error::internal(&error))?;
            text.push_str(&body);
            text.push('\n');
        }
        if text.len() >= MAX_BYTES {
            next = Some(place);
        }
    }
    let (name, kind) = format.names();
    let mut response = tagged_text(headers, kind, text.into_bytes());
    if let Some(next) = next {
        let before = encoded(&history::text(&next));
        // Relative to the request's own URL, whatever stage or host it came by.
        let limit = if limit == PAGE { String::new() } else { format!("limit={limit}&") };
        let link = format!("<?format={name}&{limit}before={before}>; rel=\"next\"");
        if let Ok(link) = HeaderValue::from_str(&link) {
            response.headers_mut().insert(header::LINK, link);
        }
    }
    Ok(response)
}

/// Appends a line of CSV. Writing to a string cannot fail.
fn line(text: &mut String, snapshot: &Snapshot) {
    let at = to_iso8601(snapshot.computed_at_ms);
    let (id, version) = (cell(&snapshot.id), cell(&snapshot.version));
    let _ = write!(text, "{id},{at},{version},{}", snapshot.overall);
    let components = [snapshot.content, snapshot.entities, snapshot.technical, snapshot.visibility];
    for component in components {
        let _ = match component {
            Some(score) => write!(text, ",{score}"),
            None => write!(text, ","),
        };
    }
    text.push_str("\r\n");
}

/// A text as a cell of CSV.
fn cell(text: &str) -> String {
    if text.contains([',', '"', '\r', '\n']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}

/// Percent-encodes whatever does not mean itself everywhere in a URL.
fn encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            encoded.push(char::from(byte));
        } else {
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn the_parameter_decides_then_what_is_accepted_first() {
        let asked = |parameter: Option<&str>, accept: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT, accept.parse().unwrap());
            format(parameter, &headers)
        };
        assert_eq!(format(None, &HeaderMap::new()), Ok(Format::Json));
        for (accept, found) in [
            ("*/*", Format::Json),
            ("text/csv", Format::Csv),
            ("Text/CSV; charset=utf-8, */*", Format::Csv),
            ("text/html, application/x-ndjson;q=0.5", Format::Ndjson),
            ("application/json, text/csv", Format::Json),
            ("image/png", Format::Json),
        ] {
            assert_eq!(asked(None, accept), Ok(found), "{accept}");
            assert_eq!(asked(Some("ndjson"), accept), Ok(Format::Ndjson));
        }
        for wrong in ["", "CSV", "xml"] {
            assert!(asked(Some(wrong), "text/csv").is_err(), "{wrong}");
        }
        for (format, name, kind) in Format::ALL {
            assert_eq!(format.names(), (name, kind));
        }
    }

    #[test]
    fn cells_and_queries_hold_any_text() {
        assert_eq!(cell("s1"), "s1");
        assert_eq!(cell("a,\"b\"\n"), "\"a,\"\"b\"\"\n\"");
        assert_eq!(
            encoded("2026-01-31T12:00:00.000Z_é&%"),
            "2026-01-31T12%3A00%3A00.000Z_%C3%A9%26%25"
        );
    }
}
