//! The engine: works through a queue in ticks, and lets a [`Handler`] say how each job ends.
//!
//! A [`Ticker`] does everything but the jobs' own work: it peeks, claims batches, keeps within its
//! deadline, settles, ends parents whose children failed, brings back the jobs of dead owners, looks
//! after schedules, gives signs of life, and reports. The handler gets a batch of claimed jobs with a
//! [`Context`] and returns one [`Settlement`](batchmq::Settlement) a job.
//!
//! A tick promises at-least-once execution: a claim that cannot be finished goes back without costing an
//! attempt, and what another peer owns by now is never settled. A handler therefore must not do harm
//! when it handles a job twice.
//!
//! ```no_run
//! use std::convert::Infallible;
//! use std::time::Duration;
//!
//! use batchmq::clock::Clock;
//! use batchmq::{ClaimedJob, Queue, QueueOptions, Settlement};
//! use batchmq_engine::{Context, Handler, TickOptions, Ticker};
//! use batchmq_redis::{Endpoint, Error, Redis, Secret};
//! use tokio::time::Instant;
//!
//! struct Greeter;
//!
//! impl Handler for Greeter {
//!     type Error = Infallible;
//!
//!     async fn handle(
//!         &self,
//!         jobs: &[ClaimedJob],
//!         _context: &Context<'_>,
//!     ) -> Result<Vec<Settlement>, Infallible> {
//!         let greet = |job: &ClaimedJob| Settlement::Complete(format!("\"hello {}\"", job.name));
//!         Ok(jobs.iter().map(greet).collect())
//!     }
//! }
//!
//! # async fn example() -> Result<(), Error> {
//! let url = Secret::new("redis://127.0.0.1:6379");
//! let redis = Redis::new(&Endpoint::Tcp { url, allow_plaintext: false })?;
//! let queue = Queue::new(redis, &QueueOptions::new("greetings"), Clock::System);
//! let ticker = Ticker::new(queue, Greeter, TickOptions::default(), Clock::System);
//! let report = ticker.tick(Instant::now() + Duration::from_secs(60)).await;
//! println!("{} jobs completed", report.completed);
//! # Ok(())
//! # }
//! ```

mod batch;
mod budget;
mod counters;
mod erased;
mod handler;
mod lane;
mod limit;
mod line;
mod look;
mod pace;
mod patience;
mod pulse;
mod refused;
mod report;
mod stop;
pub mod testing;
mod ticker;
pub mod trace;
mod traced;
mod turns;

pub use budget::{Budget, Purse};
pub use counters::Counters;
pub use handler::{Context, Handler, Timer};
pub use patience::Patience;
pub use pulse::{Alive, PastTick, alive};
pub use refused::settle;
pub use report::{Remaining, Report, StoppedBecause};
pub use stop::{Stop, Stopper};
pub use ticker::{TickOptions, Ticker};
