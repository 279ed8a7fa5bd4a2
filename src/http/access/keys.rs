//! API keys: what is kept of them, and whose one is.
//!
//! Nothing is kept of a key here but its SHA-256. Keys are random and long, so a fast hash is right:
//! there is nothing to guess. That one has expired shows as little as that it is not known.

use std::collections::HashMap;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use foldhash::quality::RandomState;
use http::header::AUTHORIZATION;
use jiff::Timestamp;
use ring::rand::SecureRandom as _;
use ring::rand::SystemRandom;
use serde::Deserialize;
use serde::Deserializer;
use serde::de::Error;
use serde::de::MapAccess;
use serde::de::SeqAccess;
use serde::de::Visitor;
use serde::de::value::MapAccessDeserializer;
use subtle::ConstantTimeEq as _;

use super::super::fields::Fields;
use super::Proof;
use crate::digest::sha256;
use crate::setting;

/// Random bytes in a key that we make: twice as many as would do.
const KEY_BYTES: usize = 32;

/// What belongs where a digest is written.
const DIGEST_EXPECTED: &str = "64 hexadecimal digits, as printed by the command hash-key";

/// SHA-256 of a key, written as 64 hexadecimal digits.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct KeyDigest([u8; 32]);

impl KeyDigest {
    /// The digest of a key.
    pub fn of(key: &[u8]) -> Self {
        Self(sha256(key))
    }

    fn beginning(self) -> Beginning {
        self.0.first_chunk().copied().unwrap_or_default()
    }

    /// Whether both are the same. How long that takes does not tell how much of them is.
    fn is(self, other: Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }

    fn read(text: &str) -> Option<Self> {
        let digits: Vec<u32> = text
            .chars()
            .map(|digit| digit.to_digit(16))
            .collect::<Option<_>>()?;
        let (pairs, odd) = digits.as_chunks::<2>();
        let bytes = pairs
            .iter()
            .map(|[high, low]| u8::try_from(high * 16 + low).ok());
        let bytes: Vec<u8> = bytes.collect::<Option<_>>().filter(|_| odd.is_empty())?;
        bytes.try_into().ok().map(Self)
    }
}

impl fmt::Display for KeyDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl<'de> Deserialize<'de> for KeyDigest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        setting::parsed(deserializer, DIGEST_EXPECTED, Self::read)
    }
}

/// A new key, random by the operating system. `None` where that has no randomness to give.
pub fn generate_key() -> Option<String> {
    let mut bytes = [0; KEY_BYTES];
    SystemRandom::new().fill(&mut bytes).ok()?;
    Some(URL_SAFE_NO_PAD.encode(bytes))
}

/// A key as the settings list it: its digest alone, or a table that says besides until when it is
/// good.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct KeySettings {
    /// SHA-256 of the key.
    pub sha256: KeyDigest,
    /// From this moment on it is worth nothing.
    pub expires: Option<Timestamp>,
}

impl<'de> Deserialize<'de> for KeySettings {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Written)
    }
}

/// Reads the keys of a caller: one, or a list.
pub(super) fn one_or_many<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Vec<KeySettings>, D::Error> {
    deserializer.deserialize_any(WrittenOnceOrMore)
}

/// A key as it is written.
struct Written;

impl<'de> Visitor<'de> for Written {
    type Value = KeySettings;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(DIGEST_EXPECTED)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<KeySettings, E> {
        let sha256 = KeyDigest::read(text);
        let sha256 = sha256.ok_or_else(|| E::custom(format!("must be {DIGEST_EXPECTED}")))?;
        Ok(KeySettings {
            sha256,
            expires: None,
        })
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<KeySettings, A::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Table {
            sha256: KeyDigest,
            #[serde(default, deserialize_with = "moment")]
            expires: Option<Timestamp>,
        }
        let Table { sha256, expires } = Table::deserialize(MapAccessDeserializer::new(map))?;
        Ok(KeySettings { sha256, expires })
    }
}

/// A key, or a list of them.
struct WrittenOnceOrMore;

impl<'de> Visitor<'de> for WrittenOnceOrMore {
    type Value = Vec<KeySettings>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{DIGEST_EXPECTED}, or a list of such")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        Written.visit_str(text).map(|key| vec![key])
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        Written.visit_map(map).map(|key| vec![key])
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        let mut keys = Vec::new();
        while let Some(key) = items.next_element()? {
            keys.push(key);
        }
        Ok(keys)
    }
}

