//! The operators' routes: is it alive, is it ready, how does it stand, and let it forget.
//!
//! ```text
//! mod       probes and numbers, for machines
//!   site      nothing is changed for a page of another site
//!   status    how it stands, for people
//!   explain   what is kept under a name, and why
//!   purge     let it forget
//!   console   all of it on one page
//! ```

mod console;
mod explain;
mod purge;
mod site;
mod status;

use std::time::Instant;

use axum::Router;
use axum::extract::State;
use axum::middleware;
use axum::response::IntoResponse;
use axum::response::Response;
use axum::routing::MethodFilter;
use axum::routing::MethodRouter;
use axum::routing::delete;
use axum::routing::on;
use http::HeaderMap;
use http::StatusCode;
use http::header;
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use super::preference;
use super::problem::Kind;
use super::problem::Problem;
use crate::clock::Clock;
use crate::logging::Switch;
use crate::metrics::Format;
use crate::metrics::Gauges;
use crate::metrics::Metrics;
use crate::service::Meetings;
use crate::wecom::AppName;
use crate::wecom::Standing;

/// What the operators' routes work with. Clones share it.
#[derive(Clone)]
pub struct Office {
    /// What is known about meetings.
    pub meetings: Meetings,
    /// Cancelled when we are about to leave.
    pub leaving: CancellationToken,
    /// The time.
    pub clock: Clock,
    /// What was counted.
    pub metrics: Metrics,
    /// What the log lost; `None` where somebody else logs.
    pub log: Option<Switch>,
    /// When the doors were opened.
    pub opened_at: Instant,
}

impl Office {
    /// Why callers should not be sent here; `Ok` if they should. An outage of WeCom is no reason:
    /// what is kept can be served, and another replica would fare no better.
    pub fn readiness(&self) -> Result<(), &'static str> {
        if self.leaving.is_cancelled() {
            return Err("shutting down");
        }
        let standings = self.meetings.standings();
        let has = |sought| standings.iter().any(|(_, standing)| *standing == sought);
        if has(Standing::Served) {
            Ok(())
        } else if has(Standing::Unknown) {
            Err("waiting for the first word from WeCom")
        } else {
            Err("WeCom refuses every app until a person acts: see the log")
        }
    }

    /// The apps there are, in the order of their names.
    fn apps(&self) -> Vec<AppName> {
        let standings = self.meetings.standings().into_iter();
        let mut apps: Vec<_> = standings.map(|(app, _)| app).collect();
        apps.sort();
        apps
    }

    /// The app of that name.
    fn app(&self, name: &str) -> Result<AppName, Problem> {
        self.apps()
            .into_iter()
            .find(|app| app.as_str() == name)
            .ok_or_else(|| Problem::new(Kind::UnknownApp, "no app of that name is set up"))
    }

    fn log_lines_lost(&self) -> u64 {
        self.log.as_ref().map_or(0, Switch::lines_lost)
    }
}

/// What an operator is told who takes another.
const ROUTES: &str = "the routes are /, /livez, /readyz, /metrics, /status, \
                      /explain/meetings/{meeting_id}, /explain/meetings/by-code/{meeting_code}, \
                      /cache, /cache/meetings/{meeting_id} and \
                      /cache/meetings/by-code/{meeting_code}";

/// The routes.
pub(super) fn routes(office: Office) -> Router {
    let get = MethodFilter::GET.or(MethodFilter::HEAD);
    let reads = |handler: MethodRouter<Office>| {
        handler.fallback(async || Problem::method_not_allowed("GET, HEAD"))
    };
    let purges = |handler: MethodRouter<Office>| {
        handler.fallback(async || Problem::method_not_allowed("DELETE"))
    };
    let router = Router::new()
        .route("/livez", reads(on(get, livez)))
        .route("/readyz", reads(on(get, readyz)))
        .route("/metrics", reads(on(get, metrics)))
        .route("/status", reads(on(get, status::show)))
        .route(
            "/explain/meetings/{meeting_id}",
            reads(on(get, explain::by_id)),
        )
        .route(
            "/explain/meetings/by-code/{meeting_code}",
            reads(on(get, explain::by_code)),
        )
        .route("/cache", purges(delete(purge::all)))
        .route("/cache/meetings/{meeting_id}", purges(delete(purge::by_id)))
        .route(
            "/cache/meetings/by-code/{meeting_code}",
            purges(delete(purge::by_code)),
        );
    let router = console::ASSETS.into_iter().fold(router, |router, asset| {
        router.route(asset.path, reads(on(get, async move || asset)))
    });
    router
        .fallback(async || Problem::no_such_route(ROUTES))
        .layer(middleware::from_fn(site::guard))
        .with_state(office)
}

/// `GET /livez`: the process turns. Knows nothing of WeCom.
async fn livez() -> Response {
    plain(StatusCode::OK, "alive\n")
}

/// `GET /readyz`: whether callers should be sent here.
async fn readyz(State(office): State<Office>) -> Response {
    match office.readiness() {
        Ok(()) => plain(StatusCode::OK, "ready\n"),
        Err(why) => plain(
            StatusCode::SERVICE_UNAVAILABLE,
            &format!("not ready: {why}\n"),
        ),
    }
}

/// `GET /metrics`: the numbers, for a scraper.
async fn metrics(State(office): State<Office>, headers: HeaderMap) -> Response {
    let format = preferred(&headers);
    office.meetings.tidy_aside().await;
    let gauges = Gauges {
        log_lines_lost: office.log_lines_lost(),
        ..office.meetings.gauges()
    };
    let text = office.metrics.text(&gauges, format);
    let headers = [
        (header::CONTENT_TYPE, format.content_type()),
        (header::CACHE_CONTROL, "no-store"),
    ];
    (headers, text).into_response()
}

/// The format that a scraper with these header fields likes better; that of Prometheus, where it does
/// not name OpenMetrics.
fn preferred(headers: &HeaderMap) -> Format {
    let weight = |media_range: &str| {
        let accepted = preference::weighted(headers, header::ACCEPT);
        let named = accepted.filter(|(name, _)| name.eq_ignore_ascii_case(media_range));
        named.map(|(_, weight)| weight).max()
    };
    let openmetrics = weight("application/openmetrics-text").unwrap_or_default();
    // The narrowest range counts (RFC 9110, section 12.5.1).
    let text = ["text/plain", "text/*", "*/*"].into_iter().find_map(weight);
    if openmetrics > 0 && openmetrics >= text.unwrap_or_default() {
        Format::OpenMetrics
    } else {
        Format::Prometheus
    }
}

/// JSON for people: over several lines.
fn json(value: &impl Serialize) -> Result<Response, Problem> {
    let text = serde_json::to_string_pretty(value).map_err(|_| Problem::internal())?;
    let headers = [
        (header::CONTENT_TYPE, "application/json"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    Ok((headers, text + "\n").into_response())
}

fn plain(status: StatusCode, text: &str) -> Response {
    let headers = [
        (header::CONTENT_TYPE, "text/plain; charset=utf-8"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    (status, headers, text.to_owned()).into_response()
}
