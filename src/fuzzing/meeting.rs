//! A meeting's names, and what becomes of what WeCom sends: a meeting, and each of its views.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "whatever is not as it must be ends the run"
)]

use std::io::Read as _;

use flate2::read::GzDecoder;
use serde::de::IgnoredAny;
use serde_json::Value;

use crate::meeting::Meeting;
use crate::meeting::MeetingCode;
use crate::meeting::MeetingId;
use crate::meeting::Selector;
use crate::meeting::view::Encoding;
use crate::meeting::view::Part;
use crate::meeting::view::Reveal;
use crate::meeting::view::Text;
use crate::meeting::view::Views;
use crate::service;
use crate::wecom;

/// The parts that are withheld, and the paths of each as `redacted` names them, in its order.
const WITHHELD: [(Part, &[&str]); 3] = [
    (Part::Secrets, &["/settings/password", "/settings/host_key"]),
    (Part::Phones, &["/guests/*/phone_number"]),
    (Part::Extra, &["/extra"]),
];

/// More brackets than this and a body may go deeper than we read.
const BRACKETS_MAX: usize = 120;

/// What our JSON library keeps for itself: an object with such a key is not taken for one.
const RESERVED_KEYS: &str = "$serde_json::private::";

/// A text is a number if it has its digits, and nothing besides but what people put between them;
/// however it is spelled, it is the same number. It is an id if it is one letter for letter.
pub(super) fn names(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else {
        return;
    };
    if let Ok(code) = text.parse::<MeetingCode>() {
        number(text, &code);
    } else {
        let is_plain = text.bytes().all(|byte| b"0123456789- ".contains(&byte));
        let has_its_digits = (6..=12).contains(&digits_in(text).len());
        assert!(!is_plain || !has_its_digits, "{text:?} is a number");
    }
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    let is_id = (1..=128).contains(&text.len()) && text.bytes().all(fits) && text != "by-code";
    let id = text.parse::<MeetingId>().ok();
    let as_it_came = is_id.then_some(text);
    assert_eq!(id.as_ref().map(MeetingId::as_str), as_it_came);
}

fn number(text: &str, code: &MeetingCode) {
    let digits = code.as_str();
    assert!((6..=12).contains(&digits.len()), "{text:?}");
    assert_eq!(digits_in(text), digits, "{text:?}");
    let (first, rest) = digits.split_at(3);
    for spelled in [
        digits.to_owned(),
        digits.chars().filter_map(full_width).collect(),
        format!("{first}-{rest}"),
        format!("\u{2212}{text}\u{3000}"),
    ] {
        assert_eq!(spelled.parse().as_ref(), Ok(code), "{spelled:?}");
    }
}

/// The digits in a text, in their order, as ASCII.
fn digits_in(text: &str) -> String {
    let ascii = |letter: char| {
        let same = |digit: &char| *digit == letter || full_width(*digit) == Some(letter);
        ('0'..='9').find(same)
    };
    text.chars().filter_map(ascii).collect()
}

fn full_width(digit: char) -> Option<char> {
    char::from_u32(u32::from(digit) - u32::from('0') + u32::from('０'))
}

/// An answer that is an object becomes a meeting. Each view of it has every key, tells what it
/// withholds, and withholds it.
pub(super) fn normalised(body: &[u8]) {
    let by_code = Selector::Code("446153273".parse().expect("a code"));
    let by_id = Selector::Id("m1".parse().expect("an id"));
    for selector in [&by_code, &by_id] {
        let Some(meeting) = wecom::fuzzing::meeting(body, selector) else {
            assert!(!is_object(body), "an object is no meeting");
            return;
        };
        service::fuzzing::believed(&meeting, selector);
        if selector == &by_id {
            views(meeting);
        }
    }
    wecom::fuzzing::canaries(body);
}

/// Whether a body is one JSON object, to somebody who reads no more of it than that.
fn is_object(body: &[u8]) -> bool {
    let Ok(text) = str::from_utf8(body) else {
        return false;
    };
    let brackets = text.bytes().filter(|byte| b"[{".contains(byte)).count();
    if brackets > BRACKETS_MAX || text.contains(RESERVED_KEYS) {
        return false;
    }
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    text.trim_ascii_start().starts_with('{') && serde_json::from_str::<IgnoredAny>(text).is_ok()
}

