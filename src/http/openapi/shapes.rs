//! The shapes, as callers read them.
//!
//! Every key is always there, so it is required, and what may be missing at WeCom may be `null`. A
//! word or a time stands where it is used, with its meaning there; an object has a name of its own.
//! Every key has an example: what it is in the example of the whole.

use serde_json::Value;
use serde_json::json;

use super::super::problem::Kind;
use super::Members;
use super::change_each;
use super::example;
use super::operations;
use super::within;

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
        change_each(shape, &|shape| {
            spell_out(shape, &words);
            say_outside(shape);
            require_every_key(shape);
        });
    }
    let problem = example::problem(Kind::WecomUnavailable);
    for (name, example) in [("Meeting", example::whole()), ("Problem", problem)] {
        exemplify(name, &example, shapes);
    }
    for part in document.values_mut() {
        change_each(part, &join_lines);
    }
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
fn referred(shape: &Members) -> Option<&str> {
    shape.get("$ref")?.as_str()?.rsplit('/').next()
}

/// Puts a word or a time where it is used, in place of a reference to it, and says beside it whether
/// there may be none.
fn spell_out(shape: &mut Members, words: &Members) {
    let word = referred(shape).and_then(|name| words.get(name));
    if let Some(Value::Object(word)) = word {
        replace(shape, word.clone());
    } else {
        join_null(shape);
    }
}

/// Replaces a reference, of which the description stays: it says more.
fn replace(reference: &mut Members, mut shape: Members) {
    if let Some(description) = reference.remove("description") {
        shape.insert("description".to_owned(), description);
    }
    *reference = shape;
}

/// Makes one shape of a word and of null, where null is the other possibility.
fn join_null(shape: &mut Members) {
    let alternatives = shape.get("oneOf").and_then(Value::as_array);
    let Some([Value::Object(word), null]) = alternatives.map(Vec::as_slice) else {
        return;
    };
    let Some(name) = word.get("type").filter(|_| is_null(null)) else {
        return;
    };
    let mut joined = word.clone();
    joined.insert("type".to_owned(), json!([name, "null"]));
    if let Some(Value::Array(words)) = joined.get_mut("enum") {
        words.push(Value::Null);
    }
    replace(shape, joined);
}

/// Moves what is said beside a reference out of it, to the shape around it: a reference stands alone.
fn say_outside(shape: &mut Members) {
    for list in ["oneOf", "allOf"] {
        let parts = shape.get_mut(list).and_then(Value::as_array_mut);
        let parts = parts.into_iter().flatten();
        let mut references = parts
            .filter_map(Value::as_object_mut)
            .filter(|part| refers(part));
        let said = references
            .next()
            .and_then(|reference| reference.remove("description"));
        if let Some(said) = said {
            shape.entry("description").or_insert(said);
        }
    }
}

/// Says that every key is always there, `null` or not.
fn require_every_key(shape: &mut Members) {
    if let Some(Value::Object(properties)) = shape.get("properties") {
        let names = properties.keys().map(|name| Value::from(name.as_str()));
        let names = names.collect();
        shape.insert("required".to_owned(), Value::Array(names));
    }
}

/// Makes one line of what the code breaks into several for its own sake; paragraphs and lists stay.
fn join_lines(members: &mut Members) {
    if let Some(Value::String(text)) = members.get_mut("description") {
        let paragraphs = text.split("\n\n").map(|paragraph| {
            let items = paragraph.split("\n* ").map(|item| item.replace('\n', " "));
            items.collect::<Vec<_>>().join("\n* ")
        });
        *text = paragraphs.collect::<Vec<_>>().join("\n\n");
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
    let Some(members) = shape.as_object_mut() else {
        return;
    };
    let items = members.get("items").and_then(Value::as_object);
    let is_of_objects = items.is_some_and(refers);
    if let Some(name) = referred(members).map(str::to_owned) {
        exemplify(&name, example, shapes);
    } else if is_of_objects {
        if let (Some(items), Some(first)) = (members.get_mut("items"), example.get(0)) {
            exemplify_shape(items, first, shapes);
        }
    } else if let Some(parts) = parts(members) {
        for part in parts {
            exemplify_shape(part, example, shapes);
        }
    } else if let Some(Value::Object(properties)) = members.get_mut("properties") {
        for (name, property) in properties {
            if let Some(example) = example.get(name) {
                exemplify_shape(property, example, shapes);
            }
        }
    } else if members.get("type").is_some_and(|name| name != "null") {
        members.insert("examples".to_owned(), json!([example]));
    }
}

/// The shapes that one is made of, where it is made of several.
fn parts(shape: &mut Members) -> Option<&mut Vec<Value>> {
    let mut lists = shape.iter_mut();
    let list = lists.find(|(name, _)| matches!(name.as_str(), "allOf" | "oneOf"));
    list.and_then(|(_, parts)| parts.as_array_mut())
}

fn refers(shape: &Members) -> bool {
    referred(shape).is_some()
}

fn is_null(shape: &Value) -> bool {
    shape.get("type").is_some_and(|name| name == "null")
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
