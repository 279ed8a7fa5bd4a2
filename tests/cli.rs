//! The command line, as a person or a container finds it: the real binary, in an empty folder, with
//! nothing of the machine around it.

// It always holds here, and is said so that clippy takes what is shared for tests too.
#![cfg(test)]

use std::io::BufRead;
use std::io::BufReader;
use std::io::Write;
use std::net::SocketAddr;
use std::net::TcpListener;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;
use std::sync::mpsc;
use std::sync::mpsc::Receiver;
use std::sync::mpsc::RecvTimeoutError;
use std::thread;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;
use wecom_simulator::DEFAULT_CORP_ID;
use wecom_simulator::DEFAULT_SECRET;
use wecom_simulator::Simulator;
use wecom_simulator::World;

/// Longer than anything here takes, so that a mistake is a failure and not a standstill.
const LONG: Duration = Duration::from_secs(20);

/// How often to look for what happens in the background.
const A_MOMENT: Duration = Duration::from_millis(10);

/// One app, as small as can be.
const APP: &str = "[[wecom.apps]]\nname = \"a\"\ncorp_id = \"ww1\"\nsecret = \"s\"\n";

/// The command, in a folder of its own.
struct Shell {
    folder: TempDir,
    variables: Vec<(String, String)>,
}

/// How a command ended.
#[derive(Debug)]
struct Ended {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

impl Shell {
    fn new() -> Self {
        Self {
            folder: tempfile::tempdir().expect("a folder"),
            variables: Vec::new(),
        }
    }

    fn with(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    /// With a file in the folder.
    fn with_file(self, name: &str, text: &str) -> Self {
        std::fs::write(self.folder.path().join(name), text).expect("a file");
        self
    }

    /// With all that a service needs to run, at ports that are free.
    fn with_service(self, base_url: &str) -> Self {
        self.with("WECOM_CORP_ID", DEFAULT_CORP_ID)
            .with("WECOM_SECRET", DEFAULT_SECRET)
            .with("WECOM_PROXY_WECOM__BASE_URL", base_url)
            .with("WECOM_PROXY_SERVER__LISTEN", "127.0.0.1:0")
            .with("WECOM_PROXY_ADMIN__LISTEN", "127.0.0.1:0")
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_wecom-meeting-proxy"));
        command.args(arguments).env_clear();
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        command.current_dir(self.folder.path());
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    fn run(&self, arguments: &[&str]) -> Ended {
        self.run_with(arguments, b"")
    }

    /// Runs a command that ends by itself, with this on its standard input.
    fn run_with(&self, arguments: &[&str], input: &[u8]) -> Ended {
        let child = self.command(arguments).spawn().expect("a process");
        let mut process = Process(child);
        let stdin = process.0.stdin.take();
        // A command that reads nothing may be gone by now.
        let _ = stdin.expect("standard input").write_all(input);
        let code = process.code();
        let text = |stream: &mut dyn std::io::Read| {
            let mut text = String::new();
            stream.read_to_string(&mut text).expect("UTF-8");
            text
        };
        let Child { stdout, stderr, .. } = &mut process.0;
        let ended = Ended {
            code,
            stdout: text(stdout.as_mut().expect("standard output")),
            stderr: text(stderr.as_mut().expect("standard error")),
        };
        assert!(
            !ended.stderr.contains("panicked"),
            "{arguments:?}: {ended:?}"
        );
        ended
    }

    /// Runs the service.
    fn serve(&self) -> Service {
        self.serve_and_hear(|_| false)
    }

    /// Runs the service, and closes its log after the line that is the last to be heard.
    fn serve_and_hear(&self, is_last: fn(&str) -> bool) -> Service {
        let mut process = Process(self.command(&[]).spawn().expect("a process"));
        let stderr = process.0.stderr.take().expect("standard error");
        let (said, lines) = mpsc::channel();
        thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                let last = is_last(&line);
                if said.send(line).is_err() || last {
                    break;
                }
            }
        });
        let first = line_with(&lines, "serving callers");
        let address = |field: &str| {
            let text = first[field].as_str().expect("an address");
            text.parse().expect("an address")
        };
        Service {
            process,
            lines,
            callers: address("callers"),
            operators: address("operators"),
        }
    }
}

/// A process that ends with the test, if not before.
struct Process(Child);

impl Process {
    /// The exit code, once it has ended. `None` if a signal ended it.
    fn code(&mut self) -> Option<i32> {
        let mut waited = Duration::ZERO;
        while waited < LONG {
            if let Some(status) = self.0.try_wait().expect("a status") {
                return status.code();
            }
            thread::sleep(A_MOMENT);
            waited += A_MOMENT;
        }
        panic!("still running after {LONG:?}");
    }

    fn signal(&self, signal: &str) {
        let id = self.0.id().to_string();
        let sent = Command::new("kill").args([signal, &id]).status();
        assert!(sent.expect("kill").success(), "{signal} {id}");
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A service that serves.
struct Service {
    process: Process,
    lines: Receiver<String>,
    callers: SocketAddr,
    operators: SocketAddr,
}

/// The next line of a log in JSON that says this.
fn line_with(lines: &Receiver<String>, what: &str) -> Value {
    let mut before = Vec::new();
    while let Ok(line) = lines.recv_timeout(LONG) {
        if line.contains(what) {
            return serde_json::from_str(&line).expect("a line in JSON");
        }
        before.push(line);
    }
    panic!("never said {what:?}, but {before:#?}");
}

async fn wecom() -> Simulator {
    Simulator::start(World::demo()).await.expect("a WeCom")
}

fn nobody() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    format!("http://{address}")
}

#[test]
fn it_says_what_it_is_and_how_it_is_used() {
    let shell = Shell::new();
    let version = concat!("wecom-meeting-proxy ", env!("CARGO_PKG_VERSION"), "\n");

    assert_eq!(shell.run(&["--version"]).stdout, version);
    for (arguments, expected) in [
        (["--help", "--help"], "check-config"),
        (["--help", "--help"], "hash-key"),
        (["--help", "--help"], "healthcheck"),
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
    ] {
        let ended = shell.run(arguments);

        assert_eq!(ended.code, Some(2), "{arguments:?}: {ended:?}");
        assert!(ended.stdout.is_empty(), "{arguments:?}: {ended:?}");
        assert!(ended.stderr.contains("error: "), "{arguments:?}: {ended:?}");
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

#[test]
fn tls_is_refused_until_it_is_spoken() {
    let shell = Shell::new().with_service(&nobody()).with_file("pem", "");
    let tls = ["CERT_FILE", "KEY_FILE"].map(|key| format!("WECOM_PROXY_SERVER__TLS__{key}"));
    let shell = tls
        .iter()
        .fold(shell, |shell, name| shell.with(name, "pem"));

    let ended = shell.run(&[]);

    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert_eq!(
        ended.stderr,
        "wecom-meeting-proxy: server.tls: not supported by this version\n"
    );
}

/// Waits until the service is ready.
fn until_ready(operators: SocketAddr) {
    let (shell, url) = (Shell::new(), format!("http://{operators}/readyz"));
    let ready = |_| shell.run(&["healthcheck", &url]).code == Some(0);
    assert!((0..100).any(ready), "never ready");
}
