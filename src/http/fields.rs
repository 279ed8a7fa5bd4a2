//! The header fields of a request, and of an answer, in whichever form they are.
//!
//! Most requests are answered while their fields are still the bytes that came, and in the bytes that
//! are sent; tables are made of both for the others. What reads a field, or puts one down, does not
//! care which.

use http::HeaderMap;
use http::HeaderName;
use http::HeaderValue;

/// The header fields of a request.
pub(super) trait Fields {
    /// The values of the lines of that name, in their order (RFC 9110, section 5.2).
    fn lines(&self, name: HeaderName) -> impl Iterator<Item = &[u8]>;

    /// The value, where there is exactly one line of that name.
    fn only(&self, name: HeaderName) -> Option<&[u8]> {
        let mut lines = self.lines(name);
        lines.next().filter(|_| lines.next().is_none())
    }

    /// The values that are visible ASCII, as text.
    fn texts(&self, name: HeaderName) -> impl Iterator<Item = &str> {
        self.lines(name).filter_map(text)
    }
}

impl Fields for HeaderMap {
    fn lines(&self, name: HeaderName) -> impl Iterator<Item = &[u8]> {
        self.get_all(name).into_iter().map(HeaderValue::as_bytes)
    }
}

impl Fields for [httparse::Header<'_>] {
    fn lines(&self, name: HeaderName) -> impl Iterator<Item = &[u8]> {
        let length = name.as_str().len();
        let named = move |field: &&httparse::Header<'_>| {
            field.name.len() == length && field.name.eq_ignore_ascii_case(name.as_str())
        };
        self.iter().filter(named).map(|field| field.value)
    }
}

/// The header fields of an answer.
pub(super) trait Put {
    /// Puts down this field, which is not there yet. Its value is of our own words, which are fit for
    /// one.
    fn put(&mut self, name: HeaderName, value: &[u8]);
}

impl Put for HeaderMap {
    fn put(&mut self, name: HeaderName, value: &[u8]) {
        if let Ok(value) = HeaderValue::from_bytes(value) {
            self.insert(name, value);
        }
    }
}

/// A value as text. Other control characters than tabs are in none.
fn text(value: &[u8]) -> Option<&str> {
    let value = value.is_ascii().then_some(value)?;
    str::from_utf8(value).ok()
}
