//! Who may ask, and what they see.

use http::Method;
use serde_json::Value;
use serde_json::json;
use wecom_meeting_proxy::http::KeyDigest;
use wecom_simulator::App;
use wecom_simulator::DEFAULT_CORP_ID;
use wecom_simulator::DEFAULT_SECRET;
use wecom_simulator::Hits;
use wecom_simulator::Meeting;

use crate::house::House;

const APPS: &str = r#"[
    {name = "sales", corp_id = "wwsimulator00000001", secret = "SIMSECRET-0000000000000000000000000000000001"},
    {name = "hr", corp_id = "wwsimulator00000001", secret = "SIMSECRET-hr"},
]"#;

/// Two apps; `calendar` may use both, with an old and a new key, and `kiosk` may use one.
async fn house() -> House {
    let digest = |key: &str| KeyDigest::of(key.as_bytes()).to_string();
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
    let info = |title| json!({"title": title, "settings": {"password": "1234"}});
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

#[tokio::test]
async fn nobody_is_served_without_a_key_that_we_know() {
    let house = house().await;
    let reply = async |authorization: &[(&str, &str)]| {
        let reply = house.get_with("/meetings/m1", authorization).await;
        assert_eq!(reply.header("www-authenticate"), Some("Bearer"));
        let mut body = reply.json();
        body["instance"] = Value::Null;
        (reply.outcome(), body)
    };
    let no_key = reply(&[]).await;

    for authorization in [
        "Bearer wrong",
        "Bearer ",
        "Bearer",
        "Basic old-key",
        "old-key",
        "Bearer old-key x",
    ] {
        assert_eq!(
            reply(&[("authorization", authorization)]).await,
            no_key,
            "{authorization:?}"
        );
    }
    let twice = [
        ("authorization", "Bearer old-key"),
        ("authorization", "Bearer old-key"),
    ];
    assert_eq!(reply(&twice).await, no_key);
    assert_eq!(no_key.0, (401, "unauthenticated".to_owned()));
    assert_eq!(house.wecom.hits().get_info, 0);
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
async fn an_answer_of_one_app_is_never_shown_for_another() {
    let house = house().await;
    let key = [("authorization", "Bearer new-key")];
    for _ in 0..2 {
        for (path, title) in [
            ("/meetings/m1", "Of sales"),
            ("/meetings/m1?app=sales", "Of sales"),
            ("/meetings/m1?app=hr", "Of hr"),
            ("/meetings/by-code/446153273?app=hr", "Of hr"),
        ] {
            assert_eq!(
                house.get_with(path, &key).await.json()["title"],
                title,
                "{path}"
            );
        }
    }
    assert_eq!(
        house.wecom.hits(),
        Hits {
            gettoken: 2,
            get_info: 3
        }
    );
}

#[tokio::test]
async fn a_caller_asks_only_as_the_apps_its_key_covers() {
    let house = house().await;
    let key = [("authorization", "Bearer kiosk-key")];

    let forbidden = house.get_with("/meetings/m1?app=sales", &key).await;
    let unknown = house.get_with("/meetings/m1?app=nobody", &key).await;

    assert_eq!(forbidden.outcome(), (403, "app_not_allowed".to_owned()));
    assert_eq!(unknown.outcome(), (400, "unknown_app".to_owned()));
    assert_eq!(house.wecom.hits().get_info, 0);
}
