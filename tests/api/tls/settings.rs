//! What is found wrong with the files before anybody is served by them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rcgen::KeyPair;
use wecom_meeting_proxy::config;
use wecom_meeting_proxy::config::Config;
use wecom_meeting_proxy::config::Sources;
use wecom_meeting_proxy::http::TlsSettings;

use super::*;

/// The faults of `[server.tls]` with these lines, and files, in this folder.
fn faults(folder: &TempDir, lines: &str) -> Vec<String> {
    let text =
        format!("{lines}\n[[wecom.apps]]\nname = \"a\"\ncorp_id = \"ww1\"\nsecret = \"s\"\n");
    let text = text.replace("FOLDER", folder.path().to_str().expect("UTF-8"));
    let file = folder.path().join("config.toml");
    fs::write(&file, text).expect("written");
    let sources = Sources {
        file: Some(file),
        variables: Vec::new(),
    };
    let faults = config::load(&sources).err().unwrap_or_default();
    let parent = format!("{}/", folder.path().display());
    let told = faults
        .iter()
        .map(|fault| fault.to_string().replace(&parent, ""));
    told.collect()
}

const OURS: &str = "[server.tls]\ncert_file = \"FOLDER/tls.crt\"\nkey_file = \"FOLDER/tls.key\"\n";

#[test]
fn what_is_wrong_with_a_file_is_told_before_the_start() {
    let authority = Authority::called("ours");
    let (one, other) = (authority.issue(&["a"]), authority.issue(&["b"]));
    let (certificate, key) = (one.certificate.pem(), one.key.serialize_pem());
    let garbled = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n".to_owned();
    let no_certificate = "config.toml:2: server.tls.cert_file: tls.crt holds no certificates (PEM)";
    let no_key = "config.toml:3: server.tls.key_file: tls.key holds no private key that can be used (PEM: RSA, P-256, P-384, Ed25519)";
    for (certificate, key, expected) in [
        (&certificate, &key, None),
        (&format!("{certificate}{}", authority.pem()), &key, None),
        (&key, &key, Some(no_certificate)),
        (&garbled, &key, Some(no_certificate)),
        (
            &format!("{certificate}{garbled}"),
            &key,
            Some(no_certificate),
        ),
        (&certificate, &certificate, Some(no_key)),
        (&certificate, &String::new(), Some(no_key)),
        (
            &certificate,
            &other.key.serialize_pem(),
            Some("config.toml:3: server.tls.key_file: is not the key of the certificate"),
        ),
    ] {
        let folder = TempDir::new().expect("a folder");
        fs::write(folder.path().join("tls.crt"), certificate).expect("written");
        fs::write(folder.path().join("tls.key"), key).expect("written");

        let expected: Vec<_> = expected.into_iter().collect();
        assert_eq!(faults(&folder, OURS), expected);
    }
}

#[test]
fn what_is_wrong_with_who_vouches_for_callers_is_told_before_the_start() {
    let folder = TempDir::new().expect("a folder");
    let authority = Authority::called("ours");
    put(&authority.issue(&["a"]), folder.path());
    fs::write(folder.path().join("good"), authority.pem()).expect("written");
    fs::write(folder.path().join("empty"), "").expect("written");
    for (file, expected) in [
        ("FOLDER/good", None),
        ("", Some("is missing")),
        (
            "FOLDER/tls.key",
            Some("tls.key holds no certificates (PEM)"),
        ),
        ("FOLDER/empty", Some("empty holds no certificates (PEM)")),
        (
            "FOLDER/none",
            Some("read none: No such file or directory (os error 2)"),
        ),
    ] {
        let lines = format!("{OURS}client_ca_file = \"{file}\"");
        let place = "config.toml:4: server.tls.client_ca_file: ";

        let expected = expected.map(|why| format!("{place}{why}"));
        let expected: Vec<_> = expected.into_iter().collect();
        assert_eq!(faults(&folder, &lines), expected, "{file}");
    }
}

