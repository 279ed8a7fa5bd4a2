//! Callers who ask for one thing after the other on one connection, in the same words: each request is
//! judged as if it were the first.

use std::fmt::Write;
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::access::digest;
use crate::house::House;
use crate::house::SOON;
use crate::jwt::IN_AN_HOUR;
use crate::jwt::token;

/// Somebody who keeps a connection.
pub(crate) struct Regular(TcpStream);

impl Regular {
    pub(crate) async fn of(house: &House) -> Self {
        let stream = TcpStream::connect(house.callers).await;
        Self(stream.expect("a connection"))
    }

    /// The head of the answer to a request with these lines.
    pub(crate) async fn ask(&mut self, path: &str, lines: &str) -> String {
        let Self(stream) = self;
        let request = format!("GET {path} HTTP/1.1\r\nHost: a\r\n{lines}\r\n");
        stream.write_all(request.as_bytes()).await.expect("sent");
        let mut received = Vec::new();
        let receiving = async {
            loop {
                let read = stream.read_buf(&mut received).await.expect("read");
                assert!(read > 0, "the connection was closed");
                let text = String::from_utf8_lossy(&received);
                let Some((head, body)) = text.split_once("\r\n\r\n") else {
                    continue;
                };
                let length = head.lines().find_map(|line| {
                    let length = line.strip_prefix("content-length: ")?;
                    length.parse().ok()
                });
                if body.len() == length.unwrap_or(0) {
                    return head.to_owned();
                }
            }
        };
        let answer = tokio::time::timeout(SOON, receiving).await;
        answer.expect("an answer in time")
    }

    /// The status of the answer to one who bears this.
    pub(crate) async fn status_of(&mut self, borne: &str) -> String {
        let head = self
            .ask(
                "/meetings/m1",
                &format!("Authorization: Bearer {borne}\r\n"),
            )
            .await;
        head.split(' ').nth(1).expect("a status").to_owned()
    }
}

#[tokio::test]
async fn a_key_that_expires_is_refused_from_then_on_though_it_asks_as_before() {
    let callers = format!(
        r#"[{{name = "one", key_sha256 = {{sha256 = "{}", expires = "2026-03-02T10:00:00Z"}}}}]"#,
        digest("key"),
    );
    let house = House::with(&[("access.callers", &callers)]).await;
    house.given_meeting("m1", "446153273", "Standup");
    let mut caller = Regular::of(&house).await;
    for _ in 0..3 {
        assert_eq!(caller.status_of("key").await, "200");
    }
    house.advance(Duration::from_secs(3_599));
    assert_eq!(caller.status_of("key").await, "200");

    house.advance(Duration::from_secs(1));

    assert_eq!(caller.status_of("key").await, "401");
}

#[tokio::test]
async fn a_token_that_ends_is_refused_from_then_on_though_it_asks_as_before() {
    let house = crate::jwt::house().await;
    let mut caller = Regular::of(&house).await;
    let borne = token("kiosk", IN_AN_HOUR);
    for _ in 0..3 {
        assert_eq!(caller.status_of(&borne).await, "200");
    }
    // A minute's grace, for clocks that differ.
    house.advance(Duration::from_secs(3_659));
    assert_eq!(caller.status_of(&borne).await, "200");

    house.advance(Duration::from_secs(1));

    assert_eq!(caller.status_of(&borne).await, "401");
}

#[tokio::test]
async fn one_byte_of_a_key_makes_it_another_wherever_it_stands() {
    let callers = format!(
        r#"[{{name = "one", key_sha256 = "{}"}}]"#,
        digest("a-key-of-one")
    );
    let house = House::with(&[("access.callers", &callers)]).await;
    house.given_meeting("m1", "446153273", "Standup");
    let mut caller = Regular::of(&house).await;

    for place in 0.."a-key-of-one".len() {
        let mut other = "a-key-of-one".to_owned();
        other.replace_range(place..=place, "_");
        // Who fails so often would be told to wait.
        house.advance(Duration::from_secs(60));
        assert_eq!(caller.status_of("a-key-of-one").await, "200");
        assert_eq!(caller.status_of(&other).await, "401", "{other}");
    }
}

