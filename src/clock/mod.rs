//! The time, passed in: of the machine, or of a hand that turns it.
//!
//! Everything that ages here asks the [`Clock`] it was given, so that a test can live through a
//! day in a millisecond. The clock does not know what it is asked for. Waiting for a socket is
//! not its business: a socket does not care what we say the time is.

mod seconds;

use std::sync::Arc;
use std::time::Duration;
use std::time::Instant;

use jiff::Timestamp;
use tokio::sync::watch;

pub use self::seconds::Name;
pub use self::seconds::Seconds;

/// Tells the time. Clones tell the same time.
#[derive(Clone, Debug)]
pub struct Clock(Source);

#[derive(Clone, Debug)]
enum Source {
    Machine,
    Hand(Arc<Hand>),
}

/// A clock that stands still until it is turned.
#[derive(Debug)]
struct Hand {
    origin: Instant,
    origin_wall: Timestamp,
    turned: watch::Sender<Duration>,
}

impl Clock {
    /// The machine's own time.
    pub fn of_the_machine() -> Self {
        Self(Source::Machine)
    }

    /// A clock that shows `wall` and stands still until [`Clock::advance`] turns it.
    pub fn standing_at(wall: Timestamp) -> Self {
        Self(Source::Hand(Arc::new(Hand {
            origin: machine_now(),
            origin_wall: wall,
            turned: watch::Sender::new(Duration::ZERO),
        })))
    }

    /// Turns the hand forward, and wakes whoever slept until a moment that has now come. The
    /// machine's own time cannot be turned: then this does nothing.
    pub fn advance(&self, by: Duration) {
        match &self.0 {
            Source::Machine => {}
            Source::Hand(hand) => hand.turned.send_modify(|turned| *turned += by),
        }
    }

    /// Now, for ages: never goes backwards, says nothing about the date.
    pub fn now(&self) -> Instant {
        match &self.0 {
            Source::Machine => machine_now(),
            Source::Hand(hand) => hand.origin + *hand.turned.borrow(),
        }
    }

    /// Now, for dates, as WeCom's `meeting_start` counts them.
    pub fn wall(&self) -> Timestamp {
        match &self.0 {
            Source::Machine => machine_wall(),
            Source::Hand(hand) => hand
                .origin_wall
                .saturating_add(*hand.turned.borrow())
                .unwrap_or(Timestamp::MAX),
        }
    }

    /// The date at a moment, by what the clock shows now.
    pub fn wall_at(&self, moment: Instant) -> Timestamp {
        let (now, wall) = (self.now(), self.wall());
        match moment.checked_duration_since(now) {
            Some(ahead) => wall.saturating_add(ahead).unwrap_or(Timestamp::MAX),
            None => wall.saturating_sub(now - moment).unwrap_or(Timestamp::MIN),
        }
    }

    /// Waits until `moment` has come.
    pub async fn sleep_until(&self, moment: Instant) {
        match &self.0 {
            Source::Machine => tokio::time::sleep_until(moment.into()).await,
            Source::Hand(hand) => {
                let mut turned = hand.turned.subscribe();
                // The sender lives in `hand`, which outlives this wait: it cannot fail.
                let _ = turned.wait_for(|by| hand.origin + *by >= moment).await;
            }
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "this is the clock that everybody else asks"
)]
fn machine_now() -> Instant {
    Instant::now()
}

#[expect(
    clippy::disallowed_methods,
    reason = "this is the clock that everybody else asks"
)]
fn machine_wall() -> Timestamp {
    Timestamp::now()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_turned_clock_moves_ages_and_dates_together() {
        let clock = Clock::standing_at(Timestamp::UNIX_EPOCH);
        let before = clock.now();

        clock.advance(Duration::from_secs(90));

        assert_eq!(clock.now() - before, Duration::from_secs(90));
        assert_eq!(clock.wall().as_second(), 90);
    }

    #[tokio::test]
    async fn a_sleeper_wakes_when_the_hand_reaches_its_moment_and_not_before() {
        let clock = Clock::standing_at(Timestamp::UNIX_EPOCH);
        let moment = clock.now() + Duration::from_secs(60);
        let sleeper = tokio::spawn({
            let clock = clock.clone();
            async move { clock.sleep_until(moment).await }
        });

        clock.advance(Duration::from_secs(59));
        tokio::task::yield_now().await;
        assert!(!sleeper.is_finished());

        clock.advance(Duration::from_secs(1));
        sleeper.await.expect("the sleeper ends");
    }
}
