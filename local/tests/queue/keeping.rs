//! Jobs that are kept when their batch is settled, and are gone on with by somebody else.

use std::time::Duration;

use shared::queue::Code;

use super::*;

fn keep(seconds: u64) -> Settlement {
    Settlement::Keep { lock: Duration::from_secs(seconds) }
}

async fn lock_ms(b: &Bench, id: &str) -> i64 {
    b.raw("PTTL", &format!("{id}:lock"), &[]).await.as_int().unwrap()
}

#[tokio::test]
async fn what_is_kept_stays_active_under_a_lock_of_the_time_that_is_asked_for() {
    let b = Bench::new("keep").await;
    b.add_plain(4).await;
    let claim = b.claim().await;
    b.raw("SET", "4:lock", &["somebody else's"]).await;
    let ends = [keep(300), done(), keep(600), keep(300)];
    let jobs: Vec<_> = claim.jobs.into_iter().zip(ends).collect();
    let settled = b.queue.settle(&claim.token, &jobs).await.unwrap();
    assert_eq!(settled.codes, [Code::Kept, Code::Completed, Code::Kept, Code::Refused(-2)]);
    assert_eq!(b.list("active").await, ["4", "3", "1"]);
    assert!((290_000..=300_000).contains(&lock_ms(&b, "1").await));
    assert!((590_000..=600_000).contains(&lock_ms(&b, "3").await));
    assert_eq!(b.raw("GET", "4:lock", &[]).await.as_str(), Some("somebody else's"));
}

#[tokio::test]
async fn a_batch_of_nothing_but_kept_jobs_gives_way_to_the_next() {
    let b = Bench::new("keep-all").await;
    b.add_plain(2).await;
    let one = b.queue.claim(ClaimRequest { count: 1, ..ALL }).await.unwrap();
    let jobs: Vec<_> = one.jobs.into_iter().map(|job| (job, keep(300))).collect();
    let (settled, next) = b.queue.settle_and_claim(&one.token, &jobs, ALL).await.unwrap();
    assert_eq!((settled.codes.as_slice(), ids(&next)), (&[Code::Kept][..], vec!["2".to_owned()]));
}

#[tokio::test]
async fn whoever_has_the_token_reads_the_jobs_anew_and_ends_them() {
    let b = Bench::new("held").await;
    b.add_plain(3).await;
    let claim = b.claim().await;
    b.raw("SET", "2:lock", &["somebody else's"]).await;
    b.raw("HSET", "3", &["data", "{\"new\":1}"]).await;
    let asked = ["3", "2", "unknown", "1"].map(str::to_owned);
    let held = b.queue.held(&claim.token, &asked).await.unwrap();
    let read: Vec<_> = held.iter().map(|job| (job.id.as_str(), job.data.as_str())).collect();
    assert_eq!(read, [("3", "{\"new\":1}"), ("1", "{\"n\":1}")]);
    assert_eq!(b.queue.held("another token", &asked).await.unwrap().len(), 0);
    let jobs: Vec<_> = held.into_iter().map(|job| (job, done())).collect();
    let settled = b.queue.settle(&claim.token, &jobs).await.unwrap();
    assert_eq!(settled.codes, [Code::Completed; 2]);
    // A second time there is nothing left to be read or to be settled.
    assert_eq!(b.queue.held(&claim.token, &asked).await.unwrap().len(), 0);
    let again = b.queue.settle(&claim.token, &jobs).await.unwrap();
    assert!(again.codes.iter().all(|code| matches!(code, Code::Refused(_))), "{again:?}");
}

/// A request to Upstash may have 10 MB, in which a quote of a result takes four bytes.
#[tokio::test]
async fn results_that_are_too_long_for_one_request_go_in_several() {
    let b = Bench::new("long-results").await;
    b.add_plain(6).await;
    let claim = b.queue.claim(ClaimRequest { count: 5, ..ALL }).await.unwrap();
    let long = Settlement::Complete(format!("\"{}\"", "x".repeat(600_000)));
    let jobs: Vec<_> = claim.jobs.into_iter().map(|job| (job, long.clone())).collect();
    let metered = b.queue.over(b.queue.redis().metered());
    let (settled, next) = metered.settle_and_claim(&claim.token, &jobs, ALL).await.unwrap();
    assert_eq!((settled.codes, ids(&next)), (vec![Code::Completed; 5], vec!["6".to_owned()]));
    assert_eq!(metered.redis().usage().round_trips, 3);
}

/// What docs/http-handler.md says of the price.
#[tokio::test]
async fn keeping_costs_a_command_a_job_and_so_does_reading_anew() {
    let b = Bench::new("keep-price").await;
    b.add_plain(100).await;
    let claim = b.claim().await;
    let asked = ids(&claim);
    let jobs: Vec<_> = claim.jobs.into_iter().map(|job| (job, keep(300))).collect();
    let billed = |queue: &Queue| queue.redis().usage().billed;
    // Where a script is used for the first time, that costs one more.
    b.queue.renew(&claim.token, &asked).await.unwrap();
    b.queue.held(&claim.token, &asked).await.unwrap();
    let metered = b.queue.over(b.queue.redis().metered());
    metered.settle(&claim.token, &jobs).await.unwrap();
    assert_eq!(billed(&metered), 103);
    let metered = b.queue.over(b.queue.redis().metered());
    metered.held(&claim.token, &asked).await.unwrap();
    assert_eq!(billed(&metered), 102);
}
