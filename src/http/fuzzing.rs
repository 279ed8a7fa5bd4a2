//! What must be true of a request, whoever wrote it.

use std::time::Duration;

use http::HeaderMap;
use http::HeaderName;
use http::HeaderValue;
use http::header::CACHE_CONTROL;
use http::header::IF_NONE_MATCH;

use super::directives;
use super::head;
use super::head::HEAD_BYTES_MAX;
use super::head::HeadReader;
use super::head::Verdict;
use super::validation;

pub(crate) use super::access::fuzzing::jwks;
pub(crate) use super::access::fuzzing::jwt;

/// The values that the lines of some text can be.
fn values(text: &[u8]) -> Vec<HeaderValue> {
    let lines = text.split(|byte| *byte == b'\n');
    let values = lines.filter_map(|line| HeaderValue::from_bytes(line).ok());
    values.collect()
}

fn fields<'a>(name: &HeaderName, values: impl IntoIterator<Item = &'a HeaderValue>) -> HeaderMap {
    let values = values.into_iter().cloned();
    values.map(|value| (name.clone(), value)).collect()
}

/// A wish is the same in whatever order and case its directives come, and however often. Its times
/// can be reckoned with.
pub(crate) fn cache_control(text: &[u8]) {
    let wish = |values: &[HeaderValue]| directives::wish(&fields(&CACHE_CONTROL, values));
    let lines = values(text);
    let wished = wish(&lines);
    let longest = Duration::from_secs(u64::from(u32::MAX));
    let bounded = |time: Option<Duration>| time.is_none_or(|time| time <= longest);
    assert!(
        bounded(wished.max_age) && bounded(wished.min_fresh),
        "{wished:?}"
    );
    let any_age = wished.max_stale == Some(Duration::MAX);
    assert!(any_age || bounded(wished.max_stale), "{wished:?}");

    let backwards: Vec<_> = lines.iter().rev().cloned().collect();
    let twice = [&lines[..], &lines].concat();
    let louder = values(&text.to_ascii_uppercase());
    for same in [backwards, twice, louder] {
        assert_eq!(wish(&same), wished, "{same:?}");
    }
    let more = [&lines[..], &values(b"no-cache\nonly-if-cached")].concat();
    let more = wish(&more);
    assert!(
        more.only_if_cached && more.max_age == Some(Duration::ZERO),
        "{more:?}"
    );
}

/// A caller has what we have if it says so, with that very tag or with `*`; whatever else it says.
pub(crate) fn if_none_match(text: &[u8]) {
    let tag = validation::etag([0xab; 16]);
    let written = str::from_utf8(tag.as_bytes()).unwrap_or_default();
    let opaque = written.trim_start_matches("W/");
    let is_known = |values: &[HeaderValue]| {
        validation::is_known(&fields(&IF_NONE_MATCH, values), tag.as_bytes())
    };
    let lines = values(text);
    let is_any = |line: &HeaderValue| line.as_bytes().trim_ascii() == b"*";
    let has_tag = |line: &HeaderValue| {
        let mut parts = line.as_bytes().windows(opaque.len());
        parts.any(|part| part == opaque.as_bytes())
    };
    let (any, named) = (lines.iter().any(is_any), lines.iter().any(has_tag));
    let known = is_known(&lines);
    assert!(known || !any, "{lines:?}");
    assert!(!known || any || named, "{lines:?}");
    for line in [written, opaque, "*"] {
        let more = [&lines[..], &values(line.as_bytes())].concat();
        assert!(is_known(&more), "{more:?}");
    }
}

/// A head is let in if nobody can read it in another way, and however much of it comes at a time.
/// One that is not is replaced by a plain one.
pub(crate) fn head(received: &[u8]) {
    let verdict = inspected(&mut HeadReader::default(), received);
    for step in [1, 7, 1000] {
        let decided = decided(received, step);
        match (decided, verdict) {
            // What is too large may be wrong besides: it is told which is seen first.
            (Err(_), Err(_)) => assert!(decided == verdict || HEAD_BYTES_MAX < received.len()),
            (decided, verdict) => assert_eq!(decided, verdict, "{step} bytes at a time"),
        }
    }
    match verdict {
        Ok(None) => assert!(received.len() <= HEAD_BYTES_MAX),
        Ok(Some(length)) => unambiguous(received.get(..length).unwrap_or_default()),
        // Whatever it was, there is a request in its place.
        Err(_) => drop(head::stand_in(received)),
    }
}

/// How long the head is, if it may be let in.
fn inspected(reader: &mut HeadReader, received: &[u8]) -> Result<Option<usize>, Verdict> {
    let head = reader.inspect(received, |head| head.to_request().map(drop))?;
    Ok(head.map(|((), length)| length))
}

/// The first verdict where so much comes at a time.
fn decided(received: &[u8], step: usize) -> Result<Option<usize>, Verdict> {
    let mut reader = HeadReader::default();
    let lengths = (1..received.len()).step_by(step).chain([received.len()]);
    let came = |length| received.get(..length).unwrap_or_default();
    let mut verdicts = lengths.map(|length| inspected(&mut reader, came(length)));
    verdicts
        .find(|verdict| *verdict != Ok(None))
        .unwrap_or(Ok(None))
}

/// Read as plainly as can be: one `Host`, no body, and lines that end where everybody thinks so.
fn unambiguous(head: &[u8]) {
    let text = String::from_utf8_lossy(head).to_ascii_lowercase();
    let lines = text.strip_suffix("\r\n\r\n").unwrap_or_default();
    assert!(
        !lines.replace("\r\n", "").contains(['\r', '\n', '\0']),
        "{text:?}"
    );
    let fields = lines.split("\r\n").skip(1);
    let values = |name: &str| {
        let named = fields.clone().filter_map(|field| field.split_once(':'));
        let named = named.filter(|(known, _)| *known == name);
        named.map(|(_, value)| value.trim()).collect::<Vec<_>>()
    };
    assert_eq!(values("host").len(), 1, "{text:?}");
    assert!(values("transfer-encoding").is_empty(), "{text:?}");
    assert!(
        ["", "0"].contains(&values("content-length").join(",").as_str()),
        "{text:?}"
    );
    assert!(
        !fields.clone().any(|field| field.starts_with([' ', '\t'])),
        "{text:?}"
    );
}
