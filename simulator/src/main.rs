//! A WeCom to try things on: the demonstration's meetings behind a real socket.

use std::io;
use std::io::Write;
use std::net::SocketAddr;
use std::process::ExitCode;

use tokio::signal::unix::SignalKind;
use tokio::signal::unix::signal;
use wecom_simulator::DEFAULT_CORP_ID;
use wecom_simulator::DEFAULT_SECRET;
use wecom_simulator::Simulator;
use wecom_simulator::World;

const HELP: &str = "\
A WeCom small enough to hold in the hand.

Usage: wecom-simulator [--listen ADDRESS]

Options:
  --listen ADDRESS  where to listen [default: 127.0.0.1:9999]
  --help            print this

Trouble is made, and the clock is turned, under /_control/:
  GET    /_control/hits          PUT    /_control/trouble/{gettoken|get_info}
  GET    /_control/asked         DELETE /_control/trouble
  GET    /_control/meetings      POST   /_control/revoke-tokens
  PUT    /_control/meetings/ID   POST   /_control/advance
  DELETE /_control/meetings/ID   POST   /_control/reset
  PUT    /_control/raw/KEY       PUT    /_control/secret";

/// What the command line asks for.
enum Wish {
    Help,
    Serve(SocketAddr),
}

#[tokio::main]
async fn main() -> ExitCode {
    let ended = match wish(std::env::args().skip(1)) {
        Ok(Wish::Help) => {
            say(HELP);
            return ExitCode::SUCCESS;
        }
        Ok(Wish::Serve(address)) => serve(address).await,
        Err(complaint) => {
            complain(&format!("{complaint}\n\n{HELP}"));
            return ExitCode::from(2);
        }
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&format!("wecom-simulator: {error}"));
            ExitCode::FAILURE
        }
    }
}

fn wish(mut arguments: impl Iterator<Item = String>) -> Result<Wish, String> {
    let mut address = SocketAddr::from(([127, 0, 0, 1], 9999));
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--help" | "-h" => return Ok(Wish::Help),
            "--listen" => {
                let text = arguments.next().ok_or("--listen needs an address")?;
                address = text
                    .parse()
                    .map_err(|_| format!("{text:?} is no address"))?;
            }
            _ => return Err(format!("{argument:?} is not understood")),
        }
    }
    Ok(Wish::Serve(address))
}

async fn serve(address: SocketAddr) -> io::Result<()> {
    // Before anything else: as the first process of a container, we would not be ended otherwise.
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let wecom = Simulator::start_at(address, World::demo()).await?;
    introduce(&wecom);
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    wecom.stop().await;
    Ok(())
}

fn introduce(wecom: &Simulator) {
    say(&format!("listening on {}", wecom.base_url()));
    say(&format!("corp id      {DEFAULT_CORP_ID}"));
    say(&format!("secret       {DEFAULT_SECRET}"));
    say("");
    for meeting in wecom.meetings() {
        say(&format!(
            "{:32}  {:10}  {}",
            meeting.id, meeting.code, meeting.title
        ));
    }
}

/// Tells a person. If they hung up (`| head`), there is nobody left to tell that.
fn say(line: &str) {
    let _ = writeln!(io::stdout(), "{line}");
}

fn complain(line: &str) {
    let _ = writeln!(io::stderr(), "{line}");
}
