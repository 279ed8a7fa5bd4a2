//! The command line, as a person or a container finds it: the real binary, in an empty folder, with
//! nothing of the machine around it.

// It always holds here, and is said so that clippy takes what is shared for tests too.
#![cfg(test)]

#[path = "../callers/mod.rs"]
mod callers;
mod canary;
#[path = "../certificates/mod.rs"]
mod certificates;
#[path = "../collector/mod.rs"]
mod collector;
mod descriptors;
mod leaving;
mod logging;
mod shell;
mod supervisor;
mod tls;
mod tracing;

use std::net::TcpListener;
use std::sync::mpsc::RecvTimeoutError;

use crate::shell::LONG;
use crate::shell::Shell;
use crate::shell::line_with;
use crate::shell::nobody;
use crate::shell::until_ready;
use crate::shell::wecom;

/// One app, as small as can be.
const APP: &str = "[[wecom.apps]]\nname = \"a\"\ncorp_id = \"ww1\"\nsecret = \"s\"\n";

#[test]
fn it_says_what_it_is_and_how_it_is_used() {
    let shell = Shell::new();
    let version = concat!("wecom-meeting-proxy ", env!("CARGO_PKG_VERSION"), "\n");

    assert_eq!(shell.run(&["--version"]).stdout, version);
    for (arguments, expected) in [
        (["--help", "--help"], "check-config"),
        (["--help", "--help"], "hash-key"),
        (["--help", "--help"], "healthcheck"),
        (["--help", "--help"], "openapi"),
        (["serve", "--help"], "--config <FILE>"),
        (["check-config", "--help"], "WECOM_PROXY_CONFIG"),
    ] {
        let ended = shell.run(&arguments);

        assert_eq!(ended.code, Some(0), "{arguments:?}: {ended:?}");
        assert!(ended.stdout.contains(expected), "{arguments:?}: {ended:?}");
    }
}

#[test]
fn wrong_usage_ends_with_2() {
    let shell = Shell::new();
    for arguments in [
        &["--nonsense"][..],
        &["nonsense"],
        &["serve", "--config"],
        &["serve", "extra"],
        &["check-config", "--config", "a", "--config", "b"],
        &["healthcheck", "no address"],
        &["hash-key", "the-key-itself"],
        &["openapi", "3.0"],
    ] {
        let ended = shell.run(arguments);

        assert_eq!(ended.code, Some(2), "{arguments:?}: {ended:?}");
        assert!(ended.stdout.is_empty(), "{arguments:?}: {ended:?}");
        assert!(ended.stderr.contains("error: "), "{arguments:?}: {ended:?}");
    }
}

#[test]
fn what_the_api_is_like_is_printed() {
    let shell = Shell::new();
    for (arguments, kept) in [
        (&["openapi"][..], include_str!("../../docs/openapi.json")),
        (
            &["openapi", "--older"],
            include_str!("../../docs/openapi-3.0.json"),
        ),
    ] {
        let ended = shell.run(arguments);

        assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
        assert!(ended.stdout == kept, "{arguments:?}");
    }
}

#[test]
fn settings_that_are_good_are_found_so() {
    let ended = Shell::new()
        .with_file("config.toml", APP)
        .run(&["check-config"]);

    let seen = (ended.code, ended.stdout.as_str(), ended.stderr.as_str());
    assert_eq!(seen, (Some(0), "ok\n", ""));
}

#[test]
fn settings_that_are_wrong_end_with_2_and_every_fault() {
    let file = format!("colour = 1\n[server]\nmax_connections = 0\n{APP}");
    let shell = Shell::new()
        .with_file("config.toml", &file)
        .with("WECOM_PROXY_LOG__LEVEL", "loud");
    for command in [&["check-config"][..], &["serve"], &[]] {
        let ended = shell.run(command);

        assert_eq!(ended.code, Some(2), "{command:?}: {ended:?}");
        assert_eq!(ended.stdout, "", "{command:?}");
        for fault in [
            "wecom-meeting-proxy: config.toml:1: colour: unknown key",
            "wecom-meeting-proxy: config.toml:3: server.max_connections: must be greater than 0\n",
            "wecom-meeting-proxy: environment variable WECOM_PROXY_LOG__LEVEL: log.level: not a level",
        ] {
            assert!(
                ended.stderr.contains(fault),
                "{command:?}, {fault}: {ended:?}"
            );
        }
        assert_eq!(ended.stderr.lines().count(), 3, "{command:?}: {ended:?}");
    }
}

