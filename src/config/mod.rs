//! Stacks up the rooms' settings: from a file, from the environment, and from the files they name.
//!
//! Everything that is wrong is found at once, each fault with its key and its place. The only room
//! that reads the environment; no room below knows that it exists.

mod tree;

#[cfg(test)]
mod tests;

use std::ffi::OsString;
use std::fmt;
use std::net::SocketAddr;
use std::path::Path;
use std::path::PathBuf;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use toml::Value;

use self::tree::CONFIG_FILE;
use self::tree::Tree;
use crate::http;
use crate::http::Access;
use crate::logging;
use crate::service;
use crate::setting::Flaw;
use crate::wecom;
use crate::wecom::App;
use crate::wecom::DEFAULT_APP;

pub use self::tree::Place;

/// The file that is read if nobody names one, and it is there.
const DEFAULT_FILE: &str = "config.toml";

/// All settings, room by room.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// How callers come in.
    pub server: http::Settings,
    /// How operators come in.
    pub admin: http::AdminSettings,
    /// Who may ask.
    pub access: http::AccessSettings,
    /// How to reach WeCom.
    pub wecom: wecom::Settings,
    /// How answers are kept.
    pub cache: service::Settings,
    /// What is logged.
    pub log: logging::Settings,
}

/// Settings that were found good, with the files they name read.
#[derive(Debug)]
pub struct Checked {
    /// The settings.
    pub config: Config,
    /// The apps to ask as, with their secrets.
    pub apps: Vec<App>,
    /// Who may ask.
    pub access: Access,
}

/// Something wrong with the settings.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Fault {
    /// The path of the key; `None` where it is not about one.
    pub key: Option<String>,
    /// Where it was written; `None` where it was not.
    pub place: Option<Place>,
    /// What is wrong.
    pub why: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { key, place, why } = self;
        if let Some(place) = place {
            write!(f, "{place}: ")?;
        }
        if let Some(key) = key {
            write!(f, "{key}: ")?;
        }
        f.write_str(why)
    }
}

/// Where settings are read from.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// The file, if somebody names one.
    pub file: Option<PathBuf>,
    /// The environment.
    pub variables: Vec<(OsString, OsString)>,
}

impl Sources {
    /// The file that the command line names, and the environment of this process.
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the room that reads the environment"
    )]
    pub fn of_the_process(file: Option<PathBuf>) -> Self {
        Self {
            file,
            variables: std::env::vars_os().collect(),
        }
    }

    fn variable(&self, name: &str) -> Option<&OsString> {
        let found = self
            .variables
            .iter()
            .find(|(variable, _)| variable.as_os_str() == name);
        found.map(|(_, value)| value)
    }

    /// The file to read: the one that is named, or else the default one, if it is there.
    fn file(&self) -> Option<PathBuf> {
        let named = self
            .file
            .clone()
            .or_else(|| self.variable(CONFIG_FILE).map(PathBuf::from));
        named.or_else(|| Some(PathBuf::from(DEFAULT_FILE)).filter(|file| file.exists()))
    }

    fn tree(&self) -> Result<Tree, Vec<Fault>> {
        let mut tree = match self.file() {
            Some(file) => Tree::of_file(&file, &read(&file)?)?,
            None => Tree::default(),
        };
        let mut faults = self.overlay_one_app(&mut tree);
        faults.extend(tree.overlay(&self.variables));
        if faults.is_empty() {
            Ok(tree)
        } else {
            Err(faults)
        }
    }

    /// The three variables that are enough where there is one app: they make it, or override what
    /// the file says of it.
    fn overlay_one_app(&self, tree: &mut Tree) -> Vec<Fault> {
        const VARIABLES: [(&str, &str); 3] = [
            ("WECOM_CORP_ID", "corp_id"),
            ("WECOM_SECRET", "secret"),
            ("WECOM_SECRET_FILE", "secret_file"),
        ];
        let given: Vec<_> = VARIABLES
            .into_iter()
            .filter_map(|(variable, key)| Some((variable, key, self.variable(variable)?)))
            .collect();
        let Some(&(first, _, _)) = given.first() else {
            return Vec::new();
        };
        let fault = |variable: &str, why: &str| Fault {
            key: None,
            place: Some(Place::Environment(variable.to_owned())),
            why: why.to_owned(),
        };
        match tree.length("wecom.apps") {
            0 => {
                let name = Value::from(DEFAULT_APP);
                if let Err(why) = tree.set(&["wecom", "apps", "0", "name"], name, first) {
                    return vec![fault(first, why)];
                }
            }
            1 => {}
            _ => {
                return vec![fault(
                    first,
                    "there are several apps: it cannot be said which is meant",
                )];
            }
        }
        if given.iter().any(|(_, key, _)| key.starts_with("secret")) {
            tree.remove("wecom.apps[0].secret");
            tree.remove("wecom.apps[0].secret_file");
        }
        let set = |(variable, key, value): (&str, &str, &OsString)| {
            let set = value.to_str().ok_or("is not UTF-8").and_then(|value| {
                tree.set(&["wecom", "apps", "0", key], Value::from(value), variable)
            });
            set.err().map(|why| fault(variable, why))
        };
        given.into_iter().filter_map(set).collect()
    }
}

