//! An operator's hand.

use shared::config::Events;
use shared::queue::{Ended, State};

use crate::totality::harness::{Call, Job, Scenario};

fn scenario(name: &str, call: Call, state: &[Job]) -> Scenario {
    Scenario::new(name, call, state).with(|c| c.events = Events::All)
}

pub(super) fn all() -> Vec<Scenario> {
    let waiting = || {
        [
            Job::new("w").waiting(),
            Job::new("x").waiting(),
            Job::new("p").prioritized(2),
            Job::new("d").delayed(5_000),
        ]
    };
    let paused = || [Job::new("w").paused(), Job::new("x").paused(), Job::new("p").prioritized(2)];
    let parent = || Job::new("parent").waiting_for_children();
    let child = |id: &str| Job::new(id).child_of(&parent(), "fpof");
    let mut all = vec![
        scenario("a queue of version 5", Call::Pause, &waiting())
            .and("HSET @meta version bullmq:5.81.5"),
        scenario("a queue of version 6", Call::Pause, &waiting())
            .and("HSET @meta version bullmq:6.7.0"),
        scenario("a queue of nobody's", Call::Pause, &waiting()),
        scenario(
            "what waits in both lists",
            Call::Pause,
            &[Job::new("w").waiting(), Job::new("x").paused()],
        )
        .and("HSET @meta version bullmq:5.81.5"),
        scenario("a paused queue", Call::Pause, &paused()).and("HSET @meta paused 1"),
        scenario("what version 5 paused", Call::Resume, &paused())
            .and("HSET @meta paused 1 version bullmq:5.81.5"),
        scenario("what version 6 paused", Call::Resume, &waiting())
            .and("HSET @meta paused 1 version bullmq:6.7.0"),
        scenario(
            "what waits in both lists",
            Call::Resume,
            &[Job::new("w").waiting(), Job::new("x").paused()],
        )
        .and("HSET @meta paused 1"),
        scenario("only what is delayed", Call::Resume, &[Job::new("d").delayed(5_000)])
            .and("HSET @meta paused 1"),
        scenario("a running queue", Call::Resume, &waiting()),
        scenario("one", Call::Promote("d"), &waiting()),
        scenario(
            "a prioritized one",
            Call::Promote("dp"),
            &[Job::new("dp").prioritized(4).delayed(5_000), Job::new("w").waiting()],
        ),
        scenario(
            "while paused",
            Call::Promote("d"),
            &[Job::new("d").delayed(5_000), Job::new("w").paused()],
        )
        .and("HSET @meta paused 1 version bullmq:5.81.5"),
        scenario(
            "some",
            Call::PromoteAll,
            &[Job::new("d").delayed(5_000), Job::new("e").delayed(6_000), Job::new("w").waiting()],
        )
        .and("ZADD @delayed 4096 ghost"),
        scenario(
            "a failed one",
            Call::Retry("f", Ended::Failed, false),
            &[Job::new("f").failed(5), Job::new("w").waiting()],
        ),
        scenario(
            "a failed one anew",
            Call::Retry("f", Ended::Failed, true),
            &[Job::new("f").failed(5).field("priority", "2")],
        )
        .and("HSET @meta version bullmq:6.7.0"),
        scenario(
            "a completed one",
            Call::Retry("c", Ended::Completed, false),
            &[Job::new("c").completed(5), Job::new("w").waiting()],
        ),
        scenario(
            "a failed child",
            Call::Retry("f", Ended::Failed, false),
            &[parent(), child("f").failed(5), child("g").waiting()],
        )
        .and("SREM @parent:dependencies @f")
        .and("ZADD @parent:unsuccessful 1 @f"),
        scenario(
            "failed ones",
            Call::RetryAll(Ended::Failed),
            &[Job::new("f").failed(5), Job::new("g").failed(6), Job::new("w").waiting()],
        ),
        scenario(
            "those with a reason",
            Call::RetryByReason("luck"),
            &[
                Job::new("f").failed(5).field("failedReason", "no luck"),
                Job::new("g").failed(6).field("failedReason", "another"),
                Job::new("w").waiting(),
            ],
        ),
        scenario(
            "completed ones",
            Call::RetryAll(Ended::Completed),
            &[Job::new("c").completed(5), Job::new("e").completed(6)],
        ),
        scenario(
            "a failed child among them",
            Call::RetryAll(Ended::Failed),
            &[parent(), child("f").failed(5), child("g").waiting()],
        )
        .and("SREM @parent:dependencies @f")
        .and("ZADD @parent:unsuccessful 1 @f")
        .and("HSET @meta version bullmq:6.7.0"),
        scenario("a child, the last", Call::Remove("c"), &[parent(), child("c").waiting()])
            .going(&["c"]),
        scenario(
            "a parent with children",
            Call::Remove("parent"),
            &[parent(), child("c").waiting(), child("d").delayed(5_000), Job::new("w").waiting()],
        )
        .going(&["parent", "c", "d"]),
        scenario(
            "one that holds",
            Call::Remove("h"),
            &[Job::new("h").holding("dd").waiting(), Job::new("w").waiting()],
        )
        .going(&["h"]),
        scenario("one that is locked", Call::Remove("a"), &[Job::new("a").active()]),
    ];
    for (job, place) in [
        (Job::new("z").waiting(), "waiting"),
        (Job::new("z").prioritized(2), "prioritized"),
        (Job::new("z").delayed(5_000), "delayed"),
        (Job::new("z").completed(5), "completed"),
        (Job::new("z").failed(5), "failed"),
        (Job::new("z").abandoned(), "active"),
    ] {
        all.push(
            scenario(
                &format!("one that is {place}"),
                Call::Remove("z"),
                &[job, Job::new("w").waiting()],
            )
            .going(&["z"]),
        );
    }
    for state in [
        State::Completed,
        State::Failed,
        State::Wait,
        State::Delayed,
        State::Prioritized,
        State::Active,
    ] {
        let place = |job: Job| match state {
            State::Completed => job.completed(5),
            State::Failed => job.failed(5),
            State::Delayed => job.delayed(5_000),
            State::Prioritized => job.prioritized(2),
            State::Active => job.abandoned(),
            _ => job.waiting(),
        };
        let jobs = [
            place(Job::new("y")),
            place(Job::new("z").holding("dz")),
            Job::new("w").waiting(),
            Job::new("a").active(),
        ];
        let going: &[&str] = if state == State::Wait { &["y", "z", "w"] } else { &["y", "z"] };
        all.push(scenario(state.name(), Call::Clean(state), &jobs).going(going));
    }
    let last = child("y").completed(5).and("SADD @parent:dependencies @y");
    all.push(
        scenario("a parent's last child", Call::Clean(State::Completed), &[parent(), last])
            .going(&["y", "parent"]),
    );
    all
}
