//! Tokens by which somebody else says who a caller is (RFC 7519), signed (RFC 7515) with a key of
//! which we know the public half.
//!
//! What a token says of how to verify it only ever chooses among the keys that the settings allow.
//! A key has one algorithm, by its type: so there is none to confuse it with, and `none` and those
//! with a shared secret are not spelled anywhere. What is wrong with a token is told to nobody.

#[cfg(any(test, feature = "fuzzing"))]
pub(in crate::http) mod fuzzing;
mod jwks;

#[cfg(test)]
mod tests;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::SignedDuration;
use jiff::Timestamp;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Map;
use serde_json::Value;

use self::jwks::PublicKey;
use super::settings::Algorithm;
use super::settings::JwtSettings;
use crate::setting::Flaw;

/// A token larger than this is not looked at.
const TOKEN_BYTES_MAX: usize = 8 * 1024;

/// How far the clock of who makes the tokens may be from ours.
const LEEWAY_S: f64 = 60.0;

/// Verifies tokens.
#[derive(Debug)]
pub(super) struct Verifier {
    issuer: String,
    audience: String,
    caller_claim: String,
    /// Those alone that may be used.
    keys: Vec<PublicKey>,
}

/// What is read of a token's header.
#[derive(Deserialize)]
struct Header {
    alg: Algorithm,
    kid: Option<String>,
    /// What must be understood to read the token right. We understand nothing that stands here.
    #[serde(default, deserialize_with = "present")]
    crit: bool,
}

/// Whatever stands there, even `null`: it is there.
fn present<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    serde::de::IgnoredAny::deserialize(deserializer).map(|_| true)
}

impl Verifier {
    /// As the settings say, with the keys in the file that they name; or every flaw.
    pub(super) fn read(settings: &JwtSettings) -> Result<Self, Vec<Flaw>> {
        let JwtSettings {
            issuer,
            audience,
            jwks_file,
            algorithms,
            caller_claim,
        } = settings;
        let missing = [
            ("issuer", issuer.is_empty()),
            ("audience", audience.is_empty()),
            ("jwks_file", jwks_file.as_os_str().is_empty()),
            ("algorithms", algorithms.is_empty()),
            ("caller_claim", caller_claim.is_empty()),
        ];
        let missing = missing.into_iter().filter(|(_, is_missing)| *is_missing);
        let flaws: Vec<_> = missing
            .map(|(key, _)| Flaw::new(key, "is missing"))
            .collect();
        if !flaws.is_empty() {
            return Err(flaws);
        }
        let keys = jwks::read(jwks_file, algorithms);
        let keys = keys.map_err(|why| vec![Flaw::new("jwks_file", why)])?;
        Ok(Self {
            issuer: issuer.clone(),
            audience: audience.clone(),
            caller_claim: caller_claim.clone(),
            keys,
        })
    }

    /// What a token calls its bearer, and until when it is good, if it is good now.
    pub(super) fn subject(&self, token: &[u8], now: Timestamp) -> Option<(String, Timestamp)> {
        if token.len() > TOKEN_BYTES_MAX {
            return None;
        }
        let (signed, signature) = rsplit_once(token)?;
        let (header, claims) = rsplit_once(signed)?;
        // An object in every part, and not only in those that are read.
        let header: Map<String, Value> = decoded(header)?;
        let header: Header = serde_json::from_value(Value::Object(header)).ok()?;
        let key = self.key(&header)?;
        if header.crit || !key.verifies(signed, &URL_SAFE_NO_PAD.decode(signature).ok()?) {
            return None;
        }
        // Nothing is read of it before it is known to be genuine.
        let mut claims: Map<String, Value> = decoded(claims)?;
        let good_until = good_until(&claims, now).filter(|_| self.is_meant(&claims))?;
        match claims.remove(&self.caller_claim) {
            Some(Value::String(subject)) => Some((subject, good_until)),
            _ => None,
        }
    }

    /// The one key that a token can have been signed with. If it names none, there must be no
    /// choice.
    fn key(&self, Header { alg, kid, .. }: &Header) -> Option<&PublicKey> {
        let fits = |key: &&PublicKey| {
            let is_named = kid.is_none() || key.kid == *kid;
            key.algorithm == *alg && is_named
        };
        let mut fitting = self.keys.iter().filter(fits);
        let (key, None) = (fitting.next()?, fitting.next()) else {
            return None;
        };
        Some(key)
    }

    /// Whether a token is from whom we trust, and for us: of several audiences, we must be one.
    fn is_meant(&self, claims: &Map<String, Value>) -> bool {
        let is_us = |audience: &Value| audience.as_str() == Some(&self.audience);
        let for_us = claims.get("aud").is_some_and(|audience| {
            is_us(audience)
                || audience
                    .as_array()
                    .is_some_and(|list| list.iter().any(is_us))
        });
        for_us && claims.get("iss").and_then(Value::as_str) == Some(&self.issuer)
    }
}

/// The end, which must be named, if it has not come, and the moment has, where one is named.
fn good_until(claims: &Map<String, Value>, now: Timestamp) -> Option<Timestamp> {
    let now = now.as_duration().as_secs_f64();
    let has_begun = |begin: f64| now >= begin - LEEWAY_S;
    let number = |claim: &Value| claim.as_f64();
    let end = claims.get("exp").and_then(number)? + LEEWAY_S;
    let begins = claims.get("nbf").map(number);
    let is_good = now < end && begins.is_none_or(|begin| begin.is_some_and(has_begun));
    let end = SignedDuration::try_from_secs_f64(end).ok();
    // What is beyond all dates does not end.
    let end = end.and_then(|end| Timestamp::from_duration(end).ok());
    is_good.then_some(end.unwrap_or(Timestamp::MAX))
}

/// What a part of a token holds: JSON, in base64url without padding and without stray bits.
fn decoded<T: DeserializeOwned>(part: &[u8]) -> Option<T> {
    let json = URL_SAFE_NO_PAD.decode(part).ok()?;
    serde_json::from_slice(&json).ok()
}

/// What is before and after the last dot.
fn rsplit_once(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let dot = text.iter().rposition(|byte| *byte == b'.')?;
    let (before, from_dot) = text.split_at_checked(dot)?;
    Some((before, from_dot.split_first()?.1))
}
