//! What is counted as billed.

use std::num::NonZeroU32;

use super::*;

#[tokio::test]
async fn every_operation_counts_its_commands_exactly() {
    let server = RedisServer::start().await.unwrap();
    let b = Bench::on(&server.url(), "metered");
    let executed = async || {
        let info = b.queue.redis().call(Command::new("INFO").arg("commandstats")).await.unwrap();
        let text = info.as_str().unwrap().to_owned();
        let calls = text.lines().filter_map(|line| {
            let (name, rest) = line.strip_prefix("cmdstat_")?.split_once(":calls=")?;
            let calls: u64 = rest.split(',').next()?.parse().ok()?;
            // What the connection itself sends is not billed.
            (!name.starts_with("client") && name != "hello" && name != "info").then_some(calls)
        });
        calls.sum::<u64>()
    };
    for round in 0..2 {
        b.fail(&["f1", "f2"]).await;
        b.end(Settlement::Complete("1".to_owned())).await;
        b.plain(&["w1", "w2", "w3"]).await;
        b.add("p", JobOptions { priority: 4, ..JobOptions::default() }).await;
        b.add("d", delayed(HOUR)).await;
        b.add("e", delayed(2 * HOUR)).await;
        let queue = b.queue.over(b.queue.redis().metered());
        let before = executed().await;
        queue.retry("f1", Ended::Failed, false).await.unwrap();
        // Why these failed is read once.
        let failures = queue.failures(None).await.unwrap();
        queue.failures(Some(&failures)).await.unwrap();
        assert_eq!(queue.retry_by_reason("no…no").await.unwrap(), 0);
        assert_eq!(queue.retry_step("no", None).await.unwrap().retried, 1);
        queue.retry_all(Ended::Failed).await.unwrap();
        queue.limit_concurrency(NonZeroU32::new(1)).await.unwrap();
        queue.limit_concurrency(None).await.unwrap();
        queue.limits().await.unwrap();
        queue.promote("d").await.unwrap();
        assert_eq!(queue.promote_some().await.unwrap(), 1);
        queue.promote_all().await.unwrap();
        queue.remove("w1").await.unwrap();
        refusal(queue.remove("none").await);
        queue.clean(State::Wait, Duration::ZERO, Some(1)).await.unwrap();
        queue.priorities(9).await.unwrap();
        queue.throughput(5).await.unwrap();
        let look = queue.overview(None).await.unwrap();
        queue.overview(Some(&look)).await.unwrap();
        queue.hold(&queue.limits().await.unwrap(), false).await.unwrap();
        queue.oldest_waiting_ms(Occupied::ANY).await.unwrap();
        queue.count_of(State::Wait).await.unwrap();
        queue.next_due_ms().await.unwrap();
        queue.pulse().await.unwrap();
        queue.heartbeat(3).await.unwrap();
        queue.holder("none").await.unwrap();
        queue.lock("w2").await.unwrap();
        queue.jobs(State::Wait, 0, 9).await.unwrap();
        queue.logs("w2", 0, 9).await.unwrap();
        queue.schedule(&hourly("s")).await.unwrap();
        queue.schedule(&hourly("s")).await.unwrap();
        let claim = queue.claim(ALL).await.unwrap();
        assert_eq!(claim.schedules.len(), 1);
        let jobs: Vec<_> = claim.jobs.into_iter().map(|job| (job, Settlement::Release)).collect();
        queue.settle(&claim.token, &jobs).await.unwrap();
        queue.schedulers(0, 9).await.unwrap();
        assert!(queue.unschedule("s").await.unwrap());
        assert!(!queue.unschedule("s").await.unwrap());
        queue.pause().await.unwrap();
        queue.resume().await.unwrap();
        queue.pause().await.unwrap();
        queue.obliterate(false).await.unwrap();
        // In the first round each script is sent twice: by its name, then with its source.
        let spent = executed().await - before;
        assert_eq!(queue.redis().usage().billed, spent, "round {round}");
    }
}
