//! The real binary as a process of its own, to be asked, and to be weighed.

use std::io::BufRead;
use std::io::BufReader;
use std::net::SocketAddr;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;

use axum::body::Body;
use hyper::client::conn::http1::SendRequest;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use wecom_simulator::DEFAULT_CORP_ID;
use wecom_simulator::DEFAULT_SECRET;
use wecom_simulator::Simulator;

pub(crate) const MIB: usize = 1024 * 1024;

/// A running service. Ended when dropped.
pub(crate) struct Service {
    process: Child,
    callers: SocketAddr,
}

impl Service {
    /// With these variables, besides those without which it cannot start.
    pub(crate) fn start(wecom: &Simulator, variables: &[(&str, &str)]) -> Self {
        let mut process = Command::new(env!("CARGO_BIN_EXE_wecom-meeting-proxy"))
            .env_clear()
            .env("WECOM_CORP_ID", DEFAULT_CORP_ID)
            .env("WECOM_SECRET", DEFAULT_SECRET)
            .env("WECOM_PROXY_WECOM__BASE_URL", wecom.base_url())
            .env("WECOM_PROXY_SERVER__LISTEN", "127.0.0.1:0")
            .env("WECOM_PROXY_ADMIN__LISTEN", "127.0.0.1:0")
            .envs(variables.iter().copied())
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
    pub(crate) fn memory(&self, name: &str) -> usize {
        self.figure("status", name)
    }

    /// A figure of one of its files in `/proc/PID`, in bytes.
    pub(crate) fn figure(&self, file: &str, name: &str) -> usize {
        let file = format!("/proc/{}/{file}", self.process.id());
        let status = std::fs::read_to_string(file).expect("figures");
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

    pub(crate) async fn caller(&self) -> SendRequest<Body> {
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
