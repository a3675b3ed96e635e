//! Jobs are claimed.

use std::time::Duration;

use shared::config::{Events, Limiter};
use shared::queue::ClaimRequest;

use crate::totality::harness::{Call, Job, Scenario};

fn claim(name: &str, state: &[Job]) -> Scenario {
    Scenario::new(name, Call::Claim(ClaimRequest::everywhere(4)), state)
}

pub(super) fn all() -> Vec<Scenario> {
    let many = |n: usize| (0..n).map(|i| Job::new(&format!("w{i}")).waiting()).collect::<Vec<_>>();
    let one = || Job::new("w").waiting();
    let prioritized = || Job::new("p").prioritized(2);
    let due = || Job::new("d").delayed(-1_000);
    let urgent = || Job::new("dp").prioritized(3).delayed(-500);
    let everything = || {
        vec![
            one(),
            prioritized(),
            Job::new("q").prioritized(5),
            due(),
            urgent(),
            Job::new("a").active(),
        ]
    };
    vec![
        claim("one", &[one()]),
        claim("more than asked for", &many(6)),
        claim("more than asked for, told", &many(6)).with(|c| c.events = Events::All),
        claim("prioritized", &[prioritized(), Job::new("q").prioritized(5)]).and("SET @pc 2"),
        claim("due", &[due(), urgent(), Job::new("later").delayed(60_000)]),
        claim("everything", &everything()),
        claim("everything, told", &everything()).with(|c| c.events = Events::All),
        claim(
            "while others work",
            &[one(), prioritized(), Job::new("a").active(), Job::new("b").active()],
        ),
        claim("ids without a job", &[one(), Job::new("z").waiting()])
            .and("RPUSH @wait ghost")
            .and("ZADD @prioritized 5 ghost2")
            .and("ZADD @delayed 4096 ghost3"),
        claim("only ids without a job", &[]).and("RPUSH @wait ghost"),
        claim("old markers", &many(2)).and("RPUSH @wait 0:1799999999999"),
        claim("a limit", &many(3)).with(|c| {
            c.limiter = Limiter { max: Some(2), duration: Duration::from_secs(10) };
        }),
        claim("a limit of the queue's, partly used", &many(3))
            .and("HSET @meta max 3 duration 10000")
            .and("SET @limiter 1 PX 5000"),
        claim("a limit that is used up", &[one(), due()])
            .and("HSET @meta max 1 duration 10000")
            .and("SET @limiter 1 PX 5000"),
        claim("a bound on what is active", &[one(), prioritized(), Job::new("a").active()])
            .and("HSET @meta concurrency 2"),
        claim("a paused queue", &[Job::new("w").paused(), due()])
            .and("HSET @meta paused 1 version bullmq:5.81.5"),
        claim("doomed", &[one().field("defa", "no"), Job::new("x").waiting()]),
        claim("names of keys", &[Job::new("prioritized").waiting(), one()]),
    ]
}
