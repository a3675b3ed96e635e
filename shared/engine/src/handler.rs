//! Defines what a queue's jobs do: the part that a user of the engine writes.

use std::sync::{Arc, Mutex, PoisonError};

use batchmq::clock::millis;
use batchmq::{ClaimedJob, QueueOptions, Settlement};
use tokio::time::{Instant, timeout_at};

use crate::counters::Counters;
use crate::stop::Stop;

/// Handles the jobs of a queue, a batch at a time.
pub trait Handler: Send + Sync {
    /// What keeps a whole batch from being done now, such as a database that is down. No job is to
    /// blame: the batch goes back to the queue without an attempt, and the tick ends.
    type Error: std::error::Error + Send + Sync + 'static;

    /// The names of what the handler counts in its [`Context`]: a report shows them also while they
    /// are zero.
    const COUNTERS: &'static [&'static str] = &[];

    /// Returns whether it would be of no use to claim jobs now: none is claimed then, and the tick ends
    /// ([`StoppedBecause::Held`](crate::StoppedBecause)). Asked once a tick, where there are jobs.
    fn is_resting(&self) -> bool {
        false
    }

    /// Gets ready for a batch that is probably coming, such as by opening a connection. Called beside the
    /// first claim of a tick that was woken ([`Ticker::tick_woken`](crate::Ticker::tick_woken)), unless jobs
    /// gather; dropped where that claim finds nothing. What fails here is left to [`Handler::handle`] to
    /// meet again.
    fn prepare(&self) -> impl Future<Output = ()> + Send {
        std::future::ready(())
    }

    /// Handles a batch and returns how each job ends: one settlement a job, in their order.
    ///
    /// A job may have been handled before, by a process that died or whose answer was lost. The future
    /// is dropped at [`Context::deadline`], and the batch goes back to the queue without an attempt.
    /// When it panics, its jobs are handled one by one, and those that panic alone have failed.
    ///
    /// # Errors
    /// When no job of the batch could be handled, whatever its data.
    fn handle(
        &self,
        jobs: &[ClaimedJob],
        context: &Context<'_>,
    ) -> impl Future<Output = Result<Vec<Settlement>, Self::Error>> + Send;
}

/// What a handler knows of the tick that calls it.
///
/// ```
/// # use std::convert::Infallible;
/// # use batchmq::{ClaimedJob, Settlement};
/// # use batchmq_engine::{Context, Handler};
/// # struct Mailer;
/// # async fn send(_job: &ClaimedJob) -> bool { true }
/// # async fn tidy_up() {}
/// impl Handler for Mailer {
///     type Error = Infallible;
///     const COUNTERS: &'static [&'static str] = &["mails", "sendingMs"];
///
///     async fn handle(
///         &self,
///         jobs: &[ClaimedJob],
///         context: &Context<'_>,
///     ) -> Result<Vec<Settlement>, Infallible> {
///         println!("{} until {:?}", context.queue().name, context.deadline());
///         let timer = context.time("sendingMs");
///         let mut ends = Vec::new();
///         for job in jobs {
///             ends.push(match context.stop().is_asked() {
///                 true => Settlement::Release,
///                 false if send(job).await => Settlement::Complete("null".to_owned()),
///                 false => Settlement::Failed(format!("not sent under {}", context.claim())),
///             });
///             context.count("mails", 1);
///         }
///         drop(timer);
///         if context.in_time(tidy_up()).await.is_none() {
///             println!("another time");
///         }
///         Ok(ends)
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// use batchmq_engine::testing::{job, run};
///
/// let ran = run(&Mailer, &[job("1", "{}")]).await.unwrap();
/// assert_eq!(ran.settlements, [Settlement::Complete("null".to_owned())]);
/// # }
/// ```
#[derive(Debug)]
pub struct Context<'a> {
    pub(crate) claim: &'a str,
    pub(crate) queue: &'a QueueOptions,
    pub(crate) deadline: Instant,
    pub(crate) stop: &'a Stop,
    pub(crate) counters: &'a Mutex<Counters>,
}

impl<'a> Context<'a> {
    /// Returns the options of the queue that the jobs come from, its name among them.
    pub fn queue(&self) -> &QueueOptions {
        self.queue
    }

    /// Returns the token of the claim that the jobs' locks hold. Who has it can settle them: another process
    /// that goes on with a job which is kept ([`Settlement::Keep`]).
    pub fn claim(&self) -> &str {
        self.claim
    }

    /// Returns when the batch must be done.
    pub fn deadline(&self) -> Instant {
        self.deadline
    }

    /// Returns the end that may be asked for from outside. What is under way then has 5 s.
    pub fn stop(&self) -> &Stop {
        self.stop
    }

    /// Adds to one of the handler's counts in the tick's report.
    pub fn count(&self, name: &'static str, more: u64) {
        self.counters.lock().unwrap_or_else(PoisonError::into_inner).add(name, more);
    }

    /// Counts milliseconds until the returned timer is dropped, also when the batch is cut short.
    pub fn time(&self, name: &'static str) -> Timer<'a> {
        Timer { counters: self.counters, name, began: Instant::now() }
    }

    /// Returns what `work` does, if it is done before the batch must be; `None` otherwise. For what a
    /// handler does on top, and whose end must not cost the batch.
    pub async fn in_time<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            done = timeout_at(self.deadline, work) => done.ok(),
            () = self.stop.over() => None,
        }
    }
}

/// Counts the milliseconds of its life: see [`Context::time`].
#[derive(Debug)]
pub struct Timer<'a> {
    counters: &'a Mutex<Counters>,
    name: &'static str,
    began: Instant,
}

impl Drop for Timer<'_> {
    fn drop(&mut self) {
        let spent = millis(self.began.elapsed());
        self.counters.lock().unwrap_or_else(PoisonError::into_inner).add(self.name, spent);
    }
}

/// A handler that somebody else keeps a share of.
impl<H: Handler> Handler for Arc<H> {
    type Error = H::Error;

    const COUNTERS: &'static [&'static str] = H::COUNTERS;

    fn is_resting(&self) -> bool {
        (**self).is_resting()
    }

    fn prepare(&self) -> impl Future<Output = ()> + Send {
        (**self).prepare()
    }

    fn handle(
        &self,
        jobs: &[ClaimedJob],
        context: &Context<'_>,
    ) -> impl Future<Output = Result<Vec<Settlement>, Self::Error>> + Send {
        (**self).handle(jobs, context)
    }
}
