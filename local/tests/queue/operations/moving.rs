//! Jobs that are put back, and those that go.

use super::*;

#[tokio::test]
async fn a_retried_job_runs_once_more_and_keeps_its_attempts_unless_told_otherwise() {
    let b = Bench::new("retried").await;
    b.fail(&["kept", "reset"]).await;
    b.queue.retry("kept", Ended::Failed, false).await.unwrap();
    b.queue.retry("reset", Ended::Failed, true).await.unwrap();
    let claim = b.queue.claim(ALL).await.unwrap();
    let made: Vec<_> = claim.jobs.iter().map(|job| (job.id.as_str(), job.attempts_made)).collect();
    assert_eq!(made, [("kept", 1), ("reset", 0)]);
}

#[tokio::test]
async fn failed_jobs_are_retried_by_a_part_of_their_reason() {
    let b = Bench::new("reasons").await;
    for (ids, reason) in [
        (&["a1", "a2"][..], "connect ECONNREFUSED 10.0.0.1:443"),
        (&["b1"], "Project not found: p[1-9]%d"),
        (&["c1"], "connect econnrefused"),
    ] {
        b.plain(ids).await;
        b.clock.advance(1);
        b.end(Settlement::Failed(reason.to_owned())).await;
    }
    b.raw("ZADD", "failed", &["5", "ghost"]).await;
    assert_eq!(b.queue.retry_by_reason("ECONNREFUSED 1").await.unwrap(), 2);
    assert_eq!(
        (b.state("b1").await, b.state("c1").await),
        (Some(State::Failed), Some(State::Failed))
    );
    let claim = b.queue.claim(ALL).await.unwrap();
    let retried: Vec<_> =
        claim.jobs.iter().map(|job| (job.id.as_str(), job.attempts_made)).collect();
    assert_eq!(retried, [("a1", 1), ("a2", 1)]);
    for field in ["failedReason", "finishedOn"] {
        assert_eq!(b.raw("HGET", "a1", &[field]).await, Value::Nil, "{field}");
    }
    // No pattern, but the text as it is written.
    assert_eq!(b.queue.retry_by_reason("p.1").await.unwrap(), 0);
    assert_eq!(b.queue.retry_by_reason("p[1-9]%d").await.unwrap(), 1);
    assert_eq!(b.told("waiting").await, 4 + 3, "each was added, and three were retried");
    assert_eq!(b.queue.counts().await.unwrap().failed, 2, "c1, and the id without a job");
}

#[tokio::test]
async fn a_group_of_failures_is_retried_by_what_its_reasons_have_in_common() {
    let b = Bench::new("reasons-group").await;
    for (id, reason) in [
        ("a1", "Project p17 not found in 3 tries"),
        ("a2", "Project cm4x9 not found in 12 tries"),
        ("b1", "Project p17 has no pages"),
        ("c1", "not found in: Project p17"),
    ] {
        b.clock.advance(1);
        b.plain(&[id]).await;
        b.end(Settlement::Unrecoverable(reason.to_owned())).await;
    }
    let groups = b.queue.failures(None).await.unwrap().groups();
    assert_eq!((groups[0].count, groups[0].text.as_str()), (2, "Project … not found in … tries"));
    assert_eq!(b.queue.retry_by_reason(&groups[0].text).await.unwrap(), 2);
    assert_eq!(b.order().await, ["a1", "a2"]);
    // The parts do not overlap, and follow each other.
    for (text, retried) in [("not found…not found", 0), ("…p17…", 2)] {
        assert_eq!(b.queue.retry_by_reason(text).await.unwrap(), retried, "{text}");
    }
}

#[tokio::test]
async fn a_reason_with_nothing_to_look_for_retries_nothing() {
    let b = Bench::new("reasons-none").await;
    b.fail(&["a"]).await;
    for text in ["", "…", " … ", "……"] {
        let refused = b.queue.retry_by_reason(text).await;
        assert_eq!(refusal(refused), Refusal::NoReason, "{text:?}");
    }
    assert_eq!(b.state("a").await, Some(State::Failed));
}

/// Between its pages what was retried fails anew, and more fails: the walk ends, and retries each job once.
#[tokio::test]
async fn a_walk_leaves_alone_what_fails_while_it_goes_on() {
    let b = Bench::new("reasons-until").await;
    let fail = async |count: usize| {
        let job = NewJob { name: "n".to_owned(), data: "{}".to_owned(), ..NewJob::default() };
        b.queue.enqueue(&vec![job; count]).await.unwrap();
        while b.queue.peek().await.unwrap().wait {
            b.end(Settlement::Failed("no".to_owned())).await;
        }
    };
    fail(1_300).await;
    let (mut retried, mut from, mut steps) = (0, None, 0);
    loop {
        // As the API does: a place is but text to whoever goes on.
        let place = from.map(|from: String| from.parse().unwrap());
        let step = b.queue.retry_step("no", place).await.unwrap();
        b.clock.advance(1);
        fail(200).await;
        from = step.next.map(|next| next.to_string());
        (retried, steps) = (retried + step.retried, steps + 1);
        if from.is_none() {
            break;
        }
    }
    assert!(steps > 1);
    assert_eq!(retried, 1_300);
}

