//! What comes over a connection: requests sent ahead, and callers who dawdle.

use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::Instant;
use wecom_simulator::Api;
use wecom_simulator::Trouble;

use crate::house::House;
use crate::house::SOON;
use crate::house::slow_reader_of;

#[tokio::test]
async fn a_thousand_requests_sent_ahead_are_answered_in_order() {
    let house = House::open().await;
    for number in 0..10 {
        let (id, code) = (format!("m{number}"), format!("44615327{number}"));
        house.given_meeting(&id, &code, &id);
    }
    let request = |number: usize| {
        let last = if number == 999 {
            "Connection: close\r\n"
        } else {
            ""
        };
        let target = format!("/meetings/m{}", number % 10);
        format!("GET {target} HTTP/1.1\r\nHost: a\r\nX-Request-Id: {number}\r\n{last}\r\n")
    };
    let ahead: String = (0..1_000).map(request).collect();

    let answers = house.say(ahead.as_bytes()).await;

    let answers: Vec<&str> = answers.split("HTTP/1.1 200 OK\r\n").skip(1).collect();
    assert_eq!(answers.len(), 1_000);
    for (number, answer) in answers.into_iter().enumerate() {
        for expected in [
            format!("x-request-id: {number}\r\n"),
            format!("\"title\":\"m{}\"", number % 10),
        ] {
            assert!(answer.contains(&expected), "{number}: {answer}");
        }
    }
    assert_eq!(house.wecom.hits().get_info, 10);
}

#[tokio::test]
async fn who_sends_ahead_without_end_is_not_read_without_end() {
    let house = House::open().await;
    house.given_meeting("m1", "446153273", "Standup");
    house.wecom.set_trouble(Api::GetInfo, Trouble::hang());
    let mut stream = TcpStream::connect(house.callers)
        .await
        .expect("a connection");
    let ask = b"GET /meetings/m1 HTTP/1.1\r\nHost: a\r\n\r\n".repeat(1_000);

    // What is taken is what the system keeps on the way, and a head and a half.
    let endless = async {
        for _ in 0..1_000 {
            stream.write_all(&ask).await.expect("sent");
        }
    };
    let sent = tokio::time::timeout(Duration::from_secs(1), endless).await;

    assert!(sent.is_err(), "39 MB were taken");
}

#[tokio::test]
async fn a_caller_who_does_not_take_its_answer_is_let_go() {
    let house = House::with(&[("server.idle_timeout", "700ms")]).await;
    let length = house.given_long_meeting("m1");
    let mut stream = slow_reader_of(&house).await;
    let ask = b"GET /meetings/m1 HTTP/1.1\r\nHost: a\r\n\r\n";
    stream.write_all(ask).await.expect("sent");
    stream.readable().await.expect("an answer");

    // It sees so when it writes: a connection that is closed takes nothing.
    house
        .until("it is let go", async |_| stream.try_write(b"\r\n").is_err())
        .await;

    let mut heard = Vec::new();
    let _ = stream.read_to_end(&mut heard).await;
    assert!(heard.len() < length, "all {} bytes", heard.len());
}

