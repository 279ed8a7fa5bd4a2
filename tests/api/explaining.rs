//! What people are told who want to know how it stands, and why a caller was served what.

use std::time::Duration;

use serde_json::Value;
use serde_json::json;
use wecom_simulator::Api;
use wecom_simulator::Meeting;
use wecom_simulator::Trouble;

use crate::house::House;

/// What is said of a name, as the only app.
async fn explained(house: &House, path: &str) -> Value {
    let reply = house.ask_operator(&format!("/explain{path}")).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    reply.json()["answers"][0].clone()
}

async fn app(house: &House) -> Value {
    house.ask_operator("/status").await.json()["apps"][0].clone()
}

#[tokio::test]
async fn the_status_tells_how_each_app_stands_with_wecom() {
    let house = House::with(&[("wecom.calls_per_minute", "10")]).await;
    house.given_meeting("m1", "446153273", "Standup");
    house.get("/meetings/m1").await;
    house.advance(Duration::from_secs(5));

    let app = app(&house).await;

    assert_eq!(app["app"], "default");
    assert_eq!(app["standing"], "served");
    assert_eq!(app["token"]["age_seconds"], 5);
    assert_eq!(app["token"]["expires_in_seconds"], 7_135);
    assert_eq!(app["last_fault"], Value::Null);
    assert_eq!(app["breaker"], json!({"state": "closed"}));
    assert_eq!(app["quota"]["minute"], json!({"limit": 10, "left": 9}));
    assert_eq!(app["questions"]["window"], 64);
}

