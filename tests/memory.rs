//! What the process really takes, told by the system: the bounds of the settings are bounds of that.
//!
//! Runs the real binary. Optimised, at the scale that operators have; else at an eighth of it, as the
//! same code then takes ten times as long.

// It always holds here, and is said so that clippy takes what is shared for tests too.
#![cfg(test)]

use std::io::BufRead;
use std::io::BufReader;
use std::net::SocketAddr;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;
use std::time::Duration;

use axum::body::Body;
use http::Request;
use http_body_util::BodyExt;
use hyper::client::conn::http1::SendRequest;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use wecom_simulator::DEFAULT_CORP_ID;
use wecom_simulator::DEFAULT_SECRET;
use wecom_simulator::Simulator;
use wecom_simulator::World;

const MIB: usize = 1024 * 1024;

/// One in so many of what the full scale has.
const SCALE: usize = if cfg!(debug_assertions) { 8 } else { 1 };

/// Callers at a time.
const CALLERS: usize = 16;

/// A running service. Ended when dropped.
struct Service {
    process: Child,
    callers: SocketAddr,
}

impl Service {
    fn start(wecom: &Simulator, cache_bytes: usize) -> Self {
        let mut process = Command::new(env!("CARGO_BIN_EXE_wecom-meeting-proxy"))
            .env_clear()
            .env("WECOM_CORP_ID", DEFAULT_CORP_ID)
            .env("WECOM_SECRET", DEFAULT_SECRET)
            .env("WECOM_PROXY_WECOM__BASE_URL", wecom.base_url())
            .env("WECOM_PROXY_SERVER__LISTEN", "127.0.0.1:0")
            .env("WECOM_PROXY_ADMIN__LISTEN", "127.0.0.1:0")
            .env("WECOM_PROXY_CACHE__MAX_BYTES", cache_bytes.to_string())
            .env("WECOM_PROXY_CACHE__FRESH_FOR__UNKNOWN", "1h")
            .stderr(Stdio::piped())
            .spawn()
            .expect("a process");
        let stderr = process.stderr.take().expect("standard error");
        let mut lines = BufReader::new(stderr).lines();
        let first = lines.next().expect("a line").expect("text");
        // Read on, so that the pipe is never full.
        std::thread::spawn(move || lines.for_each(drop));
        let line: serde_json::Value = serde_json::from_str(&first).expect("JSON");
        let callers = line["callers"]
            .as_str()
            .expect("an address")
            .parse()
            .expect("an address");
        Self { process, callers }
    }

    /// A figure of `/proc/PID/status`, in bytes: `VmRSS` is what is resident, `VmHWM` the peak of it.
    fn memory(&self, name: &str) -> usize {
        let file = format!("/proc/{}/status", self.process.id());
        let status = std::fs::read_to_string(file).expect("a status");
        let line = status
            .lines()
            .find(|line| line.starts_with(name))
            .expect("a figure");
        let kib: usize = line
            .split_whitespace()
            .nth(1)
            .expect("a number")
            .parse()
            .expect("a number");
        kib * 1024
    }

    /// Asks for each of so many meetings once, and tells the bytes of their bodies.
    async fn ask_for(&self, meetings: usize) -> usize {
        let mut asking = tokio::task::JoinSet::new();
        for first in 0..CALLERS {
            let mut caller = self.caller().await;
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

    async fn caller(&self) -> SendRequest<Body> {
        let stream = TcpStream::connect(self.callers)
            .await
            .expect("a connection");
        let handshake = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await;
        let (caller, connection) = handshake.expect("HTTP/1.1");
        tokio::spawn(connection);
        caller
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // It may be gone already: either way it is, after this.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
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
    let service = Service::start(&wecom, cache_bytes);

    let passed = service.ask_for(meetings).await;

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
    let service = Service::start(&wecom, 1024 * MIB);
    tokio::time::timeout(Duration::from_secs(60), service.ask_for(CALLERS))
        .await
        .expect("warm");
    let before = service.memory("VmRSS");

    let bytes = service.ask_for(meetings).await;

    let growth = service.memory("VmRSS") - before;
    let percent = growth * 100 / bytes;
    println!(
        "{meetings} meetings of {} bytes: {percent} % of them",
        bytes / meetings
    );
    assert!(percent <= 150, "{growth} bytes for {bytes}: {percent} %");
}
