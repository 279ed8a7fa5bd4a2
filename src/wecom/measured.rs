//! Measures what is asked of WeCom: each question once, whatever comes of it.

use tokio::time::Instant;

use super::AppName;
use super::Fault;
use super::Instruments;
use crate::metrics::Api;
use crate::metrics::Metrics;
use crate::metrics::Outcome;
use crate::telemetry::Asked;
use crate::telemetry::Span;

/// Where WeCom is asked for a token (document 91039).
pub(super) const GETTOKEN: &str = "/cgi-bin/gettoken";

/// Where WeCom is asked for a meeting (document 98149).
pub(super) const GET_INFO: &str = "/cgi-bin/meeting/get_info";

/// A question that is under way. Dropped before it came to an end, it came too late.
pub(super) struct Measured<'a> {
    metrics: &'a Metrics,
    api: Api,
    app: &'a AppName,
    since: Instant,
    outcome: Outcome,
    errcode: Option<i64>,
    span: Span,
}

/// Which question it is, as it is counted and traced.
#[derive(Clone, Copy)]
pub(super) struct Kind<'a> {
    pub(super) api: Api,
    pub(super) app: &'a AppName,
    /// How often the same was asked before, in vain.
    pub(super) resend_count: u32,
}

impl<'a> Measured<'a> {
    pub(super) fn begin(instruments: &'a Instruments, kind: Kind<'a>) -> Self {
        let Instruments {
            metrics, tracer, ..
        } = instruments;
        let Kind {
            api,
            app,
            resend_count,
        } = kind;
        let (method, path) = match api {
            Api::GetInfo => ("POST", GET_INFO),
            Api::GetToken => ("GET", GETTOKEN),
        };
        let span = tracer.question(Asked {
            method,
            path,
            app: app.as_str(),
            resend_count,
        });
        Self {
            metrics,
            api,
            app,
            since: Instant::now(),
            outcome: Outcome::TimedOut,
            errcode: None,
            span,
        }
    }

    /// Asks.
    pub(super) async fn ask<T>(&self, asking: impl Future<Output = T>) -> T {
        self.span.around(asking).await
    }

    /// Notes what came of it.
    pub(super) fn end(mut self, outcome: Outcome, errcode: Option<i64>) {
        self.outcome = outcome;
        self.errcode = errcode;
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
            errcode,
            span,
        } = self;
        let is_answer = matches!(outcome, Outcome::Absent | Outcome::Ok);
        span.asked((!is_answer).then(|| outcome.as_str()), *errcode);
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
