//! A long day in a short time: the service as it is shipped, in front of a WeCom that comes and goes.
//!
//! `just soak`, or `cargo build --release --bins && cargo run --release --example soak -- --minutes 10`.
//! The service is the binary beside this one; it runs in a process of its own, whose memory and
//! descriptors are looked at every second. It fails if they grow, or if a caller is told what nobody
//! should be told.

use std::error::Error;
use std::fs;
use std::io::BufRead;
use std::io::BufReader;
use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::body::Body;
use clap::Parser;
use fastrand::Rng;
use http::Request;
use http_body_util::BodyExt;
use hyper::client::conn::http1::SendRequest;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use serde_json::json;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::Instant;
use wecom_simulator::Api;
use wecom_simulator::DEFAULT_CORP_ID;
use wecom_simulator::DEFAULT_SECRET;
use wecom_simulator::Meeting;
use wecom_simulator::Simulator;
use wecom_simulator::TOKEN_PREFIX;
use wecom_simulator::Trouble;
use wecom_simulator::World;

type Failure = Box<dyn Error + Send + Sync>;

/// A token's life: a day of renewals in a minute.
const TOKEN_LIFETIME: Duration = Duration::from_secs(20);

const CALLERS: u64 = 64;

/// Meetings that WeCom knows; callers also ask for some that it does not.
const MEETINGS: u64 = 2_000;

/// `server.request_timeout`
const REQUEST_TIMEOUT: Duration = Duration::from_secs(2);

/// What a caller may wait beyond it, on a busy machine.
const SLACK: Duration = Duration::from_millis(500);

/// What the median may grow by, besides a tenth.
const GROWTH_KIB: u64 = 4 * 1024;

/// Descriptors that may be left over, besides the connections to WeCom that are kept for the next
/// questions.
const DESCRIPTORS_LEFT: u64 = 2;

/// Connections to WeCom at a time: as many as questions may be under way (`wecom.max_in_flight`),
/// one for the token, and some that were opened while another became free.
const CONNECTIONS_MAX: u64 = 64 + 1 + 16;

/// What to do.
#[derive(Parser)]
struct Arguments {
    /// How long, in minutes.
    #[arg(long, default_value_t = 10.0)]
    minutes: f64,
    /// Of what the troubles, and the callers' wishes, are made.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// The service, in a process of its own. Ended when dropped.
struct Service {
    process: Child,
    callers: SocketAddr,
}

/// What callers were told.
#[derive(Debug, Default)]
struct Tally {
    meetings: AtomicU64,
    absences: AtomicU64,
    problems: AtomicU64,
    hung_up: AtomicU64,
}

/// What the process takes at one moment.
#[derive(Clone, Copy, Debug)]
struct Sample {
    resident_kib: u64,
    /// Without the connections to WeCom.
    descriptors: u64,
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let Arguments { minutes, seed } = Arguments::parse();
    let length = Duration::try_from_secs_f64(minutes * 60.0)?;
    let wecom = Simulator::start(world()).await?;
    let service = Service::start(&wecom)?;
    let idle = service.sample(&wecom)?;
    let tally = Arc::new(Tally::default());
    say(&format!("soaking for {length:?} with seed {seed}"))?;

    let end = Instant::now() + length;
    let mut callers = JoinSet::new();
    for number in 0..CALLERS {
        let dice = Rng::with_seed(seed << 16 | number);
        callers.spawn(call(service.callers, end, dice, Arc::clone(&tally)));
    }
    let weather = tokio::spawn(weather(wecom.clone(), Rng::with_seed(seed)));
    let mut samples = Vec::new();
    while Instant::now() < end {
        tokio::time::sleep(Duration::from_secs(1)).await;
        samples.push(service.sample(&wecom)?);
        while let Some(ended) = callers.try_join_next() {
            ended??;
        }
    }
    while let Some(ended) = callers.join_next().await {
        ended??;
    }
    weather.abort();
    wecom.clear_troubles();

