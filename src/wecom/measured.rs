//! Measures what is asked of WeCom: each question once, whatever comes of it.

use tokio::time::Instant;

use super::AppName;
use super::Fault;
use crate::metrics::Api;
use crate::metrics::Metrics;
use crate::metrics::Outcome;

/// A question that is under way. Dropped before it came to an end, it came too late.
pub(super) struct Measured<'a> {
    metrics: &'a Metrics,
    api: Api,
    app: &'a AppName,
    since: Instant,
    outcome: Outcome,
}

impl<'a> Measured<'a> {
    pub(super) fn begin(metrics: &'a Metrics, api: Api, app: &'a AppName) -> Self {
        Self {
            metrics,
            api,
            app,
            since: Instant::now(),
            outcome: Outcome::TimedOut,
        }
    }

    /// Notes what came of it.
    pub(super) fn end(mut self, outcome: Outcome) {
        self.outcome = outcome;
    }
}

impl Drop for Measured<'_> {
    fn drop(&mut self) {
        let Self {
            metrics,
            api,
            app,
            since,
            outcome,
        } = self;
        metrics.asked(*api, app.as_str(), *outcome, since.elapsed());
    }
}

impl Fault {
    /// As it is counted.
    pub(super) fn outcome(&self) -> Outcome {
        match self {
            Self::Crowded | Self::RateLimited { .. } => Outcome::RateLimited,
            Self::Garbled(_) => Outcome::Garbled,
            Self::NoSuchApp | Self::Unknown { .. } => Outcome::Unknown,
            Self::Refused { .. } => Outcome::Refused,
            Self::Rejected { .. } => Outcome::Rejected,
            Self::TimedOut => Outcome::TimedOut,
            Self::Unavailable { .. } => Outcome::Unavailable,
        }
    }
}
