//! What is known and asked for plainly, answered at once.
//!
//! Nearly every request is for one meeting by its name, and that is kept in the form in which it is
//! wanted. Nothing has to be waited for then, and no table of header fields be made: such a request
//! goes straight from the bytes of its head to those of its answer. Whatever is otherwise in any way
//! goes the long way ([`front`]), which would give the same answer, byte for byte.

use std::sync::Arc;

use bytes::Bytes;
use http::Method;
use memchr::memchr2;
use memchr::memrchr;
use tokio::time::Instant;

use super::Desk;
use super::access::Origin;
use super::account::Account;
use super::account::Asked;
use super::date::Calendar;
use super::directives;
use super::encoding;
use super::front;
use super::head::Head;
use super::reply::Persistence;
use super::reply::Writing;
use super::request_id::RequestId;
use super::request_id::X_REQUEST_ID;
use super::shown;
use super::shown::Shown;
use super::shown::Told;
use super::validation;
use crate::meeting::Selector;
use crate::meeting::view::Encoding;
use crate::meeting::view::Form;
use crate::metrics;
use crate::metrics::Route;
use crate::wecom::Question;

/// An answer, in the bytes that are sent.
pub(super) struct Finished {
    pub(super) head: Vec<u8>,
    pub(super) body: Bytes,
}

impl Desk {
    /// Answers a request whose connection goes on, if it is such a one. If not, nothing comes of it.
    pub(super) fn at_once(
        &self,
        head: &Head<'_>,
        origin: &Origin,
        calendar: &Calendar,
    ) -> Option<Finished> {
        let began = Instant::now();
        if self.tracer.is_on() || !head.is_plain_get() {
            return None;
        }
        let fields = head.fields;
        let (route, selector) = asked_for(head.target)?;
        let (now, wall) = (self.clock.now(), self.clock.wall());
        let access = self.access.load();
        let caller = access.recognise(fields, origin, wall)?;
        let question = Question {
            app: caller.app().ok()?,
            selector,
            occurrence: None,
        };
        let at_hand = self
            .meetings
            .peek(&question, directives::wish(fields), now)?;
        let views = at_hand.finding().meeting.as_ref().ok().map(Arc::clone)?;
        let mut form = Form {
            reveal: caller.reveal(),
            encoding: Encoding::Identity,
        };
        let has = |form| views.has(form).then_some(());
        has(form)?;
        let etag = shown::etag(&views, form);
        let is_known = validation::is_known(fields, etag.as_bytes());
        if !is_known {
            form.encoding = encoding::preferred(fields);
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
        let request_id = RequestId::of(fields, wall);
        let (status, body) = (shown.status(), shown.body());
        let mut writing = Writing::begin(status);
        shown.tell(now, |name, value| {
            writing.field(name.as_str(), value);
        });
        writing.field(X_REQUEST_ID.as_str(), request_id.as_str().as_bytes());
        let finished = Finished {
            head: writing.end(body.len(), Persistence::Persists, &calendar.at(wall)),
            body,
        };
        let took = began.elapsed();
        self.metrics
            .answered(route, metrics::Method::Get, status.as_u16(), took);
        let asked = Asked {
            request_id,
            trace_id: front::parent(fields).map(|parent| parent.trace_id),
            method: Method::GET,
            route,
        };
        asked.tell(status, took, &Account::of(caller, &found));
        Some(finished)
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
