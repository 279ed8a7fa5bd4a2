//! The end: what is under way is finished, what is just being sent is answered, and nobody holds us
//! up.

use std::io::Read;
use std::io::Write;
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpSocket;
use tokio::net::TcpStream;
use tokio::time::Instant;
use wecom_simulator::Api;
use wecom_simulator::Trouble;

use crate::callers::Callers;
use crate::connections::http2;
use crate::house::House;
use crate::house::SOON;
use crate::house::slow_reader_of;

/// Much less than `server.drain_timeout`, by default.
const PROMPTLY: Duration = Duration::from_secs(5);

const GET: &[u8] = b"GET /nowhere HTTP/1.1\r\nHost: a\r\n\r\n";

/// How long it takes to leave.
async fn leave(house: &mut House) -> Duration {
    let began = Instant::now();
    house.leave.cancel();
    let serving = house.serving.take().expect("serving");
    let left = tokio::time::timeout(PROMPTLY, serving).await;
    left.expect("left in time").expect("no panic");
    began.elapsed()
}

async fn connected(house: &House) -> TcpStream {
    let stream = TcpStream::connect(house.callers).await;
    stream.expect("a connection")
}

/// One answer without a body of its own length, as `HEAD` has it.
async fn head_of_answer(stream: &mut TcpStream) -> String {
    let mut heard = String::new();
    while !heard.ends_with("\r\n\r\n") {
        let byte = tokio::time::timeout(SOON, stream.read_u8()).await;
        heard.push(byte.expect("in time").expect("more").into());
    }
    heard
}

#[tokio::test(flavor = "multi_thread")]
async fn callers_at_full_speed_lose_nothing_when_we_leave() {
    let mut house = House::open().await;
    house.given_meeting("warm", "446153273", "Standup");
    house
        .wecom
        .set_trouble(Api::GetInfo, Trouble::latency(Duration::from_millis(200)));
    let callers = Callers::at_full_speed(64, house.callers).await;
    callers.have_heard(1_500).await;

    leave(&mut house).await;

    assert_eq!(callers.cut_off().await, Vec::<String>::new());
}

#[tokio::test]
async fn a_request_that_comes_just_after_the_end_began_is_answered_as_the_last() {
    let mut house = House::open().await;
    let mut resting = connected(&house).await;
    resting
        .write_all(b"HEAD /nowhere HTTP/1.1\r\nHost: a\r\n\r\n")
        .await
        .expect("sent");
    let first = head_of_answer(&mut resting).await;

    let caller = async {
        tokio::time::sleep(Duration::from_millis(150)).await;
        resting.write_all(GET).await.expect("sent");
        let mut heard = String::new();
        resting.read_to_string(&mut heard).await.expect("read");
        heard
    };
    let (_, second) = tokio::join!(leave(&mut house), caller);

    assert!(!first.contains("connection: close"), "{first}");
    assert!(second.starts_with("HTTP/1.1 404"), "{second:?}");
    assert!(second.contains("connection: close"), "{second}");
}

#[tokio::test]
async fn who_waits_before_the_door_at_the_end_is_served() {
    let mut house = House::open().await;
    // Nothing else runs here until the test waits: they all stand before the door.
    let waiting: Vec<std::net::TcpStream> = (0..300)
        .map(|_| {
            let mut stream = std::net::TcpStream::connect(house.callers).expect("a connection");
            stream.write_all(GET).expect("sent");
            stream
        })
        .collect();

    leave(&mut house).await;

    for (caller, mut stream) in waiting.into_iter().enumerate() {
        let mut heard = String::new();
        let read = stream.read_to_string(&mut heard);
        assert!(read.is_ok(), "caller {caller}: {read:?}");
        assert!(
            heard.starts_with("HTTP/1.1 404"),
            "caller {caller}: {heard:?}"
        );
    }
}