/// Pages are read while jobs fail, are retried and removed: none of those that stay is overlooked.
#[tokio::test]
async fn many_failed_jobs_are_retried_by_their_reason_while_others_come_and_go() {
    let b = Bench::new("reasons-many").await;
    let id = |i: usize| format!("j{i}");
    let all: Vec<String> = (0..3_000).map(id).collect();
    let jobs = all.iter().map(|id| NewJob {
        name: "n".to_owned(),
        data: "{}".to_owned(),
        opts: JobOptions { job_id: Some(id.clone()), ..JobOptions::default() },
        ..NewJob::default()
    });
    b.queue.enqueue(&jobs.collect::<Vec<_>>()).await.unwrap();
    loop {
        let claim = b.queue.claim(ClaimRequest { count: 1_000, ..ALL }).await.unwrap();
        if claim.jobs.is_empty() {
            break;
        }
        let reason = |id: &str| if id.ends_with('7') { "seven" } else { "other" };
        let jobs = claim.jobs.into_iter().map(|job| {
            let reason = Settlement::Failed(reason(&job.id).to_owned());
            (job, reason)
        });
        b.queue.settle(&claim.token, &jobs.collect::<Vec<_>>()).await.unwrap();
    }
    let going = async {
        for i in (0..3_000).filter(|i| i % 10 == 3) {
            b.queue.remove(&id(i)).await.unwrap();
        }
    };
    let (retried, ()) = tokio::join!(b.queue.retry_by_reason("seven"), going);
    assert_eq!(retried.unwrap(), 300);
    let counts = b.queue.counts().await.unwrap();
    assert_eq!((counts.wait, counts.failed), (300, 2_400));
    assert!(b.list("wait").await.iter().all(|id| id.ends_with('7')));
}

#[tokio::test]
async fn children_with_colons_in_their_ids_go_with_their_parent() {
    let b = Bench::new("colons").await;
    b.add("a:b:c", JobOptions::default()).await;
    b.plain(&["parent"]).await;
    b.raw("LREM", "wait", &["1", "parent"]).await;
    b.raw("ZADD", "waiting-children", &["1", "parent"]).await;
    b.raw("SADD", "parent:dependencies", &[&format!("{}a:b:c", b.base)]).await;
    // And one of another queue, whose key alone does not say where the queue's name ends.
    let elsewhere = |key: &str| format!("colons:other:{key}");
    let call = async |command: Command| b.queue.redis().call(command).await.unwrap();
    call(Command::new("HSET").arg(elsewhere("meta")).arg("opts.maxLenEvents").arg("9")).await;
    call(Command::new("HSET").arg(elsewhere("x:y:z")).arg("name").arg("n")).await;
    call(Command::new("LPUSH").arg(elsewhere("wait")).arg("x:y:z")).await;
    b.raw("SADD", "parent:dependencies", &[&elsewhere("x:y:z")]).await;
    b.queue.remove("parent").await.unwrap();
    assert!(b.list("wait").await.is_empty());
    let left = call(Command::new("EXISTS").arg(elsewhere("wait")).arg(elsewhere("x:y:z"))).await;
    assert_eq!(left, Value::Int(0));
    assert_eq!(b.state("a:b:c").await, None);
}

#[tokio::test]
async fn a_parent_that_goes_with_its_children_blocks_no_later_one() {
    let b = Bench::new("parents").await;
    let deduplication = Some(Deduplication { id: "d".to_owned(), ..Deduplication::default() });
    b.add("parent", JobOptions { deduplication, ..JobOptions::default() }).await;
    b.raw("LREM", "wait", &["1", "parent"]).await;
    b.raw("ZADD", "waiting-children", &["1", "parent"]).await;
    b.plain(&["child"]).await;
    let parent = format!("{}parent", b.base);
    b.raw("HSET", "child", &["parentKey", &parent]).await;
    b.raw("SADD", "parent:dependencies", &[&format!("{}child", b.base)]).await;
    assert_eq!(b.queue.clean(State::Wait, Duration::ZERO, None).await.unwrap(), ["child"]);
    assert_eq!(b.state("parent").await, None);
    assert_eq!(b.raw("EXISTS", "de:d", &[]).await, Value::Int(0));
}

#[tokio::test]
async fn parents_that_wait_for_their_children_cannot_be_cleaned() {
    let b = Bench::new("parents-stay").await;
    let refused = b.queue.clean(State::WaitingChildren, Duration::ZERO, None).await.unwrap_err();
    assert!(matches!(refused, Error::Refused(Refusal::NotCleanable)), "{refused}");
}
