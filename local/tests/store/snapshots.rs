//! Reading snapshots back.

use serde_json::value::RawValue;
use shared::store::{Cursor, NewSnapshot};

use super::{Bench, NOON};

async fn fill(bench: &Bench, project: &str, times: &[i64]) {
    let batch: Vec<_> = (0..)
        .zip(times)
        .map(|(n, &at)| NewSnapshot {
            id: format!("{project}-{n:02}"),
            project_id: project.to_owned(),
            computed_at_ms: at,
            overall: n,
            content: 1,
            entities: 2,
            technical: 3,
            visibility: 4,
            metadata: RawValue::from_string(r#"{"x":0.30000000000000004}"#.to_owned()).unwrap(),
        })
        .collect();
    bench.store.save(&batch).await.unwrap();
}

#[tokio::test]
async fn pages_of_a_history_neither_repeat_nor_skip() {
    let bench = Bench::new().await;
    bench.empty_projects(&["p", "other"]).await;
    // Three of the same millisecond straddle pages.
    fill(&bench, "p", &[NOON, NOON + 1, NOON + 1, NOON + 1, NOON + 2, NOON - 5]).await;
    fill(&bench, "other", &[NOON + 9]).await;
    for limit in 1..8 {
        let (mut seen, mut before) = (Vec::new(), None);
        loop {
            let page = bench.store.history("p", before.as_ref(), limit).await.unwrap();
            assert!(page.snapshots.len() <= limit as usize);
            seen.extend(page.snapshots.into_iter().map(|snapshot| snapshot.id));
            before = page.next;
            if before.is_none() {
                break;
            }
        }
        assert_eq!(seen, ["p-04", "p-03", "p-02", "p-01", "p-00", "p-05"], "{limit} a page");
    }
    assert!(bench.store.history("p", None, 6).await.unwrap().next.is_none(), "a full last page");
}

#[tokio::test]
async fn the_latest_snapshot_has_all_its_columns() {
    let bench = Bench::new().await;
    bench.empty_projects(&["p", "q"]).await;
    fill(&bench, "p", &[NOON, NOON + 1, NOON - 1]).await;
    let latest = bench.store.latest_snapshot("p").await.unwrap().unwrap();
    assert_eq!((&*latest.id, latest.computed_at_ms, &*latest.version), ("p-01", NOON + 1, "v1"));
    assert_eq!(
        (latest.overall, latest.content, latest.entities, latest.technical, latest.visibility),
        (1, Some(1), Some(2), Some(3), Some(4))
    );
    assert_eq!(latest.metadata.unwrap().get(), r#"{"x": 0.30000000000000004}"#);
    for nobody in ["q", "gone", "nul\0"] {
        assert!(bench.store.latest_snapshot(nobody).await.unwrap().is_none(), "{nobody}");
    }
    let current = bench.store.current_score("p").await.unwrap().unwrap();
    assert_eq!((current.overall, current.computed_at_ms), (Some(1), Some(NOON + 1)));
    let never = bench.store.current_score("q").await.unwrap().unwrap();
    assert_eq!((never.overall, never.computed_at_ms), (None, None));
    assert!(bench.store.current_score("gone").await.unwrap().is_none());
}

#[tokio::test]
async fn a_cursor_from_outside_is_never_an_error() {
    let bench = Bench::new().await;
    bench.empty_projects(&["p"]).await;
    fill(&bench, "p", &[NOON]).await;
    for (computed_at_ms, id, found) in [
        (NOON, "p-00", 0),
        (NOON, "p-000", 1),
        (NOON + 1, "", 1),
        (NOON - 1, "z", 0),
        (i64::MAX, "z", 0),
        (i64::MIN, "z", 0),
        (NOON, "nul\0", 0),
    ] {
        let before = Cursor { computed_at_ms, id: id.to_owned() };
        let page = bench.store.history("p", Some(&before), 10).await.unwrap();
        assert_eq!(page.snapshots.len(), found, "{before:?}");
    }
}
