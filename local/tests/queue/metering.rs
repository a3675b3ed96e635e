//! What calls cost, by the server's own count.

use super::*;

#[tokio::test]
async fn every_script_counts_its_commands_exactly() {
    let server = RedisServer::start().await.unwrap();
    let b = Bench::on(&server.url(), "metered", |config| config.events = Events::All);
    let keep = KeepJobs::Bounded { count: Some(2), age_s: Some(60), limit: None };
    let opts = JobOptions { attempts: 2, remove_on_complete: Some(keep), ..dedup("p") };
    // Scripts are loaded by their first use: measure from the second round on.
    for round in 0..3 {
        let queue = b.queue.over(b.queue.redis().metered());
        let before = executed(&b).await;
        queue.enqueue(&vec![job(opts.clone()); 3]).await.unwrap();
        let late = JobOptions { delay_ms: 5, priority: 3, ..JobOptions::default() };
        queue.enqueue(&[job(late), job(JobOptions::default())]).await.unwrap();
        b.clock.advance(10);
        let claim = queue.claim(ALL).await.unwrap();
        queue.enqueue(&[job(opts.clone())]).await.unwrap();
        queue.recover().await.unwrap();
        queue.renew(&claim.token, &ids(&claim)).await.unwrap();
        queue.held(&claim.token, &ids(&claim)).await.unwrap();
        let ways = [done(), Settlement::Failed("x".to_owned()), Settlement::Release];
        let jobs: Vec<_> = claim.jobs.into_iter().zip(ways.into_iter().cycle()).collect();
        let (_, next) = queue.settle_and_claim(&claim.token, &jobs, ALL).await.unwrap();
        let jobs: Vec<_> = next.jobs.into_iter().map(|job| (job, done())).collect();
        queue.settle(&next.token, &jobs).await.unwrap();
        queue.counts().await.unwrap();
        queue.job("1").await.unwrap();
        queue.peek().await.unwrap();
        let spent = executed(&b).await - before - 1; // INFO itself
        assert_eq!(queue.redis().usage().billed, spent, "round {round}");
    }
}

/// Commands that the server has executed, those inside scripts included.
async fn executed(b: &Bench) -> u64 {
    let info = b.queue.redis().call(Command::new("INFO").arg("commandstats")).await.unwrap();
    let calls = info
        .as_str()
        .unwrap()
        .lines()
        .filter_map(|line| line.split_once("calls=")?.1.split(',').next()?.parse::<u64>().ok());
    calls.sum()
}

#[tokio::test]
async fn metrics_cost_two_commands_a_batch_and_none_where_nobody_asks() {
    let mut spent = Vec::new();
    for minutes in [0, 5] {
        let prefix = format!("metered-metrics-{minutes}");
        let b = Bench::on(&redis_server().await.url(), &prefix, |config| {
            config.metrics_minutes = minutes
        });
        b.add_plain(3).await;
        let first = b.queue.claim(ClaimRequest { count: 1, ..ALL }).await.unwrap();
        b.settle(first, done()).await;
        let claim = b.claim().await;
        let jobs: Vec<_> = claim.jobs.into_iter().map(|job| (job, done())).collect();
        let queue = b.queue.over(b.queue.redis().metered());
        queue.settle(&claim.token, &jobs).await.unwrap();
        spent.push(queue.redis().usage().billed);
    }
    assert_eq!(spent[1], spent[0] + 2);
}
