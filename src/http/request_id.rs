//! The name of one request, in every answer and every line of the log about it.

use http::HeaderName;
use http::HeaderValue;
use jiff::Timestamp;
use uuid::Builder;
use uuid::Uuid;

use super::fields::Fields;

/// The field that carries it, both ways.
pub(super) const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The caller's own, if it is 1 to 128 visible ASCII characters, else a new UUID of version 7.
#[derive(Clone, Debug)]
pub(super) struct RequestId(HeaderValue);

impl RequestId {
    const LEN_MAX: usize = 128;

    /// The id of the request with these header fields, which comes now.
    pub(super) fn of(fields: &(impl Fields + ?Sized), now: Timestamp) -> Self {
        let given = fields.only(X_REQUEST_ID).filter(|id| Self::is_fit(id));
        let given = given.and_then(|id| HeaderValue::from_bytes(id).ok());
        given.map_or_else(|| Self::new(now), Self)
    }

    /// A new one, of a request that comes now. It may be guessed, and need not come after those of the
    /// same millisecond: so nothing is shared to make one.
    fn new(now: Timestamp) -> Self {
        let mut random = [0; 10];
        fastrand::fill(&mut random);
        let milliseconds = u64::try_from(now.as_millisecond()).unwrap_or_default();
        let id = Builder::from_unix_timestamp_millis(milliseconds, &random).into_uuid();
        let mut buffer = Uuid::encode_buffer();
        let text = id.hyphenated().encode_lower(&mut buffer);
        // Hexadecimal digits and dashes are fit for a header field.
        Self(HeaderValue::from_str(text).unwrap_or(HeaderValue::from_static("-")))
    }

    /// As text.
    pub(super) fn as_str(&self) -> &str {
        // Visible ASCII is text.
        self.0.to_str().unwrap_or("-")
    }

    /// As the value of a header field.
    pub(super) fn to_value(&self) -> HeaderValue {
        self.0.clone()
    }

    /// Whether a caller may name a request so.
    fn is_fit(id: &[u8]) -> bool {
        (1..=Self::LEN_MAX).contains(&id.len()) && id.iter().all(u8::is_ascii_graphic)
    }
}
