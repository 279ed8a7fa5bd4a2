//! What comes over a connection, byte by byte: heads that are refused, and callers who dawdle.

use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::Instant;

use crate::house::House;
use crate::house::SOON;

fn status_and_code(answer: &str) -> (String, String) {
    let (head, body) = answer
        .split_once("\r\n\r\n")
        .unwrap_or_else(|| panic!("{answer:?}"));
    let problem: serde_json::Value = serde_json::from_str(body).expect("a problem");
    let status = head.split(' ').nth(1).expect("a status").to_owned();
    assert!(head.contains("x-request-id: "), "{head}");
    assert!(head.contains("connection: close"), "{head}");
    (status, problem["code"].as_str().expect("a code").to_owned())
}

#[tokio::test]
async fn a_head_that_could_be_read_in_two_ways_is_refused_and_the_connection_closed() {
    let house = House::open().await;
    let get = "GET /meetings/m1 HTTP/1.1\r\n";
    let after = "GET /meetings/m2 HTTP/1.1\r\nHost: a\r\n\r\n";
    for (case, head) in [
        ("no Host", format!("{get}\r\n")),
        ("two Hosts", format!("{get}Host: a\r\nHost: b\r\n\r\n")),
        (
            "a body",
            format!("{get}Host: a\r\nContent-Length: 3\r\n\r\nabc"),
        ),
        (
            "chunks",
            format!("{get}Host: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        ),
        (
            "both",
            format!(
                "{get}Host: a\r\nContent-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
            ),
        ),
        (
            "bare LF",
            "GET /meetings/m1 HTTP/1.1\nHost: a\n\n".to_owned(),
        ),
        ("not HTTP", "\u{16}\u{3}\u{1}\r\n\r\n".to_owned()),
        ("HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned()),
    ] {
        let answer = house.say(format!("{head}{after}").as_bytes()).await;
        assert_eq!(
            status_and_code(&answer),
            ("400".into(), "bad_request".into()),
            "{case}"
        );
        assert_eq!(
            answer.matches("HTTP/1.1 ").count(),
            1,
            "{case}: one answer only"
        );
    }
    assert_eq!(house.wecom.hits().get_info, 0);
}

#[tokio::test]
async fn a_target_or_a_head_that_is_too_large_is_refused_whatever_its_size() {
    let house = House::open().await;
    let host = "Host: a\r\n";
    for (case, head, status, code) in [
        (
            "a target of 9 KB",
            format!("GET /{} HTTP/1.1\r\n{host}\r\n", "x".repeat(9_000)),
            "414",
            "uri_too_long",
        ),
        (
            "a target of 500 KB",
            format!("GET /{} HTTP/1.1\r\n{host}\r\n", "x".repeat(500_000)),
            "414",
            "uri_too_long",
        ),
        (
            "a field of 40 KB",
            format!("GET / HTTP/1.1\r\n{host}X: {}\r\n\r\n", "x".repeat(40_000)),
            "431",
            "headers_too_large",
        ),
        (
            "a field of 500 KB",
            format!("GET / HTTP/1.1\r\n{host}X: {}\r\n\r\n", "x".repeat(500_000)),
            "431",
            "headers_too_large",
        ),
        (
            "101 fields",
            format!("GET / HTTP/1.1\r\n{host}{}\r\n", "X: 1\r\n".repeat(100)),
            "431",
            "headers_too_large",
        ),
    ] {
        let answer = house.say(head.as_bytes()).await;
        assert_eq!(
            status_and_code(&answer),
            (status.into(), code.into()),
            "{case}"
        );
    }
}

#[tokio::test]
async fn requests_sent_ahead_are_answered_in_order() {
    let house = House::open().await;
    for id in ["m1", "m2", "m3"] {
        house.given_meeting(id, "446153273", id);
    }
    let request = |id, field| format!("GET /meetings/{id} HTTP/1.1\r\nHost: a\r\n{field}\r\n");
    let ahead = [
        request("m1", ""),
        request("m2", ""),
        request("m3", "Connection: close\r\n"),
    ];

    let answers = house.say(ahead.concat().as_bytes()).await;

    let at = |id: &str| {
        answers
            .find(&format!("\"title\":\"{id}\""))
            .expect("an answer")
    };
    assert!(at("m1") < at("m2") && at("m2") < at("m3"), "{answers}");
}

/// How long it takes until the connection is closed, and what was heard up to then.
async fn until_closed(stream: &mut TcpStream) -> (Duration, String) {
    let began = Instant::now();
    let mut heard = String::new();
    let hearing = tokio::time::timeout(SOON, stream.read_to_string(&mut heard)).await;
    hearing.expect("closed in time").expect("read");
    (began.elapsed(), heard)
}

#[tokio::test]
async fn who_sends_a_head_too_slowly_or_nothing_at_all_is_let_go() {
    let settings = [
        ("server.head_timeout", "300ms"),
        ("server.idle_timeout", "30s"),
    ];
    let house = House::with(&settings).await;
    for half in ["", "GET", "GET /meetings/m1 HTTP/1.1\r\nHost: a\r\n"] {
        let mut stream = TcpStream::connect(house.callers)
            .await
            .expect("a connection");
        stream.write_all(half.as_bytes()).await.expect("sent");

        let (waited, heard) = until_closed(&mut stream).await;

        assert_eq!(heard, "", "{half:?}");
        assert!(
            waited >= Duration::from_millis(200),
            "{half:?}: let go after {waited:?}"
        );
    }
}

#[tokio::test]
async fn a_head_must_be_complete_in_time_though_it_goes_on_coming() {
    let house = House::with(&[("server.head_timeout", "400ms")]).await;
    let stream = TcpStream::connect(house.callers)
        .await
        .expect("a connection");
    let (mut reading, mut writing) = stream.into_split();
    let drip = tokio::spawn(async move {
        for _ in 0..2_000 {
            tokio::time::sleep(Duration::from_millis(10)).await;
            if writing.write_all(b"G").await.is_err() {
                break;
            }
        }
    });

    let mut heard = Vec::new();
    let closed = tokio::time::timeout(SOON, reading.read_to_end(&mut heard)).await;

    assert!(closed.is_ok(), "the connection is closed in time");
    assert!(heard.is_empty(), "{heard:?}");
    drip.abort();
}

#[tokio::test]
async fn a_connection_that_rests_is_kept_longer_than_a_head_may_take() {
    let settings = [
        ("server.head_timeout", "200ms"),
        ("server.idle_timeout", "900ms"),
    ];
    let house = House::with(&settings).await;
    let mut stream = TcpStream::connect(house.callers)
        .await
        .expect("a connection");
    stream
        .write_all(b"GET /nowhere HTTP/1.1\r\nHost: a\r\n\r\n")
        .await
        .expect("sent");

    let (waited, heard) = until_closed(&mut stream).await;

    assert!(heard.starts_with("HTTP/1.1 404"), "{heard}");
    assert!(
        waited >= Duration::from_millis(600),
        "let go after {waited:?}"
    );
}

#[tokio::test]
async fn half_sent_heads_hold_up_neither_other_callers_nor_the_end() {
    let house = House::open().await;
    house.given_meeting("m1", "446153273", "Standup");
    let mut dawdlers = Vec::new();
    for _ in 0..200 {
        let mut stream = TcpStream::connect(house.callers)
            .await
            .expect("a connection");
        stream
            .write_all(b"GET /meetings/m1 HTTP/1.1\r\nHo")
            .await
            .expect("sent");
        dawdlers.push(stream);
    }

    assert_eq!(house.get("/meetings/m1").await.status, 200);
    let mut house = house;
    house.leave.cancel();
    let left = tokio::time::timeout(
        Duration::from_secs(5),
        house.serving.take().expect("serving"),
    );
    left.await.expect("left in time").expect("no panic");
}

#[tokio::test]
async fn what_is_under_way_is_finished_before_the_end() {
    let house = House::open().await;
    house.given_meeting("m1", "446153273", "Standup");
    let slow = wecom_simulator::Trouble::latency(Duration::from_millis(400));
    house.wecom.set_trouble(wecom_simulator::Api::GetInfo, slow);
    let asking = tokio::spawn(house.asking("/meetings/m1"));
    house
        .until("it was asked", async |house| {
            house.wecom.peak_in_flight() == 1
        })
        .await;

    house.leave.cancel();

    let reply = asking.await.expect("an answer");
    assert_eq!(reply.json()["title"], "Standup");
    assert_eq!(reply.header("connection"), Some("close"));
}

#[tokio::test]
async fn a_refused_caller_who_stays_on_the_line_is_let_go() {
    let mut house = House::open().await;
    let mut silent = Vec::new();
    for _ in 0..20 {
        let mut stream = TcpStream::connect(house.callers)
            .await
            .expect("a connection");
        stream
            .write_all(b"GET / HTTP/1.1\r\n\r\n")
            .await
            .expect("sent");
        let mut heard = String::new();
        stream.read_to_string(&mut heard).await.expect("read");
        assert!(heard.starts_with("HTTP/1.1 400"), "{heard}");
        silent.push(stream);
    }

    house.leave.cancel();
    let left = tokio::time::timeout(
        Duration::from_secs(5),
        house.serving.take().expect("serving"),
    );
    left.await.expect("left in time").expect("no panic");
}

#[tokio::test]
async fn a_refusal_keeps_the_requests_id_and_has_no_body_where_head_was_asked() {
    let house = House::open().await;
    let id = "X-Request-Id: mine-1\r\n";

    let get = house
        .say(format!("GET / HTTP/1.1\r\n{id}\r\n").as_bytes())
        .await;
    let head = house
        .say(format!("HEAD / HTTP/1.1\r\n{id}\r\n").as_bytes())
        .await;
    let long = house
        .say(format!("HEAD /{} HTTP/1.1\r\n", "x".repeat(9_000)).as_bytes())
        .await;

    assert!(
        get.contains("x-request-id: mine-1") && get.contains("\"instance\":\"mine-1\""),
        "{get}"
    );
    assert!(head.contains("x-request-id: mine-1"), "{head}");
    for answer in [head, long] {
        assert!(
            answer.starts_with("HTTP/1.1 4") && answer.ends_with("\r\n\r\n"),
            "{answer}"
        );
    }
}

mod http2 {
    use axum::body::Body;
    use http::Request;
    use hyper::client::conn::http2::SendRequest;
    use hyper_util::rt::TokioExecutor;
    use hyper_util::rt::TokioIo;
    use wecom_simulator::Api;
    use wecom_simulator::Trouble;

    use super::*;

    async fn caller_of(house: &House) -> SendRequest<Body> {
        let stream = TcpStream::connect(house.callers)
            .await
            .expect("a connection");
        let io = TokioIo::new(stream);
        let handshake = hyper::client::conn::http2::handshake(TokioExecutor::new(), io).await;
        let (caller, connection) = handshake.expect("HTTP/2");
        tokio::spawn(connection);
        caller
    }

    async fn status(caller: &mut SendRequest<Body>, path: &str) -> u16 {
        let request = Request::get(format!("http://proxy{path}")).body(Body::empty());
        let answer = caller.send_request(request.expect("a request")).await;
        answer.expect("an answer").status().as_u16()
    }

    #[tokio::test]
    async fn a_request_is_answered_while_another_waits() {
        let house = House::with(&[("server.http2", "true")]).await;
        house.given_meeting("m1", "446153273", "Standup");
        house.wecom.set_trouble(Api::GetInfo, Trouble::hang());
        let mut caller = caller_of(&house).await;

        let mut waiting = caller.clone();
        let waiting = tokio::spawn(async move { status(&mut waiting, "/meetings/m1").await });
        house
            .until("it was asked", async |house| {
                house.wecom.hits().get_info == 1
            })
            .await;

        assert_eq!(status(&mut caller, "/nowhere").await, 404);
        assert!(!waiting.is_finished());
        waiting.abort();
    }

    #[tokio::test]
    async fn a_request_that_takes_longer_than_a_connection_may_rest_is_answered() {
        let settings = [("server.http2", "true"), ("server.idle_timeout", "200ms")];
        let house = House::with(&settings).await;
        house.given_meeting("m1", "446153273", "Standup");
        let slow = Trouble::latency(Duration::from_millis(700));
        house.wecom.set_trouble(Api::GetInfo, slow);
        let mut caller = caller_of(&house).await;

        assert_eq!(status(&mut caller, "/meetings/m1").await, 200);
        house
            .until("it is let go", async |_| caller.is_closed())
            .await;
    }

    #[tokio::test]
    async fn http_1_is_spoken_beside_it_and_its_bounds_hold_for_both() {
        let house = House::with(&[("server.http2", "true")]).await;
        let mut caller = caller_of(&house).await;

        assert_eq!(house.get("/nowhere").await.status, 404);
        assert_eq!(
            status(&mut caller, &format!("/{}", "x".repeat(9_000))).await,
            414
        );
    }
}
