//! What is traced, and that nothing of it goes to WeCom.

use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use wecom_simulator::Api;
use wecom_simulator::Simulator;
use wecom_simulator::Trouble;

use crate::collector::Collector;
use crate::collector::attribute;
use crate::collector::only;
use crate::logging::ask;
use crate::shell::Service;
use crate::shell::Shell;
use crate::shell::line_with;
use crate::shell::nobody;
use crate::shell::until_ready;
use crate::shell::wecom;

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const CALLERS_SPAN: &str = "00f067aa0ba902b7";

/// One of the demonstration.
const MEETING: &str = "/meetings/by-code/446153273";

const BY_CODE: &str = "GET /meetings/by-code/{meeting_code}";
const GET_INFO: &str = "POST /cgi-bin/meeting/get_info";
const GETTOKEN: &str = "GET /cgi-bin/gettoken";

fn serve(wecom: &Simulator, endpoint: &str, ratio: &str) -> Service {
    let service = Shell::new()
        .with_service(&wecom.base_url())
        .with("WECOM_PROXY_TELEMETRY__OTLP_ENDPOINT", endpoint)
        .with("WECOM_PROXY_TELEMETRY__SAMPLING_RATIO", ratio)
        .serve();
    until_ready(service.operators);
    service
}

fn traceparent(flags: &str) -> String {
    format!("traceparent: 00-{TRACE}-{CALLERS_SPAN}-{flags}\r\n")
}

fn hex(id: &[u8]) -> String {
    let number = id.iter().fold(0, |sum, byte| sum << 8 | u128::from(*byte));
    format!("{number:0width$x}", width = 2 * id.len())
}

fn has(spans: &[Span], name: &str) -> bool {
    spans.iter().any(|span| span.name == name)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trace_that_a_caller_began_is_continued_down_to_the_question() {
    let (wecom, collector) = (wecom().await, Collector::start().await);
    let service = serve(&wecom, &collector.endpoint(), "0");

    ask(service.callers, MEETING, &traceparent("01"));
    let line = line_with(&service.lines, BY_CODE);
    let spans = collector.spans(|spans| has(spans, BY_CODE)).await;

    let way = [BY_CODE, "lookup", "flight", "token", GET_INFO];
    let [request, lookup, flight, token, question] = way.map(|name| only(&spans, name));
    assert_eq!(spans.len(), 5, "a token of nobody's trace is not sampled");
    for span in &spans {
        assert_eq!(hex(&span.trace_id), TRACE, "{}", span.name);
    }
    assert_eq!(hex(&request.parent_span_id), CALLERS_SPAN);
    for (child, parent) in [
        (lookup, request),
        (flight, lookup),
        (token, flight),
        (question, flight),
    ] {
        assert_eq!(child.parent_span_id, parent.span_id, "{}", child.name);
    }
    assert_eq!(line["trace.id"], TRACE);
}

#[tokio::test(flavor = "multi_thread")]
async fn spans_say_what_they_are_in_the_words_of_opentelemetry() {
    let (wecom, collector) = (wecom().await, Collector::start().await);
    let service = serve(&wecom, &collector.endpoint(), "1.0");
    wecom.set_trouble(Api::GetInfo, Trouble::errcode(-1).times(1));

    ask(service.callers, MEETING, "");
    let spans = collector.spans(|spans| has(spans, BY_CODE)).await;

    let request = only(&spans, BY_CODE);
    assert_eq!(request.kind, SpanKind::Server as i32);
    for (key, value) in [
        ("http.request.method", "GET"),
        ("http.route", "/meetings/by-code/{meeting_code}"),
        ("http.response.status_code", "200"),
        ("error.type", ""),
    ] {
        assert_eq!(attribute(request, key), value, "{key}");
    }
    let cache = attribute(only(&spans, "lookup"), "wecom_proxy.cache");
    assert_eq!(cache, "miss");
    let tries = spans.iter().filter(|span| span.name == GET_INFO);
    let [first, second] = tries.collect::<Vec<_>>()[..] else {
        panic!("two tries: {spans:#?}");
    };
    let (host, port) = (wecom.address().ip(), wecom.address().port());
    for (span, errcode, failure, resend_count) in
        [(first, "-1", "unavailable", ""), (second, "", "", "1")]
    {
        assert_eq!(span.kind, SpanKind::Client as i32);
        for (key, value) in [
            ("http.request.method", "POST"),
            ("url.template", "/cgi-bin/meeting/get_info"),
            ("server.address", &host.to_string()),
            ("server.port", &port.to_string()),
            ("http.response.status_code", "200"),
            ("http.request.resend_count", resend_count),
            ("wecom.app", "default"),
            ("wecom.errcode", errcode),
            ("error.type", failure),
        ] {
            assert_eq!(attribute(span, key), value, "{key}");
        }
        let status = span.status.clone().unwrap_or_default().code;
        let is_error = status == StatusCode::Error as i32;
        assert_eq!(is_error, !failure.is_empty());
    }
    assert_eq!(only(&spans, GETTOKEN).kind, SpanKind::Client as i32);
    let name = collector.resource("service.name");
    assert_eq!(name.as_deref(), Some("wecom-meeting-proxy"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_caller_or_the_ratio_leaves_out_is_not_collected() {
    let (wecom, collector) = (wecom().await, Collector::start().await);
    let mut service = serve(&wecom, &collector.endpoint(), "0");

    ask(service.callers, MEETING, "");
    ask(service.callers, MEETING, &traceparent("00"));
    ask(service.callers, "/nowhere", &traceparent("01"));
    service.process.signal("-TERM");
    assert_eq!(service.process.code(), Some(0));

    let spans = collector.spans(|spans| !spans.is_empty()).await;
    assert_eq!(spans.len(), 1, "{spans:#?}");
    assert_eq!(spans[0].name, "GET none");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_is_handed_over_before_the_end() {
    let (wecom, collector) = (wecom().await, Collector::start().await);
    let mut service = serve(&wecom, &collector.endpoint(), "1");

    ask(service.callers, "/meetings/gone", "");
    service.process.signal("-TERM");

    assert_eq!(service.process.code(), Some(0));
    let spans = collector.spans(|spans| !spans.is_empty()).await;
    assert!(has(&spans, "GET /meetings/{meeting_id}"), "{spans:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_is_not_there_is_told_and_keeps_nobody() {
    let wecom = wecom().await;
    let mut service = serve(&wecom, &nobody(), "1");

    ask(service.callers, MEETING, "");
    let line = line_with(&service.lines, "traces were lost");
    service.process.signal("-TERM");

    assert_eq!(line["level"], "WARN");
    assert_eq!(service.process.code(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn wecom_hears_nothing_of_a_trace() {
    let (wecom, collector) = (wecom().await, Collector::start().await);
    let service = serve(&wecom, &collector.endpoint(), "1");

    let fields = format!(
        "{}tracestate: vendor=1\r\nbaggage: a=b\r\n",
        traceparent("01")
    );
    ask(service.callers, MEETING, &fields);

    for asked in wecom.get_info_requests() {
        for (name, _) in &asked.headers {
            let is_of_traces = ["traceparent", "tracestate", "baggage"].contains(&name.as_str());
            assert!(!is_of_traces, "{asked:?}");
        }
    }
    assert_eq!(wecom.get_info_requests().len(), 1);
}
