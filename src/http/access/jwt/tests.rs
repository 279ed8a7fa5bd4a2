//! Tokens, genuine and not.
//!
//! The keys are in `tests/samples/jwt`: private ones, which open nothing, each with the command that
//! made it; and in `jwks.json` their public halves, with two besides that must not be used, one of
//! RSA with 1024 bits and a shared secret.

use std::path::Path;
use std::path::PathBuf;

use ring::rand::SystemRandom;
use ring::signature;
use ring::signature::EcdsaKeyPair;
use ring::signature::Ed25519KeyPair;
use ring::signature::RsaKeyPair;
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::pki_types::pem::PemObject;
use serde_json::json;

use super::*;

/// 2026-03-02T09:00:00Z, when all of this happens.
const NOW: i64 = 1_772_442_000;

fn samples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/samples/jwt")
}

fn private_key(name: &str) -> Vec<u8> {
    let file = samples().join(format!("TEST-ONLY-{name}.pem"));
    let key = PrivatePkcs8KeyDer::from_pem_file(file).expect("a key");
    key.secret_pkcs8_der().to_vec()
}

fn settings() -> JwtSettings {
    JwtSettings {
        issuer: "https://issuer.example".to_owned(),
        audience: "wecom-meeting-proxy".to_owned(),
        jwks_file: samples().join("jwks.json"),
        ..JwtSettings::default()
    }
}

fn verifier() -> Verifier {
    Verifier::read(&settings()).expect("good settings")
}

fn claims() -> Value {
    json!({"iss": "https://issuer.example", "aud": "wecom-meeting-proxy", "sub": "calendar", "exp": NOW + 300})
}

fn with(mut claims: Value, name: &str, value: Value) -> Value {
    claims[name] = value;
    claims
}

fn without(mut claims: Value, name: &str) -> Value {
    claims.as_object_mut().expect("an object").remove(name);
    claims
}

