//! What ticks, jobs and requests need: the functions as they are deployed, on private servers. Redis itself
//! counts the commands.

use std::path::Path;

use serde_json::Value;
use shared::config::{Endpoint, Secret};
use shared::engine::Report;
use shared::redis::Redis;

use super::{Figures, Once};
use crate::bench::commandstats::Executed;
use crate::bench::world::World;
use crate::runtime_api::{Function, Invocation};
use crate::seed::Plan;
use crate::token::issue;
use crate::{DEVELOPMENT_SECRET, Failure};

const TICK: &str = include_str!("../../events/schedule.json");
const RECOMPUTE: &str = include_str!("../../events/recompute.json");

/// How often what costs little is repeated; its median counts.
const TIMES: u32 = 5;

/// A batch's questions to Postgres: its rows are read, and its snapshots stored.
const STATEMENTS_A_BATCH: u64 = 2;

/// A request's: whose project it is, in Postgres, and the job, in Redis.
const QUESTIONS_A_REQUEST: f64 = 2.0;

/// How long the requests' token is good for: seconds.
const TOKEN_S: u64 = 3_600;

/// Measures `jobs` jobs with the bootstraps in this folder.
pub(crate) async fn measure(bootstraps: &Path, jobs: u32) -> Result<Figures, Failure> {
    let program = |name| bootstraps.join(name).join("bootstrap");
    for name in ["drain", "api", "cron"] {
        if !program(name).exists() {
            let missing = program(name);
            let missing = missing.display();
            return Err(
                format!("{missing} is not there: `cargo lambda build --release` makes it").into()
            );
        }
    }
    let world = World::start(jobs + TIMES).await?;
    let settings = world.settings("cost");
    let start = async |name| Function::start(name, program(name), &[] as &[&str], &settings).await;
    let url = Secret::new(world.redis.url());
    let redis = Redis::new(&Endpoint::Tcp { url, allow_plaintext: false })?;
    let (mut drain, mut api, mut cron) =
        (start("drain").await?, start("api").await?, start("cron").await?);

    // The first of each connects, which is left aside.
    tick(&mut drain, &redis).await?;
    let mut idle = Vec::new();
    for _ in 0..TIMES {
        idle.push(tick(&mut drain, &redis).await?.1);
    }

    let plan = Plan { projects: TIMES, pages: 0, products: 0, seed: 1, now_ms: 0 };
    let token = issue(&Secret::new(DEVELOPMENT_SECRET), &plan.user_id(), TOKEN_S)?;
    let (mut asked, mut one) = (Vec::new(), Vec::new());
    for project in plan.project_ids() {
        let event = RECOMPUTE.replace("PROJECT", &project).replace("TOKEN", &token);
        let (done, commands) = invoke(&mut api, &event, &redis).await?;
        let answer: Value = serde_json::from_str(&done.answer)?;
        if answer["statusCode"] != 201 {
            return Err(format!("a recompute was answered with {answer}").into());
        }
        asked.push(Once { commands, round_trips: QUESTIONS_A_REQUEST, ms: ms(&done) });
        one.push(tick(&mut drain, &redis).await?.1);
    }

    let (done, commands) = invoke(&mut cron, TICK, &redis).await?;
    let night: cron::Report = serde_json::from_str(&done.answer)?;
    if night.enqueued != u64::from(jobs) {
        return Err(format!("of {jobs} projects not all were enqueued: {night:?}").into());
    }
    let share = f64::from(jobs);
    #[expect(clippy::cast_precision_loss, reason = "a sample's counts are far below 2^53")]
    let round_trips = (night.round_trips + night.pages) as f64 / share;
    let nightly = Once { commands: commands / share, round_trips, ms: ms(&done) / share };

    let (report, many) = tick(&mut drain, &redis).await?;
    if report.completed != u64::from(jobs) {
        return Err(format!("of {jobs} jobs not all were done in one tick: {report:?}").into());
    }
    let (busy_tick, job) = Figures::split(median(one), many, share);
    let peak_bytes = drain.peak_memory()?;
    for function in [drain, api, cron] {
        function.stop().await;
    }
    Ok(Figures {
        source: format!("measured just now, with {jobs} jobs"),
        idle_tick: median(idle),
        busy_tick,
        job,
        asked: median(asked),
        nightly,
        peak_bytes,
    })
}

async fn tick(drain: &mut Function, redis: &Redis) -> Result<(Report, Once), Failure> {
    let (done, commands) = invoke(drain, TICK, redis).await?;
    let report: Report = serde_json::from_str(&done.answer)?;
    #[expect(clippy::cast_precision_loss, reason = "a sample's counts are far below 2^53")]
    let round_trips = (report.round_trips + STATEMENTS_A_BATCH * report.batches) as f64;
    Ok((report, Once { commands, round_trips, ms: ms(&done) }))
}

async fn invoke(
    function: &mut Function,
    event: &str,
    redis: &Redis,
) -> Result<(Invocation, f64), Failure> {
    let before = Executed::by(redis).await?;
    let done = function.invoke(event).await?;
    let commands = Executed::by(redis).await?.since(before).commands;
    #[expect(clippy::cast_precision_loss, reason = "a sample's counts are far below 2^53")]
    let commands = commands as f64;
    Ok((done, commands))
}

/// The one in the middle, by its time.
fn median(mut times: Vec<Once>) -> Once {
    times.sort_by(|a, b| a.ms.total_cmp(&b.ms));
    times[times.len() / 2]
}

fn ms(done: &Invocation) -> f64 {
    done.took.as_secs_f64() * 1_000.0
}
