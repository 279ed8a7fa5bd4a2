//! The real binary, in an empty folder, with nothing of the machine around it.

use std::io::BufRead;
use std::io::BufReader;
use std::io::Read;
use std::io::Write;
use std::net::SocketAddr;
use std::net::TcpListener;
use std::process::Child;
use std::process::ChildStderr;
use std::process::Command;
use std::process::Stdio;
use std::sync::mpsc;
use std::sync::mpsc::Receiver;
use std::sync::mpsc::Sender;
use std::thread;
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;
use tokio::time::Instant;
use wecom_simulator::DEFAULT_CORP_ID;
use wecom_simulator::DEFAULT_SECRET;
use wecom_simulator::Simulator;
use wecom_simulator::World;

/// Longer than anything here takes, so that a mistake is a failure and not a standstill.
pub(crate) const LONG: Duration = Duration::from_secs(20);

/// How often to look for what happens in the background.
pub(crate) const A_MOMENT: Duration = Duration::from_millis(10);

/// The command, in a folder of its own.
pub(crate) struct Shell {
    folder: TempDir,
    pub(crate) variables: Vec<(String, String)>,
    ulimit: String,
}

/// How a command ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Shell {
    pub(crate) fn new() -> Self {
        Self {
            folder: tempfile::tempdir().expect("a folder"),
            variables: Vec::new(),
            ulimit: String::new(),
        }
    }

    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Without a variable that stood there.
    pub(crate) fn without(mut self, name: &str) -> Self {
        self.variables.retain(|(known, _)| known != name);
        self
    }

    /// With so many descriptors at most, whatever the command does about it.
    pub(crate) fn with_descriptors(mut self, max: u64) -> Self {
        self.ulimit = format!("ulimit -n {max} && ");
        self
    }

    /// With so many descriptors, and more if the command asks for them.
    pub(crate) fn with_soft_descriptors(mut self, max: u64) -> Self {
        self.ulimit = format!("ulimit -S -n {max} && ");
        self
    }

    /// With a file in the folder.
    pub(crate) fn with_file(self, name: &str, text: &str) -> Self {
        std::fs::write(self.folder.path().join(name), text).expect("a file");
        self
    }

    /// With all that a service needs to run, at ports that are free.
    pub(crate) fn with_service(self, base_url: &str) -> Self {
        self.with("WECOM_CORP_ID", DEFAULT_CORP_ID)
            .with("WECOM_SECRET", DEFAULT_SECRET)
            .with("WECOM_PROXY_WECOM__BASE_URL", base_url)
            .with("WECOM_PROXY_SERVER__LISTEN", "127.0.0.1:0")
            .with("WECOM_PROXY_ADMIN__LISTEN", "127.0.0.1:0")
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("/bin/sh");
        let in_place = format!("{}exec \"$0\" \"$@\"", self.ulimit);
        command.args(["-c", &in_place, env!("CARGO_BIN_EXE_wecom-meeting-proxy")]);
        command.args(arguments).env_clear();
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        command.current_dir(self.folder.path());
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Ended {
        self.run_with(arguments, b"")
    }

    /// Runs a command that ends by itself, with this on its standard input.
    pub(crate) fn run_with(&self, arguments: &[&str], input: &[u8]) -> Ended {
        let child = self.command(arguments).spawn().expect("a process");
        let mut process = Process(child);
        let stdin = process.0.stdin.take();
        // A command that reads nothing may be gone by now.
        let _ = stdin.expect("standard input").write_all(input);
        // Read while it writes: it may have more to say than fits in between.
        let stdout = text_of(process.0.stdout.take().expect("standard output"));
        let stderr = text_of(process.0.stderr.take().expect("standard error"));
        let ended = Ended {
            code: process.code(),
            stdout: stdout.join().expect("UTF-8"),
            stderr: stderr.join().expect("UTF-8"),
        };
        assert!(
            !ended.stderr.contains("panicked"),
            "{arguments:?}: {ended:?}"
        );
        ended
    }

    /// Runs the service.
    pub(crate) fn serve(&self) -> Service {
        self.serve_and_hear(|_| false)
    }

    /// Runs the service, and closes its log after the line that is the last to be heard.
    pub(crate) fn serve_and_hear(&self, is_last: fn(&str) -> bool) -> Service {
        self.start(move |log, said| {
            for line in log.lines().map_while(Result::ok) {
                let last = is_last(&line);
                if said.send(line).is_err() || last {
                    break;
                }
            }
        })
    }

    /// Runs the service, and reads nothing of its log but the first line. It stays open.
    pub(crate) fn serve_unheard(&self) -> Service {
        self.start(|mut log, said| {
            let mut first = String::new();
            log.read_line(&mut first).expect("a line");
            said.send(first).expect("heard");
            std::mem::forget(log);
        })
    }

    fn start(
        &self,
        hear: impl FnOnce(BufReader<ChildStderr>, Sender<String>) + Send + 'static,
    ) -> Service {
        let mut process = Process(self.command(&[]).spawn().expect("a process"));
        let stderr = process.0.stderr.take().expect("standard error");
        let (said, lines) = mpsc::channel();
        thread::spawn(move || hear(BufReader::new(stderr), said));
        let first = line_saying(&lines, "serving callers");
        let address = |before: &str| {
            let (_, rest) = first.split_once(before).expect("an address");
            let is_of_it = |letter: char| letter.is_ascii_digit() || ".:".contains(letter);
            let end = rest.find(|letter| !is_of_it(letter)).unwrap_or(rest.len());
            rest[..end].parse().expect("an address")
        };
        Service {
            process,
            callers: address("callers on "),
            operators: address("operators on "),
            lines,
        }
    }
}

