//! Hands traces to their collector: the HTTP client that the exporter works with.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use opentelemetry_http::HttpClient;
use opentelemetry_http::HttpError;
use opentelemetry_http::Request;
use opentelemetry_http::Response;
use thiserror::Error;
use tokio::runtime::Handle;

use super::TelemetryError;
use crate::clock::Clock;
use crate::repeat::Repeats;
use crate::tls;

/// The largest answer that is read; what a collector says is looked at by nobody.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// Hands traces to their collector. The exporter calls it from a thread of its own: the work is done
/// in the runtime.
#[derive(Debug)]
pub(super) struct Courier {
    client: reqwest::Client,
    runtime: Handle,
    clock: Clock,
    failures: Repeats<Failure>,
}

/// Why traces were not taken. Holds nothing of what was sent, nor where to.
#[derive(Clone, Copy, Debug, Eq, Error, Hash, PartialEq)]
enum Failure {
    #[error("the collector answers with the HTTP status {0}")]
    Status(u16),
    #[error("the collector did not answer in time")]
    TimedOut,
    #[error("the collector cannot be reached")]
    Unreachable,
}

impl Courier {
    pub(super) fn new(
        runtime: Handle,
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
        Ok(Self {
            client,
            runtime,
            clock,
            failures: Repeats::default(),
        })
    }

    fn tell(&self, failure: Failure) {
        if let Some(times) = self.failures.note(failure, self.clock.now()) {
            tracing::warn!(times, "traces were lost: {failure}");
        }
    }
}

#[async_trait]
impl HttpClient for Courier {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let client = self.client.clone();
        let sending = self
            .runtime
            .spawn(async move { send(client, request).await });
        let sent = sending.await.unwrap_or(Err(Failure::Unreachable));
        sent.map_err(|failure| {
            self.tell(failure);
            failure.into()
        })
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "this goes to a collector of traces, not to WeCom"
)]
async fn send(
    client: reqwest::Client,
    request: Request<Bytes>,
) -> Result<Response<Bytes>, Failure> {
    let request = request.try_into().map_err(|_| Failure::Unreachable)?;
    let response = client.execute(request).await.map_err(|error| {
        if error.is_timeout() {
            Failure::TimedOut
        } else {
            Failure::Unreachable
        }
    })?;
    let status = response.status();
    if !status.is_success() {
        return Err(Failure::Status(status.as_u16()));
    }
    Ok(Response::new(body(response).await))
}

/// The answer, as far as it is read. It may say which spans were refused; where it is too large or
/// breaks off, it says nothing.
async fn body(mut response: reqwest::Response) -> Bytes {
    let mut body = Vec::new();
    while let Ok(Some(chunk)) = response.chunk().await {
        if body.len() + chunk.len() > ANSWER_BYTES_MAX {
            return Bytes::new();
        }
        body.extend_from_slice(&chunk);
    }
    body.into()
}
