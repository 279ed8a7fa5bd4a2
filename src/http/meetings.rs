//! The callers' routes: `/meetings/{meeting_id}` and `/meetings/by-code/{meeting_code}`.

use axum::Router;
use axum::body::Body;
use axum::extract::Path;
use axum::extract::State;
use axum::extract::rejection::PathRejection;
use axum::response::Response;
use axum::routing::any;
use http::HeaderMap;
use http::HeaderValue;
use http::StatusCode;
use http::header;

use super::Desk;
use super::access::Caller;
use super::account::Account;
use super::caching;
use super::directives;
use super::encoding;
use super::parameters::Parameters;
use super::problem::Problem;
use super::reading::Reading;
use super::validation;
use crate::meeting::InvalidMeetingCode;
use crate::meeting::InvalidMeetingId;
use crate::meeting::Meeting;
use crate::meeting::MeetingCode;
use crate::meeting::MeetingId;
use crate::meeting::Selector;
use crate::meeting::view::Views;
use crate::metrics::Lookup;
use crate::service::Found;
use crate::wecom::Question;

/// What a caller is told who takes another.
pub(super) const ROUTES: &str =
    "the routes are /meetings/{meeting_id} and /meetings/by-code/{meeting_code}; /docs shows them";

/// The routes. Which method is taken is judged after the caller: hence `any`.
pub(super) fn routes(desk: Desk) -> Router {
    Router::new()
        .route("/meetings/{meeting_id}", any(by_id))
        .route("/meetings/by-code/{meeting_code}", any(by_code))
        .fallback(async || Problem::no_such_route(ROUTES))
        .with_state(desk)
}

/// `GET /meetings/{meeting_id}`
#[utoipa::path(
    method(get, head),
    path = "/meetings/{meeting_id}",
    operation_id = "meeting",
    summary = "A meeting, by its id",
    description = "The meeting of that id, as far as the key may see it.",
    params(
        (
            "meeting_id" = inline(MeetingId), Path,
            description = "WeCom's id of the meeting (`meetingid`); case-sensitive.",
            example = "hyXG0RCQAAogMgFb9Tx_b-1-lhJRWvvg",
        ),
        Parameters,
    ),
    responses((status = 200, body = Meeting)),
    security(("key" = [])),
    tag = "meetings",
)]
pub(super) async fn by_id(
    caller: Caller,
    request: Reading,
    State(desk): State<Desk>,
    id: Result<Path<String>, PathRejection>,
) -> Result<Response, Problem> {
    let id = id.map_err(|_| InvalidMeetingId);
    let id = id.and_then(|Path(id)| id.parse()).map(Selector::Id);
    desk.answer(&caller, id.map_err(Problem::from), &request)
        .await
}

/// `GET /meetings/by-code/{meeting_code}`
#[utoipa::path(
    method(get, head),
    path = "/meetings/by-code/{meeting_code}",
    operation_id = "meeting_by_code",
    summary = "The meeting now behind a number",
    description = "The meeting that people reach by that number at present. Numbers are handed on: \
        whoever keeps a meeting should keep its id.",
    params(
        (
            "meeting_code" = inline(MeetingCode), Path,
            description = "The number that people dial: 6 to 12 digits, ASCII or full-width. \
                Spaces and dashes of any kind do not count.",
            example = "446-153-273",
        ),
        Parameters,
    ),
    responses((status = 200, body = Meeting)),
    security(("key" = [])),
    tag = "meetings",
)]
pub(super) async fn by_code(
    caller: Caller,
    request: Reading,
    State(desk): State<Desk>,
    code: Result<Path<String>, PathRejection>,
) -> Result<Response, Problem> {
    let code = code.map_err(|_| InvalidMeetingCode);
    let code = code.and_then(|Path(code)| code.parse()).map(Selector::Code);
    desk.answer(&caller, code.map_err(Problem::from), &request)
        .await
}

impl Desk {
    /// The meeting of that name, if it is a name; or a problem that knows whose it is.
    async fn answer(
        &self,
        caller: &Caller,
        name: Result<Selector, Problem>,
        request: &Reading,
    ) -> Result<Response, Problem> {
        let shown = async { self.show(caller, name?, request).await };
        shown.await.map_err(|problem| problem.to(caller))
    }

    async fn show(
        &self,
        caller: &Caller,
        selector: Selector,
        request: &Reading,
    ) -> Result<Response, Problem> {
        let query = request.query.as_deref().unwrap_or_default();
        let Parameters {
            app,
            sub_meeting_id,
        } = Parameters::parse(query)?;
        let app = self.access.load().app(caller, app.as_deref())?;
        let question = Question {
            app,
            selector,
            occurrence: sub_meeting_id,
        };
        let wish = directives::wish(&request.headers);
        let found = self.meetings.lookup(&question, wish).await;
        let found =
            found.map_err(|refusal| Problem::of(refusal, self.clock.now()).after(Lookup::Error))?;
        self.dress(caller, &question, &found, &request.headers)
    }

    /// The caller's view of what was found, or word that the caller has it already.
    fn dress(
        &self,
        caller: &Caller,
        question: &Question,
        found: &Found,
        request: &HeaderMap,
    ) -> Result<Response, Problem> {
        let mut headers = caching::headers(found, self.clock.now());
        caller.tell_limit(&mut headers);
        let views = match &found.answer.value.meeting {
            Ok(views) => views,
            Err(absent) => {
                headers.insert(header::VARY, HeaderValue::from_static("Authorization"));
                let problem = Problem::from(*absent).with_headers(&headers);
                return Err(problem.after(found.lookup()));
            }
        };
        let bytes_before = views.bytes();
        let text = views.text(caller.reveal());
        let etag = validation::etag(text.digest());
        headers.insert(
            header::VARY,
            HeaderValue::from_static("Authorization, Accept-Encoding"),
        );
        if let Some(location) = content_location(question, views) {
            headers.insert(header::CONTENT_LOCATION, location);
        }
        let mut response = Response::new(Body::empty());
        if validation::is_known(request, &etag) {
            *response.status_mut() = StatusCode::NOT_MODIFIED;
        } else {
            let (encoding, bytes) = text.encoded(encoding::preferred(request));
            *response.body_mut() = Body::from(bytes.clone());
            headers.insert(
                header::CONTENT_TYPE,
                HeaderValue::from_static("application/json"),
            );
            if let Some(coding) = encoding::coding(encoding) {
                headers.insert(header::CONTENT_ENCODING, coding);
            }
        }
        headers.insert(header::ETAG, caching::text(etag));
        if views.bytes() != bytes_before {
            self.meetings.has_grown(question, views);
        }
        *response.headers_mut() = headers;
        response.extensions_mut().insert(Account::of(caller, found));
        Ok(response)
    }
}

/// Where a meeting that was found by its number can be found by its id.
fn content_location(question: &Question, views: &Views) -> Option<HeaderValue> {
    let (Selector::Code(_), Some(id)) = (&question.selector, views.meeting_id()) else {
        return None;
    };
    // WeCom's word is only passed on if it is one that we would take.
    let id: MeetingId = id.parse().ok()?;
    let mut location = format!("/meetings/{id}");
    if let Some(occurrence) = &question.occurrence {
        location = format!("{location}?sub_meeting_id={occurrence}");
    }
    Some(caching::text(location))
}