fn encoded(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn signature(algorithm: &str, key: &str, message: &[u8]) -> Vec<u8> {
    let (random, key) = (SystemRandom::new(), private_key(key));
    match algorithm {
        "RS256" => {
            let pair = RsaKeyPair::from_pkcs8(&key).expect("a key");
            let mut signature = vec![0; pair.public().modulus_len()];
            pair.sign(
                &signature::RSA_PKCS1_SHA256,
                &random,
                message,
                &mut signature,
            )
            .expect("signed");
            signature
        }
        "ES256" => {
            let algorithm = &signature::ECDSA_P256_SHA256_FIXED_SIGNING;
            let pair = EcdsaKeyPair::from_pkcs8(algorithm, &key, &random).expect("a key");
            pair.sign(&random, message)
                .expect("signed")
                .as_ref()
                .to_vec()
        }
        "EdDSA" => {
            let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(&key).expect("a key");
            pair.sign(message).as_ref().to_vec()
        }
        _ => panic!("{algorithm}?"),
    }
}

/// A token with this header and these claims, signed so.
fn signed(header: &Value, claims: &Value, algorithm: &str, key: &str) -> String {
    let message = format!(
        "{}.{}",
        encoded(header.to_string()),
        encoded(claims.to_string())
    );
    let signature = signature(algorithm, key, message.as_bytes());
    format!("{message}.{}", encoded(signature))
}

/// A token as it should be, but for the claims.
fn token(claims: &Value) -> String {
    signed(
        &json!({"alg": "ES256", "kid": "p256"}),
        claims,
        "ES256",
        "p256",
    )
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(seconds).expect("a time")
}

fn subject(token: &str) -> Option<String> {
    let subject = verifier().subject(token.as_bytes(), at(NOW));
    subject.map(|(name, _)| name)
}

#[test]
fn a_genuine_token_says_who_its_bearer_is() {
    for (header, algorithm, key) in [
        (
            json!({"alg": "RS256", "kid": "rsa", "typ": "JWT"}),
            "RS256",
            "rsa",
        ),
        (
            json!({"alg": "RS256", "kid": "rsa-other"}),
            "RS256",
            "rsa-other",
        ),
        (json!({"alg": "ES256", "kid": "p256"}), "ES256", "p256"),
        (json!({"alg": "ES256"}), "ES256", "p256"),
        (
            json!({"alg": "EdDSA", "kid": "ed25519"}),
            "EdDSA",
            "ed25519",
        ),
        (json!({"alg": "EdDSA"}), "EdDSA", "ed25519"),
    ] {
        let token = signed(&header, &claims(), algorithm, key);
        assert_eq!(subject(&token).as_deref(), Some("calendar"), "{header}");
    }
}

#[test]
fn a_token_is_verified_with_the_key_it_names_and_the_algorithm_of_that_key() {
    for (header, algorithm, key) in [
        // Another key than the one that signed, or none, or one of several.
        (json!({"alg": "RS256", "kid": "rsa-other"}), "RS256", "rsa"),
        (json!({"alg": "RS256", "kid": "nobody"}), "RS256", "rsa"),
        (json!({"alg": "RS256", "kid": ""}), "RS256", "rsa"),
        (json!({"alg": "RS256", "kid": 1}), "RS256", "rsa"),
        (json!({"alg": "RS256"}), "RS256", "rsa"),
        // Another algorithm than the key's.
        (json!({"alg": "ES256", "kid": "rsa"}), "RS256", "rsa"),
        (json!({"alg": "RS256", "kid": "p256"}), "ES256", "p256"),
        (json!({"alg": "EdDSA", "kid": "p256"}), "ES256", "p256"),
        (json!({"alg": "RS384", "kid": "rsa"}), "RS256", "rsa"),
        (json!({"alg": "PS256", "kid": "rsa"}), "RS256", "rsa"),
        (json!({"alg": "HS256", "kid": "rsa"}), "RS256", "rsa"),
        (json!({"alg": "HS256", "kid": "shared"}), "RS256", "rsa"),
        (json!({"alg": "none", "kid": "rsa"}), "RS256", "rsa"),
        (json!({"alg": "rs256", "kid": "rsa"}), "RS256", "rsa"),
        (json!({"alg": ["RS256"], "kid": "rsa"}), "RS256", "rsa"),
        (json!({"kid": "rsa"}), "RS256", "rsa"),
        (json!([]), "RS256", "rsa"),
        (json!(["RS256", "rsa"]), "RS256", "rsa"),
        // What we would have to understand.
        (
            json!({"alg": "ES256", "kid": "p256", "crit": ["b64"], "b64": false}),
            "ES256",
            "p256",
        ),
        (
            json!({"alg": "ES256", "kid": "p256", "crit": null}),
            "ES256",
            "p256",
        ),
    ] {
        let token = signed(&header, &claims(), algorithm, key);
        assert_eq!(subject(&token), None, "{header}");
    }
}

#[test]
fn a_public_key_is_no_shared_secret() {
    let jwks = std::fs::read_to_string(samples().join("jwks.json")).expect("a file");
    for secret in [jwks.as_bytes(), b"", b"secret"] {
        for header in [
            json!({"alg": "HS256", "kid": "rsa"}),
            json!({"alg": "HS256", "kid": "shared"}),
        ] {
            let message = format!(
                "{}.{}",
                encoded(header.to_string()),
                encoded(claims().to_string())
            );
            let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, secret);
            let tag = ring::hmac::sign(&key, message.as_bytes());
            assert_eq!(
                subject(&format!("{message}.{}", encoded(tag))),
                None,
                "{header}"
            );
        }
    }
}

