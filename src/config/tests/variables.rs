//! The environment, on top of the file or in its place.

use super::*;

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
