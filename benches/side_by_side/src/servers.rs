//! The servers that are measured, and how each is set up.

use std::fs;
use std::fs::File;
use std::fs::OpenOptions;
use std::io::Read;
use std::net::SocketAddr;
use std::net::TcpListener;
use std::net::TcpStream;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use crate::Failure;
use crate::limit::Layout;
use crate::load;
use crate::load::Answer;
use crate::process;
use crate::process::Process;
use crate::wecom::WeCom;

/// Nobody takes longer to start.
const START_MAX: Duration = Duration::from_secs(30);

/// What is counted has been counted after that long.
const SETTLING: Duration = Duration::from_secs(5);

/// Where things are, and what they stand on.
pub struct Ground {
    /// The service's binary.
    pub service: PathBuf,
    /// Files that are gone when we are.
    pub folder: PathBuf,
    /// The servers' core.
    pub core: usize,
    /// The caller's key, and its SHA-256.
    pub key: (String, String),
    /// Whom the service asks.
    pub wecom: WeCom,
    /// Of the bare server.
    pub layout: Layout,
}

impl Drop for Ground {
    fn drop(&mut self) {
        // What is left over is in the system's folder for such things.
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// A server that runs, and what runs beside it to write its log.
pub struct Server {
    /// What it is called in the tables.
    pub name: &'static str,
    /// Where callers come in.
    pub address: SocketAddr,
    /// Where operators come in, if they do.
    pub operators: Option<SocketAddr>,
    /// From its start until it was ready.
    pub started_in: Duration,
    /// Requests that it was sent.
    pub requests: u64,
    /// Lines of its log that were counted.
    pub lines: u64,
    log: Option<PathBuf>,
    family: Vec<i32>,
    /// They end when it is dropped.
    _processes: Vec<Process>,
}

impl Server {
    /// What it has had of a processor.
    pub fn cpu(&self) -> Result<Duration, Failure> {
        process::cpu(&self.family)
    }

    /// What it holds in memory, in bytes.
    pub fn resident(&self) -> Result<u64, Failure> {
        process::resident(&self.family)
    }

    /// Counts the lines of its log, and begins it anew.
    pub fn turn_log(&mut self) -> Result<(), Failure> {
        let Some(log) = &self.log else {
            return Ok(());
        };
        let mut file = OpenOptions::new().read(true).write(true).open(log)?;
        let mut part = vec![0; 1024 * 1024];
        loop {
            let read = file.read(&mut part)?;
            if read == 0 {
                break;
            }
            let pieces = part[..read].split(|byte| *byte == b'\n').count();
            self.lines += u64::try_from(pieces - 1)?;
        }
        Ok(file.set_len(0)?)
    }

    /// Begins to count anew what it was sent and what it wrote of it.
    pub fn count_anew(&mut self) -> Result<(), Failure> {
        self.turn_log()?;
        (self.requests, self.lines) = (0, 0);
        Ok(())
    }

    /// Lines of its log for each request, if it has one.
    pub fn lines_per_request(&self) -> Option<f64> {
        self.log.as_ref()?;
        Some(self.lines as f64 / self.requests.max(1) as f64)
    }

    /// What its metric of that name comes to, if it comes to so much within a few seconds: what is
    /// kept is counted behind the callers' backs.
    pub fn metric_from(&self, name: &str, least: f64) -> Result<f64, Failure> {
        let end = Instant::now() + SETTLING;
        loop {
            let value = self.metric(name)?;
            if value >= least || Instant::now() > end {
                return Ok(value);
            }
            thread::sleep(Duration::from_millis(50));
        }
    }

    /// What its metric of that name stands at.
    pub fn metric(&self, name: &str) -> Result<f64, Failure> {
        let operators = self.operators.ok_or("no operators")?;
        let answer = get(operators, "/metrics")?;
        let mut lines = answer.body.lines();
        let value = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        Ok(value.ok_or("no such metric")?.parse()?)
    }
}

fn get(address: SocketAddr, path: &str) -> Result<Answer, Failure> {
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\n\r\n");
    load::ask(address, request.as_bytes())
}

impl Ground {
    /// The service, with everything on: a key is asked for, requests are counted and logged.
    pub fn ours(&self, name: &'static str) -> Result<Server, Failure> {
        let (address, operators) = (free_address()?, free_address()?);
        let settings = self.folder.join(format!("ours-{}.toml", address.port()));
        let (wecom, digest) = (self.wecom.address, &self.key.1);
        // Everything is good for hours, and there is room for all of it: what is measured is hits.
        fs::write(
            &settings,
            format!(
                r#"
                [server]
                listen = "{address}"
                request_timeout = "60s"
                [admin]
                listen = "{operators}"
                [access]
                mode = "keys"
                [[access.callers]]
                name = "bench"
                key_sha256 = "{digest}"
                [wecom]
                base_url = "http://{wecom}"
                timeout = "20s"
                calls_per_minute = 100_000_000
                calls_per_hour = 1_000_000_000
                [[wecom.apps]]
                name = "default"
                corp_id = "ww0000000000000000"
                secret = "bench"
                [cache]
                max_bytes = "3GiB"
                [cache.fresh_for]
                not_started = "6h" # the sample is over, and repeats: it may come back
                ended = "6h"
                [log]
                level = "info"
                format = "json"
                "#
            ),
        )?;
        let said = self.folder.join(format!("ours-{}.log", address.port()));
        let service = text(&self.service)?;
        let arguments = ["serve", "--config", text(&settings)?];
        let begin = Instant::now();
        let process = Process::start(self.core, service, &arguments, appending(&said)?)?;
        let log = Some(said.clone());
        let setup = Setup {
            name,
            address,
            log,
            said,
        };
        let ready = || get(operators, "/readyz").is_ok_and(|answer| answer.status == 200);
        let server = setup.up(begin, vec![process], ready)?;
        Ok(Server {
            operators: Some(operators),
            ..server
        })
    }

    /// The bare server.
    pub fn limit(
        &self,
        name: &'static str,
        meetings: u32,
        recorded: &Recorded,
    ) -> Result<Server, Failure> {
        let address = free_address()?;
        let (found, unchanged) = (self.folder.join("found"), self.folder.join("unchanged"));
        fs::write(&found, serde_json::to_vec(&recorded.found)?)?;
        fs::write(&unchanged, serde_json::to_vec(&recorded.unchanged)?)?;
        let program = std::env::current_exe()?;
        let arguments = [
            "limit",
            "--listen",
            &address.to_string(),
            "--recorded",
            text(&found)?,
            "--unchanged",
            text(&unchanged)?,
            "--meetings",
            &meetings.to_string(),
            "--layout",
            self.layout.as_str(),
        ];
        let said = self.folder.join(format!("limit-{}.log", address.port()));
        let begin = Instant::now();
        let process = Process::start(self.core, text(&program)?, &arguments, appending(&said)?)?;
        let setup = Setup {
            name,
            address,
            log: None,
            said,
        };
        setup.up(begin, vec![process], listens(address))
    }

    /// nginx, with one worker. What the service says of caching (`private`) would keep it from keeping
    /// anything: that is the one thing that it is told to ignore.
    pub fn nginx(
        &self,
        name: &'static str,
        origin: SocketAddr,
        logs: bool,
    ) -> Result<Server, Failure> {
        let address = free_address()?;
        let folder = self.folder.join(format!("nginx-{}", address.port()));
        fs::create_dir_all(&folder)?;
        let log = folder.join("log");
        drop(appending(&log)?);
        let (home, port) = (folder.display(), address.port());
        let access_log = if logs {
            "access_log log bench buffer=64k flush=1s;"
        } else {
            "access_log off;"
        };
        let settings = folder.join("nginx.conf");
        fs::write(
            &settings,
            format!(
                r#"
                daemon off;
                worker_processes 1;
                pid {home}/pid;
                error_log stderr warn;
                events {{ worker_connections 4096; }}
                http {{
                    log_format bench escape=json '{{"timestamp":"$time_iso8601","level":"INFO","request.id":"$request_id","method":"$request_method","route":"$uri","status":$status,"elapsed":$request_time,"cache":"$upstream_cache_status"}}';
                    {access_log}
                    tcp_nodelay on;
                    keepalive_requests 1000000000;
                    client_body_temp_path {home}/body;
                    fastcgi_temp_path {home}/fastcgi;
                    proxy_temp_path {home}/proxy;
                    scgi_temp_path {home}/scgi;
                    uwsgi_temp_path {home}/uwsgi;
                    open_file_cache max=20000 inactive=1h;
                    open_file_cache_valid 1h;
                    proxy_cache_path {home}/cache levels=1:2 keys_zone=meetings:64m inactive=1d use_temp_path=off;
                    upstream origin {{ server {origin}; keepalive 16; }}
                    server {{
                        listen 127.0.0.1:{port};
                        location / {{
                            proxy_pass http://origin;
                            proxy_http_version 1.1;
                            proxy_set_header Connection "";
                            proxy_cache meetings;
                            proxy_cache_key $request_uri;
                            proxy_cache_valid 200 1d;
                            proxy_ignore_headers Cache-Control;
                        }}
                    }}
                }}
                "#
            ),
        )?;
        let arguments = ["-p", text(&folder)?, "-c", text(&settings)?];
        let said = folder.join("said");
        let begin = Instant::now();
        let process = Process::start(self.core, "nginx", &arguments, appending(&said)?)?;
        let setup = Setup {
            name,
            address,
            log: logs.then_some(log),
            said,
        };
        // Who listens has no worker yet, and is not all of its family.
        setup.up(begin, vec![process], move || get(address, "/").is_ok())
    }

    /// Varnish, with one pool of threads, and what writes its log. It would keep nothing that was asked for with
    /// a key, or that is `private`: what keeps it from that is skipped.
    pub fn varnish(
        &self,
        name: &'static str,
        origin: SocketAddr,
        logs: bool,
    ) -> Result<Server, Failure> {
        let address = free_address()?;
        let folder = self.folder.join(format!("varnish-{}", address.port()));
        fs::create_dir_all(&folder)?;
        let (host, port) = (origin.ip(), origin.port());
        let settings = folder.join("bench.vcl");
        fs::write(
            &settings,
            format!(
                r#"
                vcl 4.1;
                backend origin {{ .host = "{host}"; .port = "{port}"; }}
                sub vcl_recv {{ return (hash); }}
                sub vcl_hash {{ hash_data(req.url); return (lookup); }}
                sub vcl_backend_response {{ set beresp.ttl = 1d; return (deliver); }}
                "#
            ),
        )?;
        let said = folder.join("said");
        let errors = || appending(&said);
        let home = folder.join("home");
        let arguments = [
            "-F",
            "-j",
            "none",
            "-n",
            text(&home)?,
            "-f",
            text(&settings)?,
            "-a",
            &address.to_string(),
            "-s",
            "malloc,1G",
            "-p",
            "thread_pools=1",
            // It would have the answers packed, and unpack them for each caller who does not ask for that.
            "-p",
            "http_gzip_support=off",
        ];
        let begin = Instant::now();
        let mut processes = vec![Process::start(
            self.core,
            "varnishd",
            &arguments,
            errors()?,
        )?];
        let log = folder.join("log");
        if logs {
            wait_for(listens(address), &mut processes)?;
            let format = r#"{"timestamp":"%{%FT%TZ}t","level":"INFO","request.id":"%{Varnish:vxid}x","method":"%m","route":"%U","status":%s,"elapsed":%D,"cache":"%{Varnish:hitmiss}x"}"#;
            drop(appending(&log)?);
            let arguments = ["-n", text(&home)?, "-a", "-w", text(&log)?, "-F", format];
            processes.push(Process::start(
                self.core,
                "varnishncsa",
                &arguments,
                errors()?,
            )?);
        }
        let setup = Setup {
            name,
            address,
            log: logs.then_some(log),
            said,
        };
        setup.up(begin, processes, listens(address))
    }
}

/// A server before it runs.
struct Setup {
    name: &'static str,
    address: SocketAddr,
    log: Option<PathBuf>,
    /// What it says on standard error.
    said: PathBuf,
}

impl Setup {
    /// The server, when it is ready.
    fn up(
        self,
        begin: Instant,
        mut processes: Vec<Process>,
        ready: impl Fn() -> bool,
    ) -> Result<Server, Failure> {
        wait_for(ready, &mut processes).map_err(|error| {
            let said = fs::read_to_string(&self.said).unwrap_or_default();
            format!("{}: {error}: {said}", self.name)
        })?;
        let started_in = begin.elapsed();
        let families = processes.iter().map(Process::family);
        let family: Vec<_> = families.collect::<Result<Vec<_>, _>>()?.concat();
        Ok(Server {
            name: self.name,
            address: self.address,
            operators: None,
            started_in,
            requests: 0,
            lines: 0,
            log: self.log,
            family,
            _processes: processes,
        })
    }
}

/// What the service said of meeting 0.
pub struct Recorded {
    /// Asked for it.
    pub found: Answer,
    /// Asked whether it had changed.
    pub unchanged: Answer,
}

fn wait_for(ready: impl Fn() -> bool, processes: &mut [Process]) -> Result<(), Failure> {
    let begin = Instant::now();
    while !ready() {
        for process in processes.iter_mut() {
            if process.has_ended()? {
                return Err("ended by itself".into());
            }
        }
        if begin.elapsed() > START_MAX {
            return Err("not ready in time".into());
        }
        thread::sleep(Duration::from_millis(1));
    }
    Ok(())
}

fn listens(address: SocketAddr) -> impl Fn() -> bool {
    move || TcpStream::connect(address).is_ok()
}

/// One that nobody listens on at present.
fn free_address() -> Result<SocketAddr, Failure> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}

fn appending(path: &Path) -> Result<File, Failure> {
    Ok(OpenOptions::new().create(true).append(true).open(path)?)
}

fn text(path: &Path) -> Result<&str, Failure> {
    path.to_str().ok_or_else(|| "a path that is no text".into())
}

/// A key for the service, and its SHA-256.
pub fn new_key(service: &Path) -> Result<(String, String), Failure> {
    let output = Command::new(service)
        .args(["hash-key", "--generate"])
        .output()?;
    let output = String::from_utf8(output.stdout)?;
    let quoted = |name: &str| {
        let mut lines = output.lines();
        let line = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(" = \""));
        line.and_then(|rest| rest.strip_suffix('"'))
            .map(str::to_owned)
    };
    let pair = quoted("key").zip(quoted("key_sha256"));
    pair.ok_or_else(|| "no key from hash-key".into())
}
