//! The load: one thread, many connections, whole answers.
//!
//! Closed: each connection asks as soon as it has its answer. Open: questions are due at fixed times,
//! however long the answers take; how long one took counts from when it was due, so that a server that
//! stands still is not forgiven the questions that it kept from being asked.

use std::io;
use std::io::Read;
use std::io::Write;
use std::net::SocketAddr;
use std::time::Duration;
use std::time::Instant;

use mio::Events;
use mio::Interest;
use mio::Poll;
use mio::Token;
use mio::net::TcpStream;
use serde::Deserialize;
use serde::Serialize;

use crate::Failure;

/// Nobody takes longer.
const PATIENCE: Duration = Duration::from_secs(20);

/// The id of the meeting of that number: 32 characters, as WeCom's are.
pub fn meeting_id(number: u32) -> String {
    format!("hyXG0RCQAAogMgFb9Tx_b-1-{number:08}")
}

/// A request for one of many meetings.
pub struct Request {
    fields: String,
}

impl Request {
    /// To that address, with that key and these other header fields.
    pub fn new(address: SocketAddr, key: &str, others: &[(&str, &str)]) -> Self {
        let mut fields = format!(
            " HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {key}\r\nAccept: application/json\r\n"
        );
        for (name, value) in others {
            fields = format!("{fields}{name}: {value}\r\n");
        }
        fields.push_str("\r\n");
        Self { fields }
    }

    /// For the meeting of that number.
    pub fn write(&self, number: u32, into: &mut Vec<u8>) {
        into.extend_from_slice(b"GET /meetings/");
        into.extend_from_slice(meeting_id(number).as_bytes());
        into.extend_from_slice(self.fields.as_bytes());
    }
}

/// The whole of an answer.
#[derive(Deserialize, Serialize)]
pub struct Answer {
    /// Its status code.
    pub status: u16,
    /// Its header fields, their names in lower case.
    pub fields: Vec<(String, String)>,
    /// What it says.
    pub body: String,
}

impl Answer {
    /// The value of that field.
    pub fn field(&self, name: &str) -> Option<&str> {
        let mut fields = self.fields.iter();
        let (_, value) = fields.find(|(other, _)| other == name)?;
        Some(value)
    }
}

/// One request, on a connection of its own.
pub fn ask(address: SocketAddr, request: &[u8]) -> Result<Answer, Failure> {
    let mut stream = std::net::TcpStream::connect(address)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(request)?;
    let mut heard = Vec::new();
    let mut part = [0; 16 * 1024];
    loop {
        let read = stream.read(&mut part)?;
        if read == 0 {
            return Err("the connection was closed".into());
        }
        heard.extend_from_slice(&part[..read]);
        let mut fields = [httparse::EMPTY_HEADER; 64];
        let mut response = httparse::Response::new(&mut fields);
        let httparse::Status::Complete(head) = response.parse(&heard)? else {
            continue;
        };
        let status = response.code.unwrap_or_default();
        let length = body_length(status, response.headers)?;
        let Some(body) = heard.get(head..head + length) else {
            continue;
        };
        let fields = response.headers.iter().map(|field| {
            let value = String::from_utf8_lossy(field.value).into_owned();
            (field.name.to_ascii_lowercase(), value)
        });
        return Ok(Answer {
            status,
            fields: fields.collect(),
            body: String::from_utf8(body.to_vec())?,
        });
    }
}

