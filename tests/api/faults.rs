//! WeCom says no, or nothing of use: which problem a caller gets, and what it does not tell.

use std::time::Duration;

use serde_json::json;
use tokio::net::TcpSocket;
use wecom_simulator::Api;
use wecom_simulator::Meeting;
use wecom_simulator::Trouble;

use crate::house::House;
use crate::house::Reply;

/// The errcodes of each problem.
const ERRCODES: [(u16, &str, &[i64]); 10] = [
    (
        400,
        "rejected_by_wecom",
        &[40035, 40058, 40063, 40033, 40206],
    ),
    (
        403,
        "not_accessible",
        &[730_005, 730_010, 730_011, 50002, 60011],
    ),
    (404, "meeting_not_found", &[90602, 730_003, 730_004]),
    (410, "meeting_gone", &[730_008, 400_041]),
    (
        502,
        "wecom_refused_us",
        &[
            48001, 48002, 48003, 48004, 48006, 301_002, 400_028, 680_106, 730_007, 400_226, 40001,
            40013, 40091, 41002, 41004, 45031, 50003, 50006, 60031, 60020, 90308, 2_000_002, 40056,
            48005,
        ],
    ),
    (502, "wecom_garbled", &[45029]),
    (
        502,
        "wecom_unknown_error",
        &[1, 12345, 400_020, -2, i64::MAX],
    ),
    (503, "wecom_rate_limited", &[45009, 45033]),
    (503, "wecom_unavailable", &[-1, 6000, 81026]),
    (200, "", &[0]),
];

/// Nothing that is WeCom's alone, or ours alone, may be in an answer.
fn assert_tells_nothing(reply: &Reply, case: &str) {
    let everything = format!("{:?} {}", reply.headers, reply.text);
    for secret in [
        "203.0.113.7",
        "hint",
        "SIMTOKEN",
        "SIMSECRET",
        "http://",
        "https://",
        "127.0.0.1",
    ] {
        assert!(
            !everything.contains(secret),
            "{case}: {secret} is told: {everything}"
        );
    }
}

#[tokio::test]
async fn every_errcode_is_the_problem_that_the_contract_names() {
    let house = House::open().await;
    for (status, code, errcodes) in ERRCODES {
        for &errcode in errcodes {
            let id = format!("m{errcode}");
            let info = json!({"errcode": errcode, "errmsg": "from ip: 203.0.113.7, hint: [1]"});
            house
                .wecom
                .put_meeting(Meeting::new(&id, "446153273", info));

            let reply = house.get(&format!("/meetings/{id}")).await;

            assert_eq!(reply.outcome(), (status, code.to_owned()), "{errcode}");
            assert_tells_nothing(&reply, &errcode.to_string());
            if status == 200 {
                continue;
            }
            let problem = reply.json();
            assert_eq!(problem["wecom_errcode"], errcode);
            assert_eq!(problem["status"], status, "{errcode}");
            assert_eq!(problem["retryable"], status == 503, "{errcode}");
            assert_eq!(
                problem["type"],
                format!("urn:wecom-meeting-proxy:problem:{code}")
            );
            assert_eq!(
                problem["instance"],
                reply.header("x-request-id").expect("an id")
            );
            assert_eq!(
                reply.header("retry-after").is_some(),
                status == 503,
                "{errcode}"
            );
            if errcode == 45009 {
                // It closes the way to WeCom for a minute.
                house.advance(Duration::from_secs(60));
            }
            assert!(reply.header("cache-status").is_some(), "{errcode}");
            let remembered = [403, 404, 410].contains(&status);
            let expected = if remembered {
                "private, max-age=10"
            } else {
                "no-store"
            };
            assert_eq!(reply.header("cache-control"), Some(expected), "{errcode}");
        }
    }
}

