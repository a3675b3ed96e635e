//! What is sent: the same commands for every way.

use crate::Failure;
use serde::Serialize;
use shared::redis::{Command, Error, Redis, Script};

/// A kind of request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Shape {
    /// GET of 100 bytes.
    Single,
    /// Ten SET and ten GET of 100 bytes.
    Pipeline,
    /// A script of the size of the queue's when it settles 100 jobs and claims 100: 15 keys, 10 kB of
    /// JSON in, the 14 fields of each of 100 jobs out.
    Script,
}

impl Shape {
    pub(super) const ALL: [Self; 3] = [Self::Single, Self::Pipeline, Self::Script];
}

/// The script, which does of a settle-and-claim what the client notices.
pub(super) static SCRIPT: Script = Script {
    name: "bench",
    source: "local settled = cjson.decode(ARGV[1])\nlocal jobs = {}\nfor i = 1, #settled do\n  \
             jobs[i] = {tostring(i), unpack(redis.call('HMGET', KEYS[1], 'name', 'data', 'opts', \
             'timestamp', 'priority', 'ats', 'atm', 'attemptsMade', 'stc', 'deid', 'parentKey', \
             'rjk', 'defa', 'stacktrace'))}\nend\nreturn {1, jobs}",
    replay_safe: true,
};

/// Jobs that a call of the script settles and claims.
pub(super) const JOBS: usize = 100;

/// Commands of each kind in a pipeline.
const EACH: usize = 10;

/// What all requests use.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Material {
    key: String,
    value: String,
    each: usize,
    source: &'static str,
    keys: Vec<String>,
    argument: String,
    jobs: usize,
}

impl Material {
    pub(super) fn new() -> Self {
        let keys = (0..15).map(|n| format!("bench:deo_score_queue:key-{n}")).collect();
        let settled: Vec<_> = (0..JOBS)
            .map(|n| {
                serde_json::json!({
                    "id": n.to_string(),
                    "done": r#"{"snapshotId":"0b1c4d5e-8a64-5f0e-9d7b-1f6f4a2c3b19"}"#,
                })
            })
            .collect();
        Self {
            key: "bench:small".to_owned(),
            value: "x".repeat(100),
            each: EACH,
            source: SCRIPT.source,
            keys,
            argument: serde_json::Value::from(settled).to_string(),
            jobs: JOBS,
        }
    }

    /// Writes what the requests read.
    pub(super) async fn prepare(&self, redis: &Redis) -> Result<(), Error> {
        redis.call(self.set()).await?;
        let job = Command::new("HSET").arg(self.keys[0].as_str()).args([
            "name",
            "recompute_deo_score",
            "data",
            r#"{"projectId":"cm5x8q2l70001v8l4h2k9d3fz","reason":"nightly","requestedAt":"2026-01-01T03:00:00.000Z"}"#,
            "opts",
            r#"{"attempts":3,"backoff":{"type":"exponential","delay":5000},"removeOnComplete":{"age":3600,"count":1000}}"#,
            "timestamp",
            "1767236400000",
            "priority",
            "0",
            "ats",
            "1",
            "deid",
            "cm5x8q2l70001v8l4h2k9d3fz",
        ]);
        redis.call(job).await?;
        Ok(())
    }

    /// One request of `shape`; an error unless its answer is whole.
    pub(super) async fn send(&self, shape: Shape, redis: &Redis) -> Result<(), Failure> {
        let whole = match shape {
            Shape::Single => redis.call(self.get()).await?.as_str() == Some(&*self.value),
            Shape::Pipeline => {
                let commands = (0..EACH).flat_map(|_| [self.set(), self.get()]).collect();
                let answers = redis.pipeline(commands).await?;
                answers.len() == 2 * EACH && answers.iter().all(Result::is_ok)
            }
            Shape::Script => {
                let argument = vec![self.argument.as_bytes().to_vec()];
                let answer = redis.run(&SCRIPT, &self.keys, argument).await?;
                answer[0].as_array().is_some_and(|jobs| jobs.len() == JOBS)
            }
        };
        if whole { Ok(()) } else { Err(format!("a {shape:?} call was answered in part").into()) }
    }

    fn get(&self) -> Command {
        Command::new("GET").arg(self.key.as_str()).replay_safe()
    }

    fn set(&self) -> Command {
        Command::new("SET").arg(self.key.as_str()).arg(self.value.as_str()).replay_safe()
    }
}
