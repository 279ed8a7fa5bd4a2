//! How TLS begins, and how it does not; and that a connection is bounded with it as without.

use std::time::Duration;

use axum::body::Body;
use http::Request;
use hyper_util::rt::TokioExecutor;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::Instant;
use wecom_simulator::Api;
use wecom_simulator::Trouble;

use super::*;
use crate::callers::Callers;

#[tokio::test]
async fn callers_are_served_over_tls_1_2_and_1_3() {
    let secured = Secured::with(&[]).await;
    for version in VERSIONS {
        let answer = secured
            .say(caller(&secured.ours, None, &[version]), ASK)
            .await;

        let answer = answer.expect("an answer");
        assert!(answer.starts_with("HTTP/1.1 200"), "{version:?}: {answer}");
        assert!(answer.contains("Standup"), "{version:?}: {answer}");
    }
}

#[tokio::test]
async fn what_is_spoken_is_chosen_in_the_handshake() {
    let with_http2 = Secured::with(&[("server.http2", "true")]).await;
    let without = Secured::with(&[]).await;
    for (secured, offered, chosen) in [
        (&with_http2, &["http/1.1", "h2"][..], Some("h2")),
        (&with_http2, &["http/1.1"], Some("http/1.1")),
        (&with_http2, &[], None),
        (&without, &["h2", "http/1.1"], Some("http/1.1")),
        (&without, &[], None),
    ] {
        let mut caller = secured.caller(None);
        let names = offered.iter().map(|name| name.as_bytes().to_vec());
        caller.alpn_protocols = names.collect();

        let stream = secured.connect(caller).await.expect("a connection");

        let alpn = stream.get_ref().1.alpn_protocol();
        assert_eq!(alpn, chosen.map(str::as_bytes), "of {offered:?}");
    }
    let mut caller = without.caller(None);
    caller.alpn_protocols = vec![b"h2".to_vec()];
    assert!(without.connect(caller).await.is_err());
}

#[tokio::test]
async fn http_2_is_spoken_over_tls() {
    let secured = Secured::with(&[("server.http2", "true")]).await;
    let mut caller = secured.caller(None);
    caller.alpn_protocols = vec![b"h2".to_vec()];
    let stream = secured.connect(caller).await.expect("a connection");
    let io = TokioIo::new(stream);
    let handshake = hyper::client::conn::http2::handshake(TokioExecutor::new(), io).await;
    let (mut sender, connection) = handshake.expect("HTTP/2");
    tokio::spawn(connection);

    let request = Request::get("https://localhost/meetings/m1").body(Body::empty());
    let answer = sender.send_request(request.expect("a request")).await;

    assert_eq!(answer.expect("an answer").status(), 200);
}

#[tokio::test]
async fn who_does_not_show_a_certificate_that_is_vouched_for_is_not_let_in() {
    let secured = Secured::demanding(&[]).await;
    let good = secured.theirs.issue(&["calendar.example.com"]);
    let stranger = Authority::called("theirs").issue(&["calendar.example.com"]);
    for version in VERSIONS {
        let caller = |shown| caller(&secured.ours, shown, &[version]);

        assert!(
            !secured.is_refused(caller(Some(&good))).await,
            "{version:?}"
        );
        for (case, shown) in [("none", None), ("another's", Some(&stranger))] {
            assert!(
                secured.is_refused(caller(shown)).await,
                "{case}, {version:?}"
            );
        }
    }
    assert_eq!(secured.house.wecom.hits().get_info, 1);
}

#[tokio::test]
async fn a_certificate_that_has_expired_opens_no_connection_any_more() {
    let secured = Secured::demanding(&[]).await;
    let passing = secured
        .theirs
        .issue_as(&["calendar.example.com"], |params| {
            params.not_after = rcgen::date_time_ymd(2026, 3, 3);
        });
    let caller = secured.caller(Some(&passing));
    assert!(!secured.is_refused(caller.clone()).await);
    let mut open = secured.connect(caller.clone()).await.expect("a connection");
    head_of_answer(&mut open).await;

    secured.house.advance(Duration::from_secs(24 * 60 * 60));

    // Nor by what may be remembered of the connections before.
    assert!(secured.is_refused(caller).await);
    assert!(head_of_answer(&mut open).await.starts_with("HTTP/1.1 404"));
}

/// How long it takes until the other end closes the connection.
async fn until_closed(mut stream: TcpStream) -> (Duration, Vec<u8>) {
    let began = Instant::now();
    let mut heard = Vec::new();
    let hearing = tokio::time::timeout(SOON, stream.read_to_end(&mut heard)).await;
    // It may have been closed with something unread.
    let _ = hearing.expect("closed in time");
    (began.elapsed(), heard)
}

/// How a handshake begins that is never ended.
const HALF_A_HELLO: &[u8] = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03";

