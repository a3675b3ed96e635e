//! Jobs whose owner died, or goes on.

use shared::config::Events;

use crate::totality::harness::{Call, Job, Scenario};

fn recover(name: &str, state: &[Job]) -> Scenario {
    Scenario::new(name, Call::Recover, state)
}

/// The next job of the scheduler whose current one stalled.
const NEXT: &str = "HSET @repeat:s:1800000090000 name n data {} opts {\"repeat\":{\"every\":100000}} \
                    timestamp 1800000000000 delay 90000 priority 0 rjk s";

pub(super) fn all() -> Vec<Scenario> {
    let dead = |id: &str| Job::new(id).abandoned().suspected();
    vec![
        recover("none was suspected", &[Job::new("a").abandoned(), Job::new("b").active()]),
        recover("one stalled", &[dead("a")]),
        recover(
            "some stalled",
            &[dead("a"), dead("b"), Job::new("c").active().suspected(), Job::new("d").active()],
        ),
        recover("some stalled, told", &[dead("a"), dead("b"), Job::new("w").waiting()])
            .with(|c| c.events = Events::All),
        recover(
            "one stalled too often",
            &[dead("a").field("stc", "3"), dead("b").field("stc", "1")],
        ),
        recover("an id without a job", &[dead("b")])
            .and("LPUSH @active ghost")
            .and("SADD @stalled ghost"),
        recover("one that has ended meanwhile", &[Job::new("a").completed(5), dead("b")])
            .and("SADD @stalled a"),
        recover(
            "a scheduler's",
            &[dead("repeat:s:1799999990000").field("rjk", "s").field("stc", "5")],
        )
        .and("ZADD @repeat 1800000090000 s")
        .and("HSET @repeat:s name s every 100000 ic 1")
        .and(NEXT)
        .and("ZADD @delayed 7372800368640000 repeat:s:1800000090000"),
        recover("in a paused queue", &[dead("a"), Job::new("w").paused()])
            .and("HSET @meta paused 1 version bullmq:5.81.5"),
        recover("in a full queue", &[dead("a"), Job::new("w").waiting()])
            .and("HSET @meta concurrency 1"),
        recover("one stands twice", &[dead("a"), Job::new("w").waiting()]).and("LPUSH @active a"),
        Scenario::new(
            "three, of which one is lost",
            Call::Renew(["a", "b", "c"].map(str::to_owned).to_vec()),
            &[
                Job::new("a").active().suspected(),
                Job::new("b").active(),
                Job::new("c").abandoned(),
            ],
        ),
    ]
}
