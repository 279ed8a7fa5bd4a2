//! What comes over a connection of HTTP/2: frames that dawdle, and heads that could be read in two
//! ways.

use std::net::SocketAddr;
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http::Request;
use http::header;
use http_body_util::BodyExt;
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::Instant;

use crate::connections::http2;
use crate::house::House;
use crate::house::SOON;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Kinds of frame, and the flags of one with a head (RFC 9113, section 6).
const HEADERS: u8 = 1;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const CONTINUATION: u8 = 9;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

/// `GET / HTTP/2` at the authority `a`, as HPACK has it.
const HEAD: &[u8] = &[0x82, 0x86, 0x84, 0x41, 0x01, b'a'];

fn frame(kind: u8, flags: u8, stream: u8, payload: &[u8]) -> Vec<u8> {
    let length = u8::try_from(payload.len()).expect("a short frame");
    let head = [0, 0, length, kind, flags, 0, 0, 0, stream];
    [&head[..], payload].concat()
}

/// How a connection begins.
fn beginning() -> Vec<u8> {
    [PREFACE, &frame(SETTINGS, 0, 0, &[])].concat()
}

fn ping() -> Vec<u8> {
    frame(PING, 0, 0, b"12345678")
}

/// Says this, and then each of the others after a moment, until the connection is closed or nothing
/// is left. Whether it is closed in time.
async fn is_closed(door: SocketAddr, said: Vec<u8>, then: Vec<Vec<u8>>) -> bool {
    let stream = TcpStream::connect(door).await;
    let (mut reading, mut writing) = stream.expect("a connection").into_split();
    writing.write_all(&said).await.expect("sent");
    let dripping = tokio::spawn(async move {
        for drop in then {
            tokio::time::sleep(Duration::from_millis(10)).await;
            if writing.write_all(&drop).await.is_err() {
                break;
            }
        }
        // Stays on the line.
        std::future::pending::<()>().await;
    });
    let mut heard = Vec::new();
    let closed = tokio::time::timeout(SOON, reading.read_to_end(&mut heard)).await;
    dripping.abort();
    closed.is_ok()
}

