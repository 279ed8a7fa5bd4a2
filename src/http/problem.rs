//! What we tell a caller who does not get a meeting (RFC 9457), and the only place that knows which
//! fault has which status.
//!
//! Nothing of WeCom's `errmsg` is ever in a problem, nor a URL, nor what broke inside of us.

use std::borrow::Cow;
use std::time::Duration;
use std::time::Instant;

use axum::body::Body;
use axum::response::IntoResponse;
use axum::response::Response;
use bytes::Bytes;
use http::HeaderMap;
use http::HeaderName;
use http::HeaderValue;
use http::StatusCode;
use http::header;
use serde::Serialize;
use utoipa::PartialSchema;
use utoipa::ToSchema;
use utoipa::openapi::ObjectBuilder;
use utoipa::openapi::RefOr;
use utoipa::openapi::Type;
use utoipa::openapi::schema::Schema;

use super::access::Caller;
use super::account::Account;
use super::answered::Answered;
use super::caching;
use super::caching::CACHE_STATUS;
use crate::meeting::InvalidMeetingCode;
use crate::meeting::InvalidMeetingId;
use crate::metrics::Lookup;
use crate::service::Cause;
use crate::service::Refusal;
use crate::wecom::Absence;
use crate::wecom::Absent;
use crate::wecom::Fault;

/// After how long it is worth trying again where we do not know better: a fault is remembered about
/// so long.
const RETRY_SOON: Duration = Duration::from_secs(1);

/// A problem: its kind, and what is particular about this case.
#[derive(Clone, Debug)]
pub(super) struct Problem {
    kind: Kind,
    detail: Cow<'static, str>,
    wecom_errcode: Option<i64>,
    /// Who asked, and what was looked up for them.
    account: Box<Account>,
    /// Besides those that every problem has. A later one replaces an earlier of its name.
    headers: Vec<(HeaderName, HeaderValue)>,
}

/// Declares the kinds of problem: their code, status and title, one row each.
macro_rules! kinds {
    ($($variant:ident = $code:literal, $status:ident, $title:literal;)*) => {
        /// The kinds of problem.
        #[derive(Clone, Copy, Debug, Eq, PartialEq)]
        pub(super) enum Kind {
            $($variant,)*
        }

        impl Kind {
            /// All of them.
            const ALL: [Self; [$($code),*].len()] = [$(Self::$variant),*];

            /// What programs know it by.
            pub(super) const fn code(self) -> &'static str {
                match self { $(Self::$variant => $code,)* }
            }

            /// The status that goes with it.
            pub(super) const fn status(self) -> StatusCode {
                match self { $(Self::$variant => StatusCode::$status,)* }
            }

            /// What people know it by.
            pub(super) const fn title(self) -> &'static str {
                match self { $(Self::$variant => $title,)* }
            }
        }
    };
}

