//! A set of public keys (RFC 7517): those of it that we can use.
//!
//! A key that we cannot use (of another type, for another purpose, too short) is passed over, as
//! the RFC has it: sets hold keys for others too. A set without any for us is a flaw.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature;
use ring::signature::RsaPublicKeyComponents;
use ring::signature::UnparsedPublicKey;
use serde::Deserialize;
use serde_json::Map;
use serde_json::Value;

use super::super::settings::Algorithm;

/// A file larger than this is no set of keys but something named by mistake.
const FILE_BYTES_MAX: u64 = 1024 * 1024;

/// How long a key of RSA must be, and may be (RFC 7518, section 3.3, and what `ring` takes).
const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=8192;

/// Bytes of a coordinate of P-256, and of a key of Ed25519.
const COORDINATE_BYTES: usize = 32;

/// The first byte of a point that is written with both its coordinates (SEC 1, section 2.3.3).
const UNCOMPRESSED: u8 = 4;

/// A key that verifies what its other half signed.
#[derive(Clone, Debug)]
pub(super) struct PublicKey {
    pub(super) kid: Option<String>,
    pub(super) algorithm: Algorithm,
    material: Material,
}

#[derive(Clone, Debug)]
enum Material {
    /// A point, as it is written for its algorithm.
    Point(Vec<u8>),
    /// A modulus and an exponent, big-endian.
    Rsa(Vec<u8>, Vec<u8>),
}

impl PublicKey {
    /// Whether this is the signature of that message.
    pub(super) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        let verified = match (&self.material, self.algorithm) {
            (Material::Point(point), Algorithm::Es256) => {
                UnparsedPublicKey::new(&signature::ECDSA_P256_SHA256_FIXED, point)
                    .verify(message, signature)
            }
            (Material::Point(point), Algorithm::EdDsa) => {
                UnparsedPublicKey::new(&signature::ED25519, point).verify(message, signature)
            }
            (Material::Rsa(n, e), Algorithm::Rs256) => RsaPublicKeyComponents { n, e }.verify(
                &signature::RSA_PKCS1_2048_8192_SHA256,
                message,
                signature,
            ),
            (Material::Point(_), Algorithm::Rs256)
            | (Material::Rsa(..), Algorithm::Es256 | Algorithm::EdDsa) => return false,
        };
        verified.is_ok()
    }
}

/// The keys in a file that can be used with these algorithms; or why there are none.
pub(super) fn read(file: &Path, algorithms: &[Algorithm]) -> Result<Vec<PublicKey>, String> {
    let named = file.display();
    let mut text = String::new();
    let opened = File::open(file)
        .and_then(|opened| opened.take(FILE_BYTES_MAX + 1).read_to_string(&mut text));
    let length = opened.map_err(|error| format!("read {named}: {error}"))?;
    if length as u64 > FILE_BYTES_MAX {
        return Err(format!("{named} is larger than 1 MiB"));
    }
    let keys = keys(&text).ok_or_else(|| format!("{named} holds no JSON Web Key Set"))?;
    let usable = |key: &PublicKey| algorithms.contains(&key.algorithm);
    let keys: Vec<_> = keys.into_iter().filter(usable).collect();
    if keys.is_empty() {
        return Err(format!(
            "{named} holds no key that can be used: RSA of 2048 bits or more, P-256, or Ed25519, as algorithms has it"
        ));
    }
    Ok(keys)
}

/// The keys of a set that we know how to use, if it is a set.
pub(super) fn keys(text: &str) -> Option<Vec<PublicKey>> {
    let mut set: Map<String, Value> = serde_json::from_str(text).ok()?;
    let Some(Value::Array(keys)) = set.remove("keys") else {
        return None;
    };
    let known = keys.into_iter().filter(Value::is_object).filter_map(|key| {
        let key: Jwk = serde_json::from_value(key).ok()?;
        key.public_key()
    });
    Some(known.collect())
}

/// A key as it is written.
#[derive(Deserialize)]
struct Jwk {
    kty: String,
    kid: Option<String>,
    r#use: Option<String>,
    key_ops: Option<Vec<String>>,
    alg: Option<String>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

impl Jwk {
    fn public_key(self) -> Option<PublicKey> {
        if !self.is_for_verifying() {
            return None;
        }
        let (name, algorithm, material) = match (self.kty.as_str(), self.crv.as_deref()) {
            ("RSA", _) => ("RS256", Algorithm::Rs256, self.rsa()?),
            ("EC", Some("P-256")) => {
                let (x, y) = (
                    coordinate(self.x.as_deref())?,
                    coordinate(self.y.as_deref())?,
                );
                let point = [&[UNCOMPRESSED], &x[..], &y[..]].concat();
                ("ES256", Algorithm::Es256, Material::Point(point))
            }
            ("OKP", Some("Ed25519")) => {
                let point = coordinate(self.x.as_deref())?;
                ("EdDSA", Algorithm::EdDsa, Material::Point(point))
            }
            _ => return None,
        };
        let is_for_it = self.alg.as_deref().is_none_or(|alg| alg == name);
        is_for_it.then_some(PublicKey {
            kid: self.kid,
            algorithm,
            material,
        })
    }

    /// Whether nothing is said against it: what is not said is allowed.
    fn is_for_verifying(&self) -> bool {
        let signs = self.r#use.as_deref().is_none_or(|purpose| purpose == "sig");
        let verify = |operations: &Vec<String>| operations.iter().any(|it| it == "verify");
        signs && self.key_ops.as_ref().is_none_or(verify)
    }

    fn rsa(&self) -> Option<Material> {
        let (n, e) = (number(self.n.as_deref())?, number(self.e.as_deref())?);
        let leading_zeros = n.first()?.leading_zeros();
        let bits = n.len() * 8 - usize::try_from(leading_zeros).ok()?;
        RSA_BITS.contains(&bits).then_some(Material::Rsa(n, e))
    }
}

fn coordinate(text: Option<&str>) -> Option<Vec<u8>> {
    let bytes = URL_SAFE_NO_PAD.decode(text?).ok()?;
    (bytes.len() == COORDINATE_BYTES).then_some(bytes)
}

/// A number, big-endian. Some write a zero before it, which `ring` does not take.
fn number(text: Option<&str>) -> Option<Vec<u8>> {
    let mut bytes = URL_SAFE_NO_PAD.decode(text?).ok()?;
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    bytes.drain(..zeros);
    Some(bytes)
}
