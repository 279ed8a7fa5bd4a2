//! An answer as HTTP/1.1 has it: its head in bytes, and how many bytes follow (RFC 9112).
//!
//! What says where an answer ends and whether the connection goes on is written here and nowhere
//! else: `Content-Length`, `Connection` and `Date`.

use bytes::Bytes;
use http::HeaderMap;
use http::Method;
use http::Request;
use http::Response;
use http::StatusCode;
use http::Version;
use http::header;

use super::date::Date;

/// Bytes of a head, about.
const HEAD_BYTES: usize = 640;

/// What the shape of an answer depends on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked {
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
}

impl Asked {
    /// In that request.
    pub(super) fn by(request: &Request<()>) -> Self {
        let version = request.version();
        let says = |option| names(request.headers(), option);
        let goes_on = !says("close") && (version == Version::HTTP_11 || says("keep-alive"));
        Self {
            version,
            only_head: request.method() == Method::HEAD,
            goes_on,
        }
    }

    /// Whether the connection goes on after this answer, if both sides mean to.
    pub(super) fn persistence(self, response: &Response<Bytes>, is_ending: bool) -> Persistence {
        if self.goes_on && !is_ending && !names(response.headers(), "close") {
            Persistence::Persists
        } else {
            Persistence::Closes
        }
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
fn names(headers: &HeaderMap, option: &str) -> bool {
    let lines = headers.get_all(header::CONNECTION).into_iter();
    let mut options = lines.flat_map(|line| line.as_bytes().split(|&byte| byte == b','));
    options.any(|named| named.trim_ascii().eq_ignore_ascii_case(option.as_bytes()))
}

/// Whether an answer of this status has a body, be it an empty one (RFC 9110, section 8.6).
fn has_body(status: StatusCode) -> bool {
    ![StatusCode::NO_CONTENT, StatusCode::NOT_MODIFIED].contains(&status)
}

/// The head of an answer, as it is sent.
pub(super) fn head(
    response: &Response<Bytes>,
    asked: Asked,
    persistence: Persistence,
    date: &Date,
) -> Vec<u8> {
    let (status, headers) = (response.status(), response.headers());
    let mut head = Vec::with_capacity(HEAD_BYTES);
    let version: &[u8] = match asked.version {
        Version::HTTP_10 => b"HTTP/1.0 ",
        _ => b"HTTP/1.1 ",
    };
    let reason = status.canonical_reason().unwrap_or_default();
    head.extend_from_slice(version);
    head.extend_from_slice(status.as_str().as_bytes());
    head.push(b' ');
    head.extend_from_slice(reason.as_bytes());
    head.extend_from_slice(b"\r\n");
    for (name, value) in headers {
        if name != header::CONNECTION {
            line(&mut head, name.as_str(), value.as_bytes());
        }
    }
    if has_body(status) && !headers.contains_key(header::CONTENT_LENGTH) {
        let length = response.body().len();
        let mut digits = itoa::Buffer::new();
        line(&mut head, "content-length", digits.format(length).as_bytes());
    }
    match (persistence, asked.version) {
        (Persistence::Closes, _) => line(&mut head, "connection", b"close"),
        (Persistence::Persists, Version::HTTP_10) => line(&mut head, "connection", b"keep-alive"),
        (Persistence::Persists, _) => {}
    }
    line(&mut head, "date", date.as_bytes());
    head.extend_from_slice(b"\r\n");
    head
}

fn line(head: &mut Vec<u8>, name: &str, value: &[u8]) {
    head.extend_from_slice(name.as_bytes());
    head.extend_from_slice(b": ");
    head.extend_from_slice(value);
    head.extend_from_slice(b"\r\n");
}
