//! How to reach WeCom, and as whom: `[wecom]` and `[[wecom.apps]]`.

use std::collections::HashSet;
use std::fmt;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use secrecy::ExposeSecret;
use secrecy::SecretString;
use serde::Deserialize;
use serde::Deserializer;
use serde::de::Error;
use url::Host;
use url::Url;

use crate::setting;
use crate::setting::Flaw;
use crate::tls;

/// How to reach WeCom, and as whom.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Where WeCom lives. `http://` only on loopback, or with `allow_plaintext`.
    #[serde(deserialize_with = "base_url")]
    pub base_url: Url,
    /// Whether tokens may travel in the clear, through a network that is trusted.
    pub allow_plaintext: bool,
    /// Longest wait for a connection.
    #[serde(deserialize_with = "setting::limit")]
    pub connect_timeout: Duration,
    /// Longest wait for one answer, from the sending of the question.
    #[serde(deserialize_with = "setting::limit")]
    pub timeout: Duration,
    /// Questions of a corp under way at a time.
    #[serde(deserialize_with = "setting::count")]
    pub max_in_flight: u32,
    /// Questions a minute and corp.
    #[serde(deserialize_with = "setting::count")]
    pub calls_per_minute: u32,
    /// Questions an hour and corp.
    #[serde(deserialize_with = "setting::count")]
    pub calls_per_hour: u32,
    /// Largest answer, after decompression.
    #[serde(deserialize_with = "setting::size")]
    pub max_response_bytes: u64,
    /// The way out, where there is no other: an HTTP proxy.
    pub proxy: Option<ProxyUrl>,
    /// Certificates (PEM) to trust besides the public ones.
    pub ca_file: Option<PathBuf>,
    /// The apps to ask as. WeCom shows an app only what that app created.
    pub apps: Vec<AppSettings>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            base_url: official(),
            allow_plaintext: false,
            connect_timeout: Duration::from_secs(2),
            timeout: Duration::from_secs(3),
            max_in_flight: 64,
            calls_per_minute: 8_000,
            calls_per_hour: 120_000,
            max_response_bytes: 4 * 1024 * 1024,
            proxy: None,
            ca_file: None,
            apps: Vec::new(),
        }
    }
}

/// One app, as it is written in the settings. Exactly one of `secret` and `secret_file` is set.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AppSettings {
    /// What callers call it.
    pub name: Option<AppName>,
    /// The enterprise it belongs to.
    pub corp_id: String,
    /// Its secret.
    pub secret: Option<SecretString>,
    /// Where its secret is written down, with at most one newline at the end.
    pub secret_file: Option<PathBuf>,
}

/// The app's name where only one is set up and nobody gave it another.
pub const DEFAULT_APP: &str = "default";

/// What callers call an app: 1 to 64 characters of `A-Z a-z 0-9 _ -`. Safe in a log line and as a
/// metric's label.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct AppName(Arc<str>);

impl AppName {
    const LEN_MAX: usize = 64;

    /// The name as it is written in the settings.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for AppName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for AppName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
        setting::parsed(
            deserializer,
            "1 to 64 characters of A-Z a-z 0-9 _ -",
            |text| {
                let fits = (1..=Self::LEN_MAX).contains(&text.len());
                (fits && text.bytes().all(allowed)).then(|| Self(text.into()))
            },
        )
    }
}

/// The address of an HTTP proxy. It may hold a password, and prints as `[REDACTED]`.
#[derive(Clone)]
pub struct ProxyUrl(Url);

impl ProxyUrl {
    /// The address itself, for the one place that connects.
    pub(super) fn reveal(&self) -> &Url {
        &self.0
    }
}

impl fmt::Debug for ProxyUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[REDACTED]")
    }
}

impl<'de> Deserialize<'de> for ProxyUrl {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        http_url(deserializer).map(Self)
    }
}

/// One app, ready to ask as.
#[derive(Clone, Debug)]
pub struct App {
    /// What callers call it.
    pub name: AppName,
    /// The enterprise it belongs to.
    pub corp_id: String,
    /// Its secret.
    pub secret: SecretString,
    /// Where its secret is written down, if it is in a file. Looked at again when WeCom refuses it.
    pub secret_file: Option<PathBuf>,
}