#[tokio::test]
async fn who_goes_on_sending_behind_the_last_request_has_its_answer_and_is_not_cut_off() {
    let mut house = House::open().await;
    house.given_meeting("m1", "446153273", "Standup");
    house
        .wecom
        .set_trouble(Api::GetInfo, Trouble::latency(Duration::from_millis(300)));
    // What does not fit on the way is still to be sent when the answer comes.
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.set_send_buffer_size(4 * 1024).expect("small");
    let stream = socket.connect(house.callers).await.expect("a connection");
    let (mut reading, mut writing) = stream.into_split();
    let sending = tokio::spawn(async move {
        let ask = b"GET /meetings/m1 HTTP/1.1\r\nHost: a\r\n\r\n";
        writing.write_all(&ask.repeat(20_000)).await
    });
    house
        .until("it was asked", async |house| {
            house.wecom.peak_in_flight() == 1
        })
        .await;
    assert!(!sending.is_finished(), "it all fits on the way");

    let caller = async {
        let mut heard = String::new();
        reading.read_to_string(&mut heard).await.expect("no reset");
        heard
    };
    let (_, heard) = tokio::join!(leave(&mut house), caller);

    assert_eq!(heard.matches("HTTP/1.1 200").count(), 1, "{heard}");
    assert!(heard.contains("Standup"), "{heard}");
    let sent = sending.await.expect("no panic");
    assert!(sent.is_ok(), "{sent:?}");
}

#[tokio::test]
async fn an_answer_that_is_taken_slowly_is_given_to_its_end() {
    let mut house = House::open().await;
    let length = house.given_long_meeting("m1");
    let mut stream = slow_reader_of(&house).await;
    let ask = b"GET /meetings/m1 HTTP/1.1\r\nHost: a\r\n\r\n";
    stream.write_all(ask).await.expect("sent");
    stream.readable().await.expect("an answer");

    let caller = async {
        // Longer than a quiet connection is kept, and longer than one that was refused.
        tokio::time::sleep(Duration::from_millis(1_200)).await;
        let mut heard = Vec::new();
        stream.read_to_end(&mut heard).await.expect("read");
        heard
    };
    let (_, heard) = tokio::join!(leave(&mut house), caller);

    assert!(heard.len() > length, "{} bytes", heard.len());
}
#[tokio::test]
async fn half_sent_heads_hold_up_neither_other_callers_nor_the_end() {
    let mut house = House::open().await;
    house.given_meeting("m1", "446153273", "Standup");
    let mut dawdlers = Vec::new();
    for _ in 0..200 {
        let mut stream = connected(&house).await;
        let half = b"GET /meetings/m1 HTTP/1.1\r\nHo";
        stream.write_all(half).await.expect("sent");
        dawdlers.push(stream);
    }

    assert_eq!(house.get("/meetings/m1").await.status, 200);
    let took = leave(&mut house).await;

    assert!(took < Duration::from_secs(2), "{took:?}");
}

#[tokio::test]
async fn what_is_under_way_is_finished_before_the_end() {
    let house = House::open().await;
    house.given_meeting("m1", "446153273", "Standup");
    // Longer than a quiet connection is kept.
    let slow = Trouble::latency(Duration::from_millis(900));
    house.wecom.set_trouble(Api::GetInfo, slow);
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
        let mut stream = connected(&house).await;
        let no_host = b"GET / HTTP/1.1\r\n\r\n";
        stream.write_all(no_host).await.expect("sent");
        let mut heard = String::new();
        stream.read_to_string(&mut heard).await.expect("read");
        assert!(heard.starts_with("HTTP/1.1 400"), "{heard}");
        silent.push(stream);
    }

    leave(&mut house).await;
}

#[tokio::test]
async fn callers_of_http_2_are_told_to_send_no_more_and_have_their_answers() {
    let mut house = House::with(&[("server.http2", "true")]).await;
    house.given_meeting("m1", "446153273", "Standup");
    let slow = Trouble::latency(Duration::from_millis(900));
    house.wecom.set_trouble(Api::GetInfo, slow);
    let (mut caller, mut resting) = (
        http2::caller_of(&house).await,
        http2::caller_of(&house).await,
    );
    assert_eq!(http2::status(&mut resting, "/nowhere").await, 404);
    let mut asking = caller.clone();
    let asking = tokio::spawn(async move { http2::status(&mut asking, "/meetings/m1").await });
    house
        .until("it was asked", async |house| {
            house.wecom.peak_in_flight() == 1
        })
        .await;

    let told = async { (resting.ready().await, caller.ready().await) };
    let (took, _) = tokio::join!(leave(&mut house), told);

    assert_eq!(asking.await.expect("an answer"), 200);
    assert!(resting.is_closed() && caller.is_closed());
    assert!(took < Duration::from_secs(3), "{took:?}");
}
