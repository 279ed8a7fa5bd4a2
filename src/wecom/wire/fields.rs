//! Reads an object that WeCom sent, field by field, and keeps what was not understood.
//!
//! Reading **takes** a value out, if its key can hold it. What cannot be held stays behind, and so
//! does what was never asked for: at the end, [`Fields::finish`] hands the rest over under its
//! path. So nothing can be lost, whatever a reader forgets to read.
//!
//! Lenient in what it accepts, as WeCom's habits demand: numbers also as numeric strings, booleans
//! also as 0 or 1, one value where a list is documented; an explicit `null` counts as not sent.

use std::collections::BTreeMap;

use serde_json::Map;
use serde_json::Value;

use crate::meeting::Moment;
use crate::wecom::reply;

/// What no key of ours holds, under its dotted path in WeCom's words.
pub(super) type Extra = BTreeMap<String, Value>;

/// The fields of one object, with the path that leads to it.
#[must_use = "what is not read must be handed over with `finish`"]
pub(super) struct Fields {
    path: String,
    unread: Map<String, Value>,
    /// Items of a list that its key cannot hold, by name and index.
    odd_items: Vec<(String, Value)>,
    /// Whether WeCom sent any field read since the last [`Fields::if_any_sent`] began.
    any_sent: bool,
}

/// Our word for something, and the number WeCom sent for it.
#[derive(Clone, Copy)]
pub(super) struct Coded<W> {
    pub(super) word: Option<W>,
    pub(super) code: Option<i64>,
}

impl Fields {
    /// The fields of the outermost object.
    pub(super) fn outermost(object: Map<String, Value>) -> Self {
        Self::below(String::new(), object)
    }

    fn below(path: String, object: Map<String, Value>) -> Self {
        Self {
            path,
            unread: object,
            odd_items: Vec::new(),
            any_sent: false,
        }
    }

    /// What `read` makes of these fields; `None` if WeCom sent none of those that it reads. One
    /// that its key cannot hold counts as sent.
    pub(super) fn if_any_sent<T>(&mut self, read: impl FnOnce(&mut Self) -> T) -> Option<T> {
        self.any_sent = false;
        let made = read(self);
        self.any_sent.then_some(made)
    }

    /// Drops a field that is nobody's business.
    pub(super) fn discard(&mut self, name: &str) {
        self.unread.remove(name);
    }

    /// A text.
    pub(super) fn text(&mut self, name: &str) -> Option<String> {
        self.take(name, |value| value.as_str().map(str::to_owned))
    }

    /// The first of several names, newest first, under which there is a text.
    pub(super) fn text_under(&mut self, names: &[&str]) -> Option<String> {
        names.iter().find_map(|name| self.text(name))
    }

    /// A number that is dialled: text, though it may come as a number.
    pub(super) fn digits(&mut self, name: &str) -> Option<String> {
        let digits = |value: &Value| Some(reply::number(value)?.to_string());
        self.text(name).or_else(|| self.take(name, digits))
    }

    /// A whole number.
    pub(super) fn number(&mut self, name: &str) -> Option<i64> {
        self.take(name, reply::number)
    }

    /// A boolean.
    pub(super) fn flag(&mut self, name: &str) -> Option<bool> {
        self.take(name, as_flag)
    }

    /// The first of several names, newest first, under which there is a boolean.
    pub(super) fn flag_under(&mut self, names: &[&str]) -> Option<bool> {
        names.iter().find_map(|name| self.flag(name))
    }

    /// A time, which WeCom counts in seconds since 1970. 0 is WeCom's way to say that there is none.
    pub(super) fn time(&mut self, name: &str) -> Option<Moment> {
        self.take(name, |value| match reply::number(value)? {
            0 => Some(None),
            seconds => Moment::of_unix(seconds).map(Some),
        })
        .flatten()
    }

    /// A number that stands for a word.
    pub(super) fn coded<W>(&mut self, name: &str, word: fn(Option<i64>) -> W) -> Coded<W> {
        self.coded_by(name, reply::number, word)
    }

    /// The same, where older versions send a boolean, which counts as 0 or 1.
    pub(super) fn coded_or_flag<W>(&mut self, name: &str, word: fn(Option<i64>) -> W) -> Coded<W> {
        let number =
            |value: &Value| reply::number(value).or_else(|| value.as_bool().map(i64::from));
        self.coded_by(name, number, word)
    }

    fn coded_by<W>(
        &mut self,
        name: &str,
        number: impl FnOnce(&Value) -> Option<i64>,
        word: fn(Option<i64>) -> W,
    ) -> Coded<W> {
        let was_sent = self.is_sent(name);
        let code = self.take(name, number);
        let word = was_sent.then(|| word(code));
        Coded { word, code }
    }

