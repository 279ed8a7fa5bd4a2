//! The service and a WeCom to go with it, in one process, without credentials.
//!
//! `cargo run --locked --example demo`, and then try the lines that it prints.

use std::error::Error;
use std::io::Write;

use tokio_util::sync::CancellationToken;
use wecom_meeting_proxy::app::App;
use wecom_meeting_proxy::app::Rereading;
use wecom_meeting_proxy::config;
use wecom_meeting_proxy::config::Sources;
use wecom_meeting_proxy::dice::Chance;
use wecom_meeting_proxy::logging;
use wecom_meeting_proxy::telemetry::Tracer;
use wecom_simulator::DEFAULT_CORP_ID;
use wecom_simulator::DEFAULT_SECRET;
use wecom_simulator::Simulator;
use wecom_simulator::World;

/// What to try, with the addresses to be filled in.
const TRY: &str = r#"
A simulated WeCom runs at {wecom}, and in front of it the service:
callers come to {callers}, operators to {operators}.

To read what can be asked, and try it: {callers}/docs, in a browser. Or try, in another terminal:

  # A meeting, by its id. Asked again at once, it is served from memory: see Cache-Status and Age.
  curl -i {callers}/meetings/mtfDesignReview-0000000000000004

  # The same by the number that people dial, however they write it.
  curl -i {callers}/meetings/by-code/446-153-273

  # One occurrence of a recurring meeting.
  curl -i "{callers}/meetings/mtfStandup-000000000000000000012?sub_meeting_id=standup-3"

  # A meeting with 2,000 attendees.
  curl -s {callers}/meetings/mtfAllHands-00000000000000000001 | wc -c

  # Another app's meeting, one that was deleted, and one that never was: problems of RFC 9457.
  curl -i {callers}/meetings/mtfPayroll-000000000000000000006
  curl -i {callers}/meetings/mtfDeleted-000000000000000000008
  curl -i {callers}/meetings/nobody-knows-this-one

  # How often WeCom was asked for all this.
  curl -s {wecom}/_control/hits

  # WeCom breaks down. What was asked lately is served from memory, stale if need be; the rest is a 503.
  curl -s -X PUT {wecom}/_control/trouble/get_info -d '{"kind":"status","status":500}'
  curl -i {callers}/meetings/mtfDesignReview-0000000000000004
  curl -i {callers}/meetings/by-code/912-384-056
  curl -s -X DELETE {wecom}/_control/trouble

  # Whether callers should be sent here.
  curl -i {operators}/readyz

Ctrl-C ends it.
"#;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let wecom = Simulator::start_at(([127, 0, 0, 1], 9999).into(), World::demo()).await?;
    let variables = [
        ("WECOM_CORP_ID", DEFAULT_CORP_ID.to_owned()),
        ("WECOM_SECRET", DEFAULT_SECRET.to_owned()),
        ("WECOM_PROXY_WECOM__BASE_URL", wecom.base_url()),
    ];
    let variables = variables
        .map(|(name, value)| (name.into(), value.into()))
        .to_vec();
    let sources = Sources {
        file: None,
        variables,
    };
    let checked = config::load(&sources).map_err(|faults| {
        faults
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join("\n")
    })?;
    let chance = Chance::real();
    let log = logging::begin(&checked.config.log, &chance.clock);
    let rereading = Rereading {
        sources,
        log: Some(log.switch()),
    };
    let app = App::open(checked, rereading, chance, Tracer::default())?;

    let text = TRY
        .replace("{wecom}", &wecom.base_url())
        .replace("{callers}", &format!("http://{}", app.callers_address()))
        .replace(
            "{operators}",
            &format!("http://{}", app.operators_address()),
        );
    writeln!(std::io::stdout(), "{text}")?;

    let leave = CancellationToken::new();
    let stop = leave.clone();
    tokio::spawn(async move {
        // Where no signal can be listened for, the default action ends us as well.
        if tokio::signal::ctrl_c().await.is_ok() {
            stop.cancel();
        }
    });
    app.serve(leave).await;
    Ok(())
}
