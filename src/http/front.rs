//! The way that every request takes, whatever its route.
//!
//! It gets its id, is routed, and its answer goes out: with that id, and, where it is a problem,
//! with a body that names it. A panic on the way becomes a problem too. Callers' requests are counted,
//! and each has its line in the log; operators' are not.
//!
//! What most requests want, a meeting, is handed to the desk at once; the rest finds its way by a
//! router.

use std::convert::Infallible;
use std::panic::AssertUnwindSafe;
use std::panic::catch_unwind;
use std::pin::Pin;
use std::pin::pin;
use std::task::Poll;

use axum::Router;
use axum::body::Body;
use axum::body::to_bytes;
use bytes::Bytes;
use http::HeaderName;
use http::Method;
use http::Request;
use http::Response;
use tower_service::Service;

use super::Desk;
use super::access::Origin;
use super::account::Account;
use super::account::Asked;
use super::answered::Answered;
use super::at_once::Finished;
use super::date::date;
use super::fields::Fields;
use super::frames;
use super::habit::Habit;
use super::head::Head;
use super::head::Verdict;
use super::meetings;
use super::problem::Problem;
use super::request_id;
use super::request_id::X_REQUEST_ID;
use crate::clock;
use crate::clock::Clock;
use crate::clock::Seconds;
use crate::metrics;
use crate::metrics::Route;
use crate::metrics::Shed;
use crate::telemetry::Parent;
use crate::telemetry::TraceId;

/// The fields in which a caller tells of its trace (W3C Trace Context).
pub(super) const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

/// A request that has come in.
pub(super) struct Arrival<'a> {
    pub(super) request: &'a mut Request<()>,
    pub(super) origin: &'a Origin,
    /// Why it is not answered as it asks.
    pub(super) refused: Option<Verdict>,
}

/// What is behind a door, and what goes before and after it.
pub(super) struct Front {
    /// Where callers ask for meetings, and their requests are counted. Operators have none.
    desk: Option<Desk>,
    clock: Clock,
    seconds: Seconds,
    /// Everything else.
    routes: Router,
}

impl Front {
    pub(super) fn of_callers(desk: Desk, routes: Router) -> Self {
        Self {
            clock: desk.clock.clone(),
            seconds: Seconds::new(date, desk.clock.wall()),
            desk: Some(desk),
            routes,
        }
    }

    pub(super) fn of_operators(routes: Router, clock: Clock) -> Self {
        Self {
            seconds: Seconds::new(date, clock.wall()),
            clock,
            desk: None,
            routes,
        }
    }

    /// Counts a caller who finds no place, and may leave without asking for anything.
    pub(super) fn turn_away(&self) {
        if let Some(desk) = &self.desk {
            desk.metrics.shed(Shed::Connections);
        }
    }

    /// The `Date` of an answer that is sent now.
    pub(super) fn date(&self) -> clock::Name {
        self.seconds.name(self.clock.wall())
    }

    /// Answers a request at once, if that can be done, and notes what it tells of the next one.
    pub(super) fn at_once(
        &self,
        head: &Head<'_>,
        origin: &Origin,
        habit: &mut Option<Habit>,
    ) -> Option<Finished> {
        let desk = self.desk.as_ref()?;
        unless_it_panics(|| desk.at_once(head, origin, &self.seconds, habit))
    }

    /// Answers the request at the beginning of what was received at once, if it comes as the one before
    /// it and that can be done. How long its head was.
    pub(super) fn as_usual(&self, received: &[u8], habit: &Habit) -> Option<(Finished, usize)> {
        let desk = self.desk.as_ref()?;
        unless_it_panics(|| desk.as_usual(received, habit, &self.seconds))
    }

    /// Answers a request; or says why its head was refused.
    pub(super) async fn answer(&self, arrival: Arrival<'_>) -> Response<Bytes> {
        let request = &*arrival.request;
        let mut made = request_id::BUFFER;
        let given = request.headers().only(X_REQUEST_ID);
        let request_id = request_id::of(given, self.clock.wall(), &mut made).to_owned();
        let Some(desk) = &self.desk else {
            return self
                .respond(arrival, Route::None, &request_id)
                .await
                .response;
        };
        let began = self.clock.now();
        let route = match arrival.refused {
            Some(_) => Route::None,
            None => Route::of(request.uri().path()),
        };
        let parent = parent(request.headers());
        let method = counted(request.method());
        let span = desk
            .tracer
            .request(traced(method), route.as_str(), parent.as_ref());
        let asked = Asked {
            route,
            method: request.method().clone(),
            trace_id: span.trace_id().or(parent.map(|parent| parent.trace_id)),
            request_id: &request_id,
        };
        // Pinned where it is: it is large, and would else be moved to where it is gone on with.
        let responding = pin!(self.respond(arrival, route, &request_id));
        let Answered { response, account } = span.around(responding).await;
        let (status, took) = (response.status(), self.clock.now() - began);
        span.answered(status.as_u16());
        desk.metrics.answered(route, method, status.as_u16(), took);
        asked.tell(status, took, &account);
        response
    }

