//! `deo queue watch`.

use std::process::ExitCode;
use std::time::Duration;

use command::Signals;
use shared::clock::{Clock, to_iso8601};
use shared::queue::{Error, Queue};
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::stats::Stats;
use super::{Outcome, queue, span};
use crate::Failure;
use crate::terminal::{self, Screen};

/// A look at everything at least this often, whatever the pulse says.
const AT_LEAST: Duration = Duration::from_secs(60);

/// See the queue live: jobs in each state, the oldest one that waits, what was done lately
///
/// On a terminal it takes the screen until q or Ctrl-C; elsewhere it writes a line a look. A look at
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

pub(super) async fn run(args: Args) -> Outcome {
    let queue = queue()?;
    let mut signals = Signals::new()?;
    let mut view = View { queue, last: None };
    // Before the screen is taken: what cannot be seen at all is an error like any other.
    view.look().await?;
    let mut screen = if args.json { None } else { Screen::take()? };
    let mut looks = interval(args.interval);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    looks.tick().await;
    let mut trouble = None;
    let mut left = args.count.unwrap_or(u64::MAX);
    loop {
        view.show(screen.as_ref(), args.json, args.interval, trouble.as_ref())?;
        left -= 1;
        if left == 0 {
            return Ok(ExitCode::SUCCESS);
        }
        let next = async {
            looks.tick().await;
            view.look().await
        };
        let key = async {
            match &mut screen {
                Some(screen) => while !matches!(screen.key().await, b'q' | b'Q') {},
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            looked = next => trouble = looked.err(),
            () = key => return Ok(ExitCode::SUCCESS),
            _ = signals.next() => return Ok(ExitCode::SUCCESS),
        }
    }
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
            let stats = Stats::of(&self.queue, false).await?;
            self.last = Some(Seen { at: Instant::now(), added, busy, stats });
        }
        Ok(())
    }

    fn show(
        &self,
        screen: Option<&Screen>,
        json: bool,
        interval: Duration,
        trouble: Option<&Error>,
    ) -> Result<(), Failure> {
        let Some(Seen { stats, .. }) = &self.last else { return Ok(()) };
        let now = Clock::System.now_ms();
        let Some(screen) = screen else {
            match trouble {
                Some(error) => terminal::note(format!("deo: {error}")),
                None if json => terminal::say(serde_json::to_string(stats)?)?,
                None => terminal::say(line(stats, now))?,
            }
            return Ok(());
        };
        let config = self.queue.options();
        let every = span::shown(i64::try_from(interval.as_millis()).unwrap_or(i64::MAX));
        let state = match trouble {
            Some(error) => format!("cannot look: {error}"),
            None => format!("{}  every {every}  q ends", to_iso8601(now)),
        };
        let text = format!("{}:{}  {state}\n\n{}", config.prefix, config.name, page(stats, now));
        Ok(screen.show(&text)?)
    }
}

/// Everything, for a screen.
fn page(stats: &Stats, now: i64) -> String {
    let mut states = terminal::table(&["state", "jobs"], &[1]);
    for (state, jobs) in stats.states() {
        states.add_row([state.to_owned(), jobs.to_string()]);
    }
    let mut facts = terminal::table(&["", ""], &[]);
    for (name, text) in stats.facts(now) {
        facts.add_row([name, text]);
    }
    format!("{states}\n{facts}")
}

/// Everything, in one line.
fn line(stats: &Stats, now: i64) -> String {
    let states = stats.states().map(|(state, jobs)| format!("{state} {jobs}"));
    let facts: Vec<String> =
        stats.facts(now).into_iter().map(|(name, text)| format!("{name}: {text}")).collect();
    format!("{}  {}  {}", to_iso8601(now), states.join("  "), facts.join("  "))
}
