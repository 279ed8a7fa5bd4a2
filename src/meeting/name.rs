//! The names a meeting goes by: WeCom's id, and the number that people dial.
//!
//! Text is checked once, where it comes in. Whoever holds one of these types need not check again.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;
use thiserror::Error;
use utoipa::PartialSchema;
use utoipa::ToSchema;
use utoipa::openapi::ObjectBuilder;
use utoipa::openapi::RefOr;
use utoipa::openapi::Type;
use utoipa::openapi::schema::Schema;

use super::word::Word;

/// WeCom's name of a meeting, or of one occurrence of it: 1 to [`MeetingId::LEN_MAX`] characters
/// of `A-Z a-z 0-9 _ -`, case-sensitive, otherwise opaque.
///
/// Having one in hand means the text has been checked. It is safe as a cache key, in a log line
/// and in a URL path.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(transparent)]
pub struct MeetingId(Word);

/// The text is no [`MeetingId`].
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[error("a meeting id has 1 to 128 characters of A-Z a-z 0-9 _ -, and is not \"by-code\"")]
pub struct InvalidMeetingId;

impl MeetingId {
    /// Characters at most. Ids of 20 to 32 have been seen.
    pub const LEN_MAX: usize = 128;

    /// The word that our own routes use where an id would stand.
    const RESERVED: &str = "by-code";

    /// The id as WeCom wrote it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Bytes in memory besides its own size.
    pub fn heap_bytes(&self) -> usize {
        self.0.heap_bytes()
    }
}

impl FromStr for MeetingId {
    type Err = InvalidMeetingId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
        let length_allowed = (1..=Self::LEN_MAX).contains(&text.len());
        // All of it is looked at, which is done many bytes at a time.
        let all_allowed = text.bytes().fold(true, |all, byte| all & allowed(byte));
        if length_allowed && all_allowed && text != Self::RESERVED {
            Ok(Self(text.into()))
        } else {
            Err(InvalidMeetingId)
        }
    }
}

impl PartialSchema for MeetingId {
    fn schema() -> RefOr<Schema> {
        let length = Self::LEN_MAX;
        let reserved = Self::RESERVED;
        texts_like(format!("^(?!{reserved}$)[A-Za-z0-9_-]{{1,{length}}}$"))
    }
}

impl ToSchema for MeetingId {}

impl fmt::Display for MeetingId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The number behind which people find a meeting: 6 to 12 ASCII digits, however they wrote it.
///
/// A number is handed on: what it stands for today, it may not stand for tomorrow.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(transparent)]
pub struct MeetingCode(Word);

/// The text is no [`MeetingCode`].
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[error("a meeting code has 6 to 12 digits; spaces and dashes between them do not count")]
pub struct InvalidMeetingCode;

impl MeetingCode {
    const LEN_MIN: usize = 6;
    const LEN_MAX: usize = 12;

    /// The digits alone.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for MeetingCode {
    type Err = InvalidMeetingCode;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // As most programs write it.
        let is_bare = text.bytes().all(|byte| byte.is_ascii_digit());
        if is_bare && (Self::LEN_MIN..=Self::LEN_MAX).contains(&text.len()) {
            return Ok(Self(text.into()));
        }
        let mut digits = String::new();
        for letter in text.chars().filter(|&letter| !is_separator(letter)) {
            digits.push(ascii_digit(letter).ok_or(InvalidMeetingCode)?);
            if digits.len() > Self::LEN_MAX {
                return Err(InvalidMeetingCode);
            }
        }
        if digits.len() < Self::LEN_MIN {
            return Err(InvalidMeetingCode);
        }
        Ok(Self(digits.as_str().into()))
    }
}

impl PartialSchema for MeetingCode {
    fn schema() -> RefOr<Schema> {
        let separators = separators();
        let (min, max) = (Self::LEN_MIN, Self::LEN_MAX);
        let digit = "[0-9\\uFF10-\\uFF19]";
        texts_like(format!(
            "^[{separators}]*(?:{digit}[{separators}]*){{{min},{max}}}$"
        ))
    }
}

impl ToSchema for MeetingCode {}

impl fmt::Display for MeetingCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Texts that a pattern describes, in the words of ECMA-262.
fn texts_like(pattern: String) -> RefOr<Schema> {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .pattern(Some(pattern))
        .into()
}

/// The separators, as they stand in a class of a pattern. The two that need more than four
/// hexadecimal digits are left out: not every reader of patterns can write them.
fn separators() -> String {
    let written = (0..=u16::MAX)
        .filter(|&unit| char::from_u32(unit.into()).is_some_and(is_separator))
        .map(|unit| format!("\\u{unit:04X}"));
    written.collect()
}

