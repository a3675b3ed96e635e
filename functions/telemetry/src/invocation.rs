//! Puts a span around each invocation, and does after it what nobody waits for.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use lambda_runtime::tower::Layer;
use lambda_runtime::{LambdaInvocation, Service};
use shared::config::{Config, Endpoint};
use shared::wake::Wake;
use tracing::{Instrument as _, Span, error_span};

/// A layer for the runtime: a span around each invocation, with what all lines in it should say.
#[derive(Clone, Debug)]
pub struct Invocations {
    transport: &'static str,
    prefix: String,
    wake: Option<Wake>,
}

impl Invocations {
    /// About the queue that `config` names.
    pub fn about(config: &Config) -> Self {
        let transport = match &config.redis {
            Some(Endpoint::Rest { .. }) => "rest",
            Some(Endpoint::Tcp { .. }) => "tcp",
            None => "none",
        };
        Self { transport, prefix: config.queue.prefix.clone(), wake: None }
    }

    /// Lets a wake-up that is not out yet go out before the environment may be frozen.
    #[must_use]
    pub fn finishing(self, wake: Wake) -> Self {
        Self { wake: Some(wake), ..self }
    }
}

impl<S> Layer<S> for Invocations {
    type Service = Spanned<S>;

    fn layer(&self, inner: S) -> Spanned<S> {
        Spanned { inner, about: self.clone(), cold: true }
    }
}

/// The service inside the layer.
#[derive(Clone, Debug)]
pub struct Spanned<S> {
    inner: S,
    about: Invocations,
    cold: bool,
}

impl<S> Spanned<S> {
    fn span(&mut self, invocation: &LambdaInvocation) -> Span {
        let context = &invocation.context;
        // At the level of errors, so that it is there whatever `LogLevel` says.
        error_span!(
            "invocation",
            requestId = context.request_id,
            xrayTraceId = context.xray_trace_id,
            coldStart = std::mem::replace(&mut self.cold, false),
            transport = self.about.transport,
            prefix = self.about.prefix,
        )
    }
}

impl<S> Service<LambdaInvocation> for Spanned<S>
where
    S: Service<LambdaInvocation, Response = (), Error: Send>,
    S::Future: Send + 'static,
{
    type Response = ();
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<(), S::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, invocation: LambdaInvocation) -> Self::Future {
        let span = self.span(&invocation);
        // What the handler does before its first await belongs to it as well.
        let answer = span.in_scope(|| self.inner.call(invocation));
        let answer = answer.instrument(span);
        let wake = self.about.wake.clone();
        Box::pin(async move {
            let answer = answer.await;
            // The answer is out, and the environment cannot be frozen before this future ends.
            if let Some(wake) = wake {
                wake.finish().await;
            }
            crate::flush().await;
            answer
        })
    }
}
