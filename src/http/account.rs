//! What a request came to: one line of the log for each, at `info`.
//!
//! Who asked, by which route, what they were told, where it came from and how long it took. No id of
//! a meeting, no query, no header field but the request's own id and its trace's: nothing that tells
//! about people.

use std::sync::Arc;
use std::time::Duration;

use http::Method;
use http::StatusCode;

use super::access::Caller;
use crate::metrics::Lookup;
use crate::metrics::Route;
use crate::service::Found;
use crate::telemetry::TraceId;

/// The lines of requests, as a filter of the log names them.
const TARGET: &str = "wecom_meeting_proxy::request";

/// What only who answered knows.
#[derive(Clone, Debug, Default)]
pub(super) struct Account {
    /// Who asked, if we know.
    pub(super) caller: Option<Arc<str>>,
    /// Where the answer came from, if one was looked up.
    pub(super) lookup: Option<Lookup>,
    /// How long WeCom took, where it was asked for this answer.
    pub(super) wecom: Option<Duration>,
    /// WeCom's number for what went wrong.
    pub(super) errcode: Option<i64>,
}

impl Account {
    /// Of what was found for that caller.
    pub(super) fn of(caller: &Caller, found: &Found) -> Self {
        Self {
            caller: caller.name(),
            lookup: Some(found.lookup()),
            wecom: found.was_asked_for().then(|| found.answer.on_its_way()),
            errcode: None,
        }
    }
}

/// A request, as far as its line tells.
pub(super) struct Asked<'a> {
    pub(super) request_id: &'a str,
    /// The trace that it belongs to, if any.
    pub(super) trace_id: Option<TraceId>,
    pub(super) method: Method,
    pub(super) route: Route,
}

impl Asked<'_> {
    /// Writes the line.
    pub(super) fn tell(&self, status: StatusCode, took: Duration, account: &Account) {
        let Account {
            caller,
            lookup,
            wecom,
            errcode,
        } = account;
        let (method, route) = (self.method.as_str(), self.route.as_str());
        tracing::info!(
            target: TARGET,
            message = message(method, route, status).as_str(),
            request.id = self.request_id,
            trace.id = self.trace_id.map(tracing::field::display),
            caller.name = caller.as_deref(),
            method,
            route,
            status = status.as_u16(),
            elapsed_ms = milliseconds(took),
            cache = lookup.map(Lookup::as_str),
            wecom.elapsed_ms = wecom.map(milliseconds),
            wecom.errcode = errcode,
        );
    }
}

/// The line in a few words. Put together by hand: a formatter takes some 700 instructions more.
fn message(method: &str, route: &str, status: StatusCode) -> String {
    [method, " ", route, " ", status.as_str()].concat()
}

/// To the microsecond: a hit takes some of them.
fn milliseconds(span: Duration) -> f64 {
    let whole = u32::try_from(span.as_micros()).unwrap_or(u32::MAX);
    f64::from(whole) / 1_000.0
}
