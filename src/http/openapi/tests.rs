//! Whether the description says all there is to say, and in what words.

use std::collections::BTreeSet;

use super::super::problem::Kind;
use super::*;

fn newer() -> Value {
    serde_json::from_str(&openapi()).expect("JSON")
}

fn older() -> Value {
    serde_json::from_str(&openapi_3_0()).expect("JSON")
}

/// Shows every value in a document, with the path to it, from the outside in.
fn visit(value: &Value, path: &str, look: &mut impl FnMut(&str, &Value)) {
    look(path, value);
    match value {
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                visit(item, &format!("{path}/{index}"), look);
            }
        }
        Value::Object(members) => {
            for (name, member) in members {
                visit(member, &format!("{path}/{name}"), look);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// The keys of a shape, in all of its parts.
fn keys(document: &Value, shape: &Value) -> BTreeSet<String> {
    let resolved = match shape["$ref"].as_str() {
        Some(reference) => document.pointer(&reference[1..]).expect("a shape"),
        None => shape,
    };
    let parts = ["oneOf", "allOf"].into_iter();
    let parts = parts.filter_map(|list| resolved[list].as_array()).flatten();
    let mut keys: BTreeSet<String> = parts.flat_map(|part| keys_of(document, part)).collect();
    for (name, property) in resolved["properties"].as_object().into_iter().flatten() {
        keys.insert(name.clone());
        for below in keys_of(document, property) {
            keys.insert(format!("{name}.{below}"));
        }
    }
    keys
}

/// The same, of what a list is made of if it is one.
fn keys_of(document: &Value, shape: &Value) -> BTreeSet<String> {
    keys(document, shape.get("items").unwrap_or(shape))
}

/// The keys of a body, in all of its objects, with those of lists taken together.
fn keys_in(body: &Value) -> BTreeSet<String> {
    match body {
        Value::Array(items) => items.iter().flat_map(keys_in).collect(),
        Value::Object(members) => {
            let mut keys = BTreeSet::new();
            for (name, member) in members {
                keys.insert(name.clone());
                let is_open = name == "extra";
                let below = keys_in(member).into_iter().filter(|_| !is_open);
                keys.extend(below.map(|below| format!("{name}.{below}")));
            }
            keys
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => BTreeSet::new(),
    }
}

#[test]
fn a_meeting_has_the_keys_that_are_described_and_no_others() {
    let sample = include_str!("../../../tests/samples/official-sample.all-revealed.json");
    let sample = serde_json::from_str(sample).expect("JSON");
    for document in [newer(), older()] {
        let described = keys(&document, &document["components"]["schemas"]["Meeting"]);
        assert_eq!(keys_in(&sample), described);
        assert_eq!(keys_in(&example::all_revealed()), described);
    }
}

#[test]
fn every_key_is_required_and_has_a_meaning_and_every_value_has_an_example() {
    let document = newer();
    let shapes = document["components"]["schemas"]
        .as_object()
        .expect("shapes");
    let mut properties_seen = 0;
    for (name, shape) in shapes {
        visit(shape, name, &mut |path, shape| {
            let Some(properties) = shape["properties"].as_object() else {
                return;
            };
            let required = shape["required"].as_array().expect("a list");
            for (name, property) in properties {
                properties_seen += 1;
                assert!(required.contains(&name.as_str().into()), "{path}.{name}");
                assert!(property["description"].is_string(), "{path}.{name}");
                let is_of_objects =
                    property.get("oneOf").is_some() || property.pointer("/items/$ref").is_some();
                let examples = property["examples"].as_array().map_or(0, Vec::len);
                assert_eq!(examples, usize::from(!is_of_objects), "{path}.{name}");
                let is_null = property.pointer("/examples/0") == Some(&Value::Null);
                assert!(!is_null, "{path}.{name}");
            }
        });
    }
    assert!(properties_seen > 90, "{properties_seen}");
}

#[test]
fn every_parameter_and_every_header_field_has_a_meaning_a_shape_and_an_example() {
    let mut fields = BTreeSet::new();
    for document in [newer(), older()] {
        visit(&document, "", &mut |path, value| {
            let is_parameter = path.contains("/parameters/") && value.get("in").is_some();
            let is_header = path
                .rsplit_once('/')
                .is_some_and(|(before, _)| before.ends_with("/headers"));
            if is_parameter || is_header {
                let told = value["description"].as_str().unwrap_or_default();
                assert!(!told.is_empty(), "{path}");
                assert!(value["schema"]["type"].is_string(), "{path}");
                assert_ne!(value["example"], Value::Null, "{path}");
                fields.insert(path.rsplit('/').next().expect("a name").to_owned());
            }
        });
    }
    for name in [
        "Age",
        "Allow",
        "Cache-Control",
        "Cache-Status",
        "Content-Encoding",
        "Content-Location",
        "ETag",
        "RateLimit",
        "RateLimit-Policy",
        "Retry-After",
        "Vary",
        "WWW-Authenticate",
        "X-Request-Id",
    ] {
        assert!(fields.contains(name), "{name}");
    }
}

#[test]
fn every_kind_of_problem_is_shown_under_its_status_wherever_a_meeting_is_asked_for() {
    for document in [newer(), older()] {
        let mut gets = 0;
        for (path, item) in document["paths"].as_object().expect("paths") {
            for kind in Kind::of_callers() {
                let status = kind.status().as_u16().to_string();
                let answer = &item["get"]["responses"][&status];
                let reference = answer["$ref"].as_str().expect("a reference");
                let answer = document.pointer(&reference[1..]).expect("an answer");
                let examples = &answer["content"]["application/problem+json"]["examples"];
                let shown = &examples[kind.code()]["value"];
                assert_eq!(shown["code"], kind.code(), "{path}");
                assert_eq!(shown["status"], kind.status().as_u16(), "{path}");
                let told = answer["description"].as_str().expect("text");
                assert!(told.contains(kind.code()), "{path}: {told}");
                let head = &item["head"]["responses"][&status];
                assert!(head["description"].is_string(), "{path}");
                assert_eq!(head.get("content"), None, "{path}");
            }
            gets += 1;
        }
        assert_eq!(gets, 2);
    }
}

#[test]
fn operations_have_names_of_their_own_and_ask_for_a_key() {
    for document in [newer(), older()] {
        let mut names = BTreeSet::new();
        visit(&document["paths"], "", &mut |path, value| {
            if let Some(name) = value.get("operationId") {
                names.insert(name.as_str().expect("a name").to_owned());
                assert!(value.pointer("/security/0/key").is_some(), "{path}");
            }
        });
        let expected = [
            "get_meeting",
            "get_meeting_by_code",
            "head_meeting",
            "head_meeting_by_code",
        ];
        assert_eq!(names, expected.map(str::to_owned).into());
    }
}

#[test]
fn the_older_document_has_nothing_that_is_newer() {
    let document = older();
    assert_eq!(document["openapi"], "3.0.3");
    visit(&document, "", &mut |path, value| {
        let is_shown = path.contains("/example/") || path.contains("/value/");
        if is_shown || !value.is_object() {
            return;
        }
        assert!(!value["type"].is_array(), "{path}");
        assert_ne!(value["type"], "null", "{path}");
        assert!(!value["examples"].is_array(), "{path}");
        let stands_alone =
            value.get("$ref").is_none() || value.as_object().map(Map::len) == Some(1);
        assert!(stands_alone, "{path}");
        assert_eq!(value.get("propertyNames"), None, "{path}");
        assert_eq!(value.get("identifier"), None, "{path}");
    });
}
