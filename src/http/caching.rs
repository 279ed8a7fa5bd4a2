//! The header fields that tell how old an answer is and where it came from (RFC 9111, RFC 9211).

use std::time::Instant;

use http::HeaderMap;
use http::HeaderName;
use http::HeaderValue;
use http::header;

use crate::service::Cause;
use crate::service::Found;
use crate::service::Grounds;
use crate::service::Source;

/// The name under which we appear in `Cache-Status`.
const US: &str = "wecom-meeting-proxy";

/// Header fields that an answer has, at most.
const FIELDS: usize = 12;

/// The field that tells where an answer came from (RFC 9211).
pub(super) const CACHE_STATUS: HeaderName = HeaderName::from_static("cache-status");

/// `Cache-Control`, `Age` and `Cache-Status` of what was found. Whole seconds, rounded down.
///
/// `max-age` is the whole lifetime, of which `Age` has passed: the two go together, and what is left
/// is their difference.
pub(super) fn headers(found: &Found, now: Instant) -> HeaderMap {
    let Found { answer, source } = found;
    let max_age = answer.lifetime().as_secs();
    let ttl = if answer.is_fresh(now) {
        Ttl::Left(answer.remaining(now).as_secs())
    } else {
        Ttl::Over(answer.staleness(now).as_secs())
    };
    let mut headers = HeaderMap::with_capacity(FIELDS);
    headers.insert(
        header::CACHE_CONTROL,
        text(format!("private, max-age={max_age}")),
    );
    headers.insert(header::AGE, HeaderValue::from(answer.age(now).as_secs()));
    headers.insert(
        CACHE_STATUS,
        text(status(*source, ttl, answer.value.meeting.is_err())),
    );
    headers
}

/// `Cache-Status` of a problem that was met by asking.
pub(super) fn in_vain(cause: Cause) -> HeaderValue {
    text(format!("{US}; fwd={}", forwarded(cause)))
}

/// What is left of a lifetime, or how long it has been over, in seconds.
#[derive(Clone, Copy)]
enum Ttl {
    Left(u64),
    Over(u64),
}

impl std::fmt::Display for Ttl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Left(seconds) | Self::Over(seconds @ 0) => write!(f, "ttl={seconds}"),
            Self::Over(seconds) => write!(f, "ttl=-{seconds}"),
        }
    }
}

fn status(source: Source, ttl: Ttl, is_negative: bool) -> String {
    match source {
        Source::Collapsed(cause) => format!("{US}; fwd={}; collapsed", forwarded(cause)),
        Source::Fetched { cause, is_stored } => {
            let stored = if is_stored { "; stored" } else { "" };
            format!("{US}; fwd={}{stored}; {ttl}", forwarded(cause))
        }
        Source::Remembered(grounds) => match detail(grounds, is_negative) {
            Some(detail) => format!("{US}; hit; {ttl}; detail={detail}"),
            None => format!("{US}; hit; {ttl}"),
        },
        Source::StaleIfError => format!("{US}; fwd=stale; detail=stale-if-error"),
    }
}

fn detail(grounds: Grounds, is_negative: bool) -> Option<&'static str> {
    match grounds {
        Grounds::Fresh => is_negative.then_some("negative"),
        Grounds::MaxStale => Some("max-stale"),
        Grounds::StaleIfError => Some("stale-if-error"),
        Grounds::StaleWhileRevalidate => Some("stale-while-revalidate"),
    }
}

fn forwarded(cause: Cause) -> &'static str {
    match cause {
        Cause::Miss => "uri-miss",
        Cause::Request => "request",
        Cause::Stale => "stale",
    }
}

/// Our own words and numbers are fit for a header field.
pub(super) fn text(text: String) -> HeaderValue {
    HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static(""))
}
