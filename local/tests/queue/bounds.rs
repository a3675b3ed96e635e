//! What a claim takes, and what is given back: bounds of one answer, and who goes first.

use super::*;

async fn long_jobs(b: &Bench, bytes: usize, count: usize) {
    let data = format!(r#"{{"text":"{}"}}"#, "x".repeat(bytes));
    for _ in 0..count {
        b.queue
            .enqueue(&[NewJob { data: data.clone(), ..job(JobOptions::default()) }])
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn a_claim_takes_what_one_answer_carries_and_leaves_the_rest_where_it_is() {
    let b = Bench::new("bytes-bound").await;
    long_jobs(&b, 1_500_000, 5).await;
    b.add(JobOptions { priority: 1, ..JobOptions::default() }).await;
    let mut taken = Vec::new();
    for _ in 0..3 {
        let claim = b.claim().await;
        assert_eq!(claim.more, taken.len() < 2, "{:?}", ids(&claim));
        taken.push(claim.jobs.len());
        let all = ids(&claim);
        assert_eq!(b.settle(claim, done()).await, vec![Code::Completed; all.len()]);
    }
    assert_eq!(taken, [2, 2, 2]);
    // One that is longer by itself is claimed by itself.
    long_jobs(&b, 4_100_000, 2).await;
    let claim = b.claim().await;
    assert_eq!((claim.jobs.len(), claim.more), (1, true));
}

#[tokio::test]
async fn a_job_that_must_fail_unrun_is_claimed_without_its_data() {
    let b = Bench::new("doomed-bytes").await;
    long_jobs(&b, 100, 1).await;
    b.raw("HSET", "1", &["defa", "job stalled more than allowable limit"]).await;
    let claim = b.claim().await;
    assert_eq!(claim.jobs[0].data, "{}");
    assert!(claim.jobs[0].deferred_failure.is_some());
    assert!(b.field("1", "data").await.unwrap().len() > 100);
}

/// What could not be done goes behind what waits, what was not begun before it.
#[tokio::test]
async fn what_could_not_be_done_holds_up_nothing() {
    for (settlement, order) in
        [(Settlement::Release, ["1", "2", "3", "4"]), (Settlement::Postpone, ["3", "4", "1", "2"])]
    {
        for priority in [0, 7] {
            let b = Bench::new(&format!("back-{settlement:?}-{priority}")).await;
            b.queue
                .enqueue(&vec![job(JobOptions { priority, ..JobOptions::default() }); 4])
                .await
                .unwrap();
            let two = b.queue.claim(ClaimRequest { count: 2, ..ALL }).await.unwrap();
            assert_eq!(b.settle(two, settlement.clone()).await, [Code::Released; 2]);
            assert_eq!(b.field("1", "atm").await, None);
            let mut next = ids(&b.claim().await);
            if priority > 0 && settlement == Settlement::Release {
                // BullMQ puts them before all of their priority, by one score, which orders by id.
                next.sort();
            }
            assert_eq!(next, order, "{settlement:?}, priority {priority}");
        }
    }
}

/// Producers with BullMQ before 5.72 drop a duplicate of an active job; without its key they add it.
#[tokio::test]
async fn a_claim_may_free_the_deduplication_ids_of_its_jobs() {
    let url = redis_server().await.url();
    for open in [false, true] {
        let b = Bench::on(&url, &format!("open-{open}"), |config| config.open_deduplication = open);
        b.add(dedup("p")).await;
        let ttl =
            Deduplication { id: "t".to_owned(), ttl_ms: Some(60_000), ..Deduplication::default() };
        b.add(JobOptions { deduplication: Some(ttl), ..JobOptions::default() }).await;
        let claim = b.claim().await;
        assert_eq!(claim.jobs.len(), 2);
        assert_eq!(b.raw("EXISTS", "de:p", &[]).await, Value::Int(i64::from(!open)), "{open}");
        assert_eq!(b.raw("EXISTS", "de:t", &[]).await, Value::Int(1), "a window stays: {open}");
        b.settle(claim, done()).await;
        assert_eq!(b.raw("EXISTS", "de:p", &[]).await, Value::Int(0), "{open}");
    }
}

#[tokio::test]
async fn a_lock_lives_for_as_long_as_the_claim_asks() {
    let b = Bench::new("lock-life").await;
    b.add_plain(2).await;
    let lock = Some(Duration::from_millis(34_567));
    b.queue.claim(ClaimRequest { count: 1, lock, ..ALL }).await.unwrap();
    b.queue.claim(ClaimRequest { count: 1, ..ALL }).await.unwrap();
    for (id, most) in [("1:lock", 34_567), ("2:lock", 85_000)] {
        let left = b.raw("PTTL", id, &[]).await.as_int().unwrap();
        assert!((most - 5_000..=most).contains(&left), "{id}: {left}");
    }
}
