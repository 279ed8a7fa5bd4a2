//! `config.example.toml`: it shows every key and no other, with the values that hold by default; and so
//! does `docs/operations.md`.

use super::*;

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
            "access.jwt.",
            "issuer audience jwks_file algorithms caller_claim",
        ),
        (
            "access.callers.",
            "name expires tls_san apps reveal requests_per_second burst",
        ),
        ("access.callers.key_sha256.", "sha256 expires"),
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
        ("telemetry.", "otlp_endpoint sampling_ratio"),
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
        ("access.jwt", "[access.jwt]"),
        ("access.callers", "[[access.callers]]"),
        (
            "access.callers.key_sha256",
            "[[access.callers]]\n[[access.callers.key_sha256]]",
        ),
        ("wecom", "[wecom]"),
        ("wecom.apps", "[[wecom.apps]]"),
        ("cache", "[cache]"),
        ("cache.fresh_for", "[cache.fresh_for]"),
        ("log", "[log]"),
        ("telemetry", "[telemetry]"),
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

/// What `docs/operations.md` tells of each key: its path, and the cell of its default.
fn told() -> BTreeMap<String, &'static str> {
    let mut table = None;
    let mut told = BTreeMap::new();
    for line in include_str!("../../../docs/operations.md").lines() {
        if line.starts_with('#') {
            let header = line
                .strip_prefix("### `[")
                .map(|rest| rest.trim_matches(['[', ']', '`']));
            table = header;
        }
        let (Some(table), Some(row)) = (table, line.strip_prefix("| `")) else {
            continue;
        };
        let (key, _) = row.split_once('`').expect("a key");
        let default = row.split(" | ").nth(2).expect("a default");
        let before = told.insert(format!("{table}.{key}"), default);
        assert_eq!(before, None, "{table}.{key} is told twice");
    }
    told
}

#[test]
fn operators_are_told_of_every_key_and_no_other() {
    let whole: Table = whole_example().parse().expect("TOML");
    let mut shown = BTreeMap::new();
    keys(&whole, "", &mut shown);
    let mut told: BTreeSet<_> = told().into_keys().collect();
    // It may be a table, whose keys are told too.
    assert!(told.remove("access.callers.key_sha256"));

    assert_eq!(told, shown.into_keys().collect());
}

#[test]
fn operators_are_told_the_defaults() {
    let example: Table = EXAMPLE.parse().expect("TOML");
    let mut shown = BTreeMap::new();
    keys(&example, "", &mut shown);
    // There is no default of what an app is.
    let shown: Vec<_> = shown
        .into_keys()
        .filter(|path| !path.starts_with("wecom.apps."))
        .collect();
    assert!(shown.len() > 30, "{shown:?}");
    let told = told();
    for path in shown {
        let mut values = path.split('.');
        let table = values.next().and_then(|table| example.get(table));
        let value = values.try_fold(table.expect("a table"), |value, key| value.get(key));
        let cell = told[&path].trim_matches('`');
        let cell: Table = format!("told = {cell}")
            .parse()
            .unwrap_or_else(|error| panic!("{path}: {cell}: {error}"));

        assert_eq!(cell.get("told"), value, "{path}");
    }
}