#[tokio::test]
async fn only_an_answer_that_is_no_json_object_is_none() {
    let house = House::open().await;
    for (index, (raw, status)) in [
        (r#"{"title": "x"}"#, 200),
        (r#"{"errcode": 0.0, "title": "x"}"#, 200),
        (r#"{"errcode": "0", "title": "x"}"#, 200),
        (r#"{"errcode": null, "title": "x"}"#, 200),
        (r#"{"errcode": {}, "title": "x"}"#, 200),
        ("\u{feff}{\"title\": \"x\"}", 200),
        (r#"{"title": "x", "location": "\ud83d"}"#, 200),
        (r#"{"errcode": "90602", "title": "x"}"#, 404),
        (r#"{"errcode": "inf", "title": "x"}"#, 200),
        (r#"{"title": "x""#, 502),
        (r#"{"title": "x"}}"#, 502),
        (r#"["title"]"#, 502),
        ("null", 502),
        ("", 502),
    ]
    .into_iter()
    .enumerate()
    {
        let id = format!("m{index}");
        house.wecom.put_raw(&id, raw);
        let reply = house.get(&format!("/meetings/{id}")).await;
        assert_eq!(reply.status, status, "{raw}");
        assert!(status != 200 || reply.json()["title"] == "x", "{raw}");
    }
}

#[tokio::test]
async fn an_errcode_that_no_machine_word_holds_is_an_error_all_the_same() {
    let house = House::open().await;
    for (index, (errcode, told)) in [
        ("9223372036854775807", i64::MAX),
        ("99999999999999999999", i64::MAX),
        (r#""-99999999999999999999""#, i64::MIN),
        ("1e300", i64::MAX),
        ("-1e400", i64::MIN),
    ]
    .into_iter()
    .enumerate()
    {
        let id = format!("m{index}");
        let raw = format!(r#"{{"errcode": {errcode}, "title": "x"}}"#);
        house.wecom.put_raw(&id, raw);

        let reply = house.get(&format!("/meetings/{id}")).await;

        let expected = (502, "wecom_unknown_error".to_owned());
        assert_eq!(reply.outcome(), expected, "{errcode}");
        assert_eq!(reply.json()["wecom_errcode"], told, "{errcode}");
    }
}

#[tokio::test]
async fn every_trouble_on_the_way_is_the_problem_that_the_contract_names() {
    let settings = [
        ("wecom.timeout", "300ms"),
        ("wecom.max_response_bytes", "1MiB"),
    ];
    let house = House::with(&settings).await;
    house.get("/meetings/warm-up").await;
    let troubles = [
        (Trouble::status(500), 503, "wecom_unavailable"),
        (Trouble::html_with_status(502), 503, "wecom_unavailable"),
        (Trouble::status(429), 503, "wecom_rate_limited"),
        (Trouble::status(404), 502, "wecom_garbled"),
        (Trouble::status(403), 502, "wecom_garbled"),
        (Trouble::redirect(), 502, "wecom_garbled"),
        (Trouble::html(), 502, "wecom_garbled"),
        (Trouble::array(), 502, "wecom_garbled"),
        (Trouble::huge(64 << 20), 502, "wecom_garbled"),
        (Trouble::gzip_bomb(1 << 30), 502, "wecom_garbled"),
        (Trouble::reset(), 503, "wecom_unavailable"),
        (Trouble::truncated(), 503, "wecom_unavailable"),
        (Trouble::hang(), 504, "wecom_timeout"),
        (
            Trouble::latency(Duration::from_secs(5)),
            504,
            "wecom_timeout",
        ),
        (
            Trouble::drip_forever(Duration::from_millis(20)),
            504,
            "wecom_timeout",
        ),
    ];
    for (index, (trouble, status, code)) in troubles.into_iter().enumerate() {
        let id = format!("m{index}");
        house.given_meeting(&id, "446153273", "Standup");
        let case = format!("{trouble:?}");
        house.wecom.set_trouble(Api::GetInfo, trouble);

        let reply = house.get(&format!("/meetings/{id}")).await;

        assert_eq!(reply.outcome(), (status, code.to_owned()), "{case}");
        assert_eq!(reply.json()["wecom_errcode"], json!(null), "{case}");
        assert_eq!(
            reply.json()["retryable"],
            [503, 504].contains(&status),
            "{case}"
        );
        assert_tells_nothing(&reply, &case);

        house.wecom.clear_troubles();
        house.advance(Duration::from_secs(1));
        assert_eq!(
            house.get(&format!("/meetings/{id}")).await.status,
            200,
            "after {case}"
        );
    }
    assert_eq!(house.wecom.redirects_followed(), 0);
}

#[tokio::test]
async fn a_failing_wecom_is_asked_once_a_second_and_not_by_everybody() {
    let house = House::open().await;
    house.given_meeting("m1", "446153273", "Standup");
    house.get("/meetings/other").await;
    house.wecom.reset_counters();
    house.wecom.set_trouble(Api::GetInfo, Trouble::status(503));

    for _ in 0..3 {
        for _ in 0..50 {
            let reply = house.get("/meetings/m1").await;
            assert_eq!(reply.outcome(), (503, "wecom_unavailable".to_owned()));
        }
        house.advance(Duration::from_secs(1));
    }

    assert_eq!(house.wecom.hits().get_info, 3);
}

#[tokio::test]
async fn a_caller_never_waits_longer_than_the_time_set() {
    let house = House::with(&[("server.request_timeout", "200ms")]).await;
    house.given_meeting("m1", "446153273", "Standup");
    house.wecom.set_trouble(Api::GetToken, Trouble::hang());

    let reply = house.get("/meetings/m1").await;

    assert_eq!(reply.outcome(), (504, "wecom_timeout".to_owned()));
}

#[tokio::test]
async fn refusals_of_the_token_itself_are_no_callers_fault() {
    for (errcode, status, code) in [
        (40001, 502, "wecom_refused_us"),
        (60020, 502, "wecom_refused_us"),
        (40014, 502, "wecom_refused_us"),
        (40058, 502, "wecom_unknown_error"),
        (90602, 502, "wecom_unknown_error"),
        (45009, 503, "wecom_rate_limited"),
        (-1, 503, "wecom_unavailable"),
    ] {
        let house = House::open().await;
        house
            .until("the first token is there", async |house| {
                house.wecom.hits().gettoken == 1
            })
            .await;
        house
            .wecom
            .set_trouble(Api::GetToken, Trouble::errcode(errcode));
        house.wecom.revoke_tokens();
        house.given_meeting("m1", "446153273", "Standup");

        let reply = house.get("/meetings/m1").await;

        assert_eq!(reply.outcome(), (status, code.to_owned()), "{errcode}");
        assert_eq!(reply.json()["wecom_errcode"], errcode);
        assert_tells_nothing(&reply, &errcode.to_string());
    }
}

#[tokio::test]
async fn a_wecom_that_nobody_answers_for_is_unavailable() {
    // Taken, and not listened at.
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.bind(([127, 0, 0, 1], 0).into()).expect("a port");
    let nobody = socket.local_addr().expect("an address");
    let house = House::with(&[("wecom.base_url", &format!("http://{nobody}"))]).await;

    let reply = house.get("/meetings/m1").await;

    assert_eq!(reply.outcome(), (503, "wecom_unavailable".to_owned()));
    assert!(reply.header("retry-after").is_some(), "{reply:?}");
    assert!(!reply.text.contains("127.0.0.1"), "{reply:?}");
}

#[tokio::test]
async fn a_question_has_a_time_of_its_own_however_long_the_caller_would_wait() {
    let patient = [
        ("wecom.timeout", "200ms"),
        ("server.request_timeout", "19s"),
    ];
    let house = House::with(&patient).await;
    house.given_meeting("m1", "446153273", "Standup");
    house.get("/meetings/none").await;
    house.wecom.set_trouble(Api::GetInfo, Trouble::hang());

    let asking = house.get("/meetings/m1");
    let reply = tokio::time::timeout(Duration::from_secs(9), asking).await;

    let outcome = reply.expect("given up in time").outcome();
    assert_eq!(outcome, (504, "wecom_timeout".to_owned()));
    assert_eq!(house.wecom.get_info_by("m1"), 1);
}
