//! Job schedulers, and the next job of each.

use shared::config::Events;
use shared::queue::ClaimRequest;
use shared::queue::schedule::{Rule, Scheduler};

use crate::totality::harness::{Call, Job, Scenario};

const RULE: &str =
    r#"{"repeat":{"every":100000,"count":1},"repeatJobKey":"s","delay":0,"jobId":"x"}"#;

fn scheduler(every_ms: u64) -> Box<Scheduler> {
    let rule = Rule::Every { every_ms, offset_ms: 0 };
    let (id, name, data) = ("s".to_owned(), "n".to_owned(), "{}".to_owned());
    Box::new(Scheduler { id, name, data, rule, ..Scheduler::default() })
}

/// A scheduler, whose next job is `job`.
fn scheduled(scenario: Scenario, at: i64) -> Scenario {
    scenario.and(&format!("ZADD @repeat {at} s")).and("HSET @repeat:s name n every 100000 ic 1")
}

fn next(at: i64) -> Job {
    Job::new(&format!("repeat:s:{at}")).opts(RULE).field("rjk", "s")
}

pub(super) fn all() -> Vec<Scenario> {
    let later = 1_800_000_050_000;
    let due = 1_799_999_999_000;
    let upsert = |every| Call::Schedule(scheduler(every));
    let claim = || Call::Claim(ClaimRequest::everywhere(4));
    let waiting = || Job::new("w").waiting();
    let going = |scenario: Scenario, at: i64| scenario.going(&[&format!("repeat:s:{at}")]);
    vec![
        Scenario::new("a new one", upsert(100_000), &[waiting()]),
        Scenario::new("a new one, told", upsert(100_000), &[waiting()])
            .with(|c| c.events = Events::All),
        going(
            scheduled(
                Scenario::new(
                    "the same again",
                    upsert(100_000),
                    &[next(later).delayed(50_000), waiting()],
                ),
                later,
            ),
            later,
        ),
        going(
            scheduled(
                Scenario::new("another rule", upsert(70_000), &[next(later).delayed(50_000)]),
                later,
            ),
            later,
        ),
        going(
            scheduled(
                Scenario::new(
                    "while its job waits",
                    upsert(70_000),
                    &[next(due).waiting(), waiting()],
                ),
                due,
            ),
            due,
        ),
        scheduled(Scenario::new("while its job runs", upsert(70_000), &[next(due).active()]), due),
        going(
            scheduled(
                Scenario::new(
                    "one",
                    Call::Unschedule("s"),
                    &[next(later).delayed(50_000), waiting()],
                ),
                later,
            ),
            later,
        )
        .with(|c| c.events = Events::All),
        scheduled(
            Scenario::new("one whose next job is gone", Call::Reschedule, &[waiting()]),
            later,
        ),
        scheduled(
            Scenario::new(
                "one whose last job has ended",
                Call::Reschedule,
                &[next(due).completed(5)],
            ),
            due,
        )
        .with(|c| c.events = Events::All),
        scheduled(
            Scenario::new("a scheduler's job", claim(), &[next(due).waiting(), waiting()]),
            due,
        ),
        scheduled(
            Scenario::new(
                "a scheduler's job, due and told",
                claim(),
                &[next(due).delayed(-1_000), waiting()],
            ),
            due,
        )
        .with(|c| c.events = Events::All),
    ]
}
