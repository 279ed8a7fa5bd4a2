//! The way that every request takes, whatever its route.
//!
//! It gets its id, is routed, and its answer goes out: with that id, and, where it is a problem,
//! with a body that names it. A panic on the way becomes a problem too. Callers' requests are counted,
//! and each has its line in the log; operators' are not.

use std::any::Any;
use std::convert::Infallible;

use axum::Router;
use axum::body::Body;
use axum::response::IntoResponse;
use axum::response::Response;
use http::Method;
use http::Request;
use tokio::time::Instant;
use tower_http::catch_panic::CatchPanic;
use tower_service::Service;
use tracing::Instrument;
use tracing::Span;

use super::account::Account;
use super::account::Asked;
use super::account::TraceId;
use super::frames;
use super::head::Verdict;
use super::problem::Problem;
use super::request_id::RequestId;
use super::request_id::X_REQUEST_ID;
use crate::metrics;
use crate::metrics::Metrics;
use crate::metrics::Route;
use crate::metrics::Shed;
use crate::telemetry;
use crate::telemetry::Parent;

/// What a panic leaves behind.
type Panic = Box<dyn Any + Send>;

/// A router, and what goes before and after it.
pub(super) struct Front {
    routes: CatchPanic<Router, fn(Panic) -> Response>,
    /// Where requests are counted, if they are.
    metrics: Option<Metrics>,
}

impl Front {
    pub(super) fn new(routes: Router) -> Self {
        Self {
            routes: CatchPanic::custom(routes, internal),
            metrics: None,
        }
    }

    /// The same, and counts requests.
    pub(super) fn counting(routes: Router, metrics: Metrics) -> Self {
        Self {
            metrics: Some(metrics),
            ..Self::new(routes)
        }
    }

    /// Counts a caller who finds no place, and may leave without asking for anything.
    pub(super) fn turn_away(&self) {
        if let Some(metrics) = &self.metrics {
            metrics.shed(Shed::Connections);
        }
    }

    /// Answers a request; or says why its head was refused.
    pub(super) async fn answer(
        &self,
        request: Request<Body>,
        refused: Option<Verdict>,
    ) -> Response {
        let request_id = RequestId::of(request.headers());
        let Some(metrics) = &self.metrics else {
            return self.respond(request, refused, &request_id).await;
        };
        let began = Instant::now();
        let route = match refused {
            Some(_) => Route::None,
            None => Route::of(request.uri().path()),
        };
        let span = traced(&request, route);
        let asked = Asked {
            route,
            method: request.method().clone(),
            trace_id: TraceId::of(&span, request.headers()),
            request_id,
        };
        let responding = self.respond(request, refused, &asked.request_id);
        let mut response = responding.instrument(span.clone()).await;
        telemetry::answered(&span, response.status().as_u16());
        let (status, took) = (response.status(), began.elapsed());
        metrics.answered(asked.route, counted(&asked.method), status.as_u16(), took);
        let account = response.extensions_mut().remove::<Account>();
        asked.tell(status, took, &account.unwrap_or_default());
        response
    }

    async fn respond(
        &self,
        request: Request<Body>,
        refused: Option<Verdict>,
        request_id: &RequestId,
    ) -> Response {
        let refused = refused.or_else(|| frames::vet(&request).err());
        let mut response = match refused {
            Some(verdict) => Problem::from(verdict).into_response(),
            None => self.route(request).await,
        };
        if let Some(problem) = response.extensions_mut().remove::<Problem>() {
            response = problem.dress(request_id);
        }
        response
            .headers_mut()
            .insert(X_REQUEST_ID, request_id.to_value());
        response
    }

    async fn route(&self, request: Request<Body>) -> Response {
        let routed: Result<_, Infallible> = self.routes.clone().call(request).await;
        match routed {
            Ok(response) => response.map(Body::new),
        }
    }
}

/// The span of a request. Continues the trace that its caller began, if it did.
fn traced(request: &Request<Body>, route: Route) -> Span {
    let field = |name: &str| request.headers().get(name)?.to_str().ok();
    let method = match counted(request.method()) {
        metrics::Method::Other => "_OTHER",
        method @ (metrics::Method::Get | metrics::Method::Head) => method.as_str(),
    };
    let parent = Parent {
        traceparent: field("traceparent"),
        tracestate: field("tracestate"),
    };
    telemetry::request(method, route.as_str(), parent)
}

fn counted(method: &Method) -> metrics::Method {
    match *method {
        Method::GET => metrics::Method::Get,
        Method::HEAD => metrics::Method::Head,
        _ => metrics::Method::Other,
    }
}

/// The panic itself was reported by the hook; its message is nobody's business.
fn internal(_: Panic) -> Response {
    Problem::internal().into_response()
}