/// Reads and validates all settings, or tells every fault. Reads files; asks nobody.
pub fn load(sources: &Sources) -> Result<Checked, Vec<Fault>> {
    let mut tree = sources.tree()?;
    let (config, mut faults) = shape::<Config>(&mut tree);
    let Some(config) = config else {
        return Err(faults);
    };
    let (checked, flaws) = config.check();
    faults.extend(flaws.into_iter().map(|Flaw { key, why }| Fault {
        place: tree.place(&key).cloned(),
        key: Some(key),
        why,
    }));
    match checked {
        Some(checked) if faults.is_empty() => Ok(checked),
        _ => Err(faults),
    }
}

/// Where operators come in, whatever is wrong with the other settings: for the health check.
pub fn admin_address(sources: &Sources) -> SocketAddr {
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Admin {
        admin: http::AdminSettings,
    }
    let mut tree = sources.tree().unwrap_or_default();
    let (settings, _) = shape::<Admin>(&mut tree);
    settings.unwrap_or_default().admin.listen
}

fn read(file: &Path) -> Result<String, Vec<Fault>> {
    std::fs::read_to_string(file).map_err(|error| {
        let why = format!("read {}: {error}", file.display());
        vec![Fault {
            key: None,
            place: None,
            why,
        }]
    })
}

/// Gives the tree the shape of `T`. What does not fit is reported and taken out, and the rest is
/// tried again: so one fault does not hide the next.
fn shape<T: DeserializeOwned>(tree: &mut Tree) -> (Option<T>, Vec<Fault>) {
    let mut faults = Vec::new();
    loop {
        let error = match serde_path_to_error::deserialize(Value::Table(tree.root.clone())) {
            Ok(settings) => return (Some(settings), faults),
            Err(error) => error,
        };
        let path = error.path().to_string();
        if tree.reread(&path) {
            continue;
        }
        faults.push(Fault {
            place: tree.place(&path).cloned(),
            why: plain_words(error.inner().message()),
            key: Some(path.clone()),
        });
        if !tree.remove(&path) {
            return (None, faults);
        }
    }
}

/// What is wrong, in words for a person. Does not quote the value: it may be a secret.
fn plain_words(message: &str) -> String {
    if message.starts_with("unknown field") {
        return message.replacen("unknown field", "unknown key", 1);
    }
    match message.split_once(", expected ") {
        Some((what, expected)) if what.starts_with("invalid ") => format!("must be {expected}"),
        _ => message.to_owned(),
    }
}

impl Config {
    /// What is wrong between the settings; and, where nothing is, what they come to.
    fn check(self) -> (Option<Checked>, Vec<Flaw>) {
        let mut flaws = Vec::new();
        let mut note = |room: &str, found: Vec<Flaw>| {
            flaws.extend(found.into_iter().map(|flaw| flaw.below(room)));
        };
        note("log", self.log.flaws());
        if let Some(tls) = &self.server.tls {
            note("server.tls", tls.flaws());
        }
        let apps = self.wecom.apps().map_err(|found| note("wecom", found));
        let names: Vec<_> = self
            .wecom
            .apps
            .iter()
            .filter_map(|app| app.name.clone())
            .collect();
        let access = Access::new(&self.access, &names, self.server.listen)
            .map_err(|found| note("access", found));
        match (apps, access) {
            (Ok(apps), Ok(access)) => (
                Some(Checked {
                    config: self,
                    apps,
                    access,
                }),
                flaws,
            ),
            _ => (None, flaws),
        }
    }
}
