//! The callers' routes: `/meetings/{meeting_id}` and `/meetings/by-code/{meeting_code}`.

use axum::Router;
use axum::body::Body;
use axum::extract::FromRequestParts;
use axum::extract::Path;
use axum::extract::RawQuery;
use axum::extract::State;
use axum::extract::rejection::PathRejection;
use axum::response::Response;
use axum::routing::any;
use http::HeaderValue;
use http::Method;
use http::header;
use http::request::Parts;

use super::Desk;
use super::access::Caller;
use super::caching;
use super::caching::Sense;
use super::problem::Kind;
use super::problem::Problem;
use crate::cache::Found;
use crate::meeting::InvalidMeetingCode;
use crate::meeting::InvalidMeetingId;
use crate::meeting::MeetingCode;
use crate::meeting::MeetingId;
use crate::meeting::Selector;
use crate::service::Finding;
use crate::wecom::Question;

/// The routes. Which method is taken is judged after the caller: hence `any`.
pub(super) fn routes(desk: Desk) -> Router {
    Router::new()
        .route("/meetings/{meeting_id}", any(by_id))
        .route("/meetings/by-code/{meeting_code}", any(by_code))
        .fallback(async || Problem::no_such_route())
        .with_state(desk)
}

/// `GET /meetings/{meeting_id}`
async fn by_id(
    caller: Caller,
    _: Reading,
    State(desk): State<Desk>,
    id: Result<Path<String>, PathRejection>,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let Path(id) = id.map_err(|_| InvalidMeetingId)?;
    let id: MeetingId = id.parse()?;
    desk.show(&caller, Selector::Id(id), query.as_deref()).await
}

/// `GET /meetings/by-code/{meeting_code}`
async fn by_code(
    caller: Caller,
    _: Reading,
    State(desk): State<Desk>,
    code: Result<Path<String>, PathRejection>,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let Path(code) = code.map_err(|_| InvalidMeetingCode)?;
    let code: MeetingCode = code.parse()?;
    desk.show(&caller, Selector::Code(code), query.as_deref())
        .await
}

impl Desk {
    async fn show(
        &self,
        caller: &Caller,
        selector: Selector,
        query: Option<&str>,
    ) -> Result<Response, Problem> {
        let Parameters {
            app,
            sub_meeting_id,
        } = Parameters::parse(query.unwrap_or_default())?;
        let app = self.access.app(caller, app.as_deref())?;
        let question = Question {
            app,
            selector,
            occurrence: sub_meeting_id,
        };
        let asking = tokio::time::timeout(self.request_timeout, self.meetings.lookup(&question));
        let found = match asking.await {
            Err(_) => Err(Problem::timed_out()),
            Ok(Err(trouble)) => Err(trouble.into()),
            Ok(Ok(found)) => Ok(found),
        };
        let found = found.map_err(Problem::after_asking)?;
        self.dress(caller, found)
    }

    /// The caller's view of what was found.
    fn dress(&self, caller: &Caller, found: Found<Finding>) -> Result<Response, Problem> {
        let Found { answer, source } = found;
        let now = self.clock.now();
        let views = match &answer.value {
            Ok(views) => views,
            Err(absent) => {
                let headers = caching::headers(&answer, source, Sense::Negative, now);
                return Err(Problem::from(*absent).with_headers(&headers));
            }
        };
        let mut response = Response::new(Body::from(views.body(caller.reveal()).clone()));
        let headers = response.headers_mut();
        *headers = caching::headers(&answer, source, Sense::Positive, now);
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/json"),
        );
        headers.insert(
            header::VARY,
            HeaderValue::from_static("Authorization, Accept-Encoding"),
        );
        Ok(response)
    }
}

/// A request that only reads. HEAD is answered as GET is; the server leaves the body out.
struct Reading;

impl FromRequestParts<Desk> for Reading {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &Desk) -> Result<Self, Self::Rejection> {
        match parts.method {
            Method::GET | Method::HEAD => Ok(Self),
            _ => Err(Problem::method_not_allowed("GET, HEAD")),
        }
    }
}

/// The query parameters of both routes.
#[derive(Debug, Default, Eq, PartialEq)]
struct Parameters {
    app: Option<String>,
    sub_meeting_id: Option<MeetingId>,
}

impl Parameters {
    /// Reads a query. A name that we do not know is refused, not ignored: it may be a misspelling,
    /// and WeCom has parameters of its own that must not be passed on.
    fn parse(query: &str) -> Result<Self, Problem> {
        let invalid = |detail| Problem::new(Kind::InvalidQuery, detail);
        let mut parameters = Self::default();
        for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
            if value.is_empty() {
                return Err(invalid("a parameter is empty"));
            }
            let repeated = match name.as_ref() {
                "app" => parameters.app.replace(value.into_owned()).is_some(),
                "sub_meeting_id" => {
                    let id = value.parse();
                    let id =
                        id.map_err(|_| invalid("sub_meeting_id is spelled as a meeting id"))?;
                    parameters.sub_meeting_id.replace(id).is_some()
                }
                _ => return Err(invalid("the parameters are app and sub_meeting_id")),
            };
            if repeated {
                return Err(invalid("a parameter is repeated"));
            }
        }
        Ok(parameters)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_names_an_app_and_an_occurrence_and_nothing_else() {
        let parsed = Parameters::parse("app=hr&sub_meeting_id=s-1").expect("a query");
        assert_eq!(parsed.app.as_deref(), Some("hr"));
        assert_eq!(
            parsed.sub_meeting_id.map(|id| id.to_string()),
            Some("s-1".to_owned())
        );

        for query in [
            "app=",
            "app",
            "app=a&app=a",
            "debug=1",
            "sub_meeting_id=a/b",
            "=x",
            "%ff=1",
        ] {
            assert!(Parameters::parse(query).is_err(), "{query}");
        }
        for query in ["", "&", "&&"] {
            assert_eq!(
                Parameters::parse(query).expect("a query"),
                Parameters::default(),
                "{query}"
            );
        }
    }
}
