//! What a request came to: one line of the log for each, at `info`.
//!
//! Who asked, by which route, what they were told, where it came from and how long it took. No id of
//! a meeting, no query, no header field but the request's own id and its trace's: nothing that tells
//! about people.

use std::sync::Arc;
use std::time::Duration;

use http::HeaderMap;
use http::Method;
use http::StatusCode;
use tracing::Span;

use super::access::Caller;
use super::request_id::RequestId;
use crate::metrics::Lookup;
use crate::metrics::Route;
use crate::service::Found;
use crate::telemetry;

/// The lines of requests, as a filter of the log names them.
const TARGET: &str = "wecom_meeting_proxy::request";

/// What only who answered knows. Travels with the answer.
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
pub(super) struct Asked {
    pub(super) request_id: RequestId,
    pub(super) trace_id: Option<TraceId>,
    pub(super) method: Method,
    pub(super) route: Route,
}

/// The trace that a request belongs to (W3C Trace Context, section 3.2.2.3): 32 hexadecimal digits.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct TraceId(Box<str>);

impl TraceId {
    /// The one that is being traced; or else the one in `traceparent`.
    pub(super) fn of(span: &Span, headers: &HeaderMap) -> Option<Self> {
        let traced = telemetry::trace_id(span).map(|id| Self(id.into()));
        traced.or_else(|| Self::named_in(headers))
    }

    /// The one in `traceparent`, if it is as it should be.
    fn named_in(headers: &HeaderMap) -> Option<Self> {
        let field = headers.get("traceparent")?.to_str().ok()?;
        let mut parts = field.split('-');
        let (version, trace_id) = (parts.next()?, parts.next()?);
        let is_hex = |text: &str| {
            text.bytes()
                .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
        };
        let fits = version.len() == 2 && trace_id.len() == 32;
        let is_good = fits && is_hex(version) && is_hex(trace_id) && version != "ff";
        let is_some = trace_id.bytes().any(|byte| byte != b'0');
        (is_good && is_some).then(|| Self(trace_id.into()))
    }
}

impl Asked {
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
            {
                request.id = self.request_id.as_str(),
                trace.id = self.trace_id.as_ref().map(|id| &*id.0),
                caller.name = caller.as_deref(),
                method,
                route,
                status = status.as_u16(),
                elapsed_ms = milliseconds(took),
                cache = lookup.map(Lookup::as_str),
                wecom.elapsed_ms = wecom.map(milliseconds),
                wecom.errcode = errcode,
            },
            "{method} {route} {}",
            status.as_u16(),
        );
    }
}

/// To the microsecond: a hit takes some of them.
fn milliseconds(span: Duration) -> f64 {
    let whole = u32::try_from(span.as_micros()).unwrap_or(u32::MAX);
    f64::from(whole) / 1_000.0
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn a_trace_is_that_of_a_traceparent_as_it_should_be() {
        let of = |field: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert("traceparent", HeaderValue::from_static(field));
            TraceId::named_in(&headers).map(|id| id.0.into_string())
        };
        assert_eq!(
            of("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01").as_deref(),
            Some("4bf92f3577b34da6a3ce929d0e0e4736")
        );
        for field in [
            "",
            "00",
            "00-4bf92f3577b34da6a3ce929d0e0e473-00f067aa0ba902b7-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
        ] {
            assert_eq!(of(field), None, "{field}");
        }
    }
}
