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

mod text;

use std::sync::OnceLock;

use bytes::Bytes;
use serde::Deserialize;
use serde::Serialize;
use serde_json::Map;
use serde_json::Value;
use utoipa::PartialSchema;
use utoipa::ToSchema;
use utoipa::openapi::ObjectBuilder;
use utoipa::openapi::RefOr;
use utoipa::openapi::Type;
use utoipa::openapi::schema::Schema;

use super::Meeting;

pub use self::text::Encoding;
pub use self::text::Text;

/// A part of a meeting that a caller sees only if its settings say so.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
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

/// A body up to this is put back together, or compressed, in about a millisecond.
const LARGE_BYTES: usize = 64 * 1024;

/// One of the paths that may be withheld, as the API's description has it.
pub(super) struct Path;

impl PartialSchema for Path {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .enum_values(Some(WITHHELD.map(|(path, _)| path)))
            .into()
    }
}

impl ToSchema for Path {}

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

    /// The parts in the set.
    pub fn parts(self) -> impl Iterator<Item = Part> {
        let parts = [Part::Extra, Part::Phones, Part::Secrets];
        parts.into_iter().filter(move |&part| self.shows(part))
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

/// One meeting as finished JSON, a body for each set of parts that a caller may see. There may be a
/// great many of these: what most meetings do not need is kept elsewhere.
#[derive(Debug)]
pub struct Views {
    meeting_id: Option<Box<str>>,
    open: Text,
    /// `None` where there is nothing to withhold.
    withheld: Option<Box<Withheld>>,
    revealing: OnceLock<Box<Revealing>>,
}

/// A view that was made, and the bytes that it takes, as it is and compressed.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Made {
    /// The parts that it shows besides what everybody may see.
    pub reveal: Vec<Part>,
    /// As it is.
    pub bytes: usize,
    /// With gzip; `None` if nobody asked for that, or it would not be smaller.
    pub gzip_bytes: Option<usize>,
    /// With Zstandard; likewise.
    pub zstd_bytes: Option<usize>,
}

/// The bodies that show more than [`Views::open`], by the bits of [`Reveal`]. Each is made when
/// first asked for; the first never is, it is `open`. Boxed, as most never are.
type Revealing = [OnceLock<Box<Text>>; Reveal::COUNT];

/// A view as it goes out.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Form {
    /// What it shows besides what everybody may see.
    pub reveal: Reveal,
    /// How its bytes are written.
    pub encoding: Encoding,
}

/// What [`Views::open`] leaves out. Prints as `[REDACTED]`.
#[derive(Default, Eq, PartialEq)]
struct Withheld {
    password: Option<Box<str>>,
    host_key: Option<Box<str>>,
    /// Of each guest, in the order of `guests`.
    phone_numbers: Box<[Option<Box<str>>]>,
    /// An object of JSON. One text, as there may be a great many odd fields; `None` if there is none.
    extra: Option<Box<str>>,
}

impl Views {
    /// Takes a meeting apart into what everybody may see, which stays in it, and what some may not.
    pub fn of(meeting: &mut Meeting) -> Self {
        let withheld = Withheld::take_from(meeting);
        meeting.redacted = Reveal::NOTHING.redacted().collect();
        Self {
            open: Text::new(&to_json(meeting)),
            withheld: (withheld != Withheld::default()).then(|| Box::new(withheld)),
            meeting_id: meeting.meeting_id.as_deref().map(Into::into),
            revealing: OnceLock::new(),
        }
    }

    /// WeCom's name of the meeting, if it is known.
    pub fn meeting_id(&self) -> Option<&str> {
        self.meeting_id.as_deref()
    }

    /// Its `status`, as the body has it.
    pub fn status(&self) -> Option<String> {
        #[derive(Deserialize)]
        struct Body {
            status: Option<String>,
        }
        let body: Body = serde_json::from_slice(self.open.bytes()).ok()?;
        body.status
    }

    /// The views that were made so far.
    pub fn made(&self) -> Vec<Made> {
        let open = (Reveal::NOTHING, &self.open);
        let revealing = self.revealing.get().into_iter();
        let revealing = revealing.flat_map(|texts| (0_u8..).map(Reveal).zip(texts.iter()));
        let revealing = revealing.filter_map(|(reveal, text)| Some((reveal, &**text.get()?)));
        std::iter::once(open)
            .chain(revealing)
            .map(|(reveal, text)| Made {
                reveal: reveal.parts().collect(),
                bytes: text.bytes().len(),
                gzip_bytes: text.compressed_bytes(Encoding::Gzip),
                zstd_bytes: text.compressed_bytes(Encoding::Zstd),
            })
            .collect()
    }

    /// Whether it takes so long to make a form of it that nobody else should have to wait for that:
    /// compressing goes at some 30 bytes a microsecond.
    pub fn are_large(&self) -> bool {
        self.open.bytes().len() > LARGE_BYTES
    }

    /// Whether this form was made already. Never waits.
    pub fn has(&self, form: Form) -> bool {
        let text = if form.reveal == Reveal::NOTHING {
            Some(&self.open)
        } else {
            let texts = self.revealing.get();
            let text = texts.and_then(|texts| texts.get(usize::from(form.reveal.0))?.get());
            text.map(|text| &**text)
        };
        text.is_some_and(|text| text.has(form.encoding))
    }

