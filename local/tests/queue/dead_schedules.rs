//! Schedulers whose next job is gone: it is put back, once, and no living one is touched.

use super::*;
use shared::queue::schedule::{Behind, Rescheduled, Rule, Scheduler};

const HOUR: i64 = 3_600_000;

fn hourly() -> Rule {
    Rule::Every { every_ms: HOUR as u64, offset_ms: 0 }
}

/// On the hour; the clock of the tests begins on one.
fn by_pattern() -> Rule {
    let (pattern, tz) = ("0 * * * *".to_owned(), Some("UTC".to_owned()));
    Rule::Pattern { pattern, tz, immediately: true }
}

fn scheduler(rule: Rule) -> Scheduler {
    Scheduler {
        id: "s".to_owned(),
        name: "n".to_owned(),
        data: r#"{"of":"x"}"#.to_owned(),
        opts: JobOptions { attempts: 7, ..JobOptions::default() },
        rule,
        ..Scheduler::default()
    }
}

fn at(ms: i64) -> String {
    format!("repeat:s:{ms}")
}

impl Bench {
    /// Takes the waiting job out of the queue as a consumer that knows of no schedulers does.
    async fn consume(&self, id: &str, kept: Option<&str>) {
        self.raw("LREM", "wait", &["1", id]).await;
        match kept {
            Some(state) => {
                let now = self.clock.now_ms().to_string();
                self.raw("ZADD", state, &[&now, id]).await;
                self.raw("HSET", id, &["finishedOn", &now]).await;
            }
            None => {
                self.raw("DEL", id, &[]).await;
            }
        }
    }

    /// All places in which jobs of the scheduler stand that are still to be done.
    async fn next_jobs(&self) -> Vec<String> {
        let mut found = Vec::new();
        for key in ["wait", "paused", "active"] {
            found.extend(self.list(key).await);
        }
        for key in ["delayed", "prioritized"] {
            let ids = self.raw("ZRANGE", key, &["0", "-1"]).await;
            found.extend(ids.as_array().unwrap().iter().map(|id| id.as_str().unwrap().to_owned()));
        }
        found
    }

    async fn rescheduled(&self) -> Vec<String> {
        let done = self.queue.reschedule().await.unwrap();
        assert_eq!(done.unscheduled, Vec::<String>::new());
        done.schedules.into_iter().map(|(_, next)| next.job_id).collect()
    }
}

#[tokio::test]
async fn a_job_that_ended_without_a_next_one_is_followed_by_it() {
    for (n, kept) in [Some("completed"), Some("failed"), None].into_iter().enumerate() {
        for (rule, name) in [(hourly(), "every"), (by_pattern(), "pattern")] {
            let b = Bench::new(&format!("dead-{name}-{n}")).await;
            let first = b.queue.schedule(&scheduler(rule)).await.unwrap();
            b.consume(&first.job_id, kept).await;
            // Some hours are missed: the next time is the first one to come.
            b.clock.advance(3 * HOUR + 60_000);
            let next = at(NOW + 4 * HOUR);
            assert_eq!(b.rescheduled().await, [next.as_str()], "{name} {kept:?}");
            assert_eq!(b.next_jobs().await, [next.as_str()]);
            assert_eq!(b.field("repeat:s", "ic").await.as_deref(), Some("2"));
            assert_eq!(b.field(&next, "data").await.as_deref(), Some(r#"{"of":"x"}"#));
            assert_eq!(b.field(&next, "name").await.as_deref(), Some("n"));
            let opts: serde_json::Value =
                serde_json::from_str(&b.field(&next, "opts").await.unwrap()).unwrap();
            assert_eq!((&opts["repeat"]["count"], &opts["attempts"]), (&2.into(), &7.into()));
            // And from there it goes on.
            assert_eq!(b.rescheduled().await, Vec::<String>::new());
            b.clock.advance(HOUR);
            let claim = b.claim().await;
            assert_eq!(ids(&claim), [next]);
            b.settle(claim, done()).await;
            assert_eq!(b.next_jobs().await, [at(NOW + 5 * HOUR)]);
            assert_eq!(b.field("repeat:s", "ic").await.as_deref(), Some("3"));
        }
    }
}

#[tokio::test]
async fn a_job_that_was_deleted_before_its_time_gets_its_time_back() {
    for (rule, name) in [(hourly(), "every"), (by_pattern(), "pattern")] {
        for whole in [true, false] {
            let b = Bench::new(&format!("dead-lost-{name}-{whole}")).await;
            b.queue
                .schedule(&Scheduler { limit: Some(2), ..scheduler(rule.clone()) })
                .await
                .unwrap();
            let claim = b.claim().await;
            b.settle(claim, done()).await;
            let next = at(NOW + HOUR);
            let before = b.field(&next, "opts").await.unwrap();
            b.raw("DEL", &next, &[]).await;
            if whole {
                b.raw("ZREM", "delayed", &[&next]).await;
            }
            b.clock.advance(60_000);
            assert_eq!(b.rescheduled().await, [next.as_str()]);
            assert_eq!(b.next_jobs().await, [next.as_str()]);
            // It was counted when it was first made, and so its limit is not reached before it ran.
            assert_eq!(b.field("repeat:s", "ic").await.as_deref(), Some("2"));
            let [before, after] = [before, b.field(&next, "opts").await.unwrap()]
                .map(|opts| serde_json::from_str::<serde_json::Value>(&opts).unwrap());
            for key in ["repeat", "prevMillis", "attempts", "jobId", "repeatJobKey"] {
                assert_eq!(before[key], after[key], "{name} {key}");
            }
            b.clock.advance(HOUR);
            let claim = b.claim().await;
            assert_eq!(ids(&claim), [next]);
            b.settle(claim, done()).await;
            assert_eq!(b.next_jobs().await, Vec::<String>::new(), "beyond its limit");
            assert_eq!(b.rescheduled().await, Vec::<String>::new());
        }
    }
}

#[tokio::test]
async fn a_job_that_somebody_still_has_is_left_alone() {
    let list = |b: Bench, key: &'static str| async move {
        b.raw("LPUSH", key, &[&at(NOW)]).await;
        b
    };
    let set = |b: Bench, key: &'static str| async move {
        b.raw("ZADD", key, &["1", &at(NOW)]).await;
        b
    };
    for hash in [true, false] {
        for key in ["wait", "paused", "active", "prioritized", "waiting-children"] {
            let b = Bench::new(&format!("dead-alive-{key}-{hash}")).await;
            b.queue.schedule(&scheduler(hourly())).await.unwrap();
            b.raw("DEL", "wait", &[]).await;
            let b = match key {
                "prioritized" | "waiting-children" => set(b, key).await,
                _ => list(b, key).await,
            };
            if !hash {
                b.raw("DEL", &at(NOW), &[]).await;
            }
            b.clock.advance(5 * HOUR);
            assert_eq!(b.queue.reschedule().await.unwrap(), Rescheduled::default(), "{key}");
        }
    }
    // One that waits for its time costs no more than the look.
    let b = Bench::new("dead-alive-delayed").await;
    b.queue.schedule(&scheduler(hourly())).await.unwrap();
    let claim = b.claim().await;
    b.settle(claim, done()).await;
    let queue = b.queue.over(b.queue.redis().metered());
    assert_eq!(queue.reschedule().await.unwrap(), Rescheduled::default());
    assert_eq!((queue.redis().usage().billed, queue.redis().usage().round_trips), (4, 1));
}