    /// A word out of a closed list. One that is not in the list is `unknown`, and stays behind.
    pub(super) fn word<W>(
        &mut self,
        name: &str,
        known: fn(&str) -> Option<W>,
        unknown: W,
    ) -> Option<W> {
        let was_sent = self.is_sent(name);
        let word = self.take(name, |value| known(value.as_str()?));
        word.or(was_sent.then_some(unknown))
    }

    /// A list of texts.
    pub(super) fn texts(&mut self, name: &str) -> Vec<String> {
        self.list(name, |_, value| {
            if let Value::String(text) = value {
                Ok(text)
            } else {
                Err(value)
            }
        })
    }

    /// A list of whole numbers.
    pub(super) fn numbers(&mut self, name: &str) -> Vec<i64> {
        self.list(name, |_, value| reply::number(&value).ok_or(value))
    }

    /// An object.
    pub(super) fn object(&mut self, name: &str) -> Option<Fields> {
        let path = self.path_of(name);
        let fields = self.take_owned(name, |value| {
            if let Value::Object(object) = value {
                Ok(object)
            } else {
                Err(value)
            }
        })?;
        Some(Self::below(path, fields))
    }

    /// A list of objects.
    pub(super) fn objects(&mut self, name: &str) -> Vec<Fields> {
        self.list(name, |path, value| {
            if let Value::Object(object) = value {
                Ok(Self::below(path, object))
            } else {
                Err(value)
            }
        })
    }

    /// An object, or a list of such objects where versions differ. The paths tell which it was.
    pub(super) fn object_or_objects(&mut self, name: &str) -> Vec<Fields> {
        match self.object(name) {
            Some(fields) => vec![fields],
            None => self.objects(name),
        }
    }

    /// Hands over what was not read.
    pub(super) fn finish(self, extra: &mut Extra) {
        let Self {
            path,
            unread,
            odd_items,
            any_sent: _,
        } = self;
        for (name, value) in unread.into_iter().chain(odd_items) {
            if !value.is_null() {
                keep(extra, &join(&path, &name), value);
            }
        }
    }

    /// Takes out a field that `make` can make something of, and leaves any other behind.
    fn take<T>(&mut self, name: &str, make: impl FnOnce(&Value) -> Option<T>) -> Option<T> {
        self.any_sent |= self.is_sent(name);
        let held = make(self.unread.get(name)?)?;
        self.unread.remove(name);
        Some(held)
    }

    /// The same for what would be costly to copy: what `make` gives back is put back.
    fn take_owned<T>(
        &mut self,
        name: &str,
        make: impl FnOnce(Value) -> Result<T, Value>,
    ) -> Option<T> {
        self.any_sent |= self.is_sent(name);
        match make(self.unread.remove(name)?) {
            Ok(held) => Some(held),
            Err(odd) => {
                self.unread.insert(name.to_owned(), odd);
                None
            }
        }
    }

    /// The items of a list that `make` can make something of. A value that is no list counts as a
    /// list of one. `make` is told the path of the item.
    fn list<T>(&mut self, name: &str, make: impl Fn(String, Value) -> Result<T, Value>) -> Vec<T> {
        self.any_sent |= self.is_sent(name);
        let items = match self.unread.remove(name) {
            None | Some(Value::Null) => return Vec::new(),
            Some(Value::Array(items)) => items,
            Some(single) => return self.list_of_one(name, single, &make),
        };
        let mut held = Vec::with_capacity(items.len());
        for (index, item) in items.into_iter().enumerate() {
            let item_name = format!("{name}[{index}]");
            match make(join(&self.path, &item_name), item) {
                Ok(item) => held.push(item),
                Err(odd) => self.odd_items.push((item_name, odd)),
            }
        }
        held
    }

    fn list_of_one<T>(
        &mut self,
        name: &str,
        single: Value,
        make: impl Fn(String, Value) -> Result<T, Value>,
    ) -> Vec<T> {
        match make(self.path_of(&format!("{name}[0]")), single) {
            Ok(item) => vec![item],
            Err(odd) => {
                self.unread.insert(name.to_owned(), odd);
                Vec::new()
            }
        }
    }

    fn is_sent(&self, name: &str) -> bool {
        self.unread.get(name).is_some_and(|value| !value.is_null())
    }

    fn path_of(&self, name: &str) -> String {
        join(&self.path, name)
    }
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() {
        name.to_owned()
    } else {
        format!("{path}.{name}")
    }
}

/// Keeps a value under its path. A name with a dot in it can look like another's path: the second
/// to come is then told apart by a number, as it must not push out the first.
fn keep(extra: &mut Extra, path: &str, value: Value) {
    let mut free = path.to_owned();
    let mut number = 1_u64;
    while extra.contains_key(&free) {
        number += 1;
        free = format!("{path}#{number}");
    }
    extra.insert(free, value);
}

fn as_flag(value: &Value) -> Option<bool> {
    value.as_bool().or_else(|| match reply::number(value)? {
        0 => Some(false),
        1 => Some(true),
        _ => None,
    })
}