    judge_memory(&samples)?;
    judge_descriptors(&service, &wecom, idle, &samples).await?;
    judge_connections(&wecom)?;
    say(&format!("{tally:?}, {:?}", wecom.hits()))?;
    if tally.meetings.load(Ordering::Relaxed) == 0 {
        return Err("nobody was told of a meeting".into());
    }
    say("all is well")
}

fn world() -> World {
    let mut world = World::empty().with_token_lifetime(TOKEN_LIFETIME);
    for number in 0..MEETINGS {
        let code = format!("{}", 100_000_000 + number);
        let info = json!({
            "title": format!("Meeting {number}"),
            "status": 1 + number % 5,
            "meeting_code": code,
            "description": "x".repeat(usize::try_from(number % 20).unwrap_or_default() * 100),
        });
        world.put_meeting(Meeting::new(format!("m{number}"), code, info));
    }
    world
}

/// Troubles come and go, for ever: a good time, then a bad one.
async fn weather(wecom: Simulator, mut dice: Rng) {
    loop {
        tokio::time::sleep(Duration::from_millis(dice.u64(500..2_500))).await;
        let api = if dice.u8(..4) == 0 {
            Api::GetToken
        } else {
            Api::GetInfo
        };
        match dice.u8(..16) {
            0 => wecom.revoke_tokens(),
            kind => wecom.set_trouble(api, trouble(kind, &mut dice)),
        }
        tokio::time::sleep(Duration::from_millis(dice.u64(100..1_500))).await;
        wecom.clear_troubles();
    }
}

fn trouble(kind: u8, dice: &mut Rng) -> Trouble {
    match kind {
        1 => Trouble::errcode(-1),
        2 => Trouble::errcode(45033),
        3 => Trouble::errcode(40014).times(3),
        4 => Trouble::status(500),
        5 => Trouble::status(429),
        6 => Trouble::html(),
        7 => Trouble::hang().times(40),
        8 => Trouble::reset(),
        9 => Trouble::truncated(),
        10 => Trouble::huge(64 << 20).times(10),
        11 => Trouble::gzip_bomb(64 << 20).times(10),
        12 => Trouble::redirect(),
        13 => Trouble::drip_forever(Duration::from_millis(5)),
        _ => Trouble::latency(Duration::from_millis(dice.u64(10..400))),
    }
}

/// One caller: asks one thing after another, and hangs up now and then.
async fn call(
    to: SocketAddr,
    end: Instant,
    mut dice: Rng,
    tally: Arc<Tally>,
) -> Result<(), Failure> {
    let mut line = None;
    while Instant::now() < end {
        let mut open = match line.take() {
            Some(open) => open,
            None => connect(to).await?,
        };
        if dice.u8(..10) == 0 {
            // Of those who wait for WeCom, most give up; of the others, hardly anybody.
            let patience = Duration::from_millis(dice.u64(1..10));
            // Whoever is told in time goes on; whoever is not takes the connection away.
            let asked = tokio::time::timeout(patience, ask(&mut open, &mut dice)).await;
            if asked.is_err() {
                tally.hung_up.fetch_add(1, Ordering::Relaxed);
                continue;
            }
        } else {
            let since = Instant::now();
            let (status, body) = ask(&mut open, &mut dice).await?;
            check(status, &body, since.elapsed(), &tally)?;
        }
        line = Some(open).filter(|_| dice.u8(..50) > 0);
        tokio::time::sleep(Duration::from_millis(dice.u64(..40))).await;
    }
    Ok(())
}

async fn connect(to: SocketAddr) -> Result<SendRequest<Body>, Failure> {
    let stream = TcpStream::connect(to).await?;
    let (caller, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    Ok(caller)
}

async fn ask(caller: &mut SendRequest<Body>, dice: &mut Rng) -> Result<(u16, Vec<u8>), Failure> {
    let number = any_number(dice);
    let path = if dice.u8(..4) == 0 {
        format!("/meetings/by-code/{}", 100_000_000 + number)
    } else {
        format!("/meetings/m{number}")
    };
    let wish = match dice.u8(..8) {
        0 => "no-cache",
        1 => "max-age=2",
        2 => "max-stale",
        _ => "",
    };
    let request = Request::get(path)
        .header("host", "soak")
        .header("cache-control", wish)
        .body(Body::empty())?;
    let answer = caller.send_request(request).await?;
    let status = answer.status().as_u16();
    let body = answer.into_body().collect().await?.to_bytes();
    Ok((status, body.into()))
}

/// A few are asked for most of the time, and most hardly ever; one in ten is of nobody.
fn any_number(dice: &mut Rng) -> u64 {
    let span = MEETINGS + MEETINGS / 10;
    let bits = dice.u32(..=span.ilog2() + 1);
    dice.u64(..=1 << bits).min(dice.u64(..span))
}

fn check(status: u16, body: &[u8], took: Duration, tally: &Tally) -> Result<(), Failure> {
    let text = String::from_utf8_lossy(body);
    let document: Value = serde_json::from_slice(body)?;
    let counter = match status {
        200 if document.get("title").is_some_and(Value::is_string) => &tally.meetings,
        404 => &tally.absences,
        502..=504 if document.get("code").is_some_and(Value::is_string) => &tally.problems,
        _ => return Err(format!("nobody should be told {status}: {text}").into()),
    };
    counter.fetch_add(1, Ordering::Relaxed);
    if REQUEST_TIMEOUT + SLACK < took {
        return Err(format!("a caller waited {took:?} for {status}").into());
    }
    if text.contains(TOKEN_PREFIX) || text.contains(DEFAULT_SECRET) {
        return Err("a secret was told".into());
    }
    Ok(())
}

impl Service {
    fn start(wecom: &Simulator) -> Result<Self, Failure> {
        let mut process = Command::new(binary()?)
            .env_clear()
            .env("WECOM_CORP_ID", DEFAULT_CORP_ID)
            .env("WECOM_SECRET", DEFAULT_SECRET)
            .env("WECOM_PROXY_WECOM__BASE_URL", wecom.base_url())
            .env("WECOM_PROXY_WECOM__TIMEOUT", "800ms")
            // So that it is WeCom that is asked all the time, and not our own quota that answers.
            .env("WECOM_PROXY_WECOM__CALLS_PER_MINUTE", "10000000")
            .env("WECOM_PROXY_WECOM__CALLS_PER_HOUR", "100000000")
            .env("WECOM_PROXY_SERVER__LISTEN", "127.0.0.1:0")
            .env("WECOM_PROXY_SERVER__REQUEST_TIMEOUT", "2s")
            .env("WECOM_PROXY_ADMIN__LISTEN", "127.0.0.1:0")
            // What is taken for a moment is to be small beside what would be lost for ever.
            .env("WECOM_PROXY_WECOM__MAX_RESPONSE_BYTES", "256KiB")
            // Small enough to be full soon, so that what comes is paid for by what goes.
            .env("WECOM_PROXY_CACHE__MAX_BYTES", "2MiB")
            .stderr(Stdio::piped())
            .spawn()?;
        let mut lines = BufReader::new(process.stderr.take().ok_or("no standard error")?).lines();
        let first = lines.next().ok_or("it said nothing")??;
        // Read on, so that the pipe is never full.
        std::thread::spawn(move || lines.for_each(drop));
        let first: Value = serde_json::from_str(&first)?;
        let callers = first.get("callers").and_then(Value::as_str);
        let callers = callers.ok_or("no address")?.parse()?;
        Ok(Self { process, callers })
    }

    /// What it takes now, as the system has it.
    fn sample(&self, wecom: &Simulator) -> Result<Sample, Failure> {
        let folder = PathBuf::from(format!("/proc/{}", self.process.id()));
        let status = fs::read_to_string(folder.join("status"))?;
        let resident = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:")?.split_whitespace().next());
        let descriptors = u64::try_from(fs::read_dir(folder.join("fd"))?.count())?;
        Ok(Sample {
            resident_kib: resident.ok_or("no VmRSS")?.parse()?,
            descriptors: descriptors.saturating_sub(wecom.connections().open),
        })
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // It may be gone already: either way it is, after this.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The service's binary: examples are built into a folder beside it.
fn binary() -> Result<PathBuf, Failure> {
    let here = std::env::current_exe()?;
    let folder = here.ancestors().nth(2).ok_or("no folder")?;
    let binary = folder.join("wecom-meeting-proxy");
    if binary.exists() {
        return Ok(binary);
    }
    Err(format!(
        "{} is not built: cargo build --bins first",
        binary.display()
    )
    .into())
}

/// After a warm-up of a tenth, the last third is hardly above the first.
fn judge_memory(samples: &[Sample]) -> Result<(), Failure> {
    let warm = samples.get(samples.len() / 10..).unwrap_or_default();
    let third = warm.len() / 3;
    let first = median(warm.get(..third).unwrap_or_default());
    let last = median(warm.get(warm.len() - third..).unwrap_or_default());
    let (first, last) = first.zip(last).ok_or("too short to judge")?;
    let most = first + first / 10 + GROWTH_KIB;
    say(&format!(
        "resident: {first} KiB in the first third, {last} KiB in the last, at most {most} KiB"
    ))?;
    if most < last {
        return Err(format!("memory grew from {first} to {last} KiB").into());
    }
    Ok(())
}

fn median(samples: &[Sample]) -> Option<u64> {
    let mut resident: Vec<u64> = samples.iter().map(|sample| sample.resident_kib).collect();
    resident.sort_unstable();
    resident.get(resident.len() / 2).copied()
}

/// When the callers have gone, so have the descriptors.
async fn judge_descriptors(
    service: &Service,
    wecom: &Simulator,
    idle: Sample,
    samples: &[Sample],
) -> Result<(), Failure> {
    let peak = samples.iter().map(|sample| sample.descriptors).max();
    let most = idle.descriptors + DESCRIPTORS_LEFT;
    let patience = Instant::now() + Duration::from_secs(10);
    loop {
        let left = service.sample(wecom)?.descriptors;
        if left <= most {
            return say(&format!(
                "descriptors: {} idle, {} at most, {left} left",
                idle.descriptors,
                peak.unwrap_or_default()
            ));
        }
        if patience < Instant::now() {
            return Err(format!("{left} descriptors are left, of at most {most}").into());
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

fn judge_connections(wecom: &Simulator) -> Result<(), Failure> {
    let connections = wecom.connections();
    say(&format!("connections to WeCom: {connections:?}"))?;
    if CONNECTIONS_MAX < connections.peak {
        return Err(format!("more than {CONNECTIONS_MAX} connections to WeCom at a time").into());
    }
    Ok(())
}

fn say(line: &str) -> Result<(), Failure> {
    Ok(writeln!(std::io::stdout(), "{line}")?)
}
