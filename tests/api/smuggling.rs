//! Requests that a gateway and we could read differently, or that are too large: each is refused, the
//! connection is closed, nothing behind it is read as a request, and WeCom is not asked.

use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::house::House;
use crate::house::SOON;

/// What must not be read as a request where another was refused.
const BEHIND: &str = "GET /meetings/m2 HTTP/1.1\r\nHost: a\r\n\r\n";

/// Requests for a meeting, by what is wrong with them.
const REFUSED: &[(&str, &str)] = &[
    // Who is asked.
    ("no Host", "GET /meetings/m1 HTTP/1.1\r\n\r\n"),
    ("no Host, HTTP/1.0", "GET /meetings/m1 HTTP/1.0\r\n\r\n"),
    (
        "an empty Host",
        "GET /meetings/m1 HTTP/1.1\r\nHost:\r\n\r\n",
    ),
    (
        "a blank Host",
        "GET /meetings/m1 HTTP/1.1\r\nHost: \t \r\n\r\n",
    ),
    (
        "two Hosts",
        "GET /meetings/m1 HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    ),
    (
        "the same Host twice",
        "GET /meetings/m1 HTTP/1.1\r\nHost: a\r\nhOST: a\r\n\r\n",
    ),
    (
        "a list of Hosts",
        "GET /meetings/m1 HTTP/1.1\r\nHost: a, b\r\n\r\n",
    ),
    (
        "a Host with a path",
        "GET /meetings/m1 HTTP/1.1\r\nHost: a/b\r\n\r\n",
    ),
    (
        "a Host with a user",
        "GET /meetings/m1 HTTP/1.1\r\nHost: a@b\r\n\r\n",
    ),
    // Where it ends.
    (
        "a length",
        "GET /meetings/m1 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc",
    ),
    (
        "a length of +0",
        "GET /meetings/m1 HTTP/1.1\r\nHost: a\r\nContent-Length: +0\r\n\r\n",
    ),
    (
        "a length of -0",
        "GET /meetings/m1 HTTP/1.1\r\nHost: a\r\nContent-Length: -0\r\n\r\n",
    ),
    (
        "a length of 00",
        "GET /meetings/m1 HTTP/1.1\r\nHost: a\r\nContent-Length: 00\r\n\r\n",
    ),
    (
        "a length of 0x0",
        "GET /meetings/m1 HTTP/1.1\r\nHost: a\r\nContent-Length: 0x0\r\n\r\n",
    ),
    (
        "an empty length",
        "GET /meetings/m1 HTTP/1.1\r\nHost: a\r\nContent-Length:\r\n\r\n",
    ),
    (
        "a length with a space",
        "GET /meetings/m1 HTTP/1.1\r\nHost: a\r\nContent-Length: 0 0\r\n\r\n",
    ),
    (
        "a list of lengths",
        "GET /meetings/m1 HTTP/1.1\r\nHost: a\r\nContent-Length: 0, 0\r\n\r\n",
    ),
    (
        "a length twice",
        "GET /meetings/m1 HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nContent-Length: 0\r\n\r\n",
    ),
    (
        "two lengths",
        "GET /meetings/m1 HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nContent-Length: 39\r\n\r\n",
    ),
    (
        "a length and chunks",
        "GET /meetings/m1 HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ),
    (
        "chunks",
        "GET /meetings/m1 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ),
    (
        "CHUNKS",
        "GET /meetings/m1 HTTP/1.1\r\nHost: a\r\ntRANSFER-eNCODING: cHuNkEd\r\n\r\n0\r\n\r\n",
    ),
    (
        "chunks of HTTP/1.0",
        "GET /meetings/m1 HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ),
    (
        "identity",
        "GET /meetings/m1 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: identity\r\n\r\n",
    ),
    (
        "an empty coding",
        "GET /meetings/m1 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:\r\n\r\n",
    ),
    (
        "codings",
        "GET /meetings/m1 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
    ),
    (
        "a coding that is none",
        "GET /meetings/m1 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n",
    ),
    // Where its lines end.
    ("bare LF", "GET /meetings/m1 HTTP/1.1\nHost: a\n\n"),
    (
        "bare LF after a field",
        "GET /meetings/m1 HTTP/1.1\r\nHost: a\n\r\n",
    ),
    (
        "bare LF at the end",
        "GET /meetings/m1 HTTP/1.1\r\nHost: a\r\n\n",
    ),
    (
        "bare CR after the request line",
        "GET /meetings/m1 HTTP/1.1\rHost: a\r\n\r\n",
    ),
    (
        "bare CR in a field",
        "GET /meetings/m1 HTTP/1.1\r\nHost: a\r\nX: 1\rY: 2\r\n\r\n",
    ),
    (
        "a folded field",
        "GET /meetings/m1 HTTP/1.1\r\nHost: a\r\nX: 1\r\n 2\r\n\r\n",
    ),
    (
        "a field folded by a tab",
        "GET /meetings/m1 HTTP/1.1\r\nHost: a\r\nX: 1\r\n\t2\r\n\r\n",
    ),
    (
        "a blank before the first field",
        "GET /meetings/m1 HTTP/1.1\r\n Host: a\r\nHost: a\r\n\r\n",
    ),
    // What a field is.
    (
        "a blank before the colon",
        "GET /meetings/m1 HTTP/1.1\r\nHost: a\r\nContent-Length : 39\r\n\r\n",
    ),
    (
        "a tab before the colon",
        "GET /meetings/m1 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding\t: chunked\r\n\r\n",
    ),
    (
        "a blank in a name",
        "GET /meetings/m1 HTTP/1.1\r\nHost: a\r\nX Y: 1\r\n\r\n",
    ),
    (
        "no name",
        "GET /meetings/m1 HTTP/1.1\r\nHost: a\r\n: 1\r\n\r\n",
    ),
    (
        "no colon",
        "GET /meetings/m1 HTTP/1.1\r\nHost: a\r\nX\r\n\r\n",
    ),
    (
        "NUL in a name",
        "GET /meetings/m1 HTTP/1.1\r\nHost: a\r\nX\0: 1\r\n\r\n",
    ),
    (
        "NUL in a value",
        "GET /meetings/m1 HTTP/1.1\r\nHost: a\r\nX: 1\x002\r\n\r\n",
    ),
    (
        "a control character in a value",
        "GET /meetings/m1 HTTP/1.1\r\nHost: a\r\nX: 1\x0b2\r\n\r\n",
    ),
    (
        "DEL in a value",
        "GET /meetings/m1 HTTP/1.1\r\nHost: a\r\nX: 1\x7f2\r\n\r\n",
    ),
    // What a request line is.
    (
        "two blanks",
        "GET  /meetings/m1 HTTP/1.1\r\nHost: a\r\n\r\n",
    ),
    (
        "a blank in the target",
        "GET /meetings/m1 x HTTP/1.1\r\nHost: a\r\n\r\n",
    ),
    (
        "a blank at the beginning",
        " GET /meetings/m1 HTTP/1.1\r\nHost: a\r\n\r\n",
    ),
    (
        "NUL in the target",
        "GET /meetings/m1\0 HTTP/1.1\r\nHost: a\r\n\r\n",
    ),
    (
        "a fragment",
        "GET /meetings/m1#x HTTP/1.1\r\nHost: a\r\n\r\n",
    ),
    (
        "an empty fragment",
        "GET /meetings/m1# HTTP/1.1\r\nHost: a\r\n\r\n",
    ),
    (
        "a fragment of a query",
        "GET /meetings/m1?app=default#x HTTP/1.1\r\nHost: a\r\n\r\n",
    ),
    (
        "a fragment of a whole URL",
        "GET http://a/meetings/m1#x HTTP/1.1\r\nHost: a\r\n\r\n",
    ),
    (
        "a whole URL with a user",
        "GET http://u:p@a/meetings/m1 HTTP/1.1\r\nHost: a\r\n\r\n",
    ),
    (
        "a whole URL of another protocol",
        "GET ftp://a/meetings/m1 HTTP/1.1\r\nHost: a\r\n\r\n",
    ),
    (
        "an authority with a user",
        "CONNECT u@a:80 HTTP/1.1\r\nHost: a\r\n\r\n",
    ),
    ("HTTP/0.9", "GET /meetings/m1\r\n\r\n"),
    ("HTTP/1.2", "GET /meetings/m1 HTTP/1.2\r\nHost: a\r\n\r\n"),
    ("HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    ("not HTTP", "\x16\x03\x01\r\n\r\n"),
];

/// Requests that look odd and are read by everybody alike, with what they are answered.
const TAKEN: &[(&str, &str, &str)] = &[
    (
        "HTTP/1.0 with a Host",
        "GET /meetings/m1 HTTP/1.0\r\nHost: a\r\n\r\n",
        "200",
    ),
    (
        "a length of 0",
        "GET /meetings/m1 HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n",
        "200",
    ),
    (
        "a length of 0 among blanks",
        "GET /meetings/m1 HTTP/1.1\r\nHost: a\r\nContent-Length: \t0 \r\n\r\n",
        "200",
    ),
    (
        "empty lines before it",
        "\r\n\r\nGET /meetings/m1 HTTP/1.1\r\nHost: a\r\n\r\n",
        "200",
    ),
    // RFC 9112, section 3.2.2: then the Host is ignored. Here neither means anything.
    (
        "a whole URL, and another Host",
        "GET http://b/meetings/m1 HTTP/1.1\r\nHost: a\r\n\r\n",
        "200",
    ),
    // RFC 3986, section 3.1: schemes are not case-sensitive.
    (
        "a whole URL over TLS, in capitals",
        "GET HTTPS://b/meetings/m1 HTTP/1.1\r\nHost: a\r\n\r\n",
        "200",
    ),
    // Methods are case-sensitive (RFC 9110, section 9.1): this is not GET.
    (
        "a method in lower case",
        "get /meetings/m1 HTTP/1.1\r\nHost: a\r\n\r\n",
        "405",
    ),
    (
        "a body that was only announced",
        "GET /meetings/m1 HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n\r\n",
        "200",
    ),
    (
        "another protocol offered",
        "GET /meetings/m1 HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n",
        "200",
    ),
];

/// All that is heard until the connection is closed, by us or for want of more to say.
async fn say(house: &House, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(house.callers)
        .await
        .expect("a connection");
    stream.write_all(bytes).await.expect("sent");
    let mut heard = Vec::new();
    let hearing = tokio::time::timeout(SOON, stream.read_to_end(&mut heard)).await;
    hearing.expect("closed in time").expect("read");
    String::from_utf8(heard).expect("text")
}

fn statuses(answers: &str) -> Vec<&str> {
    let heads = answers.split("HTTP/1.").skip(1);
    heads.filter_map(|head| head.split(' ').nth(1)).collect()
}

/// The code of the problem that is the only answer.
fn only_code(answer: &str) -> String {
    let (head, body) = answer
        .split_once("\r\n\r\n")
        .unwrap_or_else(|| panic!("{answer:?}"));
    assert!(head.contains("x-request-id: "), "{head}");
    assert!(head.contains("connection: close"), "{head}");
    let problem: serde_json::Value = serde_json::from_str(body).expect("a problem, and no more");
    problem["code"].as_str().expect("a code").to_owned()
}

#[tokio::test]
async fn what_could_be_read_in_two_ways_is_refused_and_the_connection_closed() {
    let house = House::open().await;
    for (case, request) in REFUSED {
        let answer = say(&house, format!("{request}{BEHIND}").as_bytes()).await;

        assert_eq!(statuses(&answer), ["400"], "{case}: {answer}");
        assert_eq!(only_code(&answer), "bad_request", "{case}");
    }
    assert_eq!(house.wecom.hits().get_info, 0);
}

#[tokio::test]
async fn what_was_refused_is_refused_byte_by_byte_too() {
    let house = House::open().await;
    for (case, request) in REFUSED {
        let mut stream = TcpStream::connect(house.callers)
            .await
            .expect("a connection");
        stream.set_nodelay(true).expect("no delay");
        for byte in request.bytes() {
            // It may be refused before its end.
            if stream.write_all(&[byte]).await.is_err() {
                break;
            }
            tokio::task::yield_now().await;
        }
        let mut answer = String::new();
        let hearing = tokio::time::timeout(SOON, stream.read_to_string(&mut answer)).await;
        hearing.expect("closed in time").expect("read");

        assert_eq!(statuses(&answer), ["400"], "{case}: {answer}");
    }
    assert_eq!(house.wecom.hits().get_info, 0);
}

#[tokio::test]
async fn what_only_looks_odd_is_answered() {
    let house = House::with(&[("server.idle_timeout", "300ms")]).await;
    house.given_meeting("m1", "446153273", "Standup");
    for (case, request, status) in TAKEN {
        let answer = say(&house, request.as_bytes()).await;

        assert_eq!(statuses(&answer), [*status], "{case}: {answer}");
    }
    assert_eq!(house.wecom.hits().get_info, 1);
}

#[tokio::test]
async fn a_target_or_a_head_that_is_too_large_is_refused_whatever_its_size() {
    let house = House::open().await;
    let host = "Host: a\r\n";
    let target = |bytes| format!("GET /{} HTTP/1.1\r\n{host}\r\n", "x".repeat(bytes));
    let field = |bytes| format!("GET / HTTP/1.1\r\n{host}X: {}\r\n\r\n", "x".repeat(bytes));
    let fields = |number| format!("GET / HTTP/1.1\r\n{host}{}\r\n", "X: 1\r\n".repeat(number));
    for (case, head, expected) in [
        ("a target of 9 KB", target(9_000), "uri_too_long"),
        ("a target of 900 KB", target(900_000), "uri_too_long"),
        ("a field of 40 KB", field(40_000), "headers_too_large"),
        ("a field of 900 KB", field(900_000), "headers_too_large"),
        ("101 fields", fields(100), "headers_too_large"),
        ("100,000 fields", fields(100_000), "headers_too_large"),
        (
            "a method of 9 KB",
            format!("{} / HTTP/1.1\r\n{host}\r\n", "G".repeat(9_000)),
            "uri_too_long",
        ),
        ("a line without end", "G".repeat(40_000), "uri_too_long"),
    ] {
        let answer = say(&house, head.as_bytes()).await;

        assert_eq!(only_code(&answer), expected, "{case}");
    }
    assert_eq!(house.wecom.hits().get_info, 0);
}

#[tokio::test]
async fn a_refusal_is_a_problem_however_often_the_request_was_named() {
    let house = House::open().await;
    for number in [1, 2, 100, 150, 1_000] {
        let names = "X-Request-ID: a\r\n".repeat(number);
        let request = format!("GET /meetings/m1 HTTP/1.1\r\n{names}\r\n");

        let answer = say(&house, request.as_bytes()).await;

        assert_eq!(
            answer.contains("x-request-id: a\r\n"),
            number == 1,
            "{answer}"
        );
        assert!(only_code(&answer).starts_with(['b', 'h']), "{answer}");
    }
}
