//! Stacks up the rooms' settings: from a file, from the environment, and from the files they name.
//!
//! Everything that is wrong is found at once, each fault with its key and its place. The only room
//! that reads the environment; no room below knows that it exists.

mod fingerprint;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
mod shape;
mod tree;

#[cfg(test)]
mod tests;

use std::ffi::OsString;
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

use serde::Deserialize;
use toml::Value;

use self::shape::shape;
use self::tree::CONFIG_FILE;
use self::tree::Step;
use self::tree::Tree;
use self::tree::is_within;
use crate::http;
use crate::http::Roster;
use crate::logging;
use crate::service;
use crate::setting::Flaw;
use crate::supervisor::Given;
use crate::supervisor::Supervisor;
use crate::telemetry;
use crate::tls::Credentials;
use crate::wecom;
use crate::wecom::App;
use crate::wecom::DEFAULT_APP;

pub use self::fingerprint::Fingerprint;
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
    /// What is traced.
    pub telemetry: telemetry::Settings,
}

/// Settings that were found good, with the files they name read.
#[derive(Debug)]
pub struct Checked {
    /// The settings.
    pub config: Config,
    /// The apps to ask as, with their secrets.
    pub apps: Vec<App>,
    /// Who may ask.
    pub roster: Roster,
    /// What callers are shown and must show, where they come in over TLS.
    pub credentials: Option<Credentials>,
    /// What the files held from which all this was read.
    pub fingerprint: Fingerprint,
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

/// Where settings are read from. Does not print itself: a variable may hold a secret.
#[derive(Clone, Default)]
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

    /// Whoever started us, as the environment has it. To be called in a runtime.
    pub fn supervisor(&self) -> Supervisor {
        let variable = |name| self.variable(name).map(OsString::as_os_str);
        Supervisor::given(Given {
            socket: variable("NOTIFY_SOCKET"),
            watchdog_usec: variable("WATCHDOG_USEC"),
            watchdog_pid: variable("WATCHDOG_PID"),
        })
    }

    fn variable(&self, name: &str) -> Option<&OsString> {
        let found = self
            .variables
            .iter()
            .find(|(variable, _)| variable.as_os_str() == name);
        found.map(|(_, value)| value)
    }

    /// The file to read: the one that is named, or else the default one, if it is there. With it,
    /// where it was named, if that was in the environment.
    fn file(&self) -> Option<(PathBuf, Option<Place>)> {
        if let Some(file) = &self.file {
            return Some((file.clone(), None));
        }
        if let Some(file) = self.variable(CONFIG_FILE) {
            let place = Place::Environment(CONFIG_FILE.to_owned());
            return Some((file.into(), Some(place)));
        }
        let default = PathBuf::from(DEFAULT_FILE);
        default.exists().then_some((default, None))
    }

    /// The file to look at: the one that is read, or that would be if it were there.
    fn watched_file(&self) -> PathBuf {
        let file = self.file().map(|(file, _)| file);
        file.unwrap_or_else(|| PathBuf::from(DEFAULT_FILE))
    }

    /// What the file says.
    fn ground(&self) -> Result<Tree, Vec<Fault>> {
        let Some((file, place)) = self.file() else {
            return Ok(Tree::default());
        };
        let text = std::fs::read_to_string(&file).map_err(|error| {
            vec![Fault {
                key: None,
                place,
                why: format!("read {}: {error}", file.display()),
            }]
        })?;
        Tree::of_file(&file, &text)
    }

    /// Lays on top what the environment says.
    fn overlay(&self, tree: &mut Tree) -> Vec<Fault> {
        let mut faults = tree.overlay(&self.variables);
        faults.extend(self.overlay_one_app(tree));
        faults
    }

    /// The three variables that are enough where there is one app: they make it, or override what
    /// is said of it elsewhere.
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
        let key = |key: &str| Step::Key(key.to_owned());
        match tree.length(&[key("wecom"), key("apps")]) {
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
            for secret in ["secret", "secret_file"] {
                tree.take_out(&[key("wecom"), key("apps"), Step::Element(0), key(secret)]);
            }
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
    let files = read(sources)?.files(sources);
    let fingerprint = Fingerprint::of(files);
    // Read only now that the fingerprint is taken: so nothing here is older than what it shows, and
    // every later change is noticed.
    let checked = read(sources)?;
    Ok(Checked {
        fingerprint,
        ..checked
    })
}

/// The keys that differ, of those that cannot be changed while the doors are open.
pub fn fixed_while_running(before: &Config, after: &Config) -> Vec<&'static str> {
    let (server, admin) = (&before.server, &before.admin);
    let fixed = [
        ("server.listen", server.listen != after.server.listen),
        (
            "server.max_connections",
            server.max_connections != after.server.max_connections,
        ),
        ("server.http2", server.http2 != after.server.http2),
        (
            "server.tls",
            server.tls.is_some() != after.server.tls.is_some(),
        ),
        ("admin.listen", admin.listen != after.admin.listen),
        ("telemetry", before.telemetry != after.telemetry),
    ];
    fixed
        .into_iter()
        .filter_map(|(key, differs)| differs.then_some(key))
        .collect()
}

