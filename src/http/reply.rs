//! An answer as HTTP/1.1 has it: its head in bytes, and how many bytes follow (RFC 9112).
//!
//! What says where an answer ends and whether the connection goes on is written here and nowhere
//! else: `Content-Length`, `Connection` and `Date`.

use bytes::Bytes;
use http::HeaderName;
use http::Method;
use http::Request;
use http::Response;
use http::StatusCode;
use http::Version;
use http::header;

use super::fields::Fields;
use super::fields::Put;

/// Bytes of most heads.
const HEAD_BYTES: usize = 640;

/// The shape that an answer is wanted in.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shape {
    version: Version,
    /// Only the head of the answer is wanted.
    only_head: bool,
    /// The caller means to go on.
    goes_on: bool,
}

/// Whether a connection goes on after an answer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Persistence {
    Closes,
    Persists,
    /// As HTTP/1.0 has to be told.
    PersistsAsAsked,
}

impl Shape {
    /// That of an answer to this request.
    pub(super) fn asked_by(request: &Request<()>) -> Self {
        let (version, fields) = (request.version(), request.headers());
        let says_so = version == Version::HTTP_11 || names(fields, "keep-alive");
        Self {
            version,
            only_head: request.method() == Method::HEAD,
            goes_on: says_so && !names(fields, "close"),
        }
    }

    /// The head of this answer, as it is sent on a connection that is ending or not, and whether the
    /// connection goes on, if both sides mean to.
    pub(super) fn head(
        self,
        response: &Response<Bytes>,
        is_ending: bool,
        date: &str,
    ) -> (Vec<u8>, Persistence) {
        let headers = response.headers();
        let closes = !self.goes_on || is_ending || names(headers, "close");
        let persistence = match self.version {
            _ if closes => Persistence::Closes,
            Version::HTTP_10 => Persistence::PersistsAsAsked,
            _ => Persistence::Persists,
        };
        let mut writing = Writing::begin(response.status());
        let length = headers.get(header::CONTENT_LENGTH);
        for (name, value) in headers {
            if ![header::CONNECTION, header::CONTENT_LENGTH].contains(name) {
                writing.put(name.clone(), value.as_bytes());
            }
        }
        // Where only the head was made, it says how long the rest would be.
        let length = length.and_then(|length| length.to_str().ok()?.parse().ok());
        let length = length.unwrap_or(response.body().len());
        (writing.end(length, persistence, date), persistence)
    }

    /// What follows the head of this answer.
    pub(super) fn body_of(self, response: &Response<Bytes>) -> &[u8] {
        if self.only_head || !has_body(response.status()) {
            return &[];
        }
        response.body()
    }
}

/// Whether `Connection` names this option (RFC 9110, section 7.6.1).
pub(super) fn names(fields: &(impl Fields + ?Sized), option: &str) -> bool {
    let lines = fields.lines(header::CONNECTION);
    let mut options = lines.flat_map(|line| line.split(|&byte| byte == b','));
    options.any(|named| named.trim_ascii().eq_ignore_ascii_case(option.as_bytes()))
}

/// Whether an answer of this status has a body, be it an empty one (RFC 9110, section 8.6).
pub(super) fn has_body(status: StatusCode) -> bool {
    ![StatusCode::NO_CONTENT, StatusCode::NOT_MODIFIED].contains(&status)
}

/// The head of an answer, being written.
pub(super) struct Writing {
    status: StatusCode,
    head: Vec<u8>,
}

impl Put for Writing {
    #[expect(
        clippy::inline_always,
        reason = "names are known where it is called, and copied as what they are"
    )]
    #[inline(always)]
    fn put(&mut self, name: HeaderName, value: &[u8]) {
        let parts = [name.as_str().as_bytes(), b": ", value, b"\r\n"];
        for part in parts {
            self.head.extend_from_slice(part);
        }
    }
}

impl Writing {
    pub(super) fn begin(status: StatusCode) -> Self {
        let mut head = Vec::with_capacity(HEAD_BYTES);
        // Whoever speaks an older version understands it (RFC 9110, section 2.5).
        head.extend_from_slice(b"HTTP/1.1 ");
        head.extend_from_slice(status.as_str().as_bytes());
        head.push(b' ');
        head.extend_from_slice(status.canonical_reason().unwrap_or_default().as_bytes());
        head.extend_from_slice(b"\r\n");
        Self { status, head }
    }

    /// The whole head, of an answer with so many bytes.
    pub(super) fn end(mut self, length: usize, persistence: Persistence, date: &str) -> Vec<u8> {
        if has_body(self.status) {
            let mut digits = itoa::Buffer::new();
            self.put(header::CONTENT_LENGTH, digits.format(length).as_bytes());
        }
        match persistence {
            Persistence::Closes => self.put(header::CONNECTION, b"close"),
            Persistence::Persists => {}
            Persistence::PersistsAsAsked => self.put(header::CONNECTION, b"keep-alive"),
        }
        self.put(header::DATE, date.as_bytes());
        self.head.extend_from_slice(b"\r\n");
        self.head
    }
}
