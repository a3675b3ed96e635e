//! `deo verify` against a real Redis and a real Postgres: of each invariant a violation is planted, is found,
//! and is told with the job that it is about.

mod run;

use std::fs;

use serde_json::json;
use shared::clock::from_iso8601;
use shared::queue::NewJob;

use self::run::Run;
use crate::process::{deo, open_folder};

#[tokio::test]
async fn a_run_that_went_well_is_told_so() {
    let mut run = Run::new().await;
    assert_eq!(run.violations_with(&["--all-ended"]), [""; 0]);
    let (text, code) = run.verify_with(&[]);
    assert_eq!(code, 0, "{text}");
    let first = "4 jobs were accepted; the queue has 3 completed, 1 failed; 3 snapshots";
    assert_eq!(text.lines().next(), Some(first));
    assert_eq!(text.matches(" holds (").count(), 7, "{text}");
    // What no state can tell is not taken for proved.
    assert!(text.contains("I4  not looked at") && text.contains("I5  not looked at"), "{text}");
    assert!(text.contains("I10  not looked at (no event was written"), "{text}");
    run.evidence.push(json!({"kind": "invocation", "id": "a", "deadlineMs": 5, "endedMs": 5}));
    run.evidence.push(json!({"kind": "commands", "by": "drains", "used": 5, "budget": 5}));
    let (text, _) = run.verify_with(&[]);
    assert_eq!(text.matches(" holds (").count(), 9, "{text}");
}

#[tokio::test]
async fn a_job_that_is_lost_doubled_or_failed_without_a_reason_breaks_i1() {
    let mut run = Run::new().await;
    run.accepted.push(json!({ "id": "17", "project": "p1", "timestamp": 5 }));
    run.plant("LPUSH wait 2").await;
    run.plant("HDEL 4 failedReason").await;
    let i1 = run.violations().into_iter().filter(|it| it.starts_with("I1")).collect::<Vec<_>>();
    assert_eq!(
        i1,
        [
            "I1 17: is lost: neither the job nor its snapshot is there",
            "I1 2: stands in wait and completed",
            "I1 4: has failed without a reason",
        ]
    );
}

#[tokio::test]
async fn a_job_that_nobody_accepted_breaks_i1_unless_a_call_was_not_answered() {
    let mut run = Run::new().await;
    assert_eq!(run.world.enqueue(&["p1".to_owned()]).await, ["5"]);
    assert_eq!(run.violations(), ["I1 5: stands in the queue, and nobody accepted it"]);
    run.accepted.push(json!({ "project": "p1", "unanswered": true }));
    assert_eq!(run.violations(), [""; 0]);
    run.accepted.pop();
    // Nor is it one of the run's where that began later.
    assert_eq!(run.violations_with(&["--since", "2999-01-01T00:00:00Z"]), [""; 0]);
}

#[tokio::test]
async fn a_call_without_an_answer_may_have_left_a_snapshot_alone() {
    let mut run = Run::new().await;
    run.plant("DEL 1").await;
    run.plant("ZREM completed 1").await;
    run.accepted.remove(0);
    let [stranger] = <[String; 1]>::try_from(run.violations()).unwrap();
    assert!(stranger.contains("of project p1 belongs to no accepted job"), "{stranger}");
    run.accepted.push(json!({ "project": "p1", "unanswered": true }));
    assert_eq!(run.violations(), [""; 0]);
}