#[tokio::test]
async fn an_answer_that_is_taken_steadily_is_given_to_its_end_however_long_that_takes() {
    let idle = Duration::from_millis(900);
    let settings = [
        ("server.idle_timeout", "900ms"),
        ("wecom.max_response_bytes", "8MiB"),
    ];
    let house = House::with(&settings).await;
    // Much more than the system keeps on the way.
    let length = house.given_meeting_of("m1", 7_000_000);
    let mut stream = slow_reader_of(&house).await;
    let ask = b"GET /meetings/m1 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    stream.write_all(ask).await.expect("sent");
    stream.readable().await.expect("an answer");

    // So much at a time that the system has us go on writing each time.
    let (began, mut heard, mut before) = (Instant::now(), Vec::new(), None);
    while before != Some(heard.len()) {
        before = Some(heard.len());
        tokio::time::sleep(idle / 3).await;
        let mut some = (&mut stream).take(1_200_000);
        some.read_to_end(&mut heard).await.expect("read");
    }

    assert!(heard.len() > length, "{} bytes", heard.len());
    assert!(began.elapsed() > idle, "{:?}", began.elapsed());
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

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_half_sent_heads_are_let_go_in_time_and_harm_nobody() {
    let house = House::with(&[("server.head_timeout", "1s")]).await;
    house.given_meeting("m1", "446153273", "Standup");
    let mut dawdling = JoinSet::new();
    for _ in 0..200 {
        let mut stream = TcpStream::connect(house.callers)
            .await
            .expect("a connection");
        let half = b"GET /meetings/m1 HTTP/1.1\r\nHost: a\r\n";
        stream.write_all(half).await.expect("sent");
        dawdling.spawn(async move { until_closed(&mut stream).await });
    }

    let mut slowest = Duration::ZERO;
    let mut closed = Vec::new();
    while closed.len() < 200 {
        let began = Instant::now();
        assert_eq!(house.get("/meetings/m1").await.status, 200);
        slowest = slowest.max(began.elapsed());
        closed.extend(std::iter::from_fn(|| dawdling.try_join_next()));
    }

    assert!(
        slowest < Duration::from_secs(1),
        "a normal caller: {slowest:?}"
    );
    for one in closed {
        let (waited, heard) = one.expect("no panic");
        assert!(waited < Duration::from_secs(3), "let go after {waited:?}");
        assert_eq!(heard, "");
    }
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
        .say(
            format!(
                "HEAD /{} HTTP/1.1\r\nHost: a\r\n{id}\r\n",
                "x".repeat(20_000)
            )
            .as_bytes(),
        )
        .await;

    assert!(
        get.contains("x-request-id: mine-1") && get.contains("\"instance\":\"mine-1\""),
        "{get}"
    );
    for answer in [head, long] {
        assert!(answer.contains("x-request-id: mine-1"), "{answer}");
        assert!(
            answer.starts_with("HTTP/1.1 4") && answer.ends_with("\r\n\r\n"),
            "{answer}"
        );
    }
}

pub(crate) mod http2 {
    use axum::body::Body;
    use http::Request;
    use http_body_util::BodyExt;
    use hyper::client::conn::http2::SendRequest;
    use hyper_util::rt::TokioExecutor;
    use hyper_util::rt::TokioIo;

    use super::*;

    pub(crate) async fn caller_of(house: &House) -> SendRequest<Body> {
        let stream = TcpStream::connect(house.callers)
            .await
            .expect("a connection");
        let io = TokioIo::new(stream);
        let handshake = hyper::client::conn::http2::handshake(TokioExecutor::new(), io).await;
        let (caller, connection) = handshake.expect("HTTP/2");
        tokio::spawn(connection);
        caller
    }

    pub(crate) async fn status(caller: &mut SendRequest<Body>, path: &str) -> u16 {
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
    async fn head_is_answered_as_get_without_a_body_and_so_is_who_has_it_already() {
        let house = House::with(&[("server.http2", "true")]).await;
        house.given_meeting("m1", "446153273", "Standup");
        let mut caller = caller_of(&house).await;
        for (path, known, status) in [
            ("/meetings/m1", "", 200),
            ("/meetings/m1", "", 200),
            ("/meetings/m1", "*", 304),
            ("/meetings/by-code/446153273", "", 200),
            ("/meetings/m2", "", 404),
            ("/nowhere", "", 404),
            ("/openapi.json", "", 200),
            ("/openapi.json", "*", 304),
        ] {
            let mut told = Vec::new();
            for method in ["HEAD", "GET"] {
                let request = Request::builder()
                    .method(method)
                    .uri(format!("http://proxy{path}"))
                    .header("x-request-id", "1")
                    .header("if-none-match", known)
                    .body(Body::empty());
                let answer = caller.send_request(request.expect("a request")).await;
                let (parts, body) = answer.expect("an answer").into_parts();
                assert_eq!(parts.status, status, "{method} {path}");
                let body = body.collect().await.expect("a body").to_bytes();
                let length = parts.headers.get("content-length").cloned();
                let expected = (status != 304).then(|| body.len().into());
                if method == "GET" {
                    assert_eq!(length, expected, "{path}");
                } else {
                    assert!(body.is_empty(), "{path}");
                }
                told.push(length);
            }
            assert_eq!(told[0], told[1], "{path}");
        }
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
