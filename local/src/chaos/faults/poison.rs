//! Adds broken jobs, as other producers may.

use std::sync::Arc;

use rand::RngExt as _;
use rand::rngs::StdRng;
use shared::clock::Clock;
use shared::redis::Command;

use super::{Fault, Striking};
use crate::chaos::producers::project;
use crate::chaos::world::{PREFIX, QUEUE, World};
use crate::verify::AcceptedJob;

/// Bytes of a huge job.
const HUGE: usize = 1_000_000;

/// How deep one is nested.
const DEEP: usize = 20_000;

/// Puts a job where it waits, as a producer does that looks at nothing; once, whatever answers are lost.
const ADD: &str = "
    if redis.call('EXISTS', KEYS[1]) == 1 then return 0 end
    redis.call('HSET', KEYS[1], unpack(ARGV, 2))
    redis.call('LPUSH', KEYS[2], ARGV[1])
    return 1";

/// The fault `poison`.
pub(super) struct Poison;

impl Fault for Poison {
    fn name(&self) -> &'static str {
        "poison"
    }

    fn sentence(&self) -> &'static str {
        "Jobs come in whose data is broken, huge or deep, or whose project is unknown: each fails alone."
    }

    fn strike(&self, world: Arc<World>, mut random: StdRng) -> Striking {
        Box::pin(async move {
            let run: u32 = random.random();
            for (place, (data, opts)) in jobs().into_iter().enumerate() {
                let id = format!("poison-{run}-{place}");
                let timestamp = Clock::System.now_ms();
                let line = AcceptedJob {
                    id: Some(id.clone()),
                    timestamp: Some(timestamp),
                    poison: true,
                    by: Some("poison".to_owned()),
                    unanswered: true,
                    ..AcceptedJob::default()
                };
                world.journal.accept(line.clone());
                let key = |name: &str| format!("{PREFIX}:{QUEUE}:{name}");
                let timestamp = timestamp.to_string();
                let fields = [
                    "name",
                    "deo_score_recompute",
                    "data",
                    &data,
                    "opts",
                    &opts,
                    "timestamp",
                    &timestamp,
                    "delay",
                    "0",
                    "priority",
                    "0",
                ];
                let add = Command::new("EVAL")
                    .args([ADD, "2", &key(&id), &key("wait"), &id])
                    .args(fields);
                // Such a producer leaves what it has written when a command is refused.
                let failed = world.redis(add).await.is_err();
                world.journal.accept(AcceptedJob { unanswered: failed, failed, ..line });
            }
            Ok(())
        })
    }
}

/// The data and the options of a job of each kind.
fn jobs() -> Vec<(String, String)> {
    let well = |project: &str| serde_json::json!({ "projectId": project }).to_string();
    let data = [
        "{".to_owned(),
        String::new(),
        "null".to_owned(),
        "[]".to_owned(),
        "{\"projectId\": 7}".to_owned(),
        "{\"projectId\": {}}".to_owned(),
        well(""),
        well("nobody knows it"),
        well("nul \0 within"),
        well(&"x".repeat(HUGE)),
        format!("{}{}", "[".repeat(DEEP), "]".repeat(DEEP)),
        "\u{7f}\u{fffd}".to_owned(),
    ];
    let opts = "{\"attempts\":1}".to_owned();
    let data = data.into_iter().map(|data| (data, opts.clone()));
    // Options that cannot be read count as none, and do the job no harm.
    data.chain([(well("nobody knows it"), "{".to_owned()), (well(&project(0)), "7".to_owned())])
        .collect()
}
