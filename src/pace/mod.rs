//! A pace to keep: GCRA, by `governor`, on our [`Clock`].
//!
//! GCRA (the generic cell rate algorithm) lets a burst through at once and then one cell after
//! another at an even distance. All it remembers is one moment, so a pace costs some bytes and no
//! upkeep, however long nobody asks. What a cell is, and what becomes of the one that is refused,
//! it does not know.

use std::num::NonZeroU32;
use std::time::Duration;
use std::time::Instant;

use governor::Quota;
use governor::RateLimiter;
use governor::middleware::StateInformationMiddleware;
use governor::nanos::Nanos;
use governor::state::InMemoryState;
use governor::state::NotKeyed;
use governor::state::StateStore;
use thiserror::Error;

use crate::clock::Clock;

/// The longest time that a whole burst may take to come back. Sums of a few of them, in
/// nanoseconds, fit into 64 bits.
const REFILL_MAX: Duration = Duration::from_secs(100 * 366 * 24 * 60 * 60);

/// So many cells in so much time, and so many of them at once.
#[derive(Debug)]
pub struct Pace(RateLimiter<Purpose, Slate, GovernorsClock, StateInformationMiddleware>);

/// A cell came too soon.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[error("too soon by {wait:?}")]
pub struct TooSoon {
    /// After this time, and no sooner, the next cell is let through, unless another comes first.
    pub wait: Duration,
}

impl Pace {
    /// Lets `burst` cells through at once, and from then on `cells` of them, evenly, in each `per`.
    /// Where they do not divide it, the distance is rounded up: never more than `cells`. None of
    /// the three can be 0: that counts as 1 (a nanosecond).
    pub fn new(per: Duration, cells: u32, burst: u32, clock: Clock) -> Self {
        let cells = u128::from(cells.max(1));
        let distance = per.min(REFILL_MAX).as_nanos().div_ceil(cells).max(1);
        let distance = u64::try_from(distance).unwrap_or(u64::MAX);
        let burst_max = REFILL_MAX.as_nanos() / u128::from(distance);
        let burst = burst.min(u32::try_from(burst_max).unwrap_or(u32::MAX));
        let quota = Quota::with_period(Duration::from_nanos(distance))
            .unwrap_or(Quota::per_second(NonZeroU32::MIN))
            .allow_burst(NonZeroU32::new(burst).unwrap_or(NonZeroU32::MIN));
        Self(RateLimiter::new(
            quota,
            Slate::default(),
            GovernorsClock(clock),
        ))
    }

    /// Lets a cell through, if it does not come too soon. How many more could follow at once. One
    /// that is refused takes nothing from those that come after it.
    pub fn check(&self) -> Result<u32, TooSoon> {
        self.ask(Purpose::Take)
    }

    /// How many cells could come through at once. Lets none through.
    pub fn remaining(&self) -> u32 {
        self.ask(Purpose::Look)
            .map_or(0, |beyond_one| beyond_one + 1)
    }

    /// How long until a cell could come through, unless another comes first. Lets none through.
    pub fn wait(&self) -> Duration {
        self.ask(Purpose::Look)
            .err()
            .map_or(Duration::ZERO, |TooSoon { wait }| wait)
    }

    fn ask(&self, purpose: Purpose) -> Result<u32, TooSoon> {
        match self.0.check_key(&purpose) {
            Ok(passed) => Ok(passed.remaining_burst_capacity()),
            Err(refused) => Err(TooSoon {
                wait: refused.wait_time_from(governor::clock::Clock::now(self.0.clock())),
            }),
        }
    }
}

/// What a pace is asked for.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
enum Purpose {
    /// What would come of a cell.
    Look,
    /// To let a cell through.
    Take,
}

/// The one moment that is remembered. It stays as it is when it is only looked at.
#[derive(Debug, Default)]
struct Slate(InMemoryState);

impl StateStore for Slate {
    type Key = Purpose;

    fn measure_and_replace<T, F, E>(&self, purpose: &Purpose, decide: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        let Self(state) = self;
        match purpose {
            Purpose::Take => state.measure_and_replace(&NotKeyed::NonKey, decide),
            Purpose::Look => {
                // What is refused is not written down: so every outcome is made a refusal.
                let seen: Result<Result<T, E>, Result<T, E>> = state
                    .measure_and_replace(&NotKeyed::NonKey, |before| {
                        Err(decide(before).map(|(outcome, _)| outcome))
                    });
                seen.unwrap_or_else(|outcome| outcome)
            }
        }
    }
}

/// Our clock, as `governor` reads it.
#[derive(Clone, Debug)]
struct GovernorsClock(Clock);

impl governor::clock::Clock for GovernorsClock {
    type Instant = Instant;

    fn now(&self) -> Instant {
        self.0.now()
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use proptest::prelude::*;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);
    const NANOSECOND: Duration = Duration::from_nanos(1);

