//! What ticks, jobs and requests need: the functions as they are deployed, on private servers. Redis itself
//! counts the commands.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;

use reqwest::Url;
use serde_json::Value;
use shared::config::{Endpoint, Secret};
use shared::engine::Report;
use shared::redis::Redis;

use super::{Figures, Once};
use crate::bench::commandstats::Executed;
use crate::bench::world::World;
use crate::relay::Relay;
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
    let mut settings = world.settings("cost");
    let postgres = before_postgres(&mut settings).await?;
    let start = async |name| Function::start(name, program(name), &[] as &[&str], &settings).await;
    let url = Secret::new(world.redis.url());
    let redis = Redis::new(&Endpoint::Tcp { url, allow_plaintext: false })?;
    let meter = Meter { redis, world: &world, postgres };
    let (mut drain, mut api, mut cron) =
        (start("drain").await?, start("api").await?, start("cron").await?);

    // The first of each connects, which is left aside.
    meter.tick(&mut drain).await?;
    let mut idle = Vec::new();
    for _ in 0..TIMES {
        idle.push(meter.tick(&mut drain).await?.1);
    }

    let plan = Plan { projects: TIMES, pages: 0, products: 0, seed: 1, now_ms: 0 };
    let token = issue(&Secret::new(DEVELOPMENT_SECRET), &plan.user_id(), TOKEN_S)?;
    let (mut asked, mut one) = (Vec::new(), Vec::new());
    for project in plan.project_ids() {
        let event = RECOMPUTE.replace("PROJECT", &project).replace("TOKEN", &token);
        let (done, once) = meter.invoke(&mut api, &event).await?;
        let answer: Value = serde_json::from_str(&done.answer)?;
        if answer["statusCode"] != 201 {
            return Err(format!("a recompute was answered with {answer}").into());
        }
        let answered = done.answer.len() as f64;
        let sent_bytes = once.sent_bytes + answered;
        asked.push(Once { round_trips: QUESTIONS_A_REQUEST, sent_bytes, ..once });
        one.push(meter.tick(&mut drain).await?.1);
    }

    let (done, once) = meter.invoke(&mut cron, TICK).await?;
    let night: cron::Report = serde_json::from_str(&done.answer)?;
    if night.enqueued != u64::from(jobs) {
        return Err(format!("of {jobs} projects not all were enqueued: {night:?}").into());
    }
    let share = f64::from(jobs);
    #[expect(clippy::cast_precision_loss, reason = "a sample's counts are far below 2^53")]
    let round_trips = (night.round_trips + night.pages) as f64 / share;
    let nightly = Once {
        commands: once.commands / share,
        round_trips,
        ms: once.ms / share,
        sent_bytes: once.sent_bytes / share,
        log_bytes: once.log_bytes / share,
    };

    let (report, many) = meter.tick(&mut drain).await?;
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

/// What is looked at beside each invocation.
struct Meter<'a> {
    redis: Redis,
    world: &'a World,
    postgres: Relay,
}

impl Meter<'_> {
    async fn tick(&self, drain: &mut Function) -> Result<(Report, Once), Failure> {
        let (done, once) = self.invoke(drain, TICK).await?;
        let report: Report = serde_json::from_str(&done.answer)?;
        #[expect(clippy::cast_precision_loss, reason = "a sample's counts are far below 2^53")]
        let round_trips = (report.round_trips + STATEMENTS_A_BATCH * report.batches) as f64;
        Ok((report, Once { round_trips, ..once }))
    }

    /// Invokes a function. How often it asked is what its report says.
    async fn invoke(
        &self,
        function: &mut Function,
        event: &str,
    ) -> Result<(Invocation, Once), Failure> {
        let before = Executed::by(&self.redis).await?;
        let (sent, logged) = (self.sent_bytes(), function.log().len());
        let done = function.invoke(event).await?;
        let (sent, logged) = (self.sent_bytes() - sent, function.log().len() - logged);
        let commands = Executed::by(&self.redis).await?.since(before).commands;
        #[expect(clippy::cast_precision_loss, reason = "a sample's counts are far below 2^53")]
        let once = Once {
            commands: commands as f64,
            round_trips: 0.0,
            ms: ms(&done),
            sent_bytes: sent as f64,
            log_bytes: logged as f64,
        };
        Ok((done, once))
    }

    /// What functions have sent to Redis and Postgres so far.
    fn sent_bytes(&self) -> u64 {
        self.world.sent_bytes() + self.postgres.sent_bytes()
    }
}

/// Puts a relay before the Postgres of these settings.
async fn before_postgres(settings: &mut [(String, String)]) -> Result<Relay, Failure> {
    let setting = settings.iter_mut().find(|(name, _)| name == "DATABASE_URL");
    let (_, setting) = setting.ok_or("no Postgres is there to be measured")?;
    let mut url = Url::parse(setting)?;
    let port = url.port().ok_or("the private Postgres has no port")?;
    let relay = Relay::to(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).await?;
    let moved = url.set_port(Some(relay.address().port()));
    moved.map_err(|()| "the private Postgres has another URL")?;
    *setting = url.to_string();
    Ok(relay)
}

/// The one in the middle, by its time.
fn median(mut times: Vec<Once>) -> Once {
    times.sort_by(|a, b| a.ms.total_cmp(&b.ms));
    times[times.len() / 2]
}

fn ms(done: &Invocation) -> f64 {
    done.took.as_secs_f64() * 1_000.0
}