kinds! {
    AppNotAllowed = "app_not_allowed", FORBIDDEN, "Your key does not cover this app";
    BadRequest = "bad_request", BAD_REQUEST, "The request is not taken as it stands";
    CrossSite = "cross_site", FORBIDDEN, "A page of another site changes nothing here";
    HeadersTooLarge = "headers_too_large", REQUEST_HEADER_FIELDS_TOO_LARGE, "The request's head is too large";
    Internal = "internal", INTERNAL_SERVER_ERROR, "A fault of ours";
    InvalidMeetingCode = "invalid_meeting_code", BAD_REQUEST, "Not a meeting code";
    InvalidMeetingId = "invalid_meeting_id", BAD_REQUEST, "Not a meeting id";
    InvalidQuery = "invalid_query", BAD_REQUEST, "Not a query that this route takes";
    MeetingGone = "meeting_gone", GONE, "The meeting was deleted or called off";
    MeetingNotFound = "meeting_not_found", NOT_FOUND, "No such meeting";
    MethodNotAllowed = "method_not_allowed", METHOD_NOT_ALLOWED, "This method is not allowed here";
    NoSuchRoute = "no_such_route", NOT_FOUND, "Nothing is here";
    NotCached = "not_cached", GATEWAY_TIMEOUT, "Nothing is kept that will do";
    NotAccessible = "not_accessible", FORBIDDEN, "WeCom does not let this app see this meeting";
    Overloaded = "overloaded", SERVICE_UNAVAILABLE, "Too much is asked of us at the moment";
    RejectedByWecom = "rejected_by_wecom", BAD_REQUEST, "WeCom rejects the question";
    TooManyRequests = "too_many_requests", TOO_MANY_REQUESTS, "Too many requests";
    Unauthenticated = "unauthenticated", UNAUTHORIZED, "A key is needed";
    UnknownApp = "unknown_app", BAD_REQUEST, "No app of that name is set up";
    UriTooLong = "uri_too_long", URI_TOO_LONG, "The request's target is too long";
    WecomGarbled = "wecom_garbled", BAD_GATEWAY, "WeCom's answer is of no use";
    WecomRateLimited = "wecom_rate_limited", SERVICE_UNAVAILABLE, "WeCom is asked too often";
    WecomRefusedUs = "wecom_refused_us", BAD_GATEWAY, "WeCom refuses us until a person acts";
    WecomTimeout = "wecom_timeout", GATEWAY_TIMEOUT, "WeCom did not answer in time";
    WecomUnavailable = "wecom_unavailable", SERVICE_UNAVAILABLE, "WeCom is not available";
    WecomUnknownError = "wecom_unknown_error", BAD_GATEWAY, "WeCom answers with an unknown error";
}

impl Kind {
    /// The body of such a problem.
    pub(super) fn document<'a>(
        self,
        detail: &'a str,
        instance: &'a str,
        wecom_errcode: Option<i64>,
    ) -> Document<'a> {
        Document {
            r#type: format!("urn:wecom-meeting-proxy:problem:{}", self.code()),
            title: self.title(),
            status: self.status().as_u16(),
            detail,
            instance,
            code: self.code(),
            retryable: self.retryable(),
            wecom_errcode,
        }
    }

    /// Whether the same request may succeed later without anybody changing anything.
    fn retryable(self) -> bool {
        let by_status = [
            StatusCode::TOO_MANY_REQUESTS,
            StatusCode::SERVICE_UNAVAILABLE,
        ]
        .contains(&self.status());
        by_status || self == Self::WecomTimeout
    }
}

/// Why a request did not get a meeting (RFC 9457).
// The body of a problem, in the order of the RFC with our own members last.
#[derive(Serialize, ToSchema)]
#[schema(as = Problem)]
pub(super) struct Document<'a> {
    /// The URN of this kind of problem: `urn:wecom-meeting-proxy:problem:` and the code.
    #[schema(format = "uri")]
    r#type: String,
    /// What kind of problem it is, for people.
    title: &'a str,
    /// The status of the answer.
    #[schema(minimum = 400, maximum = 599)]
    status: u16,
    /// What is particular about this case, for people.
    detail: &'a str,
    /// The request's id, as in `X-Request-Id`: the service's log knows it.
    instance: &'a str,
    /// What kind of problem it is, for programs.
    #[schema(value_type = Code)]
    code: &'a str,
    /// Whether the same request may succeed later without anybody changing anything.
    retryable: bool,
    /// WeCom's number for what went wrong, where it told one.
    wecom_errcode: Option<i64>,
}

impl Kind {
    /// Those that callers can be told. The others are for operators.
    pub(super) fn of_callers() -> impl Iterator<Item = Self> {
        Self::ALL
            .into_iter()
            .filter(|kind| *kind != Self::CrossSite)
    }
}

/// The code of some kind, as the API's description has it.
struct Code;

impl PartialSchema for Code {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .enum_values(Some(Kind::of_callers().map(Kind::code)))
            .into()
    }
}

impl ToSchema for Code {}

