//! Situations of `docs/troubleshooting.md`: each is provoked, seen as its row says, and mended by what the row tells.

use fixture::certificates::authority;
use fixture::connect;
use local::tls_front::TlsFront;
use serde_json::{Value, json};
use shared::queue::{ClaimRequest, NewJob};
use shared::redis::Command;

use crate::project::Shop;

const PAGE: &str = include_str!("../../../docs/troubleshooting.md");

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
    for Row { stopped_because, provoked, settings, remedy } in ROWS {
        let row = PAGE.lines().find(|line| line.contains(&format!("| `{stopped_because}` |")));
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
    let reason = "Project not found: ";
    assert!(PAGE.contains(&format!("| `{reason}…` |")));
    shop.json(&["enqueue", "--project", "seed-1-p9999999"]);
    assert_eq!(shop.json(&["drain", "--until-empty"])["failed"], 1);
    let listed = shop.json(&["queue", "jobs", "failed"]).to_string();
    assert!(listed.contains(reason), "{listed}");
    let retried = shop.text(&["queue", "retry", "--all-failed", "--reason", reason]);
    assert!(retried.contains("1 job"), "{retried}");
}

/// A row of *A tick fails*: what its first cell says, and what the tick's error does.
struct Failure {
    row: &'static str,
    error: &'static str,
    provoked: Cause,
}