#[tokio::test]
async fn a_schedule_that_has_ended_is_not_dead() {
    let limited = Scheduler { limit: Some(1), ..scheduler(hourly()) };
    let over = Scheduler { end_ms: Some(NOW + 60_000), ..scheduler(hourly()) };
    // Its last time is before its end, which is still to come.
    let last = Scheduler { end_ms: Some(NOW + 24 * HOUR - 1), ..scheduler(by_pattern()) };
    for (n, ended) in [limited, over, last].into_iter().enumerate() {
        let b = Bench::new(&format!("dead-ended-{n}")).await;
        let first = b.queue.schedule(&ended).await.unwrap();
        b.consume(&first.job_id, Some("completed")).await;
        b.clock.advance(if n == 2 { 24 * HOUR - HOUR / 2 } else { 2 * HOUR });
        assert_eq!(b.queue.reschedule().await.unwrap(), Rescheduled::default(), "{n}");
        assert_eq!(b.next_jobs().await, Vec::<String>::new(), "{n}");
    }
}

#[tokio::test]
async fn peers_that_put_back_claim_and_finish_at_once_leave_one_next_job_each() {
    let b = Bench::new("dead-race").await;
    let keep = Some(KeepJobs::Bounded { count: Some(0), age_s: None, limit: None });
    for n in 0..60 {
        let opts = JobOptions { remove_on_complete: keep, ..JobOptions::default() };
        let made = Scheduler { id: format!("s{n}"), opts, ..scheduler(hourly()) };
        let first = b.queue.schedule(&made).await.unwrap();
        if n % 3 == 0 {
            b.consume(&first.job_id, (n % 2 == 0).then_some("completed")).await;
        }
    }
    let mut peers = Vec::new();
    for peer in 0..9 {
        let queue = b.queue.clone();
        peers.push(tokio::spawn(async move {
            let mut back = 0;
            for _ in 0..8 {
                if peer % 3 == 0 {
                    let claim = queue.claim(ClaimRequest { count: 3, ..ALL }).await.unwrap();
                    let jobs: Vec<_> = claim.jobs.into_iter().map(|job| (job, done())).collect();
                    queue.settle(&claim.token, &jobs).await.unwrap();
                } else {
                    back += queue.reschedule().await.unwrap().schedules.len();
                }
            }
            back
        }));
    }
    let mut back = 0;
    for peer in peers {
        back += peer.await.unwrap();
    }
    assert_eq!(back, 20, "each dead one was put back once");
    while !b.list("wait").await.is_empty() {
        let claim = b.claim().await;
        b.settle(claim, done()).await;
    }
    let mut next = b.next_jobs().await;
    next.sort();
    let mut expected: Vec<_> = (0..60).map(|n| format!("repeat:s{n}:{}", NOW + HOUR)).collect();
    expected.sort();
    assert_eq!(next, expected);
    for n in 0..60 {
        assert_eq!(b.field(&format!("repeat:s{n}"), "ic").await.as_deref(), Some("2"), "s{n}");
    }
}

