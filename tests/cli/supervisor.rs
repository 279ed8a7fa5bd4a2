//! What whoever started us is told, in the words of `sd_notify(3)`.

use std::net::TcpListener;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::SocketAddr;
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::sync::mpsc;
use std::sync::mpsc::Receiver;
use std::thread;
use std::time::Duration;

use rustix::time::ClockId;
use rustix::time::clock_gettime;
use tempfile::TempDir;
use wecom_simulator::Api;
use wecom_simulator::DEFAULT_SECRET;
use wecom_simulator::TOKEN_PREFIX;
use wecom_simulator::Trouble;

use crate::shell::LONG;
use crate::shell::Shell;
use crate::shell::line_with;
use crate::shell::nobody;
use crate::shell::until_ready;
use crate::shell::wecom;

const WARNING: &str = "whoever NOTIFY_SOCKET names cannot be told how it stands";
const NOT_TAKEN: &str = "the settings were read again and not taken: the old ones stay";

/// Somebody who started us, and hears what they are told.
pub(crate) struct Supervisor {
    name: String,
    address: SocketAddr,
    messages: Receiver<String>,
    _folder: TempDir,
}

fn folder() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("notify");
    (folder, path)
}

impl Supervisor {
    /// At a path.
    pub(crate) fn at_a_path() -> Self {
        let (folder, path) = folder();
        let address = SocketAddr::from_pathname(&path).expect("an address");
        let name = path.to_str().expect("text").to_owned();
        Self::hearing(address, name, folder)
    }

    /// At a name that stands in no folder.
    fn at_an_abstract_name() -> Self {
        let (folder, path) = folder();
        let name = path.to_str().expect("text");
        let address = SocketAddr::from_abstract_name(name).expect("a name");
        Self::hearing(address, format!("@{name}"), folder)
    }

    fn hearing(address: SocketAddr, name: String, folder: TempDir) -> Self {
        let socket = UnixDatagram::bind_addr(&address).expect("a socket");
        let (told, messages) = mpsc::channel();
        thread::spawn(move || {
            let mut message = [0; 8 * 1024];
            // One that is empty is our own, and the last.
            while let Ok(length @ 1..) = socket.recv(&mut message) {
                let text = String::from_utf8_lossy(&message[..length]).into_owned();
                if told.send(text).is_err() {
                    break;
                }
            }
        });
        Self {
            name,
            address,
            messages,
            _folder: folder,
        }
    }

    /// With this one to be told.
    pub(crate) fn starting(&self, shell: Shell) -> Shell {
        shell.with("NOTIFY_SOCKET", &self.name)
    }

    /// The next message, but for those that say only that it is alive.
    fn next(&self) -> Vec<String> {
        loop {
            let message = self.messages.recv_timeout(LONG).expect("a message");
            assert!(message.ends_with('\n'), "{message:?}");
            let lines: Vec<_> = message.lines().map(str::to_owned).collect();
            if lines != ["WATCHDOG=1"] {
                return lines;
            }
        }
    }

    /// The next message, which must say that it reloads, and since when.
    fn reloading(&self) -> u64 {
        let lines = self.next();
        let [reloading, since] = &lines[..] else {
            panic!("{lines:?}");
        };
        assert_eq!(reloading, "RELOADING=1");
        let since = since.strip_prefix("MONOTONIC_USEC=").expect("a time");
        since.parse().expect("a number")
    }

    /// All that was told up to now and not heard yet. Nothing is heard from then on.
    pub(crate) fn rest(self) -> Vec<String> {
        let us = UnixDatagram::unbound().expect("a socket");
        us.send_to_addr(&[], &self.address).expect("heard");
        self.messages.iter().collect()
    }
}

