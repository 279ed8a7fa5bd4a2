//! Gives a tree the shape that the rooms declare, and says what does not fit in words for a person.

use serde::de::DeserializeOwned;
use serde_path_to_error::Path;
use serde_path_to_error::Segment;
use toml::Value;

use super::Fault;
use super::tree::Step;
use super::tree::Tree;

/// Gives the tree the shape of `T`. What does not fit is reported and taken out, and the rest is
/// tried again: so one fault does not hide the next.
pub(super) fn shape<T: DeserializeOwned>(tree: &mut Tree) -> (Option<T>, Vec<Fault>) {
    let mut faults = Vec::new();
    loop {
        let error = match serde_path_to_error::deserialize(Value::Table(tree.root.clone())) {
            Ok(settings) => return (Some(settings), faults),
            Err(error) => error,
        };
        let path = steps(error.path());
        if tree.reread(&path) {
            continue;
        }
        if !tree.is_stand_in(&path) {
            let key = tree.written(&path);
            faults.push(Fault {
                place: tree.place(&key).cloned(),
                key: Some(key),
                why: plain_words(error.inner().message()),
            });
        }
        if !tree.take_out(&path) {
            return (None, faults);
        }
    }
}

/// The way to a value; not into it, as to a variant.
fn steps(path: &Path) -> Vec<Step> {
    path.iter()
        .map_while(|segment| match segment {
            Segment::Map { key } => Some(Step::Key(key.clone())),
            Segment::Seq { index } => Some(Step::Element(*index)),
            Segment::Enum { .. } | Segment::Unknown => None,
        })
        .collect()
}

/// What is wrong, in words for a person. Does not quote the value: it may be a secret.
fn plain_words(message: &str) -> String {
    // The last, as the value may be quoted before it, whatever it holds.
    let Some((found, expected)) = message.rsplit_once(", expected ") else {
        return message.to_owned();
    };
    if found.starts_with("unknown field ") {
        return format!("unknown key, expected {expected}");
    }
    let expected = match expected {
        "a boolean" => "true or false",
        "a sequence" if found == "invalid type: map" => "a list: [[…]] instead of […]",
        "a sequence" => "a list, as in [\"…\", \"…\"]",
        "a string" | "path string" | "string only" => "text, in quotes",
        "f64" => "a number",
        "u32" => "a whole number from 1 to 4294967295",
        table if table.starts_with("struct ") => "a table",
        other => other,
    };
    format!("must be {expected}")
}
