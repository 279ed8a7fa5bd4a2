//! Answers as HTTP. Knows not when which is due.

mod bulk;
mod flow;

use std::io;
use std::time::Duration;

use bytes::Bytes;
use hyper::Response;
use hyper::StatusCode;
use hyper::header::CONTENT_ENCODING;
use hyper::header::CONTENT_LENGTH;
use hyper::header::CONTENT_TYPE;
use hyper::header::HeaderName;
use hyper::header::HeaderValue;
use hyper::header::LOCATION;

pub(crate) use self::flow::Flow;
pub(crate) use self::flow::Hangup;
use self::flow::Piece;
use crate::protocol::Api;
use crate::protocol::Errcode;

const JSON: HeaderValue = HeaderValue::from_static("application/json; charset=UTF-8");
const HTML: HeaderValue = HeaderValue::from_static("text/html; charset=utf-8");
const ERROR_CODE: HeaderName = HeaderName::from_static("error-code");
const ERROR_MSG: HeaderName = HeaderName::from_static("error-msg");

/// A page that is anything but what was asked for.
const PAGE: &str = "<!DOCTYPE html>\n<title>Sign in</title>\n<p>Please sign in to go on.\n";

/// JSON of WeCom's, or of the control's with a status.
pub(crate) fn json(status: u16, body: impl Into<Bytes>) -> Response<Flow> {
    typed(JSON, with_status(status, Flow::whole(body.into())))
}

/// WeCom's no. For HTTP it is a yes.
pub(crate) fn refusal(api: Api, errcode: Errcode) -> Response<Flow> {
    let mut reply = json(200, errcode.body(api));
    put(&mut reply, ERROR_CODE, &errcode.0.to_string());
    put(&mut reply, ERROR_MSG, &errcode.message());
    reply
}

pub(crate) fn empty(status: u16) -> Response<Flow> {
    with_status(status, Flow::of([]))
}

pub(crate) fn html(status: u16) -> Response<Flow> {
    typed(HTML, with_status(status, Flow::whole(PAGE.into())))
}

pub(crate) fn redirect(to: &str) -> Response<Flow> {
    let mut reply = empty(302);
    put(&mut reply, LOCATION, to);
    reply
}

/// What awaits whoever follows a redirect: a client that must not would not notice otherwise.
pub(crate) fn bait() -> Response<Flow> {
    json(200, r#"{"errcode":0,"errmsg":"ok","title":"Redirected"}"#)
}

/// A body in single bytes.
pub(crate) fn dripping(body: Bytes, every: Duration) -> Response<Flow> {
    let flow = Flow::whole(body).dripping(every);
    typed(JSON, Response::new(flow))
}

/// A body in single bytes, followed by spaces without end, which JSON allows.
pub(crate) fn dripping_forever(body: Bytes, every: Duration) -> Response<Flow> {
    let pieces = [Piece::once(body), Piece::endless(b" ")];
    typed(JSON, Response::new(Flow::of(pieces).dripping(every)))
}

/// A JSON object of so many bytes.
pub(crate) fn huge(bytes: u64) -> Response<Flow> {
    typed(JSON, Response::new(Flow::of(bulk::huge(bytes))))
}

/// The same, gzipped, whether or not the client said that it can unpack it.
pub(crate) fn gzip_bomb(bytes: u64) -> io::Result<Response<Flow>> {
    let flow = Flow::of(bulk::gzip_bomb(bytes)?);
    let mut reply = typed(JSON, Response::new(flow));
    put(&mut reply, CONTENT_ENCODING, "gzip");
    Ok(reply)
}

/// The first half of a body, announced as the whole.
pub(crate) fn truncated(body: &Bytes) -> Response<Flow> {
    let half = body.slice(..body.len() / 2);
    let mut reply = typed(JSON, Response::new(Flow::of([Piece::once(half)]).cut()));
    put(&mut reply, CONTENT_LENGTH, &body.len().to_string());
    reply
}

fn with_status(status: u16, flow: Flow) -> Response<Flow> {
    let mut reply = Response::new(flow);
    // Whoever asks for a status that HTTP does not have still gets trouble.
    *reply.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    reply
}

fn typed(content_type: HeaderValue, mut reply: Response<Flow>) -> Response<Flow> {
    reply.headers_mut().insert(CONTENT_TYPE, content_type);
    reply
}

/// Sets a header, unless the value could not be one.
fn put(reply: &mut Response<Flow>, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        reply.headers_mut().insert(name, value);
    }
}
