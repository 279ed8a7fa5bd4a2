//! `GET /status`: how it stands, as JSON for people.

use std::time::Duration;

use axum::extract::State;
use axum::response::Response;
use jiff::Timestamp;
use serde::Serialize;

use super::Office;
use super::json;
use crate::http::problem::Problem;
use crate::metrics::Usage;
use crate::service::Holdings;
use crate::wecom::Report;

/// How it stands.
#[derive(Serialize)]
struct Status {
    version: &'static str,
    started_at: Timestamp,
    uptime_seconds: u64,
    ready: bool,
    /// `None` where it is.
    not_ready_because: Option<&'static str>,
    apps: Vec<Report>,
    cache: Holdings,
    /// `None` where the system does not say.
    process: Option<Usage>,
    log_lines_lost: u64,
}

/// `GET /status`
pub(super) async fn show(State(office): State<Office>) -> Result<Response, Problem> {
    office.meetings.tidy_aside().await;
    json(&office.status())
}

impl Office {
    fn status(&self) -> Status {
        let readiness = self.readiness();
        let uptime = self.clock.now().saturating_duration_since(self.opened_at);
        let uptime = Duration::from_secs(uptime.as_secs());
        let started_at = self.clock.wall_at(self.opened_at);
        Status {
            version: env!("CARGO_PKG_VERSION"),
            started_at: Timestamp::from_second(started_at.as_second()).unwrap_or(started_at),
            uptime_seconds: uptime.as_secs(),
            ready: readiness.is_ok(),
            not_ready_because: readiness.err(),
            apps: self.meetings.reports(),
            cache: self.meetings.holdings(),
            process: Usage::now(),
            log_lines_lost: self.log_lines_lost(),
        }
    }
}