#[tokio::test]
async fn the_status_tells_what_is_kept_and_since_when_it_is_there() {
    let house = House::open().await;
    house.given_meeting("m1", "446153273", "Standup");
    house.get("/meetings/m1").await;
    house.purge("/cache/meetings/m2").await;
    house.advance(Duration::from_secs(61));

    let status = house.ask_operator("/status").await.json();

    assert_eq!(status["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(status["started_at"], "2026-03-02T09:00:00Z");
    assert_eq!(status["uptime_seconds"], 61);
    assert_eq!(status["ready"], true);
    assert_eq!(status["cache"]["entries"], 1);
    assert_eq!(status["cache"]["flights"], 0);
    assert_eq!(status["cache"]["epoch"], 1);
    assert!(status["process"]["resident_bytes"].as_u64() > Some(1_000_000));
}

#[tokio::test]
async fn the_status_tells_why_wecom_is_not_asked_and_for_how_long() {
    let house = House::open().await;
    house.given_meeting("m1", "446153273", "Standup");
    house
        .wecom
        .set_trouble(Api::GetInfo, Trouble::errcode(45009));
    house.get("/meetings/m1").await;
    house.advance(Duration::from_secs(12));

    let app = app(&house).await;

    assert_eq!(app["breaker"]["state"], "open");
    assert_eq!(app["breaker"]["wecom_errcode"], 45009);
    assert_eq!(app["breaker"]["for_seconds"], 48);
    assert_eq!(app["last_fault"]["api"], "get_info");
    assert_eq!(app["last_fault"]["wecom_errcode"], 45009);
    assert_eq!(app["last_fault"]["age_seconds"], 12);
}

#[tokio::test]
async fn a_refused_secret_is_the_last_fault_of_its_app() {
    let house = House::open().await;
    house
        .wecom
        .set_trouble(Api::GetToken, Trouble::errcode(40001));
    house.given_meeting("m1", "446153273", "Standup");
    house.wecom.revoke_tokens();
    assert_eq!(house.get("/meetings/m1").await.status, 502);

    let app = app(&house).await;

    assert_eq!(app["last_fault"]["wecom_errcode"], 40001);
    assert_eq!(app["breaker"]["state"], "open");
    assert_eq!(app["token"], Value::Null);
}

#[tokio::test]
async fn what_is_kept_is_explained_by_the_rule_that_set_its_lifetime() {
    let house = House::open().await;
    let start = 1_772_442_000; // 2026-03-02T09:00:00Z
    let given = |id: &str, code: &str, info: Value| {
        house.wecom.put_meeting(Meeting::new(id, code, info));
    };
    given("plain", "100000001", json!({"status": 1}));
    given(
        "starts",
        "100000002",
        json!({"status": 1, "meeting_start": start + 20}),
    );
    given(
        "ends",
        "100000003",
        json!({"status": 2, "meeting_start": start - 55, "meeting_duration": 60}),
    );
    given("over", "100000004", json!({"status": 3, "meeting_type": 5}));
    given(
        "occurs",
        "100000005",
        json!({"status": 1, "sub_meetings": [{"sub_meetingid": "s", "start_time": start + 30}]}),
    );
    for (path, rule, lifetime_s) in [
        ("/meetings/plain", "status", 60),
        ("/meetings/by-code/100000001", "by_code_max", 30),
        ("/meetings/starts", "start", 20),
        ("/meetings/ends", "end", 5),
        ("/meetings/over", "may_come_back", 60),
        ("/meetings/occurs", "occurrence_start", 30),
        ("/meetings/nobody", "absent", 10),
    ] {
        assert_eq!(explained(&house, path).await["kept"], Value::Null, "{path}");
        house.get(path).await;

        let kept = explained(&house, path).await["kept"].clone();

        assert_eq!(kept["because"]["rule"], rule, "{path}");
        assert_eq!(kept["lifetime_seconds"], lifetime_s, "{path}");
        assert_eq!(kept["asked_at"], "2026-03-02T09:00:00Z", "{path}");
    }
}

#[tokio::test]
async fn what_a_request_would_come_to_is_told_and_nothing_is_asked() {
    let house = House::open().await;
    house.given_meeting("m1", "446153273", "Standup");
    let next = async || explained(&house, "/meetings/m1").await["next_request"].clone();
    assert_eq!(next().await, json!({"does": "ask", "because": "miss"}));
    house.get("/meetings/m1").await;
    let asked = house.wecom.hits();

    for (wait_s, expected) in [
        (59, json!({"does": "serve", "because": "fresh"})),
        (
            1,
            json!({"does": "serve_and_renew", "because": "stale_while_revalidate"}),
        ),
        (30, json!({"does": "ask", "because": "stale"})),
        (600, json!({"does": "ask", "because": "miss"})),
    ] {
        house.advance(Duration::from_secs(wait_s));
        assert_eq!(next().await, expected, "{wait_s} s later");
    }
    assert_eq!(house.wecom.hits(), asked);
}

#[tokio::test]
async fn a_fault_that_is_remembered_is_told_beside_what_is_kept() {
    let house = House::open().await;
    house.given_meeting("m1", "446153273", "Standup");
    house.get("/meetings/m1").await;
    house.advance(Duration::from_secs(100));
    house.wecom.set_trouble(Api::GetInfo, Trouble::status(503));
    house.get("/meetings/m1").await;

    let answer = explained(&house, "/meetings/m1").await;

    assert_eq!(answer["kept"]["is_fresh"], false);
    assert_eq!(
        answer["last_fault"]["fault"],
        "WeCom is not available: HTTP status 503"
    );
    assert_eq!(answer["last_fault"]["is_in_force"], true);
    let expected = json!({"does": "serve", "because": "stale_if_error"});
    assert_eq!(answer["next_request"], expected);
}

#[tokio::test]
async fn other_names_views_and_a_flight_under_way_are_told() {
    let house = House::open().await;
    let info = json!({"title": "t", "meetingid": "m1", "meeting_type": 0, "status": 1});
    house
        .wecom
        .put_meeting(Meeting::new("m1", "446153273", info));
    house.get("/meetings/by-code/446153273").await;
    house.wecom.set_trouble(Api::GetInfo, Trouble::hang());
    let waiting = tokio::spawn(house.asking("/meetings/m2"));
    house
        .until("it is under way", async |house| {
            explained(house, "/meetings/m2").await["flight"] == json!({"waiting": 1})
        })
        .await;

    let kept = explained(&house, "/meetings/m1").await["kept"].clone();

    let alias = json!({"meeting_code": "446153273", "sub_meeting_id": null});
    assert_eq!(kept["aliases"], json!([alias]));
    assert_eq!(kept["status"], "not_started");
    assert_eq!(kept["views"][0]["reveal"], json!([]));
    assert!(kept["bytes"].as_u64() > kept["views"][0]["bytes"].as_u64());
    waiting.abort();
}

#[tokio::test]
async fn a_soft_purge_is_told_as_the_cause() {
    let house = House::open().await;
    house.given_meeting("m1", "446153273", "Standup");
    house.get("/meetings/m1").await;
    house.advance(Duration::from_secs(2));
    house.purge("/cache/meetings/m1?soft=true").await;

    let answer = explained(&house, "/meetings/m1").await;

    assert_eq!(answer["kept"]["because"]["purged"], true);
    assert_eq!(answer["next_request"]["does"], "serve_and_renew");
    assert_eq!(answer["epoch"], 1);
}

#[tokio::test]
async fn what_cannot_be_a_name_is_not_explained() {
    let house = House::open().await;
    for (path, outcome) in [
        ("/meetings/a%2Fb", (400, "invalid_meeting_id")),
        ("/meetings/by-code/12", (400, "invalid_meeting_code")),
        ("/meetings/m1?app=nobody", (400, "unknown_app")),
        ("/meetings/m1?debug=1", (400, "invalid_query")),
    ] {
        let reply = house.ask_operator(&format!("/explain{path}")).await;
        let (status, code) = outcome;
        assert_eq!(reply.outcome(), (status, code.to_owned()), "{path}");
    }
}