/// What makes ticks fail, and what ends it.
enum Cause {
    Setting(&'static str, String),
    Redis(&'static str, &'static str),
    Postgres(&'static str, &'static str),
}

/// The URL of a role that may have no connection.
fn crowded(database_url: &str) -> String {
    let (_, at) = database_url.split_once('@').unwrap();
    format!("postgres://crowded:pw@{at}")
}

const RAISES: &str = r#"CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN RAISE EXCEPTION 'not now'; END $$;
    CREATE TRIGGER refuse BEFORE INSERT ON "DeoScoreSnapshot" FOR EACH ROW EXECUTE FUNCTION refuse()"#;

/// Panics unless a row of the section begins with a cell that has this text.
fn has_row(section: &str, row: &str) {
    let rows = PAGE.split(section).nth(1).unwrap().split("\n## ").next().unwrap();
    let mut cells = rows.lines().filter_map(|line| line.strip_prefix("| ")?.split(" | ").next());
    assert!(cells.any(|cell| cell.contains(row)), "no row for {row}");
}

#[tokio::test]
async fn a_tick_fails_as_its_row_says_and_its_jobs_are_done_once_the_cause_is_mended() {
    let shop = Shop::new().await;
    let database = connect(&shop.database_url()).await;
    let at = shop.redis_url().rsplit('@').next().unwrap().rsplit("//").next().unwrap().to_owned();
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let redis = |user: &str, at: &str| Cause::Setting("REDIS_URL", format!("redis://{user}@{at}"));
    shop.redis_line("ACL SETUSER reader on >pw ~* &* +@all -eval -evalsha").await;
    database
        .batch_execute("CREATE ROLE crowded LOGIN PASSWORD 'pw' CONNECTION LIMIT 0")
        .await
        .unwrap();
    // What a full Redis refuses first is more jobs: a tick ends those that are there.
    shop.redis_line("CONFIG SET maxmemory 1").await;
    let refused = shop.error(&["enqueue", "--all"]);
    assert!(
        refused.contains("maxmemory") && PAGE.contains("| `OOM` or `maxmemory` |"),
        "{refused}"
    );
    shop.redis_line("CONFIG SET maxmemory 0").await;
    shop.json(&["enqueue", "--all"]);
    let failures = [
        Failure {
            row: "`refused the user or password`",
            error: "refused the user or password",
            provoked: redis("reader:wrong", &at),
        },
        Failure { row: "`NOPERM`", error: "NOPERM", provoked: redis("reader:pw", &at) },
        Failure {
            row: "an address that cannot be reached",
            error: "refused",
            provoked: redis("reader:pw", &nobody.to_string()),
        },
        Failure {
            row: "`READONLY`",
            error: "READONLY",
            provoked: Cause::Redis("REPLICAOF 127.0.0.1 1", "REPLICAOF NO ONE"),
        },
        Failure {
            row: "`WRONGTYPE`",
            error: "WRONGTYPE",
            provoked: Cause::Redis(
                "SET engineo:deo_score_queue:active x",
                "DEL engineo:deo_score_queue:active",
            ),
        },
        Failure {
            row: "`57014`",
            error: "57014",
            provoked: Cause::Postgres(
                r#"ALTER ROLE CURRENT_USER SET statement_timeout = 200; COMMIT;
                   BEGIN; LOCK TABLE "CrawlResult""#,
                "ROLLBACK; ALTER ROLE CURRENT_USER RESET statement_timeout",
            ),
        },
        Failure {
            row: "Postgres, and too many connections",
            error: "too many connections",
            provoked: Cause::Setting("DATABASE_URL", crowded(&shop.database_url())),
        },
        Failure {
            row: "any other SQLSTATE (`P0001`",
            error: "P0001",
            provoked: Cause::Postgres(RAISES, r#"DROP FUNCTION refuse CASCADE"#),
        },
    ];
    for Failure { row, error, provoked } in failures {
        has_row("## A tick fails", row);
        let (mut settings, mut mended) = (Vec::new(), None);
        match &provoked {
            Cause::Setting(name, value) => settings.push((*name, value.as_str())),
            Cause::Redis(cause, end) => {
                shop.redis_line(cause).await;
                mended = Some((true, *end));
            }
            Cause::Postgres(cause, end) => {
                database.batch_execute(cause).await.unwrap();
                mended = Some((false, *end));
            }
        }
        let report = shop.report_of_a_failed_tick(&settings);
        match mended {
            Some((true, end)) => shop.redis_line(end).await,
            Some((false, end)) => database.batch_execute(end).await.unwrap(),
            None => {}
        }
        assert_eq!(report["stoppedBecause"], "error", "{row}: {report}");
        assert!(report["error"].as_str().unwrap().contains(error), "{row}: {report}");
    }
    // Nothing was lost, and no attempt was counted.
    let done = shop.json(&["drain", "--until-empty"]);
    assert_eq!((&done["completed"], &done["failed"]), (&json!(8), &json!(0)), "{done}");
    let jobs = shop.json(&["queue", "jobs", "completed"]);
    assert!(jobs["jobs"].as_array().unwrap().iter().all(|job| job["attemptsMade"] == 1), "{jobs}");
}

#[tokio::test]
async fn jobs_wait_for_who_has_locked_their_project_for_their_time_and_for_others() {
    let shop = Shop::new().await;
    let waits = |stopped_because: &str| {
        assert!(PAGE.contains(&format!("| `{stopped_because}` |")) || stopped_because == "empty");
        let report = shop.json(&["drain"]);
        assert_eq!(report["stoppedBecause"], stopped_because, "{report}");
        report
    };
    let mut database = connect(&shop.database_url()).await;
    let locking = database.transaction().await.unwrap();
    let lock = r#"SELECT FROM "Project" WHERE id = 'seed-1-p0000003' FOR UPDATE"#;
    locking.batch_execute(lock).await.unwrap();
    shop.json(&["enqueue", "--project", "seed-1-p0000003"]);
    waits("held");
    locking.rollback().await.unwrap();
    assert_eq!(shop.json(&["drain"])["completed"], 1);

    shop.json(&["enqueue", "--project", "seed-1-p0000003", "--delay", "1h"]);
    assert!(
        PAGE.contains("| `empty`, though jobs were added |")
            && PAGE.contains("`remaining.delayed`")
    );
    assert_eq!(waits("empty")["remaining"]["delayed"], Value::Null);
    assert_eq!(shop.json(&["queue", "stats"])["counts"]["delayed"], 1);
    shop.json(&["queue", "promote", "--all"]);
    assert_eq!(shop.json(&["drain"])["completed"], 1);

    shop.json(&["enqueue", "--all"]);
    shop.json(&["queue", "limit", "--concurrency", "1"]);
    let queue = shop.queue();
    let one = ClaimRequest { count: 1, wait: true, delayed: false, prioritized: true, lock: None };
    let theirs = queue.claim(one).await.unwrap();
    assert_eq!(theirs.jobs.len(), 1);
    waits("full");
    assert_eq!(shop.json(&["queue", "limit"])["concurrency"], 1);
    shop.json(&["queue", "limit", "--concurrency", "none"]);
    let done = shop.json(&["drain", "--until-empty"]);
    assert_eq!(
        (&done["completed"], &done["remaining"]["active"]),
        (&json!(7), &json!(1)),
        "{done}"
    );
}

#[tokio::test]
async fn a_job_with_other_data_fails_as_its_row_says() {
    let shop = Shop::new().await;
    let reason = "Malformed job data: ";
    assert!(PAGE.contains(&format!("| `{reason}…` |")));
    let job = NewJob { name: "x".to_owned(), data: "{}".to_owned(), ..NewJob::default() };
    shop.queue().enqueue(&[job]).await.unwrap();
    assert_eq!(shop.json(&["drain"])["failed"], 1);
    let listed = shop.json(&["queue", "jobs", "failed"]).to_string();
    assert!(listed.contains(reason), "{listed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_private_authority_is_trusted_once_it_is_named() {
    let shop = Shop::new().await;
    has_row("## A tick fails", "`cannot be trusted`");
    let (ca, certificate) = authority();
    let redis = shop.redis_url().trim_start_matches("redis://").parse().unwrap();
    let front = TlsFront::before(redis, &certificate.pem, &certificate.key, None).await.unwrap();
    let url = format!("rediss://localhost:{}", front.port());
    let report = shop.report_of_a_failed_tick(&[("REDIS_URL", &url)]);
    let error = report["error"].as_str().unwrap();
    assert!(error.contains("cannot be trusted") && error.contains("REDIS_CA"), "{error}");
    shop.json(&["enqueue", "--all"]);
    let done = shop.json_with(&["drain"], &[("REDIS_URL", &url), ("REDIS_CA", &ca)]);
    assert_eq!(done["completed"], 8, "{done}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_used_up_quota_ends_ticks_until_it_is_raised_and_loses_nothing() {
    let shop = Shop::new().await;
    let told = "max requests limit exceeded";
    has_row("## A tick fails", told);
    shop.json(&["enqueue", "--all"]);
    let used_up = axum::Router::new().fallback(move || async move {
        (axum::http::StatusCode::BAD_REQUEST, axum::Json(json!({"error": format!("ERR {told}")})))
    });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let rest = format!("http://{}", listener.local_addr().unwrap());
    let serving = tokio::spawn(async move { axum::serve(listener, used_up).await });
    let settings = [("UPSTASH_REDIS_REST_URL", &*rest), ("UPSTASH_REDIS_REST_TOKEN", "token")];
    let report = shop.report_of_a_failed_tick(&settings);
    assert!(report["error"].as_str().unwrap().contains(told), "{report}");
    serving.abort();
    assert_eq!(shop.json(&["drain"])["completed"], 8);
}

#[tokio::test]
async fn drops_wait_for_their_table_and_are_told_once_it_is_made_again() {
    let shop = Shop::new().await;
    has_row("## Drops are not told", "a tick's report");
    let database = connect(&shop.database_url()).await;
    shop.json(&["enqueue", "--all"]);
    database.batch_execute("DROP TABLE deo.score_drop").await.unwrap();
    let settings = [
        ("DROP_EVENTS_POINTS", "1"),
        ("DROP_EVENTS_URL", "http://127.0.0.1:9/"),
        ("DROP_EVENTS_SECRET", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"),
    ];
    let report = shop.report_of_a_failed_tick(&settings);
    assert!(report["error"].as_str().unwrap().contains("deo.score_drop"), "{report}");
    let missing = shop.error(&["migrate", "--check"]);
    assert!(missing.contains("deo.score_drop"), "{missing}");
    shop.text(&["migrate"]);
    let done = shop.json_with(&["drain"], &settings);
    assert_eq!(done["completed"], 8, "{done}");
}
