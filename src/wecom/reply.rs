//! Whether an object that WeCom answered is a success.
//!
//! On success `errcode` may be missing; on failure it may stand behind defaults that look like an
//! answer. So it is looked for before anything else is read.

use serde_json::Map;
use serde_json::Value;

use super::Fault;
use super::fault::Garbled;

/// The number of the error, or `None` for a success.
pub(super) fn errcode(object: &Map<String, Value>) -> Result<Option<i64>, Fault> {
    match object.get("errcode") {
        None | Some(Value::Null) => Ok(None),
        Some(_) => match number(object, "errcode") {
            Some(0) => Ok(None),
            Some(errcode) => Ok(Some(errcode)),
            None => Err(Fault::Garbled(Garbled::Incomplete("errcode"))),
        },
    }
}

/// A whole number, which WeCom sends as a number or as a numeric string.
pub(super) fn number(object: &Map<String, Value>, name: &str) -> Option<i64> {
    match object.get(name)? {
        Value::Number(number) => number.as_i64(),
        Value::String(text) => text.parse().ok(),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}
