//! Traces: what happens on the way of a request, for whoever collects them: `[telemetry]`.
//!
//! Spans are made by `tracing` (their names and fields are in `spans`), sampled and batched by the
//! SDK of OpenTelemetry, and handed to a collector as OTLP over HTTP by a client of ours
//! (`courier`). Where no collector is named, no span is ever made. A trace that a caller began is
//! continued; nothing of it goes to WeCom.
//!
//! No span holds a URL with a query, a name of a meeting, a key or a token.

mod courier;
mod spans;

use std::time::Duration;

use opentelemetry::trace::TracerProvider;
use opentelemetry_otlp::Protocol;
use opentelemetry_otlp::SpanExporter;
use opentelemetry_otlp::WithExportConfig;
use opentelemetry_otlp::WithHttpConfig;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::BatchConfigBuilder;
use opentelemetry_sdk::trace::BatchSpanProcessor;
use opentelemetry_sdk::trace::Sampler;
use opentelemetry_sdk::trace::SdkTracerProvider;
use serde::Deserialize;
use serde::Deserializer;
use serde::de::Error as _;
use thiserror::Error;
use tokio::runtime::Handle;
use tracing_subscriber::Layer;
use tracing_subscriber::Registry;
use tracing_subscriber::filter::filter_fn;
use url::Url;

use self::courier::Courier;
use crate::clock::Clock;
use crate::setting;

pub use self::spans::Asked;
pub use self::spans::Parent;
pub use self::spans::answered;
pub use self::spans::asked;
pub use self::spans::flight;
pub use self::spans::looked_up;
pub use self::spans::lookup;
pub use self::spans::question;
pub use self::spans::request;
pub use self::spans::server;
pub use self::spans::status;
pub use self::spans::token;
pub use self::spans::trace_id;

/// What we are called in traces.
const SERVICE: &str = "wecom-meeting-proxy";

/// Where an OTLP receiver takes traces, below its address.
const PATH: &str = "v1/traces";

/// Spans that wait to be handed over, at most; what comes beyond is lost.
const WAITING_MAX: usize = 8 * 1024;

/// Spans handed over at a time.
const BATCH_MAX: usize = 512;

/// How long a span waits for others to be handed over with.
const BATCH_EVERY: Duration = Duration::from_secs(2);

/// How long handing over may take, at most; and what waits at the end.
const PATIENCE: Duration = Duration::from_secs(5);

/// What is traced, and who collects it.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Where a collector takes OTLP over HTTP; `/v1/traces` is added. Left out: nothing is traced.
    #[serde(deserialize_with = "endpoint")]
    pub otlp_endpoint: Option<Url>,
    /// Of the traces that begin here, the part that is collected: 0 to 1. One that a caller began is
    /// collected if the caller says so.
    #[serde(deserialize_with = "ratio")]
    pub sampling_ratio: f64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            otlp_endpoint: None,
            sampling_ratio: 1.0,
        }
    }
}

/// Why nothing can be traced as the settings ask.
#[derive(Debug, Error)]
#[error("prepare to trace: {0}")]
pub struct TelemetryError(String);

/// Makes traces of spans.
pub type Tracer = Box<dyn Layer<Registry> + Send + Sync>;

/// Hands over what was traced, until it is ended.
#[derive(Debug)]
pub struct Telemetry(SdkTracerProvider);

impl Telemetry {
    /// Begins to trace, where a collector is named. Must be called within the runtime, which the
    /// client works in.
    pub fn begin(
        settings: &Settings,
        clock: &Clock,
    ) -> Result<Option<(Self, Tracer)>, TelemetryError> {
        let Some(endpoint) = &settings.otlp_endpoint else {
            return Ok(None);
        };
        let courier = Courier::new(Handle::current(), clock.clone(), PATIENCE)
            .map_err(|error| TelemetryError(error.to_string()))?;
        let exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(courier)
            .with_protocol(Protocol::HttpBinary)
            .with_endpoint(format!(
                "{}/{PATH}",
                endpoint.as_str().trim_end_matches('/')
            ))
            .with_timeout(PATIENCE)
            .build()
            .map_err(|error| TelemetryError(error.to_string()))?;
        let batches = BatchConfigBuilder::default()
            .with_max_queue_size(WAITING_MAX)
            .with_max_export_batch_size(BATCH_MAX)
            .with_scheduled_delay(BATCH_EVERY)
            .build();
        let processor = BatchSpanProcessor::builder(exporter)
            .with_batch_config(batches)
            .build();
        let ours = Sampler::TraceIdRatioBased(settings.sampling_ratio);
        let provider = SdkTracerProvider::builder()
            .with_span_processor(processor)
            .with_sampler(Sampler::ParentBased(Box::new(ours)))
            .with_resource(resource())
            .build();
        let tracer = tracing_opentelemetry::layer()
            .with_tracer(provider.tracer(SERVICE))
            .with_location(false)
            .with_threads(false)
            .with_target(false)
            .with_tracked_inactivity(false)
            .with_filter(filter_fn(spans::is_ours));
        Ok(Some((Self(provider), Box::new(tracer))))
    }

    /// Hands over what waits, for a bounded time, and ends. Blocks.
    pub fn end(self) {
        // What could not be handed over was told by the courier.
        let _ = self.0.shutdown_with_timeout(PATIENCE);
    }
}

fn resource() -> Resource {
    Resource::builder_empty()
        .with_service_name(SERVICE)
        .with_attribute(opentelemetry::KeyValue::new(
            "service.version",
            env!("CARGO_PKG_VERSION"),
        ))
        .build()
}

fn endpoint<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Url>, D::Error> {
    let url = setting::parsed(deserializer, "an http:// or https:// address", |text| {
        let url = Url::parse(text).ok()?;
        (matches!(url.scheme(), "http" | "https") && url.has_host()).then_some(url)
    })?;
    let user = !url.username().is_empty() || url.password().is_some();
    if user || url.query().is_some() || url.fragment().is_some() {
        return Err(D::Error::custom("must hold no user, query or fragment"));
    }
    Ok(Some(url))
}

fn ratio<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    let ratio = f64::deserialize(deserializer)?;
    if (0.0..=1.0).contains(&ratio) {
        Ok(ratio)
    } else {
        Err(D::Error::custom("must be between 0 and 1"))
    }
}
