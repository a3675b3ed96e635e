//! Claimed jobs end.

use shared::config::Events;
use shared::queue::{ClaimRequest, Settlement};

use crate::totality::harness::{Call, Job, Scenario};

pub(super) fn done() -> Settlement {
    Settlement::Complete("null".to_owned())
}

pub(super) fn failed() -> Settlement {
    Settlement::Failed("no".to_owned())
}

/// The jobs end so, among others in `state`.
pub(super) fn settle(name: &str, jobs: &[(Job, Settlement)], state: &[Job]) -> Scenario {
    Scenario::new(name, Call::Settle(claimed(jobs)), &all_of(jobs, state))
}

pub(super) fn settle_and_claim(name: &str, jobs: &[(Job, Settlement)], state: &[Job]) -> Scenario {
    let call = Call::SettleAndClaim(claimed(jobs), ClaimRequest::everywhere(2));
    Scenario::new(name, call, &all_of(jobs, state))
}

fn claimed(jobs: &[(Job, Settlement)]) -> Vec<(shared::queue::ClaimedJob, Settlement)> {
    jobs.iter().map(|(job, end)| (job.claimed(), end.clone())).collect()
}

fn all_of(jobs: &[(Job, Settlement)], state: &[Job]) -> Vec<Job> {
    state.iter().cloned().chain(jobs.iter().map(|(job, _)| job.clone())).collect()
}

const TWICE: &str = r#"{"attempts":2}"#;
const LATER: &str = r#"{"attempts":3,"backoff":{"type":"fixed","delay":1000}}"#;
const BOUNDED: &str =
    r#"{"removeOnComplete":{"count":2,"age":3600},"removeOnFail":{"count":2,"age":3600}}"#;
const NONE: &str = r#"{"removeOnComplete":true,"removeOnFail":true}"#;

pub(super) fn all() -> Vec<Scenario> {
    let job = |id: &str| Job::new(id).active();
    let waiting = || Job::new("w").waiting();
    let held = || Job::new("held").active();
    let plain = || [(job("a"), done()), (job("b"), done())];
    let bounded = |end: fn() -> Settlement| {
        [(job("a").opts(BOUNDED), end()), (job("b").opts(BOUNDED), end())]
    };
    let old = || {
        [
            Job::new("c1").completed(10),
            Job::new("c2").completed(20),
            Job::new("c3").completed(7_200),
            Job::new("f1").failed(10),
            Job::new("f2").failed(20),
            Job::new("f3").failed(7_200),
        ]
    };
    let history = &["c1", "c2", "c3", "f1", "f2", "f3"];
    let mixed = || {
        [
            (job("a"), done()),
            (job("b"), failed()),
            (job("c").opts(TWICE), failed()),
            (job("d").opts(LATER), failed()),
            (job("e"), Settlement::Release),
            (job("f").field("priority", "3"), Settlement::Release),
            (job("g").opts(TWICE), Settlement::Unrecoverable("no".to_owned())),
            (job("i").opts(TWICE).field("priority", "3"), failed()),
        ]
    };
    let due = || Job::new("due").delayed(-1_000);
    let unique = || [(job("a").holding("da"), done()), (job("b").holding("db"), failed())];
    let followed = |end: fn() -> Settlement| {
        [(job("a").followed("da"), end()), (job("b").holding("db"), done())]
    };
    let mut all = Vec::new();
    for (verb, together) in [("", false), (" ", true)] {
        let end = if together { settle_and_claim } else { settle };
        let name = |text: &str| format!("{text}{verb}").trim_end().to_owned();
        all.extend([
            end(&name("one completes"), &[(job("a"), done())], &[]),
            end(&name("one completes among others"), &[(job("a"), done())], &[held(), waiting()]),
            end(&name("two complete"), &plain(), &[held(), waiting()]),
            end(&name("two complete, told"), &plain(), &[held(), waiting()])
                .with(|c| c.events = Events::All),
            end(&name("two complete, counted"), &plain(), &[])
                .with(|c| c.metrics_minutes = 5)
                .and("HSET @metrics:completed count 3 prevTS 1799999700000 prevCount 1"),
            end(
                &name("two complete and are not kept"),
                &[(job("a").opts(NONE), done()), (job("b").opts(NONE), done())],
                &[held(), waiting()],
            )
            .going(&["a", "b"]),
            end(
                &name("one fails and is not kept"),
                &[(job("a").opts(NONE), failed()), (job("b"), done())],
                &[held()],
            )
            .going(&["a"]),
            end(&name("completed ones make room"), &bounded(done), &old()).going(history),
            end(&name("failed ones make room"), &bounded(failed), &old()).going(history),
            end(
                &name("every end at once"),
                &mixed(),
                &[held(), waiting(), due(), Job::new("p").prioritized(3)],
            ),
            end(&name("every end at once, told"), &mixed(), &[held(), waiting(), due()])
                .with(|c| (c.events, c.metrics_minutes) = (Events::All, 5)),
            end(
                &name("every end at once, paused"),
                &mixed(),
                &[held(), Job::new("w").paused(), due()],
            )
            .and("HSET @meta paused 1 version bullmq:5.81.5"),
            end(&name("deduplicated"), &unique(), &[held()]),
            end(&name("followed, completes"), &followed(done), &[held(), waiting()]),
            end(&name("followed, fails"), &followed(failed), &[held()])
                .with(|c| c.events = Events::All),
            end(&name("followed by a delayed one"), &[(job("a").holding("da"), done())], &[]).and(
                r#"HSET @dn:da name next data {} opts {"delay":1000,"de":{"id":"da","ttl":5000}}"#,
            ),
            end(
                &name("followed by a prioritized one"),
                &[(job("a").opts(NONE).holding("da"), done())],
                &[],
            )
            .and(r#"HSET @dn:da name next data {} opts {"priority":4}"#)
            .going(&["a"]),
            end(
                &name("another's lock and a lost one"),
                &[
                    (job("a"), done()),
                    (Job::new("b").abandoned(), done()),
                    (Job::new("c").active().and("SET @c:lock other PX 120000"), failed()),
                ],
                &[held()],
            ),
            end(
                &name("suspected"),
                &[(job("a").suspected(), done()), (job("b").suspected(), Settlement::Release)],
                &[held()],
            ),
            end(
                &name("names of keys"),
                &[(job("prioritized"), done()), (job("b"), done())],
                &[held()],
            ),
        ]);
    }
    // The next ones lie in other places than the one that a plain claim looks into.
    all.push(settle_and_claim(
        "and takes from everywhere",
        &plain(),
        &[Job::new("p").prioritized(2), due(), waiting()],
    ));
    all.push(
        settle_and_claim("and finds nothing", &plain(), &[Job::new("later").delayed(60_000)])
            .with(|c| c.events = Events::All),
    );
    all.push(settle(
        "many others are active",
        &plain(),
        &(0..90).map(|i| job(&format!("o{i}"))).collect::<Vec<_>>(),
    ));
    all
}
