//! The header fields that a request may have.

use serde_json::Value;
use serde_json::json;

use super::Members;
use super::operations;

/// Their names, what they do, and an example. None is needed, and none is refused for what it says:
/// what cannot be read is passed over.
const FIELDS: [(&str, &str, &str); 5] = [
    (
        "Accept-Encoding",
        "`gzip` and `zstd` are there, for bodies over 1 KiB.",
        "gzip",
    ),
    (
        "Cache-Control",
        "How old an answer may be. `no-cache`, `max-age=SECONDS` and `min-fresh=SECONDS` have WeCom \
         asked, but no meeting more often than the service's settings allow; `max-stale` and \
         `max-stale=SECONDS` take what is past its time; `only-if-cached` asks WeCom nothing.",
        "max-age=5",
    ),
    (
        "If-None-Match",
        "The `ETag` of what the caller has already; several, or `*`. Answered with 304 if that is \
         still what it would be sent.",
        "W/\"3f2d1c0b9a8877665544332211000fed\"",
    ),
    (
        "X-Request-Id",
        "The caller's own id of this request: 1 to 128 visible ASCII characters. Anything else is \
         passed over, and the request is given a new one.",
        "calendar-7f3a",
    ),
    (
        "traceparent",
        "The trace that the request belongs to (W3C Trace Context). It is told in the service's log, \
         and never to WeCom.",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    ),
];

/// Adds them to every operation.
pub(super) fn add_to(document: &mut Members) {
    for (_, operation) in operations(document) {
        if let Some(Value::Array(parameters)) = operation.get_mut("parameters") {
            parameters.extend(FIELDS.map(|(name, description, example)| {
                json!({
                    "name": name,
                    "in": "header",
                    "description": description,
                    "required": false,
                    "schema": {"type": "string"},
                    "example": example,
                })
            }));
        }
    }
}
