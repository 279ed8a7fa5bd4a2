//! How an app stands with WeCom, for people: its token, what went wrong last, whether WeCom may be
//! asked, and how much is left to ask. Holds no secret.

use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Duration;
use std::time::Instant;

use jiff::Timestamp;
use serde::Serialize;

use super::Fault;
use super::Line;
use super::Standing;
use crate::clock::Clock;
use crate::metrics::Api;

/// How one app stands with WeCom. What is counted by corp is the same for all apps of one corp.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// What callers call it.
    app: String,
    standing: Standing,
    /// `None` while there is none.
    token: Option<TokenReport>,
    /// `None` if nothing ever went wrong.
    last_fault: Option<FaultReport>,
    breaker: Breaker,
    quota: QuotaReport,
    questions: QuestionsReport,
}

/// How old a token is, and how long it is still good.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct TokenReport {
    pub(super) age_seconds: u64,
    pub(super) expires_in_seconds: u64,
}

#[derive(Clone, Debug, Serialize)]
struct FaultReport {
    fault: String,
    wecom_errcode: Option<i64>,
    /// Which API gave no answer.
    api: &'static str,
    at: Timestamp,
    age_seconds: u64,
}

/// Whether WeCom is asked for meetings at present.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub(super) enum Breaker {
    /// It is.
    Closed,
    /// One question is under way, to see whether it may be asked again.
    HalfOpen,
    /// It is not.
    Open {
        because: String,
        wecom_errcode: Option<i64>,
        for_seconds: u64,
    },
}

/// What is left to ask, before we stop ourselves.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct QuotaReport {
    pub(super) minute: Left,
    pub(super) hour: Left,
}

#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Left {
    pub(super) limit: u32,
    pub(super) left: u32,
}

/// How many questions there are at a time.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct QuestionsReport {
    pub(super) under_way: usize,
    pub(super) waiting: usize,
    /// How many may be under way at present.
    pub(super) window: usize,
    /// How many may be at most.
    pub(super) window_max: usize,
}

/// The last thing that went wrong between an app and WeCom.
#[derive(Debug, Default)]
pub(super) struct LastFault(Mutex<Option<(Fault, Api, Instant)>>);

impl LastFault {
    pub(super) fn note(&self, fault: &Fault, api: Api, now: Instant) {
        *self.last() = Some((fault.clone(), api, now));
    }

    fn report(&self, clock: &Clock) -> Option<FaultReport> {
        let (fault, api, when) = self.last().clone()?;
        Some(FaultReport {
            fault: fault.to_string(),
            wecom_errcode: fault.errcode(),
            api: api.as_str(),
            at: to_the_second(clock.wall_at(when)),
            age_seconds: clock.now().saturating_duration_since(when).as_secs(),
        })
    }

    /// A panic while it is held would leave it whole: it is assigned at once.
    fn last(&self) -> MutexGuard<'_, Option<(Fault, Api, Instant)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Line {
    /// How the app of that name stands.
    pub(super) fn report(&self, app: &str, clock: &Clock) -> Report {
        let Self {
            keeper,
            corp,
            last_fault,
            ..
        } = self;
        Report {
            app: app.to_owned(),
            standing: keeper.standing(),
            token: keeper.token_report(),
            last_fault: last_fault.report(clock),
            breaker: self.breaker(clock),
            quota: corp.quota.report(),
            questions: corp.window.report(),
        }
    }

    fn breaker(&self, clock: &Clock) -> Breaker {
        if self.corp.get_info.is_probing() {
            return Breaker::HalfOpen;
        }
        match self.closed() {
            None => Breaker::Closed,
            Some(closed) => Breaker::Open {
                because: closed.fault.to_string(),
                wecom_errcode: closed.fault.errcode(),
                for_seconds: begun_seconds(closed.until.saturating_duration_since(clock.now())),
            },
        }
    }
}

fn begun_seconds(span: Duration) -> u64 {
    span.as_secs() + u64::from(span.subsec_nanos() > 0)
}

fn to_the_second(time: Timestamp) -> Timestamp {
    Timestamp::from_second(time.as_second()).unwrap_or(time)
}
