//! Writing: once a job, never backwards, all or nothing.

use fixture::database_proxy::through_proxy;
use serde_json::value::RawValue;
use shared::store::{ErrorKind, NewSnapshot, Saved, snapshot_id};

use super::{Bench, NOON, Sql, store};

pub(super) fn snapshot(id: &str, project: &str, computed_at_ms: i64, overall: i32) -> NewSnapshot {
    NewSnapshot {
        id: id.to_owned(),
        project_id: project.to_owned(),
        computed_at_ms,
        overall,
        content: 1,
        entities: 2,
        technical: 3,
        visibility: 4,
        metadata: RawValue::from_string(r#"{"signals":{"a":0.1}}"#.to_owned()).unwrap(),
    }
}

/// `id@overall` of all rows, and `project=score@milliseconds after noon`.
async fn stored(bench: &Bench) -> (Vec<String>, Vec<String>) {
    let texts = |rows: Vec<tokio_postgres::Row>| rows.iter().map(|row| row.get(0)).collect();
    let snapshots = bench
        .sql
        .rows(r#"SELECT format('%s@%s', id, "overallScore") FROM "DeoScoreSnapshot" ORDER BY id"#)
        .await;
    let projects = bench
        .sql
        .rows(
            r#"SELECT format('%s=%s@%s', id, "currentDeoScore", extract(epoch FROM
                "currentDeoScoreComputedAt" - timestamp '2026-03-01 12:00')::int8 * 1000)
            FROM "Project" ORDER BY id"#,
        )
        .await;
    (texts(snapshots), texts(projects))
}

