//! Faults: all of them at once, each with its key and its place, and none that quotes a value.

use super::*;

/// A line that is wrong, and how its fault begins.
const WRONG: &str = r#"
server.port = 1 => server.port: unknown key, expected one of `listen`
colour = 1 => colour: unknown key, expected one of `server`
server."a.b" = 1 => server.a.b: unknown key
"server.listen" = 1 => server.listen: unknown key
server.listen = ":8080" => server.listen: must be an address and a port
admin.listen = 9090 => admin.listen: must be an address and a port
admin.listen = "127.0.0.1:8080" => admin.listen: server.listen has that port
server.request_timeout = 10 => server.request_timeout: must be a duration such as
server.request_timeout = "soon" => server.request_timeout: must be a duration such as
server.idle_timeout = "2 years" => server.idle_timeout: must be a year at most
server.http2 = "yes" => server.http2: must be true or false
server.max_connections = "many" => server.max_connections: must be a whole number
server.max_connections = -1 => server.max_connections: must be a whole number
server = 1 => server: must be a table
cache.max_bytes = 1024 => cache.max_bytes: must be a size such as
cache.max_bytes = "1XB" => cache.max_bytes: must be a size such as
access.mode = "closed" => access.mode: must be `keys` or `open`
access.mode = 1 => access.mode: must be
access.reveal = "phones" => access.reveal: must be a list, as in
access.callers = { name = "a" } => access.callers: must be a list: [[…]]
log.format = "xml" => log.format: must be `json` or `text`
log.level = "inof" => log.level: not a level
log.level = "" => log.level: not a level
log.level = "info,=," => log.level: not a level
wecom.base_url = "qyapi" => wecom.base_url: must be an http:// or https:// address
wecom.base_url = "ftp://x" => wecom.base_url: must be an http:// or https:// address
wecom.base_url = "https://u@x" => wecom.base_url: must hold no user
wecom.base_url = "https://:p@x" => wecom.base_url: must hold no user
wecom.base_url = "https://x?a=b" => wecom.base_url: must hold no user, query
wecom.proxy = "egress:3128" => wecom.proxy: must be an http:// or https:// address
wecom.ca_file = "/nowhere" => wecom.ca_file: read /nowhere: No such file
server.tls = {} => server.tls.cert_file: is missing
"#;

#[test]
fn each_fault_is_told_with_its_key_and_its_line() {
    for case in WRONG.trim().lines() {
        let (line, expected) = case.split_once(" => ").expect("a case");

        let faults = Given::file(&format!("{line}\n{APP}")).faults();

        let expected = format!("config.toml:1: {expected}");
        let first = faults
            .first()
            .is_some_and(|fault| fault.starts_with(&expected));
        assert!(first, "{line}: {faults:#?}");
    }
}

#[test]
fn a_limit_of_nothing_is_refused() {
    for (line, nothing) in [
        ("server.request_timeout", "\"0s\""),
        ("server.head_timeout", "\"0ms\""),
        ("server.idle_timeout", "\"0s\""),
        ("server.max_connections", "0"),
        ("wecom.connect_timeout", "\"0s\""),
        ("wecom.timeout", "\"0s\""),
        ("wecom.max_in_flight", "0"),
        ("wecom.calls_per_minute", "0"),
        ("wecom.calls_per_hour", "0"),
        ("wecom.max_response_bytes", "\"0B\""),
        ("cache.max_bytes", "\"0MiB\""),
    ] {
        let fault = fault_of(&format!("{line} = {nothing}\n{APP}"));

        let expected = if nothing.contains('s') {
            "longer than 0s"
        } else {
            "greater than 0"
        };
        assert_eq!(fault, format!("config.toml:1: {line}: must be {expected}"));
    }
    for line in [
        "requests_per_second = 0",
        "requests_per_second = 1\nburst = 0",
    ] {
        let caller = format!("[[access.callers]]\nname = \"c\"\nkey_sha256 = \"{DIGEST}\"\n");

        let fault = fault_of(&format!("{APP}{caller}{line}"));

        assert!(fault.ends_with("must be greater than 0"), "{line}: {fault}");
    }
}

