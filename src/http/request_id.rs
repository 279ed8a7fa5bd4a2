//! The name of one request, in every answer and every line of the log about it.

use http::HeaderName;
use http::HeaderValue;
use jiff::Timestamp;
use uuid::Builder;
use uuid::fmt::Hyphenated;

/// The field that carries it, both ways.
pub(super) const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Characters of a caller's own, at most.
const LEN_MAX: usize = 128;

/// Where one is written that we make.
pub(super) type Buffer = [u8; Hyphenated::LENGTH];
pub(super) const BUFFER: Buffer = [0; Hyphenated::LENGTH];

/// The id of a request that comes now: what its caller calls it, if that is fit, else a new UUID of
/// version 7.
///
/// A new one may be guessed, and need not come after those of the same millisecond: so nothing is
/// shared to make it.
pub(super) fn of<'a>(given: Option<&'a [u8]>, now: Timestamp, made: &'a mut Buffer) -> &'a str {
    let given = given.filter(|id| is_fit(id));
    if let Some(id) = given.and_then(|id| str::from_utf8(id).ok()) {
        return id;
    }
    let mut random = [0; 10];
    fastrand::fill(&mut random);
    let milliseconds = u64::try_from(now.as_millisecond()).unwrap_or_default();
    let id = Builder::from_unix_timestamp_millis(milliseconds, &random).into_uuid();
    id.hyphenated().encode_lower(made)
}

/// Whether a caller may call a request so: 1 to 128 visible ASCII characters.
pub(super) fn is_fit(id: &[u8]) -> bool {
    (1..=LEN_MAX).contains(&id.len()) && id.iter().all(u8::is_ascii_graphic)
}

/// An id as the value of its field.
pub(super) fn value(id: &str) -> HeaderValue {
    // Visible ASCII is fit for a header field.
    HeaderValue::from_str(id).unwrap_or(HeaderValue::from_static("-"))
}
