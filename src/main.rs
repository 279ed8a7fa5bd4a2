//! The command line.

use std::io::Read;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use clap::Parser;
use clap::Subcommand;
use tokio::signal::unix::Signal;
use tokio::signal::unix::SignalKind;
use tokio::signal::unix::signal;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use url::Url;
use wecom_meeting_proxy::app::App;
use wecom_meeting_proxy::app::Rereading;
use wecom_meeting_proxy::config;
use wecom_meeting_proxy::config::Checked;
use wecom_meeting_proxy::config::Config;
use wecom_meeting_proxy::config::Sources;
use wecom_meeting_proxy::descriptors;
use wecom_meeting_proxy::dice::Chance;
use wecom_meeting_proxy::healthcheck;
use wecom_meeting_proxy::http;
use wecom_meeting_proxy::http::KeyDigest;
use wecom_meeting_proxy::http::generate_key;
use wecom_meeting_proxy::logging;
use wecom_meeting_proxy::pages;
use wecom_meeting_proxy::telemetry::Telemetry;

/// Who gives us memory: see Cargo.toml.
#[global_allocator]
static MEMORY: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// It could not run.
const FAILED: ExitCode = ExitCode::FAILURE;

/// Wrong usage or settings.
const MISUSED: u8 = 2;

/// A key longer than this is no key but a file sent here by mistake.
const KEY_BYTES_MAX: u64 = 64 * 1024;

/// Meeting details from WeCom for internal services: one token, one cache, one JSON.
#[derive(Parser)]
#[command(version, args_conflicts_with_subcommands = true)]
struct CommandLine {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    settings: SettingsArgs,
}

#[derive(Subcommand)]
enum Command {
    /// Runs the service (the default)
    Serve(SettingsArgs),
    /// Validates the settings without the network: prints "ok", or every fault
    CheckConfig(SettingsArgs),
    /// Asks a running service whether it is ready: exits with 0 if it is, with 1 if not
    Healthcheck {
        /// What to GET [default: /readyz where the settings have operators come in]
        url: Option<Url>,
    },
    /// Reads an API key on standard input and prints its SHA-256 for access.callers
    HashKey {
        /// Makes a new key instead, and prints it, this once, and its SHA-256
        #[arg(long)]
        generate: bool,
    },
    /// Prints what the API is like, in OpenAPI 3.1
    Openapi {
        /// In OpenAPI 3.0.3 instead, for generators that know no other
        #[arg(long)]
        older: bool,
    },
}

#[derive(Args, Default)]
struct SettingsArgs {
    #[arg(
        long,
        value_name = "FILE",
        help = "The settings file [default: $WECOM_PROXY_CONFIG, else config.toml if it is there]"
    )]
    config: Option<PathBuf>,
}

fn main() -> ExitCode {
    // If that fails, it is told where it matters.
    let _ = pages::begin_small();
    let CommandLine { command, settings } = CommandLine::parse();
    match command.unwrap_or(Command::Serve(settings)) {
        Command::Serve(settings) => in_runtime(serve(settings)),
        Command::CheckConfig(settings) => check_config(settings),
        Command::Healthcheck { url } => in_runtime(healthcheck(url)),
        Command::HashKey { generate: true } => new_key(),
        Command::HashKey { generate: false } => hash_key(),
        Command::Openapi { older: false } => print_line(&http::openapi()),
        Command::Openapi { older: true } => print_line(&http::openapi_3_0()),
    }
}

fn in_runtime(task: impl Future<Output = ExitCode>) -> ExitCode {
    match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => {
            let code = runtime.block_on(task);
            // What is left is bounded, and nobody waits for it any more.
            runtime.shutdown_background();
            code
        }
        Err(error) => {
            complain(&format!("start the runtime: {error}"));
            FAILED
        }
    }
}

