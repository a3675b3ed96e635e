//! `deo demo`: projects scored by the code that runs on Lambda, on servers that come and go with it.

mod client;
mod round;
mod scratch;
mod show;

use std::process::ExitCode;

use command::Signals;
use shared::clock::Clock;
use shared::config::{Config, ProcessEnv};

use crate::gateway::{Gateway, GatewayConfig};
use crate::seed::{self, Plan};
use crate::servers::Servers;
use crate::settings::{Settings, given};
use crate::terminal::{Step, heading, note, say};
use crate::{DEVELOPMENT_SECRET, Failure, Outcome};
use round::Round;
use scratch::Scratch;

/// See projects scored, end to end: over the REST transport, then over TCP
///
/// Brings up Redis and Postgres (or takes REDIS_URL and DATABASE_URL, and there only a database and keys
/// of its own), seeds projects, asks for recomputes through the HTTP function, runs the drain, and
/// leaves nothing behind.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// How many projects.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..))]
    projects: u32,

    /// Print the scores and reports as one line of JSON.
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(args: Args) -> Outcome {
    let mut signals = Signals::new()?;
    let step = Step::begin("starting Redis and Postgres", !args.json);
    let servers = tokio::select! {
        servers = Servers::from_env_or_private(&ProcessEnv) => servers?,
        stopped = signals.next() => return Err(stopped.into()),
    };
    let mut scratch = Scratch::on(&servers);
    // A signal waits for it: the server goes on with a statement that we leave, and would make the database after it
    // was removed. From here on each way out removes what there is.
    let played = match scratch.make().await {
        Err(error) => Err(error),
        Ok(()) => {
            let played = async {
                step.done(format!("Redis and Postgres: {}", servers.description()))?;
                play(&args, &scratch).await
            };
            tokio::select! {
                played = played => played,
                stopped = signals.next() => Err(stopped.into()),
            }
        }
    };
    let removed = scratch.remove().await;
    drop(servers);
    if let (Err(_), Err(error)) = (&played, &removed) {
        // The first error is the one to end with, and what is left behind has to be told all the same.
        note(format!("deo: {error}"));
    }
    played.and(removed)?;
    if !args.json {
        say("\nEverything is stopped, and nothing is left behind.")?;
    }
    Ok(ExitCode::SUCCESS)
}

async fn play(args: &Args, scratch: &Scratch) -> Result<(), Failure> {
    let told = !args.json;
    let plan = Plan {
        projects: args.projects,
        pages: 20,
        products: 20,
        seed: 1,
        now_ms: Clock::System.now_ms(),
    };
    let step = Step::begin("migrating and seeding", told);
    let seeded = seed::into_empty(scratch.database_url(), &plan).await?;
    let title = format!(
        "Seeded {} projects with {} pages and {} products",
        seeded.projects, seeded.pages, seeded.products
    );
    step.done(title)?;

    let token = "demo";
    let gateway = Gateway::start(GatewayConfig {
        authorities: given(&ProcessEnv, "REDIS_CA"),
        ..GatewayConfig::new(scratch.redis_url(), token)
    })
    .await?;
    let settings = Settings::default()
        .with("DATABASE_URL", scratch.database_url())
        .with("JWT_SECRET", DEVELOPMENT_SECRET)
        .with("REDIS_PREFIX", scratch.prefix())
        .with("ENABLE_QUEUE_PROCESSORS", "true");
    let rest = settings
        .clone()
        .with("REDIS_TRANSPORT", "rest")
        .with("UPSTASH_REDIS_REST_URL", gateway.url())
        .with("UPSTASH_REDIS_REST_TOKEN", token);
    let tcp = settings.with("REDIS_TRANSPORT", "tcp").with("REDIS_URL", scratch.redis_url());

    let mut rounds: Vec<Round> = Vec::new();
    for (title, settings) in [("REST", rest), ("TCP", tcp)] {
        if told {
            heading(&format!("Over {title}"))?;
        }
        let config = Config::from_env(&settings)?;
        let step = Step::begin("asking for recomputes", told);
        let round = Round::begin(title, &config, &plan).await?;
        step.done(format!("Asked for {} recomputes through the HTTP function", plan.projects))?;
        let step = Step::begin("draining", told);
        let round = round.drain(&config, rounds.last()).await?;
        step.done(format!("Drained {} jobs", round.report.completed))?;
        if told && rounds.is_empty() {
            show::scores(&round)?;
        }
        rounds.push(round);
    }
    gateway.shutdown().await;
    if args.json {
        show::json(&rounds)?
    } else {
        show::reports(&rounds)?
    }
    Ok(())
}
