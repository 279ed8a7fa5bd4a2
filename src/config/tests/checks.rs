//! What is checked between settings, and in the files that they name.

use super::*;

#[test]
fn one_newline_at_the_end_of_a_secret_file_is_not_part_of_the_secret() {
    for (written, expected) in [
        ("s3", "s3"),
        ("s3\n", "s3"),
        ("s3\r\n", "s3"),
        ("s3\n\n", "s3\n"),
        ("s3\r", "s3\r"),
        (" s3 ", " s3 "),
    ] {
        let given = Given::environment(&[("WECOM_CORP_ID", "ww1")]);
        let file = given.put("secret", written);

        let checked = given.with(&[("WECOM_SECRET_FILE", &file)]).checked();

        assert_eq!(
            checked.apps[0].secret.expose_secret(),
            expected,
            "{written:?}"
        );
    }
}

#[test]
fn a_secret_is_said_once_and_is_there() {
    let given = Given::file("");
    for (name, written) in [("empty", ""), ("newline", "\n"), ("crlf", "\r\n")] {
        given.put(name, written);
    }
    let folder = given.folder.path().display();
    for (secret, expected) in [
        (
            format!("secret_file = \"{folder}/empty\""),
            ":4: wecom.apps[0].secret_file: ",
        ),
        (
            format!("secret_file = \"{folder}/newline\""),
            ":4: wecom.apps[0].secret_file: ",
        ),
        (
            format!("secret_file = \"{folder}/crlf\""),
            ":4: wecom.apps[0].secret_file: ",
        ),
        (
            format!("secret_file = \"{folder}/none\""),
            ":4: wecom.apps[0].secret_file: read ",
        ),
        (
            format!("secret_file = \"{folder}\""),
            ":4: wecom.apps[0].secret_file: read ",
        ),
        (
            "secret_file = 3".to_owned(),
            ":4: wecom.apps[0].secret_file: must be text, in quotes",
        ),
        (
            "secret = 3".to_owned(),
            ":4: wecom.apps[0].secret: must be text, in quotes",
        ),
        (
            "secret = \"\"".to_owned(),
            ":4: wecom.apps[0].secret: is empty",
        ),
        (
            "secret = \"s\"\nsecret_file = \"f\"".to_owned(),
            ":4: wecom.apps[0].secret: is set, and",
        ),
        (
            String::new(),
            ":1: wecom.apps[0]: has no secret: set secret or secret_file",
        ),
    ] {
        let fault = fault_of(&format!(
            "[[wecom.apps]]\nname = \"a\"\ncorp_id = \"ww1\"\n{secret}\n"
        ));

        assert!(
            fault.starts_with(&format!("config.toml{expected}")),
            "{secret}: {fault}"
        );
    }
}

#[test]
fn secrets_travel_in_the_clear_only_where_that_is_safe_or_said() {
    for (base_url, allowed) in [
        ("https://example.com", true),
        ("http://127.0.0.1:1", true),
        ("http://127.9.9.9", true),
        ("http://[::1]:1", true),
        ("http://LOCALHOST", true),
        ("http://localhost.example.com", false),
        ("http://127.0.0.1.example.com", false),
        ("http://example.com", false),
        ("http://10.0.0.1", false),
        ("http://0.0.0.0", false),
    ] {
        let file = format!("wecom.base_url = \"{base_url}\"\n{APP}");

        let faults = Given::file(&file).faults();
        let said = Given::file(&format!("wecom.allow_plaintext = true\n{file}")).faults();

        assert_eq!(faults.is_empty(), allowed, "{base_url}: {faults:#?}");
        assert!(said.is_empty(), "{base_url}: {said:#?}");
    }
}

