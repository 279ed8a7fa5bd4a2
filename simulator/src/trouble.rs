//! What can go wrong, and for how many requests. Knows not how it looks on the wire.

use std::time::Duration;

use bytes::Bytes;

use crate::protocol::Api;

/// Where a redirect leads unless it is told otherwise. The simulator counts who comes.
pub(crate) const REDIRECTED_PATH: &str = "/_redirected";

/// Something that goes wrong at one API, until it is cleared or has happened often enough.
///
/// One API has one trouble at a time; setting another replaces it. Requests are counted whether
/// or not they run into it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Trouble {
    pub(crate) kind: Kind,
    pub(crate) latency: Duration,
    /// `None`: until it is cleared.
    times: Option<u64>,
}

/// What becomes of an answer.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Kind {
    Array,
    Drip { every: Duration },
    DripForever { every: Duration },
    Errcode(i32),
    GzipBomb { bytes: u64 },
    Hang,
    Html { status: u16 },
    Huge { bytes: u64 },
    None,
    Raw(Bytes),
    Redirect { to: String },
    Reset,
    SameToken,
    Status(u16),
    Truncated,
}

impl Trouble {
    /// A JSON array where an object is due.
    pub fn array() -> Self {
        Self::of(Kind::Array)
    }

    /// The right answer, one byte `every` so long (a millisecond at least).
    pub fn drip(every: Duration) -> Self {
        Self::of(Kind::Drip { every })
    }

    /// As [`Trouble::drip`], and after the answer spaces without end: no pause between two bytes
    /// is ever long enough to time out.
    pub fn drip_forever(every: Duration) -> Self {
        Self::of(Kind::DripForever { every })
    }

    /// HTTP 200 with this `errcode`. Code 40014 at `get_info` refuses every token, old and new.
    pub fn errcode(errcode: i32) -> Self {
        Self::of(Kind::Errcode(errcode))
    }

    /// A gzipped JSON object of so many `bytes`, which are a thousandth of that on the wire.
    pub fn gzip_bomb(bytes: u64) -> Self {
        Self::of(Kind::GzipBomb { bytes })
    }

    /// The request is read and never answered, even after the trouble is cleared.
    pub fn hang() -> Self {
        Self::of(Kind::Hang)
    }

    /// HTTP 200 with a web page, as a captive portal answers.
    pub fn html() -> Self {
        Self::html_with_status(200)
    }

    /// A web page with this HTTP status, as a gateway in between answers.
    pub fn html_with_status(status: u16) -> Self {
        Self::of(Kind::Html { status })
    }

    /// A JSON object of so many `bytes`, whose length is not announced.
    pub fn huge(bytes: u64) -> Self {
        Self::of(Kind::Huge { bytes })
    }

    /// Nothing but a wait: the right answer comes late.
    pub fn latency(latency: Duration) -> Self {
        Self::of(Kind::None).with_latency(latency)
    }

    /// These bytes, whatever they are, with HTTP 200 and as JSON.
    pub fn raw(body: impl Into<Bytes>) -> Self {
        Self::of(Kind::Raw(body.into()))
    }

    /// A 302 to a path of the simulator that counts who follows
    /// (see [`redirects_followed`](crate::Simulator::redirects_followed)).
    pub fn redirect() -> Self {
        Self::redirect_to(REDIRECTED_PATH)
    }

    /// A 302 to this place.
    pub fn redirect_to(to: impl Into<String>) -> Self {
        Self::of(Kind::Redirect { to: to.into() })
    }

    /// The request is read, then the connection is reset (RST).
    pub fn reset() -> Self {
        Self::of(Kind::Reset)
    }

    /// At `gettoken`: the last token once more, even if it was revoked or has expired. Elsewhere
    /// it changes nothing.
    pub fn same_token() -> Self {
        Self::of(Kind::SameToken)
    }

    /// This HTTP status, 200 to 999, with an empty body.
    pub fn status(status: u16) -> Self {
        Self::of(Kind::Status(status))
    }

    /// The first half of the right answer under the `Content-Length` of the whole, then the end
    /// of the connection.
    pub fn truncated() -> Self {
        Self::of(Kind::Truncated)
    }

    /// It happens to so many requests, and then no more.
    #[must_use]
    pub fn times(mut self, times: u64) -> Self {
        self.times = Some(times);
        self
    }

    /// It happens after a wait.
    #[must_use]
    pub fn with_latency(mut self, latency: Duration) -> Self {
        self.latency = latency;
        self
    }

    fn of(kind: Kind) -> Self {
        Self {
            kind,
            latency: Duration::ZERO,
            times: None,
        }
    }
}

/// The troubles in force.
#[derive(Debug, Default)]
pub(crate) struct Troubles {
    get_info: Option<Trouble>,
    gettoken: Option<Trouble>,
}

impl Troubles {
    pub(crate) fn set(&mut self, api: Api, trouble: Trouble) {
        *self.slot(api) = Some(trouble);
    }

    /// The trouble that the next request at `api` runs into, which is then one fewer.
    pub(crate) fn next(&mut self, api: Api) -> Trouble {
        let slot = self.slot(api);
        let Some(trouble) = slot else {
            return Trouble::of(Kind::None);
        };
        let left = trouble.times;
        if left == Some(0) {
            *slot = None;
            return Trouble::of(Kind::None);
        }
        trouble.times = left.map(|times| times - 1);
        trouble.clone()
    }

    fn slot(&mut self, api: Api) -> &mut Option<Trouble> {
        match api {
            Api::GetInfo => &mut self.get_info,
            Api::GetToken => &mut self.gettoken,
        }
    }
}