fn read(sources: &Sources) -> Result<Checked, Vec<Fault>> {
    settle(sources.ground(), sources)
}

/// What the file says and what the environment lays on top, checked.
fn settle(ground: Result<Tree, Vec<Fault>>, sources: &Sources) -> Result<Checked, Vec<Fault>> {
    let (mut tree, unreadable) = match ground {
        Ok(tree) => (tree, Vec::new()),
        Err(faults) => (Tree::default(), faults),
    };
    let mut faults = sources.overlay(&mut tree);
    if !unreadable.is_empty() {
        // What the file says is not known: whatever else seems to be missing may stand in it.
        faults.extend(unreadable);
        return Err(faults);
    }
    let (config, misshapen) = shape::<Config>(&mut tree);
    faults.extend(misshapen);
    let (checked, flaws) = config.map_or((None, Vec::new()), Config::check);
    let news: Vec<_> = flaws
        .into_iter()
        .filter(|flaw| !follows(flaw, &faults))
        .map(|Flaw { key, why }| Fault {
            place: tree.place(&key).cloned(),
            key: Some(key),
            why,
        })
        .collect();
    faults.extend(news);
    faults.sort_by(|one, other| one.place.cmp(&other.place));
    checked.filter(|_| faults.is_empty()).ok_or(faults)
}

/// Whether a flaw only says again what is wrong already: what could not be read is missing, too.
fn follows(flaw: &Flaw, faults: &[Fault]) -> bool {
    let mut keys = faults.iter().filter_map(|fault| fault.key.as_deref());
    keys.any(|key| is_within(&flaw.key, key) || is_within(key, &flaw.key))
}

/// Where operators come in, whatever is wrong with the other settings: for the health check.
pub fn admin_address(sources: &Sources) -> SocketAddr {
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Admin {
        admin: http::AdminSettings,
    }
    let mut tree = sources.ground().unwrap_or_default();
    sources.overlay(&mut tree);
    let (settings, _) = shape::<Admin>(&mut tree);
    settings.unwrap_or_default().admin.listen
}

impl Checked {
    /// Every file that was read.
    fn files(&self, sources: &Sources) -> Vec<PathBuf> {
        let mut files = vec![sources.watched_file()];
        files.extend(self.config.files());
        files
    }
}

impl Config {
    /// The files that they name.
    fn files(&self) -> Vec<PathBuf> {
        let Self {
            access,
            server,
            wecom,
            ..
        } = self;
        let tls = server.tls.iter().flat_map(http::TlsSettings::files);
        let mut files: Vec<_> = tls.collect();
        files.extend(access.files());
        files.extend(wecom.files());
        files
    }

    /// What is wrong between the settings; and, where nothing is, what they come to.
    fn check(self) -> (Option<Checked>, Vec<Flaw>) {
        let mut flaws = Vec::new();
        let mut note = |room: &str, found: Vec<Flaw>| {
            flaws.extend(found.into_iter().map(|flaw| flaw.below(room)));
        };
        note("log", self.log.flaws());
        note("admin", self.admin.flaws(self.server.listen));
        if !self.server.asks_for_certificates() {
            note("access", self.access.flaws_without_certificates());
        }
        let credentials = self.server.tls.as_ref().map(http::TlsSettings::read);
        let credentials = credentials.transpose();
        let credentials = credentials.map_err(|found| note("server.tls", found));
        let apps = self.wecom.apps().map_err(|found| note("wecom", found));
        let names: Vec<_> = self
            .wecom
            .apps
            .iter()
            .filter_map(|app| app.name.clone())
            .collect();
        let roster = Roster::new(&self.access, &names, self.server.listen)
            .map_err(|found| note("access", found));
        match (apps, roster, credentials) {
            (Ok(apps), Ok(roster), Ok(credentials)) => (
                Some(Checked {
                    config: self,
                    apps,
                    roster,
                    credentials,
                    fingerprint: Fingerprint::default(),
                }),
                flaws,
            ),
            _ => (None, flaws),
        }
    }
}
