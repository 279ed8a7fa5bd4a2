//! Whether a caller already has what it asks for: `ETag` and `If-None-Match` (RFC 9110, sections
//! 8.8.3 and 13.1.2).
//!
//! A tag is weak, as the same one stands for every encoding of the same text.

use http::header::IF_NONE_MATCH;

use super::fields::Fields;
use super::words::Words;

/// The tag of a text with this digest.
pub(super) fn etag(digest: [u8; 16]) -> Words {
    let mut words = Words::new();
    words.text("W/\"").hexadecimal(digest).text("\"");
    words
}

/// Whether `If-None-Match` names this tag, or any.
pub(super) fn is_known(fields: &(impl Fields + ?Sized), etag: &[u8]) -> bool {
    is_listed(fields.lines(IF_NONE_MATCH), etag)
}

/// Whether these lines of it name this tag, or any (`*`). Compared weakly.
pub(super) fn is_listed<'a>(lines: impl IntoIterator<Item = &'a [u8]>, etag: &[u8]) -> bool {
    let opaque = etag.strip_prefix(b"W/").unwrap_or(etag);
    lines.into_iter().any(|line| names(line, opaque))
}

fn names(line: &[u8], opaque: &[u8]) -> bool {
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
        let lines = lines.iter().map(|line| line.as_bytes());
        is_listed(lines, etag.as_bytes())
    }

    #[test]
    fn a_tag_is_known_in_every_form_of_the_list() {
        let etag = etag([0xab; 16]);
        let etag = str::from_utf8(etag.as_bytes()).expect("text");
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