    /// Makes this form, if it was not made yet.
    pub fn make(&self, form: Form) {
        self.bytes_in(form);
    }

    /// The bytes of this form, which is made if it was not made yet.
    pub fn bytes_in(&self, form: Form) -> &Bytes {
        let (_, bytes) = self.text(form.reveal).encoded(form.encoding);
        bytes
    }

    /// The body for a caller who may see the parts in `reveal`.
    pub fn text(&self, reveal: Reveal) -> &Text {
        if reveal == Reveal::NOTHING {
            return &self.open;
        }
        let revealing = self.revealing.get_or_init(Box::default);
        // The bits of a set are always one of the array's places.
        revealing
            .get(usize::from(reveal.0))
            .map_or(&self.open, |text| {
                text.get_or_init(|| {
                    let nothing = Withheld::default();
                    let withheld = self.withheld.as_deref().unwrap_or(&nothing);
                    Box::new(Text::new(&withheld.put_back(self.open.bytes(), reveal)))
                })
            })
    }

    /// Bytes in memory. Grows when a view, or a compressed form of one, is first asked for.
    pub fn bytes(&self) -> usize {
        let revealing = self.revealing.get().map_or(0, |texts| {
            let made = texts.iter().filter_map(OnceLock::get);
            let bytes = made.map(|text| size_of::<Text>() + text.heap_bytes());
            size_of::<Revealing>() + bytes.sum::<usize>()
        });
        let withheld = self
            .withheld
            .as_ref()
            .map_or(0, |withheld| withheld.bytes());
        size_of::<Self>() + self.open.heap_bytes() + revealing + withheld
    }
}

impl Withheld {
    fn take_from(meeting: &mut Meeting) -> Self {
        let boxed = |text: Option<String>| text.map(String::into_boxed_str);
        let settings = meeting.settings.as_mut();
        let (password, host_key) = settings
            .map(|settings| (settings.password.take(), settings.host_key.take()))
            .unwrap_or_default();
        let phone_numbers = meeting
            .guests
            .iter_mut()
            .map(|guest| boxed(guest.phone_number.take()));
        let extra = meeting.extra.take().filter(|extra| !extra.is_empty());
        Self {
            password: boxed(password),
            host_key: boxed(host_key),
            phone_numbers: phone_numbers.collect(),
            // Our own JSON always serialises; were it not, too little would be shown.
            extra: extra.and_then(|extra| serde_json::to_string(&extra).ok().map(Into::into)),
        }
    }

    /// The open body with the parts in `reveal` put back in their places.
    fn put_back(&self, open: &Bytes, reveal: Reveal) -> Vec<u8> {
        // The body is our own JSON. Were it none, the answer would show too little, and no more.
        let Ok(Value::Object(mut body)) = serde_json::from_slice(open) else {
            return open.to_vec();
        };
        if reveal.shows(Part::Secrets)
            && let Some(Value::Object(settings)) = body.get_mut("settings")
        {
            settings.insert("password".to_owned(), Value::from(self.password.as_deref()));
            settings.insert("host_key".to_owned(), Value::from(self.host_key.as_deref()));
        }
        if reveal.shows(Part::Phones)
            && let Some(Value::Array(guests)) = body.get_mut("guests")
        {
            for (guest, phone_number) in guests.iter_mut().zip(&self.phone_numbers) {
                if let Value::Object(guest) = guest {
                    let phone_number = Value::from(phone_number.as_deref());
                    guest.insert("phone_number".to_owned(), phone_number);
                }
            }
        }
        if reveal.shows(Part::Extra) {
            body.insert("extra".to_owned(), Value::Object(self.extra(reveal)));
        }
        body.insert("redacted".to_owned(), reveal.redacted().collect());
        to_json(&Value::Object(body))
    }

    /// What stands in `extra` for somebody who may see it, and the other parts in `reveal`.
    fn extra(&self, reveal: Reveal) -> Map<String, Value> {
        let extra = self.extra.as_deref().unwrap_or("{}");
        // It is our own JSON. Were it none, too little would be shown, and no more.
        let mut extra: Map<_, _> = serde_json::from_str(extra).unwrap_or_default();
        extra.retain(|path, value| may_see(reveal, path, value));
        extra
    }

    fn bytes(&self) -> usize {
        let text = |text: &Option<Box<str>>| text.as_ref().map_or(0, |text| text.len());
        let phone_numbers = self
            .phone_numbers
            .iter()
            .map(|number| size_of_val(number) + text(number));
        size_of::<Self>()
            + text(&self.password)
            + text(&self.host_key)
            + text(&self.extra)
            + phone_numbers.sum::<usize>()
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
    // As one value, or as one of those that stand there.
    let whole = |name| {
        path.strip_prefix(name)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('[') && !rest.contains('.'))
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

/// Our own shapes always serialise: every key is a text. An empty body is not JSON, so a caller
/// would notice.
fn to_json(value: &impl serde::Serialize) -> Vec<u8> {
    serde_json::to_vec(value).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_two_views_have_the_same_digest() {
        let views = Views::of(&mut Meeting::default());

        let digests: BTreeSet<_> = (0..8)
            .map(|bits| views.text(Reveal(bits)).digest())
            .collect();

        assert_eq!(digests.len(), 8);
    }
}