#[test]
fn who_may_ask_is_said_unless_it_is_plain() {
    let caller = format!("[[access.callers]]\nname = \"c\"\nkey_sha256 = \"{DIGEST}\"\n");
    for (listen, mode, callers, good) in [
        ("127.0.0.1:1", "", "", true),
        ("[::1]:1", "", "", true),
        ("0.0.0.0:1", "", "", false),
        ("[::]:1", "", "", false),
        ("10.0.0.1:1", "", "", false),
        ("0.0.0.0:1", "access.mode = \"open\"\n", "", true),
        ("0.0.0.0:1", "", caller.as_str(), true),
        (
            "0.0.0.0:1",
            "access.mode = \"keys\"\n",
            caller.as_str(),
            true,
        ),
        ("127.0.0.1:1", "access.mode = \"keys\"\n", "", false),
        (
            "127.0.0.1:1",
            "access.mode = \"open\"\n",
            caller.as_str(),
            true,
        ),
    ] {
        let file = format!("server.listen = \"{listen}\"\n{mode}{APP}{callers}");

        let faults = Given::file(&file).faults();

        assert_eq!(faults.is_empty(), good, "{file}: {faults:#?}");
        assert!(
            faults.iter().all(|fault| fault.contains("access.mode: ")),
            "{file}: {faults:#?}"
        );
    }
}

#[test]
fn two_listeners_need_two_ports() {
    for (callers, operators, good) in [
        ("127.0.0.1:1", "127.0.0.1:1", false),
        ("0.0.0.0:1", "127.0.0.1:1", false),
        ("127.0.0.1:1", "[::]:1", false),
        ("127.0.0.1:1", "127.0.0.2:1", true),
        ("127.0.0.1:0", "127.0.0.1:0", true),
    ] {
        let file = format!(
            "access.mode = \"open\"\nserver.listen = \"{callers}\"\nadmin.listen = \"{operators}\"\n{APP}"
        );

        let faults = Given::file(&file).faults();

        assert_eq!(
            faults.is_empty(),
            good,
            "{callers}, {operators}: {faults:#?}"
        );
    }
}

#[test]
fn callers_are_told_apart() {
    let caller = |name: &str, keys: &str| {
        format!("[[access.callers]]\nname = \"{name}\"\nkey_sha256 = {keys}\n")
    };
    let (one, other) = (format!("\"{DIGEST}\""), format!("\"{OTHER_DIGEST}\""));
    let both = format!("[{one}, {other}]");
    for (callers, expected) in [
        (caller("a", &one) + &caller("b", &other), None),
        (caller("a", &both), None),
        (
            caller("a", &one) + &caller("a", &other),
            Some("callers[1].name: another caller is called"),
        ),
        (
            caller("a", &one) + &caller("b", &both),
            Some("callers[1].key_sha256: the same key is listed twice"),
        ),
        (
            caller("a", &format!("[{one}, {one}]")),
            Some("callers[0].key_sha256: the same key is listed twice"),
        ),
        (caller("a", "[]"), Some("callers[0].key_sha256: is missing")),
        (caller("", &one), Some("callers[0].name: is missing")),
        (caller("a", &format!("{{ sha256 = {one} }}")), None),
        (
            caller(
                "a",
                &format!(
                    "[{other}, {{ sha256 = {one}, expires = \"2026-12-31T01:00:00+01:00\" }}]"
                ),
            ),
            None,
        ),
        (
            caller("a", &format!("[{{ sha256 = {one} }}, {one}]")),
            Some("callers[0].key_sha256: the same key is listed twice"),
        ),
        (
            caller(
                "a",
                &format!("[{one}, {{ sha256 = {other}, expires = \"tomorrow\" }}]"),
            ),
            Some("callers[0].key_sha256[1].expires: must be a moment with its offset, such as"),
        ),
        (
            caller(
                "a",
                &format!("[{{ sha256 = {one}, expires = 2026-12-31T00:00:00 }}]"),
            ),
            Some("callers[0].key_sha256[0].expires: must be a moment with its offset, such as"),
        ),
        (
            caller("a", "[{ expires = \"2026-12-31T00:00:00Z\" }]"),
            Some("callers[0].key_sha256[0]: missing field `sha256`"),
        ),
        (
            caller(
                "a",
                &format!("[{{ sha256 = {one}, expires = 2026-12-31T00:00:00Z }}]"),
            ) + "expires = 2026-12-31T00:00:00Z",
            None,
        ),
        (
            caller("a", &one) + "expires = \"2026-12-31\"",
            Some("callers[0].expires: must be a moment"),
        ),
        (
            caller("a", "[1]"),
            Some("callers[0].key_sha256[0]: must be"),
        ),
    ] {
        let faults = Given::file(&format!("{APP}{callers}")).faults();

        let expected: Vec<_> = expected.into_iter().collect();
        let found = faults
            .iter()
            .zip(&expected)
            .all(|(fault, why)| fault.contains(why));
        assert!(
            found && faults.len() == expected.len(),
            "{callers}: {faults:#?}"
        );
    }
}