#[tokio::test]
async fn a_lost_answer_puts_no_second_job_in_place() {
    let proxy = Lossy::before(&redis_server().await.url()).await;
    // The look's, that of the version, and that of the script.
    for lost in 1..=3 {
        let b = Bench::on(&proxy.url, &format!("dead-lost-answer-{lost}"), |_| {});
        let first = b.queue.schedule(&scheduler(hourly())).await.unwrap();
        b.consume(&first.job_id, None).await;
        b.clock.advance(60_000);
        proxy.skip(lost - 1);
        proxy.lose(1);
        b.queue.reschedule().await.unwrap();
        assert_eq!(proxy.left(), 0, "there are fewer answers than {lost}");
        assert_eq!(b.next_jobs().await, [at(NOW + HOUR)], "answer {lost}");
    }
}

#[tokio::test]
async fn a_repeatable_job_of_version_5_goes_on_as_long_as_its_data_is_known() {
    for kept in [Some("completed"), None] {
        let b = Bench::new(&format!("dead-repeatable-{}", kept.is_some())).await;
        b.raw("HSET", "repeat:s", &["name", "n", "every", &HOUR.to_string()]).await;
        b.raw("ZADD", "repeat", &[&NOW.to_string(), "s"]).await;
        let opts = format!(
            r#"{{"attempts":3,"repeat":{{"count":4,"every":{HOUR}}},"jobId":"{}"}}"#,
            at(NOW)
        );
        let fields = ["name", "n", "data", r#"{"of":"x"}"#, "opts", &opts, "rjk", "s"];
        b.raw("HSET", &at(NOW), &fields).await;
        b.consume(&at(NOW), kept).await;
        b.clock.advance(60_000);
        let done = b.queue.reschedule().await.unwrap();
        let Some(_) = kept else {
            assert_eq!((done.schedules.len(), done.unscheduled), (0, vec!["s".to_owned()]));
            continue;
        };
        let next = at(NOW + HOUR);
        assert_eq!(b.next_jobs().await, [next.as_str()]);
        assert_eq!(b.field(&next, "data").await.as_deref(), Some(r#"{"of":"x"}"#));
        let opts: serde_json::Value =
            serde_json::from_str(&b.field(&next, "opts").await.unwrap()).unwrap();
        assert_eq!((&opts["repeat"]["count"], &opts["attempts"]), (&5.into(), &3.into()));
    }
}

#[tokio::test]
async fn no_past_time_is_told_as_the_next() {
    let b = Bench::new("dead-listed").await;
    let listed = async || {
        let view = b.queue.schedulers(0, 9).await.unwrap().remove(0);
        (view.next, view.behind)
    };
    b.queue.schedule(&Scheduler { limit: Some(2), ..scheduler(hourly()) }).await.unwrap();
    b.clock.advance(60_000);
    assert_eq!(listed().await, (None, Some(Behind::OverdueSince(NOW))));
    b.consume(&at(NOW), Some("completed")).await;
    assert_eq!(listed().await, (None, Some(Behind::GoneSince(NOW))));
    let next = NOW + HOUR;
    assert_eq!(b.rescheduled().await, [at(next)]);
    assert_eq!(listed().await, (Some(next), None));
    b.raw("DEL", &at(next), &[]).await;
    assert_eq!(listed().await, (None, Some(Behind::GoneSince(next))));
    assert_eq!(b.rescheduled().await, [at(next)]);
    b.clock.advance(HOUR);
    let claim = b.claim().await;
    b.settle(claim, done()).await;
    assert_eq!(listed().await, (None, Some(Behind::EndedAt(next))));
}

#[tokio::test]
async fn a_rule_whose_next_time_nobody_will_see_is_refused() {
    let b = Bench::new("dead-far").await;
    let day = 86_400_000;
    for (every_ms, offset_ms, start_ms, ok) in [
        (HOUR as u64, 100_000_000 * day, None, false),
        (HOUR as u64, HOUR as u64, None, false),
        (HOUR as u64, HOUR as u64 - 1, None, true),
        (100_000_000 * day, 0, None, false),
        (36_525 * day, 0, None, true),
        (HOUR as u64, 0, Some(NOW + 36_526 * day as i64), false),
        (HOUR as u64, 0, Some(NOW + 36_524 * day as i64), true),
    ] {
        let rule = Rule::Every { every_ms, offset_ms };
        let made = b.queue.schedule(&Scheduler { start_ms, ..scheduler(rule) }).await;
        assert_eq!(made.is_ok(), ok, "{every_ms} {offset_ms} {start_ms:?}: {made:?}");
        if let Err(error) = made {
            assert!(matches!(error, Error::Refused(Refusal::Schedule(_))), "{error}");
        }
    }
}
