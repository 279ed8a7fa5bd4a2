//! A WeCom that knows every meeting, and takes as long as it is told.
//!
//! A thread for each connection, asleep while WeCom would be thinking: a timer wheel would round that
//! to its ticks, and hide what the service adds.

use std::io::Read;
use std::io::Write;
use std::net::SocketAddr;
use std::net::TcpListener;
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use serde_json::Value;
use serde_json::json;

use crate::Failure;
use crate::load;

/// A meeting as WeCom's own documents show one.
const SAMPLE: &str = include_str!("../../../tests/samples/official-sample.wecom.json");

/// Where the number of a meeting stands in the sample.
const TITLE: &str = "a meeting of that id";

/// It is over: its answer is good for as long as the settings say.
const ENDED: u8 = 3;

/// The WeCom. Clones are the same.
#[derive(Clone)]
pub struct WeCom {
    /// Where it listens.
    pub address: SocketAddr,
    told: Arc<Told>,
}

#[derive(Default)]
struct Told {
    /// Before an answer about a meeting, in nanoseconds.
    delay: AtomicU64,
    questions: AtomicU64,
    /// From the last question's arrival to its answer's leaving, in nanoseconds.
    last: AtomicU64,
    sample: String,
}

impl WeCom {
    /// Opens one.
    pub fn open() -> Result<Self, Failure> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let mut sample: Value = serde_json::from_str(SAMPLE)?;
        sample["status"] = json!(ENDED);
        sample["title"] = json!(TITLE);
        let told = Arc::new(Told {
            sample: sample.to_string(),
            ..Told::default()
        });
        let all = Arc::clone(&told);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let told = Arc::clone(&told);
                // Ends with its connection.
                thread::spawn(move || converse(stream, &told));
            }
        });
        Ok(Self { address, told: all })
    }

    /// Has it take that long from now on.
    pub fn take(&self, delay: Duration) {
        let nanoseconds = u64::try_from(delay.as_nanos()).unwrap_or(u64::MAX);
        self.told.delay.store(nanoseconds, Ordering::Relaxed);
    }

    /// Questions about meetings so far.
    pub fn questions(&self) -> u64 {
        self.told.questions.load(Ordering::Relaxed)
    }

    /// What it took for the last one.
    pub fn last_took(&self) -> Duration {
        Duration::from_nanos(self.told.last.load(Ordering::Relaxed))
    }

    /// Bytes of one of its answers.
    pub fn answer_bytes(&self) -> usize {
        self.told.sample.len()
    }

    /// What the service asks it about that meeting.
    pub fn question(number: u32, into: &mut Vec<u8>) {
        let body = format!(r#"{{"meetingid":"{}"}}"#, load::meeting_id(number));
        let head = "POST /cgi-bin/meeting/get_info?access_token=token HTTP/1.1\r\nhost: wecom";
        let length = body.len();
        into.extend_from_slice(
            format!("{head}\r\ncontent-length: {length}\r\n\r\n{body}").as_bytes(),
        );
    }
}

/// Answers what comes on that connection, until it ends.
fn converse(mut stream: TcpStream, told: &Told) -> Option<()> {
    stream.set_nodelay(true).ok()?;
    let mut heard = Vec::new();
    let mut part = [0; 4096];
    loop {
        let read = stream.read(&mut part).ok().filter(|read| *read > 0)?;
        heard.extend_from_slice(part.get(..read)?);
        let Some((body, asks_for_token)) = whole(&heard) else {
            continue;
        };
        let answer = if asks_for_token {
            r#"{"errcode":0,"errmsg":"ok","access_token":"token","expires_in":7200}"#.to_owned()
        } else {
            let arrived = Instant::now();
            told.questions.fetch_add(1, Ordering::Relaxed);
            let id: Value = serde_json::from_slice(body).ok()?;
            let id = id.get("meetingid")?.as_str()?;
            let answer = told.sample.replace(TITLE, &format!("Meeting {id}"));
            let delay = Duration::from_nanos(told.delay.load(Ordering::Relaxed));
            thread::sleep(delay.saturating_sub(arrived.elapsed()));
            let took = u64::try_from(arrived.elapsed().as_nanos()).unwrap_or(u64::MAX);
            told.last.store(took, Ordering::Relaxed);
            answer
        };
        let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json; charset=UTF-8";
        let length = answer.len();
        let reply = format!("{head}\r\ncontent-length: {length}\r\n\r\n{answer}");
        stream.write_all(reply.as_bytes()).ok()?;
        heard.clear();
    }
}

/// The body of a request that has come whole, and whether it is for a token.
fn whole(heard: &[u8]) -> Option<(&[u8], bool)> {
    let mut fields = [httparse::EMPTY_HEADER; 32];
    let mut request = httparse::Request::new(&mut fields);
    let httparse::Status::Complete(head) = request.parse(heard).ok()? else {
        return None;
    };
    let asks_for_token = request.path?.starts_with("/cgi-bin/gettoken");
    let length = load::content_length(request.headers).unwrap_or_default();
    Some((heard.get(head..head + length)?, asks_for_token))
}
