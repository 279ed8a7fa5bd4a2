//! What must be true of a token that is taken, and of a set of keys, whoever wrote them.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "whatever is not as it must be ends the run"
)]

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use ring::signature::Ed25519KeyPair;
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::pki_types::pem::PemObject as _;
use serde_json::Value;

use super::Algorithm;
use super::Verifier;
use super::jwks;

const ISSUER: &str = "https://issuer.example";
const AUDIENCE: &str = "wecom-meeting-proxy";

const JWKS: &str = include_str!("../../../../tests/samples/jwt/jwks.json");
/// All that were ever signed with these keys. Nobody finds another.
const GENUINE: [&[u8]; 3] = [
    include_bytes!("../../../../fuzz/corpus/jwt/genuine-eddsa"),
    include_bytes!("../../../../fuzz/corpus/jwt/genuine-es256"),
    include_bytes!("../../../../fuzz/corpus/jwt/genuine-rs256"),
];

const KEY: &[u8] = include_bytes!("../../../../tests/samples/jwt/TEST-ONLY-ed25519.pem");

/// Whatever somebody whom we trust signs is taken only if it is for us, for now, and says who its
/// bearer is. What is not signed is not taken.
pub(crate) fn jwt(data: &[u8]) {
    let verifier = Verifier {
        issuer: ISSUER.to_owned(),
        audience: AUDIENCE.to_owned(),
        caller_claim: "sub".to_owned(),
        keys: jwks::keys(JWKS).expect("a set"),
    };
    let newline = data.iter().position(|byte| *byte == b'\n');
    let Some((header, claims)) = newline.and_then(|newline| data.split_at_checked(newline)) else {
        let subject = verifier.subject(data, now());
        assert!(subject.is_none() || GENUINE.contains(&data), "{subject:?}");
        return;
    };
    let claims = claims.trim_ascii_start();
    if let Some((subject, _)) = verifier.subject(&signed(header, claims), now()) {
        assert!(is_right(header), "{:?}", header.escape_ascii());
        assert_eq!(taken(claims), Some(subject));
    }
}

/// 2026-03-02T09:00:00Z, when all of this happens.
fn now() -> Timestamp {
    Timestamp::from_second(1_772_442_000).expect("a time")
}

/// A token by one whom we trust, whatever it says.
fn signed(header: &[u8], claims: &[u8]) -> Vec<u8> {
    let encoded = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    let message = format!("{}.{}", encoded(header), encoded(claims));
    let key = PrivatePkcs8KeyDer::from_pem_slice(KEY).expect("a key");
    let key = Ed25519KeyPair::from_pkcs8_maybe_unchecked(key.secret_pkcs8_der());
    let signature = key.expect("a key").sign(message.as_bytes());
    format!("{message}.{}", encoded(signature.as_ref())).into_bytes()
}

/// Whether a header says how this was signed, and asks for nothing that we do not understand.
fn is_right(header: &[u8]) -> bool {
    let header: Value = serde_json::from_slice(header).unwrap_or_default();
    let Some(fields) = header.as_object() else {
        return false;
    };
    let kid = fields.get("kid").filter(|kid| !kid.is_null());
    let is_ours = kid.is_none_or(|kid| kid == "ed25519");
    is_ours && header["alg"] == "EdDSA" && !fields.contains_key("crit")
}

/// Who the bearer is, by claims that are good.
fn taken(claims: &[u8]) -> Option<String> {
    let claims: Value = serde_json::from_slice(claims).ok()?;
    let audience = &claims["aud"];
    let is_for_us = audience == AUDIENCE
        || audience
            .as_array()
            .is_some_and(|list| list.iter().any(|one| one == AUDIENCE));
    let now = now().as_duration().as_secs_f64();
    let expires = claims["exp"].as_f64()?;
    let begins = match claims.get("nbf") {
        Some(begins) => begins.as_f64()?,
        None => now,
    };
    let is_good =
        claims["iss"] == ISSUER && is_for_us && now - 60.0 < expires && begins <= now + 60.0;
    claims["sub"]
        .as_str()
        .filter(|_| is_good)
        .map(str::to_owned)
}

/// Of a set, those keys are taken that can be used, and each for what it is.
pub(crate) fn jwks(text: &[u8]) {
    let text = String::from_utf8_lossy(text);
    let Some(keys) = jwks::keys(&text) else {
        return;
    };
    let set: Value = serde_json::from_str(&text).expect("JSON");
    let listed = set["keys"].as_array().expect("a list of keys");
    assert!(keys.len() <= listed.len());
    for key in &keys {
        let written = listed.iter().filter(|written| {
            let fits = match key.algorithm {
                Algorithm::EdDsa => written["crv"] == "Ed25519",
                Algorithm::Es256 => written["crv"] == "P-256",
                Algorithm::Rs256 => written["kty"] == "RSA",
            };
            fits && written["kid"].as_str() == key.kid.as_deref()
        });
        assert!(0 < written.count(), "{key:?}");
        // Whether it is one is not known before it is used: so it is, and does no harm.
        key.verifies(b"message", &[0; 64]);
    }
}
