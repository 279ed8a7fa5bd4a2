//! The numbers that operators watch.

use std::collections::HashMap;
use std::time::Duration;

use http::Method;
use wecom_simulator::Api;
use wecom_simulator::Trouble;

use crate::house::House;

/// Every sample, by its name and labels.
async fn samples(house: &House) -> HashMap<String, f64> {
    let reply = house.ask_operator("/metrics").await;
    let lines = reply.text.lines().filter(|line| !line.starts_with('#'));
    let sample = |line: &str| {
        let (name, value) = line.rsplit_once(' ').expect("a sample");
        (name.to_owned(), value.parse().expect("a number"))
    };
    lines.map(sample).collect()
}

/// What differs, of those whose name begins so.
fn difference(
    before: &HashMap<String, f64>,
    after: &HashMap<String, f64>,
    name: &str,
) -> Vec<(String, f64)> {
    let mut differences: Vec<_> = after
        .iter()
        .filter(|(sample, _)| sample.starts_with(name))
        .map(|(sample, value)| (sample.clone(), value - before.get(sample).unwrap_or(&0.0)))
        .filter(|(_, difference)| *difference != 0.0)
        .collect();
    differences.sort_by(|one, other| one.0.cmp(&other.0));
    differences
}

#[tokio::test]
async fn every_family_is_there_from_the_start() {
    let house = House::open().await;
    let reply = house.ask_operator("/metrics").await;
    assert_eq!(
        reply.header("content-type"),
        Some("text/plain; version=0.0.4; charset=utf-8")
    );

    for (family, kind) in [
        ("http_requests_total", "counter"),
        ("http_request_duration_seconds", "histogram"),
        ("cache_lookups_total", "counter"),
        ("cache_entries", "gauge"),
        ("cache_bytes", "gauge"),
        ("cache_evictions_total", "counter"),
        ("wecom_requests_total", "counter"),
        ("wecom_request_duration_seconds", "histogram"),
        ("wecom_in_flight", "gauge"),
        ("wecom_blocked_seconds", "gauge"),
        ("token_expires_in_seconds", "gauge"),
        ("token_renewals_total", "counter"),
        ("shed_total", "counter"),
        ("build_info", "gauge"),
    ] {
        let typed = format!("# TYPE wecom_proxy_{family} {kind}\n");
        assert_eq!(reply.text.matches(&typed).count(), 1, "{family}");
        let sample = format!("\nwecom_proxy_{family}");
        assert!(reply.text.contains(&sample), "{family} has a sample");
    }
    for family in ["cpu_seconds_total", "resident_memory_bytes", "open_fds"] {
        assert!(
            reply.text.contains(&format!("\nprocess_{family} ")),
            "{family}"
        );
    }
    for result in ["hit", "stale", "miss", "collapsed", "negative", "error"] {
        let sample = format!("wecom_proxy_cache_lookups_total{{result=\"{result}\"}} 0\n");
        assert!(reply.text.contains(&sample), "{result}");
    }
}

#[tokio::test]
async fn who_takes_openmetrics_is_given_it() {
    let house = House::open().await;
    let accept = [("accept", "application/openmetrics-text; version=1.0.0")];

    let reply = house.ask_operator_with("/metrics", &accept).await;

    let media_type = reply.header("content-type").expect("a type");
    assert!(media_type.starts_with("application/openmetrics-text"));
    assert!(reply.text.ends_with("# EOF\n"));
    assert!(
        reply
            .text
            .contains("# UNIT wecom_proxy_wecom_blocked_seconds seconds\n")
    );
}

#[tokio::test]
async fn a_scraper_is_given_the_format_that_it_likes_better() {
    let house = House::open().await;
    let (openmetrics, text) = ("application/openmetrics-text", "text/plain");
    for (accept, expected) in [
        ("*/*", text),
        ("text/html", text),
        ("application/openmetrics-text;q=0", text),
        (
            "Application/OpenMetrics-Text; version=1.0.0; q=0.1, */*;q=0.1",
            openmetrics,
        ),
        ("application/openmetrics-text;q=0.9, */*", text),
        (
            "application/openmetrics-text;q=0.9, text/*, */*;q=0.1",
            text,
        ),
        (
            "application/openmetrics-text;q=0.9, text/plain;q=0.8, text/*",
            openmetrics,
        ),
        (
            "text/plain;q=0.5, application/openmetrics-text;q=0.5",
            openmetrics,
        ),
        (
            "text/plain;version=0.0.4;q=0.5, application/openmetrics-text;q=0.4",
            text,
        ),
        (
            "application/openmetrics-text;version=1.0.0;q=0.5, application/openmetrics-text;\
             version=0.0.1;q=0.3, text/plain;version=0.0.4;q=0.4, */*;q=0.1",
            openmetrics,
        ),
    ] {
        let reply = house
            .ask_operator_with("/metrics", &[("accept", accept)])
            .await;

        let media_type = reply.header("content-type").expect("a type");
        assert!(media_type.starts_with(expected), "{accept}: {media_type}");
    }
}

