//! The doors: the callers' and the operators'.
//!
//! Text becomes types here, and answers become HTTP. What a meeting is, how long it is believed and
//! how WeCom is asked is decided below.
//!
//! ```text
//! listener   connections, their number (limits, seating), their end
//!   line     TCP, or TLS on it
//!   http1    vetted heads (head), waited for with patience, and their answers (reply, date)
//!   http2    the same in frames (frames); in both, the caller is a guest
//!     at_once    what is known and asked for plainly, in HTTP/1.1 (as usual, by habit); all else goes on to
//!     front  request id, panics, problems, a count and a line of the log (account)
//!       meetings | docs | admin    the routes (shown: a meeting as it is answered; openapi: what the callers' are like)
//! ```

mod access;
mod account;
mod admin;
mod answered;
mod at_once;
mod caching;
mod date;
mod directives;
mod docs;
mod encoding;
mod fields;
mod frames;
mod front;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
mod guest;
mod habit;
mod head;
mod http1;
mod http2;
mod limits;
mod line;
mod listener;
#[cfg(feature = "measuring")]
pub(crate) mod measuring;
mod meetings;
mod openapi;
mod parameters;
mod patience;
mod preference;
mod problem;
mod reading;
mod reply;
mod request_id;
mod seating;
mod seldom;
mod settings;
mod shown;
mod validation;
mod words;

use std::sync::Arc;

use arc_swap::ArcSwap;
use tokio_util::sync::CancellationToken;

use self::front::Front;
use self::listener::Hall;
use crate::clock::Clock;
use crate::metrics::Metrics;
use crate::service::Meetings;
use crate::telemetry::Tracer;

pub use self::access::Access;
pub use self::access::Algorithm;
pub use self::access::CallerSettings;
pub use self::access::JwtSettings;
pub use self::access::KeyDigest;
pub use self::access::KeySettings;
pub use self::access::Mode;
pub use self::access::Roster;
pub use self::access::Settings as AccessSettings;
pub use self::access::generate_key;
pub use self::admin::Office;
pub use self::limits::Limits;
pub use self::listener::Listener;
pub use self::openapi::openapi;
pub use self::openapi::openapi_3_0;
pub use self::settings::AdminSettings;
pub use self::settings::Settings;
pub use self::settings::TlsSettings;

/// What the callers' routes work with. Clones share it.
#[derive(Clone)]
pub struct Desk {
    /// What is known about meetings.
    pub meetings: Meetings,
    /// Who may ask, at present.
    pub access: Arc<ArcSwap<Access>>,
    /// The time.
    pub clock: Clock,
    /// Where what happens is counted.
    pub metrics: Metrics,
    /// Where it is traced.
    pub tracer: Tracer,
}

/// Serves callers, until `stop`; then finishes what is under way.
pub async fn serve_callers(
    listener: Listener,
    desk: Desk,
    limits: Limits,
    stop: CancellationToken,
) {
    let clock = desk.clock.clone();
    let front = Front::of_callers(desk, docs::routes());
    let hall = Hall::new(front, limits.callers, clock, stop);
    listener.serve(hall).await;
}

/// Serves operators, until `stop`; then finishes what is under way.
pub async fn serve_operators(
    listener: Listener,
    office: Office,
    limits: Limits,
    stop: CancellationToken,
) {
    let clock = office.clock.clone();
    let front = Front::of_operators(admin::routes(office), clock.clone());
    let hall = Hall::new(front, limits.operators, clock, stop);
    listener.serve(hall).await;
}
