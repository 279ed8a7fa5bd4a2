//! What a caller may see of a meeting, as finished bytes.
//!
//! A meeting is kept once, as the body that **everybody** may see, with what some may not see laid
//! beside it. A view that shows more is made by putting that back, when somebody who may see it
//! first asks. So forgetting a step shows too little, never too much.
//!
//! | part | holds |
//! |---|---|
//! | [`Part::Extra`] | `extra` |
//! | [`Part::Phones`] | `guests[].phone_number` |
//! | [`Part::Secrets`] | `settings.password`, `settings.host_key` |

use std::collections::BTreeMap;
use std::sync::OnceLock;

use bytes::Bytes;
use serde::Deserialize;
use serde_json::Value;

use super::Meeting;

/// A part of a meeting that a caller sees only if its settings say so.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// What WeCom sent and we do not name.
    Extra,
    /// The guests' telephone numbers.
    Phones,
    /// The password and the host key.
    Secrets,
}

/// The paths withheld where their part is not revealed, in the order in which `redacted` names them.
const WITHHELD: [(&str, Part); 4] = [
    ("settings.password", Part::Secrets),
    ("settings.host_key", Part::Secrets),
    ("guests[].phone_number", Part::Phones),
    ("extra", Part::Extra),
];

/// A set of [`Part`]s.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub struct Reveal(u8);

impl Reveal {
    /// How many such sets there are.
    const COUNT: usize = 8;

    /// No part at all.
    pub const NOTHING: Self = Self(0);

    const fn bit(part: Part) -> u8 {
        match part {
            Part::Extra => 1,
            Part::Phones => 2,
            Part::Secrets => 4,
        }
    }

    /// Whether `part` is in the set.
    pub const fn shows(self, part: Part) -> bool {
        self.0 & Self::bit(part) != 0
    }

    fn redacted(self) -> impl Iterator<Item = &'static str> {
        WITHHELD
            .into_iter()
            .filter(move |&(_, part)| !self.shows(part))
            .map(|(path, _)| path)
    }
}

impl FromIterator<Part> for Reveal {
    fn from_iter<I: IntoIterator<Item = Part>>(parts: I) -> Self {
        Self(
            parts
                .into_iter()
                .fold(0, |bits, part| bits | Self::bit(part)),
        )
    }
}

/// One meeting as finished JSON, a body for each set of parts that a caller may see.
#[derive(Debug)]
pub struct Views {
    open: Bytes,
    withheld: Withheld,
    /// By the bits of [`Reveal`]. Made when first asked for; the first is never used, it is `open`.
    revealing: [OnceLock<Bytes>; Reveal::COUNT],
}

/// What [`Views::open`] leaves out.
#[derive(Default)]
struct Withheld {
    password: Option<String>,
    host_key: Option<String>,
    /// Of each guest, in the order of `guests`.
    phone_numbers: Vec<Option<String>>,
    extra: BTreeMap<String, Value>,
}

impl Views {
    /// Takes a meeting apart into what everybody may see and what some may not.
    pub fn of(mut meeting: Meeting) -> Self {
        let withheld = Withheld::take_from(&mut meeting);
        meeting.redacted = Reveal::NOTHING.redacted().collect();
        Self {
            open: to_json(&meeting),
            withheld,
            revealing: [const { OnceLock::new() }; Reveal::COUNT],
        }
    }

    /// The body for a caller who may see the parts in `reveal`.
    pub fn body(&self, reveal: Reveal) -> &Bytes {
        match self.revealing.get(usize::from(reveal.0)) {
            Some(body) if reveal != Reveal::NOTHING => {
                body.get_or_init(|| self.withheld.put_back(&self.open, reveal))
            }
            _ => &self.open,
        }
    }

    /// Bytes in memory, without the views that are yet to be asked for.
    pub fn bytes(&self) -> usize {
        let bodies = self.revealing.iter().filter_map(OnceLock::get);
        size_of::<Self>()
            + self.open.len()
            + bodies.map(Bytes::len).sum::<usize>()
            + self.withheld.bytes()
    }
}