    fn pace(per: Duration, cells: u32, burst: u32) -> (Pace, Clock) {
        let clock = Clock::standing_at(Timestamp::UNIX_EPOCH);
        (Pace::new(per, cells, burst, clock.clone()), clock)
    }

    fn too_soon(wait: Duration) -> Result<u32, TooSoon> {
        Err(TooSoon { wait })
    }

    #[test]
    fn a_burst_is_let_through_at_once_and_then_one_cell_after_another() {
        let (pace, clock) = pace(SECOND, 4, 3);

        assert_eq!([0; 3].map(|_| pace.check()), [Ok(2), Ok(1), Ok(0)]);
        assert_eq!(pace.check(), too_soon(SECOND / 4));
        for _ in 0..10 {
            clock.advance(SECOND / 4);
            assert_eq!(pace.check(), Ok(0));
            assert_eq!(pace.check(), too_soon(SECOND / 4));
        }
    }

    #[test]
    fn the_wait_that_is_told_is_exact() {
        for (per, cells, burst) in [
            (SECOND, 1, 1),
            (SECOND, 7, 3),
            (60 * SECOND, 8_000, 8_000),
            (3_600 * SECOND, 120_000, 10),
        ] {
            let (pace, clock) = pace(per, cells, burst);
            while pace.check().is_ok() {}
            let Err(TooSoon { wait }) = pace.check() else {
                panic!("{cells} in {per:?}: nobody checks in between");
            };

            clock.advance(wait.checked_sub(NANOSECOND).expect("some wait"));
            assert_eq!(pace.check(), too_soon(NANOSECOND), "{cells} in {per:?}");

            clock.advance(NANOSECOND);
            assert_eq!(pace.check(), Ok(0), "{cells} in {per:?}");
        }
    }

    #[test]
    fn a_distance_that_is_not_even_is_rounded_up() {
        let (pace, _) = pace(SECOND, 7, 1);
        assert_eq!(pace.check(), Ok(0));

        assert_eq!(pace.check(), too_soon(Duration::from_nanos(142_857_143)));
    }

    #[test]
    fn a_cell_that_is_refused_takes_nothing() {
        let (pace, clock) = pace(SECOND, 1, 1);
        assert_eq!(pace.check(), Ok(0));

        for _ in 0..1_000 {
            assert_eq!(pace.check(), too_soon(SECOND));
        }

        clock.advance(SECOND);
        assert_eq!(pace.check(), Ok(0));
    }

    #[test]
    fn what_remains_is_told_without_taking_it_and_grows_with_time() {
        let (pace, clock) = pace(SECOND, 4, 3);
        assert_eq!(pace.remaining(), 3);

        while pace.check().is_ok() {}

        for (passed, remaining) in [
            (Duration::ZERO, 0),
            (Duration::from_nanos(249_999_999), 0),
            (NANOSECOND, 1),
            (SECOND / 4, 2),
            (SECOND / 4, 3),
            (SECOND, 3),
        ] {
            clock.advance(passed);
            assert_eq!([pace.remaining(), pace.remaining()], [remaining; 2]);
        }
        assert_eq!(pace.check(), Ok(2));
        assert_eq!(pace.remaining(), 2);
    }

    #[test]
    fn no_number_is_too_large_or_too_small() {
        let numbers = [0, 1, 1_000_000_007, u32::MAX];
        for per in [Duration::ZERO, NANOSECOND, 3_600 * SECOND, Duration::MAX] {
            for (cells, burst) in numbers
                .into_iter()
                .flat_map(|one| numbers.map(|other| (one, other)))
            {
                let (pace, clock) = pace(per, cells, burst);
                clock.advance(NANOSECOND);
                assert!(pace.remaining() >= 1, "{cells} in {per:?}, {burst} at once");
                assert!(pace.check().is_ok(), "{cells} in {per:?}, {burst} at once");
                assert!(
                    pace.remaining() < burst.max(1),
                    "{cells} in {per:?}, {burst} at once"
                );
            }
        }
    }

    proptest! {
        #[test]
        fn no_more_come_through_than_the_burst_and_what_time_brought(
            (cells, burst) in (1_u32..50, 1_u32..20),
            steps_ms in prop::collection::vec(0_u64..300, 0..200),
        ) {
            let (pace, clock) = pace(SECOND, cells, burst);
            let (mut passed, mut elapsed) = (0_u32, Duration::ZERO);
            for step in steps_ms.into_iter().map(Duration::from_millis) {
                clock.advance(step);
                elapsed += step;
                let remaining = pace.remaining();
                prop_assert_eq!(pace.check().ok(), remaining.checked_sub(1));
                passed += u32::from(remaining > 0);
                let brought = elapsed.as_secs_f64() * f64::from(cells);
                prop_assert!(f64::from(passed) <= f64::from(burst) + brought);
            }
        }
    }
}