#[test]
fn a_key_may_be_written_in_each_usual_way() {
    let authority = Authority::called("ours");
    let rsa =
        KeyPair::from_pem(include_str!("../../samples/jwt/TEST-ONLY-rsa.pem")).expect("a key");
    let ed25519 = KeyPair::generate_for(&rcgen::PKCS_ED25519).expect("a key");
    let (p256, p384) = (
        KeyPair::generate().expect("a key"),
        KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384).expect("a key"),
    );
    // Where PKCS #8 wraps a key of another kind, and how long that wrapping is.
    let inner = |key: &KeyPair, label: &str, wrapping: usize| {
        let text = STANDARD.encode(&key.serialize_der()[wrapping..]);
        format!("-----BEGIN {label}-----\n{text}\n-----END {label}-----\n")
    };
    for (key, written) in [
        (&rsa, rsa.serialize_pem()),
        (&rsa, inner(&rsa, "RSA PRIVATE KEY", 26)),
        (&p256, p256.serialize_pem()),
        (&p256, inner(&p256, "EC PRIVATE KEY", 29)),
        (&p384, p384.serialize_pem()),
        (&ed25519, ed25519.serialize_pem()),
    ] {
        let folder = TempDir::new().expect("a folder");
        let key = KeyPair::from_pem(&key.serialize_pem()).expect("the same");
        let identity = authority.issue_to(key, &["a"], |_| {});
        put(&identity, folder.path());
        fs::write(folder.path().join("tls.key"), &written).expect("written");

        let first = written.lines().next();
        assert_eq!(faults(&folder, OURS), Vec::<String>::new(), "{first:?}");
    }
}

#[test]
fn a_caller_needs_no_key_beside_a_name_and_no_name_is_two_callers() {
    let folder = TempDir::new().expect("a folder");
    let authority = Authority::called("ours");
    put(&authority.issue(&["a"]), folder.path());
    fs::write(folder.path().join("ca.crt"), authority.pem()).expect("written");
    let two = |one: &str, other: &str| {
        let caller =
            |name, sans| format!("[[access.callers]]\nname = \"{name}\"\ntls_san = [{sans}]\n");
        let callers = caller("a", one) + &caller("b", other);
        format!("{OURS}client_ca_file = \"FOLDER/ca.crt\"\n{callers}")
    };
    let (a, b) = ("\"spiffe://example.com/a\"", "\"b.example.com\"");
    for (one, other, expected) in [
        (a, b, None),
        (
            a,
            &format!("{b}, {a}"),
            Some("config.toml:10: access.callers[1].tls_san: the same name is listed twice"),
        ),
        (
            a,
            "\"b c\"",
            Some(
                "config.toml:10: access.callers[1].tls_san[0]: must be a URI, as in \"spiffe://…\", or a DNS name",
            ),
        ),
    ] {
        let found = faults(&folder, &two(one, other));
        assert_eq!(found, expected.into_iter().collect::<Vec<_>>(), "{other}");
    }
}

#[test]
fn whether_there_is_tls_and_http_2_waits_for_the_next_start() {
    let (plain, mut other) = (Config::default(), Config::default());
    other.server.tls = Some(TlsSettings::default());
    other.server.http2 = true;
    let mut renewed = other.clone();
    let tls = renewed.server.tls.as_mut().expect("TLS");
    tls.client_ca_file = Some("other.crt".into());

    let fixed = config::fixed_while_running(&plain, &other);

    assert_eq!(fixed, ["server.http2", "server.tls"]);
    assert!(config::fixed_while_running(&other, &renewed).is_empty());
}

#[test]
fn a_name_in_certificates_means_nothing_where_none_are_asked_for() {
    let folder = TempDir::new().expect("a folder");
    let authority = Authority::called("ours");
    put(&authority.issue(&["a"]), folder.path());
    fs::write(folder.path().join("ca.crt"), authority.pem()).expect("written");
    let callers = "[[access.callers]]\nname = \"a\"\ntls_san = [\"a\"]\n";
    let told = "access.callers[0].tls_san: means nothing without server.tls.client_ca_file: no certificate is asked for";
    for (tls, line) in [("", Some(3)), (OURS, Some(6))] {
        let expected = line.map(|line| format!("config.toml:{line}: {told}"));
        let found = faults(&folder, &format!("{tls}{callers}"));
        assert_eq!(found, expected.into_iter().collect::<Vec<_>>());
    }
    let demanding = format!("{OURS}client_ca_file = \"FOLDER/ca.crt\"\n{callers}");
    assert_eq!(faults(&folder, &demanding), Vec::<String>::new());
}
