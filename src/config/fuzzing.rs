//! What must be true of settings that are taken, and of faults, whatever somebody wrote.

use std::ffi::OsString;
use std::path::Path;

use secrecy::ExposeSecret;
use toml::Value;

use super::Checked;
use super::Config;
use super::Fault;
use super::Sources;
use super::settle;
use super::shape::shape;
use super::tree::Tree;
use crate::http::Mode;

/// A comment that begins so is a variable.
const VARIABLE: &str = "#$ ";

/// Text that must never be told, where it is a secret.
const CANARY: &str = "hunter2canary";

/// What is taken is what may be taken, and what is told of the rest quotes no secret. Settings that
/// name files are shaped, and not checked: here no file is read.
pub(crate) fn settings(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else {
        return;
    };
    let sources = Sources {
        file: None,
        variables: variables(text),
    };
    let mut secrets = Vec::new();
    if let Ok(mut tree) = ground(text) {
        sources.overlay(&mut tree);
        secrets = secrets_in(&tree);
        let (config, faults) = shape::<Config>(&mut tree);
        tells_no_secret(&format!("{faults:?}"), text, &secrets);
        if config.is_some_and(|config| !config.files().is_empty()) {
            return;
        }
    }
    match settle(ground(text), &sources) {
        Ok(checked) => {
            is_sound(&checked);
            tells_no_secret(&format!("{checked:?}"), text, &secrets);
        }
        Err(faults) => {
            assert!(!faults.is_empty());
            assert!(
                faults.iter().all(|fault| !fault.why.is_empty()),
                "{faults:?}"
            );
            let told: Vec<_> = faults.iter().map(ToString::to_string).collect();
            tells_no_secret(&told.join("\n"), text, &secrets);
        }
    }
}

fn ground(text: &str) -> Result<Tree, Vec<Fault>> {
    Tree::of_file(Path::new("config.toml"), text)
}

fn variables(text: &str) -> Vec<(OsString, OsString)> {
    let lines = text.lines().filter_map(|line| line.strip_prefix(VARIABLE));
    let named = lines.filter_map(|line| line.split_once('='));
    named
        .map(|(name, value)| (name.into(), value.into()))
        .collect()
}

/// What must hold of settings by which the service starts.
fn is_sound(checked: &Checked) {
    let Config {
        server,
        access,
        wecom,
        ..
    } = &checked.config;
    let names: Vec<_> = checked.apps.iter().map(|app| &app.name).collect();
    let said_once = |name| names.iter().filter(|other| **other == name).count() == 1;
    assert!(
        !names.is_empty() && names.iter().all(|name| said_once(*name)),
        "{names:?}"
    );
    for app in &checked.apps {
        assert!(!app.corp_id.is_empty() && !app.secret.expose_secret().is_empty());
    }
    // Nobody comes in from outside without proof, unless that was said.
    let asks = !access.callers.is_empty() && access.mode != Some(Mode::Open);
    let is_said = access.mode == Some(Mode::Open);
    assert!(
        asks || is_said || server.listen.ip().is_loopback(),
        "{access:?}"
    );
    // No secret travels in the clear, unless that was said.
    let host = wecom.base_url.host_str().unwrap_or_default();
    let is_near = host == "localhost" || host.starts_with("127.") || host == "[::1]";
    assert!(
        wecom.base_url.scheme() == "https" || is_near || wecom.allow_plaintext,
        "{host}"
    );
    // No limit is none.
    let waits = [
        server.request_timeout,
        server.head_timeout,
        server.idle_timeout,
        wecom.timeout,
        wecom.connect_timeout,
    ];
    assert!(waits.iter().all(|wait| !wait.is_zero()), "{waits:?}");
    let numbers = [
        server.max_connections,
        wecom.max_in_flight,
        wecom.calls_per_minute,
        wecom.calls_per_hour,
    ];
    assert!(
        !numbers.contains(&0) && 0 < wecom.max_response_bytes,
        "{numbers:?}"
    );
}

/// What stands where secrets do.
fn secrets_in(tree: &Tree) -> Vec<String> {
    let Some(Value::Table(wecom)) = tree.root.get("wecom") else {
        return Vec::new();
    };
    let apps = wecom.get("apps").and_then(Value::as_array);
    let secrets = apps
        .into_iter()
        .flatten()
        .filter_map(|app| app.get("secret"));
    let secrets = secrets.chain(wecom.get("proxy"));
    secrets
        .filter_map(Value::as_str)
        .map(str::to_owned)
        .collect()
}

/// Where the canary is nowhere but in secrets, it is told nowhere.
fn tells_no_secret(told: &str, text: &str, secrets: &[String]) {
    let in_secrets: usize = secrets
        .iter()
        .map(|secret| secret.matches(CANARY).count())
        .sum();
    let is_secret = text.matches(CANARY).count() <= in_secrets && !text.contains('\\');
    assert!(!is_secret || !told.contains(CANARY), "{told}");
}