fn views(mut meeting: Meeting) {
    let views = Views::of(&mut meeting);
    let open = read(views.text(Reveal::NOTHING)).expect("JSON");
    let nobodys = Views::of(&mut Meeting::default());
    let nobodys = read(nobodys.text(Reveal::NOTHING)).expect("JSON");
    assert_eq!(keys(&open), keys(&nobodys));
    for bits in 0..1 << WITHHELD.len() {
        let parts = WITHHELD.iter().enumerate();
        let (shown, hidden): (Vec<_>, Vec<_>) = parts.partition(|(bit, _)| bits & (1 << bit) != 0);
        let reveal: Reveal = shown.iter().map(|(_, (part, _))| *part).collect();
        let hidden = hidden.iter().flat_map(|(_, (_, paths))| *paths);
        let text = views.text(reveal);
        packed(text);
        match read(text) {
            Some(body) => view(body, &hidden.copied().collect::<Vec<_>>(), &open),
            // What goes as deep as we read goes deeper where `extra` is around it.
            None => assert!(reveal.shows(Part::Extra)),
        }
    }
}

/// One view, in which these paths are hidden, beside the one that everybody may see.
fn view(mut body: Value, hidden: &[&str], open: &Value) {
    let named = hidden.iter().map(|path| written(path));
    assert_eq!(body["redacted"], named.collect::<Value>());
    for path in hidden {
        each(&mut body, path, |value| {
            assert!(value.is_null(), "{path}: {value}");
        });
        // In `extra` is what has no key of its own, and it may be a secret all the same.
        let (_, name) = path.rsplit_once('/').expect("a path");
        let astray = wecom::fuzzing::leaves(&body["extra"], Some(&[name]));
        assert!(astray.is_empty(), "{path}: {astray:?}");
    }
    // More is shown in these places, and nothing else is different.
    for path in WITHHELD.iter().flat_map(|(_, paths)| *paths) {
        each(&mut body, path, |value| *value = Value::Null);
    }
    body["redacted"] = open["redacted"].clone();
    assert_eq!(keys(&body), keys(open));
    assert_eq!(body, *open);
}

fn keys(body: &Value) -> Vec<String> {
    let body = body.as_object().expect("an object");
    body.keys().cloned().collect()
}

/// A path as people write it.
fn written(path: &str) -> String {
    let path = path.trim_start_matches('/').replace("/*", "[]");
    path.replace('/', ".")
}

/// What stands there, however often, and if it does at all.
fn each(value: &mut Value, path: &str, mut visit: impl FnMut(&mut Value)) {
    let Some((list, rest)) = path.split_once("/*") else {
        value.pointer_mut(path).map(visit);
        return;
    };
    let items = value.pointer_mut(list).and_then(Value::as_array_mut);
    for item in items.into_iter().flatten() {
        item.pointer_mut(rest).map(&mut visit);
    }
}

/// Whoever takes it compressed has the same in the end.
fn packed(text: &Text) {
    let (_, gzip) = text.encoded(Encoding::Gzip);
    if gzip != text.bytes() {
        let mut plain = Vec::new();
        let unpacked = GzDecoder::new(&gzip[..]).read_to_end(&mut plain);
        assert!(unpacked.is_ok() && plain == *text.bytes());
    }
    let (_, zstd) = text.encoded(Encoding::Zstd);
    if zstd != text.bytes() {
        let plain = zstd::bulk::decompress(zstd, text.bytes().len());
        assert!(plain.is_ok_and(|plain| plain == *text.bytes()));
    }
}

/// What a body says, for callers who read as deep as we do. It is JSON in any case.
fn read(text: &Text) -> Option<Value> {
    serde_json::from_slice::<IgnoredAny>(text.bytes()).expect("JSON");
    serde_json::from_slice(text.bytes()).ok()
}
