//! The jobs of a batch that carry a trace: each gets a span of its own in the trace that asked for it.

use tracing::{Span, info, info_span};

use crate::trace::TraceContext;
use batchmq::{ClaimedJob, Code};

/// The spans of a batch's traced jobs, from claim to settlement.
pub(crate) struct Traced(Vec<(usize, Span)>);

impl Traced {
    /// Begins the spans, and links `batch`, which belongs to the tick's own trace, to each. Jobs without
    /// a context, or whose trace nobody records, get none.
    pub(crate) fn begin(jobs: &[ClaimedJob], queue: &str, batch: &Span) -> Self {
        let spans = jobs.iter().enumerate().filter_map(|(at, job)| {
            let context = TraceContext::from_metadata(job.opts.telemetry.as_deref()?)?;
            if !context.is_sampled() {
                return None;
            }
            let span = info_span!(
                "process",
                otel.kind = "consumer",
                job = job.id.as_str(),
                queue,
                trace_id = context.trace_id(),
                attempt = job.attempts_made + 1,
            );
            context.adopt(&span);
            context.link(batch);
            Some((at, span))
        });
        Self(spans.collect())
    }

    /// Ends them, each with what became of its job.
    pub(crate) fn end(self, codes: &[Code]) {
        for (at, span) in self.0 {
            let Some(code) = codes.get(at) else { continue };
            span.in_scope(|| info!(outcome = ?code, "job settled"));
        }
    }
}