/// The time that a supervisor notes when it has us reload, in microseconds.
fn monotonic() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    u64::try_from(now.tv_sec * 1_000_000 + now.tv_nsec / 1_000).expect("since the start")
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_started_it_is_told_how_it_stands_from_its_beginning_to_its_end() {
    for supervisor in [Supervisor::at_a_path(), Supervisor::at_an_abstract_name()] {
        let wecom = wecom().await;
        let shell = Shell::new().with_service(&wecom.base_url());
        let mut shell = supervisor.starting(shell.with_file("config.toml", ""));
        let mut heard = Vec::new();

        let mut service = shell.serve();
        let doors = format!(
            "serving callers on {} and operators on {}",
            service.callers, service.operators
        );
        let ready = format!("STATUS={doors}; ready");
        let first = supervisor.next();
        assert_eq!(first[0], "READY=1");
        assert!(first[1].starts_with(&format!("STATUS={doors}; ")));
        let mut last = first;
        while !last.contains(&ready) {
            heard.extend(last);
            last = supervisor.next();
        }

        for (file, words) in [
            ("", None),
            ("colour = 1", Some(format!("{ready}; {NOT_TAKEN}"))),
            ("colour = 2", None),
            ("[cache]", Some(ready.clone())),
        ] {
            shell = shell.with_file("config.toml", file);
            let before = monotonic();
            service.process.signal("-HUP");
            let since = supervisor.reloading();
            assert!((before..=monotonic()).contains(&since), "{before} {since}");
            let done = supervisor.next();
            assert_eq!(done[0], "READY=1", "{file:?}");
            match words {
                None => assert_eq!(done.len(), 1, "{file:?}: nothing is new in {done:?}"),
                Some(words) => assert!(done[1].starts_with(&words), "{file:?}: {done:?}"),
            }
            heard.extend(done);
        }

        service.process.signal("-TERM");
        let shutting_down = format!("STATUS={doors}; not ready: shutting down");
        assert_eq!(supervisor.next(), ["STOPPING=1", &shutting_down]);
        assert_eq!(service.process.code(), Some(0));
        heard.extend(supervisor.rest());
        for secret in [DEFAULT_SECRET, TOKEN_PREFIX, "colour"] {
            let told = heard.iter().find(|line| line.contains(secret));
            assert_eq!(told, None, "{secret}");
        }
        let log: Vec<_> = service.lines.iter().collect();
        assert!(!log.iter().any(|line| line.contains(WARNING)), "{log:#?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn it_can_be_used_before_wecom_has_said_anything_and_says_what_it_waits_for() {
    let supervisor = Supervisor::at_a_path();
    let wecom = wecom().await;
    wecom.set_trouble(Api::GetToken, Trouble::hang());
    let shell = Shell::new()
        .with_service(&wecom.base_url())
        .with("WECOM_PROXY_WECOM__TIMEOUT", "2s");
    let _service = supervisor.starting(shell).serve();

    let first = supervisor.next();
    let second = supervisor.next();

    assert_eq!(first[0], "READY=1");
    let waiting = "; not ready: waiting for the first word from WeCom";
    assert!(first[1].ends_with(waiting), "{first:?}");
    // That it cannot be had now is known by then: waiting may cure that, and what is kept is served.
    assert!(second[0].ends_with("; ready"), "{second:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_that_wecom_refuses_is_told_of_without_its_secret() {
    let supervisor = Supervisor::at_a_path();
    let wecom = wecom().await;
    let shell = Shell::new()
        .with_service(&wecom.base_url())
        .without("WECOM_SECRET")
        .with("WECOM_SECRET", "not-the-secret");
    let _service = supervisor.starting(shell).serve();

    let refused = "not ready: WeCom refuses every app until a person acts: see the log";
    let mut heard = supervisor.next();
    while !heard.last().expect("a line").ends_with(refused) {
        heard.extend(supervisor.next());
    }

    assert_eq!(heard[0], "READY=1");
    assert!(!heard.concat().contains("not-the-secret"), "{heard:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_supervisor_who_is_not_there_is_warned_of_once_and_told_when_it_comes() {
    let wecom = wecom().await;
    let (_folder, path) = folder();
    let shell = Shell::new()
        .with_service(&wecom.base_url())
        .with("NOTIFY_SOCKET", path.to_str().expect("text"));
    let mut service = shell.serve();

    let line = line_with(&service.lines, WARNING);
    until_ready(service.operators);
    service.process.signal("-HUP");
    let again = line_with(&service.lines, "took the settings");
    let socket = UnixDatagram::bind(&path).expect("a socket");
    socket.set_read_timeout(Some(LONG)).expect("a limit");
    let mut message = [0; 1024];
    let length = socket.recv(&mut message).expect("a message");
    let told = String::from_utf8_lossy(&message[..length]).into_owned();
    service.process.signal("-TERM");

    assert_eq!(line["level"], "WARN");
    assert!(line["error"].as_str().expect("why").contains("No such"));
    assert_eq!(again["level"], "INFO");
    let doors = format!("STATUS=serving callers on {}", service.callers);
    assert!(told.starts_with(&doors), "{told}");
    assert_eq!(service.process.code(), Some(0));
    assert!(!service.lines.iter().any(|line| line.contains(WARNING)));
}

#[test]
fn a_supervisor_who_cannot_be_meant_changes_nothing_but_a_warning() {
    let holder = TcpListener::bind("127.0.0.1:0").expect("a port");
    let taken = holder.local_addr().expect("an address").to_string();
    for (name, warns) in [("vsock:2:1", true), ("notify", true), ("", false)] {
        let shell = || {
            let shell = Shell::new().with_service(&nobody());
            shell.with("NOTIFY_SOCKET", name).with("WATCHDOG_USEC", "2")
        };
        // It ends by itself, as it finds no door.
        let told = shell()
            .with("WECOM_PROXY_SERVER__LISTEN", &taken)
            .run(&[])
            .stderr;
        let mut service = shell().serve();
        until_ready(service.operators);
        service.process.signal("-TERM");

        assert_eq!(told.contains(WARNING), warns, "{name:?}: {told}");
        assert_eq!(service.process.code(), Some(0), "{name:?}");
    }
}

#[test]
fn it_says_that_it_is_alive_twice_as_often_as_it_must() {
    let supervisor = Supervisor::at_a_path();
    let shell = Shell::new().with_service(&nobody());
    let shell = supervisor.starting(shell).with("WATCHDOG_USEC", "1000000");
    let _service = shell.serve();

    let next_ping = || {
        let alive = |message: &String| message == "WATCHDOG=1\n";
        let mut messages = std::iter::from_fn(|| supervisor.messages.recv_timeout(LONG).ok());
        messages.find(alive).expect("a sign of life");
        monotonic()
    };
    next_ping();
    let began = next_ping();
    for _ in 0..3 {
        next_ping();
    }
    let took = Duration::from_micros(next_ping() - began);

    // Four times half a second, on a machine that may be busy.
    let expected = Duration::from_millis(1_900)..Duration::from_millis(4_000);
    assert!(expected.contains(&took), "{took:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn it_does_not_say_that_it_is_alive_where_nobody_minds() {
    for (usec, pid) in [(None, None), (Some("0"), None), (Some("2"), Some("1"))] {
        let supervisor = Supervisor::at_a_path();
        let wecom = wecom().await;
        let mut shell = supervisor.starting(Shell::new().with_service(&wecom.base_url()));
        let given = [("WATCHDOG_USEC", usec), ("WATCHDOG_PID", pid)];
        for (name, value) in given {
            shell = value
                .into_iter()
                .fold(shell, |shell, value| shell.with(name, value));
        }
        let mut service = shell.serve();
        // It would have said so at once.
        while !supervisor
            .messages
            .recv_timeout(LONG)
            .expect("a message")
            .ends_with("; ready\n")
        {}
        service.process.signal("-TERM");
        assert_eq!(service.process.code(), Some(0));

        let pings = supervisor.rest().into_iter();
        let pings = pings.filter(|message| message.contains("WATCHDOG")).count();
        assert_eq!(pings, 0, "{usec:?} {pid:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_waits_long_for_a_supervisor_who_does_not_listen() {
    let wecom = wecom().await;
    let (_folder, path) = folder();
    let _deaf = UnixDatagram::bind(&path).expect("a socket");
    let mut service = Shell::new()
        .with_service(&wecom.base_url())
        .with("NOTIFY_SOCKET", path.to_str().expect("text"))
        // As many signs of life as can be.
        .with("WATCHDOG_USEC", "2")
        .serve();

    let line = line_with(&service.lines, WARNING);
    until_ready(service.operators);
    service.process.signal("-HUP");
    line_with(&service.lines, "took the settings");
    let began = monotonic();
    service.process.signal("-TERM");
    let code = service.process.code();
    let took = Duration::from_micros(monotonic() - began);

    assert_eq!(line["error"], "timed out");
    assert_eq!(code, Some(0));
    assert!(took < Duration::from_secs(5), "{took:?}");
}
