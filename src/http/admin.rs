//! The operators' routes: is it alive, is it ready.

use axum::Router;
use axum::extract::State;
use axum::response::IntoResponse;
use axum::response::Response;
use axum::routing::MethodFilter;
use axum::routing::on;
use http::StatusCode;
use http::header;
use tokio_util::sync::CancellationToken;

use super::problem::Problem;
use crate::wecom::Standing;
use crate::wecom::WeCom;

/// Whether callers should be sent here.
#[derive(Clone)]
pub struct Readiness {
    wecom: WeCom,
    leaving: CancellationToken,
}

impl Readiness {
    /// Ready as long as `wecom` can serve at least one app, and `leaving` is not announced.
    pub fn new(wecom: WeCom, leaving: CancellationToken) -> Self {
        Self { wecom, leaving }
    }

    /// Why callers should not be sent here; `Ok` if they should. An outage of WeCom is no reason:
    /// what is kept can be served, and another replica would fare no better.
    fn check(&self) -> Result<(), &'static str> {
        if self.leaving.is_cancelled() {
            return Err("shutting down");
        }
        let standings: Vec<Standing> = self
            .wecom
            .standings()
            .map(|(_, standing)| standing)
            .collect();
        if standings.contains(&Standing::Served) {
            Ok(())
        } else if standings.contains(&Standing::Unknown) {
            Err("waiting for the first word from WeCom")
        } else {
            Err("WeCom refuses every app until a person acts: see the log")
        }
    }
}

/// The routes.
pub(super) fn routes(readiness: Readiness) -> Router {
    let get = MethodFilter::GET.or(MethodFilter::HEAD);
    Router::new()
        .route("/livez", on(get, livez).fallback(reads_only))
        .route("/readyz", on(get, readyz).fallback(reads_only))
        .fallback(async || Problem::no_such_route())
        .with_state(readiness)
}

/// `GET /livez`: the process turns. Knows nothing of WeCom.
async fn livez() -> Response {
    plain(StatusCode::OK, "alive\n")
}

/// `GET /readyz`: whether callers should be sent here.
async fn readyz(State(readiness): State<Readiness>) -> Response {
    match readiness.check() {
        Ok(()) => plain(StatusCode::OK, "ready\n"),
        Err(why) => plain(
            StatusCode::SERVICE_UNAVAILABLE,
            &format!("not ready: {why}\n"),
        ),
    }
}

async fn reads_only() -> Problem {
    Problem::method_not_allowed("GET, HEAD")
}

fn plain(status: StatusCode, text: &str) -> Response {
    let headers = [
        (header::CONTENT_TYPE, "text/plain; charset=utf-8"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    (status, headers, text.to_owned()).into_response()
}