#[test]
fn without_any_settings_it_says_what_is_needed() {
    let ended = Shell::new().run(&[]);

    let seen = (ended.code, ended.stderr.as_str());
    assert_eq!(
        seen,
        (
            Some(2),
            "wecom-meeting-proxy: wecom.apps: at least one app is needed: list it, or set WECOM_CORP_ID and WECOM_SECRET\n"
        )
    );
}

#[test]
fn the_settings_file_is_the_one_that_is_named_most_plainly() {
    let shell = || {
        Shell::new()
            .with_file("config.toml", "default = 1")
            .with_file("variable.toml", "variable = 1")
            .with_file("argument.toml", "argument = 1")
    };
    let in_variable = || shell().with("WECOM_PROXY_CONFIG", "variable.toml");
    for (shell, arguments, expected) in [
        (shell(), &["check-config"][..], "config.toml:1: default: "),
        (
            in_variable(),
            &["check-config"],
            "variable.toml:1: variable: ",
        ),
        (
            in_variable(),
            &["check-config", "--config", "argument.toml"],
            "argument.toml:1: argument: ",
        ),
        (
            in_variable(),
            &["serve", "--config", "argument.toml"],
            "argument.toml:1: argument: ",
        ),
        (
            in_variable(),
            &["--config", "argument.toml"],
            "argument.toml:1: argument: ",
        ),
        (
            shell(),
            &["--config", "none.toml"],
            "read none.toml: No such file",
        ),
        (
            shell().with("WECOM_PROXY_CONFIG", "none.toml"),
            &["serve"],
            "environment variable WECOM_PROXY_CONFIG: read none.toml: No such file",
        ),
    ] {
        let ended = shell.run(arguments);

        assert_eq!(ended.code, Some(2), "{arguments:?}: {ended:?}");
        let expected = format!("wecom-meeting-proxy: {expected}");
        assert!(ended.stderr.contains(&expected), "{expected}: {ended:?}");
    }
}

#[test]
fn a_key_is_hashed_without_its_final_newline() {
    // `abc`, from FIPS 180-2.
    let digest = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\n";
    let shell = Shell::new();
    for (key, same) in [
        (&b"abc"[..], true),
        (b"abc\n", true),
        (b"abc\r\n", true),
        (b"abc\n\n", false),
        (b"abc\r", false),
        (b" abc", false),
    ] {
        let ended = shell.run_with(&["hash-key"], key);

        assert_eq!(ended.code, Some(0), "{key:?}: {ended:?}");
        assert_eq!(ended.stdout == digest, same, "{key:?}: {ended:?}");
        assert_eq!(ended.stdout.len(), 65, "{key:?}: {ended:?}");
    }
    let file = vec![b'k'; 70_000];
    for key in [&b""[..], b"\n", b"\r\n", &file] {
        let ended = shell.run_with(&["hash-key"], key);

        assert_eq!(ended.code, Some(2), "{} bytes: {ended:?}", key.len());
        assert!(
            ended.stdout.is_empty() && ended.stderr.contains("the key is"),
            "{ended:?}"
        );
    }
}

