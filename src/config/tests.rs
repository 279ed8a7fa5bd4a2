//! Settings as people write them, rightly and wrongly.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::path::Path;

use proptest::prelude::*;
use secrecy::ExposeSecret;
use tempfile::TempDir;
use toml::Table;

use super::*;

const EXAMPLE: &str = include_str!("../../config.example.toml");

/// Text that must never be seen again.
const CANARY: &str = "hunter2canary";

/// One app, as small as can be, to put other settings before.
const APP: &str = "[[wecom.apps]]\nname = \"a\"\ncorp_id = \"ww1\"\nsecret = \"s\"\n";

/// SHA-256 of `one`, and of nothing we know.
const DIGEST: &str = "7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed";
const OTHER_DIGEST: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789ABCDEF";

/// A folder with settings in it, and an environment around it.
struct Given {
    folder: TempDir,
    variables: Vec<(OsString, OsString)>,
}

impl Given {
    /// The settings file is there, and holds this.
    fn file(text: &str) -> Self {
        let given = Self {
            folder: tempfile::tempdir().expect("a folder"),
            variables: Vec::new(),
        };
        given.put("config.toml", text);
        given
    }

    /// No setting is there but those in the environment.
    fn environment(variables: &[(&str, &str)]) -> Self {
        Self::file("").with(variables)
    }

    fn with(mut self, variables: &[(&str, &str)]) -> Self {
        let variables = variables
            .iter()
            .map(|(name, value)| (name.into(), value.into()));
        self.variables.extend(variables);
        self
    }

    /// Another file beside the settings. Its path.
    fn put(&self, name: &str, text: &str) -> String {
        let path = self.folder.path().join(name);
        std::fs::write(&path, text).expect("a file");
        path.to_str().expect("UTF-8").to_owned()
    }

    fn sources(&self) -> Sources {
        Sources {
            file: Some(self.folder.path().join("config.toml")),
            variables: self.variables.clone(),
        }
    }

    fn load(&self) -> Result<Checked, Vec<Fault>> {
        load(&self.sources())
    }

    fn checked(&self) -> Checked {
        self.load()
            .unwrap_or_else(|faults| panic!("no fault, but {faults:#?}"))
    }

    /// Every fault as people see it, without the folder.
    fn faults(&self) -> Vec<String> {
        let faults = self.load().err().unwrap_or_default();
        let folder = format!("{}/", self.folder.path().display());
        faults
            .iter()
            .map(|fault| fault.to_string().replace(&folder, ""))
            .collect()
    }
}

/// The one fault of a file.
fn fault_of(text: &str) -> String {
    let faults = Given::file(text).faults();
    assert_eq!(faults.len(), 1, "{text}: {faults:#?}");
    faults.concat()
}

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
fn a_variable_overrides_every_kind_of_value() {
    let file = format!(
        "server.listen = \"127.0.0.1:1\"\naccess.reveal = [\"extra\", \"phones\"]\nlog.format = \"text\"\n\
         {APP}[[access.callers]]\nname = \"c\"\nkey_sha256 = \"{DIGEST}\"\nrequests_per_second = 9\n"
    );
    let plain = format!("{:?}", Given::file(&file).checked());
    for (variable, value, expected) in [
        ("SERVER__LISTEN", "[::1]:2", "listen: [::1]:2"),
        ("SERVER__HTTP2", "true", "http2: true"),
        ("SERVER__MAX_CONNECTIONS", "7", "max_connections: 7"),
        ("SERVER__DRAIN_DELAY", "1m 5s", "drain_delay: 65s"),
        ("CACHE__MAX_BYTES", "1GiB", "max_bytes: 1073741824"),
        ("CACHE__MAX_BYTES", "4096", "max_bytes: 4096"),
        ("CACHE__FRESH_FOR__FAULT", "0s", "fault: 0ns"),
        ("WECOM__BASE_URL", "https://x.example/y", "x.example"),
        ("WECOM__PROXY", "http://u:p@x", "proxy: Some([REDACTED])"),
        ("WECOM__APPS__0__CORP_ID", "9", "corp_id: \"9\""),
        ("ACCESS__REVEAL", "[\"secrets\"]", "reveal: [Secrets]"),
        ("ACCESS__REVEAL__1", "secrets", "reveal: [Extra, Secrets]"),
        ("ACCESS__CALLERS__0__BURST", "3", "burst: Some(3)"),
        (
            "ACCESS__CALLERS__0__APPS",
            "[\"a\"]",
            "apps: [AppName(\"a\")], reveal: []",
        ),
        ("LOG__FORMAT", "json", "format: Some(Json)"),
    ] {
        let name = format!("WECOM_PROXY_{variable}");

        let checked = Given::file(&file).with(&[(&name, value)]).checked();

        let seen = format!("{checked:?}");
        assert!(seen.contains(expected), "{variable}={value}: {seen}");
        assert!(!plain.contains(expected), "{variable}: nothing to override");
    }
    let secret = [("WECOM_PROXY_WECOM__APPS__0__SECRET", "123")];
    let checked = Given::file(&file).with(&secret).checked();
    assert_eq!(checked.apps[0].secret.expose_secret(), "123");
}

