//! W3C trace context: taken from the request, handed to the job, so that the drain's span belongs
//! to the trace that asked.

use axum::http::HeaderMap;

/// The request's trace context as BullMQ's telemetry metadata: the JSON object that a peer's
/// propagator reads. `None` without a valid `traceparent`.
pub(crate) fn telemetry(headers: &HeaderMap) -> Option<String> {
    let parent = headers.get("traceparent")?.to_str().ok().filter(|value| is_traceparent(value))?;
    let mut carrier = serde_json::Map::new();
    carrier.insert("traceparent".to_owned(), parent.into());
    let state = headers.get("tracestate").and_then(|value| value.to_str().ok());
    if let Some(state) = state.filter(|state| !state.is_empty() && state.len() <= 512) {
        carrier.insert("tracestate".to_owned(), state.into());
    }
    Some(serde_json::Value::Object(carrier).to_string())
}

/// `version-traceid-parentid-flags`, lower-case hex, ids not all zero, version not `ff`.
fn is_traceparent(value: &str) -> bool {
    let hex = |part: &str, length: usize| {
        part.len() == length && part.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
    };
    let id = |part: &str, length| hex(part, length) && part.bytes().any(|b| b != b'0');
    let parts: Vec<&str> = value.split('-').collect();
    matches!(parts[..], [version, trace, parent, flags]
        if hex(version, 2) && version != "ff" && id(trace, 32) && id(parent, 16) && hex(flags, 2))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    fn of(parent: &str, state: &str) -> Option<String> {
        let mut headers = HeaderMap::new();
        headers.insert("traceparent", parent.parse().unwrap());
        headers.insert("tracestate", state.parse().unwrap());
        telemetry(&headers)
    }

    #[test]
    fn a_valid_context_is_handed_on() {
        let carrier = of(PARENT, "vendor=1").unwrap();
        assert_eq!(carrier, format!(r#"{{"traceparent":"{PARENT}","tracestate":"vendor=1"}}"#));
        assert_eq!(of(PARENT, "").unwrap(), format!(r#"{{"traceparent":"{PARENT}"}}"#));
        assert_eq!(telemetry(&HeaderMap::new()), None);
    }

    #[test]
    fn an_invalid_context_is_dropped() {
        for parent in [
            "",
            "x",
            &PARENT.to_uppercase(),
            &PARENT.replace("00-", "ff-"),
            &PARENT.replace("b7ad6b7169203331", "0000000000000000"),
            &PARENT.replace("0af7651916cd43dd8448eb211c80319c", "00000000000000000000000000000000"),
            &format!("{PARENT}-00"),
        ] {
            assert_eq!(of(parent, "vendor=1"), None, "{parent}");
        }
    }
}