/// What `Content-Length` says.
pub fn content_length(fields: &[httparse::Header<'_>]) -> Option<usize> {
    let mut fields = fields.iter();
    let field = fields.find(|field| field.name.eq_ignore_ascii_case("content-length"))?;
    std::str::from_utf8(field.value).ok()?.parse().ok()
}

fn body_length(status: u16, fields: &[httparse::Header<'_>]) -> Result<usize, Failure> {
    if status == 304 {
        return Ok(0);
    }
    content_length(fields).ok_or_else(|| "an answer without Content-Length".into())
}

/// Connections to one server, all idle between two calls.
pub struct Load {
    poll: Poll,
    events: Events,
    connections: Vec<Connection>,
    status: u16,
    is_awake: bool,
}

struct Connection {
    stream: TcpStream,
    asked: Vec<u8>,
    heard: Vec<u8>,
    heard_bytes: usize,
    /// Since when it waits for an answer.
    since: Option<Instant>,
}

/// How a question is asked next, if at all.
pub trait Next: FnMut(&mut Vec<u8>) -> bool {}

impl<F: FnMut(&mut Vec<u8>) -> bool> Next for F {}

impl Load {
    /// Opens as many connections. All answers must have that status.
    pub fn connect(address: SocketAddr, connections: usize, status: u16) -> Result<Self, Failure> {
        let poll = Poll::new()?;
        let connections = (0..connections).map(|number| {
            let stream = std::net::TcpStream::connect(address)?;
            stream.set_nodelay(true)?;
            stream.set_nonblocking(true)?;
            let mut stream = TcpStream::from_std(stream);
            poll.registry()
                .register(&mut stream, Token(number), Interest::READABLE)?;
            Ok(Connection {
                stream,
                asked: Vec::new(),
                heard: vec![0; 32 * 1024],
                heard_bytes: 0,
                since: None,
            })
        });
        let connections = connections.collect::<io::Result<_>>()?;
        Ok(Self {
            poll,
            events: Events::with_capacity(1024),
            connections,
            status,
            is_awake: false,
        })
    }

    /// The same, which does not sleep while it waits for answers. Who answers a sleeper has to wake it,
    /// and has that on its account; callers on other machines are woken by these.
    #[must_use]
    pub fn awake(self) -> Self {
        Self {
            is_awake: true,
            ..self
        }
    }

    /// Has every connection ask `next` again and again, until there is none, and tells `answered` how
    /// long each took.
    pub fn closed(
        &mut self,
        mut next: impl Next,
        mut answered: impl FnMut(Instant, Duration) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let mut waiting = 0;
        for connection in &mut self.connections {
            waiting += usize::from(connection.ask(&mut next, Instant::now())?);
        }
        while waiting > 0 {
            self.wait_for_some()?;
            for event in &self.events {
                let connection = &mut self.connections[event.token().0];
                let Some(since) = connection.hear(self.status)? else {
                    continue;
                };
                let now = Instant::now();
                answered(now, now - since)?;
                waiting -= usize::from(!connection.ask(&mut next, now)?);
            }
        }
        Ok(())
    }

    /// Asks `next` at that rate for that long, and tells `answered` how long each took since it was
    /// due.
    pub fn open(
        &mut self,
        per_second: f64,
        length: Duration,
        mut next: impl Next,
        mut answered: impl FnMut(Duration),
    ) -> Result<(), Failure> {
        let begin = Instant::now();
        let mut idle: Vec<usize> = (0..self.connections.len()).collect();
        let mut asked = 0_u32;
        let due = |asked: u32| Duration::from_secs_f64(f64::from(asked) / per_second);
        while due(asked) < length || idle.len() < self.connections.len() {
            if begin.elapsed() > length + PATIENCE {
                return Err("answers came too slowly for that rate".into());
            }
            while due(asked) < length && due(asked) <= begin.elapsed() {
                let Some(number) = idle.pop() else {
                    break;
                };
                self.connections[number].ask(&mut next, begin + due(asked))?;
                asked += 1;
            }
            // Without waiting: what is due is due to the microsecond, and the core is ours.
            self.wait(Some(Duration::ZERO))?;
            for event in &self.events {
                let number = event.token().0;
                let connection = &mut self.connections[number];
                if let Some(since) = connection.hear(self.status)? {
                    answered(since.elapsed());
                    idle.push(number);
                }
            }
        }
        Ok(())
    }

    fn wait_for_some(&mut self) -> Result<(), Failure> {
        let begin = Instant::now();
        while self.is_awake && begin.elapsed() < PATIENCE {
            self.wait(Some(Duration::ZERO))?;
            if !self.events.is_empty() {
                return Ok(());
            }
        }
        self.wait(Some(PATIENCE))
    }

    fn wait(&mut self, longest: Option<Duration>) -> Result<(), Failure> {
        let patient = longest.is_some_and(|longest| !longest.is_zero());
        loop {
            match self.poll.poll(&mut self.events, longest) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
                Ok(()) if self.events.is_empty() && patient => {
                    return Err("no answer came".into());
                }
                Ok(()) => return Ok(()),
            }
        }
    }
}

impl Connection {
    /// Sends what is next, if anything is.
    fn ask(&mut self, next: &mut impl Next, since: Instant) -> Result<bool, Failure> {
        self.asked.clear();
        if !next(&mut self.asked) {
            return Ok(false);
        }
        // A request is much smaller than what a socket takes.
        self.stream.write_all(&self.asked)?;
        self.since = Some(since);
        Ok(true)
    }

    /// Since when the answer was waited for that has now come whole.
    fn hear(&mut self, status: u16) -> Result<Option<Instant>, Failure> {
        if self.since.is_none() {
            return Err("an answer, or the end, that nobody waited for".into());
        }
        loop {
            let free = self.heard.get_mut(self.heard_bytes..).unwrap_or_default();
            match self.stream.read(free) {
                Ok(0) => return Err("the connection was closed".into()),
                Ok(read) => self.heard_bytes += read,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
                Err(error) => return Err(error.into()),
            }
            let heard = &self.heard[..self.heard_bytes];
            let mut fields = [httparse::EMPTY_HEADER; 64];
            let mut response = httparse::Response::new(&mut fields);
            let httparse::Status::Complete(head) = response.parse(heard)? else {
                continue;
            };
            if response.code != Some(status) {
                let heard = String::from_utf8_lossy(heard);
                return Err(format!("not the status that was expected ({status}): {heard}").into());
            }
            if heard.len() == head + body_length(status, response.headers)? {
                self.heard_bytes = 0;
                return Ok(self.since.take());
            }
        }
    }
}