#[tokio::test]
async fn what_retention_removed_is_proved_by_its_snapshot_and_its_timestamp() {
    let mut run = Run::new().await;
    let timestamp = run.world.queue.job("1").await.unwrap().unwrap().fields["timestamp"].clone();
    run.plant("DEL 1").await;
    run.plant("ZREM completed 1").await;
    let first = run.violations();
    assert!(
        first[0].starts_with("I1 1: is not there, and its removal cannot be proved"),
        "{first:?}"
    );
    run.accepted[0]["timestamp"] = json!(timestamp.parse::<i64>().unwrap());
    assert_eq!(run.violations(), [""; 0]);
    run.sql(r#"DELETE FROM "DeoScoreSnapshot" WHERE "projectId" = 'p1'"#).await;
    assert!(run.violations()[0].starts_with("I1 1: is lost"), "{:?}", run.violations());
}

#[tokio::test]
async fn a_snapshot_too_few_or_too_many_breaks_i2() {
    let run = Run::new().await;
    let (first, second) = (run.returned("1").await, run.returned("2").await);
    let other = |id: &str, project: &str| {
        format!(
            r#"INSERT INTO "DeoScoreSnapshot" (id, "projectId", "overallScore", "computedAt", "updatedAt")
            SELECT '{id}', '{project}', 1, '2020-01-01', now()"#
        )
    };
    run.sql(&other("nobody-s", "p3")).await;
    assert_eq!(
        run.violations(),
        ["I2 -: the snapshot nobody-s of project p3 belongs to no accepted job"]
    );
    // Job 1 names that one now, and so has two; job 2 names one that is gone; job 3 none.
    let value = json!({ "projectId": "p1", "snapshotId": "nobody-s" });
    run.plant(&format!("HSET 1 returnvalue {value}")).await;
    run.plant("HSET 3 returnvalue null").await;
    run.sql(&format!(
        r#"DELETE FROM "DeoScoreSnapshot" WHERE id = '{second}';
        UPDATE "Project" SET "currentDeoScore" = NULL, "currentDeoScoreComputedAt" = NULL WHERE id = 'p2'"#
    ))
    .await;
    let third = run.violations().pop().unwrap();
    assert!(third.starts_with("I2 3: has completed, and names no snapshot"), "{third}");
    let found = run.violations();
    assert_eq!(
        found[1..],
        [
            format!("I2 1: has two snapshots, nobody-s and {first}"),
            "I2 1: names the snapshot nobody-s of another project, p3".to_owned(),
            format!("I2 2: names the snapshot {second}, which is not there"),
            "I2 3: has completed, and names no snapshot".to_owned(),
        ]
    );
    // That of job 3 belongs to nobody who names it.
    assert!(found[0].starts_with("I2 -: the snapshot "), "{found:?}");
    // Two that share one.
    let value = json!({ "projectId": "p1", "snapshotId": first });
    for id in ["1", "2"] {
        run.plant(&format!("HSET {id} returnvalue {value}")).await;
    }
    let shared = run.violations();
    assert!(shared.iter().any(|it| it.ends_with("and so does job 1")), "{shared:?}");
}

#[tokio::test]
async fn a_job_that_somebody_holds_breaks_i3() {
    let run = Run::new().await;
    run.plant("SET 2:lock somebody").await;
    assert_eq!(run.violations(), ["I3 2: has a lock, and is not active"]);
    run.plant("DEL 2:lock").await;
    run.plant("ZREM failed 4").await;
    run.plant("HDEL 4 finishedOn").await;
    run.plant("LPUSH active 4").await;
    assert_eq!(run.violations(), ["I3 4: is still active, without a lock"]);
    run.plant("SET 4:lock somebody").await;
    assert_eq!(run.violations(), ["I3 4: is still active, under a lock"]);
    assert_eq!(run.violations_with(&["--running"]), [""; 0]);
}

#[tokio::test]
async fn evidence_of_a_late_invocation_breaks_i4_and_of_many_commands_i5() {
    let mut run = Run::new().await;
    let late = json!({"kind": "invocation", "id": "a", "deadlineMs": 5, "endedMs": 7, "job": "3"});
    run.evidence.push(late);
    run.evidence.push(json!({"kind": "commands", "by": "job", "used": 9, "budget": 8, "job": "2"}));
    assert_eq!(
        run.violations(),
        ["I4 3: invocation a ended 2 ms after its deadline", "I5 2: job: 9 commands, of at most 8"]
    );
}

#[tokio::test]
async fn what_bullmq_cannot_read_breaks_i6() {
    let mut run = Run::new().await;
    run.plant("HSET 1 data {").await;
    run.plant("HSET 2 finishedOn 5").await;
    run.plant("HSET 4 stacktrace oops").await;
    let found = [
        "I6 1: has data that is no JSON",
        "I6 2: has another `finishedOn` than its place in completed",
        "I6 4: has a `stacktrace` that is no JSON array of texts",
    ];
    // Without data that can be read, a snapshot is of no project that the job names.
    let form = |it: &String| it.starts_with("I6");
    assert_eq!(run.violations().into_iter().filter(form).collect::<Vec<_>>(), found);
    // A producer's own data is its own, and what BullMQ itself could not do counts.
    run.accepted[0]["poison"] = json!(true);
    let could_not =
        json!({"kind": "peer", "peer": "BullMQ 6", "did": "retry", "job": "4", "error": "no"});
    run.evidence = vec![could_not];
    let found = run.violations().into_iter().filter(form).collect::<Vec<_>>();
    assert_eq!(found.len(), 3, "{found:?}");
    assert!(found[1..].contains(&"I6 4: BullMQ 6 could not retry: no".to_owned()), "{found:?}");
    run.plant("HSET 3 priority 5").await;
    run.plant("ZREM completed 3").await;
    run.plant("HDEL 3 finishedOn").await;
    run.plant("ZADD prioritized 7 3").await;
    let found = run.violations();
    let ranked = "I6 3: has the priority 5, and stands at that of another one".to_owned();
    assert!(found.contains(&ranked), "{found:?}");
}

#[tokio::test]
async fn a_project_that_shows_an_old_score_or_hides_new_rows_breaks_i7() {
    let run = Run::new().await;
    let (first, second) = (run.returned("1").await, run.returned("2").await);
    run.sql(r#"UPDATE "Project" SET "currentDeoScore" = 99 WHERE id = 'p1'"#).await;
    assert_eq!(
        run.violations(),
        [format!("I7 1: project p1 does not show its newest snapshot, {first}")]
    );
    run.sql(r#"UPDATE "Project" SET "currentDeoScore" = 9 WHERE id = 'p1'"#).await;
    // Rows that came later make a project stale, unless its score claims to be newer still.
    run.sql(
        r#"INSERT INTO "Product" (id, "projectId", "externalId", title, "lastSyncedAt")
        VALUES ('r', 'p2', 'r', 'r', now() AT TIME ZONE 'UTC')"#,
    )
    .await;
    assert_eq!(run.violations(), [""; 0]);
    run.sql(
        r#"UPDATE "Project" SET "currentDeoScoreComputedAt" = now() + interval '1 day' WHERE id = 'p2'"#,
    )
    .await;
    let found = run.violations();
    let hidden = format!(
        "I7 2: project p2 has rows newer than its newest snapshot, {second}, and is not found as stale"
    );
    assert!(found.contains(&hidden), "{found:?}");
}

#[tokio::test]
async fn a_job_that_does_not_get_on_breaks_i8() {
    let mut run = Run::new().await;
    assert_eq!(run.world.enqueue(&["p1".to_owned()]).await, ["5"]);
    run.accepted.push(json!({ "id": "5", "project": "p1" }));
    assert_eq!(run.violations(), [""; 0]);
    assert_eq!(
        run.violations_with(&["--all-ended"]),
        ["I8 5: has not ended: it is in prioritized, started 0 times"]
    );
    let later = ["--all-ended", "--since", "2999-01-01T00:00:00Z"];
    assert_eq!(run.violations_with(&later), [""; 0], "it is older than the run");
    run.plant("HSET 5 ats 51").await;
    assert_eq!(run.violations(), ["I8 5: was started 51 times, and is in prioritized again"]);
    run.plant("HSET 5 ats 1").await;
    run.plant("ZREM prioritized 5").await;
    run.plant("ZADD delayed 4096 5").await;
    assert_eq!(run.violations(), ["I8 5: has not ended: it is in delayed, started 1 times"]);
}

#[tokio::test]
async fn a_job_without_a_place_and_a_place_without_a_job_break_i9() {
    let run = Run::new().await;
    let stranger = NewJob { name: "x".into(), data: "{}".into(), ..NewJob::default() };
    run.world.queue.enqueue(&[stranger]).await.unwrap();
    run.plant("LREM wait 0 5").await;
    let violations = run.violations();
    assert!(
        violations.len() == 1
            && violations[0]
                .starts_with("I9 5: is stored, and stands in no state; its fields: data, ")
            && violations[0].contains(", name, "),
        "{violations:?}"
    );
    // One that has ended was removed, whatever is left of it.
    run.plant("HSET 5 finishedOn 5").await;
    assert_eq!(run.violations(), [""; 0]);
    let (text, _) = run.verify_with(&[]);
    assert!(text.contains("1 job was removed after its end, but for its hash"), "{text}");
    run.plant("DEL 5").await;
    run.plant("LPUSH wait 2:3:4").await;
    run.plant("SET delayed text").await;
    run.plant("DEL 1").await;
    run.plant("SET 1 text").await;
    let found = run.violations();
    let i9 = found.into_iter().filter(|it| it.starts_with("I9")).collect::<Vec<_>>();
    assert_eq!(
        i9,
        [
            "I9 -: the queue's key `delayed` is a string, not a zset",
            "I9 1: has something else than a job at its key",
            "I9 2:3:4: stands in the queue, and there is no job",
        ]
    );
}

#[tokio::test]
async fn a_drop_without_its_one_event_and_its_one_id_breaks_i10() {
    let mut run = Run::new().await;
    let (first, second) = (run.returned("1").await, run.returned("2").await);
    let event = |snapshot: &str, project: &str, read: &str, outcome: &str| {
        format!(
            "INSERT INTO deo.score_drop (platform, snapshot_id, project_id, from_score, to_score, read_at, created_at,
                due_at, outcome)
            VALUES ('public', '{snapshot}', '{project}', 90, 9, '{read}', now(), now(), {outcome})"
        )
    };
    let at = "2026-01-31T12:00:00Z";
    run.sql(&event(&first, "p1", at, "'delivered'")).await;
    let read = |at: &str| from_iso8601(at).unwrap();
    let fall = |project: &str, read_at_ms: i64| json!({"kind": "fall", "project": project, "from": 90, "to": 9, "readAtMs": read_at_ms});
    let taken = |id: &str, project: &str| json!({"kind": "event", "id": id, "project": project});
    let id = format!("drop_{first}");
    // As often as it is sent.
    run.evidence = vec![fall("p1", read(at)), taken(&id, "p1"), taken(&id, "p1")];
    assert_eq!(run.violations(), [""; 0]);
    let (text, _) = run.verify_with(&[]);
    assert!(text.contains("I10  holds (4 looked at)"), "{text}");

    run.evidence = vec![fall("p1", read(at)), fall("p3", 5), taken("drop_x", "p1")];
    assert_eq!(
        run.violations(),
        [
            "I10 -: a receiver took drop_x of project p1, which nobody wrote down".to_owned(),
            "I10 -: project p3 fell from 90 to 9, and has no event of it".to_owned(),
            format!("I10 1: {id} of project p1 counts as delivered, and no receiver took it"),
        ]
    );
    run.evidence = vec![fall("p1", 5)];
    assert_eq!(
        run.violations(),
        [
            "I10 -: an event of project p1 tells of a fall from 90 to 9 that was none",
            "I10 -: project p1 fell from 90 to 9, and has no event of it",
        ]
    );
    run.evidence.clear();
    run.sql(&event("gone", "p1", at, "NULL")).await;
    run.sql(&event(&second, "p3", at, "NULL")).await;
    // Which of the two comes first follows from their ids.
    let [one, other] = if *"gone" < *first { ["gone", &first] } else { [&*first, "gone"] };
    let mut expected = vec![
        "I10 -: the event of project p1 names a snapshot that is not there".to_owned(),
        "I10 2: the event of project p3 names a snapshot of p2".to_owned(),
    ];
    let job = if other == "gone" { "-" } else { "1" };
    expected.push(format!("I10 {job}: a fall of project p1 has two events, of {one} and {other}"));
    expected.sort();
    let mut found = run.violations();
    found.sort();
    assert_eq!(found, expected);
    // What is older than the run, and of another platform, is not its own.
    let later = ["--since", "2999-01-01T00:00:00Z"];
    assert_eq!(run.violations_with(&later), [""; 0]);
    run.sql("UPDATE deo.score_drop SET platform = 'other'").await;
    assert_eq!(run.violations(), [""; 0]);
}

#[test]
fn a_log_that_cannot_be_read_is_told_by_its_line() {
    let folder = open_folder();
    let path = folder.path().join("log");
    fs::write(&path, "{\"id\": \"1\"}\nno").unwrap();
    let output = deo(folder.path()).args(["verify", "--accepted"]).arg(&path).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let errors = String::from_utf8(output.stderr).unwrap();
    assert!(errors.starts_with("deo: line 2 of the log of accepted jobs"), "{errors}");
}