#[test]
fn all_faults_are_told_at_once_in_the_order_of_their_lines() {
    let given = Given::file(
        r#"
[server]
listen = "127.0.0.1:1"
lisen = "127.0.0.1:1"
max_connections = 0
request_timeout = "soon"
[access]
reveal = ["everything", "phones", 3]
[[access.callers]]
name = "one"
key_sha256 = "abc"
[[access.callers]]
name = "one"
key_sha256 = "7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed"
apps = ["a", "missing"]
burst = 3
[cache.fresh_for]
ended = 600
[wecom]
base_url = "http://example.com"
[[wecom.apps]]
name = "a"
corp_id = "ww1"
secret = 12345678
[[wecom.apps]]
name = "a"
secret = "s"
[log]
level = "loud"
"#,
    )
    .with(&[
        ("WECOM_PROXY_WECOM__TIMEOUT", "0s"),
        ("WECOM_PROXY_SERVER__LISTEN__PORT", "1"),
    ]);

    let faults = given.faults();

    let expected = [
        "environment variable WECOM_PROXY_WECOM__TIMEOUT: wecom.timeout: must be longer than 0s",
        "environment variable WECOM_PROXY_SERVER__LISTEN__PORT: server.listen.port: leads below",
        "config.toml:4: server.lisen: unknown key, expected one of `listen`",
        "config.toml:5: server.max_connections: must be greater than 0",
        "config.toml:6: server.request_timeout: must be a duration",
        "config.toml:8: access.reveal[0]: must be one of `extra`, `phones`, `secrets`",
        "config.toml:8: access.reveal[2]: must be text, in quotes",
        "config.toml:9: access.callers[0].apps: must be said, as there are several apps",
        "config.toml:11: access.callers[0].key_sha256: must be 64 hexadecimal digits",
        "config.toml:13: access.callers[1].name: another caller is called \"one\" too",
        "config.toml:15: access.callers[1].apps: no app is called \"missing\"",
        "config.toml:16: access.callers[1].burst: means nothing without requests_per_second",
        "config.toml:18: cache.fresh_for.ended: must be a duration",
        "config.toml:20: wecom.base_url: http:// sends secrets in the clear",
        "config.toml:24: wecom.apps[0].secret: must be text, in quotes",
        "config.toml:25: wecom.apps[1].corp_id: is missing",
        "config.toml:26: wecom.apps[1].name: another app is called \"a\" too",
        "config.toml:29: log.level: not a level",
    ];
    for expected in expected {
        let found = faults.iter().any(|fault| fault.starts_with(expected));
        assert!(found, "{expected}: {faults:#?}");
    }
    assert_eq!(faults.len(), expected.len(), "{faults:#?}");
    let lines = |fault: &String| {
        fault
            .split(':')
            .nth(1)
            .and_then(|line| line.parse::<u32>().ok())
    };
    assert!(faults.iter().map(lines).is_sorted(), "{faults:#?}");
}

#[test]
fn no_fault_quotes_a_value() {
    // Wherever something else belongs, or nothing at all, and wherever the syntax is broken.
    let places = [
        "secret",
        "secret_file.x",
        "corp_id.x",
        "name",
        "colour",
        "name.x",
    ];
    let values = [
        "\"CANARY\"",
        "[\"CANARY\"]",
        "{ CANARY = 1 }",
        "{ x = \"CANARY\" }",
        "CANARY",
        "\"CANARY",
        "'CANARY",
        "\"CANARY\" x",
        "\"CANARY\\q\"",
        "\"\"\"CANARY",
        "\"a, expected CANARY\"",
        "1CANARY",
        "\"CANARY\" # \u{1}",
        "12345678",
        "-12345678",
        "12345678.5",
        "[\"CANARY\"",
        "{ x = \"CANARY\"",
        "\"CANARY\"\nsecret = \"CANARY\"",
    ];
    let elsewhere = [
        "wecom.proxy",
        "wecom.base_url",
        "wecom.timeout",
        "wecom.max_in_flight",
        "wecom.max_response_bytes",
        "wecom",
        "wecom.allow_plaintext",
        "server.listen",
        "server.http2",
        "access.mode",
        "access.reveal",
        "access.callers",
        "log.format",
        "log.level",
        "cache",
        "cache.fresh_for.ended",
    ];
    let texts = values.iter().flat_map(|value| {
        let value = value.replace("CANARY", CANARY);
        let in_app = places.map(|place| format!("[[wecom.apps]]\n{place} = {value}\n"));
        let around = elsewhere.map(|place| format!("{place} = {value}\n{APP}"));
        in_app.into_iter().chain(around).collect::<Vec<_>>()
    });
    let mut seen = 0;
    for text in texts {
        for fault in Given::file(&text).faults() {
            seen += 1;
            // A key is no secret, and neither is a path.
            let key = fault.contains(&format!("x.{CANARY}"))
                || fault.contains(&format!(".{CANARY}: unknown"));
            let quoted = fault.contains(CANARY) && !key;
            assert!(!quoted && !fault.contains("12345678"), "{text}: {fault}");
        }
    }
    assert!(seen > 300, "only {seen} faults");
    for variable in [
        "WECOM__PROXY",
        "SERVER__LISTEN",
        "WECOM__TIMEOUT",
        "ACCESS__MODE",
        "ACCESS__REVEAL__0",
        "SECRET",
    ] {
        let faults = Given::file(APP)
            .with(&[(&format!("WECOM_PROXY_{variable}"), CANARY)])
            .faults();

        assert!(
            !faults.is_empty() && !faults.concat().contains(CANARY),
            "{variable}: {faults:#?}"
        );
    }
}

#[test]
fn what_was_read_prints_no_secret() {
    let file = format!(
        "wecom.proxy = \"http://u:{CANARY}@x\"\n{}",
        APP.replace("\"s\"", &format!("\"{CANARY}\""))
    );

    let checked = Given::file(&file).checked();

    assert_eq!(checked.apps[0].secret.expose_secret(), CANARY);
    assert!(!format!("{checked:?}").contains(CANARY));
}

#[test]
fn a_file_that_cannot_be_read_hides_no_fault_of_a_variable() {
    let given = Given::file("server = ").with(&[("WECOM_PROXY_", "x")]);

    let faults = given.faults();

    assert_eq!(faults.len(), 2, "{faults:#?}");
    assert!(faults[1].starts_with("config.toml:1: "), "{faults:#?}");
}
