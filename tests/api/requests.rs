//! Requests that are no question about a meeting, and what they are answered.

use http::Method;
use wecom_simulator::Hits;

use crate::house::House;

#[tokio::test]
async fn text_that_names_no_meeting_is_refused_before_wecom_is_asked() {
    let house = House::open().await;
    let long = "x".repeat(129);
    for (path, status, code) in [
        ("/meetings/a%2Fb", 400, "invalid_meeting_id"),
        ("/meetings/a%00", 400, "invalid_meeting_id"),
        ("/meetings/%ff", 400, "invalid_meeting_id"),
        ("/meetings/a%0d%0ab", 400, "invalid_meeting_id"),
        ("/meetings/a%20b", 400, "invalid_meeting_id"),
        ("/meetings/by-code", 400, "invalid_meeting_id"),
        ("/meetings/by%2Dcode", 400, "invalid_meeting_id"),
        ("/meetings/%E4%BC%9A", 400, "invalid_meeting_id"),
        (&format!("/meetings/{long}"), 400, "invalid_meeting_id"),
        ("/meetings/by-code/12345", 400, "invalid_meeting_code"),
        (
            "/meetings/by-code/1234567890123",
            400,
            "invalid_meeting_code",
        ),
        ("/meetings/by-code/abcdefghi", 400, "invalid_meeting_code"),
        ("/meetings/by-code/%ff", 400, "invalid_meeting_code"),
        (
            "/meetings/by-code/446%2F153%2F273",
            400,
            "invalid_meeting_code",
        ),
        ("/meetings/m1?debug=1", 400, "invalid_query"),
        ("/meetings/m1?app=", 400, "invalid_query"),
        ("/meetings/m1?app=default&app=default", 400, "invalid_query"),
        ("/meetings/m1?sub_meeting_id=a%2Fb", 400, "invalid_query"),
        ("/meetings/m1?sub_meeting_id=", 400, "invalid_query"),
        (
            "/meetings/m1?sub_meeting_id=a&sub_meeting_id=b",
            400,
            "invalid_query",
        ),
        ("/meetings/m1?app=nobody", 400, "unknown_app"),
        ("/meetings/", 404, "no_such_route"),
        ("/meetings", 404, "no_such_route"),
        ("/meetings/by-code/", 404, "no_such_route"),
        ("/meetings/m1/", 404, "no_such_route"),
        ("/meetings/by-code/446153273/x", 404, "no_such_route"),
        ("//meetings/m1", 404, "no_such_route"),
        ("/", 404, "no_such_route"),
        ("/livez", 404, "no_such_route"),
    ] {
        let reply = house.get(path).await;
        assert_eq!(reply.outcome(), (status, code.to_owned()), "{path}");
        assert_eq!(reply.header("cache-control"), Some("no-store"), "{path}");
        assert_eq!(reply.header("cache-status"), None, "{path}");
        let problem = reply.json();
        assert_eq!(
            problem["instance"],
            reply.header("x-request-id").expect("an id"),
            "{path}"
        );
        assert_eq!(
            (&problem["retryable"], &problem["wecom_errcode"]),
            (&false.into(), &().into())
        );
    }
    assert_eq!(house.wecom.hits().get_info, 0);
}

#[tokio::test]
async fn only_get_and_head_are_taken() {
    let house = House::open().await;
    house.given_meeting("m1", "446153273", "Standup");
    for path in ["/meetings/m1", "/meetings/by-code/446153273"] {
        for method in [
            Method::POST,
            Method::PUT,
            Method::DELETE,
            Method::OPTIONS,
            Method::TRACE,
        ] {
            let reply = house.send(method.clone(), path, &[]).await;
            assert_eq!(
                reply.outcome(),
                (405, "method_not_allowed".to_owned()),
                "{method} {path}"
            );
            assert_eq!(reply.header("allow"), Some("GET, HEAD"), "{method} {path}");
        }
    }
    assert_eq!(house.wecom.hits().get_info, 0);
}

#[tokio::test]
async fn head_is_answered_as_get_is_without_the_body() {
    let house = House::open().await;
    house.given_meeting("m1", "446153273", "Standup");
    for path in [
        "/meetings/m1",
        "/meetings/nobody",
        "/meetings/by-code/446153273",
    ] {
        house.get(path).await;
        let get = house.get(path).await;
        let head = house.send(Method::HEAD, path, &[]).await;

        assert_eq!(head.status, get.status, "{path}");
        assert_eq!(head.text, "", "{path}");
        for name in [
            "content-type",
            "cache-control",
            "age",
            "cache-status",
            "vary",
            "content-length",
        ] {
            assert_eq!(head.header(name), get.header(name), "{name} of {path}");
        }
    }
    assert_eq!(
        house.wecom.hits(),
        Hits {
            gettoken: 1,
            get_info: 3
        }
    );
}

#[tokio::test]
async fn a_callers_request_id_is_kept_if_it_is_fit_and_else_replaced() {
    let house = House::open().await;
    let longest = "x".repeat(128);
    for (given, kept) in [
        ("abc-123", true),
        (longest.as_str(), true),
        ("~!@#$", true),
        ("", false),
        ("a b", false),
        (&"x".repeat(129), false),
    ] {
        for path in ["/meetings/nobody", "/nowhere"] {
            let reply = house.get_with(path, &[("x-request-id", given)]).await;
            let id = reply.header("x-request-id").expect("an id");
            assert_eq!(id == given, kept, "{given:?} became {id:?}");
            assert_eq!(reply.json()["instance"], id);
            assert!(
                kept || (id.len() == 36 && &id[14..15] == "7"),
                "{id} is no UUIDv7"
            );
        }
    }
}

#[tokio::test]
async fn a_query_may_be_empty() {
    let house = House::open().await;
    house.given_meeting("m1", "446153273", "Standup");

    assert_eq!(house.get("/meetings/m1?").await.status, 200);
    assert_eq!(house.get("/meetings/m1?app=default").await.status, 200);
    assert_eq!(house.wecom.hits().get_info, 1);
}
