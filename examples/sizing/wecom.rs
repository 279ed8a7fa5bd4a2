//! A WeCom on loopback that answers when it is told to, with what it knew when it was asked.
//!
//! Its clock is whoever holds it: a question is only put down here, with who asked it, and is answered
//! once [`Asked::answer`] is called. Each replica of the service asks under a path of its own.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;

use serde_json::Value;
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio::net::TcpStream;
use tokio::sync::oneshot;

use crate::Failure;

/// A head or a body that is longer is none of ours.
const REQUEST_BYTES_MAX: usize = 64 * 1024;

/// A WeCom. Clones are the same one.
#[derive(Clone)]
pub(crate) struct WeCom {
    pub(crate) address: SocketAddr,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    arrived: VecDeque<Asked>,
    /// By replica: questions that were not answered yet.
    open: Vec<usize>,
}

/// A question that waits for its answer.
pub(crate) struct Asked {
    pub(crate) replica: usize,
    /// What was asked for: `{"meetingid": …}` or `{"meeting_code": …}`.
    pub(crate) question: Value,
    answer: oneshot::Sender<String>,
    state: Arc<Mutex<State>>,
}

impl WeCom {
    pub(crate) async fn start(replicas: usize) -> Result<Self, Failure> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let state = State {
            open: vec![0; replicas],
            ..State::default()
        };
        let state = Arc::new(Mutex::new(state));
        let this = Self { address, state };
        tokio::spawn(this.clone().accept(listener));
        Ok(this)
    }

    /// The address that this replica is told.
    pub(crate) fn base_url(&self, replica: usize) -> String {
        format!("http://{}/{replica}", self.address)
    }

    /// The next question that has come and was not taken yet.
    pub(crate) fn next(&self) -> Option<Asked> {
        lock(&self.state).arrived.pop_front()
    }

    /// How many questions of this replica have come and were not answered.
    pub(crate) fn open(&self, replica: usize) -> usize {
        lock(&self.state)
            .open
            .get(replica)
            .copied()
            .unwrap_or_default()
    }

    async fn accept(self, listener: TcpListener) {
        while let Ok((stream, _)) = listener.accept().await {
            let this = self.clone();
            // A connection that breaks is one that the service has closed.
            tokio::spawn(async move { this.converse(stream).await.ok() });
        }
    }

    async fn converse(&self, mut stream: TcpStream) -> Result<(), Failure> {
        stream.set_nodelay(true)?;
        let mut bytes = Vec::new();
        while let Some((path, body)) = request(&mut stream, &mut bytes).await? {
            let answer = if path.contains("/gettoken") {
                // For longer than a simulated day: renewing it is nothing that is measured here.
                r#"{"errcode":0,"errmsg":"ok","access_token":"t","expires_in":86400}"#.to_owned()
            } else {
                self.hold(&path, &body)?.await?
            };
            let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ";
            let answer = format!("{head}{}\r\n\r\n{answer}", answer.len());
            stream.write_all(answer.as_bytes()).await?;
        }
        Ok(())
    }

    fn hold(&self, path: &str, body: &[u8]) -> Result<oneshot::Receiver<String>, Failure> {
        let replica = path.split('/').nth(1).ok_or("no replica")?.parse()?;
        let question = serde_json::from_slice(body)?;
        let (answer, answered) = oneshot::channel();
        let mut state = lock(&self.state);
        *state.open.get_mut(replica).ok_or("no such replica")? += 1;
        state.arrived.push_back(Asked {
            replica,
            question,
            answer,
            state: Arc::clone(&self.state),
        });
        Ok(answered)
    }
}

impl Asked {
    pub(crate) fn answer(self, text: String) {
        if let Some(open) = lock(&self.state).open.get_mut(self.replica) {
            *open -= 1;
        }
        // Whoever hung up needs no answer.
        let _ = self.answer.send(text);
    }
}

/// The path and the body of the next request; `None` once there are no more.
async fn request(
    stream: &mut TcpStream,
    bytes: &mut Vec<u8>,
) -> Result<Option<(String, Vec<u8>)>, Failure> {
    loop {
        if let Some(request) = complete(bytes)? {
            return Ok(Some(request));
        }
        if bytes.len() > REQUEST_BYTES_MAX {
            return Err("a request that does not end".into());
        }
        if stream.read_buf(bytes).await? == 0 {
            return Ok(None);
        }
    }
}

/// Takes a request out of what has come, if there is a whole one.
fn complete(bytes: &mut Vec<u8>) -> Result<Option<(String, Vec<u8>)>, Failure> {
    let mut headers = [httparse::EMPTY_HEADER; 32];
    let mut head = httparse::Request::new(&mut headers);
    let httparse::Status::Complete(head_bytes) = head.parse(bytes)? else {
        return Ok(None);
    };
    let path = head.path.unwrap_or_default().to_owned();
    let is_length =
        |header: &&httparse::Header<'_>| header.name.eq_ignore_ascii_case("content-length");
    let body_bytes = match head.headers.iter().find(is_length) {
        Some(header) => std::str::from_utf8(header.value)?.parse()?,
        None => 0,
    };
    if bytes.len() < head_bytes + body_bytes {
        return Ok(None);
    }
    let request: Vec<u8> = bytes.drain(..head_bytes + body_bytes).collect();
    let body = request.get(head_bytes..).unwrap_or_default().to_vec();
    Ok(Some((path, body)))
}

/// A panic while it is held would leave it whole.
fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}
