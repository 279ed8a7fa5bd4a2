//! The callers' routes: `/meetings/{meeting_id}` and `/meetings/by-code/{meeting_code}`.
//!
//! A request is judged by its key first, then by its method, its name and its query.

use std::borrow::Cow;
use std::sync::Arc;

use http::HeaderMap;
use http::Request;
use http::Response;
use http::header;
use memchr::memchr;
use memchr::memrchr;
use percent_encoding::percent_decode_str;

use super::Desk;
use super::access::Caller;
use super::access::Origin;
use super::account::Account;
use super::answered::Answered;
use super::caching;
use super::directives;
use super::encoding;
use super::fields::Put;
use super::parameters::Parameters;
use super::problem::Problem;
use super::reading;
use super::shown;
use super::shown::Shown;
use super::shown::Told;
use super::validation;
use crate::meeting::InvalidMeetingCode;
use crate::meeting::InvalidMeetingId;
use crate::meeting::Meeting;
use crate::meeting::MeetingCode;
use crate::meeting::MeetingId;
use crate::meeting::Selector;
use crate::meeting::view::Encoding;
use crate::meeting::view::Form;
use crate::metrics::Lookup;
use crate::service::Found;
use crate::wecom::Absent;
use crate::wecom::Question;

/// What a caller is told who takes another.
pub(super) const ROUTES: &str =
    "the routes are /meetings/{meeting_id} and /meetings/by-code/{meeting_code}; /docs shows them";

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
    desk: &Desk,
    request: &Request<()>,
    origin: &Origin,
) -> Result<Answered, Problem> {
    let caller = desk.admit(request, origin)?;
    let id = name(request).ok_or(InvalidMeetingId);
    let id = id.and_then(|id| id.parse()).map(Selector::Id);
    desk.answer(&caller, id.map_err(Problem::from), request)
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
    desk: &Desk,
    request: &Request<()>,
    origin: &Origin,
) -> Result<Answered, Problem> {
    let caller = desk.admit(request, origin)?;
    let code = name(request).ok_or(InvalidMeetingCode);
    let code = code.and_then(|code| code.parse()).map(Selector::Code);
    desk.answer(&caller, code.map_err(Problem::from), request)
        .await
}

/// What stands at the end of the path; `None` if it is no text.
fn name(request: &Request<()>) -> Option<Cow<'_, str>> {
    let path = request.uri().path();
    let name = path.get(memrchr(b'/', path.as_bytes())? + 1..)?;
    if memchr(b'%', name.as_bytes()).is_some() {
        percent_decode_str(name).decode_utf8().ok()
    } else {
        Some(name.into())
    }
}

impl Desk {
    /// Who asks.
    fn admit(&self, request: &Request<()>, origin: &Origin) -> Result<Caller, Problem> {
        self.access.load().admit(request.headers(), origin)
    }

    /// The meeting of that name, if it is a name; or a problem that knows whose it is.
    async fn answer(
        &self,
        caller: &Caller,
        name: Result<Selector, Problem>,
        request: &Request<()>,
    ) -> Result<Answered, Problem> {
        let shown = async {
            reading::check(request.method())?;
            self.show(caller, name?, request).await
        };
        shown.await.map_err(|problem| problem.to(caller))
    }

    async fn show(
        &self,
        caller: &Caller,
        selector: Selector,
        request: &Request<()>,
    ) -> Result<Answered, Problem> {
        let query = request.uri().query().unwrap_or_default();
        let Parameters {
            app,
            sub_meeting_id,
        } = Parameters::parse(query)?;
        let names_app = app.is_some();
        let app = match app {
            Some(name) => self.access.load().app(caller, &name)?,
            None => caller.app()?,
        };
        let question = Question {
            app,
            selector,
            occurrence: sub_meeting_id,
        };
        let wish = directives::wish(request.headers());
        let found = self.meetings.lookup(&question, wish).await;
        let found =
            found.map_err(|refusal| Problem::of(refusal, self.clock.now()).after(Lookup::Error))?;
        let views = match &found.answer.value.meeting {
            Ok(views) => Arc::clone(views),
            Err(absent) => return Err(self.deny(caller, &found, *absent)),
        };
        let told = Told {
            question: &question,
            found: &found,
            views: &views,
            names_app,
        };
        self.dress(caller, told, request.headers()).await
    }

    /// Word that there is no meeting to show, and how long that is good for.
    fn deny(&self, caller: &Caller, found: &Found, absent: Absent) -> Problem {
        let mut headers = HeaderMap::new();
        caching::tell(found, self.clock.now(), &mut headers);
        caller.tell_limit(&mut headers);
        headers.put(header::VARY, b"Authorization");
        let problem = Problem::from(absent).with_headers(&headers);
        problem.after(found.lookup())
    }

    /// The caller's view of what was found, or word that the caller has it already.
    async fn dress(
        &self,
        caller: &Caller,
        told: Told<'_>,
        request: &HeaderMap,
    ) -> Result<Answered, Problem> {
        let mut form = Form {
            reveal: caller.reveal(),
            encoding: Encoding::Identity,
        };
        self.finish(&told, form).await?;
        let etag = shown::etag(told.views, form);
        let is_known = validation::is_known(request, etag.as_bytes());
        if !is_known {
            form.encoding = encoding::preferred(request);
            self.finish(&told, form).await?;
        }
        let shown = Shown {
            caller,
            told,
            form,
            etag,
            is_known,
        };
        let mut response = Response::new(shown.body().cloned().unwrap_or_default());
        *response.status_mut() = shown.status();
        shown.tell(self.clock.now(), response.headers_mut());
        Ok(Answered {
            response,
            account: Account::of(caller, told.found),
        })
    }

    /// Has that form of a view made, if nobody asked for it before.
    async fn finish(&self, told: &Told<'_>, form: Form) -> Result<(), Problem> {
        let Told {
            question, found, ..
        } = told;
        let finished = self.meetings.finish(question, &found.answer.value, form);
        finished
            .await
            .map_err(|refusal| Problem::of(refusal, self.clock.now()).after(found.lookup()))
    }
}