#[tokio::test]
async fn a_batch_of_any_size_is_one_unnamed_statement() {
    let bench = Bench::new().await;
    let ids: Vec<String> = (0..100).map(|n| format!("p{n:03}")).collect();
    bench.empty_projects(&ids.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let batch: Vec<_> = ids.iter().map(|id| snapshot(&format!("s-{id}"), id, NOON, 50)).collect();
    let (url, watch) = through_proxy(&bench.url).await;
    let store = store(&url);
    for part in [&batch[..1], &batch] {
        let saved = store.save(part).await.unwrap();
        assert!(saved.iter().all(|fate| matches!(fate, Saved::Stored { .. })));
        assert_eq!(saved.len(), part.len());
        assert_eq!(watch.statements(), 1, "{} snapshots", part.len());
    }
    assert_eq!(store.save(&[]).await.unwrap().len(), 0);
    assert_eq!(watch.statements(), 0, "nothing to store");
    assert!(watch.named.lock().unwrap().iter().all(String::is_empty));
    assert_eq!(bench.sql.number(r#"SELECT count(*) FROM "DeoScoreSnapshot""#).await, 100);
}

#[tokio::test]
async fn everything_is_stored_in_its_column_and_in_utc() {
    let bench = Bench::new().await;
    bench.empty_projects(&["p"]).await;
    // A session's time zone must not matter.
    let zone = bench.url.rsplit('/').next().unwrap();
    bench.sql.run(&format!("ALTER DATABASE {zone} SET timezone = 'Asia/Tokyo'")).await;
    bench.store.save(&[snapshot("s", "p", NOON + 7, 50)]).await.unwrap();
    let rows = bench
        .sql
        .rows(
            r#"SELECT s."computedAt"::text, s."overallScore", s."contentScore", s."entityScore",
                s."technicalScore", s."visibilityScore", s.version, s.metadata::text,
                abs(extract(epoch FROM s."createdAt" - now() AT TIME ZONE 'UTC')) < 60,
                abs(extract(epoch FROM s."updatedAt" - now() AT TIME ZONE 'UTC')) < 60
            FROM "DeoScoreSnapshot" s"#,
        )
        .await;
    let row = &rows[0];
    assert_eq!(row.get::<_, &str>(0), "2026-03-01 12:00:00.007");
    let numbers: Vec<i32> = (1..6).map(|column| row.get(column)).collect();
    assert_eq!(numbers, [50, 1, 2, 3, 4]);
    assert_eq!((row.get(6), row.get(7)), ("v1", r#"{"signals": {"a": 0.1}}"#));
    assert!(row.get::<_, bool>(8) && row.get::<_, bool>(9), "created and updated now, in UTC");
}

#[tokio::test]
async fn the_same_job_again_updates_its_own_row_if_newer() {
    let bench = Bench::new().await;
    bench.empty_projects(&["p"]).await;
    let id = snapshot_id("engineo", "q", "1", NOON);
    for (after, overall, stored_overall) in
        [(0, 40, 40), (0, 41, 40), (2_000, 42, 42), (1_000, 43, 42)]
    {
        let saved = bench.store.save(&[snapshot(&id, "p", NOON + after, overall)]).await.unwrap();
        assert!(matches!(saved[..], [Saved::Stored { .. }]));
        assert_eq!(stored(&bench).await.0, [format!("{id}@{stored_overall}")]);
    }
    assert_eq!(stored(&bench).await.1, ["p=42@2000"]);
}

#[tokio::test]
async fn a_score_never_goes_back_in_time() {
    let bench = Bench::new().await;
    bench.empty_projects(&["p", "q"]).await;
    // Jobs of one project in one batch each have a row; the newest is the current score.
    let batch = [
        snapshot("a", "p", NOON + 1_000, 61),
        snapshot("b", "p", NOON + 3_000, 63),
        snapshot("c", "p", NOON + 2_000, 62),
        snapshot("d", "q", NOON, 70),
    ];
    bench.store.save(&batch).await.unwrap();
    assert_eq!(stored(&bench).await.1, ["p=63@3000", "q=70@0"]);
    bench
        .store
        .save(&[snapshot("late", "p", NOON, 10), snapshot("e", "q", NOON + 1_000, 71)])
        .await
        .unwrap();
    let (snapshots, projects) = stored(&bench).await;
    assert_eq!(projects, ["p=63@3000", "q=71@1000"]);
    assert_eq!(snapshots, ["a@61", "b@63", "c@62", "d@70", "e@71", "late@10"]);
}

/// So that a project's newest snapshot is the one whose score it shows, whatever the ids.
#[tokio::test]
async fn of_reads_within_one_millisecond_the_one_stored_first_stays() {
    let bench = Bench::new().await;
    bench.empty_projects(&["p", "q"]).await;
    for (project, first, second) in [("p", "a", "b"), ("q", "d", "c")] {
        bench.store.save(&[snapshot(first, project, NOON, 61)]).await.unwrap();
        for _ in 0..2 {
            let again = [snapshot(second, project, NOON, 62), snapshot(first, project, NOON, 63)];
            bench.store.save(&again).await.unwrap();
            let newest = bench.store.history(project, None, 9).await.unwrap().snapshots;
            let newest: Vec<_> =
                newest.iter().map(|it| (&*it.id, it.overall, it.computed_at_ms)).collect();
            assert_eq!(newest, [(first, 61, NOON), (second, 62, NOON - 1)]);
        }
    }
    assert_eq!(stored(&bench).await.1, ["p=61@0", "q=61@0"]);
    // Of one batch, the first of the history.
    let batch = [snapshot("f", "p", NOON + 1_000, 71), snapshot("g", "p", NOON + 1_000, 72)];
    bench.store.save(&batch).await.unwrap();
    assert_eq!(stored(&bench).await.1, ["p=72@1000", "q=61@0"]);
    assert_eq!(bench.store.latest_snapshot("p").await.unwrap().unwrap().overall, 72);
}

#[tokio::test]
async fn a_result_that_waited_for_another_is_held_against_it() {
    for (read, score, newest) in
        [(2_000, "62@2000", "b"), (1_000, "61@1000", "a"), (0, "61@1000", "a")]
    {
        let bench = Bench::new().await;
        bench.empty_projects(&["p"]).await;
        // Both have begun before either has stored anything.
        bench.sql.run(r#"BEGIN; SELECT 1 FROM "Project" FOR UPDATE"#).await;
        let first = store(&bench.url);
        let first =
            tokio::spawn(async move { first.save(&[snapshot("a", "p", NOON + 1_000, 61)]).await });
        let other = Sql::connect(&bench.url).await;
        other.somebody_waits_for_a_lock().await;
        let second = store(&bench.url);
        let second =
            tokio::spawn(async move { second.save(&[snapshot("b", "p", NOON + read, 62)]).await });
        other.lock_waits(2).await;
        bench.sql.run("COMMIT").await;
        first.await.unwrap().unwrap();
        let Saved::Stored { previous, moved } = second.await.unwrap().unwrap().remove(0) else {
            panic!("not stored")
        };
        assert_eq!((previous, moved), (Some(61), newest == "b"));
        assert_eq!(stored(&bench).await.1, [format!("p={score}")]);
        assert_eq!(bench.store.latest_snapshot("p").await.unwrap().unwrap().id, newest);
    }
}

#[tokio::test]
async fn what_is_stored_hands_on_the_score_before_it() {
    let bench = Bench::new().await;
    bench.empty_projects(&["p", "q"]).await;
    bench
        .sql
        .run(
            r#"ALTER TABLE "DeoScoreSnapshot" ADD CONSTRAINT unlucky CHECK ("overallScore" <> 13)"#,
        )
        .await;
    for (batch, expected) in [
        (vec![("a", "p", 1_000, 61), ("b", "q", 0, 70)], vec![(None, true), (None, true)]),
        // An older read, which stays in the history.
        (
            vec![("c", "p", 500, 9), ("d", "q", 1_000, 71)],
            vec![(Some(61), false), (Some(70), true)],
        ),
        // The answer was lost, and the batch is stored again.
        (
            vec![("c", "p", 500, 9), ("d", "q", 1_000, 71)],
            vec![(Some(61), false), (Some(71), false)],
        ),
        // Two jobs of one project, of which only one can be stored in one statement with the third.
        (
            vec![("e", "p", 2_000, 62), ("f", "q", 2_000, 13), ("g", "p", 2_000, 62)],
            vec![(Some(61), true), (Some(61), true)],
        ),
    ] {
        let batch: Vec<_> = batch
            .into_iter()
            .map(|(id, project, after, overall)| snapshot(id, project, NOON + after, overall))
            .collect();
        let saved = bench.store.save(&batch).await.unwrap();
        let before: Vec<_> = saved
            .iter()
            .filter_map(|fate| match *fate {
                Saved::Stored { previous, moved } => Some((previous, moved)),
                _ => None,
            })
            .collect();
        assert_eq!(before, expected);
    }
}

#[tokio::test]
async fn one_id_twice_in_a_batch_is_one_row() {
    let bench = Bench::new().await;
    bench.empty_projects(&["p"]).await;
    let batch = [snapshot("a", "p", NOON + 1_000, 51), snapshot("a", "p", NOON, 50)];
    let saved = bench.store.save(&batch).await.unwrap();
    assert!(matches!(saved[..], [Saved::Stored { .. }, Saved::Stored { .. }]));
    assert_eq!(stored(&bench).await, (vec!["a@51".to_owned()], vec!["p=51@1000".to_owned()]));
}

#[tokio::test]
async fn a_deleted_project_does_not_fail_its_batch() {
    let bench = Bench::new().await;
    bench.empty_projects(&["p", "q", "r"]).await;
    bench.sql.run(r#"DELETE FROM "Project" WHERE id = 'q'"#).await;
    let batch: Vec<_> = [("a", "p"), ("b", "q"), ("c", "r"), ("d", "nul\0")]
        .map(|(id, project)| snapshot(id, project, NOON, 50))
        .into();
    let saved = bench.store.save(&batch).await.unwrap();
    assert!(
        matches!(
            saved[..],
            [
                Saved::Stored { .. },
                Saved::ProjectMissing,
                Saved::Stored { .. },
                Saved::ProjectMissing
            ]
        ),
        "{saved:?}"
    );
    assert_eq!(stored(&bench).await.0, ["a@50", "c@50"]);
}

#[tokio::test]
async fn a_project_deleted_meanwhile_waits_or_is_missing() {
    let bench = Bench::new().await;
    bench.empty_projects(&["p", "q"]).await;
    bench.sql.run(r#"BEGIN; DELETE FROM "Project" WHERE id = 'p'"#).await;
    let (url, watch) = through_proxy(&bench.url).await;
    let other = store(&url);
    let saving = tokio::spawn(async move {
        other.save(&[snapshot("a", "p", NOON, 50), snapshot("b", "q", NOON, 50)]).await
    });
    Sql::connect(&bench.url).await.somebody_waits_for_a_lock().await;
    bench.sql.run("COMMIT").await;
    let saved = saving.await.unwrap().unwrap();
    assert!(matches!(saved[..], [Saved::ProjectMissing, Saved::Stored { .. }]), "{saved:?}");
    assert_eq!(stored(&bench).await.0, ["b@50"]);
    assert_eq!(watch.statements(), 1, "it was found out without a failure");
}

#[tokio::test]
async fn what_cannot_be_stored_fails_alone() {
    let bench = Bench::new().await;
    let ids: Vec<String> = (0..9).map(|n| format!("p{n}")).collect();
    bench.empty_projects(&ids.iter().map(String::as_str).collect::<Vec<_>>()).await;
    bench
        .sql
        .run(
            r#"ALTER TABLE "DeoScoreSnapshot" ADD CONSTRAINT unlucky CHECK ("overallScore" <> 13)"#,
        )
        .await;
    let mut batch: Vec<_> = ids.iter().map(|id| snapshot(id, id, NOON, 50)).collect();
    batch[4].overall = 13;
    batch[7].computed_at_ms = i64::MIN;
    let saved = bench.store.save(&batch).await.unwrap();
    for (n, fate) in saved.iter().enumerate() {
        match (n, fate) {
            (4 | 7, Saved::Failed(error)) => assert_eq!(error.kind(), ErrorKind::Data, "{error}"),
            (4 | 7, _) => panic!("{n}: {fate:?}"),
            (_, fate) => assert!(matches!(fate, Saved::Stored { .. }), "{n}: {fate:?}"),
        }
    }
    let Saved::Failed(error) = &saved[4] else { unreachable!() };
    assert!(error.to_string().contains("constraint unlucky"), "{error}");
    assert_eq!(stored(&bench).await.0.len(), 7);
}

#[tokio::test]
async fn snapshot_and_current_score_are_stored_together_or_not_at_all() {
    let bench = Bench::new().await;
    bench.empty_projects(&["p"]).await;
    bench
        .sql
        .run(
            r#"CREATE FUNCTION stop() RETURNS trigger LANGUAGE plpgsql AS
                $$BEGIN RAISE EXCEPTION 'no' USING ERRCODE = '53100'; END$$;
            CREATE TRIGGER stop BEFORE UPDATE ON "Project" EXECUTE FUNCTION stop()"#,
        )
        .await;
    let error = bench.store.save(&[snapshot("a", "p", NOON, 50)]).await.unwrap_err();
    assert!(error.is_unavailable(), "a full disk is nobody's job's fault: {error}");
    assert_eq!(stored(&bench).await.0.len(), 0);
}

#[tokio::test]
async fn projects_are_locked_in_one_order_so_that_no_two_drains_wait_for_each_other() {
    let bench = Bench::new().await;
    let ids = ["p0", "p1", "p2", "p3", "p4"];
    bench.empty_projects(&ids).await;
    bench.sql.run(r#"BEGIN; SELECT 1 FROM "Project" WHERE id = 'p2' FOR UPDATE"#).await;
    // Neither the batch nor its snapshots' ids are in the order of the projects.
    let names = ["c", "a", "e", "b", "d"].into_iter().zip(ids).rev();
    let batch: Vec<_> = names.map(|(id, project)| snapshot(id, project, NOON, 50)).collect();
    let store = bench.store.clone();
    let saving = tokio::spawn(async move { store.save(&batch).await });
    let other = Sql::connect(&bench.url).await;
    other.somebody_waits_for_a_lock().await;
    let free = other.rows(r#"SELECT id FROM "Project" FOR NO KEY UPDATE SKIP LOCKED"#).await;
    let mut free: Vec<String> = free.iter().map(|row| row.get(0)).collect();
    free.sort();
    assert_eq!(free, ["p3", "p4"], "it holds those before and asks for none behind");
    bench.sql.run("COMMIT").await;
    saving.await.unwrap().unwrap();
    assert_eq!(stored(&bench).await.0.len(), 5);
}