#[tokio::test(flavor = "multi_thread")]
async fn who_shakes_hands_slowly_is_let_go_in_time_and_harms_nobody() {
    let secured = Secured::with(&[("server.head_timeout", "1s")]).await;
    let mut dawdling = JoinSet::new();
    for begun in [b"", HALF_A_HELLO].repeat(25) {
        let stream = TcpStream::connect(secured.house.callers).await;
        let mut stream = stream.expect("a connection");
        stream.write_all(begun).await.expect("sent");
        dawdling.spawn(until_closed(stream));
    }

    let began = Instant::now();
    for _ in 0..50 {
        let answer = secured.say(secured.caller(None), ASK).await;
        assert!(answer.expect("an answer").contains("Standup"));
    }
    let served = began.elapsed();

    for one in dawdling.join_all().await {
        let (waited, _) = one;
        let bounds = Duration::from_millis(500)..Duration::from_secs(3) + served;
        assert!(bounds.contains(&waited), "let go after {waited:?}");
    }
}

#[tokio::test]
async fn a_handshake_and_the_first_head_have_one_time_together() {
    let secured = Secured::with(&[("server.head_timeout", "1500ms")]).await;
    let stream = TcpStream::connect(secured.house.callers).await;
    let stream = stream.expect("a connection");
    let began = Instant::now();
    tokio::time::sleep(Duration::from_millis(900)).await;
    let name = ServerName::try_from("localhost").expect("a name");
    let connector = TlsConnector::from(Arc::new(secured.caller(None)));
    let mut stream = connector.connect(name, stream).await.expect("in time");

    let heard = say(&mut stream, "GET / HT").await.expect("closed in peace");

    let waited = began.elapsed();
    assert_eq!(heard, "");
    assert!(waited < Duration::from_millis(2_300), "{waited:?}");
}

#[tokio::test]
async fn who_does_not_speak_tls_is_let_go_at_once() {
    let secured = Secured::with(&[]).await;
    for said in [
        ASK.as_bytes(),
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        &[0; 64],
    ] {
        let stream = TcpStream::connect(secured.house.callers).await;
        let mut stream = stream.expect("a connection");
        stream.write_all(said).await.expect("sent");

        let (waited, heard) = until_closed(stream).await;

        // An alert, and nothing of HTTP.
        assert_eq!(heard.first(), Some(&0x15), "{heard:?}");
        assert!(waited < Duration::from_secs(5), "{waited:?}");
    }
    assert_eq!(secured.house.wecom.hits().get_info, 0);
}

#[tokio::test]
async fn a_caller_without_a_place_is_told_so_over_tls() {
    let secured = Secured::with(&[("server.max_connections", "1")]).await;
    let mut guest = secured
        .connect(secured.caller(None))
        .await
        .expect("a place");
    head_of_answer(&mut guest).await;

    let answer = secured.say(secured.caller(None), ASK).await;
    let silent = TcpStream::connect(secured.house.callers).await;
    let (waited, _) = until_closed(silent.expect("a connection")).await;

    let answer = answer.expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
    assert!(answer.contains("overloaded"), "{answer}");
    assert!(waited < Duration::from_secs(4), "{waited:?}");
}

/// How long it takes to leave.
async fn leave(house: &mut House) -> Duration {
    let began = Instant::now();
    house.leave.cancel();
    let serving = house.serving.take().expect("serving");
    let left = tokio::time::timeout(SOON, serving).await;
    left.expect("left in time").expect("no panic");
    began.elapsed()
}

#[tokio::test(flavor = "multi_thread")]
async fn callers_at_full_speed_over_tls_lose_nothing_when_we_leave() {
    let mut secured = Secured::with(&[]).await;
    secured.house.given_meeting("warm", "446153273", "Standup");
    let slow = Trouble::latency(Duration::from_millis(200));
    secured.house.wecom.set_trouble(Api::GetInfo, slow);
    let mut streams = Vec::new();
    for _ in 0..64 {
        let stream = secured.connect(secured.caller(None)).await;
        streams.push(stream.expect("a connection"));
    }
    let callers = Callers::on(streams).await;
    callers.have_heard(1_500).await;

    let took = leave(&mut secured.house).await;

    assert_eq!(callers.cut_off().await, Vec::<String>::new());
    assert!(took < Duration::from_secs(5), "{took:?}");
}

#[tokio::test]
async fn who_shakes_hands_slowly_does_not_hold_up_the_end() {
    let mut secured = Secured::with(&[]).await;
    let mut dawdling = Vec::new();
    for begun in [b"", HALF_A_HELLO].repeat(10) {
        let stream = TcpStream::connect(secured.house.callers).await;
        let mut stream = stream.expect("a connection");
        stream.write_all(begun).await.expect("sent");
        dawdling.push(stream);
    }
    let mut resting = secured
        .connect(secured.caller(None))
        .await
        .expect("a place");
    head_of_answer(&mut resting).await;

    let took = leave(&mut secured.house).await;

    assert!(took < Duration::from_secs(3), "{took:?}");
}
