//! The spans of a request, by the names that OpenTelemetry has for what is in them (semantic
//! conventions for HTTP, 1.27).
//!
//! ```text
//! GET /meetings/{meeting_id}                  server     what a caller asked
//!   lookup                                    internal   what is known, asking if need be
//!     flight                                  internal   one question, for all who wait for it
//!       token                                 internal   the wait for a token that WeCom accepts
//!       POST /cgi-bin/meeting/get_info        client     one try of the question
//! GET /cgi-bin/gettoken                       client     a token, renewed for nobody in particular
//! ```
//!
//! Where nothing is traced they are disabled, and cost a glance each.

use opentelemetry::propagation::Extractor;
use opentelemetry::propagation::TextMapPropagator;
use opentelemetry::trace::TraceContextExt;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use tracing::Metadata;
use tracing::Span;
use tracing::field::Empty;
use tracing_opentelemetry::OpenTelemetrySpanExt;

/// The target of every span: what is let through to traces, and to nothing else.
const TARGET: &str = "wecom_meeting_proxy::span";

/// Whether it is a span of these.
pub(super) fn is_ours(metadata: &Metadata<'_>) -> bool {
    metadata.is_span() && metadata.target() == TARGET
}

/// Where a trace comes from (W3C Trace Context): the fields of a request, as they came.
#[derive(Clone, Copy, Debug, Default)]
pub struct Parent<'a> {
    /// `traceparent`
    pub traceparent: Option<&'a str>,
    /// `tracestate`
    pub tracestate: Option<&'a str>,
}

impl Extractor for Parent<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        match key {
            "traceparent" => self.traceparent,
            "tracestate" => self.tracestate,
            _ => None,
        }
    }

    fn keys(&self) -> Vec<&str> {
        vec!["traceparent", "tracestate"]
    }
}

/// What a caller asked. Continues the trace that the caller began, if it did.
pub fn request(method: &'static str, route: &'static str, parent: Parent<'_>) -> Span {
    let span = tracing::info_span!(
        target: TARGET,
        parent: None,
        "request",
        "otel.name" = Empty,
        "otel.kind" = "server",
        "otel.status_code" = Empty,
        "http.request.method" = method,
        "http.route" = route,
        "http.response.status_code" = Empty,
        "error.type" = Empty,
    );
    if !span.is_disabled() {
        span.record("otel.name", format!("{method} {route}"));
        // Fails only where nobody makes a trace of it.
        let _ = span.set_parent(TraceContextPropagator::new().extract(&parent));
    }
    span
}

/// Notes what a caller was answered.
pub fn answered(span: &Span, status: u16) {
    span.record("http.response.status_code", status);
    if status >= 500 {
        span.record("error.type", status);
        span.record("otel.status_code", "ERROR");
    }
}

/// The trace that a span belongs to, as 32 hexadecimal digits; `None` where nothing is traced.
pub fn trace_id(span: &Span) -> Option<String> {
    if span.is_disabled() {
        return None;
    }
    let context = span.context();
    let of_span = context.span().span_context().clone();
    of_span.is_valid().then(|| of_span.trace_id().to_string())
}

/// What is known of a meeting, asking if need be.
pub fn lookup() -> Span {
    tracing::info_span!(target: TARGET, "lookup", "wecom_proxy.cache" = Empty)
}

/// Notes where an answer came from.
pub fn looked_up(span: &Span, result: &'static str) {
    span.record("wecom_proxy.cache", result);
}

/// One question, for all who wait for it. Part of the trace of whoever asked first.
pub fn flight() -> Span {
    tracing::info_span!(target: TARGET, "flight")
}

/// The wait for a token.
pub fn token() -> Span {
    tracing::info_span!(target: TARGET, "token")
}

/// One request to WeCom, as far as a trace tells. Neither its query nor its body.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// `GET` or `POST`.
    pub method: &'static str,
    /// The path, which holds no name.
    pub path: &'static str,
    /// The app that is asked as.
    pub app: &'a str,
    /// How often the same was asked before, in vain.
    pub resend_count: u32,
}

/// One request to WeCom.
pub fn question(asked: Asked<'_>) -> Span {
    let Asked {
        method,
        path,
        app,
        resend_count,
    } = asked;
    let span = tracing::info_span!(
        target: TARGET,
        "question",
        "otel.name" = Empty,
        "otel.kind" = "client",
        "otel.status_code" = Empty,
        "http.request.method" = method,
        "http.request.resend_count" = Empty,
        "http.response.status_code" = Empty,
        "url.template" = path,
        "server.address" = Empty,
        "server.port" = Empty,
        "wecom.app" = app,
        "wecom.errcode" = Empty,
        "error.type" = Empty,
    );
    if !span.is_disabled() {
        span.record("otel.name", format!("{method} {path}"));
    }
    if resend_count > 0 {
        span.record("http.request.resend_count", resend_count);
    }
    span
}

/// Notes on the current span who is asked over HTTP.
pub fn server(address: Option<&str>, port: Option<u16>) {
    let span = Span::current();
    if !span.is_disabled() {
        span.record("server.address", address);
        span.record("server.port", port);
    }
}

/// Notes on the current span the status of an answer over HTTP.
pub fn status(status: u16) {
    Span::current().record("http.response.status_code", status);
}

/// Notes what came of a question: the word for why it failed, if it did, and WeCom's number for it.
pub fn asked(span: &Span, failure: Option<&'static str>, errcode: Option<i64>) {
    span.record("wecom.errcode", errcode);
    if let Some(failure) = failure {
        span.record("error.type", failure);
        span.record("otel.status_code", "ERROR");
    }
}
