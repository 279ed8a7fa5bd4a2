//! The doors: the callers' and the operators'.
//!
//! Text becomes types here, and answers become HTTP. What a meeting is, how long it is believed and
//! how WeCom is asked is decided below.
//!
//! ```text
//! listener   connections, their number, their end
//!   gate     vetted heads only (head), with deadlines
//!     front  request id, panics, problems
//!       meetings | admin    the routes
//! ```

mod access;
mod admin;
mod caching;
mod directives;
mod encoding;
mod front;
mod gate;
mod head;
mod listener;
mod meetings;
mod problem;
mod request_id;
mod settings;
mod validation;

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use self::front::Front;
use self::gate::Patience;
use self::listener::Limits;
use crate::clock::Clock;
use crate::service::Meetings;

pub use self::access::Access;
pub use self::access::CallerSettings;
pub use self::access::KeyDigest;
pub use self::access::Mode;
pub use self::access::Settings as AccessSettings;
pub use self::admin::Office;
pub use self::admin::Readiness;
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
    /// Who may ask.
    pub access: Arc<Access>,
    /// The time.
    pub clock: Clock,
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
        patience: Patience {
            head: settings.head_timeout,
            idle: settings.idle_timeout,
        },
        http2: settings.http2,
    };
    let front = Arc::new(Front::new(meetings::routes(desk)));
    listener.serve(front, limits, stop).await;
}

/// Serves operators, until `stop`.
pub async fn serve_operators(
    listener: Listener,
    office: Office,
    settings: &Settings,
    stop: CancellationToken,
) {
    let limits = Limits {
        connections_max: ADMIN_CONNECTIONS_MAX,
        patience: Patience {
            head: settings.head_timeout,
            idle: settings.idle_timeout,
        },
        http2: false,
    };
    let front = Arc::new(Front::new(admin::routes(office)));
    listener.serve(front, limits, stop).await;
}
