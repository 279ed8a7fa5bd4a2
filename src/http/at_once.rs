//! What is known and asked for plainly, answered at once.
//!
//! Nearly every request is for one meeting by its name, and that is kept in the form in which it is
//! wanted. Nothing has to be waited for then, and no table of header fields be made: such a request
//! goes straight from the bytes of its head to those of its answer. Whatever is otherwise in any way
//! goes the long way ([`front`]), which would give the same answer, byte for byte.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use http::Method;
use http::header::IF_NONE_MATCH;
use jiff::Timestamp;
use memchr::memchr2;
use memchr::memrchr;

use super::Desk;
use super::access::Access;
use super::access::Origin;
use super::access::Proof;
use super::account::Account;
use super::account::Asked;
use super::directives;
use super::encoding;
use super::fields::Fields;
use super::fields::Put;
use super::front;
use super::front::TRACEPARENT;
use super::habit::Habit;
use super::head::Head;
use super::reply::Persistence;
use super::reply::Writing;
use super::request_id;
use super::request_id::X_REQUEST_ID;
use super::shown;
use super::shown::Shown;
use super::shown::Told;
use super::validation;
use crate::clock::Seconds;
use crate::meeting::Selector;
use crate::meeting::view::Encoding;
use crate::meeting::view::Form;
use crate::meeting::view::Views;
use crate::metrics;
use crate::metrics::Route;
use crate::service::Wish;
use crate::wecom::Question;

/// An answer, in the bytes that are sent.
pub(super) struct Finished {
    pub(super) head: Vec<u8>,
    /// Of what its body is which form, if it has one. (Bytes of its own would be counted at a place from
    /// which nothing else is read, for each meeting another.)
    body: Option<(Arc<Views>, Form)>,
}

impl Finished {
    pub(super) fn body(&self) -> &[u8] {
        match &self.body {
            Some((views, form)) => views.bytes_in(*form),
            None => &[],
        }
    }
}

/// What is asked, as far as an answer at once depends on it.
pub(super) struct Asking<'a> {
    pub(super) target: &'a str,
    /// What the caller calls the request, whether or not that is fit.
    pub(super) request_id: Option<&'a [u8]>,
    pub(super) traceparent: Option<&'a [u8]>,
    /// The tags of what the caller has already.
    pub(super) tags: Option<&'a [u8]>,
    pub(super) proof: Proof,
    pub(super) wish: Wish,
    pub(super) encoding: Encoding,
}

impl<'a> Asking<'a> {
    /// What a head asks; `None` if it is not plain, or we do not know of whom it is.
    fn read(head: &Head<'a>, origin: &Origin, access: &Access, now: Timestamp) -> Option<Self> {
        let fields = head.fields;
        if !head.is_plain_get() {
            return None;
        }
        let mut tags = fields.lines(IF_NONE_MATCH);
        let (tags, None) = (tags.next(), tags.next()) else {
            return None;
        };
        Some(Self {
            target: head.target,
            request_id: fields.only(X_REQUEST_ID),
            traceparent: fields.texts(TRACEPARENT).next().map(str::as_bytes),
            tags,
            proof: access.recognise(fields, origin, now)?,
            wish: directives::wish(fields),
            encoding: encoding::preferred(fields),
        })
    }
}

/// When a request came.
struct Moment {
    now: Instant,
    wall: Timestamp,
}

impl Desk {
    /// Answers a request whose connection goes on, if it is such a one. If not, nothing comes of it.
    /// Notes what can be told of the next one by it.
    pub(super) fn at_once(
        &self,
        head: &Head<'_>,
        origin: &Origin,
        dates: &Seconds,
        habit: &mut Option<Habit>,
    ) -> Option<Finished> {
        *habit = None;
        let moment = self.moment();
        let access = self.access.load();
        let asking = Asking::read(head, origin, &access, moment.wall)?;
        let finished = self.answer_at_once(&asking, &access, &moment, dates)?;
        *habit = Habit::of(head, &asking, &access, moment.wall);
        Some(finished)
    }

    /// The same of one that comes as the one before it. How long its head was.
    pub(super) fn as_usual(
        &self,
        received: &[u8],
        habit: &Habit,
        dates: &Seconds,
    ) -> Option<(Finished, usize)> {
        let moment = self.moment();
        let access = self.access.load();
        let (asking, length) = habit.heard(received, &access, moment.wall)?;
        let finished = self.answer_at_once(&asking, &access, &moment, dates)?;
        Some((finished, length))
    }

    fn moment(&self) -> Moment {
        Moment {
            now: self.clock.now(),
            wall: self.clock.wall(),
        }
    }

    fn answer_at_once(
        &self,
        asking: &Asking<'_>,
        access: &Access,
        moment: &Moment,
        dates: &Seconds,
    ) -> Option<Finished> {
        if self.tracer.is_on() {
            return None;
        }
        let (route, selector) = asked_for(asking.target)?;
        let caller = access.caller(asking.proof)?;
        let question = Question {
            app: caller.app().ok()?,
            selector,
            occurrence: None,
        };
        let at_hand = self.meetings.peek(&question, asking.wish, moment.now)?;
        let views = at_hand.finding().meeting.as_ref().ok().map(Arc::clone)?;
        let mut form = Form {
            reveal: caller.reveal(),
            encoding: Encoding::Identity,
        };
        let has = |form| views.has(form).then_some(());
        has(form)?;
        let etag = shown::etag(&views, form);
        let is_known = validation::is_listed(asking.tags, etag.as_bytes());
        if !is_known {
            form.encoding = asking.encoding;
            has(form)?;
        }
        // From here on, it is answered.
        caller.spend().ok()?;
        let found = self.meetings.serve(&question, at_hand);
        let shown = Shown {
            caller,
            told: Told {
                question: &question,
                names_app: false,
                found: &found,
                views: &views,
            },
            form,
            etag,
            is_known,
        };
        let mut made = request_id::BUFFER;
        let request_id = request_id::of(asking.request_id, moment.wall, &mut made);
        let (status, length) = (shown.status(), shown.body().map_or(0, Bytes::len));
        let mut writing = Writing::begin(status);
        shown.tell(moment.now, &mut writing);
        writing.put(X_REQUEST_ID, request_id.as_bytes());
        let date = dates.name(moment.wall);
        let head = writing.end(length, Persistence::Persists, &date);
        let took = self.clock.now() - moment.now;
        self.metrics
            .answered(route, metrics::Method::Get, status.as_u16(), took);
        let asked = Asked {
            request_id,
            trace_id: asking.traceparent.and_then(front::trace_id),
            method: Method::GET,
            route,
        };
        asked.tell(status, took, &Account::of(caller, &found));
        let body = (!is_known).then_some((views, form));
        Some(Finished { head, body })
    }
}

/// Which meeting a target names, if it is plain: without a query, and nothing to be decoded.
fn asked_for(target: &str) -> Option<(Route, Selector)> {
    let path = target.as_bytes();
    let name = target.get(memrchr(b'/', path)? + 1..)?;
    if memchr2(b'%', b'?', path).is_some() {
        return None;
    }
    let route = Route::of(target);
    let selector = match route {
        Route::ByCode => Selector::Code(name.parse().ok()?),
        Route::ById => Selector::Id(name.parse().ok()?),
        Route::Docs | Route::DocsFile | Route::None | Route::OpenApi | Route::OpenApi30 => {
            return None;
        }
    };
    Some((route, selector))
}
