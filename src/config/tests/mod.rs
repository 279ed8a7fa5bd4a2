//! Settings as people write them, rightly and wrongly.

mod checks;
mod example;
mod faults;
mod variables;

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::path::Path;

use proptest::prelude::*;
use secrecy::ExposeSecret;
use tempfile::TempDir;
use toml::Table;

use super::*;

const EXAMPLE: &str = include_str!("../../../config.example.toml");

/// Text that must never be seen again.
const CANARY: &str = "hunter2canary";

/// One app, as small as can be, to put other settings before.
const APP: &str = "[[wecom.apps]]\nname = \"a\"\ncorp_id = \"ww1\"\nsecret = \"s\"\n";

/// SHA-256 of `one`, and of nothing we know.
const DIGEST: &str = "7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed";
const OTHER_DIGEST: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789ABCDEF";

/// A folder with settings in it, and an environment around it.
struct Given {
    folder: TempDir,
    variables: Vec<(OsString, OsString)>,
}

impl Given {
    /// The settings file is there, and holds this.
    fn file(text: &str) -> Self {
        let given = Self {
            folder: tempfile::tempdir().expect("a folder"),
            variables: Vec::new(),
        };
        given.put("config.toml", text);
        given
    }

    /// No setting is there but those in the environment.
    fn environment(variables: &[(&str, &str)]) -> Self {
        Self::file("").with(variables)
    }

    fn with(mut self, variables: &[(&str, &str)]) -> Self {
        let variables = variables
            .iter()
            .map(|(name, value)| (name.into(), value.into()));
        self.variables.extend(variables);
        self
    }

    /// Another file beside the settings. Its path.
    fn put(&self, name: &str, text: &str) -> String {
        let path = self.folder.path().join(name);
        std::fs::write(&path, text).expect("a file");
        path.to_str().expect("UTF-8").to_owned()
    }

    fn sources(&self) -> Sources {
        Sources {
            file: Some(self.folder.path().join("config.toml")),
            variables: self.variables.clone(),
        }
    }

    fn load(&self) -> Result<Checked, Vec<Fault>> {
        load(&self.sources())
    }

    fn checked(&self) -> Checked {
        self.load()
            .unwrap_or_else(|faults| panic!("no fault, but {faults:#?}"))
    }

    /// Every fault as people see it, without the folder.
    fn faults(&self) -> Vec<String> {
        let faults = self.load().err().unwrap_or_default();
        let folder = format!("{}/", self.folder.path().display());
        faults
            .iter()
            .map(|fault| fault.to_string().replace(&folder, ""))
            .collect()
    }
}

/// The one fault of a file.
fn fault_of(text: &str) -> String {
    let faults = Given::file(text).faults();
    assert_eq!(faults.len(), 1, "{text}: {faults:#?}");
    faults.concat()
}

proptest! {
    #[test]
    fn no_text_of_a_file_breaks_us(
        lines in prop::collection::vec(
            (
                "[a-z.\\[\\]\"_]{0,12}|server|server.listen|wecom.apps|\\[\\[wecom.apps\\]\\]|access.reveal|access.callers|log.level|cache.max_bytes|name|secret|key_sha256|expires|tls_san|\\[access.jwt\\]|jwks_file|algorithms|apps",
                "[ -~\n]{0,12}|\\[\\]|\\[\"a\", 1, \\{\\}, \"phones\", true\\]|\\{ a = \\[1\\] \\}|-?[0-9]{1,20}|\"[0-9]{1,22}[a-zA-Z]{0,3}\"|\"(info|[a-z]+)[=,a-z]{0,9}\"",
            ),
            0..8,
        ),
    ) {
        let text: Vec<_> = lines.iter().map(|(key, value)| {
            if key.starts_with('[') { key.clone() } else { format!("{key} = {value}") }
        }).collect();
        let text = text.join("\n");
        if let Err(faults) = Given::file(&text).load() {
            prop_assert!(!faults.is_empty());
        }
    }

    #[test]
    fn no_variable_breaks_us(
        variables in prop::collection::vec(
            (
                "(SERVER|WECOM|ACCESS|CACHE|LOG|[A-Z0-9_]{0,6})(__(APPS|CALLERS|REVEAL|LISTEN|NAME|SECRET|MAX_BYTES|[0-9]{1,20}|[A-Z_]{0,5})){0,4}",
                "\\PC{0,12}|[0-9]{1,20}|\\[(\"[a-z]{0,6}\",? ?|[0-9],|\\{\\},){0,4}\\]|\\{ ?([a-z]{1,8} = [0-9])? ?\\}",
            ),
            0..8,
        ),
    ) {
        let named: Vec<_> = variables.iter().map(|(name, value)| (format!("WECOM_PROXY_{name}"), value)).collect();
        let named: Vec<_> = named.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        if let Err(faults) = Given::file(APP).with(&named).load() {
            prop_assert!(!faults.is_empty());
        }
    }
}