async fn serve(SettingsArgs { config }: SettingsArgs) -> ExitCode {
    // Before anything else: as the first process of a container, one that does not listen for
    // SIGTERM cannot be ended by it.
    let signals = match Signals::listen() {
        Ok(signals) => signals,
        Err(error) => {
            complain(&format!("listen for signals: {error}"));
            return FAILED;
        }
    };
    let sources = Sources::of_the_process(config);
    let checked = match load(&sources) {
        Ok(checked) => checked,
        Err(code) => return code,
    };
    let chance = Chance::real();
    let (telemetry, tracer) = match Telemetry::begin(&checked.config.telemetry, &chance.clock) {
        Ok(telemetry) => telemetry.unzip(),
        Err(error) => {
            complain(&error.to_string());
            return FAILED;
        }
    };
    // Dropped last: what waits to be written is written then.
    let log = logging::begin(&checked.config.log, &chance.clock);
    if let Err(error) = pages::fit(checked.config.cache.max_bytes) {
        tracing::warn!(
            error = error.desc(),
            "the system does not let us say how large our pages of memory are to be",
        );
    }
    let supervisor = sources.supervisor();
    let rereading = Rereading {
        sources,
        log: Some(log.switch()),
    };
    let fitting = descriptors::make_room_for(connections_max(&checked.config));
    let app = match App::open(checked, rereading, chance, tracer.unwrap_or_default()) {
        Ok(app) => app.within(fitting).under(supervisor),
        Err(error) => {
            complain(&error.to_string());
            return FAILED;
        }
    };
    let Signals {
        mut ends,
        mut hangup,
    } = signals;
    let bell = app.bell();
    let _rings = AbortOnDropHandle::new(tokio::spawn(async move {
        while hangup.recv().await.is_some() {
            bell.notify_one();
        }
    }));
    let leave = CancellationToken::new();
    let mut serving = std::pin::pin!(app.serve(leave.clone()));
    tokio::select! {
        () = serving.as_mut() => return ExitCode::SUCCESS,
        () = ends.next() => leave.cancel(),
    }
    tokio::select! {
        () = serving => {
            if let Some(telemetry) = telemetry {
                telemetry.end().await;
            }
            ExitCode::SUCCESS
        }
        () = ends.next() => FAILED,
    }
}

/// Connections at a time, those of callers and operators and those to WeCom.
fn connections_max(config: &Config) -> u64 {
    let doors = http::Limits::of(&config.server).connections_max();
    let doors = u64::try_from(doors).unwrap_or(u64::MAX);
    doors.saturating_add(config.wecom.max_in_flight.into())
}

/// The signals that we listen for.
struct Signals {
    ends: Ends,
    hangup: Signal,
}

/// The signals that end us.
struct Ends {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn listen() -> std::io::Result<Self> {
        let ends = Ends {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        };
        Ok(Self {
            ends,
            hangup: signal(SignalKind::hangup())?,
        })
    }
}

impl Ends {
    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

fn check_config(SettingsArgs { config }: SettingsArgs) -> ExitCode {
    match load(&Sources::of_the_process(config)) {
        Ok(_) => print_line("ok"),
        Err(code) => code,
    }
}

fn load(sources: &Sources) -> Result<Checked, ExitCode> {
    config::load(sources).map_err(|faults| {
        for fault in faults {
            complain(&fault.to_string());
        }
        ExitCode::from(MISUSED)
    })
}

async fn healthcheck(url: Option<Url>) -> ExitCode {
    let url = url.unwrap_or_else(|| {
        let address = config::admin_address(&Sources::of_the_process(None));
        healthcheck::default_url(address)
    });
    match healthcheck::check(url).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            complain(&why.to_string());
            FAILED
        }
    }
}

fn hash_key() -> ExitCode {
    let mut key = Vec::new();
    if let Err(error) = std::io::stdin()
        .take(KEY_BYTES_MAX + 1)
        .read_to_end(&mut key)
    {
        complain(&format!("read the key: {error}"));
        return FAILED;
    }
    // A newline is what a shell puts after a line, not part of the key.
    let newline = key.strip_suffix(b"\r\n").or(key.strip_suffix(b"\n"));
    let key = newline.unwrap_or(&key);
    if key.is_empty() {
        complain("the key is empty");
        return ExitCode::from(MISUSED);
    }
    if key.len() as u64 > KEY_BYTES_MAX {
        complain("the key is too long");
        return ExitCode::from(MISUSED);
    }
    print_line(&KeyDigest::of(key).to_string())
}

fn new_key() -> ExitCode {
    let Some(key) = generate_key() else {
        complain("the system gives no random numbers");
        return FAILED;
    };
    let digest = KeyDigest::of(key.as_bytes());
    print_line(&format!("key = \"{key}\"\nkey_sha256 = \"{digest}\""))
}

fn print_line(line: &str) -> ExitCode {
    match writeln!(std::io::stdout(), "{line}") {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => FAILED,
    }
}

/// Says what is wrong, to a person. If even that fails, the exit code still says it.
fn complain(what: &str) {
    let _ = writeln!(std::io::stderr(), "wecom-meeting-proxy: {what}");
}
