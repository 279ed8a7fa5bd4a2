//! `[access]` as it is written, and what is wrong with it.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::path::PathBuf;

use jiff::Timestamp;
use serde::Deserialize;
use url::Url;

use super::keys::KeySettings;
use super::keys::moment;
use super::keys::one_or_many;
use crate::meeting::view::Part;
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
    /// Who else says who somebody is.
    pub jwt: Option<JwtSettings>,
    /// Those who may ask.
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

/// Somebody who may ask.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CallerSettings {
    /// What we call them, in logs; and what a token calls them.
    pub name: String,
    /// Their keys: one, or several while they are being changed.
    #[serde(deserialize_with = "one_or_many")]
    pub key_sha256: Vec<KeySettings>,
    /// From this moment on all of their keys are worth nothing.
    #[serde(deserialize_with = "moment")]
    pub expires: Option<Timestamp>,
    /// What their certificate calls them.
    pub tls_san: Vec<String>,
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

/// Tokens by which somebody else says who a caller is. What is empty was left out.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct JwtSettings {
    /// Who makes them: their `iss`.
    pub issuer: String,
    /// Whom they are made for, which is us: their `aud`.
    pub audience: String,
    /// The keys by which they are verified (RFC 7517).
    pub jwks_file: PathBuf,
    /// How they may be signed.
    pub algorithms: Vec<Algorithm>,
    /// The claim that names the caller.
    pub caller_claim: String,
}

impl Default for JwtSettings {
    fn default() -> Self {
        Self {
            issuer: String::new(),
            audience: String::new(),
            jwks_file: PathBuf::new(),
            algorithms: vec![Algorithm::Es256, Algorithm::EdDsa, Algorithm::Rs256],
            caller_claim: "sub".to_owned(),
        }
    }
}

/// How a token may be signed (RFC 7518, section 3.1, and RFC 8037). Always with a key of which we
/// know the public half alone: whoever can verify must not be able to sign.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
pub enum Algorithm {
    /// ECDSA with P-256 and SHA-256.
    #[serde(rename = "ES256")]
    Es256,
    /// `EdDSA`, with Ed25519.
    #[serde(rename = "EdDSA")]
    EdDsa,
    /// RSA with PKCS #1 v1.5 and SHA-256.
    #[serde(rename = "RS256")]
    Rs256,
}

impl Settings {
    /// The files that are read with these settings, besides the one that they stand in.
    pub fn files(&self) -> Vec<PathBuf> {
        let files = self.jwt.iter().map(|jwt| jwt.jwks_file.clone());
        files.filter(|file| !file.as_os_str().is_empty()).collect()
    }

    /// Whether callers must prove who they are, given where they come in.
    pub(super) fn asks_for_proof(&self, listen: SocketAddr) -> Result<bool, Flaw> {
        let callers = !self.callers.is_empty();
        match self.mode {
            Some(Mode::Keys) if !callers => {
                Err(Flaw::new("mode", "is \"keys\", but no caller is listed"))
            }
            Some(Mode::Keys) => Ok(true),
            Some(Mode::Open) => Ok(false),
            None if !callers && !listen.ip().is_loopback() => Err(Flaw::new(
                "mode",
                "must be said, as server.listen is not on loopback: list callers, or set it to \"open\"",
            )),
            None => Ok(callers),
        }
    }

    /// What is wrong with them where callers show no certificates.
    pub fn flaws_without_certificates(&self) -> Vec<Flaw> {
        let callers = self.callers.iter().enumerate();
        let named = callers.filter(|(_, caller)| !caller.tls_san.is_empty());
        let flaw = |(index, _)| {
            let why =
                "means nothing without server.tls.client_ca_file: no certificate is asked for";
            Flaw::new(format!("callers[{index}].tls_san"), why)
        };
        named.map(flaw).collect()
    }

