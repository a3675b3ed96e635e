//! Ids that stand twice, since a removal was refused once: none runs twice under two locks.

use super::*;

#[tokio::test]
async fn an_id_that_is_being_processed_is_not_claimed_again() {
    let b = Bench::new("double-active").await;
    b.add_plain(2).await;
    let one = ClaimRequest { count: 1, ..ALL };
    let held = b.queue.claim(one).await.unwrap();
    b.raw("RPUSH", "wait", &["1"]).await;
    let next = b.queue.claim(one).await.unwrap();
    assert_eq!((ids(&next), next.more), (vec![], true), "there is more behind the double");
    assert_eq!(ids(&b.claim().await), ["2"]);
    assert_eq!(b.list("active").await, ["2", "1"]);
    assert_eq!(b.settle(held, done()).await, [Code::Completed]);
    assert_eq!(b.list("wait").await, [""; 0]);
}

#[tokio::test]
async fn an_id_that_has_ended_is_not_claimed_again() {
    for (name, end, state) in [
        ("completed", done(), State::Completed),
        ("failed", Settlement::Unrecoverable("no".to_owned()), State::Failed),
    ] {
        let b = Bench::new(&format!("double-{name}")).await;
        b.add_plain(1).await;
        b.settle(b.claim().await, end).await;
        b.raw("RPUSH", "wait", &["1"]).await;
        b.raw("ZADD", "prioritized", &["1", "1"]).await;
        b.raw("ZADD", "delayed", &["4096", "1"]).await;
        let claim = b.claim().await;
        assert_eq!((ids(&claim), claim.missing.len()), (vec![], 0), "{name}");
        assert_eq!(b.state("1").await, Some(state), "{name}");
        for (set, count) in [("wait", "LLEN"), ("prioritized", "ZCARD"), ("delayed", "ZCARD")] {
            assert_eq!(b.raw(count, set, &[]).await, Value::Int(0), "{name}: {set}");
        }
        // Nor does a pass bring it back.
        b.raw("LPUSH", "active", &["1"]).await;
        b.raw("SADD", "stalled", &["1"]).await;
        assert_eq!(b.queue.recover().await.unwrap().ids, [""; 0], "{name}");
        assert_eq!(b.list("active").await, [""; 0], "{name}");
    }
}

#[tokio::test]
async fn a_lock_without_an_owner_holds_nobody_up() {
    let b = Bench::new("left-lock").await;
    b.add_plain(1).await;
    b.raw("SET", "1:lock", &["somebody's"]).await;
    let claim = b.claim().await;
    assert_eq!(ids(&claim), ["1"]);
    assert_eq!(b.settle(claim, done()).await, [Code::Completed]);
}

#[tokio::test]
async fn whoever_settles_leaves_none_of_an_id_in_active() {
    let b = Bench::new("twice-active").await;
    b.add_plain(2).await;
    let claim = b.claim().await;
    b.raw("RPUSH", "active", &["1", "1", "other"]).await;
    assert_eq!(b.settle(claim, done()).await, [Code::Completed; 2]);
    assert_eq!(b.list("active").await, ["other"]);
}

/// BullMQ takes custom ids that are the names of the queue's own keys, and makes their hashes there.
#[tokio::test]
async fn ids_that_name_the_queue_s_own_keys_harm_no_other_job() {
    for name in ["prioritized", "stalled", "limiter", "pc", "marker", "events", "delayed"] {
        let b = Bench::new(&format!("own-{name}")).await;
        b.add_plain(2).await;
        b.raw("DEL", name, &[]).await;
        b.raw("HSET", name, &["name", "n", "data", "{}", "opts", "{}", "timestamp", "1"]).await;
        b.raw("LPUSH", "wait", &[name]).await;
        let request = ClaimRequest { delayed: name != "delayed", ..ALL };
        let claim = b.queue.claim(request).await.expect(name);
        assert_eq!(ids(&claim), ["1", "2", name], "{name}");
        let codes = b.settle(claim, done()).await;
        assert_eq!(codes[..2], [Code::Completed; 2], "{name}");
        assert_eq!(b.list("active").await, [""; 0], "{name}");
    }
}

/// One stray byte in a job's data is read as a Node worker reads it, and makes neither it nor the options
/// unreadable.
#[tokio::test]
async fn a_stray_byte_in_a_job_s_fields_is_no_reason_to_fail_it() {
    let b = Bench::new("stray").await;
    b.add_plain(1).await;
    let hash = Command::new("HSET").arg(format!("{}1", b.base));
    let fields: [&[u8]; 4] = [
        b"data",
        b"{\"projectId\":\"p\",\"n\":\"\xff\"}",
        b"opts",
        b"{\"attempts\":3,\"n\":\"\xff\"}",
    ];
    let hash = fields.iter().fold(hash, |hash, field| hash.arg(*field));
    b.queue.redis().call(hash).await.unwrap();
    let claim = b.claim().await;
    let data: serde_json::Value = serde_json::from_str(&claim.jobs[0].data).unwrap();
    assert_eq!(data, serde_json::json!({"projectId": "p", "n": "\u{fffd}"}));
    assert_eq!(claim.jobs[0].opts.attempts, 3.0);
}

/// Ids that no JSON carries travel in hexadecimal.
#[tokio::test]
async fn ids_that_are_not_utf_8_are_settled_and_shown() {
    let b = Bench::new("bytes").await;
    let id: &[u8] = b"caf\xe9";
    let key = |suffix: &[u8]| [b.base.as_bytes(), id, suffix].concat();
    let redis = b.queue.redis();
    let hash =
        Command::new("HSET").arg(key(b"")).args(["name", "n", "data", "{}", "timestamp", "1"]);
    redis.call(hash).await.unwrap();
    let push = Command::new("LPUSH").arg(format!("{}wait", b.base)).arg(id);
    redis.call(push).await.unwrap();
    b.add_plain(1).await;
    // Over REST, whose requests are JSON; what made the job came over TCP.
    let gateway = long_requests::gateway("").await;
    let rest = long_requests::over(&gateway, "bytes");
    let claim = rest.claim().await;
    assert_eq!(ids(&claim), ["caf\\xe9", "1"]);
    assert_eq!(rest.settle(claim, done()).await, [Code::Completed; 2]);
    let at = redis.call(Command::new("HGET").arg(key(b"")).arg("finishedOn")).await.unwrap();
    assert_eq!(at.as_str(), Some(NOW.to_string().as_str()));
    let lock = redis.call(Command::new("EXISTS").arg(key(b":lock"))).await.unwrap();
    assert_eq!(lock, Value::Int(0));
    assert_eq!(b.queue.counts().await.unwrap().completed, 2);
}
