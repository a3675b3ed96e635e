//! Sends spans and figures to a collector, over OTLP/HTTP.
//!
//! Lambda freezes an environment between invocations, so a span that a thread would send "later" may
//! be sent tomorrow. Spans are kept until their invocation has been answered and go out in one
//! request before the next event is asked for.

mod metrics;

use std::mem::take;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use opentelemetry::Context;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_http::{HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{RetryPolicy, SpanExporter, WithHttpConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{
    SdkTracer, SdkTracerProvider, Span, SpanData, SpanExporter as _, SpanProcessor,
};
use tracing_opentelemetry::OpenTelemetryLayer;

pub(crate) use metrics::measure;

/// Either names a collector of spans.
const ENDPOINTS: [&str; 2] = ["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"];

/// How long a collector may take. It is billed as the function's time.
const PATIENCE: Duration = Duration::from_secs(2);

/// Spans kept at most; those beyond are dropped. A batch of 1,000 traced jobs fits.
const MOST: usize = 4096;

static EXPORT: OnceLock<Export> = OnceLock::new();

struct Export {
    exporter: SpanExporter,
    ended: Ended,
    /// Dropping it would end all tracing.
    _provider: SdkTracerProvider,
}

/// A layer that notes spans, if a collector is named.
pub(crate) fn layer<S>() -> Option<OpenTelemetryLayer<S, SdkTracer>>
where
    S: tracing::Subscriber + for<'a> lambda_runtime::tracing::subscriber::registry::LookupSpan<'a>,
{
    if !is_named(ENDPOINTS) {
        return None;
    }
    let exporter =
        exporter().map_err(|reason| eprintln!("spans are not exported: {reason}")).ok()?;
    let export = EXPORT.get_or_init(|| start(exporter));
    Some(tracing_opentelemetry::layer().with_tracer(export._provider.tracer("deo")))
}

/// Whether one of these variables names a collector.
fn is_named(endpoints: [&str; 2]) -> bool {
    endpoints.iter().any(|name| std::env::var(name).is_ok_and(|value| !value.is_empty()))
}

/// Why nothing is exported where the variables are wrong.
const UNUSABLE: &str = "the OTEL_EXPORTER_OTLP_ variables cannot be used";

fn exporter() -> Result<SpanExporter, String> {
    SpanExporter::builder()
        .with_http()
        .with_http_client(Client::new()?)
        .with_retry_policy(RetryPolicy::disabled())
        .build()
        .map_err(|_| UNUSABLE.to_owned())
}

/// Who tells: the function, unless the variables name another.
fn resource() -> Resource {
    let name = std::env::var("AWS_LAMBDA_FUNCTION_NAME").unwrap_or_else(|_| "deo".to_owned());
    match std::env::var("OTEL_SERVICE_NAME") {
        Ok(_) => Resource::builder().build(),
        Err(_) => Resource::builder().with_service_name(name).build(),
    }
}

fn start(mut exporter: SpanExporter) -> Export {
    let resource = resource();
    exporter.set_resource(&resource);
    let ended = Ended::default();
    let provider = SdkTracerProvider::builder()
        .with_span_processor(ended.clone())
        .with_resource(resource)
        .build();
    Export { exporter, ended, _provider: provider }
}

/// Sends what has ended and what was noted. A collector that fails costs that, and nothing else.
pub(crate) async fn flush() {
    tokio::join!(flush_spans(), metrics::flush());
}

async fn flush_spans() {
    let Some(export) = EXPORT.get() else { return };
    let spans = take(&mut *export.ended.spans());
    if !spans.is_empty() && export.exporter.export(spans).await.is_err() {
        tracing::warn!("spans were lost: the collector did not take them");
    }
}

/// Spans that have ended and were not sent yet.
#[derive(Clone, Debug, Default)]
struct Ended(Arc<Mutex<Vec<SpanData>>>);

impl Ended {
    fn spans(&self) -> std::sync::MutexGuard<'_, Vec<SpanData>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl SpanProcessor for Ended {
    fn on_start(&self, _span: &mut Span, _context: &Context) {}

    fn on_end(&self, span: SpanData) {
        let mut spans = self.spans();
        if span.span_context.is_sampled() && spans.len() < MOST {
            spans.push(span);
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _timeout: Duration) -> OTelSdkResult {
        Ok(())
    }
}

/// The tree's own HTTP client.
#[derive(Debug)]
struct Client(reqwest::Client);

impl Client {
    fn new() -> Result<Self, String> {
        let client = reqwest::Client::builder()
            .tls_backend_preconfigured((*shared::tls::client_config()).clone())
            .timeout(PATIENCE)
            .redirect(reqwest::redirect::Policy::none())
            .build();
        client.map(Self).map_err(|_| "HTTPS cannot be set up".to_owned())
    }
}

#[async_trait::async_trait]
impl HttpClient for Client {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let mut answer = self.0.execute(request.try_into()?).await?;
        let mut response = Response::builder().status(answer.status());
        if let Some(headers) = response.headers_mut() {
            *headers = take(answer.headers_mut());
        }
        Ok(response.body(answer.bytes().await?)?)
    }
}
