//! The figures: what was noted since the last export goes out as deltas, for each environment of a function
//! begins at zero, and several run at once.

use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry::metrics::{Meter, MeterProvider as _};
use opentelemetry_otlp::{MetricExporter, RetryPolicy, WithHttpConfig as _};
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::metrics::data::ResourceMetrics;
use opentelemetry_sdk::metrics::exporter::PushMetricExporter as _;
use opentelemetry_sdk::metrics::reader::MetricReader;
use opentelemetry_sdk::metrics::{
    InstrumentKind, ManualReader, Pipeline, SdkMeterProvider, Temporality,
};

use super::{Client, UNUSABLE, is_named, resource};
use crate::{Figure, Kind};

/// Either names a collector of metrics.
const ENDPOINTS: [&str; 2] = ["OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"];

static EXPORT: OnceLock<Option<Export>> = OnceLock::new();

struct Export {
    exporter: MetricExporter,
    reader: Reader,
    meter: Meter,
    /// Dropping it would end all metrics.
    _provider: SdkMeterProvider,
}

impl Export {
    fn new() -> Result<Self, String> {
        let exporter = MetricExporter::builder()
            .with_temporality(Temporality::Delta)
            .with_http()
            .with_http_client(Client::new()?)
            .with_retry_policy(RetryPolicy::disabled())
            .build()
            .map_err(|_| UNUSABLE.to_owned())?;
        let reader = ManualReader::builder().with_temporality(Temporality::Delta).build();
        let reader = Reader(Arc::new(reader));
        let provider = SdkMeterProvider::builder()
            .with_reader(reader.clone())
            .with_resource(resource())
            .build();
        Ok(Self { exporter, reader, meter: provider.meter("deo"), _provider: provider })
    }
}

/// Notes figures, if a collector is named.
pub(crate) fn measure(prefix: &str, figures: &[Figure]) {
    let export = EXPORT.get_or_init(|| {
        let export = is_named(ENDPOINTS).then(Export::new)?;
        export.map_err(|reason| eprintln!("metrics are not exported: {reason}")).ok()
    });
    let Some(Export { meter, .. }) = export else { return };
    let about = [KeyValue::new("prefix", prefix.to_owned())];
    for figure in figures {
        let name = name(figure.name);
        let value = figure.value.max(0).unsigned_abs();
        match figure.kind {
            Kind::Sum => meter.u64_counter(name).build().add(value, &about),
            Kind::Level => meter.u64_gauge(name).build().record(value, &about),
            Kind::Milliseconds => {
                meter.u64_histogram(name).with_unit("ms").build().record(value, &about);
            }
        }
    }
}

/// As OpenTelemetry names metrics, the unit apart: `deo.oldest_waiting` for `OldestWaitingMs`.
fn name(figure: &str) -> String {
    let mut name = "deo.".to_owned();
    for (place, letter) in figure.trim_end_matches("Ms").char_indices() {
        if place > 0 && letter.is_ascii_uppercase() {
            name.push('_');
        }
        name.push(letter.to_ascii_lowercase());
    }
    name
}

/// Sends what was noted.
pub(super) async fn flush() {
    let Some(Some(export)) = EXPORT.get() else { return };
    let mut noted = ResourceMetrics::default();
    if export.reader.collect(&mut noted).is_err() || noted.scope_metrics().next().is_none() {
        return;
    }
    if export.exporter.export(&noted).await.is_err() {
        tracing::warn!("metrics were lost: the collector did not take them");
    }
}

/// One reader for the provider and for whoever sends.
#[derive(Clone, Debug)]
struct Reader(Arc<ManualReader>);

impl MetricReader for Reader {
    fn register_pipeline(&self, pipeline: Weak<Pipeline>) {
        self.0.register_pipeline(pipeline);
    }

    fn collect(&self, metrics: &mut ResourceMetrics) -> OTelSdkResult {
        self.0.collect(metrics)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.0.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.0.shutdown_with_timeout(timeout)
    }

    fn temporality(&self, kind: InstrumentKind) -> Temporality {
        self.0.temporality(kind)
    }
}

#[cfg(test)]
mod tests {
    use super::name;

    #[test]
    fn a_name_is_in_snake_case_without_its_unit() {
        assert_eq!(name("BilledCommands"), "deo.billed_commands");
        assert_eq!(name("OldestWaitingMs"), "deo.oldest_waiting");
    }
}