impl Problem {
    /// A problem, with a sentence for the person who reads it.
    pub(super) fn new(kind: Kind, detail: impl Into<Cow<'static, str>>) -> Self {
        let mut headers = vec![(header::CACHE_CONTROL, HeaderValue::from_static("no-store"))];
        if kind.status() == StatusCode::SERVICE_UNAVAILABLE {
            headers.push((header::RETRY_AFTER, seconds_up(RETRY_SOON)));
        }
        Self {
            kind,
            detail: detail.into(),
            wecom_errcode: None,
            account: Box::default(),
            headers,
        }
    }

    /// The same, told to that caller.
    pub(super) fn to(mut self, caller: &Caller) -> Self {
        self.account.caller = caller.name();
        self
    }

    /// The same, after something was looked up.
    pub(super) fn after(mut self, lookup: Lookup) -> Self {
        self.account.lookup = Some(lookup);
        self
    }

    /// The same, with a header field.
    pub(super) fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    /// The same, with several.
    pub(super) fn with_headers(mut self, headers: &HeaderMap) -> Self {
        let named = headers
            .iter()
            .map(|(name, value)| (name.clone(), value.clone()));
        self.headers.extend(named);
        self
    }

    /// A request of which a gateway and we could make different things. The connection is closed:
    /// we would not agree where the next request begins.
    pub(super) fn bad_request(detail: &'static str) -> Self {
        Self::new(Kind::BadRequest, detail).with_header(header::CONNECTION, CLOSE)
    }

    /// A target longer than we read. The rest of it is still to come: the connection is closed.
    pub(super) fn uri_too_long() -> Self {
        Self::new(Kind::UriTooLong, "a target has up to 8 KiB")
            .with_header(header::CONNECTION, CLOSE)
    }

    /// A head larger than we read. The rest of it is still to come: the connection is closed.
    pub(super) fn headers_too_large() -> Self {
        Self::new(
            Kind::HeadersTooLarge,
            "a head has up to 32 KiB and 100 fields",
        )
        .with_header(header::CONNECTION, CLOSE)
    }

    /// No place for another connection.
    pub(super) fn crowded() -> Self {
        Self::new(Kind::Overloaded, "too many connections are open")
    }

    /// More than somebody may send. After `wait`, one more will be taken.
    pub(super) fn too_many_requests(detail: &'static str, wait: Duration) -> Self {
        Self::new(Kind::TooManyRequests, detail)
            .with_header(header::RETRY_AFTER, seconds_up(wait.max(RETRY_SOON)))
    }

    /// The same answer for no key and for a wrong one, for one that has expired and for a token
    /// that is not taken.
    pub(super) fn unauthenticated() -> Self {
        Self::new(
            Kind::Unauthenticated,
            "send your key as \"Authorization: Bearer KEY\"",
        )
        .with_header(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))
    }

    /// A method that no route here takes.
    pub(super) fn method_not_allowed(allow: &'static str) -> Self {
        Self::new(Kind::MethodNotAllowed, format!("this route takes {allow}"))
            .with_header(header::ALLOW, HeaderValue::from_static(allow))
    }

    /// A path that leads nowhere; `routes` are those there are.
    pub(super) fn no_such_route(routes: &'static str) -> Self {
        Self::new(Kind::NoSuchRoute, routes)
    }

    /// A fault of ours, of which nothing is told.
    pub(super) fn internal() -> Self {
        Self::new(Kind::Internal, "the log knows more, under this instance")
    }

    /// The status that goes with it.
    pub(super) fn status(&self) -> StatusCode {
        self.kind.status()
    }

    /// The whole answer, once the request it answers has its id.
    pub(super) fn dress(self, request_id: &str) -> Answered {
        let Self {
            kind,
            detail,
            wecom_errcode,
            account,
            headers,
        } = self;
        let document = kind.document(&detail, request_id, wecom_errcode);
        // Texts and numbers always serialise.
        let body = serde_json::to_vec(&document).unwrap_or_default();
        let mut response = http::Response::new(Bytes::from(body));
        *response.status_mut() = kind.status();
        for (name, value) in headers {
            response.headers_mut().insert(name, value);
        }
        let problem_json = HeaderValue::from_static("application/problem+json");
        response
            .headers_mut()
            .insert(header::CONTENT_TYPE, problem_json);
        Answered {
            response,
            account: Account {
                errcode: wecom_errcode,
                ..*account
            },
        }
    }
}

