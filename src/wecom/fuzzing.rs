//! What must be true of a meeting, whatever WeCom sent: nothing of it is lost, and what is withheld
//! is seen by nobody who may not see it.

use serde_json::Value;

use super::body;
use super::reply;
use super::wire;
use super::wire::MeetingInfo;
use crate::meeting::Meeting;
use crate::meeting::MeetingId;
use crate::meeting::Moment;
use crate::meeting::Selector;
use crate::meeting::view::Part;
use crate::meeting::view::Views;

/// The meeting in an answer, by the way that every answer takes; `None` if it is of no use.
pub(crate) fn meeting(body: &[u8], selector: &Selector) -> Option<Meeting> {
    let object = body::object(body).ok()?;
    // One that is no success is none for callers, and must be read all the same.
    reply::errcode(&object);
    Some(wire::normalise(MeetingInfo(object), selector, None))
}

/// Plants a canary in each leaf of an answer, and sees who sees which.
pub(crate) fn canaries(body: &[u8]) {
    let Ok(mut info) = body::object(body) else {
        return;
    };
    // Which are nobody's business.
    for name in ["errcode", "errmsg"] {
        info.remove(name);
    }
    let mut info = Value::Object(info);
    if info.to_string().contains(CANARY) {
        return;
    }
    plant(&mut info);
    nothing_is_lost(&info);
    nothing_leaks(&info);
}

/// What every text begins with that was planted. Before a number that no other leaf has.
const CANARY: &str = "canary-";

/// What numbers are counted from, so that all have as many digits.
const FIRST: i64 = 1_000_000_000;

/// Whatever can be revealed.
const ALL: [Part; 3] = [Part::Extra, Part::Phones, Part::Secrets];

/// Makes each text and number one that can be told from all others.
pub(crate) fn plant(info: &mut Value) {
    let mut next = FIRST;
    number_leaves(info, &mut next);
}

fn number_leaves(value: &mut Value, next: &mut i64) {
    *next += 1;
    match value {
        Value::String(text) => *text = format!("{CANARY}{next}"),
        Value::Number(number) => *number = (*next).into(),
        Value::Array(items) => items.iter_mut().for_each(|item| number_leaves(item, next)),
        Value::Object(fields) => fields
            .values_mut()
            .for_each(|field| number_leaves(field, next)),
        Value::Null | Value::Bool(_) => {}
    }
}

/// Whoever may see everything sees each canary.
pub(crate) fn nothing_is_lost(info: &Value) {
    let text = view(info, ALL);
    for leaf in leaves(info, None) {
        assert!(is_in(leaf, &text), "{leaf} is lost: {text}");
    }
}

/// Whoever may not see a part sees no canary of it, wherever it stood.
pub(crate) fn nothing_leaks(info: &Value) {
    let extra = normalised(info).extra.unwrap_or_default();
    let extra = Value::Object(extra.into_iter().collect());
    for (part, canaries) in [
        (Part::Extra, leaves(&extra, None)),
        (Part::Phones, leaves(info, Some(&["phone_number"]))),
        (Part::Secrets, leaves(info, Some(&["host_key", "password"]))),
    ] {
        let others = ALL.into_iter().filter(|other| *other != part);
        let text = view(info, others);
        for leaf in canaries {
            assert!(
                !is_in(leaf, &text),
                "{leaf} is shown without {part:?}: {text}"
            );
        }
    }
}

/// What somebody sees to whom these parts are revealed.
fn view(info: &Value, parts: impl IntoIterator<Item = Part>) -> String {
    let views = Views::of(&mut normalised(info));
    let text = views.text(parts.into_iter().collect());
    String::from_utf8_lossy(text.bytes()).into_owned()
}

fn normalised(info: &Value) -> Meeting {
    let info = info.as_object().cloned().unwrap_or_default();
    wire::normalise(MeetingInfo(info), &Selector::Id(asked_for()), None)
}

#[expect(clippy::expect_used, reason = "a constant that is an id")]
fn asked_for() -> MeetingId {
    "m1".parse().expect("an id")
}

/// Every text, number and boolean in there; or those alone that stand under one of these names.
pub(crate) fn leaves<'a>(value: &'a Value, under: Option<&[&str]>) -> Vec<&'a Value> {
    match value {
        Value::Array(items) => items.iter().flat_map(|item| leaves(item, under)).collect(),
        Value::Object(fields) => {
            let of = |(name, field): (&'a String, &'a Value)| {
                let inside = under.filter(|names| !names.contains(&name.as_str()));
                leaves(field, inside)
            };
            fields.iter().flat_map(of).collect()
        }
        Value::Number(_) | Value::String(_) if under.is_none() => vec![value],
        Value::Bool(_) | Value::Null | Value::Number(_) | Value::String(_) => Vec::new(),
    }
}

/// Whether a canary is in a text: as it came, or as a time.
fn is_in(leaf: &Value, text: &str) -> bool {
    let plain = |value: &Value| match value.as_str() {
        Some(text) => text.to_owned(),
        None => value.to_string(),
    };
    let moment = leaf.as_i64().and_then(Moment::of_unix);
    let time = moment.and_then(|moment| serde_json::to_value(moment).ok());
    let mut looks = [Some(leaf), time.as_ref()].into_iter().flatten();
    looks.any(|look| text.contains(&plain(look)))
}