#[test]
fn a_caller_needs_no_key_where_tokens_say_who_it_is() {
    let jwks = include_str!("../../../tests/samples/jwt/jwks.json");
    let given = Given::file("");
    let file = given.put("jwks.json", jwks);
    let caller = "[[access.callers]]\nname = \"a\"\n";
    let jwt = |lines: &str| format!("[access.jwt]\nissuer = \"i\"\naudience = \"us\"\n{lines}\n");
    let good = jwt(&format!("jwks_file = \"{file}\""));

    given.put("config.toml", &format!("{APP}{caller}{good}"));
    let files = given.checked().config.access.files();
    assert_eq!(files, [Path::new(&file)]);

    for (lines, expected) in [
        (String::new(), ":9: access.jwt.jwks_file: is missing"),
        (
            "jwks_file = \"none.json\"".to_owned(),
            ":12: access.jwt.jwks_file: read none.json: No such file",
        ),
        (
            format!("jwks_file = \"{file}\"\nalgorithms = [\"none\"]"),
            ":13: access.jwt.algorithms[0]: must be one of `ES256`, `EdDSA`, `RS256`",
        ),
        (
            format!("jwks_file = \"{file}\"\nalgorithms = []"),
            ":13: access.jwt.algorithms: is missing",
        ),
    ] {
        let fault = fault_of(&format!("{APP}{caller}\n\n{}", jwt(&lines)));
        let expected = format!("config.toml{expected}");
        assert!(fault.starts_with(&expected), "{expected}: {fault}");
    }
}

#[test]
fn the_health_check_finds_operators_whatever_else_is_wrong() {
    for (file, variables, expected) in [
        ("", [("X", "")], "127.0.0.1:9090"),
        (
            "colour = 1\nadmin.listen = \"127.0.0.1:1\"",
            [("WECOM_PROXY_X", "")],
            "127.0.0.1:1",
        ),
        (
            "= broken",
            [("WECOM_PROXY_ADMIN__LISTEN", "127.0.0.1:2")],
            "127.0.0.1:2",
        ),
    ] {
        let given = Given::file(file).with(&variables);

        assert_eq!(
            admin_address(&given.sources()).to_string(),
            expected,
            "{file}"
        );
    }
}

#[test]
fn what_is_traced_is_a_part_and_goes_to_an_address() {
    for (lines, expected) in [
        ("sampling_ratio = 0", None),
        ("sampling_ratio = 1", None),
        ("sampling_ratio = 0.25", None),
        (
            "sampling_ratio = 1.5",
            Some(":6: telemetry.sampling_ratio: "),
        ),
        (
            "sampling_ratio = -0.1",
            Some(":6: telemetry.sampling_ratio: "),
        ),
        (
            "sampling_ratio = nan",
            Some(":6: telemetry.sampling_ratio: "),
        ),
        ("otlp_endpoint = \"http://collector:4318\"", None),
        (
            "otlp_endpoint = \"grpc://collector\"",
            Some(":6: telemetry.otlp_endpoint: "),
        ),
        (
            "otlp_endpoint = \"http://a:hunter2canary@collector\"",
            Some(":6: telemetry.otlp_endpoint: "),
        ),
    ] {
        let faults = Given::file(&format!("{APP}[telemetry]\n{lines}\n")).faults();

        let told: Vec<_> = faults.iter().map(String::as_str).collect();
        match expected {
            None => assert_eq!(told, [""; 0], "{lines}"),
            Some(expected) => {
                assert_eq!(told.len(), 1, "{lines}: {told:?}");
                assert!(told[0].contains(expected), "{lines}: {told:?}");
                assert!(!told[0].contains(CANARY), "{told:?}");
            }
        }
    }
}