/// The same, each twenty moments after the one before.
fn slowly(drops: impl IntoIterator<Item = Vec<u8>>) -> Vec<Vec<u8>> {
    let late = |drop| [vec![Vec::new(); 19], vec![drop]].concat();
    drops.into_iter().flat_map(late).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_must_be_complete_in_time_whatever_frames_it_comes_in() {
    let settings = [
        ("server.http2", "true"),
        ("server.head_timeout", "300ms"),
        ("server.idle_timeout", "1h"),
    ];
    let house = House::with(&settings).await;
    let whole = frame(HEADERS, END_STREAM | END_HEADERS, 1, HEAD);
    let half = frame(HEADERS, END_STREAM, 1, &HEAD[..2]);
    let more = frame(CONTINUATION, 0, 1, &[]);
    let bytes = whole.iter().map(|byte| vec![*byte]);
    let with = |more: &[u8]| [&beginning()[..], more].concat();
    let silent = Vec::new;
    let cases = [
        ("the preface alone", PREFACE.to_vec(), silent()),
        ("half the head of a frame", with(&whole[..5]), silent()),
        ("half a frame", with(&whole[..12]), silent()),
        ("half a head", with(&half), silent()),
        ("continued", with(&half), slowly(vec![more; 4])),
        ("byte by byte", beginning(), slowly(bytes)),
    ];
    let closed = cases.map(|(case, said, then)| {
        let closed = tokio::spawn(is_closed(house.callers, said, then));
        async move { (case, closed.await.expect("no panic")) }
    });

    for case in closed {
        let (case, is_closed) = case.await;
        assert!(is_closed, "{case}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asks_for_nothing_rests_whatever_frames_they_send() {
    let settings = [
        ("server.http2", "true"),
        ("server.head_timeout", "1h"),
        ("server.idle_timeout", "300ms"),
    ];
    let house = House::with(&settings).await;
    // So that something is always half there.
    let between = [&ping()[12..], &ping()[..12]].concat();
    let begun = [&beginning()[..], &ping()[..12]].concat();

    let (silent, pinging, halfway) = tokio::join!(
        is_closed(house.callers, beginning(), Vec::new()),
        is_closed(house.callers, beginning(), vec![ping(); 2_000]),
        is_closed(house.callers, begun, vec![between; 2_000]),
    );

    assert!(silent, "who is silent");
    assert!(pinging, "who pings");
    assert!(halfway, "who is always in the middle of a frame");
}

#[tokio::test]
async fn who_goes_on_asking_is_kept() {
    let settings = [
        ("server.http2", "true"),
        ("server.head_timeout", "600ms"),
        ("server.idle_timeout", "600ms"),
    ];
    let house = House::with(&settings).await;
    let mut caller = http2::caller_of(&house).await;

    for _ in 0..15 {
        tokio::time::sleep(Duration::from_millis(60)).await;
        assert_eq!(http2::status(&mut caller, "/nowhere").await, 404);
    }
}

#[tokio::test]
async fn an_answer_that_is_taken_steadily_is_given_to_its_end_however_long_that_takes() {
    let idle = Duration::from_millis(600);
    let settings = [
        ("server.http2", "true"),
        ("server.idle_timeout", "600ms"),
        ("wecom.max_response_bytes", "8MiB"),
    ];
    let house = House::with(&settings).await;
    // Much more than may be sent before some of it is taken.
    let length = house.given_meeting_of("m1", 4_000_000);
    let mut caller = http2::caller_of(&house).await;
    let request = Request::get("http://a/meetings/m1").body(Body::empty());
    let answer = caller.send_request(request.expect("a request")).await;
    let mut body = answer.expect("an answer").into_body();

    let (began, mut heard) = (Instant::now(), 0);
    while let Some(some) = body.frame().await {
        heard += some.expect("more").data_ref().map_or(0, Bytes::len);
        tokio::time::sleep(Duration::from_millis(4)).await;
    }

    assert!(heard > length, "{heard} bytes");
    assert!(began.elapsed() > idle, "{:?}", began.elapsed());
}

/// The status of this request, and the code of the problem that it is answered with.
async fn outcome(house: &House, request: Request<Body>) -> (u16, String) {
    let mut caller = http2::caller_of(house).await;
    let answer = caller.send_request(request).await.expect("an answer");
    let (head, body) = answer.into_parts();
    assert!(head.headers.contains_key("x-request-id"), "{head:?}");
    let body = body.collect().await.expect("a body").to_bytes();
    let problem: serde_json::Value = serde_json::from_slice(&body).expect("JSON");
    let code = problem["code"].as_str().unwrap_or_default().to_owned();
    (head.status.as_u16(), code)
}

#[tokio::test]
async fn it_must_be_clear_who_is_asked() {
    let house = House::with(&[("server.http2", "true")]).await;
    house.given_meeting("m1", "446153273", "Standup");
    // Without an authority in the target, there is none in the frames.
    for (target, hosts, status) in [
        ("http://a/meetings/m1", &[][..], 200),
        ("http://a/meetings/m1", &["a"], 200),
        ("http://a:8080/meetings/m1", &["A:8080"], 200),
        ("https://a/meetings/m1", &[], 200),
        ("/meetings/m1", &["a"], 200),
        ("/meetings/m1", &[], 400),
        ("/meetings/m1", &["a", "a"], 400),
        ("/meetings/m1", &["a, b"], 400),
        ("/meetings/m1", &[""], 400),
        ("http://a/meetings/m1", &["b"], 400),
        ("http://a/meetings/m1", &["a", "a"], 400),
        ("http://a/meetings/m1", &["b", "c"], 400),
        ("http://u:p@a/meetings/m1", &[], 400),
        ("ftp://a/meetings/m1", &[], 400),
    ] {
        let mut request = Request::get(target);
        for host in hosts {
            request = request.header(header::HOST, *host);
        }
        let request = request.body(Body::empty()).expect("a request");

        let (told, code) = outcome(&house, request).await;

        assert_eq!(told, status, "{target} {hosts:?}");
        assert_eq!(code == "bad_request", status == 400, "{code}");
    }
    assert_eq!(house.wecom.hits().get_info, 1);
}

#[tokio::test]
async fn a_head_that_is_too_large_is_told_so_and_a_body_is_not_taken() {
    let house = House::with(&[("server.http2", "true")]).await;
    let large = "x".repeat(33_000);
    let small = "x".repeat(31_000);
    for (name, value, expected) in [
        ("x", large.as_str(), (431, "headers_too_large")),
        ("x", &small, (404, "no_such_route")),
        ("content-length", "0", (404, "no_such_route")),
    ] {
        let request = Request::get("http://a/nowhere").header(name, value);
        let request = request.body(Body::empty()).expect("a request");

        let (status, code) = outcome(&house, request).await;

        let (case, expected) = (format!("{name}: {}", value.len()), expected);
        assert_eq!((status, code.as_str()), expected, "{case}");
    }
    let with_body = Request::get("http://a/nowhere").body(Body::from("abc"));
    let with_body = with_body.expect("a request");
    assert_eq!(outcome(&house, with_body).await.1, "bad_request");
    let mut many = Request::get("http://a/nowhere");
    for number in 0..101 {
        many = many.header(format!("x-{number}"), "1");
    }
    let many = many.body(Body::empty()).expect("a request");
    assert_eq!(outcome(&house, many).await.0, 431);
}
