//! A meeting as a caller is shown it: which bytes, and the header fields that go with them.

use std::time::Instant;

use bytes::Bytes;
use http::StatusCode;
use http::header;

use super::access::Caller;
use super::caching;
use super::encoding;
use super::fields::Put;
use super::validation;
use super::words::Words;
use crate::meeting::MeetingId;
use crate::meeting::Selector;
use crate::meeting::view::Form;
use crate::meeting::view::Text;
use crate::meeting::view::Views;
use crate::service::Found;
use crate::wecom::Question;

/// What a caller is told about.
#[derive(Clone, Copy)]
pub(super) struct Told<'a> {
    pub(super) question: &'a Question,
    /// Whether the caller said which app to ask as.
    pub(super) names_app: bool,
    pub(super) found: &'a Found,
    pub(super) views: &'a Views,
}

/// A meeting that was found, as it is shown.
pub(super) struct Shown<'a> {
    pub(super) caller: &'a Caller,
    pub(super) told: Told<'a>,
    /// Which was made.
    pub(super) form: Form,
    pub(super) etag: Words,
    /// Whether the caller has it already, and is only told so.
    pub(super) is_known: bool,
}

impl Shown<'_> {
    pub(super) fn status(&self) -> StatusCode {
        if self.is_known {
            StatusCode::NOT_MODIFIED
        } else {
            StatusCode::OK
        }
    }

    /// The bytes that are sent, unless the caller has them.
    pub(super) fn body(&self) -> Option<&Bytes> {
        (!self.is_known).then(|| self.told.views.bytes_in(self.form))
    }

    /// Puts down each header field, in their order.
    pub(super) fn tell(&self, now: Instant, fields: &mut impl Put) {
        caching::tell(self.told.found, now, fields);
        self.caller.tell_limit(fields);
        fields.put(header::VARY, b"Authorization, Accept-Encoding");
        if let Some(location) = self.location() {
            fields.put(header::CONTENT_LOCATION, location.as_bytes());
        }
        fields.put(header::ETAG, self.etag.as_bytes());
        if self.is_known {
            return;
        }
        fields.put(header::CONTENT_TYPE, b"application/json");
        let (encoding, _) = self.text().encoded(self.form.encoding);
        if let Some(coding) = encoding::coding(encoding) {
            fields.put(header::CONTENT_ENCODING, coding.as_bytes());
        }
    }

    fn text(&self) -> &Text {
        self.told.views.text(self.form.reveal)
    }

    /// Where a meeting that was found by its number can be found by its id, by the same caller.
    fn location(&self) -> Option<String> {
        let Told {
            question,
            names_app,
            views,
            ..
        } = self.told;
        let Question {
            app,
            selector,
            occurrence,
        } = question;
        let (Selector::Code(_), Some(id)) = (selector, views.meeting_id()) else {
            return None;
        };
        // WeCom's word is only passed on if it is one that we would take.
        let id: MeetingId = id.parse().ok()?;
        let app = names_app.then_some(("app", app.as_str()));
        let occurrence = occurrence
            .as_ref()
            .map(|id| ("sub_meeting_id", id.as_str()));
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(app.into_iter().chain(occurrence));
        let query = query.finish();
        let mark = if query.is_empty() { "" } else { "?" };
        Some(format!("/meetings/{id}{mark}{query}"))
    }
}

/// The tag of what a caller is shown who may see so much.
pub(super) fn etag(views: &Views, form: Form) -> Words {
    validation::etag(views.text(form.reveal).digest())
}
