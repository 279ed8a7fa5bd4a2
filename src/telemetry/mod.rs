//! Traces: what happens on the way of a request, for whoever collects them: `[telemetry]`.
//!
//! ```text
//! context   which trace a request belongs to (W3C Trace Context)
//! spans     what is traced, and what is told of it
//! otlp      how that is written
//! outbox    where it waits
//! courier   and how it comes to the collector
//! ```
//!
//! Where no collector is named, no span is ever made. A trace that a caller began is continued;
//! nothing of it goes to WeCom. No span holds a URL with a query, a name of a meeting, a key or a
//! token.

mod context;
mod courier;
mod otlp;
mod outbox;
mod spans;

use std::sync::Arc;
use std::time::Duration;
use std::time::Instant;

use serde::Deserialize;
use serde::Deserializer;
use serde::de::Error as _;
use thiserror::Error;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use url::Url;

use self::courier::Courier;
use self::outbox::Outbox;
use crate::clock::Clock;
use crate::setting;

pub use self::context::Parent;
pub use self::context::TraceId;
pub use self::spans::Asked;
pub use self::spans::Span;
pub use self::spans::flight;
pub use self::spans::lookup;
pub use self::spans::server;
pub use self::spans::status;
pub use self::spans::token;

/// What we are called in traces.
const SERVICE: &str = "wecom-meeting-proxy";

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

/// Makes spans, where somebody collects them. Clones hand over to the same.
#[derive(Clone, Debug, Default)]
pub struct Tracer(Option<Arc<Making>>);

impl Tracer {
    /// Whether anything is traced.
    pub fn is_on(&self) -> bool {
        self.0.is_some()
    }
}

/// What spans are made with.
#[derive(Debug)]
struct Making {
    sampling_ratio: f64,
    outbox: Arc<Outbox>,
    clock: Clock,
}

impl Making {
    /// Whether a trace that begins here is one of those that are collected.
    #[expect(
        clippy::cast_precision_loss,
        reason = "it does not matter which of two traces that are so near is the last"
    )]
    fn collects(&self, trace_id: TraceId) -> bool {
        let drawn = trace_id.lot() as f64 / u64::MAX as f64;
        drawn < self.sampling_ratio || self.sampling_ratio >= 1.0
    }

    /// A moment until now, in nanoseconds since 1970.
    fn since(&self, began: Instant) -> (u64, u64) {
        let took = self.clock.now().saturating_duration_since(began);
        let ended_ns = u64::try_from(self.clock.wall().as_nanosecond()).unwrap_or_default();
        let took_ns = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        (ended_ns.saturating_sub(took_ns), ended_ns)
    }
}

/// Hands over what was traced, until it is ended.
#[derive(Debug)]
pub struct Telemetry {
    handing_over: JoinHandle<()>,
    end: CancellationToken,
}

impl Telemetry {
    /// Begins to trace, where a collector is named. Must be called within the runtime.
    pub fn begin(
        settings: &Settings,
        clock: &Clock,
    ) -> Result<Option<(Self, Tracer)>, TelemetryError> {
        let Settings {
            otlp_endpoint: Some(endpoint),
            sampling_ratio,
        } = settings
        else {
            return Ok(None);
        };
        let courier = Courier::new(endpoint, clock.clone(), PATIENCE)?;
        let (outbox, end) = (Arc::new(Outbox::default()), CancellationToken::new());
        let emptying = Arc::clone(&outbox).empty_into(courier, end.clone());
        let telemetry = Self {
            handing_over: tokio::spawn(emptying),
            end,
        };
        let making = Making {
            sampling_ratio: *sampling_ratio,
            outbox,
            clock: clock.clone(),
        };
        Ok(Some((telemetry, Tracer(Some(Arc::new(making))))))
    }

    /// Hands over what waits, for a bounded time, and ends.
    pub async fn end(self) {
        self.end.cancel();
        // What could not be handed over was told by the courier.
        let _ = tokio::time::timeout(PATIENCE, self.handing_over).await;
    }
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
