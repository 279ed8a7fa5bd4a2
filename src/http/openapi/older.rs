//! The document in OpenAPI 3.0.3, made from the one in 3.1.
//!
//! | 3.1 has | 3.0.3 has |
//! |---|---|
//! | `"type": ["string", "null"]` | `"type": "string", "nullable": true` |
//! | `"oneOf": [OBJECT, {"type": "null"}]` | `"allOf": [OBJECT], "type": "object", "nullable": true` |
//! | `"examples": […]` of a shape | `"example": …` |
//! | the licence's `identifier`, `propertyNames` | nothing of the kind |

use serde_json::Value;

use super::Members;
use super::change_each;
use super::within;

/// The same document in OpenAPI 3.0.3.
pub(super) fn made_from(mut document: Members) -> Members {
    document.insert("openapi".to_owned(), Value::from("3.0.3"));
    if let Some(license) = within(&mut document, &["info", "license"]) {
        license.shift_remove("identifier");
    }
    for part in document.values_mut() {
        change_each(part, &grow_older);
    }
    document
}

fn grow_older(members: &mut Members) {
    members.shift_remove("propertyNames");
    take_null_out(members);
    keep_one_example(members);
}

fn take_null_out(shape: &mut Members) {
    let is_null = |shape: &Value| shape.get("type").is_some_and(|name| name == "null");
    if let Some(Value::Array(names)) = shape.get_mut("type") {
        names.retain(|name| name != "null");
        let name = names.pop().unwrap_or_default();
        shape.insert("type".to_owned(), name);
        shape.insert("nullable".to_owned(), Value::Bool(true));
    }
    let Some(Value::Array(shapes)) = shape.get_mut("oneOf") else {
        return;
    };
    if shapes.iter().any(is_null) {
        shapes.retain(|shape| !is_null(shape));
        let shapes = std::mem::take(shapes);
        shape.shift_remove("oneOf");
        shape.insert("type".to_owned(), Value::from("object"));
        shape.insert("allOf".to_owned(), Value::Array(shapes));
        shape.insert("nullable".to_owned(), Value::Bool(true));
    }
}

fn keep_one_example(shape: &mut Members) {
    if let Some(Value::Array(examples)) = shape.get_mut("examples") {
        let example = examples.drain(..).next().unwrap_or_default();
        shape.shift_remove("examples");
        shape.insert("example".to_owned(), example);
    }
}
