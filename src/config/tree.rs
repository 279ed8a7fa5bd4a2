//! The settings as they were written, before anybody reads them: one tree, and where each key of
//! it stands.
//!
//! A file is the ground, the environment lies on top. Nothing here knows which settings there are.
//! Nothing here prints itself either: a tree holds secrets in the clear.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fmt;
use std::ops::Range;
use std::path::Path;
use std::path::PathBuf;
use std::str::FromStr;

use toml::Spanned;
use toml::Table;
use toml::Value;
use toml::de::DeTable;
use toml::de::DeValue;

use super::Fault;

/// What a variable begins with that overrides a setting.
const PREFIX: &str = "WECOM_PROXY_";

/// The variable that names the file. It is no setting.
pub(super) const CONFIG_FILE: &str = "WECOM_PROXY_CONFIG";

/// Elements of a list that the environment can add to.
const INDEX_MAX: usize = 999;

/// Where a setting was written.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Place {
    /// In a variable of the environment.
    Environment(String),
    /// In a file, on a line, counted from 1.
    File(PathBuf, usize),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Environment(name) => write!(f, "environment variable {name}"),
            Self::File(file, line) => write!(f, "{}:{line}", file.display()),
        }
    }
}

/// A step on the way to a key.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Step {
    /// To an element of a list, counted from 0.
    Element(usize),
    /// To a key of a table.
    Key(String),
}

/// The settings as they were written.
#[derive(Default)]
pub(super) struct Tree {
    pub(super) root: Table,
    places: BTreeMap<String, Place>,
    /// Elements that were taken out and have an empty table in their place.
    stand_ins: BTreeSet<String>,
    /// How many elements a list has lost. Always the first that were wrong, as a list is read in
    /// order: so an element that is wrong now stood that much further back.
    lost: BTreeMap<String, usize>,
}

impl Tree {
    /// The tree that a file holds, or everything that is wrong with its syntax.
    pub(super) fn of_file(file: &Path, text: &str) -> Result<Self, Vec<Fault>> {
        let (spanned, errors) = DeTable::parse_recoverable(text);
        let fault = |error: &toml::de::Error| Fault {
            key: None,
            place: Some(Place::File(file.to_owned(), line_of(text, error.span()))),
            // Only the message: the rest of such an error quotes the line, which may hold a secret.
            why: error.message().to_owned(),
        };
        if !errors.is_empty() {
            return Err(errors.iter().map(fault).collect());
        }
        let root = Table::from_str(text).map_err(|error| vec![fault(&error)])?;
        let mut places = BTreeMap::new();
        let mut note = |path: &str, span: Range<usize>| {
            let place = Place::File(file.to_owned(), line_of(text, Some(span)));
            places.insert(path.to_owned(), place);
        };
        visit_table("", spanned.get_ref(), &mut note);
        Ok(Self {
            root,
            places,
            ..Self::default()
        })
    }

    /// Lays the environment on top. A variable that is none of ours is passed over.
    pub(super) fn overlay(&mut self, variables: &[(OsString, OsString)]) -> Vec<Fault> {
        let ours = variables.iter().filter_map(|(name, value)| {
            let name = name.to_str().filter(|&name| name != CONFIG_FILE)?;
            let path = name.strip_prefix(PREFIX)?.to_ascii_lowercase();
            Some((name, path, value))
        });
        let mut ours: Vec<_> = ours.collect();
        // A process is given its variables in any order, and a list grows from its first element.
        ours.sort_by_cached_key(|(_, path, _)| in_order(path));
        let set = |(name, path, value): (&str, String, &OsString)| {
            let set = value.to_str().ok_or("is not UTF-8").and_then(|value| {
                let path: Vec<_> = path.split("__").collect();
                self.set(&path, Value::from(value), name)
            });
            set.err().map(|why| Fault {
                key: Some(path.replace("__", ".")),
                place: Some(Place::Environment(name.to_owned())),
                why: why.to_owned(),
            })
        };
        ours.into_iter().filter_map(set).collect()
    }

