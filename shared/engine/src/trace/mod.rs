//! W3C trace context: taken from a request, handed to the job, and found again by whoever runs it.
//!
//! BullMQ keeps a producer's context with the job, as its `telemetry.metadata` (`tm` in the stored
//! options): the JSON object that OpenTelemetry's propagator fills, as text. BullMQ's own telemetry
//! package reads what we write there, and we read what it writes.
//!
//! Spans know of it only with the feature `otlp`; without it a context is handed on as it came.

#[cfg(feature = "otlp")]
mod otel;

use serde_json::{Map, Value};
use tracing::Span;

/// The longest `tracestate` that is handed on, in bytes.
const MAX_STATE: usize = 512;

/// Which trace a request or a job belongs to, and where in it.
///
/// ```
/// use batchmq_engine::trace::TraceContext;
///
/// let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
/// let context = TraceContext::new(parent, Some("vendor=1")).unwrap();
/// assert_eq!(context.trace_id(), "0af7651916cd43dd8448eb211c80319c");
/// assert!(context.is_sampled());
/// // With a job, and back.
/// assert_eq!(TraceContext::from_metadata(&context.to_metadata()), Some(context.clone()));
/// // Spans that are exported go on with it.
/// let span = tracing::info_span!("run");
/// context.adopt(&span);
/// context.link(&span);
/// assert_eq!(TraceContext::of(&span), None);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TraceContext {
    /// As `is_traceparent` has it, which is 55 ASCII characters with its parts at fixed places.
    parent: String,
    state: Option<String>,
}

impl TraceContext {
    /// The context of these two headers; `None` without a valid `traceparent`.
    pub fn new(traceparent: &str, tracestate: Option<&str>) -> Option<Self> {
        // As text in JSON in JSON in JSON, a quote would take many times its room.
        let fits = |state: &str| state.len() <= MAX_STATE && !state.contains(['"', '\\']);
        let state = tracestate.filter(|state| !state.is_empty() && fits(state));
        is_traceparent(traceparent)
            .then(|| Self { parent: traceparent.to_owned(), state: state.map(str::to_owned) })
    }

    /// The context in a job's telemetry metadata.
    pub fn from_metadata(metadata: &str) -> Option<Self> {
        let carrier: Map<String, Value> = serde_json::from_str(metadata).ok()?;
        let field = |name: &str| carrier.get(name).and_then(Value::as_str);
        Self::new(field("traceparent")?, field("tracestate"))
    }

    /// As a job's telemetry metadata.
    pub fn to_metadata(&self) -> String {
        let mut carrier = Map::new();
        carrier.insert("traceparent".to_owned(), self.parent.as_str().into());
        if let Some(state) = &self.state {
            carrier.insert("tracestate".to_owned(), state.as_str().into());
        }
        Value::Object(carrier).to_string()
    }

    /// The trace's id: 32 hexadecimal digits.
    pub fn trace_id(&self) -> &str {
        &self.parent[3..35]
    }

    /// Whether whoever began the trace records it.
    pub fn is_sampled(&self) -> bool {
        u8::from_str_radix(&self.parent[53..], 16).is_ok_and(|flags| flags & 1 == 1)
    }
}

#[cfg(feature = "otlp")]
impl TraceContext {
    /// Makes `span` a child of this place in its trace.
    pub fn adopt(&self, span: &Span) {
        self.set_parent(span);
    }

    /// Notes in `span` that it is also about this place in another trace.
    pub fn link(&self, span: &Span) {
        self.add_link(span);
    }

    /// Where `span` itself is, if it is exported.
    pub fn of(span: &Span) -> Option<Self> {
        Self::exported(span)
    }
}

#[cfg(not(feature = "otlp"))]
impl TraceContext {
    /// Makes `span` a child of this place in its trace: nothing, without the feature `otlp`.
    pub fn adopt(&self, _span: &Span) {}

    /// Notes in `span` that it is also about this place in another trace: nothing, without the
    /// feature `otlp`.
    pub fn link(&self, _span: &Span) {}

    /// Where `span` itself is, if it is exported: it is not, without the feature `otlp`.
    pub fn of(_span: &Span) -> Option<Self> {
        None
    }
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

    #[test]
    fn a_context_goes_through_a_job() {
        for state in [Some("vendor=1"), None] {
            let context = TraceContext::new(PARENT, state).unwrap();
            assert_eq!(context.trace_id(), "0af7651916cd43dd8448eb211c80319c");
            assert!(context.is_sampled());
            assert_eq!(TraceContext::from_metadata(&context.to_metadata()), Some(context));
        }
        let metadata = TraceContext::new(PARENT, Some("vendor=1")).unwrap().to_metadata();
        assert_eq!(metadata, format!(r#"{{"traceparent":"{PARENT}","tracestate":"vendor=1"}}"#));
        let unsampled = TraceContext::new(&PARENT.replace("-01", "-00"), Some("")).unwrap();
        assert!(!unsampled.is_sampled() && !unsampled.to_metadata().contains("tracestate"));
    }

    #[test]
    fn a_state_that_would_grow_is_left_out() {
        for state in ["a=\"1\"", "a=\\", &"a".repeat(513)] {
            let context = TraceContext::new(PARENT, Some(state));
            assert_eq!(context, TraceContext::new(PARENT, None), "{state}");
        }
        assert_ne!(
            TraceContext::new(PARENT, Some(&"a".repeat(512))),
            TraceContext::new(PARENT, None)
        );
    }

    #[test]
    fn an_invalid_context_is_none() {
        for parent in [
            "",
            "x",
            &PARENT.to_uppercase(),
            &PARENT.replace("00-", "ff-"),
            &PARENT.replace("b7ad6b7169203331", "0000000000000000"),
            &PARENT.replace("0af7651916cd43dd8448eb211c80319c", "00000000000000000000000000000000"),
            &format!("{PARENT}-00"),
        ] {
            assert_eq!(TraceContext::new(parent, Some("vendor=1")), None, "{parent}");
        }
        for metadata in ["", "{}", "[]", "null", r#"{"traceparent":1}"#, r#"{"traceparent":"x"}"#] {
            assert_eq!(TraceContext::from_metadata(metadata), None, "{metadata}");
        }
    }
}
