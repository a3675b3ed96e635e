//! What Prometheus reads of a worker.

use std::collections::BTreeMap;
use std::process::Stdio;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::time::{sleep, timeout};

use super::world::{LONG, Worker, World};

/// The samples by name and labels.
async fn scrape(url: &str) -> BTreeMap<String, f64> {
    let answer = reqwest::get(url).await.unwrap();
    assert_eq!(answer.status(), 200);
    let kind = answer.headers()["content-type"].to_str().unwrap().to_owned();
    assert!(kind.starts_with("application/openmetrics-text; version=1.0.0"), "{kind}");
    let text = answer.text().await.unwrap();
    assert!(text.ends_with("# EOF\n"), "{text}");
    let samples = text.lines().filter(|line| !line.starts_with('#'));
    let samples = samples.map(|line| line.rsplit_once(' ').unwrap());
    samples.map(|(name, value)| (name.to_owned(), value.parse().unwrap())).collect()
}

#[tokio::test]
async fn prometheus_reads_what_ticks_did() {
    shared::tls::install_provider();
    let world = World::start().await;
    world.add_all().await;
    let mut worker = Worker::start(&world, &["--metrics", "127.0.0.1:0"]).await;
    let line = worker.line().await;
    let url = line.strip_prefix("metrics: ").unwrap_or_else(|| panic!("{line}"));
    let of_queue = |name: &str, label: &str| {
        let queue = r#"queue="deo_score_queue""#;
        let label = if label.is_empty() { String::new() } else { format!(",{label}") };
        format!("deo_{name}{{{queue}{label}}}")
    };
    let completed = of_queue("jobs_total", r#"outcome="completed""#);
    let counted = async {
        while scrape(url).await.get(&completed) != Some(&300.0) {
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(LONG, counted).await.expect("all jobs are counted");
    // The other figures of that tick are counted a moment later.
    let samples = scrape(url).await;
    let sample = |name: &str, label: &str| samples[&of_queue(name, label)];
    assert_eq!(sample("jobs_total", r#"outcome="failed""#), 0.0);
    let ticks = sample("tick_duration_seconds_count", "");
    assert!(ticks >= 1.0 && sample("tick_duration_seconds_sum", "") > 0.0, "{samples:?}");
    assert_eq!(sample("ticks_total", r#"stopped_because="empty""#), ticks);
    assert!(sample("billed_commands_total", "") > 0.0 && sample("round_trips_total", "") > 0.0);
    assert_eq!(sample("queue_jobs", r#"state="waiting""#), 0.0);
    assert!(sample("last_tick_timestamp_seconds", "") > 1.7e9);
    assert_eq!(reqwest::get(url.replace("metrics", "")).await.unwrap().status(), 404);
    worker.terminate();
    assert_eq!(worker.ended().await.code(), Some(0));
}

#[tokio::test]
async fn an_address_that_is_taken_is_named() {
    let world = World::start().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let taken = listener.local_addr().unwrap().to_string();
    let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_deo"));
    command.args(["worker", "--metrics", &taken]).env_clear().envs(&world.env);
    let output = timeout(LONG, command.stdin(Stdio::null()).output()).await.unwrap().unwrap();
    let errors = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{errors}");
    assert!(errors.contains(&format!("--metrics {taken}: ")), "{errors}");
}