#[test]
fn variables_make_whole_tables_whatever_their_order() {
    let digests = format!("[\"{DIGEST}\", \"{OTHER_DIGEST}\"]");
    let mut variables = vec![
        (
            "WECOM_PROXY_ACCESS__CALLERS__0__KEY_SHA256".to_owned(),
            digests,
        ),
        (
            "WECOM_PROXY_ACCESS__CALLERS__0__NAME".to_owned(),
            "c".to_owned(),
        ),
        (
            "WECOM_PROXY_ACCESS__CALLERS__0__APPS__1".to_owned(),
            "a3".to_owned(),
        ),
        (
            "WECOM_PROXY_ACCESS__CALLERS__0__APPS__0".to_owned(),
            "a10".to_owned(),
        ),
    ];
    for index in (0..12).rev() {
        for (key, value) in [("NAME", "a"), ("CORP_ID", "ww"), ("SECRET", "s")] {
            let name = format!("WECOM_PROXY_WECOM__APPS__{index}__{key}");
            variables.push((name, format!("{value}{index}")));
        }
    }
    let variables: Vec<_> = variables
        .iter()
        .map(|(name, value)| (&**name, &**value))
        .collect();

    let checked = Given::environment(&variables).checked();

    let names: Vec<_> = checked
        .apps
        .iter()
        .map(|app| app.name.to_string())
        .collect();
    let expected: Vec<_> = (0..12).map(|index| format!("a{index}")).collect();
    assert_eq!(names, expected);
    let caller = &checked.config.access.callers[0];
    assert_eq!(caller.key_sha256.len(), 2);
    let apps: Vec<_> = caller.apps.iter().map(ToString::to_string).collect();
    assert_eq!(apps, ["a10", "a3"]);
}

#[test]
fn a_fault_in_a_variable_is_told_with_its_name() {
    for (variable, value, expected) in [
        ("COLOUR", "red", "colour: unknown key"),
        (
            "SERVER__HTTP2",
            "yes",
            "server.http2: must be true or false",
        ),
        (
            "SERVER__REQUEST_TIMEOUT",
            "30",
            "server.request_timeout: must be a duration such as",
        ),
        (
            "SERVER__LISTEN",
            "8080",
            "server.listen: must be an address and a port",
        ),
        (
            "WECOM__MAX_IN_FLIGHT",
            "0",
            "wecom.max_in_flight: must be greater than 0",
        ),
        (
            "WECOM__MAX_IN_FLIGHT",
            "5000000000",
            "wecom.max_in_flight: must be a whole number",
        ),
        ("ACCESS__REVEAL", "secrets", "access.reveal: must be a list"),
        (
            "ACCESS__REVEAL__0",
            "all",
            "access.reveal[0]: must be one of",
        ),
        (
            "ACCESS__REVEAL__1",
            "phones",
            "access.reveal.1: leaves out an element",
        ),
        (
            "WECOM__APPS__2__NAME",
            "b",
            "wecom.apps.2.name: leaves out an element",
        ),
        (
            "WECOM__APPS__0__SECRET",
            "",
            "wecom.apps[0].secret: is empty",
        ),
        (
            "SERVER",
            "{ drain_delay = \"x\" }",
            "server.drain_delay: must be a duration",
        ),
        ("", "x", ": names no setting"),
        ("SERVER__", "x", "server.: names no setting"),
    ] {
        let name = format!("WECOM_PROXY_{variable}");

        let faults = Given::file(&format!("server.drain_delay = \"1s\"\n{APP}"))
            .with(&[(&name, value)])
            .faults();

        let expected = format!("environment variable {name}: {expected}");
        let found = faults.iter().any(|fault| fault.starts_with(&expected));
        assert!(found && faults.len() == 1, "{expected}: {faults:#?}");
    }
}

#[test]
fn three_variables_are_enough_where_there_is_one_app() {
    let given = Given::environment(&[("WECOM_CORP_ID", "ww2"), ("WECOM_SECRET", "12345")]);
    let file = given.put("secret", "from a file\n");
    let with_file = [
        ("WECOM_CORP_ID", "ww2"),
        ("WECOM_SECRET_FILE", file.as_str()),
    ];
    for (given, secret) in [
        (given.load(), "12345"),
        (Given::environment(&with_file).load(), "from a file"),
    ] {
        let checked = given.expect("no fault");

        let [app] = checked.apps.as_slice() else {
            panic!("one app, not {:?}", checked.apps);
        };
        let seen = (
            app.name.as_str(),
            app.corp_id.as_str(),
            app.secret.expose_secret(),
        );
        assert_eq!(seen, ("default", "ww2", secret));
    }
}