#[test]
fn a_token_that_was_touched_is_not_taken() {
    let genuine = token(&claims());
    let parts: Vec<_> = genuine.split('.').collect();
    let [header, body, signature] = parts[..] else {
        panic!("three parts: {genuine}");
    };
    let promoted = encoded(with(claims(), "sub", json!("operator")).to_string());
    let unsigned = encoded(r#"{"alg":"none"}"#);
    // The last letter of 86 holds two bits that mean nothing.
    let stray = format!(
        "{}{}",
        &signature[..85],
        if signature.ends_with('B') { 'C' } else { 'B' }
    );
    for touched in [
        format!("{header}.{promoted}.{signature}"),
        format!("{unsigned}.{promoted}."),
        format!("{header}.{body}."),
        format!("{header}.{body}"),
        format!("{header}.{body}.{signature}."),
        format!("{header}.{body}.{signature}.{signature}"),
        format!(".{body}.{signature}"),
        format!("{header}..{signature}"),
        format!("{header}.{body}.{signature}="),
        format!("{header}.{body}.{stray}"),
        format!("{header}.{body} .{signature}"),
        format!("{header}.{body}.{}", encoded([0; 64])),
        "..".to_owned(),
    ] {
        assert_eq!(subject(&touched), None, "{touched}");
    }
    for index in 0..genuine.len() {
        let mut touched = genuine.clone().into_bytes();
        touched[index] ^= 1;
        assert_eq!(verifier().subject(&touched, at(NOW)), None, "at {index}");
    }
    assert_eq!(subject(&genuine).as_deref(), Some("calendar"));
}

#[test]
fn a_header_is_json_in_whatever_it_says_besides() {
    for (header, good) in [
        (
            &br#"{"alg": "EdDSA", "kid": "ed25519", "typ": "JWT"}"#[..],
            true,
        ),
        (
            b"{\"alg\": \"EdDSA\", \"kid\": \"ed25519\", \"typ\": \"\xff\"}",
            false,
        ),
        (
            br#"{"alg": "EdDSA", "kid": "ed25519", "typ": "JWT"} {}"#,
            false,
        ),
    ] {
        let message = format!("{}.{}", encoded(header), encoded(claims().to_string()));
        let signature = signature("EdDSA", "ed25519", message.as_bytes());
        let token = format!("{message}.{}", encoded(signature));
        let header = header.escape_ascii();
        assert_eq!(subject(&token).is_some(), good, "{header}");
    }
}

#[test]
fn a_token_is_from_whom_we_trust_and_for_us() {
    for (claims, good) in [
        (
            with(claims(), "aud", json!(["other", "wecom-meeting-proxy"])),
            true,
        ),
        (with(claims(), "aud", json!(["other"])), false),
        (with(claims(), "aud", json!("wecom-meeting-proxy2")), false),
        (
            with(claims(), "aud", json!([["wecom-meeting-proxy"]])),
            false,
        ),
        (without(claims(), "aud"), false),
        (
            with(claims(), "iss", json!("https://issuer.example/")),
            false,
        ),
        (
            with(claims(), "iss", json!(["https://issuer.example"])),
            false,
        ),
        (without(claims(), "iss"), false),
        (without(claims(), "sub"), false),
        (with(claims(), "sub", json!(["calendar"])), false),
        (json!([]), false),
    ] {
        assert_eq!(subject(&token(&claims)).is_some(), good, "{claims}");
    }
}

#[test]
fn a_token_has_its_time() {
    for (claims, good) in [
        (with(claims(), "exp", json!(NOW - 59)), true),
        (with(claims(), "exp", json!(NOW - 60)), false),
        (with(claims(), "exp", json!(1_772_441_940.5)), true),
        (with(claims(), "exp", json!((NOW + 300).to_string())), false),
        (with(claims(), "exp", json!(null)), false),
        (with(claims(), "exp", json!(-1)), false),
        (without(claims(), "exp"), false),
        (with(claims(), "nbf", json!(NOW + 60)), true),
        (with(claims(), "nbf", json!(NOW + 61)), false),
        (with(claims(), "nbf", json!("soon")), false),
        (with(claims(), "nbf", json!(0)), true),
    ] {
        assert_eq!(subject(&token(&claims)).is_some(), good, "{claims}");
    }
}

#[test]
fn a_token_has_a_bounded_size() {
    let padded = |letters| token(&with(claims(), "padding", json!("x".repeat(letters))));
    let (small, large) = (padded(5_000), padded(7_000));

    assert!(small.len() < TOKEN_BYTES_MAX && large.len() > TOKEN_BYTES_MAX);
    assert_eq!(subject(&small).as_deref(), Some("calendar"));
    assert_eq!(subject(&large), None);
}

#[test]
fn only_the_algorithms_that_the_settings_name_are_taken() {
    let verifier = Verifier::read(&JwtSettings {
        algorithms: vec![Algorithm::EdDsa],
        caller_claim: "client_id".to_owned(),
        ..settings()
    });
    let verifier = verifier.expect("good settings");
    let claims = with(without(claims(), "sub"), "client_id", json!("kiosk"));
    for (algorithm, key, expected) in [("ES256", "p256", None), ("EdDSA", "ed25519", Some("kiosk"))]
    {
        let token = signed(
            &json!({"alg": algorithm, "kid": key}),
            &claims,
            algorithm,
            key,
        );

        let subject = verifier.subject(token.as_bytes(), at(NOW));

        let name = subject.map(|(name, _)| name);
        assert_eq!(name.as_deref(), expected, "{algorithm}");
    }
}

#[test]
fn of_a_set_those_keys_are_used_that_we_can_use() {
    let jwks = std::fs::read_to_string(samples().join("jwks.json")).expect("a file");
    let jwks: Value = serde_json::from_str(&jwks).expect("JSON");
    let usable = |key: &Value| {
        let set = json!({"keys": [key]}).to_string();
        jwks::keys(&set).expect("a set").len() == 1
    };
    let key = |kid: &str| {
        let mut keys = jwks["keys"].as_array().expect("keys").iter();
        keys.find(|key| key["kid"] == kid).expect("a key").clone()
    };
    for (key, expected) in [
        (key("rsa"), true),
        (key("p256"), true),
        (key("ed25519"), true),
        (key("rsa-short"), false),
        (key("shared"), false),
        (without(key("rsa"), "alg"), true),
        (without(key("rsa"), "kid"), true),
        (with(key("rsa"), "alg", json!("RS512")), false),
        (with(key("p256"), "alg", json!("RS256")), false),
        (with(key("p256"), "alg", json!("ES256")), true),
        (with(key("rsa"), "use", json!("enc")), false),
        (with(key("rsa"), "key_ops", json!(["encrypt"])), false),
        (with(key("p256"), "crv", json!("P-384")), false),
        (with(key("p256"), "y", json!("AA")), false),
        (with(key("ed25519"), "crv", json!("X25519")), false),
        (with(key("rsa"), "n", json!("not base64!")), false),
        (without(key("rsa"), "e"), false),
        (json!("key"), false),
        (
            json!([
                "OKP",
                null,
                null,
                null,
                null,
                "Ed25519",
                null,
                null,
                key("ed25519")["x"],
                null
            ]),
            false,
        ),
    ] {
        assert_eq!(usable(&key), expected, "{key}");
    }
}

#[test]
fn a_modulus_may_begin_with_zeros() {
    let jwks = std::fs::read_to_string(samples().join("jwks.json")).expect("a file");
    let jwks: Value = serde_json::from_str(&jwks).expect("JSON");
    let modulus = URL_SAFE_NO_PAD.decode(jwks["keys"][0]["n"].as_str().expect("text"));
    let padded = encoded([&[0][..], &modulus.expect("base64url")].concat());
    let set = json!({"keys": [with(jwks["keys"][0].clone(), "n", json!(padded))]}).to_string();

    let keys = jwks::keys(&set).expect("a set");

    assert!(keys[0].verifies(b"message", &signature("RS256", "rsa", b"message")));
}

#[test]
fn settings_without_a_usable_set_are_flawed() {
    let folder = tempfile::tempdir().expect("a folder");
    let flaw_of = |jwks: &str| {
        let jwks_file = folder.path().join("jwks.json");
        std::fs::write(&jwks_file, jwks).expect("a file");
        let named = jwks_file.display().to_string();
        let read = Verifier::read(&JwtSettings {
            jwks_file,
            ..settings()
        });
        let flaws = read.expect_err("a flaw");
        assert_eq!(flaws.len(), 1, "{flaws:?}");
        assert!(
            flaws[0].key == "jwks_file" && flaws[0].why.contains(&named),
            "{flaws:?}"
        );
        flaws[0].why.clone()
    };
    for (jwks, expected) in [
        ("", "holds no JSON Web Key Set"),
        ("[]", "holds no JSON Web Key Set"),
        ("[[]]", "holds no JSON Web Key Set"),
        (r#"{"keys": {}}"#, "holds no JSON Web Key Set"),
        (r#"{"keys": []}"#, "holds no key that can be used"),
        (
            r#"{"keys": [{"kty": "oct", "k": "c2VjcmV0"}]}"#,
            "holds no key that can be used",
        ),
        (&" ".repeat(1024 * 1024 + 1), "is larger than 1 MiB"),
    ] {
        let flaw = flaw_of(jwks);
        assert!(flaw.contains(expected), "{flaw}");
    }
    let missing = Verifier::read(&JwtSettings::default()).expect_err("flaws");
    let keys: Vec<_> = missing.iter().map(|flaw| flaw.key.as_str()).collect();
    assert_eq!(keys, ["issuer", "audience", "jwks_file"]);
    let file = folder.path().join("none.json");
    let unread = Verifier::read(&JwtSettings {
        jwks_file: file,
        ..settings()
    })
    .expect_err("a flaw");
    assert!(unread[0].why.starts_with("read "), "{unread:?}");
}
