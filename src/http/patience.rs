//! How long a connection is waited for, and since when.
//!
//! What is waited for is known to who speaks with the caller; what time it is, to nobody but this one.
//! A socket does not care what our clock says: these are the runtime's own timers.

use std::io;
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

/// How long a caller is waited for.
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

/// Watches how long one caller takes nothing of what is sent.
#[derive(Debug)]
pub(super) struct Taking {
    idle: Duration,
    /// Set while something is to be taken.
    alarm: Option<Pin<Box<Sleep>>>,
}

impl Taking {
    pub(super) fn new(patience: Patience) -> Self {
        Self {
            idle: patience.idle,
            alarm: None,
        }
    }

    /// Whether there is something that the caller has not taken yet.
    pub(super) fn is_waited_for(&self) -> bool {
        self.alarm.is_some()
    }

    /// Passes on what became of a write, unless nothing was taken for too long.
    pub(super) fn check<T>(
        &mut self,
        context: &mut Context<'_>,
        written: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.alarm = None;
            return written;
        }
        let idle = self.idle;
        let alarm = self
            .alarm
            .get_or_insert_with(|| Box::pin(tokio::time::sleep(idle)));
        ready!(alarm.as_mut().poll(context));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

/// Since when it is so, if it is.
fn since(known: &mut Option<Instant>, is_so: bool, now: Instant) -> Option<Instant> {
    *known = is_so.then(|| known.unwrap_or(now));
    *known
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;

    const IDLE: Duration = Duration::from_secs(75);

    /// What comes of a write of which nothing is taken.
    async fn stuck(taking: &mut Taking) -> io::Result<()> {
        poll_fn(|context| taking.check(context, Poll::Pending)).await
    }

    #[tokio::test(start_paused = true)]
    async fn a_caller_who_takes_nothing_is_waited_for_as_long_as_it_may_rest() {
        let mut taking = Taking::new(Patience::always(IDLE));
        let began = Instant::now();

        let error = stuck(&mut taking).await.expect_err("not taken");

        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert_eq!(began.elapsed().as_secs(), IDLE.as_secs());
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_takes_some_of_it_is_waited_for_anew() {
        let mut taking = Taking::new(Patience::always(IDLE));
        let began = Instant::now();
        for _ in 0..3 {
            let most_of_it = IDLE * 9 / 10;
            assert!(
                tokio::time::timeout(most_of_it, stuck(&mut taking))
                    .await
                    .is_err()
            );
            assert!(taking.is_waited_for());
            let taken = poll_fn(|context| taking.check(context, Poll::Ready(Ok(1)))).await;
            assert_eq!(taken.expect("taken"), 1);
            assert!(!taking.is_waited_for());
        }

        assert!(stuck(&mut taking).await.is_err());

        assert!(began.elapsed() > IDLE * 3, "{:?}", began.elapsed());
    }
}