const CLOSE: HeaderValue = HeaderValue::from_static("close");

impl IntoResponse for Problem {
    /// A bare answer that carries the problem: it is dressed where the request's id is known.
    fn into_response(self) -> Response {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = self.status();
        response.extensions_mut().insert(self);
        response
    }
}

impl From<InvalidMeetingId> for Problem {
    fn from(error: InvalidMeetingId) -> Self {
        Self::new(Kind::InvalidMeetingId, error.to_string())
    }
}

impl From<InvalidMeetingCode> for Problem {
    fn from(error: InvalidMeetingCode) -> Self {
        Self::new(Kind::InvalidMeetingCode, error.to_string())
    }
}

impl From<Absent> for Problem {
    fn from(Absent { absence, errcode }: Absent) -> Self {
        let (kind, detail) = match absence {
            Absence::Gone => (Kind::MeetingGone, "it was there once"),
            Absence::NotAccessible => (
                Kind::NotAccessible,
                "WeCom shows an app only the meetings that it created",
            ),
            Absence::NotFound => (
                Kind::MeetingNotFound,
                "WeCom knows no such meeting or occurrence, or it is another app's",
            ),
        };
        Self {
            wecom_errcode: Some(errcode),
            ..Self::new(kind, detail)
        }
    }
}

impl Problem {
    /// Why a caller gets nothing, at `now`. Only where WeCom was to be asked, and in vain, is that
    /// told in `Cache-Status`.
    pub(super) fn of(refusal: Refusal, now: Instant) -> Self {
        match refusal {
            Refusal::Broken => Self::internal(),
            Refusal::Crowded => Self::too_many_questions(),
            Refusal::Fault {
                fault,
                cause,
                until,
            } => Self::of_fault(&fault, cause, until.saturating_duration_since(now)),
            Refusal::NotCached => Self::new(
                Kind::NotCached,
                "you asked for no question, and nothing is kept that will do",
            ),
        }
    }

    fn too_many_questions() -> Self {
        Self::new(Kind::Overloaded, "too many questions are under way")
    }

    fn of_fault(fault: &Fault, cause: Cause, wait: Duration) -> Self {
        let kind = match fault {
            Fault::Crowded => return Self::too_many_questions(),
            Fault::Garbled(_) => Kind::WecomGarbled,
            Fault::NoSuchApp => return Self::new(Kind::UnknownApp, fault.to_string()),
            Fault::RateLimited { .. } => Kind::WecomRateLimited,
            Fault::Refused { .. } => Kind::WecomRefusedUs,
            Fault::Rejected { .. } => Kind::RejectedByWecom,
            Fault::TimedOut => Kind::WecomTimeout,
            Fault::Unavailable { .. } => Kind::WecomUnavailable,
            Fault::Unknown { .. } => Kind::WecomUnknownError,
        };
        let mut problem = Self::new(kind, fault.to_string());
        problem.wecom_errcode = fault.errcode();
        if kind.status() == StatusCode::SERVICE_UNAVAILABLE {
            problem = problem.with_header(header::RETRY_AFTER, seconds_up(wait));
        }
        problem.with_header(CACHE_STATUS, caching::in_vain(cause))
    }
}

/// Whole seconds, rounded up: who comes back then does not come too early. At least one.
fn seconds_up(duration: Duration) -> HeaderValue {
    let begun = u64::from(duration.subsec_nanos() > 0);
    HeaderValue::from((duration.as_secs() + begun).max(1))
}
