//! The time as the simulator sees it. Knows neither tokens nor meetings.

use std::time::Duration;
use std::time::SystemTime;
use std::time::UNIX_EPOCH;

use crate::guarded::Guarded;

/// The real time, plus as much as it was advanced by. It never goes back.
#[derive(Debug, Default)]
pub(crate) struct Clock {
    ahead: Guarded<Duration>,
}

impl Clock {
    /// Since the Unix epoch.
    pub(crate) fn now(&self) -> Duration {
        real_now().saturating_add(self.advanced())
    }

    /// How much it was advanced by in all.
    pub(crate) fn advanced(&self) -> Duration {
        self.ahead.with(|ahead| *ahead)
    }

    pub(crate) fn advance(&self, by: Duration) {
        self.ahead.with(|ahead| *ahead = ahead.saturating_add(by));
    }
}

/// What the machine's clock says, since the Unix epoch.
#[expect(
    clippy::disallowed_methods,
    reason = "the one place where the simulator's clock meets the real one"
)]
pub(crate) fn real_now() -> Duration {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH);
    since_epoch.unwrap_or_default()
}
