//! A queue of one's own as a Lambda function on a schedule: everything that it takes.
//!
//! Built with `cargo lambda build --example lambda`. `QUEUE_URL` is a `redis://` or `rediss://` URL.

use std::convert::Infallible;
use std::time::SystemTime;

use batchmq::clock::Clock;
use batchmq::{ClaimedJob, Queue, QueueOptions, Settlement};
use batchmq_engine::{Context, Handler, Report, TickOptions, Ticker};
use batchmq_redis::{Endpoint, Redis, Secret};
use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use serde_json::Value;
use tokio::time::Instant;

struct Lengths;

impl Handler for Lengths {
    type Error = Infallible;

    async fn handle(
        &self,
        jobs: &[ClaimedJob],
        _context: &Context<'_>,
    ) -> Result<Vec<Settlement>, Infallible> {
        let length = |job: &ClaimedJob| Settlement::Complete(job.data.len().to_string());
        Ok(jobs.iter().map(length).collect())
    }
}

#[allow(clippy::disallowed_methods, reason = "Lambda names a moment of its own clock")]
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let url = Secret::new(std::env::var("QUEUE_URL")?);
    let redis = Redis::new(&Endpoint::Tcp { url, allow_plaintext: false })?;
    let queue = Queue::new(redis, &QueueOptions::new("lengths"), Clock::System);
    let ticker = Ticker::new(queue, Lengths, TickOptions::default(), Clock::System);
    let ticker = &ticker;
    let tick = |event: LambdaEvent<Value>| async move {
        let left = event.context.deadline().duration_since(SystemTime::now())?;
        Ok::<Report, Error>(ticker.tick(Instant::now() + left).await)
    };
    run(service_fn(tick)).await
}