impl Settings {
    /// The apps, with the secrets that are written down in files read; or every flaw of the
    /// settings in this room. Reads files, and asks nobody.
    pub fn apps(&self) -> Result<Vec<App>, Vec<Flaw>> {
        let mut flaws = self.way_flaws();
        if self.apps.is_empty() {
            flaws.push(Flaw::new(
                "apps",
                "at least one app is needed: list it, or set WECOM_CORP_ID and WECOM_SECRET",
            ));
        }
        let mut apps = Vec::new();
        let mut names = HashSet::new();
        for (index, settings) in self.apps.iter().enumerate() {
            match settings.app(&mut names) {
                Ok(app) => apps.push(app),
                Err(found) => {
                    let at = format!("apps[{index}]");
                    flaws.extend(found.into_iter().map(|flaw| flaw.below(&at)));
                }
            }
        }
        if flaws.is_empty() {
            Ok(apps)
        } else {
            Err(flaws)
        }
    }

    /// The files that they name.
    pub fn files(&self) -> Vec<PathBuf> {
        let secrets = self.apps.iter().filter_map(|app| app.secret_file.as_ref());
        secrets.chain(&self.ca_file).cloned().collect()
    }

    /// What is wrong with the way to WeCom.
    fn way_flaws(&self) -> Vec<Flaw> {
        let ca_file = tls::for_clients(self.ca_file.as_deref()).err();
        let ca_file = ca_file.map(|error| Flaw::new("ca_file", error.to_string()));
        self.plaintext_flaw().into_iter().chain(ca_file).collect()
    }

    fn plaintext_flaw(&self) -> Option<Flaw> {
        let loopback = match self.base_url.host() {
            Some(Host::Domain(name)) => name == "localhost",
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            None => false,
        };
        let safe = self.base_url.scheme() == "https" || loopback || self.allow_plaintext;
        let why = "http:// sends secrets in the clear: use https://, or set wecom.allow_plaintext";
        (!safe).then(|| Flaw::new("base_url", why))
    }
}

impl AppSettings {
    fn app(&self, names: &mut HashSet<AppName>) -> Result<App, Vec<Flaw>> {
        let mut flaws = Vec::new();
        match &self.name {
            None => flaws.push(Flaw::new("name", "is missing")),
            Some(name) if !names.insert(name.clone()) => {
                flaws.push(Flaw::new(
                    "name",
                    format!("another app is called {name:?} too", name = name.as_str()),
                ));
            }
            Some(_) => {}
        }
        if self.corp_id.trim().is_empty() {
            flaws.push(Flaw::new("corp_id", "is missing"));
        }
        let secret = self.secret().map_err(|flaw| flaws.push(flaw)).ok();
        match (&self.name, secret) {
            (Some(name), Some(secret)) if flaws.is_empty() => Ok(App {
                name: name.clone(),
                corp_id: self.corp_id.clone(),
                secret,
                secret_file: self.secret_file.clone(),
            }),
            _ => Err(flaws),
        }
    }

    fn secret(&self) -> Result<SecretString, Flaw> {
        match (&self.secret, &self.secret_file) {
            (Some(_), Some(_)) => Err(Flaw::new("secret", "is set, and secret_file too: set one")),
            (None, None) => Err(Flaw::new("", "has no secret: set secret or secret_file")),
            (Some(secret), None) if secret.expose_secret().is_empty() => {
                Err(Flaw::new("secret", "is empty"))
            }
            (Some(secret), None) => Ok(secret.clone()),
            (None, Some(file)) => read_secret(file),
        }
    }
}

/// The secret written down in a file. Editors end a file with a newline: one is not part of it.
pub(super) fn read_secret(file: &Path) -> Result<SecretString, Flaw> {
    let flaw = |why: String| Flaw::new("secret_file", why);
    let text = std::fs::read_to_string(file)
        .map_err(|error| flaw(format!("read {}: {error}", file.display())))?;
    let newline = text.strip_suffix("\r\n").or(text.strip_suffix('\n'));
    let text = newline.unwrap_or(&text);
    if text.is_empty() {
        return Err(flaw(format!("read {}: the file is empty", file.display())));
    }
    Ok(SecretString::from(text))
}

/// Where WeCom lives (document 98149).
#[expect(clippy::expect_used, reason = "a constant, and a test reads it")]
fn official() -> Url {
    Url::parse("https://qyapi.weixin.qq.com").expect("a constant URL")
}

fn base_url<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Url, D::Error> {
    let url = http_url(deserializer)?;
    let user = !url.username().is_empty() || url.password().is_some();
    if user || url.query().is_some() || url.fragment().is_some() {
        return Err(D::Error::custom("must hold no user, query or fragment"));
    }
    Ok(url)
}

fn http_url<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Url, D::Error> {
    setting::parsed(deserializer, "an http:// or https:// address", |text| {
        let url = Url::parse(text).ok()?;
        (matches!(url.scheme(), "http" | "https") && url.has_host()).then_some(url)
    })
}
