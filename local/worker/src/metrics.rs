//! What the worker did, for Prometheus to scrape: `--metrics`.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};
use shared::clock::Clock;
use shared::engine::Report;
use tokio::net::TcpListener;

/// The labels of a metric.
type Labels = Vec<(&'static str, String)>;

/// Upper bounds of a tick's duration in seconds: a lone job takes milliseconds, a tick most of a minute.
const DURATIONS: [f64; 10] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1.0, 5.0, 15.0, 60.0];

/// Counts what ticks did, by queue.
pub(crate) struct Metrics {
    registry: Arc<Registry>,
    jobs: Family<Labels, Counter>,
    ticks: Family<Labels, Counter>,
    durations: Family<Labels, Histogram>,
    billed_commands: Family<Labels, Counter>,
    round_trips: Family<Labels, Counter>,
    left: Family<Labels, Gauge>,
    last_tick: Family<Labels, Gauge>,
    /// What a report without queues is about.
    only_queue: String,
}

impl Metrics {
    /// Begins to count. A report that names no queue is about `only_queue`.
    pub(crate) fn new(only_queue: String) -> Self {
        let mut metrics = Self {
            registry: Arc::default(),
            jobs: Family::default(),
            ticks: Family::default(),
            durations: Family::new_with_constructor(|| Histogram::new(DURATIONS)),
            billed_commands: Family::default(),
            round_trips: Family::default(),
            left: Family::default(),
            last_tick: Family::default(),
            only_queue,
        };
        let mut registry = Registry::with_prefix("deo");
        registry.register("jobs", "Jobs by what became of them", metrics.jobs.clone());
        registry.register("ticks", "Ticks by why they stopped", metrics.ticks.clone());
        let (help, durations) = ("How long ticks took", metrics.durations.clone());
        registry.register_with_unit("tick_duration", help, Unit::Seconds, durations);
        let (help, billed) = ("Redis commands that Upstash bills", metrics.billed_commands.clone());
        registry.register("billed_commands", help, billed);
        registry.register("round_trips", "Requests to Redis", metrics.round_trips.clone());
        let help = "Jobs in each state when a tick last looked";
        registry.register("queue_jobs", help, metrics.left.clone());
        let (help, last) = ("When the last tick ended, since 1970", metrics.last_tick.clone());
        registry.register_with_unit("last_tick_timestamp", help, Unit::Seconds, last);
        metrics.registry = Arc::new(registry);
        metrics
    }

    /// Counts a tick.
    pub(crate) fn count(&self, report: &Report) {
        if report.queues.is_empty() {
            return self.count_queue(&self.only_queue, report);
        }
        for (queue, report) in &report.queues {
            self.count_queue(queue, report);
        }
    }

    fn count_queue(&self, queue: &str, report: &Report) {
        let of_queue = || vec![("queue", queue.to_owned())];
        let with = |name, value: &str| vec![("queue", queue.to_owned()), (name, value.to_owned())];
        for (outcome, jobs) in [
            ("completed", report.completed),
            ("failed", report.failed),
            ("retried", report.retried),
            ("released", report.released),
            ("kept", report.kept),
            ("lost", report.lost),
            ("missing", report.missing),
            ("recovered", report.recovered),
        ] {
            self.jobs.get_or_create(&with("outcome", outcome)).inc_by(jobs);
        }
        let because = serde_json::json!(report.stopped_because);
        let because = because.as_str().unwrap_or_default();
        self.ticks.get_or_create(&with("stopped_because", because)).inc();
        let seconds = std::time::Duration::from_millis(report.duration_ms).as_secs_f64();
        self.durations.get_or_create(&of_queue()).observe(seconds);
        self.billed_commands.get_or_create(&of_queue()).inc_by(report.billed_commands);
        self.round_trips.get_or_create(&of_queue()).inc_by(report.round_trips);
        self.last_tick.get_or_create(&of_queue()).set(Clock::System.now_ms() / 1000);
        let Some(left) = report.remaining else { return };
        for (state, jobs) in [
            ("waiting", Some(left.waiting)),
            ("prioritized", Some(left.prioritized)),
            ("delayed", left.delayed),
            ("active", Some(left.active)),
        ] {
            if let Some(jobs) = jobs.and_then(|jobs| i64::try_from(jobs).ok()) {
                self.left.get_or_create(&with("state", state)).set(jobs);
            }
        }
    }

    /// Answers `GET /metrics` at this address from now on.
    ///
    /// # Errors
    /// Nothing can listen there.
    pub(crate) async fn serve(&self, address: SocketAddr) -> io::Result<SocketAddr> {
        let listener = TcpListener::bind(address).await?;
        let bound = listener.local_addr()?;
        let router =
            Router::new().route("/metrics", get(scraped)).with_state(self.registry.clone());
        // It ends with the process.
        tokio::spawn(async move { axum::serve(listener, router).await });
        Ok(bound)
    }
}

async fn scraped(State(registry): State<Arc<Registry>>) -> Response {
    let mut text = String::new();
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    match encode(&mut text, &registry) {
        Ok(()) => ([(header::CONTENT_TYPE, kind)], text).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}