#[test]
fn a_key_is_made_that_can_be_pasted_into_the_settings() {
    let shell = Shell::new();
    let make = || {
        let ended = shell.run_with(&["hash-key", "--generate"], b"not read");
        assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
        let lines: Vec<_> = ended.stdout.lines().map(str::to_owned).collect();
        let [key, digest]: [String; 2] = lines.try_into().expect("two lines");
        let quoted = key.strip_prefix("key = \"");
        let key = quoted.and_then(|key| key.strip_suffix('"')).expect("a key");
        (key.to_owned(), digest)
    };

    let (key, digest) = make();

    // 256 bits in base64url.
    assert_eq!(key.len(), 43, "{key}");
    assert_ne!(make().0, key);
    let hashed = shell.run_with(&["hash-key"], key.as_bytes()).stdout;
    assert_eq!(digest, format!("key_sha256 = \"{}\"", hashed.trim_end()));
    let caller = format!("{APP}[[access.callers]]\nname = \"c\"\n{digest}\n");
    let checked = Shell::new().with_file("config.toml", &caller);
    assert_eq!(checked.run(&["check-config"]).stdout, "ok\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signal_ends_it_as_asked() {
    let wecom = wecom().await;
    for signal in ["-TERM", "-INT"] {
        let mut service = Shell::new().with_service(&wecom.base_url()).serve();

        service.process.signal(signal);

        assert_eq!(service.process.code(), Some(0), "{signal}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_signal_ends_it_at_once() {
    let wecom = wecom().await;
    for (first, second) in [("-TERM", "-TERM"), ("-TERM", "-INT"), ("-INT", "-TERM")] {
        let shell = Shell::new().with_service(&wecom.base_url());
        let mut service = shell.with("WECOM_PROXY_SERVER__DRAIN_DELAY", "1h").serve();

        service.process.signal(first);
        line_with(&service.lines, "leaving");
        service.process.signal(second);

        assert_eq!(service.process.code(), Some(1), "{first}, {second}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn it_serves_on_when_nobody_reads_its_log() {
    let wecom = wecom().await;
    let shell = Shell::new().with_service(&wecom.base_url());
    let mut service = shell.serve_and_hear(|line| line.contains("serving callers"));
    let closed = service.lines.recv_timeout(LONG);
    assert_eq!(closed, Err(RecvTimeoutError::Disconnected));

    let url = format!("http://{}/livez", service.operators);
    let alive = shell.run(&["healthcheck", &url]);
    service.process.signal("-TERM");

    assert_eq!(alive.code, Some(0), "{alive:?}");
    assert_eq!(service.process.code(), Some(0));
}

#[test]
fn a_port_that_is_taken_ends_it_with_1() {
    let holder = TcpListener::bind("127.0.0.1:0").expect("a port");
    let taken = holder.local_addr().expect("an address").to_string();
    for door in ["WECOM_PROXY_SERVER__LISTEN", "WECOM_PROXY_ADMIN__LISTEN"] {
        let ended = Shell::new()
            .with_service(&nobody())
            .with(door, &taken)
            .run(&[]);

        let expected = format!("wecom-meeting-proxy: listen on {taken}: Address already in use");
        assert_eq!(ended.code, Some(1), "{door}: {ended:?}");
        assert!(ended.stderr.contains(&expected), "{door}: {ended:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_health_check_says_how_the_service_is() {
    let wecom = wecom().await;
    let service = Shell::new().with_service(&wecom.base_url()).serve();
    let (callers, operators) = (service.callers, service.operators);
    let shell = Shell::new();
    until_ready(operators);
    for (url, code, expected) in [
        (format!("http://{operators}/readyz"), 0, ""),
        (format!("http://{operators}/livez"), 0, ""),
        (
            format!("http://{operators}/nothing"),
            1,
            "the answer is 404",
        ),
        (
            format!("http://{callers}/meetings/"),
            1,
            "the answer is 404",
        ),
        (nobody(), 1, "no answer from http://127.0.0.1"),
    ] {
        let ended = shell.run(&["healthcheck", &url]);

        assert_eq!(ended.code, Some(code), "{url}: {ended:?}");
        assert!(ended.stderr.contains(expected), "{url}: {ended:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_health_check_finds_the_service_by_its_settings() {
    let wecom = wecom().await;
    let service = Shell::new().with_service(&wecom.base_url()).serve();
    let operators = service.operators.to_string();
    until_ready(service.operators);
    let file = format!("admin.listen = \"{operators}\"\nbroken_elsewhere = 1\n");
    let everywhere = operators.replace("127.0.0.1", "0.0.0.0");
    for (shell, code) in [
        (
            Shell::new().with("WECOM_PROXY_ADMIN__LISTEN", &operators),
            0,
        ),
        (
            Shell::new().with("WECOM_PROXY_ADMIN__LISTEN", &everywhere),
            0,
        ),
        (Shell::new().with_file("config.toml", &file), 0),
        (
            Shell::new()
                .with_file("x.toml", &file)
                .with("WECOM_PROXY_CONFIG", "x.toml"),
            0,
        ),
        (
            Shell::new().with(
                "WECOM_PROXY_ADMIN__LISTEN",
                nobody().trim_start_matches("http://"),
            ),
            1,
        ),
    ] {
        let ended = shell.run(&["healthcheck"]);

        assert_eq!(ended.code, Some(code), "{:?}: {ended:?}", shell.variables);
    }
}
