//! What the process really takes, told by the system: the bounds of the settings are bounds of that.
//!
//! Runs the real binary. Optimised, at the scale that operators have; else at an eighth of it, as the
//! same code then takes ten times as long.

// It always holds here, and is said so that clippy takes what is shared for tests too.
#![cfg(test)]

mod process;

use std::time::Duration;

use axum::body::Body;
use http::Request;
use http_body_util::BodyExt;
use hyper::client::conn::http1::SendRequest;
use wecom_simulator::Simulator;
use wecom_simulator::World;

use crate::process::MIB;
use crate::process::Service;

/// One in so many of what the full scale has.
const SCALE: usize = if cfg!(debug_assertions) { 8 } else { 1 };

/// Callers at a time.
const CALLERS: usize = 16;

/// A service that keeps so many bytes, and believes what it keeps for longer than the test takes.
fn start(wecom: &Simulator, cache_bytes: usize) -> Service {
    let cache_bytes = cache_bytes.to_string();
    let variables = [
        ("WECOM_PROXY_CACHE__MAX_BYTES", cache_bytes.as_str()),
        ("WECOM_PROXY_CACHE__FRESH_FOR__UNKNOWN", "1h"),
        ("WECOM_PROXY_WECOM__CALLS_PER_MINUTE", "10000000"),
        ("WECOM_PROXY_WECOM__CALLS_PER_HOUR", "10000000"),
    ];
    Service::start(wecom, &variables)
}

/// Asks for each of so many meetings once, and tells the bytes of their bodies.
async fn ask_for(service: &Service, meetings: usize) -> usize {
    let mut asking = tokio::task::JoinSet::new();
    for first in 0..CALLERS {
        let mut caller = service.caller().await;
        asking.spawn(async move {
            let mut bytes = 0;
            for number in (first..meetings).step_by(CALLERS) {
                bytes += fetch(&mut caller, number).await;
            }
            bytes
        });
    }
    asking.join_all().await.into_iter().sum()
}

async fn fetch(caller: &mut SendRequest<Body>, number: usize) -> usize {
    let request = Request::get(format!("/meetings/m{number}")).header("host", "proxy");
    let request = request.body(Body::empty()).expect("a request");
    let answer = caller.send_request(request).await.expect("an answer");
    assert_eq!(answer.status(), 200, "meeting {number}");
    answer
        .into_body()
        .collect()
        .await
        .expect("a body")
        .to_bytes()
        .len()
}

/// A WeCom that knows so many meetings, each with a description of so many bytes.
async fn wecom_with(meetings: usize, bytes: usize) -> Simulator {
    let wecom = Simulator::start(World::empty()).await.expect("a simulator");
    for number in 0..meetings {
        let description = format!("{number} ")
            .repeat(bytes / 2)
            .chars()
            .take(bytes)
            .collect::<String>();
        wecom.put_raw(
            format!("m{number}"),
            format!(r#"{{"description":"{description}"}}"#),
        );
    }
    wecom
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_times_as_much_as_may_be_kept_passes_through_and_the_process_stays_small() {
    let cache_bytes = 64 * MIB / SCALE;
    let body_bytes = 32 * 1024;
    let meetings = 10 * cache_bytes / body_bytes;
    let wecom = wecom_with(meetings, body_bytes).await;
    let service = start(&wecom, cache_bytes);

    let passed = ask_for(&service, meetings).await;

    assert!(passed >= 10 * cache_bytes, "{passed} bytes passed");
    let peak = service.memory("VmHWM");
    let bound = cache_bytes * 3 / 2 + 40 * MIB;
    println!("peak {} MiB of at most {}", peak / MIB, bound / MIB);
    assert!(
        peak <= bound,
        "a peak of {} MiB, of at most {}",
        peak / MIB,
        bound / MIB
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kept_meeting_takes_little_more_than_its_bytes() {
    let meetings = 100_000 / SCALE;
    let wecom = wecom_with(meetings, 1_900).await;
    let service = start(&wecom, 1024 * MIB);
    tokio::time::timeout(Duration::from_secs(60), ask_for(&service, CALLERS))
        .await
        .expect("warm");
    let before = service.memory("VmRSS");

    let bytes = ask_for(&service, meetings).await;

    let growth = service.memory("VmRSS") - before;
    let percent = growth * 100 / bytes;
    println!(
        "{meetings} meetings of {} bytes: {percent} % of them",
        bytes / meetings
    );
    assert!(percent <= 150, "{growth} bytes for {bytes}: {percent} %");
}