#[test]
fn three_variables_override_the_one_app_there_is() {
    let given =
        Given::file("[[wecom.apps]]\nname = \"a\"\ncorp_id = \"ww1\"\nsecret_file = \"/nowhere\"")
            .with(&[("WECOM_SECRET", "s2")]);

    let checked = given.checked();

    let app = &checked.apps[0];
    let seen = (
        app.name.as_str(),
        app.corp_id.as_str(),
        app.secret.expose_secret(),
    );
    assert_eq!(seen, ("a", "ww1", "s2"));
}

#[test]
fn three_variables_mean_no_app_where_there_are_several() {
    let two = format!("{APP}[[wecom.apps]]\nname = \"b\"\ncorp_id = \"ww1\"\nsecret = \"s\"\n");
    let second = [
        ("WECOM_PROXY_WECOM__APPS__1__NAME", "b"),
        ("WECOM_PROXY_WECOM__APPS__1__CORP_ID", "ww1"),
        ("WECOM_PROXY_WECOM__APPS__1__SECRET", "s"),
    ];
    for given in [Given::file(&two), Given::file(APP).with(&second)] {
        assert_eq!(given.checked().apps.len(), 2);

        let faults = given.with(&[("WECOM_SECRET", "s2")]).faults();

        let expected = "environment variable WECOM_SECRET: there are several apps: it cannot be said which is meant";
        assert_eq!(faults, [expected]);
    }
}

