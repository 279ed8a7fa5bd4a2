//! Who may ask, and what they see.

use std::time::Duration;

use http::Method;
use serde_json::Value;
use serde_json::json;
use wecom_meeting_proxy::http::KeyDigest;
use wecom_simulator::App;
use wecom_simulator::DEFAULT_CORP_ID;
use wecom_simulator::DEFAULT_SECRET;
use wecom_simulator::Meeting;

use crate::house::House;

const APPS: &str = r#"[
    {name = "sales", corp_id = "wwsimulator00000001", secret = "SIMSECRET-0000000000000000000000000000000001"},
    {name = "hr", corp_id = "wwsimulator00000001", secret = "SIMSECRET-hr"},
]"#;

/// The digest of a key, as the settings list it.
pub(crate) fn digest(key: &str) -> String {
    KeyDigest::of(key.as_bytes()).to_string()
}

/// Two apps, each with a meeting of the same id and number; `calendar` may use both, with an old and
/// a new key, and `kiosk` may use one.
pub(crate) async fn house() -> House {
    let callers = format!(
        r#"[
            {{name = "calendar", key_sha256 = ["{}", "{}"], apps = ["sales", "hr"], reveal = ["secrets"]}},
            {{name = "kiosk", key_sha256 = "{}", apps = ["hr"]}},
        ]"#,
        digest("old-key"),
        digest("new-key"),
        digest("kiosk-key"),
    );
    let house = House::with(&[("wecom.apps", APPS), ("access.callers", &callers)]).await;
    house
        .wecom
        .put_app(App::new(DEFAULT_CORP_ID, "SIMSECRET-hr"));
    let info = |title| json!({"title": title, "meetingid": "m1", "settings": {"password": "1234"}});
    let sales = Meeting::new("m1", "446153273", info("Of sales"));
    house
        .wecom
        .put_meeting(sales.of_app(DEFAULT_CORP_ID, DEFAULT_SECRET));
    let hr = Meeting::new("m1", "446153273", info("Of hr"));
    house
        .wecom
        .put_meeting(hr.of_app(DEFAULT_CORP_ID, "SIMSECRET-hr"));
    house
}

/// An answer as bytes on the wire, without what is particular to it. Far enough from the one before
/// that no address has failed too often.
async fn told(house: &House, fields: &[u8]) -> String {
    house.advance(Duration::from_secs(1));
    let request = [
        b"GET /meetings/m1 HTTP/1.1\r\nHost: a\r\nX-Request-Id: r\r\nConnection: close\r\n",
        fields,
        b"\r\n",
    ];
    let heard = house.say(&request.concat()).await;
    let is_date = |line: &&str| line.starts_with("date: ");
    let lines = heard.split("\r\n").filter(|line| !is_date(line));
    lines.collect::<Vec<_>>().join("\n")
}

#[tokio::test]
async fn whatever_is_wrong_with_a_key_the_answer_is_the_same() {
    let house = house().await;
    let expected = told(&house, b"").await;
    assert!(expected.starts_with("HTTP/1.1 401 "), "{expected}");
    assert!(expected.contains("\nwww-authenticate: Bearer\n"));
    let long = [b"Authorization: Bearer ", &b"k".repeat(30_000)[..], b"\r\n"].concat();
    for fields in [
        &b"Authorization: Bearer wrong\r\n"[..],
        b"Authorization: Bearer \r\n",
        b"Authorization: Bearer\r\n",
        b"Authorization:\r\n",
        b"Authorization: bearer wrong\r\n",
        b"Authorization: Basic old-key\r\n",
        b"Authorization: old-key\r\n",
        b"Authorization: Bearerold-key\r\n",
        b"Authorization: Bearer\told-key\r\n",
        b"Authorization: Bearer old-key x\r\n",
        b"Authorization: Bearer old-key, Bearer old-key\r\n",
        b"Authorization: Bearer old-key\r\nAuthorization: Bearer old-key\r\n",
        b"Authorization: Bearer wrong\r\nAuthorization: Bearer old-key\r\n",
        b"Authorization: Bearer \xe5\xaf\x86\xe9\x92\xa5\r\n",
        b"Authorization: \xff\xfe\r\n",
        b"Authorization: Bearer OLD-KEY\r\n",
        b"Authorization: Bearer e30.e30.e30\r\n",
        b"Proxy-Authorization: Bearer old-key\r\n",
        b"Cookie: old-key\r\n",
        &long,
    ] {
        let told = told(&house, fields).await;
        assert_eq!(told, expected, "{:?}", String::from_utf8_lossy(fields));
    }
    let too_long = [
        b"Authorization: Bearer ",
        &b"k".repeat(100_000)[..],
        b"\r\n",
    ]
    .concat();
    assert!(told(&house, &too_long).await.starts_with("HTTP/1.1 431 "));
    assert_eq!(house.wecom.hits().get_info, 0);
}

