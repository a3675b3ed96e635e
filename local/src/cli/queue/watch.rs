//! `deo queue watch`.

use std::future::pending;
use std::pin::pin;
use std::process::ExitCode;
use std::time::Duration;

use command::Signals;
use serde::Serialize;
use shared::clock::{Clock, to_iso8601};
use shared::queue::{Error, Queue};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};

use super::stats::{Depth, Stats};
use super::{At, Outcome, span};
use crate::Failure;
use crate::terminal::{self, Screen};

/// A look at everything at least this often, whatever the pulse says.
const AT_LEAST: Duration = Duration::from_secs(60);

/// How long a look may take before the screen says that it waits.
const PATIENCE: Duration = Duration::from_secs(1);

/// Longer than any look.
const A_LONG_TIME: Duration = Duration::from_secs(86_400);

/// See the queue live: jobs in each state, the oldest one that waits, what was done lately
///
/// On a terminal it takes the screen until q (exit code 0) or Ctrl-C (130); elsewhere it writes a line a look. A look at
/// an idle queue costs 2 billed commands, and one at a queue with jobs 19 to 30, in four to eight round
/// trips.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// How often to look, such as 500ms, 5s or 1m.
    #[arg(long, value_name = "SPAN", value_parser = often, default_value = "5s")]
    interval: Duration,

    /// End after so many looks.
    #[arg(long, value_name = "LOOKS", value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,

    /// Print one line of JSON a look, and take no screen.
    #[arg(long)]
    json: bool,
}

/// Reads a span of a tenth of a second or more.
fn often(text: &str) -> Result<Duration, String> {
    let span = span::parse(text)?;
    if span < Duration::from_millis(100) {
        return Err("look every 100ms at most".to_owned());
    }
    Ok(span)
}

pub(super) async fn run(at: &At, args: Args) -> Outcome {
    let queue = at.queue()?;
    let mut signals = Signals::new()?;
    let mut view = View { queue, last: None };
    // Before the screen is taken: what cannot be seen at all is an error like any other.
    view.look().await?;
    let mut screen = if args.json { None } else { Screen::take()? };
    let mut looks = interval(args.interval);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    looks.tick().await;
    let mut trouble: Option<String> = None;
    let mut left = args.count.unwrap_or(u64::MAX);
    loop {
        view.show(screen.as_ref(), args.json, args.interval, trouble.as_deref())?;
        left -= 1;
        if left == 0 {
            return Ok(ExitCode::SUCCESS);
        }
        let waiting = trouble.as_deref().unwrap_or("waiting for Redis ...");
        let waiting = view.page(args.interval, Some(waiting));
        let mut next = pin!(async {
            looks.tick().await;
            view.look().await
        });
        let mut slow = pin!(sleep(args.interval + PATIENCE));
        trouble = loop {
            let key = async {
                match &mut screen {
                    Some(screen) => while !matches!(screen.key().await, b'q' | b'Q') {},
                    None => pending().await,
                }
            };
            tokio::select! {
                looked = &mut next => break looked.err().map(|error| error.to_string()),
                () = &mut slow => {
                    if let (Some(screen), Some(text)) = (&screen, &waiting) {
                        screen.show(text)?;
                    }
                    slow.set(sleep(A_LONG_TIME));
                }
                () = key => return Ok(ExitCode::SUCCESS),
                stopped = signals.next() => return Ok(stopped.code()),
            }
        };
    }
}

/// A line of JSON.
#[derive(Serialize)]
struct Look<'a> {
    /// When it was written: milliseconds since the epoch.
    at: i64,
    #[serde(flatten)]
    stats: &'a Stats,
}

/// What was seen last.
struct View {
    queue: Queue,
    last: Option<Seen>,
}

struct Seen {
    at: Instant,
    /// Jobs that were ever added.
    added: u64,
    busy: bool,
    stats: Stats,
}

impl View {
    /// Looks at everything, unless nothing was added since and nothing is there to be worked on.
    async fn look(&mut self) -> Result<(), Error> {
        let (occupied, added) = self.queue.pulse().await?;
        let busy = !occupied.is_empty();
        let same = self
            .last
            .as_ref()
            .is_some_and(|seen| seen.added == added && !seen.busy && seen.at.elapsed() < AT_LEAST);
        if busy || !same {
            let stats = Stats::of(&self.queue, Depth::Brief).await?;
            self.last = Some(Seen { at: Instant::now(), added, busy, stats });
        }
        Ok(())
    }

    fn show(
        &self,
        screen: Option<&Screen>,
        json: bool,
        interval: Duration,
        trouble: Option<&str>,
    ) -> Result<(), Failure> {
        let Some(Seen { stats, .. }) = &self.last else { return Ok(()) };
        if let Some(screen) = screen {
            return Ok(screen.show(&self.page(interval, trouble).unwrap_or_default())?);
        }
        let now = Clock::System.now_ms();
        match trouble {
            Some(error) => terminal::note(format!("deo: {error}")),
            None if json => terminal::say(serde_json::to_string(&Look { at: now, stats })?)?,
            None => terminal::say(line(stats, now))?,
        }
        Ok(())
    }

    /// Everything, for a screen; `None` where nothing was seen yet.
    fn page(&self, interval: Duration, trouble: Option<&str>) -> Option<String> {
        let Seen { stats, .. } = self.last.as_ref()?;
        let now = Clock::System.now_ms();
        let config = self.queue.options();
        let every = span::shown(i64::try_from(interval.as_millis()).unwrap_or(i64::MAX));
        let mut states = terminal::table(&["state", "jobs"], &[1]);
        for (state, jobs) in stats.states() {
            states.add_row([state.to_owned(), jobs.to_string()]);
        }
        let mut facts = terminal::table(&["", ""], &[]);
        if let Some(trouble) = trouble {
            facts.add_row(["cannot look", trouble]);
        }
        for (name, text) in stats.facts(now) {
            facts.add_row([name, text]);
        }
        terminal::fit(&mut facts);
        let (queue, at) = (format!("{}:{}", config.prefix, config.name), to_iso8601(now));
        Some(format!("{queue}  {at}  q ends  every {every}\n\n{states}\n{facts}"))
    }
}

/// Everything, in one line.
fn line(stats: &Stats, now: i64) -> String {
    let states = stats.states().map(|(state, jobs)| format!("{state} {jobs}"));
    let facts: Vec<String> =
        stats.facts(now).into_iter().map(|(name, text)| format!("{name}: {text}")).collect();
    format!("{}  {}  {}", to_iso8601(now), states.join("  "), facts.join("  "))
}
