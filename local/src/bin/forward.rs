//! A queue whose jobs are done over HTTP, for tests of receivers in other languages.
//!
//! `forward QUEUE URL` serves the API on a free port, which it prints as a line of JSON, and then runs one
//! tick for each line on standard input and prints its report. The settings name the Redis and the secret.

use std::io::{self, BufRead as _};
use std::process::ExitCode;

use local::http_api::HttpApi;
use shared::clock::Clock;
use shared::config::{Config, ProcessEnv};
use shared::engine::{TickOptions, Ticker};
use shared::http::{Forward, ForwardOptions};
use shared::queue::{Queue, QueueOptions};
use shared::redis::Secret;
use tokio::time::Instant;

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("forward: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let mut args = std::env::args().skip(1);
    let (name, url) = args.next().zip(args.next()).ok_or("usage: forward QUEUE URL")?;
    let mut config = Config::from_env(&ProcessEnv)?;
    let secrets = config.forward.secrets.clone().ok_or("QUEUE_HTTP_SECRET is not set")?;
    config.forward.queues.push(name.clone());
    let api = HttpApi::start(&config).await?;
    let redis = config.redis_client()?.ok_or("no Redis is configured")?;
    let queue = Queue::new(redis, &QueueOptions { name, ..config.queue.clone() }, Clock::System);
    let forward = Forward::new(ForwardOptions::new(Secret::new(url), secrets))?;
    let options = TickOptions { timeout: config.drain.timeout, ..TickOptions::default() };
    let ticker = Ticker::new(queue, forward, options.clone(), Clock::System);
    println!("{}", serde_json::json!({ "api": api.url() }));
    let (lines, mut asked) = tokio::sync::mpsc::channel(1);
    // The API goes on while nobody asks.
    std::thread::spawn(move || {
        for line in io::stdin().lock().lines().map_while(Result::ok) {
            if lines.blocking_send(line).is_err() {
                break;
            }
        }
    });
    while asked.recv().await.is_some() {
        let report = ticker.tick(Instant::now() + options.timeout).await;
        println!("{}", serde_json::to_string(&report)?);
    }
    Ok(())
}
