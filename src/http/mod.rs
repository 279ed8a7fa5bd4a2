//! The doors: the callers' and the operators'.
//!
//! Text becomes types here, and answers become HTTP. What a meeting is, how long it is believed and
//! how WeCom is asked is decided below.
//!
//! ```text
//! listener   connections, their number (seating), their end
//!   line     TCP, or TLS on it
//!   gate     vetted heads only (head), with deadlines (connection: what both know)
//!     front  request id, panics, problems, a count and a line of the log (account)
//!       meetings | admin    the routes
//! ```

mod access;
mod account;
mod admin;
mod caching;
mod connection;
mod directives;
mod encoding;
mod front;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
mod gate;
mod head;
mod line;
mod listener;
mod meetings;
mod parameters;
mod problem;
mod request_id;
mod seating;
mod settings;
mod validation;

use std::sync::Arc;

use arc_swap::ArcSwap;
use tokio_util::sync::CancellationToken;

use self::front::Front;
use self::listener::Hall;
use self::listener::Limits;
use crate::clock::Clock;
use crate::metrics::Metrics;
use crate::service::Meetings;

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
pub use self::listener::Listener;
pub use self::settings::AdminSettings;
pub use self::settings::Settings;
pub use self::settings::TlsSettings;

/// Connections of operators at a time. Probes, scrapers and a person or two.
const ADMIN_CONNECTIONS_MAX: usize = 64;

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
}

/// Serves callers, until `stop`; then finishes what is under way.
pub async fn serve_callers(
    listener: Listener,
    desk: Desk,
    settings: &Settings,
    stop: CancellationToken,
) {
    let limits = Limits {
        connections_max: usize::try_from(settings.max_connections).unwrap_or(usize::MAX),
        head_timeout: settings.head_timeout,
        idle_timeout: settings.idle_timeout,
        http2: settings.http2,
    };
    let clock = desk.clock.clone();
    let metrics = desk.metrics.clone();
    let front = Front::counting(meetings::routes(desk), metrics);
    listener.serve(Hall::new(front, limits, clock, stop)).await;
}

/// Serves operators, until `stop`; then finishes what is under way.
pub async fn serve_operators(
    listener: Listener,
    office: Office,
    settings: &Settings,
    stop: CancellationToken,
) {
    let limits = Limits {
        connections_max: ADMIN_CONNECTIONS_MAX,
        head_timeout: settings.head_timeout,
        idle_timeout: settings.idle_timeout,
        http2: false,
    };
    let clock = office.clock.clone();
    let front = Front::new(admin::routes(office));
    listener.serve(Hall::new(front, limits, clock, stop)).await;
}

/// How many connections both doors may hold at a time, of those served and those turned away.
pub fn connections_max(settings: &Settings) -> u64 {
    let ours = ADMIN_CONNECTIONS_MAX + 2 * seating::ANTEROOM_CONNECTIONS_MAX;
    u64::from(settings.max_connections).saturating_add(u64::try_from(ours).unwrap_or(u64::MAX))
}
