//! The header fields that tell how old an answer is and where it came from (RFC 9111, RFC 9211).

use std::time::Instant;

use http::HeaderName;
use http::HeaderValue;
use http::header;

use super::fields::Put;
use super::words::Words;
use crate::service::Cause;
use crate::service::Found;
use crate::service::Grounds;
use crate::service::Source;

/// The name under which we appear in `Cache-Status`.
const US: &str = "wecom-meeting-proxy";

/// The field that tells where an answer came from (RFC 9211).
pub(super) const CACHE_STATUS: HeaderName = HeaderName::from_static("cache-status");

/// Tells `Cache-Control`, `Age` and `Cache-Status` of what was found. Whole seconds, rounded down.
///
/// `max-age` is the whole lifetime, of which `Age` has passed: the two go together, and what is left
/// is their difference.
pub(super) fn tell(found: &Found, now: Instant, fields: &mut impl Put) {
    let Found { answer, source } = found;
    let (age, lifetime) = (answer.age(now), answer.lifetime());
    let ttl = match lifetime.checked_sub(age) {
        Some(left) if !left.is_zero() => Ttl::Left(left.as_secs()),
        Some(_) | None => Ttl::Over(age.saturating_sub(lifetime).as_secs()),
    };
    let mut words = Words::new();
    words.text("private, max-age=").number(lifetime.as_secs());
    fields.put(header::CACHE_CONTROL, words.as_bytes());
    fields.put(header::AGE, Words::new().number(age.as_secs()).as_bytes());
    let status = status(*source, ttl, answer.value.meeting.is_err());
    fields.put(CACHE_STATUS, status.as_bytes());
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
    /// What is served though it is stale says so, from its first moment on.
    fn served_on(self, grounds: Grounds) -> Self {
        match (self, grounds) {
            (Self::Over(0), Grounds::Fresh) | (Self::Left(_), _) => self,
            (Self::Over(seconds), _) => Self::Over(seconds.max(1)),
        }
    }

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
            ttl.served_on(grounds).add_to(words.text("; hit"));
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