#[tokio::test]
async fn lookups_are_counted_by_where_the_answer_came_from() {
    let house = House::open().await;
    house.given_meeting("m1", "446153273", "Standup");
    let asked_for = async |path: &str, wait_s: u64| {
        house.advance(Duration::from_secs(wait_s));
        let before = samples(&house).await;
        house.get(path).await;
        let after = samples(&house).await;
        difference(&before, &after, "wecom_proxy_cache_lookups_total")
    };
    for (path, wait_s, result) in [
        ("/meetings/m1", 0, "miss"),
        ("/meetings/m1", 0, "hit"),
        ("/meetings/m1", 61, "stale"),
        ("/meetings/none", 0, "miss"),
        ("/meetings/none", 0, "negative"),
    ] {
        let sample = format!("wecom_proxy_cache_lookups_total{{result=\"{result}\"}}");
        assert_eq!(
            asked_for(path, wait_s).await,
            [(sample, 1.0)],
            "{path} {wait_s}"
        );
    }
    house.wecom.set_trouble(Api::GetInfo, Trouble::status(500));
    let sample = "wecom_proxy_cache_lookups_total{result=\"error\"}".to_owned();
    assert_eq!(asked_for("/meetings/m2", 0).await, [(sample, 1.0)]);
}

#[tokio::test]
async fn requests_are_counted_by_route_method_and_status_and_operators_not_at_all() {
    let house = House::open().await;
    house.given_meeting("m1", "446153273", "Standup");
    let before = samples(&house).await;

    house.get("/meetings/m1").await;
    house.send(Method::HEAD, "/meetings/m1", &[]).await;
    house.send(Method::PUT, "/meetings/m1", &[]).await;
    house.get("/meetings/by-code/446-153-273").await;
    house.get("/meetings/by-code/x").await;
    house.get("/nowhere").await;
    house.get("/docs").await;
    house.get("/docs/page.js").await;
    house.get("/openapi.json").await;
    house.get("/openapi-3.0.json").await;
    house.ask_operator("/livez").await;

    let after = samples(&house).await;
    let counted = |route: &str, method: &str, status: u16| {
        let labels = format!("route=\"{route}\",method=\"{method}\",status=\"{status}\"");
        (format!("wecom_proxy_http_requests_total{{{labels}}}"), 1.0)
    };
    let (by_id, by_code) = ("/meetings/{meeting_id}", "/meetings/by-code/{meeting_code}");
    let mut expected = vec![
        counted(by_id, "GET", 200),
        counted(by_id, "HEAD", 200),
        counted(by_id, "other", 405),
        counted(by_code, "GET", 200),
        counted(by_code, "GET", 400),
        counted("none", "GET", 404),
        counted("/docs", "GET", 200),
        counted("/docs/{file}", "GET", 200),
        counted("/openapi.json", "GET", 200),
        counted("/openapi-3.0.json", "GET", 200),
    ];
    expected.sort_by(|one, other| one.0.cmp(&other.0));
    let requests = difference(&before, &after, "wecom_proxy_http_requests_total");
    assert_eq!(requests, expected);
    let timed = "wecom_proxy_http_request_duration_seconds_count{route=\"/meetings/{meeting_id}\"}";
    assert_eq!(
        difference(&before, &after, timed),
        [(timed.to_owned(), 3.0)]
    );
}

#[tokio::test]
async fn questions_to_wecom_are_counted_by_what_came_of_them() {
    let house = House::with(&[("wecom.timeout", "200ms")]).await;
    house.given_meeting("m0", "446153273", "Standup");
    house.get("/meetings/m0").await;
    let troubles = [
        (Trouble::errcode(90602), "absent"),
        (Trouble::html(), "garbled"),
        (Trouble::errcode(45033), "rate_limited"),
        (Trouble::errcode(48002), "refused"),
        (Trouble::errcode(40058), "rejected"),
        (Trouble::hang(), "timeout"),
        (Trouble::status(500), "unavailable"),
        (Trouble::errcode(12345), "unknown"),
        (Trouble::errcode(40014).times(1), "token_refused"),
    ];
    for (index, (trouble, outcome)) in troubles.into_iter().enumerate() {
        let before = samples(&house).await;
        house.wecom.set_trouble(Api::GetInfo, trouble);
        if outcome == "token_refused" {
            house.wecom.revoke_tokens();
        }
        house.get(&format!("/meetings/x{index}")).await;
        let after = samples(&house).await;

        let name = "wecom_proxy_wecom_requests_total{api=\"get_info\"";
        let counted = difference(&before, &after, name);
        let sample = format!("{name},app=\"default\",outcome=\"{outcome}\"}}");
        assert!(counted.contains(&(sample, 1.0)), "{outcome}: {counted:?}");
    }
    let after = samples(&house).await;
    let renewed = "wecom_proxy_token_renewals_total{app=\"default\",outcome=\"ok\"}";
    assert_eq!(after.get(renewed), Some(&2.0));
}

