//! The HTTP handler: lets any HTTPS server work off a queue.
//!
//! - [`Forward`] is a [`Handler`](batchmq_engine::Handler): it posts a claimed batch as JSON to a URL,
//!   signed, and turns what the receiver answers into a [`Settlement`](batchmq::Settlement) a job.
//! - [`Secrets`] signs and verifies, in the scheme of Standard Webhooks.
//! - [`Callback`] is what a receiver sends that goes on with jobs after its answer.
//!
//! Whatever the receiver does, each job of a batch has one end and none is lost. The request may have been
//! sent before, by a process that died or over a connection that broke: its jobs then carry the same
//! idempotency keys.
//!
//! ```no_run
//! use std::time::Duration;
//!
//! use batchmq::clock::Clock;
//! use batchmq::{Queue, QueueOptions};
//! use batchmq_engine::{TickOptions, Ticker};
//! use batchmq_http::{Error, Forward, ForwardOptions, LockTimes, Secrets};
//! use batchmq_redis::{Redis, Secret};
//!
//! # fn example(redis: Redis) -> Result<(), Error> {
//! let secrets = Secrets::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")?;
//! let url = Secret::new("https://app.example/jobs/crawl");
//! let (usual, longest) = (Duration::from_secs(60), Duration::from_secs(600));
//! let options =
//!     ForwardOptions { locks: LockTimes { usual, longest }, ..ForwardOptions::new(url, secrets) };
//! let queue = Queue::new(redis, &QueueOptions::new("crawl"), Clock::System);
//! let forward = Forward::new(options)?;
//! assert_eq!(forward.resting(), None);
//! let ticker = Ticker::new(queue, forward, TickOptions::default(), Clock::System);
//! # Ok(())
//! # }
//! ```

mod answer;
mod batch;
mod callback;
mod entry;
mod error;
mod exchange;
mod forward;
#[doc(hidden)]
pub mod fuzzing;
mod options;
mod request;
mod secrets;

pub use callback::{Callback, MOST_JOBS};
pub use error::Error;
pub use forward::Forward;
pub use options::{ForwardOptions, LockTimes};
pub use secrets::{CALLBACK_ID, REQUEST_ID, Rejected, Secrets, SecretsError, Signature};
