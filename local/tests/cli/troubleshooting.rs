//! Situations of `docs/troubleshooting.md`: each is provoked, seen as its row says, and mended by what the row tells.

use serde_json::json;
use shared::redis::Command;

use crate::project::Shop;

#[tokio::test]
async fn the_wrong_prefix_is_found_without_redis_cli() {
    let shop = Shop::new().await;
    // A producer that has BullMQ's own default, so that nothing of its jobs is seen here.
    let meta = |prefix: &str| Command::new("HSET").arg(format!("{prefix}:deo_score_queue:meta"));
    shop.redis(meta("bull").arg("opts.maxLenEvents").arg("10000")).await;
    shop.redis(Command::new("SET").arg("another:queue").arg("1")).await;
    let found = shop.json(&["queue", "prefixes"]);
    assert_eq!(found, json!({"configured": "engineo", "prefixes": ["bull"]}));
    let told = shop.text(&["queue", "prefixes"]);
    assert_eq!(told, "bull\nnone under engineo, which is REDIS_PREFIX\n");

    shop.redis(meta("engineo").arg("version").arg("bullmq:5.0.0")).await;
    let told = shop.text(&["queue", "prefixes"]);
    assert_eq!(told, "bull\nengineo  (REDIS_PREFIX)\n");
}

/// A row of *Jobs stay waiting*.
struct Row {
    stopped_because: &'static str,
    provoked: &'static [&'static str],
    settings: &'static [(&'static str, &'static str)],
    /// As the row has it, without `deo`.
    remedy: &'static [&'static str],
}

const ROWS: [Row; 3] = [
    Row {
        stopped_because: "disabled",
        provoked: &["queue", "stats"],
        settings: &[("ENABLE_QUEUE_PROCESSORS", "false")],
        remedy: &["queue", "stats"],
    },
    Row {
        stopped_because: "paused",
        provoked: &["queue", "pause"],
        settings: &[],
        remedy: &["queue", "resume"],
    },
    Row {
        stopped_because: "limited",
        provoked: &["queue", "limit", "--rate", "1/1h"],
        settings: &[],
        remedy: &["queue", "limit", "--rate", "none"],
    },
];

#[tokio::test]
async fn jobs_that_stay_waiting_go_on_as_their_row_says() {
    let shop = Shop::new().await;
    let page = include_str!("../../../docs/troubleshooting.md");
    for Row { stopped_because, provoked, settings, remedy } in ROWS {
        let row = page.lines().find(|line| line.contains(&format!("| `{stopped_because}` |")));
        let row = row.unwrap_or_else(|| panic!("no row for {stopped_because}"));
        let mends = settings.iter().map(|(name, _)| *name).chain(remedy.get(1).copied());
        let told = mends.filter(|word| row.contains(word)).count();
        assert!(told > 0, "{row}");

        shop.json(&["enqueue", "--all"]);
        shop.json(provoked);
        let stuck = shop.json_with(&["drain"], settings);
        assert_eq!(stuck["stoppedBecause"], *stopped_because, "{stuck}");
        shop.json(remedy);
        let done = shop.json(&["drain", "--until-empty"]);
        assert_eq!(
            (&done["stoppedBecause"], &done["remaining"]["waiting"]),
            (&json!("empty"), &json!(0))
        );
        assert!(done["completed"].as_u64() >= Some(1), "{done}");
    }
}

#[tokio::test]
async fn a_failed_job_tells_the_reason_that_its_row_explains() {
    let shop = Shop::new().await;
    let page = include_str!("../../../docs/troubleshooting.md");
    let reason = "Project not found: ";
    assert!(page.contains(&format!("| `{reason}…` |")));
    shop.json(&["enqueue", "--project", "seed-1-p9999999"]);
    assert_eq!(shop.json(&["drain", "--until-empty"])["failed"], 1);
    let listed = shop.json(&["queue", "jobs", "failed"]).to_string();
    assert!(listed.contains(reason), "{listed}");
    let retried = shop.text(&["queue", "retry", "--all-failed", "--reason", reason]);
    assert!(retried.contains("1 job"), "{retried}");
}