#[tokio::test]
async fn what_is_measured_in_the_moment_is_what_is_so() {
    let house = House::open().await;
    house.given_meeting("m1", "446153273", "Standup");
    house.get("/meetings/m1").await;
    house
        .wecom
        .set_trouble(Api::GetInfo, Trouble::errcode(45009));
    house.get("/meetings/m2").await;
    house.advance(Duration::from_secs(15));

    let samples = samples(&house).await;

    let of_app = |name: &str| samples.get(&format!("wecom_proxy_{name}{{app=\"default\"}}"));
    assert_eq!(of_app("wecom_blocked_seconds"), Some(&45.0));
    assert_eq!(of_app("token_expires_in_seconds"), Some(&7_125.0));
    assert_eq!(samples.get("wecom_proxy_wecom_in_flight"), Some(&0.0));
    assert!(samples["wecom_proxy_cache_entries"] >= 1.0);
    assert!(samples["wecom_proxy_cache_bytes"] > 1_000.0);
}

#[tokio::test]
async fn a_question_under_way_and_those_who_wait_for_it_are_counted() {
    let house = House::with(&[("wecom.timeout", "9s")]).await;
    house.given_meeting("m1", "446153273", "Standup");
    let slow = Trouble::latency(Duration::from_secs(4));
    house.wecom.set_trouble(Api::GetInfo, slow);
    let before = samples(&house).await;

    let waiting = tokio::spawn(house.asking_at_once(vec!["/meetings/m1".to_owned(); 5]));
    let in_flight =
        async |house: &House| samples(house).await.get("wecom_proxy_wecom_in_flight") == Some(&1.0);
    house.until("it is asked", in_flight).await;
    for reply in waiting.await.expect("replies") {
        assert_eq!(reply.status, 200);
    }

    let after = samples(&house).await;
    let of = |result| format!("wecom_proxy_cache_lookups_total{{result=\"{result}\"}}");
    let counted = difference(&before, &after, "wecom_proxy_cache_lookups_total");
    assert_eq!(counted, [(of("collapsed"), 4.0), (of("miss"), 1.0)]);
    assert_eq!(after.get("wecom_proxy_wecom_in_flight"), Some(&0.0));
}

#[tokio::test]
async fn what_became_of_a_token_and_of_what_was_kept_is_counted() {
    let house = House::with(&[("cache.max_bytes", "1MiB")]).await;
    let is_ready = async |house: &House| house.ask_operator("/readyz").await.status == 200;
    house.until("a token is had", is_ready).await;
    let before = samples(&house).await;

    house
        .wecom
        .set_trouble(Api::GetToken, Trouble::errcode(40001));
    house.wecom.revoke_tokens();
    house.get("/meetings/m0").await;
    house.wecom.clear_troubles();
    house.advance(Duration::from_secs(60));
    for number in 0..10 {
        let id = format!("m{number}");
        house.given_meeting_of(&id, 200_000);
        assert_eq!(house.get(&format!("/meetings/{id}")).await.status, 200);
    }

    let after = samples(&house).await;
    let app = "app=\"default\"";
    let renewals = difference(&before, &after, "wecom_proxy_token_renewals_total");
    let of = |outcome| format!("wecom_proxy_token_renewals_total{{{app},outcome=\"{outcome}\"}}");
    assert_eq!(renewals, [(of("ok"), 1.0), (of("refused"), 1.0)]);
    let api = "wecom_proxy_wecom_requests_total{api=\"gettoken\"";
    let asked = difference(&before, &after, api);
    let of = |outcome| format!("{api},{app},outcome=\"{outcome}\"}}");
    assert_eq!(asked, [(of("ok"), 1.0), (of("refused"), 1.0)]);
    let evicted = difference(&before, &after, "wecom_proxy_cache_evictions_total");
    let [(evicted, number)] = &evicted[..] else {
        panic!("{evicted:?}");
    };
    assert_eq!(evicted, "wecom_proxy_cache_evictions_total{cause=\"size\"}");
    assert!((1.0..10.0).contains(number), "{number}");
}
