//! The settings as they were written, before anybody reads them: one tree, and where each key of
//! it stands.
//!
//! A file is the ground, the environment lies on top. Nothing here knows which settings there are.

use std::collections::BTreeMap;
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
#[derive(Clone, Debug, Eq, PartialEq)]
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

/// The settings as they were written.
#[derive(Debug, Default)]
pub(super) struct Tree {
    pub(super) root: Table,
    places: BTreeMap<String, Place>,
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
        Ok(Self { root, places })
    }

    /// Lays the environment on top. A variable that is none of ours is passed over.
    pub(super) fn overlay(&mut self, variables: &[(OsString, OsString)]) -> Vec<Fault> {
        let mut faults = Vec::new();
        for (name, value) in variables {
            let Some(name) = name.to_str().filter(|&name| name != CONFIG_FILE) else {
                continue;
            };
            let Some(path) = name.strip_prefix(PREFIX) else {
                continue;
            };
            let path = path.to_ascii_lowercase();
            let set = value.to_str().ok_or("is not UTF-8").and_then(|value| {
                self.set(
                    &path.split("__").collect::<Vec<_>>(),
                    Value::from(value),
                    name,
                )
            });
            if let Err(why) = set {
                let place = Some(Place::Environment(name.to_owned()));
                faults.push(Fault {
                    key: None,
                    place,
                    why: why.to_owned(),
                });
            }
        }
        faults
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
        self.places
            .insert(path, Place::Environment(variable.to_owned()));
        Ok(())
    }

    /// Where a key was written; or where the nearest one above it was.
    pub(super) fn place(&self, path: &str) -> Option<&Place> {
        let above = |at: usize| path.get(..at);
        let cuts = path.rmatch_indices(['.', '[']).map(|(at, _)| at);
        let mut paths = std::iter::once(path).chain(cuts.filter_map(above));
        paths.find_map(|path| self.places.get(path))
    }

    /// A variable holds text, whatever the setting is. Where text will not do, it is read as TOML:
    /// a number, a boolean, a list. Whether that made something else of it.
    pub(super) fn reread(&mut self, path: &str) -> bool {
        if !matches!(self.places.get(path), Some(Place::Environment(_))) {
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

    /// Takes a key out. Whether it was there.
    pub(super) fn remove(&mut self, path: &str) -> bool {
        let Some((parent, last)) = split_last(path) else {
            return false;
        };
        match self.get_mut(parent) {
            None if parent.is_empty() => self.root.remove(last).is_some(),
            Some(Value::Table(table)) => table.remove(last).is_some(),
            Some(Value::Array(items)) => {
                // The others keep their places: an empty table is all defaults.
                let index = last
                    .parse()
                    .ok()
                    .filter(|&index: &usize| index < items.len());
                index
                    .and_then(|index| items.get_mut(index))
                    .map(|item| {
                        *item = Value::Table(Table::new());
                    })
                    .is_some()
            }
            _ => false,
        }
    }

    /// How many elements a list has. One that is not there has none.
    pub(super) fn length(&mut self, path: &str) -> usize {
        self.get_mut(path)
            .and_then(|value| value.as_array())
            .map_or(0, Vec::len)
    }

    fn get_mut(&mut self, path: &str) -> Option<&mut Value> {
        let mut segments = segments(path);
        let mut value = self.root.get_mut(segments.next()?)?;
        for segment in segments {
            value = match value {
                Value::Table(table) => table.get_mut(segment)?,
                Value::Array(items) => items.get_mut(segment.parse::<usize>().ok()?)?,
                Value::String(_)
                | Value::Integer(_)
                | Value::Float(_)
                | Value::Boolean(_)
                | Value::Datetime(_) => return None,
            };
        }
        Some(value)
    }
}

/// `a.b[0].c` as `a`, `b`, `0`, `c`.
fn segments(path: &str) -> impl Iterator<Item = &str> {
    path.split(['.', '[', ']'])
        .filter(|segment| !segment.is_empty())
}

fn split_last(path: &str) -> Option<(&str, &str)> {
    let last = segments(path).last()?;
    let parent = path.trim_end_matches(']').strip_suffix(last)?;
    Some((parent.trim_end_matches(['.', '[']), last))
}

/// The place in the tree where a variable's path leads, and that path as people write it.
fn slot<'a>(root: &'a mut Table, path: &[&str]) -> Result<(&'a mut Value, String), &'static str> {
    let (first, rest) = path.split_first().ok_or("names no setting")?;
    let empty = || Value::Table(Table::new());
    let mut written = (*first).to_owned();
    let mut value = root.entry(*first).or_insert_with(empty);
    for segment in rest {
        let index = segment.parse::<usize>().ok();
        if let (Some(index), Value::Table(table)) = (index, &*value)
            && table.is_empty()
            && index == 0
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
            _ => return Err("leads below a setting that is no table"),
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
