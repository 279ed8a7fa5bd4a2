//! The shapes, as callers read them.
//!
//! Every key is always there, so it is required, and what may be missing at WeCom may be `null`. A
//! word or a time stands where it is used, with its meaning there; an object has a name of its own.
//! Every key has an example: what it is in the example of the whole.

use serde_json::Value;
use serde_json::json;

use super::Members;
use super::example;
use super::operations;
use super::within;
use crate::http::problem::Kind;

/// Where the shapes stand that others refer to.
const SHAPES: [&str; 2] = ["components", "schemas"];

/// Settles them.
pub(super) fn settle(document: &mut Members) {
    let Some(shapes) = within(document, &SHAPES) else {
        return;
    };
    let (objects, words) = std::mem::take(shapes)
        .into_iter()
        .partition::<Members, _>(|(_, shape)| is_object(shape));
    *shapes = objects;
    for shape in shapes.values_mut() {
        spell_out(shape, &words);
        say_outside(shape);
        require_every_key(shape);
    }
    let problem = example::problem(Kind::WecomUnavailable);
    for (name, example) in [("Meeting", example::whole()), ("Problem", problem)] {
        exemplify(name, &example, shapes);
    }
    document.values_mut().for_each(join_lines);
    for (_, operation) in operations(document) {
        if let Some(Value::Array(parameters)) = operation.get_mut("parameters") {
            parameters.iter_mut().for_each(never_null);
        }
    }
}

fn is_object(shape: &Value) -> bool {
    shape.get("properties").is_some() || shape.get("allOf").is_some()
}

/// The name of the shape that this one refers to.
fn referred(shape: &Value) -> Option<&str> {
    shape.get("$ref")?.as_str()?.rsplit('/').next()
}

/// Puts words and times where they are used, in place of a reference to them, and says beside them
/// whether there may be none.
fn spell_out(shape: &mut Value, words: &Members) {
    match shape {
        Value::Array(items) => items.iter_mut().for_each(|item| spell_out(item, words)),
        Value::Object(members) => {
            members
                .values_mut()
                .for_each(|member| spell_out(member, words));
            if let Some(spelled) = referred(shape).and_then(|name| words.get(name)) {
                replace(shape, spelled.clone());
            } else {
                join_null(shape);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Replaces a reference, of which the description stays: it says more.
fn replace(reference: &mut Value, mut shape: Value) {
    if let (Some(shape), Some(description)) = (shape.as_object_mut(), reference.get("description"))
    {
        shape.insert("description".to_owned(), description.clone());
    }
    *reference = shape;
}

/// Makes one shape of a word and of null, where null is the other possibility.
fn join_null(shape: &mut Value) {
    let alternatives = shape.get("oneOf").and_then(Value::as_array);
    let Some([word, null]) = alternatives.map(Vec::as_slice) else {
        return;
    };
    let (Some(name), Some(Value::Object(word))) = (word.get("type"), Some(word)) else {
        return;
    };
    if !is_null(null) {
        return;
    }
    let mut joined = word.clone();
    joined.insert("type".to_owned(), json!([name, "null"]));
    if let Some(Value::Array(words)) = joined.get_mut("enum") {
        words.push(Value::Null);
    }
    replace(shape, Value::Object(joined));
}

fn is_null(shape: &Value) -> bool {
    shape.get("type").is_some_and(|name| name == "null")
}

/// Moves what is said beside a reference out of it, to the shape around it: a reference stands alone.
fn say_outside(shape: &mut Value) {
    match shape {
        Value::Array(items) => items.iter_mut().for_each(say_outside),
        Value::Object(members) => {
            members.values_mut().for_each(say_outside);
            for list in ["oneOf", "allOf"] {
                let parts = members.get_mut(list).and_then(Value::as_array_mut);
                let mut parts = parts.into_iter().flatten().filter(|part| refers(part));
                let reference = parts.next().and_then(Value::as_object_mut);
                let said = reference.and_then(|members| members.shift_remove("description"));
                if let Some(said) = said {
                    members.entry("description").or_insert(said);
                }
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Makes one line of what the code breaks into several for its own sake; paragraphs and lists stay.
fn join_lines(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(join_lines),
        Value::Object(members) => {
            members.values_mut().for_each(join_lines);
            if let Some(Value::String(text)) = members.get_mut("description") {
                let paragraphs = text.split("\n\n").map(|paragraph| {
                    let lines = paragraph.replace("\n* ", "\r").replace('\n', " ");
                    lines.replace('\r', "\n* ")
                });
                *text = paragraphs.collect::<Vec<_>>().join("\n\n");
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Says that every key is always there, `null` or not.
fn require_every_key(shape: &mut Value) {
    match shape {
        Value::Array(items) => items.iter_mut().for_each(require_every_key),
        Value::Object(members) => {
            members.values_mut().for_each(require_every_key);
            if let Some(Value::Object(properties)) = members.get("properties") {
                let names = properties.keys().map(|name| Value::from(name.as_str()));
                let names = names.collect();
                members.insert("required".to_owned(), Value::Array(names));
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Gives every key that holds no object an example: what it is in the example of the whole.
fn exemplify(name: &str, example: &Value, shapes: &mut Members) {
    let Some(mut shape) = shapes.get(name).cloned() else {
        return;
    };
    exemplify_shape(&mut shape, example, shapes);
    shapes.insert(name.to_owned(), shape);
}

fn exemplify_shape(shape: &mut Value, example: &Value, shapes: &mut Members) {
    if let Some(name) = referred(shape).map(str::to_owned) {
        exemplify(&name, example, shapes);
    } else if shape.get("items").is_some_and(refers) {
        if let (Some(items), Some(first)) = (shape.get_mut("items"), example.get(0)) {
            exemplify_shape(items, first, shapes);
        }
    } else if let Some(parts) = parts(shape) {
        for part in parts {
            exemplify_shape(part, example, shapes);
        }
    } else if let Some(Value::Object(properties)) = shape.get_mut("properties") {
        for (name, property) in properties {
            if let Some(example) = example.get(name) {
                exemplify_shape(property, example, shapes);
            }
        }
    } else if !is_null(shape)
        && let Some(members) = shape.as_object_mut()
    {
        members.insert("examples".to_owned(), json!([example]));
    }
}

/// The shapes that one is made of, where it is made of several.
fn parts(shape: &mut Value) -> Option<&mut Vec<Value>> {
    let members = shape.as_object_mut()?;
    let mut lists = members.iter_mut();
    let list = lists.find(|(name, _)| matches!(name.as_str(), "allOf" | "oneOf"));
    list.and_then(|(_, parts)| parts.as_array_mut())
}

fn refers(shape: &Value) -> bool {
    referred(shape).is_some()
}

/// A parameter that is left out is not sent: none is ever null.
fn never_null(parameter: &mut Value) {
    let name = parameter
        .get_mut("schema")
        .and_then(|schema| schema.get_mut("type"));
    if let Some(name) = name
        && let Value::Array(names) = &*name
        && let Some(first) = names.first()
    {
        *name = first.clone();
    }
}
