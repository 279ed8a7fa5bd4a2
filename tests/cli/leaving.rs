//! SIGTERM among callers who do not stop asking.

use std::io::Write;
use std::net::TcpStream;
use std::time::Duration;

use tokio::time::Instant;
use wecom_simulator::Api;
use wecom_simulator::Meeting;
use wecom_simulator::Trouble;

use crate::callers::Callers;
use crate::shell::A_MOMENT;
use crate::shell::LONG;
use crate::shell::Shell;
use crate::shell::line_with;
use crate::shell::wecom;

#[tokio::test(flavor = "multi_thread")]
async fn callers_at_full_speed_lose_nothing_when_it_is_terminated() {
    let wecom = wecom().await;
    let info = serde_json::json!({"title": "Standup", "status": 1});
    wecom.put_meeting(Meeting::new("warm", "446153273", info));
    let slow = Trouble::latency(Duration::from_millis(200));
    wecom.set_trouble(Api::GetInfo, slow);
    let mut service = Shell::new().with_service(&wecom.base_url()).serve();
    let callers = Callers::at_full_speed(64, service.callers).await;
    callers.have_heard(1_500).await;

    let began = Instant::now();
    service.process.signal("-TERM");
    let code = service.process.code();
    let took = began.elapsed();

    assert_eq!(callers.cut_off().await, Vec::<String>::new());
    assert_eq!(code, Some(0));
    // Much less than it is given.
    assert!(took < Duration::from_secs(5), "{took:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_finished_in_time_is_left_and_told() {
    let wecom = wecom().await;
    wecom.set_trouble(Api::GetInfo, Trouble::hang());
    let mut service = Shell::new()
        .with_service(&wecom.base_url())
        .with("WECOM_PROXY_SERVER__DRAIN_TIMEOUT", "200ms")
        .serve();
    let mut caller = TcpStream::connect(service.callers).expect("a connection");
    let ask = b"GET /meetings/m1 HTTP/1.1\r\nHost: a\r\n\r\n";
    caller.write_all(ask).expect("sent");
    let asked = async {
        while wecom.peak_in_flight() == 0 {
            tokio::time::sleep(A_MOMENT).await;
        }
    };
    tokio::time::timeout(LONG, asked).await.expect("asked");

    service.process.signal("-TERM");
    let line = line_with(&service.lines, "with requests under way");

    assert_eq!(line["message"], "left after 200ms with requests under way");
    assert_eq!(line["level"], "WARN");
    assert_eq!(service.process.code(), Some(0));
}
