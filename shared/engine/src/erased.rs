//! Puts handlers of any kind behind one type, so that a ticker can serve several queues.

use std::future::Future;
use std::pin::Pin;

use batchmq::ClaimedJob;

use crate::batch::{Handled, handle};
use crate::handler::{Context, Handler};

/// What a handler of any kind failed with.
pub(crate) type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// A handler whose error type is not known.
pub(crate) trait AnyHandler: Send + Sync {
    /// The names of its counts.
    fn counters(&self) -> &'static [&'static str];

    /// Whether it would be of no use to claim jobs now.
    fn is_resting(&self) -> bool;

    /// Lets the handler get ready.
    fn prepare(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>>;

    /// Calls the handler as [`handle`] does.
    fn handle<'a>(
        &'a self,
        jobs: &'a [ClaimedJob],
        context: &'a Context<'_>,
    ) -> Pin<Box<dyn Future<Output = Handled<BoxError>> + Send + 'a>>;
}

impl<H: Handler> AnyHandler for H {
    fn counters(&self) -> &'static [&'static str] {
        H::COUNTERS
    }

    fn is_resting(&self) -> bool {
        Handler::is_resting(self)
    }

    fn prepare(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(Handler::prepare(self))
    }

    fn handle<'a>(
        &'a self,
        jobs: &'a [ClaimedJob],
        context: &'a Context<'_>,
    ) -> Pin<Box<dyn Future<Output = Handled<BoxError>> + Send + 'a>> {
        Box::pin(async move {
            match handle(self, jobs, context).await {
                Handled::Done(settlements) => Handled::Done(settlements),
                Handled::Failed(error) => Handled::Failed(Box::new(error) as BoxError),
                Handled::Late => Handled::Late,
            }
        })
    }
}
