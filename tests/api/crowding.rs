//! More connections than there are places: who has none is told so at once.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::Instant;

use crate::connections::http2;
use crate::house::House;
use crate::house::SOON;

const ASK: &[u8] = b"GET /meetings/m1 HTTP/1.1\r\nHost: a\r\nX-Request-Id: mine-1\r\n\r\n";

/// How soon a caller is told that there is no place.
const AT_ONCE: Duration = Duration::from_millis(10);

/// The connections of operators, and those of an anteroom.
const OPERATORS_MAX: usize = 64;
const ANTEROOM_MAX: usize = 256;

/// A connection that has a place, and keeps it.
async fn guest_of(door: SocketAddr) -> TcpStream {
    let mut stream = TcpStream::connect(door).await.expect("a connection");
    let head = b"HEAD /nowhere HTTP/1.1\r\nHost: a\r\n\r\n";
    stream.write_all(head).await.expect("sent");
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).await.expect("an answer");
    assert_eq!(&answer, b"HTTP/1.1 404");
    stream
}

async fn guests_of(door: SocketAddr, number: usize) -> Vec<TcpStream> {
    let mut guests = Vec::new();
    for _ in 0..number {
        guests.push(guest_of(door).await);
    }
    guests
}

/// All that comes back on a new connection, and how long it takes.
async fn say(door: SocketAddr, what: &[u8]) -> (String, Duration) {
    let mut stream = TcpStream::connect(door).await.expect("a connection");
    let began = Instant::now();
    stream.write_all(what).await.expect("sent");
    let mut heard = String::new();
    let hearing = tokio::time::timeout(SOON, stream.read_to_string(&mut heard)).await;
    hearing.expect("closed in time").expect("read");
    (heard, began.elapsed())
}

async fn full_house() -> (House, Vec<TcpStream>) {
    let house = House::with(&[("server.max_connections", "2")]).await;
    house.given_meeting("m1", "446153273", "Standup");
    let guests = guests_of(house.callers, 2).await;
    (house, guests)
}

fn assert_turned_away(answer: &str) {
    assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
    for expected in [
        "\"code\":\"overloaded\"",
        "\"instance\":\"mine-1\"",
        "x-request-id: mine-1\r\n",
        "retry-after: 1\r\n",
        "connection: close\r\n",
    ] {
        assert!(answer.contains(expected), "{expected}: {answer}");
    }
}

/// How long twenty callers wait until they are told that there is no place: half of them less.
async fn told_within(house: &House) -> Duration {
    let mut waited = Vec::new();
    for _ in 0..20 {
        let (answer, took) = say(house.callers, ASK).await;
        assert_turned_away(&answer);
        waited.push(took);
    }
    waited.sort();
    waited[10]
}

#[tokio::test]
async fn a_caller_without_a_place_is_told_so_at_once() {
    let (house, _guests) = full_house().await;
    let mut told = Vec::new();
    // Several times: this machine has other things to do.
    while told.len() < 5 && told.iter().all(|took| *took >= AT_ONCE) {
        told.push(told_within(&house).await);
    }

    assert!(told.iter().any(|took| *took < AT_ONCE), "{told:?}");
    assert_eq!(house.wecom.hits().get_info, 0);
}

#[tokio::test]
async fn who_is_turned_away_is_counted_whatever_they_say_and_operators_are_not() {
    let (house, _guests) = full_house().await;
    let _operators = guests_of(house.operators, OPERATORS_MAX - 1).await;
    let counted = async |house: &House| {
        let metrics = house.ask_operator("/metrics").await.text;
        let line = metrics
            .lines()
            .find(|line| line.starts_with("wecom_proxy_shed_total{reason=\"connections\"}"));
        line.expect("a count").rsplit(' ').next().map(str::to_owned)
    };
    assert_eq!(counted(&house).await.as_deref(), Some("0"));

    for what in [ASK, b"", b"GET / HT", b"GET / HTTP/1.1\r\n\r\n"] {
        say(house.callers, what).await;
    }
    let (answer, _) = say(house.operators, ASK).await;

    assert_turned_away(&answer);
    assert_eq!(counted(&house).await.as_deref(), Some("4"));
}

#[tokio::test]
async fn a_place_that_becomes_free_is_the_next_callers() {
    let (house, mut guests) = full_house().await;
    assert_turned_away(&say(house.callers, ASK).await.0);

    guests.pop();

    let served = async |house: &House| {
        let head = [&ASK[..ASK.len() - 2], b"Connection: close\r\n\r\n"].concat();
        let (answer, _) = say(house.callers, &head).await;
        answer.contains("\"title\":\"Standup\"")
    };
    house.until("a caller is served", served).await;
}

#[tokio::test]
async fn who_is_turned_away_is_told_of_a_bad_head_too_and_waited_for_only_shortly() {
    let (house, _guests) = full_house().await;

    let (bad, _) = say(house.callers, b"GET / HTTP/1.1\r\n\r\n").await;
    let (head, _) = say(house.callers, b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    let (silent, waited) = say(house.callers, b"GET / HT").await;

    assert!(bad.starts_with("HTTP/1.1 400"), "{bad}");
    assert!(
        head.starts_with("HTTP/1.1 503") && head.ends_with("\r\n\r\n"),
        "{head}"
    );
    assert_eq!(silent, "");
    let bounds = Duration::from_millis(900)..Duration::from_secs(4);
    assert!(bounds.contains(&waited), "{waited:?}");
}

#[tokio::test]
async fn when_the_anteroom_is_full_too_the_next_wait_before_the_door() {
    let (house, _guests) = full_house().await;
    let mut silent = Vec::new();
    for _ in 0..ANTEROOM_MAX {
        silent.push(
            TcpStream::connect(house.callers)
                .await
                .expect("a connection"),
        );
    }

    let (answer, waited) = say(house.callers, ASK).await;

    assert_turned_away(&answer);
    assert!(waited >= Duration::from_millis(500), "{waited:?}");
}

#[tokio::test]
async fn operators_without_a_place_are_told_so_too() {
    let house = House::open().await;
    let mut guests = guests_of(house.operators, OPERATORS_MAX).await;

    assert_turned_away(&say(house.operators, ASK).await.0);
    guests.clear();

    let served = async |house: &House| {
        let ask = b"GET /livez HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
        say(house.operators, ask)
            .await
            .0
            .starts_with("HTTP/1.1 200")
    };
    house.until("an operator is served", served).await;
}

#[tokio::test]
async fn callers_of_http_2_without_a_place_are_told_so_too() {
    let settings = [("server.max_connections", "1"), ("server.http2", "true")];
    let house = House::with(&settings).await;
    let _guest = guest_of(house.callers).await;

    let mut caller = http2::caller_of(&house).await;

    assert_eq!(http2::status(&mut caller, "/nowhere").await, 503);
    house
        .until("it is let go", async |_| caller.is_closed())
        .await;
}
