//! Who does how much of which work.

use std::time::Duration;

use super::subject::Subject;

/// A kind of work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Workload {
    /// Projects of 30 pages and 20 products.
    Shops,
    /// Fifty times as many, of one page and one product.
    Tiny,
    /// One project of 50,000 pages and 50,000 products.
    Huge,
    /// Jobs without options and a handler that does nothing.
    Plain,
    /// Jobs as our API enqueues them and a handler that does nothing.
    Noop,
    /// Adding jobs.
    Enqueue,
    /// A handler that does nothing, and more and more jobs that wait behind.
    Backlog,
    /// Projects as in `shops`, on the farthest servers, by 1, 2, 4 and 8 drains of one batch at a time.
    Drains,
}

const ALL: [Workload; 8] = [
    Workload::Shops,
    Workload::Tiny,
    Workload::Huge,
    Workload::Plain,
    Workload::Noop,
    Workload::Enqueue,
    Workload::Backlog,
    Workload::Drains,
];

/// The workloads that were asked for; all if none was.
pub(crate) fn chosen(asked: &[Workload]) -> impl Iterator<Item = Workload> {
    ALL.into_iter().filter(move |it| asked.is_empty() || asked.contains(it))
}

/// One subject's part.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Turn {
    pub(crate) workload: Workload,
    pub(crate) subject: Subject,
    /// Jobs to be done.
    pub(crate) jobs: u32,
    /// Jobs that wait, those to be done among them.
    pub(crate) waiting: u32,
    /// Processes that do them together.
    pub(crate) processes: usize,
    pub(crate) round_trip: Duration,
}

/// Subjects that do the same work under the same conditions, in turns.
pub(crate) struct Turns {
    pub(crate) title: String,
    pub(crate) each: Vec<Turn>,
}

/// Every group of turns of a workload.
pub(crate) fn turns(
    workload: Workload,
    projects: u32,
    backlog: u32,
    round_trips: &[u64],
    subjects: &[Subject],
) -> Vec<Turns> {
    let group = |title: String, jobs: u32, waiting: Option<u32>, round_trip: u64| {
        let round_trip = Duration::from_millis(round_trip);
        let each = subjects.iter().filter(|subject| subject.does(workload)).map(|&subject| {
            let jobs = (jobs / subject.share(workload, round_trip)).max(1);
            let waiting = waiting.unwrap_or(jobs);
            Turn { workload, subject, jobs, waiting, processes: 1, round_trip }
        });
        Turns { title, each: each.collect() }
    };
    let groups = match workload {
        Workload::Shops => round_trips
            .iter()
            .map(|&ms| {
                let what = "projects of 30 pages and 20 products";
                group(format!("{projects} {what}, servers {ms} ms away"), projects, None, ms)
            })
            .collect(),
        Workload::Tiny => {
            let jobs = projects * 50;
            vec![group(format!("{jobs} projects of a page and a product"), jobs, None, 0)]
        }
        Workload::Huge => vec![group("a project of 100,000 rows".to_owned(), 1, None, 0)],
        Workload::Plain => {
            let jobs = projects * 20;
            vec![group(format!("{jobs} jobs without options, nothing to do"), jobs, None, 0)]
        }
        Workload::Noop => {
            let jobs = projects * 20;
            vec![group(format!("{jobs} jobs as the API adds them, nothing to do"), jobs, None, 0)]
        }
        Workload::Enqueue => {
            let jobs = projects * 10;
            vec![group(format!("adding {jobs} jobs"), jobs, None, 0)]
        }
        Workload::Backlog => (3..)
            .map(|power| 10_u32.pow(power))
            .take_while(|&waiting| waiting <= backlog)
            .map(|waiting| {
                let title = format!("{waiting} jobs wait, nothing to do");
                group(title, waiting.min(10 * projects), Some(waiting), 0)
            })
            .collect::<Vec<_>>(),
        Workload::Drains => {
            let ms = round_trips.iter().copied().max().unwrap_or_default();
            let drains = |processes: usize| {
                let title = format!("{processes} drains together, servers {ms} ms away");
                let mut turns = group(title, projects, None, ms);
                turns.each.iter_mut().for_each(|turn| turn.processes = processes);
                turns
            };
            [1, 2, 4, 8].map(drains).into()
        }
    };
    groups.into_iter().filter(|turns| !turns.each.is_empty()).collect()
}
