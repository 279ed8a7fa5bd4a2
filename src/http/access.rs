//! Who may ask, and what they may see: `[access]`.
//!
//! Callers prove who they are with a key, of which we keep nothing but its SHA-256. Keys are random
//! and long, so a fast hash is right: there is nothing to guess.

use std::collections::HashSet;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use http::HeaderMap;
use http::header::AUTHORIZATION;
use http::request::Parts;
use serde::Deserialize;
use serde::Deserializer;
use serde::de::Error;
use sha2::Digest as _;
use sha2::Sha256;
use subtle::ConditionallySelectable;
use subtle::ConstantTimeEq;

use super::Desk;
use super::problem::Kind;
use super::problem::Problem;
use crate::meeting::view::Part;
use crate::meeting::view::Reveal;
use crate::setting;
use crate::setting::Flaw;
use crate::wecom::AppName;

/// Who may ask, and what they may see.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Whether a key is asked for.
    pub mode: Option<Mode>,
    /// What everybody sees where no key is asked for.
    pub reveal: Vec<Part>,
    /// Those who have a key.
    pub callers: Vec<CallerSettings>,
}

/// Whether a key is asked for.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// It is.
    Keys,
    /// It is not.
    Open,
}

/// Somebody who has a key.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CallerSettings {
    /// What we call them, in logs.
    pub name: String,
    /// SHA-256 of their key, or of several while keys are being changed.
    #[serde(deserialize_with = "one_or_many")]
    pub key_sha256: Vec<KeyDigest>,
    /// The apps they may ask as. The first is the one they mean when they name none.
    pub apps: Vec<AppName>,
    /// What they see besides what is shown to everybody.
    pub reveal: Vec<Part>,
    /// How many requests a second they may send.
    #[serde(deserialize_with = "setting::count_if_any")]
    pub requests_per_second: Option<u32>,
    /// How many of those at once.
    #[serde(deserialize_with = "setting::count_if_any")]
    pub burst: Option<u32>,
}

/// SHA-256 of a key, written as 64 hexadecimal digits.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct KeyDigest([u8; 32]);

impl KeyDigest {
    /// The digest of a key.
    pub fn of(key: &[u8]) -> Self {
        Self(Sha256::digest(key).into())
    }
}

impl fmt::Display for KeyDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl<'de> Deserialize<'de> for KeyDigest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        setting::parsed(
            deserializer,
            "64 hexadecimal digits, as printed by the command hash-key",
            digest,
        )
    }
}

fn digest(text: &str) -> Option<KeyDigest> {
    let digits: Vec<u32> = text
        .chars()
        .map(|digit| digit.to_digit(16))
        .collect::<Option<_>>()?;
    let (pairs, odd) = digits.as_chunks::<2>();
    let bytes = pairs
        .iter()
        .map(|[high, low]| u8::try_from(high * 16 + low).ok());
    let bytes: Vec<u8> = bytes.collect::<Option<_>>().filter(|_| odd.is_empty())?;
    bytes.try_into().ok().map(KeyDigest)
}

fn one_or_many<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<KeyDigest>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Written {
        Many(Vec<String>),
        One(String),
    }
    let texts = match Written::deserialize(deserializer) {
        Ok(Written::Many(texts)) => texts,
        Ok(Written::One(text)) => vec![text],
        Err(_) => return Err(D::Error::custom("must be a text, or a list of texts")),
    };
    let written = texts.iter().map(|text| digest(text));
    written.collect::<Option<_>>().ok_or_else(|| {
        D::Error::custom("must be 64 hexadecimal digits, as printed by the command hash-key")
    })
}

/// Somebody whose key we know; or anybody, where no key is asked for.
#[derive(Clone, Debug)]
pub(super) struct Caller(Arc<Rights>);

#[derive(Debug)]
struct Rights {
    /// At least one. The first is the default.
    apps: Vec<AppName>,
    reveal: Reveal,
}

impl Caller {
    fn new(apps: Vec<AppName>, reveal: &[Part]) -> Self {
        let reveal = reveal.iter().copied().collect();
        Self(Arc::new(Rights { apps, reveal }))
    }

    /// What they may see.
    pub(super) fn reveal(&self) -> Reveal {
        self.0.reveal
    }

    /// The app they mean when they name none.
    fn default_app(&self) -> Option<&AppName> {
        self.0.apps.first()
    }

    fn may_use(&self, app: &AppName) -> bool {
        self.0.apps.contains(app)
    }
}

/// Tells callers apart, and knows which apps there are.
#[derive(Debug)]
pub struct Access {
    apps: Vec<AppName>,
    policy: Policy,
}

#[derive(Debug)]
enum Policy {
    Keys(Vec<(KeyDigest, Caller)>),
    Open(Caller),
}

