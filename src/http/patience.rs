//! How long a connection is waited for.

use std::time::Duration;

use super::settings::Settings;

/// How long a caller must have been quiet for the connection to be closed after a stop. One at full
/// speed sends its next request sooner, and is told in the answer to send no more.
const ENDING_GRACE: Duration = Duration::from_millis(500);

/// How long a gate waits.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    /// For a head to be complete.
    pub(super) head: Duration,
    /// For the next head to begin, and for an answer to be taken.
    pub(super) idle: Duration,
    /// For anything at all, once the connection is ending.
    pub(super) ending: Duration,
}

impl Patience {
    /// What is set.
    pub(super) fn of(settings: &Settings) -> Self {
        Self {
            head: settings.head_timeout,
            idle: settings.idle_timeout,
            ending: ENDING_GRACE,
        }
    }

    /// The same, whatever is waited for.
    pub(super) const fn always(wait: Duration) -> Self {
        Self {
            head: wait,
            idle: wait,
            ending: wait,
        }
    }
}
