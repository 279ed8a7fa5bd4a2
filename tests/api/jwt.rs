//! Callers who bring a token that somebody else signed. What is wrong with tokens is tested where
//! they are verified; here, that it makes no difference to who is told.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::SystemRandom;
use ring::signature::ECDSA_P256_SHA256_FIXED_SIGNING;
use ring::signature::EcdsaKeyPair;
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::pki_types::pem::PemObject;
use serde_json::Value;
use serde_json::json;

use crate::access::digest;
use crate::house::House;
use crate::house::Reply;

/// 2026-03-02T10:00:00Z, an hour after a house is opened.
pub(crate) const IN_AN_HOUR: i64 = 1_772_445_600;

/// A caller with a key and a limit of 2, and one with nothing but its name.
pub(crate) async fn house() -> House {
    let callers = format!(
        r#"[
            {{name = "calendar", key_sha256 = "{}", reveal = ["secrets"], requests_per_second = 2}},
            {{name = "kiosk"}},
        ]"#,
        digest("key"),
    );
    let jwks_file = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/samples/jwt/jwks.json");
    let house = House::with(&[
        ("access.callers", &callers),
        ("access.jwt.issuer", "https://issuer.example"),
        ("access.jwt.audience", "wecom-meeting-proxy"),
        ("access.jwt.jwks_file", jwks_file),
    ])
    .await;
    house.given_meeting("m1", "446153273", "Standup");
    house
}

/// A token for somebody of that name, signed with the key that is for tests alone.
pub(crate) fn token(name: &str, expires: i64) -> String {
    let pem = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/samples/jwt/TEST-ONLY-p256.pem"
    );
    let key = PrivatePkcs8KeyDer::from_pem_file(pem).expect("a key");
    let random = SystemRandom::new();
    let pair = EcdsaKeyPair::from_pkcs8(
        &ECDSA_P256_SHA256_FIXED_SIGNING,
        key.secret_pkcs8_der(),
        &random,
    );
    let claims = json!({
        "iss": "https://issuer.example", "aud": "wecom-meeting-proxy", "sub": name, "exp": expires,
    });
    let encoded = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let message = format!("{}.{}", encoded(json!({"alg": "ES256"})), encoded(claims));
    let signature = pair.expect("a pair").sign(&random, message.as_bytes());
    let signature = signature.expect("signed");
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
}

async fn ask(house: &House, borne: &str) -> Reply {
    let field = format!("Bearer {borne}");
    let fields = [("authorization", field.as_str())];
    house.get_with("/meetings/m1", &fields).await
}

#[tokio::test]
async fn a_token_opens_what_its_caller_may_see() {
    let house = house().await;
    for (borne, redacted) in [
        (token("calendar", IN_AN_HOUR), 2),
        ("key".to_owned(), 2),
        (token("kiosk", IN_AN_HOUR), 4),
    ] {
        let reply = ask(&house, &borne).await;
        let body = reply.json();
        assert_eq!(body["title"], "Standup");
        assert_eq!(body["redacted"].as_array().map(Vec::len), Some(redacted));
    }
}

#[tokio::test]
async fn a_callers_limit_is_for_its_keys_and_its_tokens_together() {
    let house = house().await;

    let statuses = [
        ask(&house, "key").await.status,
        ask(&house, &token("calendar", IN_AN_HOUR)).await.status,
        ask(&house, &token("calendar", IN_AN_HOUR + 1)).await.status,
        ask(&house, "key").await.status,
    ];

    assert_eq!(statuses.map(|status| status.as_u16()), [200, 200, 429, 429]);
}

#[tokio::test]
async fn a_token_that_is_not_taken_is_told_what_a_wrong_key_is() {
    let house = house().await;
    let told = async |borne: &str| {
        let reply = ask(&house, borne).await;
        let mut body = reply.json();
        body["instance"] = Value::Null;
        let mut headers = reply.headers.clone();
        headers.remove("date");
        headers.remove("x-request-id");
        (reply.outcome(), headers, body)
    };
    let wrong_key = told("wrong").await;
    assert_eq!(wrong_key.0, (401, "unauthenticated".to_owned()));

    for borne in [
        token("nobody", IN_AN_HOUR),
        token("", IN_AN_HOUR),
        token("kiosk", 0),
        token("kiosk", IN_AN_HOUR) + "x",
        token("kiosk", IN_AN_HOUR).replace('.', "-"),
        "e30.e30.e30".to_owned(),
        format!("{}.e30.e30", "x".repeat(20_000)),
    ] {
        assert_eq!(told(&borne).await, wrong_key, "{borne}");
    }
    assert_eq!(house.wecom.hits().get_info, 0);
}
