//! A client that hides nothing: it writes text and shows the bytes that came back.

use std::io;
use std::time::Duration;

use serde_json::Value;
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::timeout;
use wecom_simulator::DEFAULT_CORP_ID;
use wecom_simulator::DEFAULT_SECRET;
use wecom_simulator::Simulator;

/// Longer than anything here takes, so that a mistake is a failure and not a standstill.
const LONG: Duration = Duration::from_secs(20);

/// An answer, as far as it came.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Reply {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("a JSON body")
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("a UTF-8 body")
    }

    pub(crate) fn errcode(&self) -> i64 {
        self.json()["errcode"].as_i64().expect("an errcode")
    }

    /// A header's value, if there is such a header.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (known, value) = line.split_once(": ")?;
            known.eq_ignore_ascii_case(name).then_some(value)
        })
    }

    fn read(bytes: &[u8]) -> Self {
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n");
        let end = end.expect("a whole head");
        let head = String::from_utf8(bytes[..end].to_vec()).expect("an ASCII head");
        let mut reply = Self {
            status: head[9..12].parse().expect("a status"),
            head,
            body: bytes[end + 4..].to_vec(),
        };
        if reply.header("transfer-encoding") == Some("chunked") {
            reply.body = unchunked(&reply.body);
        }
        reply
    }
}

/// Sends a request, and leaves it to the caller to read.
pub(crate) async fn send(wecom: &Simulator, line: &str, body: &str) -> TcpStream {
    let mut stream = TcpStream::connect(wecom.address())
        .await
        .expect("a connection");
    let request = format!(
        "{line} HTTP/1.1\r\nHost: wecom\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    stream
        .write_all(request.as_bytes())
        .await
        .expect("a request sent");
    stream
}

/// Reads until the other side ends the connection, in whatever way.
pub(crate) async fn read_to_end(mut stream: TcpStream) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let read = timeout(LONG, stream.read_to_end(&mut bytes)).await;
    read.expect("an end")?;
    Ok(bytes)
}

pub(crate) async fn call(wecom: &Simulator, line: &str, body: &str) -> Reply {
    let bytes = read_to_end(send(wecom, line, body).await).await;
    Reply::read(&bytes.expect("an answer"))
}

pub(crate) async fn gettoken_as(wecom: &Simulator, corp_id: &str, secret: &str) -> Reply {
    let line = format!("GET /cgi-bin/gettoken?corpid={corp_id}&corpsecret={secret}");
    call(wecom, &line, "").await
}

/// The default app's token.
pub(crate) async fn token(wecom: &Simulator) -> String {
    let reply = gettoken_as(wecom, DEFAULT_CORP_ID, DEFAULT_SECRET).await;
    let token = reply.json()["access_token"].as_str().map(str::to_owned);
    token.expect("a token")
}

pub(crate) async fn get_info(wecom: &Simulator, token: &str, body: &str) -> Reply {
    call(wecom, &get_info_line(token), body).await
}

pub(crate) fn get_info_line(token: &str) -> String {
    format!("POST /cgi-bin/meeting/get_info?access_token={token}")
}

/// Waits for something that happens in the background.
pub(crate) async fn until(what: &str, happened: impl Fn() -> bool) {
    let waiting = async {
        while !happened() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    timeout(LONG, waiting).await.expect(what);
}

fn unchunked(mut chunked: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    loop {
        let end = chunked.windows(2).position(|two| two == b"\r\n");
        let end = end.expect("a chunk's size");
        let size = std::str::from_utf8(&chunked[..end]).expect("a size in ASCII");
        let size = usize::from_str_radix(size, 16).expect("a size in hexadecimal");
        if size == 0 {
            return body;
        }
        let chunk = &chunked[end + 2..];
        body.extend_from_slice(&chunk[..size]);
        chunked = &chunk[size + 2..];
    }
}
