//! Adding more than one call takes: the next one is sent before the one in front of it is answered.

use super::*;

fn plain(count: usize) -> Vec<NewJob> {
    vec![job(JobOptions::default()); count]
}

/// What waits, the oldest first.
async fn waiting(b: &Bench) -> Vec<String> {
    let mut ids = b.list("wait").await;
    ids.reverse();
    ids
}

fn numbers(count: usize) -> Vec<String> {
    (1..=count).map(|n| n.to_string()).collect()
}

#[tokio::test]
async fn jobs_of_many_calls_stand_once_and_in_their_order_whichever_answer_is_lost() {
    let server = redis_server().await;
    // Two answers may come as one, so that ten calls have five at least.
    for answered in 0..4 {
        let proxy = Lossy::before(&server.url()).await;
        let b = Bench::on(&proxy.url, &format!("ahead-lost-{answered}"), |_| {});
        b.queue.redis().connect().await;
        proxy.skip(answered);
        proxy.lose(1);
        let added = b.queue.enqueue(&plain(9_500)).await.unwrap();
        assert_eq!(proxy.left(), 0);
        let ids: Vec<_> = added.into_iter().map(|added| added.id).collect();
        assert!(waiting(&b).await == ids, "after {answered}");
        // A call that comes after its replay takes numbers, and no more.
        let numbers: Vec<u32> = ids.iter().map(|id| id.parse().unwrap()).collect();
        assert!(numbers.len() == 9_500 && numbers.is_sorted_by(|a, b| a < b), "after {answered}");
    }
}

#[tokio::test]
async fn nothing_is_added_behind_a_call_that_was_refused() {
    let b = Bench::new("ahead-refused").await;
    b.raw("SET", "delayed", &["x"]).await;
    let mut jobs = plain(3_000);
    jobs[1_500].opts.delay_ms = 60_000;
    b.queue.enqueue(&jobs).await.unwrap_err();
    // What was sent ahead is behind the refused one on the same connection.
    assert!(waiting(&b).await == numbers(1_000), "others wait as well");
    let hashes = b.raw("KEYS", "[0-9]*", &[]).await.as_array().unwrap().len();
    assert_eq!(hashes, 1_000, "jobs that stand nowhere");
}

#[tokio::test]
async fn what_is_sent_ahead_of_a_call_that_wrote_nothing_is_added_in_its_turn() {
    let b = Bench::new("ahead-duplicates").await;
    let mut jobs: Vec<NewJob> = (0..1_000).map(|n| job(dedup(&n.to_string()))).collect();
    b.queue.enqueue(&jobs).await.unwrap();
    jobs.extend(plain(1_500));
    let billed = async |jobs: &[NewJob]| {
        let queue = b.queue.over(b.queue.redis().metered());
        let added = queue.enqueue(jobs).await.unwrap();
        (added, queue.redis().usage().billed)
    };
    let (added, together) = billed(&jobs).await;
    assert!(added[..1_000].iter().all(|it| it.outcome == Outcome::Deduplicated));
    assert!(added[1_000..].iter().all(|it| it.outcome == Outcome::Added));
    let placed: Vec<_> = added[1_000..].iter().map(|it| it.id.clone()).collect();
    assert!(waiting(&b).await[1_000..] == placed, "another order");
    let mut alone = 0;
    for part in jobs.chunks(1_000) {
        alone += billed(part).await.1;
    }
    // The second call looked for the first one's receipt, which there is not, was sent again, and the third looked, too.
    assert!((alone + 3..=alone + 5).contains(&together), "{together} for {alone}");
}