/// A moment, written as RFC 3339 has it.
pub(super) fn moment<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Timestamp>, D::Error> {
    let expected = "a moment with its offset, such as \"2026-12-31T00:00:00Z\"";
    setting::parsed(deserializer, expected, |text| text.parse().ok()).map(Some)
}

/// The keys there are, and whose each is: by how their digests begin.
#[derive(Debug, Default)]
pub(super) struct Keys(HashMap<Beginning, Vec<Key>, RandomState>);

/// How a digest begins. Hardly ever are there two that begin alike.
type Beginning = [u8; 8];

#[derive(Debug)]
struct Key {
    sha256: KeyDigest,
    expires: Option<Timestamp>,
    /// The number of the caller whose key it is.
    owner: usize,
}

impl Keys {
    /// Adds a key. It expires with its owner, if not before.
    pub(super) fn add(&mut self, key: KeySettings, owner: usize, owner_expires: Option<Timestamp>) {
        let KeySettings { sha256, expires } = key;
        let earlier = expires.into_iter().chain(owner_expires).min();
        let alike = self.0.entry(sha256.beginning()).or_default();
        alike.push(Key {
            sha256,
            expires: earlier,
            owner,
        });
    }

    /// Whose key this is, if it is good now.
    ///
    /// Looked for by how its digest begins, which nobody can steer, and compared in constant time.
    pub(super) fn owner(&self, key: &[u8], now: Timestamp) -> Option<Proof> {
        let sha256 = KeyDigest::of(key);
        let alike = self.0.get(&sha256.beginning())?;
        let key = alike.iter().find(|known| known.sha256.is(sha256))?;
        let good_until = key.expires.unwrap_or(Timestamp::MAX);
        let proof = Proof {
            caller: key.owner,
            good_until,
        };
        (now < good_until).then_some(proof)
    }
}

/// What stands in `Authorization: Bearer …` (RFC 6750, section 2.1). Exactly one such field.
pub(super) fn bearer(fields: &(impl Fields + ?Sized)) -> Option<&[u8]> {
    let field = fields.only(AUTHORIZATION)?;
    let (scheme, key) = field.split_at_checked("Bearer ".len())?;
    let key = key.trim_ascii();
    (scheme.eq_ignore_ascii_case(b"Bearer ") && !key.is_empty()).then_some(key)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().expect("a time")
    }

    #[test]
    fn a_key_is_good_until_it_or_its_owner_expires() {
        let (noon, evening) = (at("2026-03-02T12:00:00Z"), at("2026-03-02T18:00:00Z"));
        let before = |moment: Timestamp| moment - jiff::SignedDuration::from_nanos(1);
        for (expires, owner_expires, good_until) in [
            (None, None, None),
            (Some(noon), None, Some(noon)),
            (None, Some(noon), Some(noon)),
            (Some(noon), Some(evening), Some(noon)),
            (Some(evening), Some(noon), Some(noon)),
        ] {
            let mut keys = Keys::default();
            let sha256 = KeyDigest::of(b"k");
            keys.add(KeySettings { sha256, expires }, 7, owner_expires);

            let case = (expires, owner_expires);
            let proof = Proof {
                caller: 7,
                good_until: good_until.unwrap_or(Timestamp::MAX),
            };
            assert_eq!(keys.owner(b"k", before(noon)), Some(proof), "{case:?}");
            let at_noon = good_until.map_or(Some(proof), |_| None);
            assert_eq!(keys.owner(b"k", noon), at_noon, "{case:?}");
            assert_eq!(keys.owner(b"x", before(noon)), None, "{case:?}");
        }
    }

    #[test]
    fn keys_whose_digests_begin_alike_are_told_apart() {
        let known = KeyDigest::of(b"k");
        let mut alike = known;
        alike.0[31] ^= 1;
        for (digests, owner) in [
            (&[alike, known][..], Some(1)),
            (&[known, alike], Some(0)),
            (&[alike], None),
        ] {
            let mut keys = Keys::default();
            for (number, &sha256) in digests.iter().enumerate() {
                let expires = None;
                keys.add(KeySettings { sha256, expires }, number, None);
            }

            let proof = keys.owner(b"k", at("2026-03-02T12:00:00Z"));
            assert_eq!(proof.map(|proof| proof.caller), owner);
        }
    }

    #[test]
    fn no_key_is_made_twice_and_each_is_long() {
        let keys: HashSet<_> = (0..100).filter_map(|_| generate_key()).collect();

        assert_eq!(keys.len(), 100);
        assert!(keys.iter().all(|key| key.len() == 43), "{keys:?}");
    }
}
