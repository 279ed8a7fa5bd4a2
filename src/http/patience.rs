//! How long a connection is waited for, and since when.
//!
//! What is waited for is the gate's to know; what time it is, nobody's but this one's.

use std::pin::Pin;
use std::task::Context;
use std::task::Poll;
use std::task::ready;
use std::time::Duration;

use tokio::time::Instant;
use tokio::time::Sleep;

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

/// What the bytes that have come end in the middle of.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Midst {
    /// A frame of HTTP/2 that is of no head, or of which that is not known yet.
    Frame,
    /// A head, or how a connection begins.
    Head,
    Nothing,
}

/// What a caller is waited for with.
#[derive(Clone, Copy, Debug)]
pub(super) struct Waiting {
    pub(super) midst: Midst,
    /// No request of theirs is under way.
    pub(super) rests: bool,
    /// It is the last wait.
    pub(super) ends: bool,
}

/// Watches how long one connection is waited for.
#[derive(Debug)]
pub(super) struct Watch {
    patience: Patience,
    /// When that began to come which is coming.
    coming_since: Option<Instant>,
    /// When the caller began to rest.
    resting_since: Option<Instant>,
    ending_since: Option<Instant>,
    alarm: Pin<Box<Sleep>>,
}

impl Watch {
    /// From the beginning of a connection, which is taken for the beginning of its first head.
    pub(super) fn new(patience: Patience) -> Self {
        let now = Instant::now();
        Self {
            patience,
            coming_since: Some(now),
            resting_since: None,
            ending_since: None,
            alarm: Box::pin(tokio::time::sleep_until(now + patience.head)),
        }
    }

    /// How long an answer may not be taken.
    pub(super) fn idle(&self) -> Duration {
        self.patience.idle
    }

    /// Notes that what was coming is complete. Who has sent no head still rests.
    pub(super) fn note_frame(&mut self) {
        self.coming_since = None;
    }

    /// Notes that some more of an answer is on its way: who takes it does not rest.
    pub(super) fn note_taken(&mut self) {
        if let Some(since) = &mut self.resting_since {
            *since = Instant::now();
        }
    }

    /// Notes that a head is complete, or an answer is being taken: every wait begins anew.
    pub(super) fn begin_anew(&mut self) {
        self.coming_since = None;
        self.resting_since = None;
        self.ending_since = None;
    }

    /// Ready when the caller has been waited for too long.
    pub(super) fn poll_overdue(&mut self, context: &mut Context<'_>, on: Waiting) -> Poll<()> {
        let Some(deadline) = self.deadline(on, Instant::now()) else {
            return Poll::Pending;
        };
        if deadline < self.alarm.deadline() {
            self.alarm.as_mut().reset(deadline);
        }
        loop {
            ready!(self.alarm.as_mut().poll(context));
            if deadline <= self.alarm.deadline() {
                return Poll::Ready(());
            }
            // The deadline moves on with every request, and the alarm only when it goes off: to set
            // it each time would cost more than all the rest of waiting.
            self.alarm.as_mut().reset(deadline);
        }
    }

    fn deadline(&mut self, on: Waiting, now: Instant) -> Option<Instant> {
        let Waiting { midst, rests, ends } = on;
        let Patience { head, idle, ending } = self.patience;
        let comes = midst != Midst::Nothing;
        let coming = since(&mut self.coming_since, comes, now).map(|since| since + head);
        let resting = since(&mut self.resting_since, rests, now).map(|since| since + idle);
        let ending = since(&mut self.ending_since, ends, now).map(|since| since + ending);
        let going_on = match midst {
            // Or whoever always sends half a frame more would never rest.
            Midst::Frame => coming.into_iter().chain(resting).min(),
            // Who rested until just now is not cut off with half a head.
            Midst::Head => coming,
            Midst::Nothing => resting,
        };
        ending.or(going_on)
    }
}

/// Since when it is so, if it is.
fn since(known: &mut Option<Instant>, is_so: bool, now: Instant) -> Option<Instant> {
    *known = is_so.then(|| known.unwrap_or(now));
    *known
}
