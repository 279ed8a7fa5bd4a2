//! Hands traces to their collector: OTLP over HTTP.

use std::time::Duration;

use http::header::CONTENT_TYPE;
use thiserror::Error;
use url::Url;

use super::SERVICE;
use super::TelemetryError;
use super::otlp;
use crate::clock::Clock;
use crate::repeat::Repeats;
use crate::tls;

/// Where an OTLP receiver takes traces, below its address.
const PATH: &str = "v1/traces";

/// The largest answer that is read; what a collector says is looked at by nobody, but a connection is
/// used again only when it was read.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// Hands traces to their collector.
#[derive(Debug)]
pub(super) struct Courier {
    client: reqwest::Client,
    url: Url,
    clock: Clock,
    failures: Repeats<Failure>,
}

/// Why traces were not taken. Holds nothing of what was sent, nor where to.
#[derive(Clone, Copy, Debug, Eq, Error, Hash, PartialEq)]
enum Failure {
    #[error("they came faster than the collector takes them")]
    Crowded,
    #[error("the collector answers with the HTTP status {0}")]
    Status(u16),
    #[error("the collector did not answer in time")]
    TimedOut,
    #[error("the collector cannot be reached")]
    Unreachable,
}

impl Courier {
    pub(super) fn new(
        endpoint: &Url,
        clock: Clock,
        patience: Duration,
    ) -> Result<Self, TelemetryError> {
        let failed = |error: &dyn std::error::Error| TelemetryError(error.to_string());
        let tls = tls::for_clients(None).map_err(|error| failed(&error))?;
        let client = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .timeout(patience)
            .build()
            .map_err(|error| failed(&error.without_url()))?;
        let mut url = endpoint.clone();
        url.set_path(&format!("{}/{PATH}", endpoint.path().trim_end_matches('/')));
        Ok(Self {
            client,
            url,
            clock,
            failures: Repeats::default(),
        })
    }

    /// Hands over these spans. What cannot be handed over is lost, and that is told.
    pub(super) async fn hand_over(&self, spans: &[u8]) {
        if let Err(failure) = self.send(spans).await {
            self.tell(failure);
        }
    }

    /// Tells that so many spans were lost, if any were.
    pub(super) fn tell_lost(&self, spans: u64) {
        if spans > 0 {
            self.tell(Failure::Crowded);
        }
    }

    fn tell(&self, failure: Failure) {
        if let Some(times) = self.failures.note(failure, self.clock.now()) {
            tracing::warn!(times, "traces were lost: {failure}");
        }
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "this goes to a collector of traces, not to WeCom"
    )]
    async fn send(&self, spans: &[u8]) -> Result<(), Failure> {
        let body = otlp::request(SERVICE, env!("CARGO_PKG_VERSION"), spans);
        let request = self.client.post(self.url.clone());
        let request = request.header(CONTENT_TYPE, "application/x-protobuf");
        let response = request.body(body).send().await.map_err(|error| {
            if error.is_timeout() {
                Failure::TimedOut
            } else {
                Failure::Unreachable
            }
        })?;
        let status = response.status();
        read_to_its_end(response).await;
        if status.is_success() {
            Ok(())
        } else {
            Err(Failure::Status(status.as_u16()))
        }
    }
}

async fn read_to_its_end(mut response: reqwest::Response) {
    let mut bytes = 0;
    while let Ok(Some(chunk)) = response.chunk().await
        && bytes < ANSWER_BYTES_MAX
    {
        bytes += chunk.len();
    }
}