#[test]
fn both_variables_of_a_secret_are_one_too_many() {
    let variables = [
        ("WECOM_CORP_ID", "ww1"),
        ("WECOM_SECRET", "s"),
        ("WECOM_SECRET_FILE", "/nowhere"),
    ];

    let faults = Given::environment(&variables).faults();

    let expected = "environment variable WECOM_SECRET: wecom.apps[0].secret: is set, and secret_file too: set one";
    assert_eq!(faults, [expected]);
}

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
        (caller("a", "[1]"), Some("callers[0].key_sha256: must be")),
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
fn a_file_that_cannot_be_read_hides_no_fault_of_a_variable() {
    let given = Given::file("server = ").with(&[("WECOM_PROXY_", "x")]);

    let faults = given.faults();

    assert_eq!(faults.len(), 2, "{faults:#?}");
    assert!(faults[1].starts_with("config.toml:1: "), "{faults:#?}");
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
fn the_example_shows_the_defaults() {
    let given = Given::file(EXAMPLE).with(&[("WECOM_SECRET", "s")]);

    let Checked {
        mut config, apps, ..
    } = given.checked();

    assert_eq!(apps.len(), 1);
    assert_eq!(apps[0].name.as_str(), DEFAULT_APP);
    config.wecom.apps.clear();
    assert_eq!(format!("{config:#?}"), format!("{:#?}", Config::default()));
}

/// The example, with everything in force that it shows as a comment.
fn whole_example() -> String {
    let setting = |line: &str| {
        let key = line.split(" = ").next().unwrap_or_default();
        let name = !key.is_empty()
            && key
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || b"_0123456789".contains(&byte));
        line.starts_with('[') || (name && line.contains(" = "))
    };
    let lines = EXAMPLE.lines().map(|line| match line.strip_prefix("# ") {
        Some(rest) if setting(rest) => rest,
        _ => line,
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// Every key with a value, as in `access.callers.name`.
fn keys(table: &Table, above: &str, found: &mut BTreeMap<String, usize>) {
    for (key, value) in table {
        let path = format!("{above}{key}");
        let items = value.as_array().into_iter().flatten();
        let items = items.filter_map(Value::as_table);
        let tables: Vec<_> = value.as_table().into_iter().chain(items).collect();
        if tables.is_empty() {
            *found.entry(path).or_default() += 1;
        } else {
            for table in tables {
                keys(table, &format!("{path}."), found);
            }
        }
    }
}

#[test]
fn the_example_shows_every_key_and_no_other() {
    let tables = [
        (
            "server.",
            "listen request_timeout head_timeout idle_timeout max_connections http2 drain_delay drain_timeout",
        ),
        ("server.tls.", "cert_file key_file client_ca_file"),
        ("admin.", "listen"),
        ("access.", "mode reveal"),
        (
            "access.callers.",
            "name key_sha256 apps reveal requests_per_second burst",
        ),
        (
            "wecom.",
            "base_url allow_plaintext connect_timeout timeout max_in_flight calls_per_minute calls_per_hour",
        ),
        ("wecom.", "max_response_bytes proxy ca_file"),
        ("wecom.apps.", "name corp_id secret secret_file"),
        (
            "cache.",
            "max_bytes stale_while_revalidate stale_if_error min_refresh_interval",
        ),
        (
            "cache.fresh_for.",
            "not_started in_progress ended cancelled expired unknown by_code_max absent fault",
        ),
        ("log.", "level format"),
    ];
    let keys_of = |(table, keys): (&str, &'static str)| {
        let table = table.to_owned();
        keys.split(' ').map(move |key| format!("{table}{key}"))
    };
    let expected: BTreeSet<_> = tables.into_iter().flat_map(keys_of).collect();
    let whole = whole_example();

    let mut tree =
        Tree::of_file(Path::new("config.example.toml"), &whole).expect("no fault of syntax");
    let mut found = BTreeMap::new();
    keys(&tree.root, "", &mut found);
    let (config, faults) = shape::<Config>(&mut tree);

    assert_eq!(found.into_keys().collect::<BTreeSet<_>>(), expected);
    assert_eq!(faults, []);
    assert_eq!(config.map(|config| config.access.callers.len()), Some(1));
}

/// The keys that a table may hold, as a fault tells them.
fn known_keys(header: &str) -> BTreeSet<String> {
    let faults = Given::file(&format!("{header}\nbogus = 1\n")).faults();
    let mut known = faults
        .iter()
        .filter_map(|fault| Some(fault.split_once("unknown key, expected ")?.1));
    let known = known.next().expect("an unknown key");
    known
        .split('`')
        .skip(1)
        .step_by(2)
        .map(str::to_owned)
        .collect()
}

#[test]
fn no_key_is_read_that_the_example_does_not_show() {
    let whole: Table = whole_example().parse().expect("TOML");
    for (path, header) in [
        ("server", "[server]"),
        ("server.tls", "[server.tls]"),
        ("admin", "[admin]"),
        ("access", "[access]"),
        ("access.callers", "[[access.callers]]"),
        ("wecom", "[wecom]"),
        ("wecom.apps", "[[wecom.apps]]"),
        ("cache", "[cache]"),
        ("cache.fresh_for", "[cache.fresh_for]"),
        ("log", "[log]"),
    ] {
        let table = path.split('.').try_fold(&whole, |table, key| {
            let value = table.get(key)?;
            value
                .as_array()
                .and_then(|items| items.first())
                .unwrap_or(value)
                .as_table()
        });
        let shown: BTreeSet<_> = table.expect("a table").keys().cloned().collect();

        assert_eq!(known_keys(header), shown, "{path}");
    }
}

proptest! {
    #[test]
    fn no_text_of_a_file_breaks_us(
        lines in prop::collection::vec(
            (
                "[a-z.\\[\\]\"_]{0,12}|server|server.listen|wecom.apps|\\[\\[wecom.apps\\]\\]|access.reveal|access.callers|log.level|cache.max_bytes|name|secret|key_sha256|apps",
                "[ -~\n]{0,12}|\\[\\]|\\[\"a\", 1, \\{\\}, \"phones\", true\\]|\\{ a = \\[1\\] \\}|-?[0-9]{1,20}|\"[0-9]{1,22}[a-zA-Z]{0,3}\"|\"(info|[a-z]+)[=,a-z]{0,9}\"",
            ),
            0..8,
        ),
    ) {
        let text: Vec<_> = lines.iter().map(|(key, value)| {
            if key.starts_with('[') { key.clone() } else { format!("{key} = {value}") }
        }).collect();
        let text = text.join("\n");
        if let Err(faults) = Given::file(&text).load() {
            prop_assert!(!faults.is_empty());
        }
    }

    #[test]
    fn no_variable_breaks_us(
        variables in prop::collection::vec(
            (
                "(SERVER|WECOM|ACCESS|CACHE|LOG|[A-Z0-9_]{0,6})(__(APPS|CALLERS|REVEAL|LISTEN|NAME|SECRET|MAX_BYTES|[0-9]{1,20}|[A-Z_]{0,5})){0,4}",
                "\\PC{0,12}|[0-9]{1,20}|\\[(\"[a-z]{0,6}\",? ?|[0-9],|\\{\\},){0,4}\\]|\\{ ?([a-z]{1,8} = [0-9])? ?\\}",
            ),
            0..8,
        ),
    ) {
        let named: Vec<_> = variables.iter().map(|(name, value)| (format!("WECOM_PROXY_{name}"), value)).collect();
        let named: Vec<_> = named.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        if let Err(faults) = Given::file(APP).with(&named).load() {
            prop_assert!(!faults.is_empty());
        }
    }
}
