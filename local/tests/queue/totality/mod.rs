//! No script of the queue's loses a job, whatever is refused to it: each of its commands, once and for good;
//! each key of another type than it expects; each command that a user of Redis may lack.

mod commands;
mod harness;
mod keys;
mod scenarios;
mod users;

use std::fmt;
use std::io::Write;
use std::sync::{Arc, Mutex};

use harness::{Tally, workers};

/// What a scenario is tried before.
#[derive(Clone, Copy)]
enum Suite {
    Commands,
    Keys,
    Users,
}

/// Tries every scenario, or those whose title contains what `TOTALITY` says, on a few benches; `first`
/// is the first database that they use.
async fn every_scenario(suite: Suite, first: u32) -> Tally {
    let only = std::env::var("TOTALITY").unwrap_or_default();
    let mut scenarios = scenarios::all();
    scenarios.retain(|scenario| scenario.title().contains(&only));
    let open = Arc::new(Mutex::new(scenarios));
    let mut tasks = tokio::task::JoinSet::new();
    for mut bench in workers(first).await {
        let open = open.clone();
        tasks.spawn(async move {
            let mut tally = Tally::default();
            loop {
                let Some(scenario) = open.lock().unwrap().pop() else { return tally };
                tally.states += 1;
                match suite {
                    Suite::Commands => commands::attempt(&mut bench, &scenario, &mut tally).await,
                    Suite::Keys => keys::attempt(&mut bench, &scenario, &mut tally).await,
                    Suite::Users => users::attempt(&mut bench, &scenario, &mut tally).await,
                }
            }
        });
    }
    let mut all = Tally::default();
    for tally in tasks.join_all().await {
        all.join(tally);
    }
    all
}

/// Tells it even where a test that passes tells nothing: what the print macros write is then kept back.
fn report(text: fmt::Arguments<'_>) {
    let mut stderr = std::io::stderr();
    stderr.write_all(format!("{text}\n").as_bytes()).unwrap();
}
