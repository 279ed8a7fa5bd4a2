//! Measures the service beside a bare server, nginx and Varnish, in one run.
//!
//! The servers are on one core and everything else on another: the load, and the WeCom that the
//! service asks. Rounds are interleaved, so that what the machine does meanwhile, it does to all. What
//! counts is what the system has on account for the servers' processes: on a machine that is shared,
//! it is known better than how long things take.

mod cases;
mod figures;
mod limit;
mod load;
mod plot;
mod process;
mod report;
mod servers;
mod wecom;

use std::error::Error;
use std::path::PathBuf;

use clap::Parser;
use clap::Subcommand;

use self::cases::Case;
use self::limit::Layout;

/// Who gives us, and with us the bare server, memory: the same as the service has.
#[global_allocator]
static MEMORY: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Whatever went wrong: nobody here can do anything about it.
pub type Failure = Box<dyn Error + Send + Sync>;

/// Measures the service beside a bare server, nginx and Varnish.
#[derive(Parser)]
#[command(args_conflicts_with_subcommands = true)]
struct CommandLine {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    arguments: Arguments,
}

#[derive(Subcommand)]
enum Command {
    /// The bare server, which a run starts by itself
    Limit(limit::Arguments),
}

/// What to measure.
#[derive(clap::Args)]
pub struct Arguments {
    /// The service's binary
    #[arg(long, default_value = "target/release/wecom-meeting-proxy")]
    service: PathBuf,
    /// Rounds of each case
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Seconds that a round takes
    #[arg(long, default_value_t = 2.0)]
    seconds: f64,
    /// This case alone; can be given several times
    #[arg(long, value_name = "CASE")]
    only: Vec<Case>,
    /// One short round of each, few meetings: whether everything still works
    #[arg(long)]
    smoke: bool,
    /// How many meetings are many
    #[arg(long, default_value_t = 500_000)]
    meetings: u32,
    /// Requests a second for the latency
    #[arg(long, default_value_t = 10_000.0)]
    rate: f64,
    /// How the bare server's runtime is laid out: as the service's is
    #[arg(long, default_value = "multi")]
    layout: Layout,
    /// The servers' core
    #[arg(long, default_value_t = 0)]
    server_core: usize,
    /// The core of the load
    #[arg(long, default_value_t = 1)]
    load_core: usize,
    /// Where the figures (JSON) and the plot (SVG) are written, if anywhere
    #[arg(long)]
    results: Option<PathBuf>,
}

fn main() -> Result<(), Failure> {
    let CommandLine { command, arguments } = CommandLine::parse();
    match command {
        Some(Command::Limit(arguments)) => limit::serve(&arguments),
        None => {
            let results = cases::measure(&arguments)?;
            report::print(&results);
            if let Some(folder) = &arguments.results {
                report::keep(&results, folder)?;
            }
            Ok(())
        }
    }
}