#[tokio::test]
async fn each_request_is_answered_under_its_own_id_and_logged_with_its_own_trace() {
    let house = House::open().await;
    house.given_meeting("m1", "446153273", "Standup");
    let mut caller = Regular::of(&house).await;

    for number in 0..9_u32 {
        let id = match number % 3 {
            0 => format!("{number}"),
            1 => format!("id-{number}"),
            _ => String::new(),
        };
        let mut lines = format!("X-Request-Id: {id}\r\n");
        write!(
            lines,
            "traceparent: 00-{:032x}-0000000000000001-01\r\n",
            number + 1
        )
        .expect("written");
        let head = caller.ask("/meetings/m1", &lines).await;
        let said = head
            .lines()
            .find_map(|line| line.strip_prefix("x-request-id: "));
        let said = said.expect("an id");
        if id.is_empty() {
            assert_eq!(said.len(), 36, "one of ours: {said}");
        } else {
            assert_eq!(said, id);
        }
    }
}

#[tokio::test]
async fn what_is_asked_in_the_same_words_need_not_be_the_same() {
    let house = House::open().await;
    house.given_meeting("m1", "446153273", "Standup");
    house.given_meeting("m2", "446153274", "Review");
    let etag = async |caller: &mut Regular, path: &str| {
        let head = caller.ask(path, "Accept: */*\r\n").await;
        let etag = head.lines().find_map(|line| line.strip_prefix("etag: "));
        etag.map(str::to_owned)
    };
    let paths = [
        "/meetings/m1",
        "/meetings/m2",
        "/meetings/by-code/446153273",
        "/meetings/m3",
        "/meetings/%6d1",
        "/meetings/m1?app=default",
        "/meetings/m1/",
        "/",
    ];
    let mut expected = Vec::new();
    for path in paths {
        expected.push(etag(&mut Regular::of(&house).await, path).await);
    }

    let mut caller = Regular::of(&house).await;
    for _ in 0..3 {
        for (path, expected) in paths.iter().zip(&expected) {
            assert_eq!(etag(&mut caller, path).await, *expected, "{path}");
        }
    }
    assert_ne!(expected[0], expected[1]);
    assert!(
        expected[2].is_some() && expected[3].is_none(),
        "{expected:?}"
    );
}

#[tokio::test]
async fn a_target_is_vetted_though_it_is_asked_for_as_before() {
    let house = House::open().await;
    house.given_meeting("m1", "446153273", "Standup");
    let path = "/meetings/by-code/446153273";
    let request = |path: &str, last: &str| format!("GET {path} HTTP/1.1\r\nHost: a\r\n{last}\r\n");
    for target in [
        "/meetings/by-code/446\t153273".to_owned(),
        "/meetings/by-code/\t446153273".to_owned(),
        "/meetings/by-code/446153273\t".to_owned(),
        format!("/meetings/by-code/{}446153273", "-".repeat(9_000)),
        format!("/meetings/by-code/{}446153273", "-".repeat(33_000)),
        format!("/meetings/by-code/{}446153273", "\u{2212}".repeat(2_800)),
        "/meetings/m1#".to_owned(),
        "/meetings/m1 ".to_owned(),
        "http://a@a/meetings/m1".to_owned(),
    ] {
        let usual = request(path, "").repeat(3);
        let odd = request(&target, "");
        let said = house
            .say(&[usual.as_bytes(), odd.as_bytes()].concat())
            .await;
        let answers = said.split("HTTP/1.1 ").skip(1);
        let statuses: Vec<_> = answers.filter_map(|answer| answer.get(..3)).collect();
        let refused = if target.len() > 8_192 { "414" } else { "400" };
        assert_eq!(statuses, ["200", "200", "200", refused], "{target:.60?}");
    }
}
