//! The header fields that tell how old an answer is and where it came from (RFC 9111, RFC 9211).

use std::time::Instant;

use http::HeaderMap;
use http::HeaderName;
use http::HeaderValue;
use http::header;

use crate::cache::Source;
use crate::freshness::Answer;

/// The name under which we appear in `Cache-Status`.
const US: &str = "wecom-meeting-proxy";

/// The field that tells where an answer came from (RFC 9211).
pub(super) const CACHE_STATUS: HeaderName = HeaderName::from_static("cache-status");

/// What stands in `Cache-Status` where WeCom was asked in vain.
pub(super) const MISSED: HeaderValue =
    HeaderValue::from_static("wecom-meeting-proxy; fwd=uri-miss");

/// Whether an answer is a meeting, or that there is none.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Sense {
    /// There is none.
    Negative,
    /// It is a meeting.
    Positive,
}

/// `Cache-Control`, `Age` and `Cache-Status` of an answer. Whole seconds, rounded down.
///
/// `max-age` is the whole lifetime, of which `Age` has passed: the two go together, and what is left
/// is their difference.
pub(super) fn headers<V>(
    answer: &Answer<V>,
    source: Source,
    sense: Sense,
    now: Instant,
) -> HeaderMap {
    let max_age = answer.lifetime().as_secs();
    let mut headers = HeaderMap::with_capacity(3);
    headers.insert(
        header::CACHE_CONTROL,
        text(format!("private, max-age={max_age}")),
    );
    headers.insert(header::AGE, HeaderValue::from(answer.age(now).as_secs()));
    headers.insert(
        CACHE_STATUS,
        text(status(answer.remaining(now).as_secs(), source, sense)),
    );
    headers
}

fn status(ttl: u64, source: Source, sense: Sense) -> String {
    match (source, sense) {
        (Source::Collapsed, _) => format!("{US}; fwd=uri-miss; collapsed"),
        (Source::Fetched, _) => format!("{US}; fwd=uri-miss; stored; ttl={ttl}"),
        (Source::Remembered, Sense::Negative) => format!("{US}; hit; ttl={ttl}; detail=negative"),
        (Source::Remembered, Sense::Positive) => format!("{US}; hit; ttl={ttl}"),
    }
}

/// Our own words and numbers are fit for a header field.
fn text(text: String) -> HeaderValue {
    HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static(""))
}