#[tokio::test]
async fn a_key_that_has_expired_is_told_what_a_wrong_one_is() {
    let callers = format!(
        r#"[
            {{name = "one", key_sha256 = ["{}", {{sha256 = "{}", expires = "2026-03-02T10:00:00Z"}}]}},
            {{name = "all", key_sha256 = "{}", expires = "2026-03-02T11:00:00+01:00"}},
        ]"#,
        digest("lasting"),
        digest("ending"),
        digest("ending-too"),
    );
    let house = House::with(&[("access.callers", &callers)]).await;
    house.given_meeting("m1", "446153273", "Standup");
    let status = async |key: &str| {
        let field = format!("Bearer {key}");
        let fields = [("authorization", field.as_str())];
        let reply = house.get_with("/meetings/m1", &fields).await;
        reply.status.as_u16()
    };
    house.advance(Duration::from_secs(3_599));
    for key in ["lasting", "ending", "ending-too"] {
        assert_eq!(status(key).await, 200, "{key}");
    }

    house.advance(Duration::from_secs(1));

    assert_eq!(status("lasting").await, 200);
    let wrong = told(&house, b"Authorization: Bearer wrong\r\n").await;
    assert!(wrong.starts_with("HTTP/1.1 401 "), "{wrong}");
    for key in ["ending", "ending-too"] {
        let field = format!("Authorization: Bearer {key}\r\n");
        assert_eq!(told(&house, field.as_bytes()).await, wrong, "{key}");
    }
}

#[tokio::test]
async fn who_has_no_key_moves_nothing_that_is_kept() {
    let house = house().await;
    let key = ("authorization", "Bearer new-key");
    let wrong = ("authorization", "Bearer wrong");
    let asked_by_a_stranger = async || {
        for directive in ["no-cache", "max-age=0", "max-stale", "only-if-cached"] {
            let fields = [wrong, ("cache-control", directive)];
            let reply = house.get_with("/meetings/m1", &fields).await;
            assert_eq!(
                (reply.status.as_u16(), reply.header("cache-status")),
                (401, None)
            );
        }
    };

    asked_by_a_stranger().await;
    assert_eq!(house.wecom.hits().get_info, 0);
    let first = house.get_with("/meetings/m1", &[key]).await;
    assert_eq!(first.cache_status(), "fwd=uri-miss; stored; ttl=10");

    // Past its time: whoever may ask has it renewed.
    house.advance(Duration::from_secs(11));
    asked_by_a_stranger().await;
    assert_eq!(house.wecom.hits().get_info, 1);
    let kept = house.get_with("/meetings/m1", &[key]).await;
    assert_eq!(kept.header("age"), Some("11"));
}

#[tokio::test]
async fn the_key_is_judged_before_anything_else_and_on_the_meeting_routes_alone() {
    let house = house().await;
    for path in [
        "/meetings/a%2Fb",
        "/meetings/by-code/1",
        "/meetings/m1?debug=1",
        "/meetings/m1?app=x",
    ] {
        assert_eq!(house.get(path).await.status, 401, "{path}");
        assert_eq!(
            house.send(Method::POST, path, &[]).await.status,
            401,
            "POST {path}"
        );
    }
    assert_eq!(house.get("/nowhere").await.status, 404);
}

#[tokio::test]
async fn each_of_a_callers_keys_opens_and_shows_what_the_caller_may_see() {
    let house = house().await;
    for (authorization, title, password) in [
        ("Bearer old-key", "Of sales", json!("1234")),
        ("Bearer new-key", "Of sales", json!("1234")),
        ("bearer new-key", "Of sales", json!("1234")),
        ("Bearer kiosk-key", "Of hr", Value::Null),
    ] {
        let reply = house
            .get_with("/meetings/m1", &[("authorization", authorization)])
            .await;
        let body = reply.json();
        assert_eq!(
            (&body["title"], &body["settings"]["password"]),
            (&json!(title), &password)
        );
    }
}

#[tokio::test]
async fn who_may_see_extra_sees_all_of_it_but_what_else_is_withheld() {
    let house = House::with(&[("access.reveal", r#"["extra"]"#)]).await;
    let info = json!({
        "settings_version": 3,
        "guests_total": 2,
        "guestsbook": {"of": "1999"},
        "settings": {"enable_interpreter": true, "password": ["4711"]},
        "guests": [{"phone_number": "13800000000", "role": 2}],
        "host_key": 1,
    });
    house
        .wecom
        .put_meeting(Meeting::new("m1", "446153273", info));

    let shown = house.get("/meetings/m1").await.json();

    let expected = json!({
        "settings_version": 3,
        "guests_total": 2,
        "guestsbook": {"of": "1999"},
        "settings.enable_interpreter": true,
        "guests[0].role": 2,
    });
    assert_eq!(shown["extra"], expected);
}

#[tokio::test]
async fn what_holds_secrets_or_phones_in_a_shape_that_nobody_expected_is_withheld_as_a_whole() {
    let house = House::with(&[("access.reveal", r#"["extra"]"#)]).await;
    for (number, odd) in [
        json!({"settings": "4711", "guests": "13800000000"}),
        json!({"settings": ["4711"], "guests": ["13800000000"]}),
        json!({"settings": [{"a": "4711"}, {"b": 1}], "guests": [["13800000000"]]}),
        json!({"settings": {"password": {"a": "4711"}}, "guests": [{"phone_number": ["1"]}]}),
        json!({"settings": 4711, "guests": 13_800_000_000_u64}),
        json!({"settings.host_key": "4711", "guests[0].phone_number": "1"}),
    ]
    .into_iter()
    .enumerate()
    {
        let id = format!("m{number}");
        house
            .wecom
            .put_meeting(Meeting::new(&id, "446153273", odd.clone()));

        let shown = house.get(&format!("/meetings/{id}")).await.json();

        assert_eq!(shown["extra"], json!({}), "{odd}");
    }
}