impl Withheld {
    fn take_from(meeting: &mut Meeting) -> Self {
        let settings = meeting.settings.as_mut();
        let (password, host_key) = settings
            .map(|settings| (settings.password.take(), settings.host_key.take()))
            .unwrap_or_default();
        Self {
            password,
            host_key,
            phone_numbers: meeting
                .guests
                .iter_mut()
                .map(|guest| guest.phone_number.take())
                .collect(),
            extra: meeting.extra.take().unwrap_or_default(),
        }
    }

    /// The open body with the parts in `reveal` put back in their places.
    fn put_back(&self, open: &Bytes, reveal: Reveal) -> Bytes {
        // The body is our own JSON. Were it none, the answer would show too little, and no more.
        let Ok(Value::Object(mut body)) = serde_json::from_slice(open) else {
            return open.clone();
        };
        if reveal.shows(Part::Secrets)
            && let Some(Value::Object(settings)) = body.get_mut("settings")
        {
            settings.insert("password".to_owned(), Value::from(self.password.clone()));
            settings.insert("host_key".to_owned(), Value::from(self.host_key.clone()));
        }
        if reveal.shows(Part::Phones)
            && let Some(Value::Array(guests)) = body.get_mut("guests")
        {
            for (guest, phone_number) in guests.iter_mut().zip(&self.phone_numbers) {
                if let Value::Object(guest) = guest {
                    guest.insert("phone_number".to_owned(), Value::from(phone_number.clone()));
                }
            }
        }
        if reveal.shows(Part::Extra) {
            let seen = self
                .extra
                .iter()
                .filter(|(path, value)| may_see(reveal, path, value));
            let extra = seen
                .map(|(path, value)| (path.clone(), value.clone()))
                .collect();
            body.insert("extra".to_owned(), Value::Object(extra));
        }
        body.insert("redacted".to_owned(), reveal.redacted().collect());
        to_json(&Value::Object(body))
    }

    fn bytes(&self) -> usize {
        let text = |text: &Option<String>| text.as_ref().map_or(0, String::len);
        let phone_numbers = self
            .phone_numbers
            .iter()
            .map(|number| size_of::<Option<String>>() + text(number));
        let extra = self
            .extra
            .iter()
            .map(|(path, value)| path.len() + value_bytes(value));
        text(&self.password)
            + text(&self.host_key)
            + phone_numbers.sum::<usize>()
            + extra.sum::<usize>()
    }
}

impl std::fmt::Debug for Withheld {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[REDACTED]")
    }
}

/// Whether somebody who may see `extra` may see this in it. A password that came in a shape its key
/// cannot hold stands there too, and is no less a password; nor is one that stands somewhere else.
fn may_see(reveal: Reveal, path: &str, value: &Value) -> bool {
    let whole = |name| {
        path.strip_prefix(name)
            .is_some_and(|rest| !rest.contains('.'))
    };
    let secret = names_any(path, value, &["password", "host_key"]) || whole("settings");
    let phone = names_any(path, value, &["phone_number"]) || whole("guests");
    (reveal.shows(Part::Secrets) || !secret) && (reveal.shows(Part::Phones) || !phone)
}

/// Whether a value stands under one of these names, or has one of them in it.
fn names_any(path: &str, value: &Value, names: &[&str]) -> bool {
    let in_path = path
        .split(['.', '[', '#'])
        .any(|segment| names.contains(&segment));
    let in_value = match value {
        Value::Array(items) => items.iter().any(|item| names_any("", item, names)),
        Value::Object(fields) => fields
            .iter()
            .any(|(name, field)| names_any(name, field, names)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    };
    in_path || in_value
}

/// Bytes that a value in `extra` takes, roughly: a map's nodes and a text's header included.
fn value_bytes(value: &Value) -> usize {
    const NODE: usize = 48;
    NODE + match value {
        Value::Null | Value::Bool(_) => 0,
        Value::Number(number) => number.as_str().len(),
        Value::String(text) => text.len(),
        Value::Array(items) => items.iter().map(value_bytes).sum(),
        Value::Object(fields) => fields
            .iter()
            .map(|(name, value)| NODE + name.len() + value_bytes(value))
            .sum(),
    }
}

/// Our own shapes always serialise: every key is a text. An empty body is not JSON, so a caller
/// would notice.
fn to_json(value: &impl serde::Serialize) -> Bytes {
    serde_json::to_vec(value)
        .map(Bytes::from)
        .unwrap_or_default()
}
