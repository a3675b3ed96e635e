//! Expresses the same contexts in OpenTelemetry's own terms.

use std::str::FromStr as _;

use opentelemetry::Context;
use opentelemetry::trace::{
    SpanContext, SpanId, TraceContextExt as _, TraceFlags, TraceId, TraceState,
};
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

use super::TraceContext;

impl TraceContext {
    pub(super) fn span_context(&self) -> Option<SpanContext> {
        let trace = TraceId::from_hex(self.trace_id()).ok()?;
        let span = SpanId::from_hex(&self.parent[36..52]).ok()?;
        let flags = if self.is_sampled() { TraceFlags::SAMPLED } else { TraceFlags::NOT_SAMPLED };
        // A state that cannot be read is left out, as the specification asks.
        let state = TraceState::from_str(self.state.as_deref().unwrap_or_default());
        Some(SpanContext::new(trace, span, flags, true, state.unwrap_or_default()))
    }

    pub(super) fn set_parent(&self, span: &Span) {
        if let Some(context) = self.span_context() {
            // An error says that nobody exports spans.
            let _ = span.set_parent(Context::new().with_remote_span_context(context));
        }
    }

    pub(super) fn add_link(&self, span: &Span) {
        if let Some(context) = self.span_context() {
            span.add_link(context);
        }
    }

    pub(super) fn exported(span: &Span) -> Option<Self> {
        let context = span.context();
        let context = context.span().span_context().clone();
        let parent = format!(
            "00-{}-{}-{:02x}",
            context.trace_id(),
            context.span_id(),
            context.trace_flags().to_u8()
        );
        // All zero, and so invalid, where nobody exports spans.
        Self::new(&parent, Some(&context.trace_state().header()))
    }
}
