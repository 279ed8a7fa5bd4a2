//! How much one replica, and how many of them, ask WeCom in a working day, and how far behind callers
//! are: for `docs/sizing.md`.
//!
//! `just sizing` runs every case and draws the page's tables and plots from what it tells;
//! `cargo run --release --example sizing -- --small` runs a small day in some seconds. Each case is a
//! line of JSON on standard output. The day is made up (`day`); the service is not (`replicas`).

mod cases;
mod day;
mod replicas;
mod tally;
mod telling;
mod wecom;

use std::error::Error;
use std::io::Write;

use clap::Parser;
use serde_json::Value;

use self::cases::Case;
use self::day::Day;

type Failure = Box<dyn Error + Send + Sync>;

/// What to do.
#[derive(Parser)]
struct Arguments {
    /// A small day only, by which a change is seen.
    #[arg(long)]
    small: bool,
    /// The cases of this group only.
    #[arg(long)]
    only: Option<String>,
}

// On one thread, so that the order of things is the same each time.
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Failure> {
    let Arguments { small, only } = Arguments::parse();
    let cases = if small { cases::small() } else { cases::all() };
    let is_wanted = |case: &Case| only.as_ref().is_none_or(|group| group == case.group);
    for case in cases.into_iter().filter(is_wanted) {
        let day = Day::of(&case.model)?;
        let mut told = replicas::live(&day, &case.setup).await?;
        let told = told.as_object_mut().ok_or("no object")?;
        let mut line = case.described();
        let object = line.as_object_mut().ok_or("no object")?;
        object.insert("meetings".to_owned(), day.meetings.len().into());
        // The minutes are for the one plot of a day; and bytes say nothing of what was decided.
        let is_base = case.group == "base";
        told.retain(|key, _| is_base || !key.ends_with("_a_minute"));
        told.retain(|key, _| !small || key != "kept");
        object.append(told);
        say(&line)?;
    }
    Ok(())
}

fn say(line: &Value) -> Result<(), Failure> {
    writeln!(std::io::stdout(), "{line}")?;
    Ok(())
}
