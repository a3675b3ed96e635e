//! A bad job fails alone. A script that fails midway undoes nothing of what it wrote, so whatever stands
//! where a job, its options or its kin should be, its mates come through.

use super::*;

/// Redis commands a line, their first argument a key of the queue; `@` is the queue's prefix in others.
type Lines = &'static [&'static str];

/// What is wrong with job 2, between its mates 1 and 3.
struct Case {
    /// Done after the three were added, and after they were claimed.
    before: Lines,
    after: Lines,
    end: fn() -> Settlement,
    /// The lists and sets in which 2 stands at the end, `wait` without one when a claim drops it.
    place: &'static str,
}

fn failed() -> Settlement {
    Settlement::Failed("no luck".to_owned())
}

fn released() -> Settlement {
    Settlement::Release
}

const DEPENDS: &str = "SADD 9:dependencies @2 @8";
const NEXT: &str = "HSET 2 deid d";

#[rustfmt::skip]
const SETTLED: &[Case] = &[
    // Retention beyond what Redis takes for a number.
    Case { before: &[r#"HSET 2 opts {"removeOnComplete":1.7976931348623157e308}"#], after: &[], end: done, place: "completed" },
    Case { before: &[r#"HSET 2 opts {"removeOnComplete":{"age":3600,"limit":1e300}}"#], after: &[], end: done, place: "completed" },
    Case { before: &[r#"HSET 2 opts {"removeOnComplete":{"age":1e308,"count":1e308,"limit":1e308}}"#], after: &[], end: done, place: "completed" },
    Case { before: &[r#"HSET 2 opts {"removeOnFail":1e19}"#], after: &[], end: failed, place: "failed" },
    Case { before: &[r#"HSET 2 opts {"removeOnFail":{"age":1e308,"count":9223372036854775807,"limit":1e300}}"#], after: &[], end: failed, place: "failed" },
    // A parent that cannot be read, or is none.
    Case { before: &["HSET 2 parentKey @9 parent {bad", DEPENDS], after: &[], end: done, place: "completed" },
    Case { before: &["HSET 2 parentKey @9 parent {bad"], after: &[], end: failed, place: "failed" },
    Case { before: &["HSET 2 parentKey @9 parent null", DEPENDS], after: &[], end: done, place: "completed" },
    Case { before: &["HSET 2 parentKey @9 parent 7", DEPENDS], after: &[], end: failed, place: "failed" },
    Case { before: &["HSET 2 parentKey @9 parent []", DEPENDS], after: &[], end: done, place: "completed" },
    Case { before: &[r#"HSET 2 parentKey @9 parent {"id":{},"queueKey":[],"fpof":true}"#, DEPENDS], after: &[], end: failed, place: "failed" },
    Case { before: &[r#"HSET 2 parentKey @9 parent {"id":true,"queueKey":null}"#, DEPENDS], after: &[], end: done, place: "completed" },
    Case { before: &["HSET 2 parentKey 9"], after: &[], end: done, place: "completed" },
    Case { before: &["HSET 2 parentKey @9", r#"HSET 2 opts {"removeOnComplete":true}"#, "SET 9:dependencies x"], after: &[], end: done, place: "" },
    Case { before: &["HSET 2 parentKey @9", DEPENDS, "SET 9:processed x"], after: &[], end: done, place: "completed" },
    Case { before: &["HSET 2 parentKey @9", "SADD 9:dependencies @2", "ZADD waiting-children 1 9", "RPUSH 9 x"], after: &[], end: done, place: "completed" },
    Case { before: &[r#"HSET 2 parentKey @9 parent {"id":"9","queueKey":"x","fpof":true}"#, DEPENDS, "SET 9:unsuccessful x"], after: &[], end: failed, place: "failed" },
    Case { before: &["SET 2:dependencies x"], after: &[], end: done, place: "completed" },
    Case { before: &["RPUSH 2:unsuccessful x"], after: &[], end: done, place: "completed" },
    // What retention removes with it.
    Case { before: &["ZADD failed 1 old", "HSET old parent {bad", r#"HSET 2 opts {"removeOnFail":1}"#], after: &[], end: failed, place: "failed" },
    Case { before: &["ZADD failed 1 old", "RPUSH old x", r#"HSET 2 opts {"removeOnFail":1}"#], after: &[], end: failed, place: "failed" },
    // What waits behind it.
    Case { before: &[NEXT, "HSET dn:d name n data {} opts {bad"], after: &[], end: done, place: "completed" },
    Case { before: &[NEXT, "HSET dn:d name n data {} opts null"], after: &[], end: done, place: "completed" },
    Case { before: &[NEXT, r#"HSET dn:d name n data {} opts {"de":7,"delay":{},"priority":"nan","lifo":null}"#], after: &[], end: failed, place: "failed" },
    Case { before: &[NEXT, r#"HSET dn:d name n data {} opts {"de":{"id":"d","ttl":"x"},"delay":1e300,"priority":-1e300}"#], after: &[], end: done, place: "completed" },
    Case { before: &[NEXT, r#"HSET dn:d name n data {} opts {"de":{"id":"d","ttl":1e300}}"#], after: &[], end: done, place: "completed" },
    Case { before: &[NEXT, "HSET dn:d opts {}"], after: &[], end: done, place: "completed" },
    Case { before: &[NEXT, "SET dn:d x"], after: &[], end: done, place: "completed" },
    Case { before: &[NEXT, "HSET dn:d name n data {} opts {} jid 7", "SET 7 x"], after: &[], end: done, place: "completed" },
    Case { before: &[NEXT, "HSET dn:d name n data {} opts {} pdk @9:dependencies", "SET 9:dependencies x"], after: &[], end: done, place: "completed" },
    Case { before: &[NEXT, "RPUSH de:d x"], after: &[], end: done, place: "completed" },
    // Fields that are no numbers.
    Case { before: &["HSET 2 atm x ats x stc x timestamp x priority x delay x stacktrace {"], after: &[], end: failed, place: "failed" },
    Case { before: &["HSET 2 atm 1e300 ats 1e300 stc nan timestamp inf priority 1e300"], after: &[], end: done, place: "completed" },
    Case { before: &[r#"HSET 2 opts {"attempts":1e300,"backoff":{"type":"exponential","delay":1e300}}"#], after: &[], end: failed, place: "delayed" },
    Case { before: &[r#"HSET 2 atm 2000 opts {"attempts":1e300,"backoff":{"type":"exponential","delay":1e300}}"#], after: &[], end: failed, place: "delayed" },
    Case { before: &[r#"HSET 2 priority nan opts {"attempts":2}"#], after: &[], end: failed, place: "wait" },
    Case { before: &["HSET 2 priority nan"], after: &[], end: released, place: "wait" },
    Case { before: &["HSET 2 priority inf"], after: &[], end: released, place: "prioritized" },
    // No job any more, or not ours.
    Case { before: &[], after: &["DEL 2", "RPUSH 2 x"], end: done, place: "" },
    Case { before: &[], after: &["DEL 2", "SET 2 x"], end: failed, place: "" },
    Case { before: &[], after: &["DEL 2", "SET 2 x"], end: released, place: "wait" },
    Case { before: &[], after: &["DEL 2:lock", "RPUSH 2:lock x"], end: done, place: "active" },
    // What the queue notes besides.
    Case { before: &["HSET meta opts.maxLenEvents Infinity"], after: &[], end: done, place: "completed" },
    Case { before: &["HSET meta max 9 duration Infinity"], after: &[], end: done, place: "completed" },
    Case { before: &["HSET metrics:completed count 1 prevTS x prevCount y"], after: &[], end: done, place: "completed" },
    Case { before: &["HSET metrics:completed count x"], after: &[], end: done, place: "completed" },
];

/// The ways in which a batch ends.
#[derive(Clone, Copy, Debug)]
enum Way {
    Settle,
    WithPlainClaim,
    WithClaim,
}

#[tokio::test]
async fn a_job_that_ends_badly_ends_alone() {
    for (index, case) in SETTLED.iter().enumerate() {
        for way in [Way::Settle, Way::WithPlainClaim, Way::WithClaim] {
            let at = format!("{way:?}, case {index}: {:?} {:?}", case.before, case.after);
            let b =
                Bench::on(&redis_server().await.url(), &format!("end-{index}-{way:?}"), |config| {
                    config.metrics_minutes = 5;
                    config.events = if index % 2 == 0 { Events::All } else { Events::Off };
                });
            b.add_plain(3).await;
            b.write(case.before).await;
            let claim = b.claim().await;
            assert_eq!(ids(&claim), ["1", "2", "3"], "{at}");
            b.write(case.after).await;
            let ends = [done(), (case.end)(), done()];
            let jobs: Vec<_> = claim.jobs.into_iter().zip(ends).collect();
            // None is taken by the claim, so that the places stay as the settlement left them.
            let next = ClaimRequest {
                count: 1,
                wait: false,
                prioritized: false,
                delayed: false,
                lock: None,
            };
            let codes = match way {
                Way::Settle => b.queue.settle(&claim.token, &jobs).await.expect(&at).codes,
                Way::WithPlainClaim => {
                    b.queue.settle_and_claim(&claim.token, &jobs, next).await.expect(&at).0.codes
                }
                Way::WithClaim => {
                    let next = ClaimRequest { delayed: true, ..next };
                    b.queue.settle_and_claim(&claim.token, &jobs, next).await.expect(&at).0.codes
                }
            };
            assert_eq!([codes[0], codes[2]], [Code::Completed; 2], "{at}");
            assert_eq!(b.places("1").await, "completed", "{at}");
            assert_eq!(b.places("3").await, "completed", "{at}");
            assert_eq!(b.places("2").await, case.place, "{at}");
        }
    }
}

#[tokio::test]
async fn what_waits_behind_a_bad_job_waits_still() {
    for (n, opts) in ["{bad", "[]", r#"{"de":7,"delay":{}}"#].into_iter().enumerate() {
        let b = Bench::new(&format!("behind-{n}")).await;
        b.add_plain(1).await;
        b.write(&["HSET 1 deid d", "HSET dn:d name next data {}"]).await;
        b.raw("HSET", "dn:d", &["opts", opts]).await;
        let claim = b.claim().await;
        b.settle(claim, done()).await;
        let next = b.claim().await;
        assert_eq!(next.jobs.len(), 1, "{opts}");
        assert_eq!(next.jobs[0].name, "next", "{opts}");
        b.settle(next, done()).await;
    }
}

/// What stands where a waiting or delayed job should be: a claim drops it, says so, and takes the rest.
#[tokio::test]
async fn what_is_no_job_is_dropped_alone() {
    let cases: [(&str, Lines); 4] = [
        ("a list that waits", &["DEL 2", "RPUSH 2 x"]),
        (
            "a string that is prioritized",
            &["DEL 2", "SET 2 x", "LREM wait 1 2", "ZADD prioritized 1 2"],
        ),
        ("a list that is delayed", &["DEL 2", "RPUSH 2 x", "LREM wait 1 2", "ZADD delayed 4096 2"]),
        (
            "limits that never end",
            &["DEL 2", "SET 2 x", "HSET meta max 9 duration Infinity", "SET limiter x"],
        ),
    ];
    for (n, (name, lines)) in cases.into_iter().enumerate() {
        let b = Bench::new(&format!("no-job-{n}")).await;
        b.add_plain(3).await;
        b.write(lines).await;
        let claim = b.queue.claim(ALL).await.expect(name);
        assert_eq!(ids(&claim), ["1", "3"], "{name}");
        assert_eq!(claim.missing, ["2"], "{name}");
        assert_eq!(b.settle(claim, done()).await, [Code::Completed; 2], "{name}");
        assert_eq!(b.places("2").await, "", "{name}");
    }
}

/// An id without a hash is no job, wherever it stands: nobody makes one of it, and it is told.
#[tokio::test]
async fn an_id_without_a_hash_is_dropped_and_told() {
    let b = Bench::new("ghosts").await;
    let ghost = ["ghost".to_owned()];
    b.write(&["ZADD delayed 4096 ghost"]).await;
    let claim = b.claim().await;
    assert_eq!((claim.missing.as_slice(), claim.jobs.len()), (&ghost[..], 0));

    b.write(&["LPUSH active ghost", "SADD stalled ghost"]).await;
    let recovered = b.queue.recover().await.unwrap();
    assert_eq!((recovered.missing.as_slice(), recovered.ids.len()), (&ghost[..], 0));

    // A retry promotes what is due, in each of the scripts that settle one.
    for (way, dedup_id) in [("plain", None), ("full", Some("d"))] {
        let opts = dedup_id.map(dedup).unwrap_or_default();
        b.add(JobOptions { attempts: 2, ..opts }).await;
        let claim = b.claim().await;
        b.write(&["ZADD delayed 4096 ghost"]).await;
        let jobs: Vec<_> = claim.jobs.into_iter().map(|job| (job, failed())).collect();
        let settled = b.queue.settle(&claim.token, &jobs).await.unwrap();
        assert_eq!(
            (settled.missing.as_slice(), &settled.codes[..]),
            (&ghost[..], &[Code::Retried][..]),
            "{way}"
        );
        let claim = b.claim().await;
        b.write(&["ZADD delayed 4096 ghost"]).await;
        let jobs: Vec<_> = claim.jobs.into_iter().map(|job| (job, failed())).collect();
        let (_, next) = b.queue.settle_and_claim(&claim.token, &jobs, ALL).await.unwrap();
        assert_eq!(next.missing, ghost, "{way}");
    }
    assert_eq!(b.places("ghost").await, "");
    assert_eq!(b.raw("EXISTS", "ghost", &[]).await, Value::Int(0));
}

#[tokio::test]
async fn a_delay_that_never_ends_is_told_as_one() {
    let b = Bench::new("never").await;
    b.write(&["ZADD delayed inf 2", "HSET 2 name n data {}"]).await;
    assert_eq!(b.claim().await.status, ClaimStatus::Empty { next_due_ms: Some(i64::MAX) });
}

#[tokio::test]
async fn a_bad_job_stalls_alone() {
    let cases: [(&str, Lines, &str); 5] = [
        ("a count that is none", &["HSET 2 stc x"], "wait"),
        ("a count beyond counting", &["HSET 2 stc 9223372036854775807"], "wait"),
        ("a list", &["DEL 2", "RPUSH 2 x"], ""),
        ("a scheduler's job", &["HSET 2 stc 9 rjk s", "SET repeat:s x"], "wait"),
        ("events without bound", &["HSET meta opts.maxLenEvents Infinity"], "wait"),
    ];
    for (n, (name, lines, place)) in cases.into_iter().enumerate() {
        let b = Bench::new(&format!("stalls-{n}")).await;
        b.add_plain(3).await;
        b.claim().await;
        b.write(lines).await;
        b.write(&["DEL 1:lock", "DEL 2:lock", "DEL 3:lock", "SADD stalled 1 2 3"]).await;
        b.queue.recover().await.expect(name);
        assert_eq!(b.places("1").await, "wait", "{name}");
        assert_eq!(b.places("3").await, "wait", "{name}");
        assert_eq!(b.places("2").await, place, "{name}");
    }
}

/// Numbers that no integer holds, in the options of schedulers' jobs, keep no mate from being claimed.
#[tokio::test]
async fn a_bad_schedule_is_left_alone() {
    let old = "n::::1000";
    let cases = [
        ("s", "repeat:s:1800000000000", r#"{"repeat":{"every":1000,"count":1e300}}"#),
        (
            "s",
            "repeat:s:1800000000000",
            r#"{"repeat":{"every":-1e300,"limit":"x"},"prevMillis":1e300}"#,
        ),
        ("s", "repeat:s:1800000000000", r#"{"repeat":{"pattern":"* * * * *","startDate":1e300}}"#),
        (old, "repeat:x:1800000000000", r#"{"repeat":{"every":1000},"prevMillis":1e300}"#),
    ];
    for (n, (scheduler, id, opts)) in cases.into_iter().enumerate() {
        let b = Bench::new(&format!("schedule-{n}")).await;
        b.add_plain(2).await;
        b.raw("HSET", id, &["name", "n", "data", "{}", "rjk", scheduler, "opts", opts]).await;
        b.raw("ZADD", "repeat", &["1800000000000", scheduler]).await;
        b.raw("LPUSH", "wait", &[id]).await;
        let claim = b.queue.claim(ALL).await.expect(opts);
        let found = ids(&claim);
        assert_eq!(found[..2], ["1", "2"], "{opts}");
        let taken = found.len() - 2 + claim.unscheduled.len();
        assert_eq!(taken, 1, "{opts}: done or left alone");
    }
}

#[tokio::test]
async fn a_retry_waits_again_whatever_is_the_matter_with_what_falls_due() {
    let b = Bench::new("due").await;
    b.add(JobOptions { attempts: 2, ..JobOptions::default() }).await;
    let claim = b.claim().await;
    b.write(&["SET delayed x"]).await;
    let codes = b.settle(claim, failed()).await;
    b.write(&["DEL delayed"]).await;
    assert_eq!((codes, b.places("1").await), (vec![Code::Retried], "wait".to_owned()));
}

#[tokio::test]
async fn a_parent_goes_on_whatever_is_the_limit_of_its_queue() {
    let (b, parents) = (Bench::new("child").await, Bench::new("parent").await);
    b.add_plain(1).await;
    b.settle(b.claim().await, Settlement::Unrecoverable("no luck".to_owned())).await;
    b.raw("HSET", "1", &["parentKey", &format!("{}9", parents.base)]).await;
    parents.raw("SADD", "9:dependencies", &[&format!("{}1", b.base)]).await;
    parents.write(&["ZADD waiting-children 1 9", "HSET meta concurrency none"]).await;
    b.queue.clean(State::Failed, Duration::ZERO, None).await.unwrap();
    assert_eq!(parents.list("wait").await, ["9"]);
}

#[tokio::test]
async fn a_job_that_cannot_be_rescheduled_stops_no_other_add() {
    let b = Bench::new("reschedule").await;
    let deduplication = |reschedule| {
        Some(Deduplication { id: "d".to_owned(), reschedule, ..Deduplication::default() })
    };
    let delayed = |reschedule| JobOptions {
        delay_ms: 1_000,
        deduplication: deduplication(reschedule),
        ..JobOptions::default()
    };
    b.add(delayed(false)).await;
    b.write(&["DEL 1", "SET 1 x"]).await;
    let jobs = [job(JobOptions::default()), job(delayed(true))];
    let added = b.queue.enqueue(&jobs).await.unwrap();
    assert_eq!([added[0].outcome, added[1].outcome], [Outcome::Added, Outcome::Deduplicated]);
    assert_eq!(b.list("wait").await, [added[0].id.clone()]);
}

/// An operator's call on many jobs goes past those that are none.
#[tokio::test]
async fn an_operator_is_not_stopped_by_a_bad_job() {
    let b = Bench::new("operator").await;
    let bad: Lines = &[
        "DEL 2",
        "RPUSH 2 x",
        "HSET 1 parentKey @9",
        "SET 9 x",
        "SET 9:failed x",
        "SET 9:dependencies x",
    ];
    b.add_plain(3).await;
    b.settle(b.claim().await, Settlement::Unrecoverable("no luck".to_owned())).await;
    b.write(bad).await;
    assert_eq!(b.queue.retry_all(Ended::Failed).await.unwrap(), 2);
    assert_eq!(
        [b.places("1").await, b.places("2").await, b.places("3").await],
        ["wait", "", "wait"]
    );

    b.write(&["ZADD failed 1 2"]).await;
    b.settle(b.claim().await, Settlement::Unrecoverable("no luck".to_owned())).await;
    let mut gone = b.queue.clean(State::Failed, Duration::ZERO, None).await.unwrap();
    gone.sort_unstable();
    assert_eq!(gone, ["1", "2", "3"]);

    b.add_plain(2).await;
    b.write(&["DEL 4", "SET 4 x", "HSET 5 parentKey @9"]).await;
    let waiting = b.queue.peek().await.unwrap();
    assert_eq!(b.queue.oldest_waiting_ms(waiting).await.unwrap(), Some(NOW));
    b.queue.pause().await.unwrap();
    assert_eq!(b.queue.obliterate(false).await.unwrap(), 2);
    assert_eq!(b.places("5").await, "");
}

impl Bench {
    pub(super) async fn write(&self, lines: &[&str]) {
        for line in lines {
            let mut words = line.split(' ');
            let name = words.next().unwrap().to_owned().leak();
            let key = words.next().unwrap();
            let args: Vec<_> = words.map(|word| word.replace('@', &self.base)).collect();
            self.raw(name, key, &args.iter().map(String::as_str).collect::<Vec<_>>()).await;
        }
    }

    /// Where `id` stands, each place as often as it does.
    async fn places(&self, id: &str) -> String {
        let mut places = Vec::new();
        for list in ["wait", "paused", "active"] {
            let times = self.list(list).await.iter().filter(|other| *other == id).count();
            places.extend(vec![list; times]);
        }
        for set in ["prioritized", "delayed", "waiting-children", "completed", "failed"] {
            if self.raw("ZSCORE", set, &[id]).await != Value::Nil {
                places.push(set);
            }
        }
        places.join(" ")
    }
}
