//! Jobs are added.

use shared::config::Events;
use shared::queue::{Deduplication, JobOptions, NewJob};

use crate::totality::harness::{Call, Job, Scenario};

type Mode = fn(&mut Deduplication);

fn job(opts: JobOptions) -> NewJob {
    NewJob { name: "n".to_owned(), data: "{}".to_owned(), opts, ..NewJob::default() }
}

fn custom(id: &str) -> NewJob {
    job(JobOptions { job_id: Some(id.to_owned()), ..JobOptions::default() })
}

/// One that is deduplicated, under `d`.
fn once(change: Mode) -> NewJob {
    let mut deduplication = Deduplication { id: "d".to_owned(), ..Deduplication::default() };
    change(&mut deduplication);
    job(JobOptions { deduplication: Some(deduplication), ..JobOptions::default() })
}

fn late(change: Mode) -> NewJob {
    let mut job = once(change);
    job.opts.delay_ms = 5_000;
    job
}

fn add(name: &str, jobs: Vec<NewJob>, state: &[Job]) -> Scenario {
    Scenario::new(name, Call::Enqueue(jobs), state)
}

pub(super) fn all() -> Vec<Scenario> {
    let plain = || vec![job(JobOptions::default()), job(JobOptions::default())];
    let mixed = || {
        vec![
            job(JobOptions::default()),
            job(JobOptions { lifo: true, ..JobOptions::default() }),
            job(JobOptions { priority: 3, ..JobOptions::default() }),
            job(JobOptions { delay_ms: 1_000, ..JobOptions::default() }),
            custom("custom"),
            once(|_| {}),
        ]
    };
    let waiting = || Job::new("w").waiting();
    let holder = || Job::new("h").holding("d");
    let ended = || Job::new("h").completed(5).field("deid", "d").and("SET @de:d h");
    let promoting = |state: Job| {
        let mut job = once(|_| {});
        job.promote_duplicate = true;
        add("a duplicate moves to the front", vec![job], &[state, waiting()])
    };
    let modes: [(&str, Mode); 5] = [
        ("simple", |_| {}),
        ("throttled", |d| d.ttl_ms = Some(5_000)),
        ("extended", |d| (d.ttl_ms, d.extend) = (Some(5_000), true)),
        ("replaced", |d| d.replace = true),
        ("replaced and extended", |d| (d.ttl_ms, d.extend, d.replace) = (Some(5_000), true, true)),
    ];
    let mut all = vec![
        add("to an empty queue", plain(), &[]),
        add("to a queue with jobs", plain(), &[waiting(), Job::new("p").prioritized(2)]),
        add("every kind at once", mixed(), &[waiting()]),
        add("every kind at once, told", mixed(), &[waiting()]).with(|c| c.events = Events::All),
        add("to a paused queue", mixed(), &[Job::new("w").paused()])
            .and("HSET @meta paused 1 version bullmq:5.81.5"),
        add(
            "two that are due at once",
            vec![late(|_| {}), job(JobOptions { delay_ms: 5_000, ..JobOptions::default() })],
            &[Job::new("x").delayed(5_000)],
        ),
        add(
            "ids that exist, in two states",
            vec![custom("w"), custom("c"), custom("new")],
            &[waiting(), Job::new("c").completed(5)],
        )
        .with(|c| c.events = Events::All),
        add(
            "one that runs is followed",
            vec![once(|d| d.keep_last_if_active = true)],
            &[holder().active(), waiting()],
        ),
        add("one that runs stands for it", vec![once(|_| {})], &[holder().active()]),
        add(
            "the last of several",
            vec![once(|d| d.keep_last_if_active = true)],
            &[Job::new("h").active().followed("d")],
        ),
        add(
            "a delayed one is moved",
            vec![late(|d| d.reschedule = true)],
            &[holder().delayed(1_000)],
        )
        .with(|c| c.events = Events::All),
        add("the holder has ended", vec![once(|_| {})], &[ended()]),
        add("the holder is no job", vec![once(|_| {})], &[waiting()]).and("SET @de:d gone"),
        add("twins in one call", vec![once(|_| {}), once(|_| {}), once(|d| d.replace = true)], &[]),
        add(
            "twins of which one replaces",
            vec![late(|d| d.replace = true), late(|d| d.replace = true)],
            &[waiting()],
        ),
        add(
            "two that are held",
            vec![once(|_| {}), once(|d| d.id = "e".to_owned())],
            &[holder().prioritized(7), Job::new("i").holding("e").prioritized(8)],
        ),
        promoting(holder().prioritized(7)),
        promoting(holder().delayed(9_000)),
    ];
    for (name, mode) in modes {
        all.push(add(&format!("none holds, {name}"), vec![once(mode)], &[waiting()]));
        all.push(add(&format!("one waits, {name}"), vec![once(mode)], &[holder().waiting()]));
        // What a replacement takes away is to go.
        let replaced = add(
            &format!("one is delayed, {name}"),
            vec![late(mode)],
            &[holder().delayed(4_000), waiting()],
        );
        all.push(if name.starts_with("replaced") { replaced.going(&["h"]) } else { replaced });
    }
    all
}
