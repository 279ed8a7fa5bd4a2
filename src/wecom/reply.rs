//! Whether an object that WeCom answered is a success, and how WeCom writes numbers.
//!
//! On success `errcode` may be missing; on failure it may stand behind defaults that look like an
//! answer. So it is looked for before anything else is read.

use serde_json::Map;
use serde_json::Value;

/// The largest whole number that a floating-point number tells from the next.
const EXACT_MAX: f64 = 9_007_199_254_740_991.0;

/// The number of the error, or `None` for a success. What is no number at all counts as not sent:
/// odd data alone makes no error of an answer. For a number that cannot be told exactly, it is the
/// largest or the smallest that can.
pub(super) fn errcode(object: &Map<String, Value>) -> Option<i64> {
    let errcode = object.get("errcode")?;
    number(errcode)
        .or_else(|| beyond(errcode))
        .filter(|&errcode| errcode != 0)
}

/// On which side a number is beyond all that [`number`] tells exactly.
fn beyond(value: &Value) -> Option<i64> {
    let text = match value {
        Value::Number(number) => number.as_str(),
        Value::String(text) => text,
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => return None,
    };
    let (digits, nearest) = match text.strip_prefix('-') {
        Some(digits) => (digits, i64::MIN),
        None => (text, i64::MAX),
    };
    // Rust would read words, too.
    let is_number = digits.starts_with(|first: char| first.is_ascii_digit());
    let size: f64 = digits.parse().ok().filter(|_| is_number)?;
    (size > EXACT_MAX).then_some(nearest)
}

/// A whole number, which WeCom sends as a number or as a numeric string.
pub(super) fn number(value: &Value) -> Option<i64> {
    match value {
        Value::Number(number) => number.as_i64().or_else(|| whole(number.as_f64()?)),
        Value::String(text) => text.parse().ok(),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

/// The whole number that is written as `5.0` or `1e3`, if it is one, and exact.
fn whole(number: f64) -> Option<i64> {
    let is_whole = number.fract() == 0.0 && number.abs() <= EXACT_MAX;
    is_whole
        .then(|| format!("{number:.0}").parse().ok())
        .flatten()
}
