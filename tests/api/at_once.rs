//! What is known and asked for plainly is answered on a way of its own, at once; and what is asked as
//! before, by what was made of that: by which nothing can be told from outside.

use std::time::Duration;

use crate::access::digest;
use crate::house::House;

/// What is asked of a house, one after the other: the path, and lines of the head.
const ASKED: [(&str, &str); 26] = [
    ("/meetings/m1", ""),
    ("/meetings/m2", "Accept: */*\r\nUser-Agent: a\r\n"),
    ("/meetings/by-code/446153273", ""),
    ("/meetings/by-code/446153274", "Accept-Encoding: gzip\r\n"),
    ("/meetings/by-code/446-153-273", ""),
    ("/meetings/by-code/44", ""),
    ("/meetings/m3", ""),
    ("/meetings/m3", "Cache-Control: only-if-cached\r\n"),
    ("/meetings/m1", "Accept-Encoding: gzip;q=0.5, zstd\r\n"),
    (
        "/meetings/m1",
        "accept-encoding: gzip\r\nAccept-Encoding: zstd;q=0.5\r\n",
    ),
    ("/meetings/m1", "Accept-Encoding: identity;q=0\r\n"),
    ("/meetings/m1", "If-None-Match: *\r\n"),
    (
        "/meetings/m1",
        "If-None-Match: \"a\"\r\nIf-None-Match: *\r\nAccept-Encoding: gzip\r\n",
    ),
    ("/meetings/m1", "Cache-Control: max-age=5\r\n"),
    (
        "/meetings/m1",
        "Cache-Control: min-fresh=4, max-stale\r\nPragma: no-cache\r\n",
    ),
    ("/meetings/m1", "Cache-Control: caf\u{e9}, no-cache\r\n"),
    ("/meetings/m2", "Cache-Control: no-cache\r\n"),
    ("/meetings/m1", "Connection: keep-alive\r\n"),
    ("/meetings/m1", "Content-Length: 0\r\n"),
    (
        "/meetings/m1",
        "Range: bytes=0-1\r\nExpect: 100-continue\r\n",
    ),
    (
        "/meetings/m1",
        "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n",
    ),
    ("/meetings/m1", "Authorization: Bearer another\r\n"),
    ("/meetings/m1", ""),
    ("/meetings/m1", ""),
    ("/meetings/m1", ""),
    ("/meetings/m1", ""),
];

/// Who asks, and how many seconds have passed since the same was asked before.
const TURNS: [(&str, u64); 9] = [
    ("free", 0),
    ("free", 0),
    ("revealed", 0),
    ("limited", 0),
    ("limited", 1),
    ("free", 7),
    ("wrong", 0),
    ("free", 60),
    ("revealed", 700),
];

async fn house() -> House {
    let callers = format!(
        r#"[
            {{name = "limited", key_sha256 = "{}", requests_per_second = 9, burst = 20}},
            {{name = "free", key_sha256 = "{}"}},
            {{name = "revealed", key_sha256 = "{}", reveal = ["phones", "secrets"]}},
        ]"#,
        digest("limited"),
        digest("free"),
        digest("revealed"),
    );
    let house = House::with(&[("access.callers", &callers)]).await;
    house.given_meeting("m1", "446153273", "Standup");
    house.given_meeting("m2", "446153274", &"Long ".repeat(400));
    house
}

/// These requests, and one that is the last of its connection.
fn to_the_end(requests: &str) -> String {
    requests.to_owned() + &request("/none", "free", "last", "Connection: close\r\n")
}

/// Who asks one after the other on one connection, as through a gateway.
const SHARING: [&str; 7] = [
    "free", "free", "revealed", "wrong", "free", "limited", "limited",
];

/// A request: its path, as it is written, and the lines of its head.
fn request(path: &str, key: &str, id: &str, lines: &str) -> String {
    format!(
        "GET {path} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {key}\r\n\
         X-Request-Id: {id}\r\n{lines}\r\n"
    )
}

/// All that a house says, and what it has counted in the end.
async fn heard(written: impl Fn(&str) -> String) -> (Vec<String>, String) {
    let house = house().await;
    let mut heard = Vec::new();
    for (key, pause_s) in TURNS {
        house.advance(Duration::from_secs(pause_s));
        for (number, (path, lines)) in ASKED.iter().enumerate() {
            let again = ["", "-again", "-and-again"].map(|suffix| {
                let id = format!("{number}{suffix}");
                request(&written(path), key, &id, lines)
            });
            let said = house
                .say_bytes(to_the_end(&again.concat()).as_bytes())
                .await;
            heard.push(format!("{key} {number} {}", said.escape_ascii()));
        }
    }
    for (path, lines) in ASKED {
        house.advance(Duration::from_secs(1));
        let shared = SHARING.map(|key| request(&written(path), key, key, lines));
        let said = house
            .say_bytes(to_the_end(&shared.concat()).as_bytes())
            .await;
        heard.push(format!("{path} {lines} {}", said.escape_ascii()));
    }
    let metrics = house.ask_operator("/metrics").await.text;
    let counts = |line: &&str| {
        let counted = [
            "http_requests_total",
            "cache_lookups_total",
            "wecom_requests_total",
        ];
        counted.iter().any(|name| line.contains(name))
    };
    let mut counted: Vec<_> = metrics.lines().filter(counts).collect();
    counted.sort_unstable();
    (heard, counted.join("\n"))
}

#[tokio::test]
async fn what_is_answered_at_once_is_answered_and_counted_as_on_the_long_way() {
    let at_once = heard(str::to_owned).await;
    // Where there is something to be decoded, it goes the long way.
    let decoded = |path: &str| {
        let (start, name) = path.rsplit_once('/').expect("a path");
        let (first, rest) = name.split_at(1);
        format!("{start}/%{:02x}{rest}", first.as_bytes()[0])
    };
    let long_way = heard(decoded).await;

    for (said, expected) in at_once.0.iter().zip(&long_way.0) {
        assert_eq!(said, expected);
    }
    assert_eq!(at_once.1, long_way.1);
    let of = |status: &str| {
        at_once
            .0
            .iter()
            .filter(|said| said.contains(status))
            .count()
    };
    for status in ["200 OK", "304 Not", "404 Not", "401 Un", "429 Too"] {
        assert!(of(status) > ASKED.len() / 4, "{status}: {}", of(status));
    }
}