    /// Sets one key, making the tables and list elements that lead to it.
    pub(super) fn set(
        &mut self,
        path: &[&str],
        value: Value,
        variable: &str,
    ) -> Result<(), &'static str> {
        let (slot, path) = slot(&mut self.root, path)?;
        *slot = value;
        // What was written below it is no more.
        self.places.retain(|place, _| !is_within(place, &path));
        self.places
            .insert(path, Place::Environment(variable.to_owned()));
        Ok(())
    }

    /// Where a key was written; or something below it; or the nearest above it.
    pub(super) fn place(&self, path: &str) -> Option<&Place> {
        let within = || self.places.iter().find(|(place, _)| is_within(place, path));
        let exact = self.places.get(path);
        let here = exact.or_else(|| within().map(|(_, place)| place));
        let cuts = path.rmatch_indices(['.', '[']).map(|(at, _)| at);
        let mut above = cuts.filter_map(|at| path.get(..at));
        here.or_else(|| above.find_map(|path| self.places.get(path)))
    }

    /// The path of a key as people write it, in the list that they wrote: `wecom.apps[0].name`.
    pub(super) fn written(&self, path: &[Step]) -> String {
        let mut written = String::new();
        for step in path {
            written = match step {
                Step::Element(index) => {
                    let lost = self.lost.get(&written).copied().unwrap_or_default();
                    format!("{written}[{}]", index + lost)
                }
                Step::Key(key) if written.is_empty() => key.clone(),
                Step::Key(key) => format!("{written}.{key}"),
            };
        }
        written
    }

    /// A variable holds text, whatever the setting is. Where text will not do, it is read as TOML:
    /// a number, a boolean, a list. Whether that made something else of it.
    pub(super) fn reread(&mut self, path: &[Step]) -> bool {
        let written = self.written(path);
        if !matches!(self.places.get(&written), Some(Place::Environment(_))) {
            return false;
        }
        let Some(Value::String(text)) = self.get_mut(path) else {
            return false;
        };
        match Value::from_str(text) {
            Ok(Value::String(_)) | Err(_) => false,
            Ok(value) => self.get_mut(path).map(|slot| *slot = value).is_some(),
        }
    }

    /// Whether the element there was taken out before, and has an empty table in its place.
    pub(super) fn is_stand_in(&self, path: &[Step]) -> bool {
        self.stand_ins.contains(&self.written(path))
    }

    /// Takes a key out. Whether it was there.
    ///
    /// An element leaves an empty table in its place, which is all defaults, so that the others keep
    /// theirs. Where even that does not fit, as in a list of texts, it goes for good the next time.
    pub(super) fn take_out(&mut self, path: &[Step]) -> bool {
        let Some((step, parent)) = path.split_last() else {
            return false;
        };
        let index = match step {
            Step::Element(index) => *index,
            Step::Key(key) => {
                let table = self.table_mut(parent);
                return table.and_then(|table| table.remove(key)).is_some();
            }
        };
        let (written, list) = (self.written(path), self.written(parent));
        let known = self.stand_ins.remove(&written);
        let Some(Value::Array(items)) = self.get_mut(parent) else {
            return false;
        };
        let Some(item) = items.get_mut(index) else {
            return false;
        };
        if known {
            items.remove(index);
            *self.lost.entry(list).or_default() += 1;
        } else {
            *item = Value::Table(Table::new());
            self.stand_ins.insert(written);
        }
        true
    }

    /// How many elements a list has. One that is not there has none.
    pub(super) fn length(&mut self, path: &[Step]) -> usize {
        self.get_mut(path)
            .and_then(|value| value.as_array())
            .map_or(0, Vec::len)
    }

    fn table_mut(&mut self, path: &[Step]) -> Option<&mut Table> {
        if path.is_empty() {
            return Some(&mut self.root);
        }
        self.get_mut(path)?.as_table_mut()
    }

    fn get_mut(&mut self, path: &[Step]) -> Option<&mut Value> {
        let (Step::Key(first), rest) = path.split_first()? else {
            return None;
        };
        let mut value = self.root.get_mut(first)?;
        for step in rest {
            value = match step {
                Step::Element(index) => value.as_array_mut()?.get_mut(*index)?,
                Step::Key(key) => value.as_table_mut()?.get_mut(key)?,
            };
        }
        Some(value)
    }
}

/// Whether `path` is `above`, or below it.
pub(super) fn is_within(path: &str, above: &str) -> bool {
    path.strip_prefix(above)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
}

/// By what to sort variables: tables before what is in them, and the tenth element after the second.
fn in_order(path: &str) -> Vec<(Option<usize>, String)> {
    path.split("__")
        .map(|segment| (segment.parse().ok(), segment.to_owned()))
        .collect()
}

/// The place in the tree where a variable's path leads, and that path as people write it.
fn slot<'a>(root: &'a mut Table, path: &[&str]) -> Result<(&'a mut Value, String), &'static str> {
    let (first, rest) = path.split_first().ok_or("names no setting")?;
    if path.iter().any(|segment| segment.is_empty()) {
        return Err("names no setting");
    }
    let empty = || Value::Table(Table::new());
    let mut written = (*first).to_owned();
    let mut value = root.entry(*first).or_insert_with(empty);
    for segment in rest {
        let index = segment.parse::<usize>().ok();
        if let (Some(_), Value::Table(table)) = (index, &*value)
            && table.is_empty()
        {
            *value = Value::Array(Vec::new());
        }
        value = match (value, index) {
            (Value::Array(items), Some(index)) => {
                if index == items.len() && index <= INDEX_MAX {
                    items.push(empty());
                }
                written = format!("{written}[{index}]");
                items
                    .get_mut(index)
                    .ok_or("leaves out an element of the list before it")?
            }
            (Value::Table(table), _) => {
                written = format!("{written}.{segment}");
                table.entry(*segment).or_insert_with(empty)
            }
            _ => return Err("leads below a setting that is no table and no list"),
        };
    }
    Ok((value, written))
}

fn visit_table(path: &str, table: &DeTable<'_>, note: &mut impl FnMut(&str, Range<usize>)) {
    for (key, value) in table {
        let name = key.get_ref();
        let path = if path.is_empty() {
            name.to_string()
        } else {
            format!("{path}.{name}")
        };
        note(&path, key.span());
        visit_value(&path, value, note);
    }
}

fn visit_value(
    path: &str,
    value: &Spanned<DeValue<'_>>,
    note: &mut impl FnMut(&str, Range<usize>),
) {
    if let Some(table) = value.get_ref().as_table() {
        visit_table(path, table, note);
    }
    for (index, item) in value.get_ref().as_array().into_iter().flatten().enumerate() {
        let path = format!("{path}[{index}]");
        note(&path, item.span());
        visit_value(&path, item, note);
    }
}

fn line_of(text: &str, span: Option<Range<usize>>) -> usize {
    let before = span
        .and_then(|span| text.get(..span.start))
        .unwrap_or_default();
    1 + before.matches('\n').count()
}
