//! The operators' routes: is it alive, is it ready, and let it forget.

use axum::Router;
use axum::extract::Path;
use axum::extract::RawQuery;
use axum::extract::State;
use axum::extract::rejection::PathRejection;
use axum::response::IntoResponse;
use axum::response::Response;
use axum::routing::MethodFilter;
use axum::routing::MethodRouter;
use axum::routing::delete;
use axum::routing::on;
use http::HeaderMap;
use http::StatusCode;
use http::header;
use tokio_util::sync::CancellationToken;

use super::problem::Kind;
use super::problem::Problem;
use crate::clock::Clock;
use crate::logging::Switch;
use crate::meeting::InvalidMeetingCode;
use crate::meeting::InvalidMeetingId;
use crate::meeting::Selector;
use crate::metrics::Format;
use crate::metrics::Gauges;
use crate::metrics::Metrics;
use crate::service::Meetings;
use crate::service::Scope;
use crate::service::Thoroughness;
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
}

impl Office {
    /// Why callers should not be sent here; `Ok` if they should. An outage of WeCom is no reason:
    /// what is kept can be served, and another replica would fare no better.
    fn readiness(&self) -> Result<(), &'static str> {
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
}

/// What an operator is told who takes another.
const ROUTES: &str = "the routes are /livez, /readyz, /metrics, /cache, /cache/meetings/{meeting_id} and \
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
    Router::new()
        .route("/livez", reads(on(get, livez)))
        .route("/readyz", reads(on(get, readyz)))
        .route("/metrics", reads(on(get, metrics)))
        .route("/cache", purges(delete(purge_all)))
        .route("/cache/meetings/{meeting_id}", purges(delete(purge_by_id)))
        .route(
            "/cache/meetings/by-code/{meeting_code}",
            purges(delete(purge_by_code)),
        )
        .fallback(async || Problem::no_such_route(ROUTES))
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
    let accept = headers.get(header::ACCEPT);
    let accept = accept.and_then(|accept| accept.to_str().ok());
    let format = Format::accepted(accept.unwrap_or_default());
    let gauges = Gauges {
        log_lines_lost: office.log.as_ref().map_or(0, Switch::lines_lost),
        ..office.meetings.gauges()
    };
    let text = office.metrics.text(&gauges, format);
    let headers = [
        (header::CONTENT_TYPE, format.content_type()),
        (header::CACHE_CONTROL, "no-store"),
    ];
    (headers, text).into_response()
}

/// `DELETE /cache`
async fn purge_all(
    State(office): State<Office>,
    RawQuery(query): RawQuery,
) -> Result<StatusCode, Problem> {
    office.purge(None, query.as_deref())
}

/// `DELETE /cache/meetings/{meeting_id}`: its occurrences too, and what is known to be of it.
async fn purge_by_id(
    State(office): State<Office>,
    id: Result<Path<String>, PathRejection>,
    RawQuery(query): RawQuery,
) -> Result<StatusCode, Problem> {
    let Path(id) = id.map_err(|_| InvalidMeetingId)?;
    office.purge(Some(Selector::Id(id.parse()?)), query.as_deref())
}

/// `DELETE /cache/meetings/by-code/{meeting_code}`: the meeting that is now behind that number.
async fn purge_by_code(
    State(office): State<Office>,
    code: Result<Path<String>, PathRejection>,
    RawQuery(query): RawQuery,
) -> Result<StatusCode, Problem> {
    let Path(code) = code.map_err(|_| InvalidMeetingCode)?;
    office.purge(Some(Selector::Code(code.parse()?)), query.as_deref())
}

impl Office {
    fn purge(&self, meeting: Option<Selector>, query: Option<&str>) -> Result<StatusCode, Problem> {
        let Parameters { app, soft } = Parameters::parse(query.unwrap_or_default())?;
        let app = app.map(|name| self.app(&name)).transpose()?;
        let scope = Scope { meeting, app };
        let thoroughness = if soft {
            Thoroughness::Expire
        } else {
            Thoroughness::Drop
        };
        tracing::info!(soft, "purging what is kept of {scope}");
        self.meetings.purge(&scope, thoroughness);
        Ok(StatusCode::NO_CONTENT)
    }

    fn app(&self, name: &str) -> Result<AppName, Problem> {
        let apps = self.meetings.standings().into_iter().map(|(app, _)| app);
        apps.into_iter()
            .find(|app| app.as_str() == name)
            .ok_or_else(|| Problem::new(Kind::UnknownApp, "no app of that name is set up"))
    }
}

/// The query parameters of a purge.
#[derive(Debug, Default)]
struct Parameters {
    app: Option<String>,
    soft: bool,
}

impl Parameters {
    fn parse(query: &str) -> Result<Self, Problem> {
        let invalid = || {
            let detail = "the parameters are app, once, and soft, which is true or false";
            Problem::new(Kind::InvalidQuery, detail)
        };
        let mut parameters = Self::default();
        for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
            match (name.as_ref(), value.as_ref()) {
                ("app", value) if parameters.app.is_none() && !value.is_empty() => {
                    parameters.app = Some(value.to_owned());
                }
                ("soft", "true") => parameters.soft = true,
                ("soft", "false") => parameters.soft = false,
                _ => return Err(invalid()),
            }
        }
        Ok(parameters)
    }
}

fn plain(status: StatusCode, text: &str) -> Response {
    let headers = [
        (header::CONTENT_TYPE, "text/plain; charset=utf-8"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    (status, headers, text.to_owned()).into_response()
}
