//! How often a caller may ask, and how often an address may fail.

use std::time::Duration;

use http::Method;
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpSocket;

use crate::access::digest;
use crate::house::House;
use crate::house::Reply;

/// A caller with two keys and a limit of 2 a second and 3 at once, and one without.
async fn house() -> House {
    let callers = format!(
        r#"[
            {{name = "limited", key_sha256 = ["{}", "{}"], requests_per_second = 2, burst = 3}},
            {{name = "free", key_sha256 = "{}"}},
        ]"#,
        digest("one"),
        digest("two"),
        digest("free"),
    );
    let house = House::with(&[("access.callers", &callers)]).await;
    house.given_meeting("m1", "446153273", "Standup");
    house
}

async fn ask(house: &House, key: &str) -> Reply {
    let field = format!("Bearer {key}");
    let fields = [("authorization", field.as_str())];
    house.get_with("/meetings/m1", &fields).await
}

/// The fields of draft-ietf-httpapi-ratelimit-headers, read as the structured fields they are: the
/// numbers of the policy `caller`.
fn told(reply: &Reply) -> Vec<(String, i64)> {
    let fields = ["ratelimit-policy", "ratelimit"].map(|name| reply.header(name));
    let fields = fields.into_iter().flatten().flat_map(|field| {
        let list: sfv::List = sfv::Parser::new(field).parse().expect("a list");
        let [sfv::ListEntry::Item(policy)] = &list[..] else {
            panic!("one policy: {field}");
        };
        let name = policy.bare_item.as_string().expect("a string");
        assert_eq!(name.as_str(), "caller");
        let number = |(key, value): (&sfv::Key, &sfv::BareItem)| {
            let number = value.as_integer().expect("a number");
            (key.as_str().to_owned(), number.into())
        };
        policy.params.iter().map(number).collect::<Vec<_>>()
    });
    fields.collect()
}

fn limit(remaining: i64) -> Vec<(String, i64)> {
    [("q", 4), ("w", 2), ("r", remaining), ("t", 1)]
        .map(|(key, number)| (key.to_owned(), number))
        .to_vec()
}

#[tokio::test]
async fn over_its_limit_a_caller_is_told_when_to_come_back() {
    let house = house().await;
    for (key, remaining) in [("one", 2), ("two", 1), ("one", 0)] {
        let reply = ask(&house, key).await;
        assert_eq!(reply.outcome(), (200, String::new()));
        assert_eq!(told(&reply), limit(remaining));
    }

    let refused = ask(&house, "two").await;

    assert_eq!(refused.outcome(), (429, "too_many_requests".to_owned()));
    assert_eq!(refused.json()["retryable"], true);
    assert_eq!(refused.header("retry-after"), Some("1"));
    assert_eq!(refused.header("cache-status"), None);
    assert_eq!(told(&refused), limit(0));
    assert_eq!(house.wecom.hits().get_info, 1);

    house.advance(Duration::from_millis(499));
    assert_eq!(ask(&house, "one").await.status, 429);
    house.advance(Duration::from_millis(1));
    assert_eq!(ask(&house, "one").await.status, 200);
    assert_eq!(ask(&house, "one").await.status, 429);
}

#[tokio::test]
async fn one_callers_limit_is_no_other_callers() {
    let house = house().await;
    for _ in 0..10 {
        ask(&house, "one").await;
    }
    assert_eq!(ask(&house, "one").await.status, 429);

    let reply = ask(&house, "free").await;

    assert_eq!(reply.status, 200);
    assert_eq!(told(&reply), []);
}

#[tokio::test]
async fn every_request_of_a_caller_counts_whatever_comes_of_it() {
    let key = [("authorization", "Bearer one")];
    for (method, path, status) in [
        (Method::HEAD, "/meetings/m1", 200),
        (Method::GET, "/meetings/nobody", 404),
        (Method::GET, "/meetings/a%2Fb", 400),
        (Method::GET, "/meetings/m1?debug=1", 400),
        (Method::GET, "/meetings/m1?app=nobody", 400),
        (Method::GET, "/meetings/by-code/1", 400),
        (Method::POST, "/meetings/m1", 405),
    ] {
        let house = house().await;
        for _ in 0..3 {
            let reply = house.send(method.clone(), path, &key).await;
            assert_eq!(reply.status, status, "{method} {path}");
        }
        let reply = house.send(method.clone(), path, &key).await;
        assert_eq!(reply.status, 429, "{method} {path}");
    }
    let house = house().await;
    for _ in 0..10 {
        assert_eq!(house.get_with("/nowhere", &key).await.status, 404);
    }
    assert_eq!(ask(&house, "one").await.status, 200);
}

#[tokio::test]
async fn who_fails_too_often_is_slowed_down_and_who_has_a_key_is_not() {
    let house = house().await;
    for _ in 0..30 {
        assert_eq!(ask(&house, "wrong").await.status, 401);
    }

    let refused = ask(&house, "wrong").await;
    let without_key = house.get("/meetings/m1").await;

    for reply in [&refused, &without_key] {
        assert_eq!(reply.outcome(), (429, "too_many_requests".to_owned()));
        assert_eq!(reply.header("retry-after"), Some("1"));
        assert_eq!(told(reply), []);
    }
    assert_eq!(ask(&house, "free").await.status, 200);
    assert_eq!(house.get("/nowhere").await.status, 404);

    house.advance(Duration::from_secs(1));
    assert_eq!(ask(&house, "wrong").await.status, 401);
    assert_eq!(ask(&house, "wrong").await.status, 429);
}

/// The status line that somebody without a key is told who comes from this address.
async fn told_at(house: &House, address: [u8; 4]) -> String {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket
        .bind((address, 0).into())
        .expect("an address of ours");
    let mut stream = socket.connect(house.callers).await.expect("a connection");
    let request = b"GET /meetings/m1 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    stream.write_all(request).await.expect("sent");
    let mut heard = String::new();
    stream.read_to_string(&mut heard).await.expect("text");
    heard.lines().next().expect("a line").to_owned()
}

#[tokio::test]
async fn each_address_fails_for_itself() {
    let house = house().await;
    for _ in 0..31 {
        ask(&house, "wrong").await;
    }

    let same = told_at(&house, [127, 0, 0, 1]).await;
    // Any of them may share its counter with the first, one in a thousand times.
    let mut others = Vec::new();
    for last in 2..5 {
        others.push(told_at(&house, [127, 0, 0, last]).await);
    }

    assert_eq!(same, "HTTP/1.1 429 Too Many Requests");
    let unauthorized = "HTTP/1.1 401 Unauthorized".to_owned();
    assert!(others.contains(&unauthorized), "{others:?}");
}