impl Access {
    /// Who may ask, given the apps there are and where callers come in; or every flaw.
    pub fn new(
        settings: &Settings,
        apps: &[AppName],
        listen: SocketAddr,
    ) -> Result<Self, Vec<Flaw>> {
        let mut flaws = settings.flaws(apps);
        let keys = !settings.callers.is_empty();
        let policy = match settings.mode {
            Some(Mode::Keys) if !keys => {
                flaws.push(Flaw::new("mode", "is \"keys\", but no caller is listed"));
                None
            }
            Some(Mode::Open) => Some(Policy::Open(Caller::new(apps.to_vec(), &settings.reveal))),
            None if !keys && !listen.ip().is_loopback() => {
                flaws.push(Flaw::new("mode", "must be said, as server.listen is not on loopback: list callers, or set it to \"open\""));
                None
            }
            None if !keys => Some(Policy::Open(Caller::new(apps.to_vec(), &settings.reveal))),
            Some(Mode::Keys) | None => Some(Policy::Keys(settings.keys(apps))),
        };
        match policy {
            Some(policy) if flaws.is_empty() => Ok(Self {
                apps: apps.to_vec(),
                policy,
            }),
            _ => Err(flaws),
        }
    }

    /// The caller who sends a request with these header fields.
    pub(super) fn admit(&self, headers: &HeaderMap) -> Result<Caller, Problem> {
        match &self.policy {
            Policy::Open(anybody) => Ok(anybody.clone()),
            Policy::Keys(keys) => bearer_key(headers)
                .and_then(|key| owner(keys, KeyDigest::of(key)))
                .ok_or_else(Problem::unauthenticated),
        }
    }

    /// The app a caller asks as: the one they name, or their first.
    pub(super) fn app(&self, caller: &Caller, named: Option<&str>) -> Result<AppName, Problem> {
        let unknown = || Problem::new(Kind::UnknownApp, "no app of that name is set up");
        let Some(name) = named else {
            return caller.default_app().cloned().ok_or_else(unknown);
        };
        let app = self
            .apps
            .iter()
            .find(|app| app.as_str() == name)
            .ok_or_else(unknown)?;
        if !caller.may_use(app) {
            return Err(Problem::new(
                Kind::AppNotAllowed,
                "ask as one of the apps your key covers",
            ));
        }
        Ok(app.clone())
    }
}

/// Whose key has this digest. Looks at all of them in the same time, whichever it is: how long it
/// takes tells nothing.
fn owner(keys: &[(KeyDigest, Caller)], digest: KeyDigest) -> Option<Caller> {
    const NOBODY: u32 = u32::MAX;
    let mut owner = NOBODY;
    for (index, (known, _)) in (0_u32..).zip(keys) {
        owner.conditional_assign(&index, known.0.ct_eq(&digest.0));
    }
    let (_, caller) = keys.get(usize::try_from(owner).ok()?)?;
    Some(caller.clone())
}

/// The key in `Authorization: Bearer KEY` (RFC 6750, section 2.1). Exactly one such field.
fn bearer_key(headers: &HeaderMap) -> Option<&[u8]> {
    let mut fields = headers.get_all(AUTHORIZATION).into_iter();
    let (field, None) = (fields.next()?, fields.next()) else {
        return None;
    };
    let (scheme, key) = field.as_bytes().split_at_checked("Bearer ".len())?;
    let key = key.trim_ascii();
    (scheme.eq_ignore_ascii_case(b"Bearer ") && !key.is_empty()).then_some(key)
}

impl Settings {
    fn keys(&self, apps: &[AppName]) -> Vec<(KeyDigest, Caller)> {
        let mut keys = Vec::new();
        for settings in &self.callers {
            let apps = if settings.apps.is_empty() {
                apps
            } else {
                &settings.apps
            };
            let caller = Caller::new(apps.to_vec(), &settings.reveal);
            keys.extend(
                settings
                    .key_sha256
                    .iter()
                    .map(|digest| (*digest, caller.clone())),
            );
        }
        keys
    }

    fn flaws(&self, apps: &[AppName]) -> Vec<Flaw> {
        let mut flaws = Vec::new();
        let (mut names, mut digests) = (HashSet::new(), HashSet::new());
        for (index, caller) in self.callers.iter().enumerate() {
            let mut flaw = |key: &str, why: String| {
                flaws.push(Flaw::new(format!("callers[{index}].{key}"), why));
            };
            if caller.name.is_empty() {
                flaw("name", "is missing".to_owned());
            } else if !names.insert(&caller.name) {
                flaw(
                    "name",
                    format!("another caller is called {:?} too", caller.name),
                );
            }
            if caller.key_sha256.is_empty() {
                flaw("key_sha256", "is missing".to_owned());
            } else if !caller
                .key_sha256
                .iter()
                .all(|digest| digests.insert(digest))
            {
                flaw("key_sha256", "the same key is listed twice".to_owned());
            }
            for app in caller.apps.iter().filter(|app| !apps.contains(app)) {
                flaw("apps", format!("no app is called {:?}", app.as_str()));
            }
            if caller.apps.is_empty() && apps.len() > 1 {
                flaw("apps", "must be said, as there are several apps".to_owned());
            }
            if caller.burst.is_some() && caller.requests_per_second.is_none() {
                flaw(
                    "burst",
                    "means nothing without requests_per_second".to_owned(),
                );
            }
        }
        flaws
    }
}

impl FromRequestParts<Desk> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, desk: &Desk) -> Result<Self, Self::Rejection> {
        desk.access.admit(&parts.headers)
    }
}
