//! The header fields that tell how old an answer is and where it came from (RFC 9111, RFC 9211).

use std::time::Instant;

use http::HeaderMap;
use http::HeaderName;
use http::HeaderValue;
use http::header;

use super::words::Words;
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
    let mut headers = HeaderMap::with_capacity(FIELDS);
    for (name, words) in fields(found, now) {
        headers.insert(name, words.value());
    }
    headers
}

/// The same, as they are sent.
pub(super) fn fields(found: &Found, now: Instant) -> [(HeaderName, Words); 3] {
    let Found { answer, source } = found;
    let ttl = if answer.is_fresh(now) {
        Ttl::Left(answer.remaining(now).as_secs())
    } else {
        Ttl::Over(answer.staleness(now).as_secs())
    };
    let (mut control, mut age) = (Words::new(), Words::new());
    control
        .text("private, max-age=")
        .number(answer.lifetime().as_secs());
    age.number(answer.age(now).as_secs());
    [
        (header::CACHE_CONTROL, control),
        (header::AGE, age),
        (
            CACHE_STATUS,
            status(*source, ttl, answer.value.meeting.is_err()),
        ),
    ]
}

/// `Cache-Status` of a problem that was met by asking.
pub(super) fn in_vain(cause: Cause) -> HeaderValue {
    let mut words = Words::new();
    words.text(US).text("; fwd=").text(forwarded(cause)).value()
}

/// What is left of a lifetime, or how long it has been over, in seconds.
#[derive(Clone, Copy)]
enum Ttl {
    Left(u64),
    Over(u64),
}

impl Ttl {
    fn add_to(self, words: &mut Words) {
        match self {
            Self::Left(seconds) | Self::Over(seconds @ 0) => words.text("; ttl=").number(seconds),
            Self::Over(seconds) => words.text("; ttl=-").number(seconds),
        };
    }
}

fn status(source: Source, ttl: Ttl, is_negative: bool) -> Words {
    let mut words = Words::new();
    words.text(US);
    match source {
        Source::Collapsed(cause) => {
            words
                .text("; fwd=")
                .text(forwarded(cause))
                .text("; collapsed");
        }
        Source::Fetched { cause, is_stored } => {
            let stored = if is_stored { "; stored" } else { "" };
            words.text("; fwd=").text(forwarded(cause)).text(stored);
            ttl.add_to(&mut words);
        }
        Source::Remembered(grounds) => {
            ttl.add_to(words.text("; hit"));
            if let Some(detail) = detail(grounds, is_negative) {
                words.text("; detail=").text(detail);
            }
        }
        Source::StaleIfError => {
            words.text("; fwd=stale; detail=stale-if-error");
        }
    }
    words
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
