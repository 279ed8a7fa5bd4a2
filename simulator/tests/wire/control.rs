//! The library's offers over HTTP.

use serde_json::Value;
use serde_json::json;
use wecom_simulator::DEFAULT_CORP_ID;
use wecom_simulator::DEFAULT_SECRET;
use wecom_simulator::Hits;
use wecom_simulator::Simulator;
use wecom_simulator::World;

use crate::client;

async fn control(wecom: &Simulator, line: &str, body: Value) -> client::Reply {
    let body = if body.is_null() {
        String::new()
    } else {
        body.to_string()
    };
    client::call(wecom, line, &body).await
}

#[tokio::test]
async fn every_kind_of_trouble_can_be_ordered() {
    let wecom = Simulator::start(World::empty()).await.unwrap();
    for order in [
        json!({ "kind": "array" }),
        json!({ "kind": "drip", "every_ms": 5 }),
        json!({ "kind": "drip", "every_ms": 5, "forever": true }),
        json!({ "kind": "errcode", "errcode": 45009, "times": 3, "latency_ms": 200 }),
        json!({ "kind": "gzip_bomb", "bytes": 1_000_000 }),
        json!({ "kind": "hang" }),
        json!({ "kind": "html" }),
        json!({ "kind": "html", "status": 502 }),
        json!({ "kind": "huge", "bytes": 1_000_000 }),
        json!({ "kind": "latency", "latency_ms": 50 }),
        json!({ "kind": "redirect" }),
        json!({ "kind": "redirect", "to": "http://elsewhere.example/" }),
        json!({ "kind": "reset" }),
        json!({ "kind": "same_token" }),
        json!({ "kind": "status", "status": 503 }),
        json!({ "kind": "truncated" }),
    ] {
        let line = "PUT /_control/trouble/gettoken";
        let reply = control(&wecom, line, order.clone()).await;

        assert_eq!(reply.status, 200, "for {order}: {}", reply.text());
    }
}

#[tokio::test]
async fn an_ordered_trouble_happens_until_it_is_called_off() {
    let wecom = Simulator::start(World::empty()).await.unwrap();
    let order = json!({ "kind": "errcode", "errcode": 45009, "times": 3 });

    control(&wecom, "PUT /_control/trouble/gettoken", order).await;
    let during = client::gettoken_as(&wecom, DEFAULT_CORP_ID, DEFAULT_SECRET).await;
    control(&wecom, "DELETE /_control/trouble", Value::Null).await;
    let after = client::gettoken_as(&wecom, DEFAULT_CORP_ID, DEFAULT_SECRET).await;

    assert_eq!((during.errcode(), after.errcode()), (45009, 0));
}

#[tokio::test]
async fn the_counters_can_be_read_and_reset_and_do_not_count_the_control() {
    let wecom = Simulator::start(World::empty()).await.unwrap();
    let token = client::token(&wecom).await;
    client::get_info(&wecom, &token, r#"{"meetingid":"mt1"}"#).await;

    let before = control(&wecom, "GET /_control/hits", Value::Null).await;
    let asked = control(&wecom, "GET /_control/asked", Value::Null).await;
    control(&wecom, "POST /_control/reset", Value::Null).await;

    let expected = json!({
        "gettoken": 1,
        "get_info": 1,
        "get_info_by": { "mt1": 1 },
        "peak_in_flight": 1,
        "redirects_followed": 0,
    });
    assert_eq!(before.json(), expected);
    assert_eq!(asked.json()[0]["body"], r#"{"meetingid":"mt1"}"#);
    assert_eq!(wecom.hits(), Hits::default());
}

#[tokio::test]
async fn a_meeting_can_be_put_there_replaced_and_taken_away() {
    let wecom = Simulator::start(World::demo()).await.unwrap();
    let token = client::token(&wecom).await;
    let path = "/_control/meetings/mtfWeChat-0000000000000000000014";
    let by_code = r#"{"meeting_code":"777777777"}"#;
    let info = json!({ "title": "Ours", "meeting_code": "777777777" });

    control(&wecom, &format!("PUT {path}"), info).await;
    let there = client::get_info(&wecom, &token, by_code).await;
    let listed = control(&wecom, "GET /_control/meetings", Value::Null).await;
    control(&wecom, &format!("DELETE {path}"), Value::Null).await;
    let gone = client::get_info(&wecom, &token, by_code).await;

    let entry = json!({
        "corp_id": DEFAULT_CORP_ID,
        "id": "mtfWeChat-0000000000000000000014",
        "code": "777777777",
        "title": "Ours",
    });
    assert_eq!(there.json()["title"], "Ours");
    assert!(listed.json().as_array().unwrap().contains(&entry));
    assert_eq!(gone.errcode(), 730_004);
}

#[tokio::test]
async fn tokens_clock_secret_and_raw_answers_obey() {
    let wecom = Simulator::start(World::empty()).await.unwrap();
    let revoked = client::token(&wecom).await;

    control(&wecom, "POST /_control/revoke-tokens", Value::Null).await;
    let expired = client::token(&wecom).await;
    control(&wecom, "POST /_control/advance", json!({ "seconds": 7200 })).await;
    let good = client::token(&wecom).await;
    client::call(&wecom, "PUT /_control/raw/odd", "not JSON").await;
    let rotation = json!({ "corp_id": DEFAULT_CORP_ID, "old": DEFAULT_SECRET, "new": "new" });
    control(&wecom, "PUT /_control/secret", rotation).await;

    let body = r#"{"meetingid":"odd"}"#;
    assert_eq!(
        client::get_info(&wecom, &revoked, body).await.errcode(),
        40014
    );
    assert_eq!(
        client::get_info(&wecom, &expired, body).await.errcode(),
        42001
    );
    assert_eq!(
        client::get_info(&wecom, &good, body).await.text(),
        "not JSON"
    );
    let refused = client::gettoken_as(&wecom, DEFAULT_CORP_ID, DEFAULT_SECRET).await;
    assert_eq!(refused.errcode(), 40001);
}

#[tokio::test]
async fn what_cannot_be_done_is_complained_about() {
    let wecom = Simulator::start(World::empty()).await.unwrap();
    for (line, body, status) in [
        ("PUT /_control/trouble/get_info", "", 400),
        (
            "PUT /_control/trouble/get_info",
            r#"{"kind":"plague"}"#,
            400,
        ),
        (
            "PUT /_control/trouble/get_info",
            r#"{"kind":"errcode"}"#,
            400,
        ),
        (
            "PUT /_control/trouble/get_info",
            r#"{"kind":"hang","tmes":1}"#,
            400,
        ),
        (
            "PUT /_control/trouble/get_info",
            r#"{"kind":"status","status":99}"#,
            400,
        ),
        ("PUT /_control/trouble/elsewhere", r#"{"kind":"hang"}"#, 400),
        ("POST /_control/advance", r#"{"seconds":-1}"#, 400),
        ("PUT /_control/meetings/mt1", "[]", 400),
        ("PUT /_control/meetings/a%20b", "{}", 400),
        ("GET /_control/nothing", "", 404),
        ("POST /_control/hits", "", 404),
    ] {
        let reply = client::call(&wecom, line, body).await;

        assert_eq!(reply.status, status, "for {line} {body}");
        assert!(reply.json()["error"].is_string(), "for {line} {body}");
    }
}
