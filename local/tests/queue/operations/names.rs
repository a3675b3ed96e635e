//! Operators' commands act on jobs, and on nothing else that stands beside them.

use super::*;

/// Everything below the queue's prefix, as DUMP gives it.
async fn dump(b: &Bench) -> Vec<(String, Value)> {
    let keys = Command::new("KEYS").arg(format!("{}*", b.base));
    let keys = b.queue.redis().call(keys).await.unwrap();
    let mut all = Vec::new();
    for key in keys.as_array().unwrap() {
        let name = key.as_str().unwrap().to_owned();
        let command = Command::new("DUMP").arg(name.clone());
        all.push((name, b.queue.redis().call(command).await.unwrap()));
    }
    all.sort_by(|a, b| a.0.cmp(&b.0));
    all
}

#[tokio::test]
async fn what_is_no_job_is_refused_before_anything_is_sent() {
    let b = Bench::new("names").await;
    let dedup = Deduplication { id: "x".to_owned(), ..Deduplication::default() };
    b.add("late", JobOptions { deduplication: Some(dedup), ..delayed(HOUR) }).await;
    b.add("urgent", JobOptions { priority: 3, ..JobOptions::default() }).await;
    b.plain(&["own", "a:b:c"]).await;
    b.raw("RPUSH", "own:logs", &["line"]).await;
    let next = ["name", "n", "data", r#"{"projectId":"p1"}"#, "opts", "{}", "jid", "1"];
    b.raw("HSET", "dn:x", &next).await;
    b.queue.schedule(&hourly("s1")).await.unwrap();
    b.queue.beat("{}").await.unwrap();
    let before = dump(&b).await;
    let names = [
        "meta",
        "wait",
        "id",
        "events",
        "delayed",
        "prioritized",
        "pc",
        "marker",
        "repeat",
        "repeat:s1",
        "de:x",
        "dn:x",
        "own:logs",
        "own:lock",
        "a:b:c:logs",
        "batchmq:heartbeat",
        "metrics:completed",
        "",
    ];
    let redis = b.queue.redis().metered();
    let queue = b.queue.over(redis.clone());
    for name in names {
        let refused = [
            refusal(queue.remove(name).await),
            refusal(queue.retry(name, Ended::Failed, false).await),
            refusal(queue.retry(name, Ended::Completed, true).await),
            refusal(queue.promote(name).await),
        ];
        for refused in refused {
            assert_eq!(refused, Refusal::NotAJob { id: name.to_owned() });
        }
        assert!(queue.job(name).await.unwrap().is_none(), "{name}");
        assert_eq!(queue.logs(name, 0, 10).await.unwrap().total, 0, "{name}");
    }
    assert_eq!(redis.usage().round_trips, 0);
    assert_eq!(dump(&b).await, before);
}

#[tokio::test]
async fn custom_ids_and_schedulers_jobs_are_jobs() {
    let b = Bench::new("named").await;
    b.plain(&["a:b:c", "a:b:logs", "lock", "metadata"]).await;
    for id in ["a:b:c", "a:b:logs", "lock", "metadata"] {
        assert_eq!(b.state(id).await, Some(State::Wait), "{id}");
        assert_eq!(b.queue.remove(id).await.unwrap(), "wait", "{id}");
    }
    // Schedulers, one of whose ids makes its record's key look like a job of the other one.
    for id in ["s", "s:7", "a:b:c"] {
        b.queue.schedule(&hourly(id)).await.unwrap();
    }
    let jobs = b.list("wait").await;
    assert_eq!(jobs.len(), 3);
    for id in jobs {
        assert_eq!(b.state(&id).await, Some(State::Wait), "{id}");
        assert_eq!(refusal(b.queue.remove(&id).await), Refusal::OfScheduler { id });
    }
    let record = "repeat:s:7";
    assert_eq!(refusal(b.queue.remove(record).await), Refusal::NotAJob { id: record.to_owned() });
    assert!(b.queue.job(record).await.unwrap().is_none());
}