    /// What is wrong with the callers, given the apps there are.
    pub(super) fn flaws(&self, apps: &[AppName]) -> Vec<Flaw> {
        let mut flaws = Vec::new();
        let mut seen = Seen::default();
        for (index, caller) in self.callers.iter().enumerate() {
            let mut found = caller.flaws_alone(apps);
            found.extend(caller.flaws_beside(&mut seen));
            if !caller.has_proof() && self.jwt.is_none() {
                found.push(Flaw::new(
                    "key_sha256",
                    "is missing, and so are tls_san and [access.jwt]: one of them is needed",
                ));
            }
            let place = format!("callers[{index}]");
            flaws.extend(found.into_iter().map(|flaw| flaw.below(&place)));
        }
        flaws
    }
}

/// What the callers before have taken.
#[derive(Default)]
struct Seen<'a> {
    names: HashSet<&'a str>,
    digests: HashSet<super::KeyDigest>,
    sans: HashSet<&'a str>,
}

impl CallerSettings {
    fn has_proof(&self) -> bool {
        !self.key_sha256.is_empty() || !self.tls_san.is_empty()
    }

    fn flaws_alone(&self, apps: &[AppName]) -> Vec<Flaw> {
        let mut flaws = Vec::new();
        let mut flaw = |key: &str, why: String| flaws.push(Flaw::new(key, why));
        if self.name.is_empty() {
            flaw("name", "is missing".to_owned());
        }
        for (index, _) in self
            .tls_san
            .iter()
            .enumerate()
            .filter(|(_, san)| !is_san(san))
        {
            let why = "must be a URI, as in \"spiffe://…\", or a DNS name";
            flaw(&format!("tls_san[{index}]"), why.to_owned());
        }
        for app in self.apps.iter().filter(|app| !apps.contains(app)) {
            flaw("apps", format!("no app is called {:?}", app.as_str()));
        }
        if self.apps.is_empty() && apps.len() > 1 {
            flaw("apps", "must be said, as there are several apps".to_owned());
        }
        if self.burst.is_some() && self.requests_per_second.is_none() {
            flaw(
                "burst",
                "means nothing without requests_per_second".to_owned(),
            );
        }
        flaws
    }

    fn flaws_beside<'a>(&'a self, seen: &mut Seen<'a>) -> Vec<Flaw> {
        let mut flaws = Vec::new();
        if !self.name.is_empty() && !seen.names.insert(&self.name) {
            let why = format!("another caller is called {:?} too", self.name);
            flaws.push(Flaw::new("name", why));
        }
        if !self
            .key_sha256
            .iter()
            .all(|key| seen.digests.insert(key.sha256))
        {
            flaws.push(Flaw::new("key_sha256", "the same key is listed twice"));
        }
        if !self.tls_san.iter().all(|san| seen.sans.insert(san)) {
            flaws.push(Flaw::new("tls_san", "the same name is listed twice"));
        }
        flaws
    }
}

/// Whether a certificate can call somebody so: by a URI, or by a name of DNS (RFC 5280, section
/// 4.2.1.6).
fn is_san(text: &str) -> bool {
    if text.contains(':') {
        let is_visible = text.bytes().all(|byte| byte.is_ascii_graphic());
        return is_visible && Url::parse(text).is_ok_and(|url| url.has_host());
    }
    let is_label = |label: &str| {
        let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        (1..=63).contains(&label.len()) && label.bytes().all(fits)
    };
    text.len() <= 253 && text.split('.').all(is_label)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_calls_somebody_by_a_uri_or_a_name() {
        for (text, good) in [
            ("spiffe://example.com/ns/calendar", true),
            ("calendar.example.com", true),
            ("calendar", true),
            ("", false),
            ("Calendar.example.com", false),
            ("calendar..example.com", false),
            ("*.example.com", false),
            ("spiffe://", false),
            ("spiffe:calendar", false),
            ("spiffe://example.com/a b", false),
            ("calendar example", false),
        ] {
            assert_eq!(is_san(text), good, "{text:?}");
        }
    }
}