/// A process that ends with the test, if not before.
pub(crate) struct Process(Child);

impl Process {
    /// The exit code, once it has ended. `None` if a signal ended it.
    pub(crate) fn code(&mut self) -> Option<i32> {
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

    /// How much of the processor it has used so far.
    pub(crate) fn busy(&self) -> Duration {
        let path = format!("/proc/{}/stat", self.0.id());
        let text = std::fs::read_to_string(path).expect("a running process");
        // After the name, which is in parentheses: fields 14 and 15, in hundredths of a second.
        let (_, fields) = text.rsplit_once(") ").expect("a name");
        let used = fields.split(' ').skip(11).take(2);
        let used: u64 = used
            .map(|field| field.parse::<u64>().expect("a number"))
            .sum();
        Duration::from_millis(10 * used)
    }

    /// What the system lets it have.
    pub(crate) fn limits(&self) -> String {
        let path = format!("/proc/{}/limits", self.0.id());
        std::fs::read_to_string(path).expect("a running process")
    }

    /// Has the system let it have no more descriptors than that from now on.
    pub(crate) fn limit_descriptors(&self, max: u64) {
        let (id, limit) = (self.0.id().to_string(), format!("--nofile={max}:{max}"));
        let limited = Command::new("prlimit")
            .args(["--pid", &id, &limit])
            .status();
        assert!(limited.expect("prlimit").success(), "{id} {limit}");
    }

    pub(crate) fn signal(&self, signal: &str) {
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
pub(crate) struct Service {
    pub(crate) process: Process,
    pub(crate) lines: Receiver<String>,
    pub(crate) callers: SocketAddr,
    pub(crate) operators: SocketAddr,
}

/// The next line of a log in JSON that says this.
pub(crate) fn line_with(lines: &Receiver<String>, what: &str) -> Value {
    serde_json::from_str(&line_saying(lines, what)).expect("a line in JSON")
}

/// The next line of a log that says this.
pub(crate) fn line_saying(lines: &Receiver<String>, what: &str) -> String {
    let (began, mut before) = (Instant::now(), Vec::new());
    while let Ok(line) = lines.recv_timeout(LONG.saturating_sub(began.elapsed())) {
        if line.contains(what) {
            return line;
        }
        before.push(line);
    }
    panic!("never said {what:?}, but {before:#?}");
}

pub(crate) async fn wecom() -> Simulator {
    Simulator::start(World::demo()).await.expect("a WeCom")
}

pub(crate) fn nobody() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    format!("http://{address}")
}

/// Waits until the service is ready.
pub(crate) fn until_ready(operators: SocketAddr) {
    let (shell, url) = (Shell::new(), format!("http://{operators}/readyz"));
    let ready = |_| shell.run(&["healthcheck", &url]).code == Some(0);
    assert!((0..100).any(ready), "never ready");
}

/// What a stream says up to its end, once it has.
fn text_of(mut stream: impl Read + Send + 'static) -> JoinHandle<String> {
    thread::spawn(move || {
        let mut text = String::new();
        stream.read_to_string(&mut text).expect("UTF-8");
        text
    })
}
