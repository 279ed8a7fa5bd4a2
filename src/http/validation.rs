//! Whether a caller already has what it asks for: `ETag` and `If-None-Match` (RFC 9110, sections
//! 8.8.3 and 13.1.2).
//!
//! A tag is weak, as the same one stands for every encoding of the same text.

use http::HeaderMap;
use http::HeaderValue;
use http::header::IF_NONE_MATCH;

use super::words::Words;

/// The tag of a text with this digest.
pub(super) fn etag(digest: [u8; 16]) -> HeaderValue {
    let mut words = Words::new();
    words.text("W/\"").hexadecimal(digest).text("\"").value()
}

/// Whether `If-None-Match` names this tag, or any (`*`). Compared weakly.
pub(super) fn is_known(headers: &HeaderMap, etag: &HeaderValue) -> bool {
    let tag = etag.as_bytes();
    let opaque = tag.strip_prefix(b"W/").unwrap_or(tag);
    headers
        .get_all(IF_NONE_MATCH)
        .into_iter()
        .any(|line| names(line, opaque))
}

fn names(line: &HeaderValue, opaque: &[u8]) -> bool {
    let line = line.as_bytes();
    line.trim_ascii() == b"*" || tags(line).any(|tag| tag == opaque)
}

/// The tags in a list, with their quotes and without `W/`, of whatever bytes they are. Ends at the
/// first thing that is none.
fn tags(mut list: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        while let [b' ' | b'\t' | b',', rest @ ..] = list {
            list = rest;
        }
        let tag = list.strip_prefix(b"W/").unwrap_or(list);
        let inside = tag.strip_prefix(b"\"")?;
        let length = inside.iter().position(|&byte| byte == b'"')? + 2;
        let (tag, rest) = tag.split_at_checked(length)?;
        list = rest;
        Some(tag)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn known(lines: &[&str], etag: &str) -> bool {
        let value = |line: &str| HeaderValue::from_bytes(line.as_bytes()).expect("a value");
        let line = |line: &&str| (IF_NONE_MATCH, value(line));
        is_known(&lines.iter().map(line).collect(), &value(etag))
    }

    #[test]
    fn a_tag_is_known_in_every_form_of_the_list() {
        let etag = etag([0xab; 16]);
        let etag = etag.to_str().expect("text");
        let opaque = etag.trim_start_matches("W/");
        for (lines, expected) in [
            (vec![etag], true),
            (vec![opaque], true),
            (vec!["*"], true),
            (vec![" * "], true),
            (vec!["\"a\", W/\"b,c\"", etag], true),
            (vec![&format!("\"a\",,  {etag} ,\"b\"")], true),
            (vec![&format!("\"caf\u{e9}\", {etag}")], true),
            (vec!["\"a\""], false),
            (vec![opaque.trim_matches('"')], false),
            (vec![&format!("broken, {etag}")], false),
            (vec!["\"unfinished"], false),
            (vec![""], false),
            (vec![], false),
        ] {
            assert_eq!(known(&lines, etag), expected, "{lines:?}");
        }
    }

    proptest! {
        #[test]
        fn any_line_is_a_list(line in "[ -~]{0,60}") {
            known(&[&line], "W/\"01\"");
        }
    }
}