/// What people put between the groups of a number: spaces and tabs, and every character that
/// Unicode counts among the dashes (property `Dash`), the minus sign U+2212 with them.
fn is_separator(letter: char) -> bool {
    let dash = matches!(
        letter,
        '-' | '\u{58a}' | '\u{5be}' | '\u{1400}' | '\u{1806}' | '\u{2010}'
            ..='\u{2015}'
                | '\u{2053}'
                | '\u{207b}'
                | '\u{208b}'
                | '\u{2212}'
                | '\u{2e17}'
                | '\u{2e1a}'
                | '\u{2e3a}'
                | '\u{2e3b}'
                | '\u{2e40}'
                | '\u{2e5d}'
                | '\u{301c}'
                | '\u{3030}'
                | '\u{30a0}'
                | '\u{fe31}'
                | '\u{fe32}'
                | '\u{fe58}'
                | '\u{fe63}'
                | '\u{ff0d}'
                | '\u{10d6e}'
                | '\u{10ead}'
    );
    dash || (letter.is_whitespace() && !is_line_end(letter))
}

fn is_line_end(letter: char) -> bool {
    matches!(letter, '\n'..='\r' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

/// The ASCII digit that this one, ASCII or full-width (U+FF10 to U+FF19), stands for.
fn ascii_digit(letter: char) -> Option<char> {
    match letter {
        '0'..='9' => Some(letter),
        '\u{ff10}'..='\u{ff19}' => {
            let value = u32::from(letter) - u32::from('\u{ff10}');
            char::from_digit(value, 10)
        }
        _ => None,
    }
}

/// How a meeting is asked for: WeCom takes exactly one of the two.
#[derive(Clone, Debug, Eq, Hash, PartialEq, Serialize)]
pub enum Selector {
    /// By the number that people dial.
    #[serde(rename = "meeting_code")]
    Code(MeetingCode),
    /// By WeCom's own name.
    #[serde(rename = "meeting_id")]
    Id(MeetingId),
}

impl Selector {
    /// The id or the code, without saying which it is.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Code(code) => code.as_str(),
            Self::Id(id) => id.as_str(),
        }
    }

    /// Bytes in memory besides its own size.
    pub fn heap_bytes(&self) -> usize {
        match self {
            Self::Code(MeetingCode(code)) => code.heap_bytes(),
            Self::Id(id) => id.heap_bytes(),
        }
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => write!(f, "by-code/{code}"),
            Self::Id(id) => id.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ids_seen_in_the_wild_are_ids() {
        for text in [
            "hyXG0RCQAAogMgFb9Tx_b-1-lhJRWvvg",
            "98765432109876543210",
            "a",
            &"x".repeat(128),
        ] {
            assert_eq!(
                text.parse::<MeetingId>().map(|id| id.to_string()),
                Ok(text.to_owned())
            );
        }
    }

    #[test]
    fn other_text_is_no_id() {
        let long = "x".repeat(129);
        for text in [
            "", "by-code", "a/b", "a b", "a\0", "a\r\nb", "会议", "a.b", "a%2Fb", &long,
        ] {
            assert_eq!(text.parse::<MeetingId>(), Err(InvalidMeetingId), "{text:?}");
        }
    }

    #[test]
    fn every_spelling_of_a_number_is_the_same_number() {
        for text in [
            "446153273",
            "446-153-273",
            "446 153 273",
            "４４６１５３２７３",
            "446\u{2212}153\u{2013}273",
            " 446\u{3000}153\u{a0}273\t",
            "446－153－273",
            "—446—153—273—",
        ] {
            let code: MeetingCode = text
                .parse()
                .unwrap_or_else(|_| panic!("{text:?} is a number"));
            assert_eq!(code.as_str(), "446153273", "{text:?}");
        }
    }

    #[test]
    fn other_text_is_no_number() {
        for text in [
            "",
            "12345",
            "1234567890123",
            "44615327x",
            "446.153.273",
            "٤٤٦١٥٣٢٧٣",
            "会议号446153273",
            "446\r\n153273",
            "446153\n273",
            "---",
        ] {
            assert_eq!(
                text.parse::<MeetingCode>(),
                Err(InvalidMeetingCode),
                "{text:?}"
            );
        }
    }

    #[test]
    fn a_number_is_described_as_it_is_taken() {
        let schema = serde_json::to_value(MeetingCode::schema()).expect("JSON");
        let pattern = schema["pattern"].as_str().expect("a pattern");
        for unit in 0..=u16::MAX {
            let Some(letter) = char::from_u32(unit.into()) else {
                continue;
            };
            let described = pattern.matches(&format!("\\u{unit:04X}")).count();
            let is_taken = format!("123{letter}456").parse::<MeetingCode>();
            let is_separator = is_taken.is_ok_and(|code| code.as_str() == "123456");
            // Twice: before the digits, and after each of them.
            let ends_a_range = matches!(unit, 0xff10 | 0xff19);
            let expected = 2 * usize::from(is_separator) + usize::from(ends_a_range);
            assert_eq!(described, expected, "U+{unit:04X}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_a_number_of_6_to_12_digits_or_none(text in "\\PC*") {
            if let Ok(code) = text.parse::<MeetingCode>() {
                prop_assert!((6..=12).contains(&code.as_str().len()));
                prop_assert!(code.as_str().bytes().all(|byte| byte.is_ascii_digit()));
                prop_assert_eq!(code.as_str().parse::<MeetingCode>(), Ok(code.clone()));
            }
        }
    }
}
