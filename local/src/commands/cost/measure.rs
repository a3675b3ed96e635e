//! What ticks, jobs and requests need: the functions as they are deployed, on private servers. Redis itself
//! counts the commands.

use std::path::Path;

use api::{Claims, sign};
use redis::aio::MultiplexedConnection;
use serde_json::Value;
use shared::clock::Clock;
use shared::config::Secret;
use shared::recompute::Report;

use crate::DEVELOPMENT_SECRET;
use crate::commands::Failure;
use crate::commands::world::World;
use crate::cost::{Figures, Once};
use crate::runtime_api::{Function, Invocation};
use crate::seed::Plan;

const TICK: &str = include_str!("../../../events/schedule.json");
const RECOMPUTE: &str = include_str!("../../../events/recompute.json");

/// How often what costs little is repeated; its median counts.
const TIMES: u32 = 5;

/// A batch's questions to Postgres: its rows are read, and its snapshots stored.
const STATEMENTS_A_BATCH: u64 = 2;

/// A request's: whose project it is, in Postgres, and the job, in Redis.
const QUESTIONS_A_REQUEST: f64 = 2.0;

/// Measures `jobs` jobs with the bootstraps in this folder.
pub(super) async fn measure(bootstraps: &Path, jobs: u32) -> Result<Figures, Failure> {
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
    let mut counter = Counter::on(&world.redis.url()).await?;
    let (mut drain, mut api, mut cron) =
        (start("drain").await?, start("api").await?, start("cron").await?);

    // The first of each connects, which is left aside.
    tick(&mut drain, &mut counter).await?;
    let mut idle = Vec::new();
    for _ in 0..TIMES {
        idle.push(tick(&mut drain, &mut counter).await?.1);
    }

    let plan = Plan { projects: TIMES, pages: 0, products: 0, seed: 1, now_ms: 0 };
    let token = token(&plan.user_id())?;
    let (mut asked, mut one) = (Vec::new(), Vec::new());
    for project in plan.project_ids() {
        let event = RECOMPUTE.replace("PROJECT", &project).replace("TOKEN", &token);
        let (done, commands) = invoke(&mut api, &event, &mut counter).await?;
        let answer: Value = serde_json::from_str(&done.answer)?;
        if answer["statusCode"] != 201 {
            return Err(format!("a recompute was answered with {answer}").into());
        }
        asked.push(Once { commands, round_trips: QUESTIONS_A_REQUEST, ms: ms(&done) });
        one.push(tick(&mut drain, &mut counter).await?.1);
    }

    let (done, commands) = invoke(&mut cron, TICK, &mut counter).await?;
    let night: cron::Report = serde_json::from_str(&done.answer)?;
    if night.enqueued != u64::from(jobs) {
        return Err(format!("of {jobs} projects not all were enqueued: {night:?}").into());
    }
    let share = f64::from(jobs);
    #[expect(clippy::cast_precision_loss, reason = "a sample's counts are far below 2^53")]
    let round_trips = (night.round_trips + night.pages) as f64 / share;
    let nightly = Once { commands: commands / share, round_trips, ms: ms(&done) / share };

    let (report, many) = tick(&mut drain, &mut counter).await?;
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

async fn tick(drain: &mut Function, counter: &mut Counter) -> Result<(Report, Once), Failure> {
    let (done, commands) = invoke(drain, TICK, counter).await?;
    let report: Report = serde_json::from_str(&done.answer)?;
    #[expect(clippy::cast_precision_loss, reason = "a sample's counts are far below 2^53")]
    let round_trips = (report.round_trips + STATEMENTS_A_BATCH * report.batches) as f64;
    Ok((report, Once { commands, round_trips, ms: ms(&done) }))
}

async fn invoke(
    function: &mut Function,
    event: &str,
    counter: &mut Counter,
) -> Result<(Invocation, f64), Failure> {
    counter.executed().await?;
    let done = function.invoke(event).await?;
    Ok((done, counter.executed().await?))
}

/// The one in the middle, by its time.
fn median(mut times: Vec<Once>) -> Once {
    times.sort_by(|a, b| a.ms.total_cmp(&b.ms));
    times[times.len() / 2]
}

fn ms(done: &Invocation) -> f64 {
    done.took.as_secs_f64() * 1_000.0
}

fn token(user: &str) -> Result<String, Failure> {
    let iat = Clock::System.now_ms() / 1_000;
    let claims = Claims {
        sub: user.to_owned(),
        email: format!("{user}@example.com"),
        role: "USER".to_owned(),
        iat,
        exp: iat + 3_600,
    };
    Ok(sign(&Secret::new(DEVELOPMENT_SECRET), &claims)?)
}

/// Redis' own count of the commands that it executed.
struct Counter(MultiplexedConnection);

impl Counter {
    async fn on(url: &str) -> Result<Self, Failure> {
        Ok(Self(redis::Client::open(url)?.get_multiplexed_async_connection().await?))
    }

    /// Since it was last asked, but for what connections themselves need.
    async fn executed(&mut self) -> Result<f64, Failure> {
        let info: String = redis::cmd("INFO").arg("commandstats").query_async(&mut self.0).await?;
        let _: () = redis::cmd("CONFIG").arg("RESETSTAT").query_async(&mut self.0).await?;
        let own = ["auth", "select", "hello", "client|", "config|", "info"];
        let counts = info.lines().filter_map(|line| {
            let (name, counts) = line.strip_prefix("cmdstat_")?.split_once(":calls=")?;
            let counted = !own.iter().any(|own| name.starts_with(own));
            counts.split(',').next()?.parse::<f64>().ok().filter(|_| counted)
        });
        Ok(counts.sum())
    }
}