    async fn respond(&self, arrival: Arrival<'_>, route: Route, request_id: &str) -> Answered {
        let answered = caught(pin!(self.route(arrival, route))).await;
        let mut answered = answered.unwrap_or_else(|problem| problem.dress(request_id));
        let headers = answered.response.headers_mut();
        headers.insert(X_REQUEST_ID, request_id::value(request_id));
        answered
    }

    async fn route(&self, arrival: Arrival<'_>, route: Route) -> Result<Answered, Problem> {
        let Arrival {
            request,
            origin,
            refused,
        } = arrival;
        if let Some(verdict) = refused.or_else(|| frames::vet(request).err()) {
            return Err(verdict.into());
        }
        match (&self.desk, route) {
            (Some(desk), Route::ByCode) => meetings::by_code(desk, request, origin).await,
            (Some(desk), Route::ById) => meetings::by_id(desk, request, origin).await,
            _ => self.find(std::mem::take(request)).await,
        }
    }

    /// Whatever else there is by that name.
    async fn find(&self, request: Request<()>) -> Result<Answered, Problem> {
        let request = request.map(|()| Body::empty());
        let Ok::<_, Infallible>(mut response) = self.routes.clone().call(request).await;
        if let Some(problem) = response.extensions_mut().remove::<Problem>() {
            return Err(problem);
        }
        let (parts, body) = response.into_parts();
        // What is found there is bytes already, which neither wait nor fail.
        let bytes = to_bytes(body, usize::MAX).await;
        let bytes = bytes.map_err(|_| Problem::internal())?;
        Ok(Answered {
            response: Response::from_parts(parts, bytes),
            account: Account::default(),
        })
    }
}

/// What comes of answering at once: after a panic nothing, and it goes the long way. Whatever it
/// shared is behind locks that take that.
fn unless_it_panics<T>(answering: impl FnOnce() -> Option<T>) -> Option<T> {
    catch_unwind(AssertUnwindSafe(answering)).unwrap_or_default()
}

/// What comes of answering. The panic itself was reported by the hook; its message is nobody's
/// business.
async fn caught<T>(
    mut answering: Pin<&mut impl Future<Output = Result<T, Problem>>>,
) -> Result<T, Problem> {
    let answered = std::future::poll_fn(|context| {
        // After a panic it is not gone on with, and what it shared is behind locks that take that.
        let polling = AssertUnwindSafe(|| answering.as_mut().poll(context));
        catch_unwind(polling).unwrap_or_else(|_| Poll::Ready(Err(Problem::internal())))
    });
    answered.await
}

/// The trace that this `traceparent` names.
pub(super) fn trace_id(parent: &[u8]) -> Option<TraceId> {
    let parent = Parent::read(str::from_utf8(parent).ok()?, None)?;
    Some(parent.trace_id)
}

/// The span of a caller that a request is part of, if it says so.
fn parent(fields: &(impl Fields + ?Sized)) -> Option<Parent> {
    let parent = fields.texts(TRACEPARENT).next()?;
    Parent::read(parent, fields.texts(TRACESTATE).next())
}

/// A method, as OpenTelemetry has it.
fn traced(method: metrics::Method) -> &'static str {
    match method {
        metrics::Method::Other => "_OTHER",
        metrics::Method::Get | metrics::Method::Head => method.as_str(),
    }
}

fn counted(method: &Method) -> metrics::Method {
    match *method {
        Method::GET => metrics::Method::Get,
        Method::HEAD => metrics::Method::Head,
        _ => metrics::Method::Other,
    }
}

#[cfg(test)]
mod tests {
    use http::StatusCode;

    use super::*;

    #[tokio::test]
    async fn a_panic_on_the_way_is_a_problem_that_tells_nothing_of_it() {
        let answering = async {
            tokio::task::yield_now().await;
            panic!("canary")
        };

        let caught: Result<(), Problem> = caught(pin!(answering)).await;

        let problem = caught.expect_err("no answer");
        assert_eq!(problem.status(), StatusCode::INTERNAL_SERVER_ERROR);
        assert!(!format!("{problem:?}").contains("canary"));
    }
}
