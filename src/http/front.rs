//! The way that every request takes, whatever its route.
//!
//! It gets its id, is routed, and its answer goes out: with that id, and, where it is a problem,
//! with a body that names it. A panic on the way becomes a problem too.

use std::any::Any;
use std::convert::Infallible;

use axum::Router;
use axum::body::Body;
use axum::response::IntoResponse;
use axum::response::Response;
use http::HeaderMap;
use http::Request;
use http::Version;
use http::header;
use tower_http::catch_panic::CatchPanic;
use tower_service::Service;

use super::head::FIELDS_MAX;
use super::head::TARGET_BYTES_MAX;
use super::head::Verdict;
use super::problem::Problem;
use super::request_id::RequestId;
use super::request_id::X_REQUEST_ID;

/// What a panic leaves behind.
type Panic = Box<dyn Any + Send>;

/// A router, and what goes before and after it.
pub(super) struct Front {
    routes: CatchPanic<Router, fn(Panic) -> Response>,
}

impl Front {
    pub(super) fn new(routes: Router) -> Self {
        Self {
            routes: CatchPanic::custom(routes, internal),
        }
    }

    /// Answers a request; or says why its head was refused.
    pub(super) async fn answer(
        &self,
        request: Request<Body>,
        refused: Option<Verdict>,
    ) -> Response {
        let request_id = RequestId::of(request.headers());
        let refused = refused.or_else(|| vet_frames(&request).err());
        let mut response = match refused {
            Some(verdict) => Problem::from(verdict).into_response(),
            None => self.route(request).await,
        };
        if let Some(problem) = response.extensions_mut().remove::<Problem>() {
            response = problem.dress(&request_id);
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

/// The panic itself was reported by the hook; its message is nobody's business.
fn internal(_: Panic) -> Response {
    Problem::internal().into_response()
}

/// The bounds that the gate keeps for HTTP/1.1, for a request of HTTP/2, whose heads the gate does
/// not see. Its framing cannot be read in two ways.
fn vet_frames(request: &Request<Body>) -> Result<(), Verdict> {
    if request.version() != Version::HTTP_2 {
        return Ok(());
    }
    let target = request
        .uri()
        .path_and_query()
        .map_or("", |target| target.as_str());
    if target.len() > TARGET_BYTES_MAX {
        return Err(Verdict::TargetTooLong);
    }
    if request.headers().len() > FIELDS_MAX {
        return Err(Verdict::HeadTooLarge);
    }
    if announces_body(request.headers()) {
        return Err(Verdict::Bad(
            "no request here has a body: no Content-Length but 0 is taken",
        ));
    }
    Ok(())
}

fn announces_body(headers: &HeaderMap) -> bool {
    headers
        .get_all(header::CONTENT_LENGTH)
        .into_iter()
        .any(|length| length != "0")
}
