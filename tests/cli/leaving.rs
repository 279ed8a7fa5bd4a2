//! SIGTERM among callers who do not stop asking.

use std::time::Duration;

use tokio::time::Instant;
use wecom_simulator::Api;
use wecom_simulator::Meeting;
use wecom_simulator::Trouble;

use crate::callers::Callers;
use crate::shell::Shell;
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
