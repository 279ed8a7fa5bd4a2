//! What one corp may ask in a minute and in an hour: kept by us, before WeCom does.
//!
//! WeCom's own limits are 10,000 a minute and 150,000 an hour, for a corp and API (document 90312);
//! who passes them is not served at all for the rest of the window, or longer. A quota of ours is a
//! pace (GCRA): all of it can be used up at once, and it comes back evenly. That alone lets twice as
//! much through in a window that begins with a burst, so a window is counted too: at the defaults,
//! 8,000 and 120,000, a quarter more than the quota is just what WeCom allows.

use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Duration;
use std::time::Instant;

use super::recent::Recent;
use super::report::Left;
use super::report::QuotaReport;
use crate::clock::Clock;
use crate::pace::Pace;
use crate::pace::TooSoon;

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(60 * 60);

/// A quota up to this is so far below WeCom's limits that twice as much does no harm, even from many
/// replicas.
const SMALL: u32 = 100;

/// What one corp may ask.
#[derive(Debug)]
pub(super) struct Quota {
    minute: Bound,
    hour: Bound,
    clock: Clock,
}

/// What may be asked in one window.
#[derive(Debug)]
struct Bound {
    cells: u32,
    pace: Pace,
    /// Held to count, never across an `.await`.
    recent: Mutex<Recent>,
}

impl Quota {
    /// So many questions in a minute, and in an hour.
    pub(super) fn new(per_minute: u32, per_hour: u32, clock: &Clock) -> Self {
        Self {
            minute: Bound::new(MINUTE, per_minute, clock),
            hour: Bound::new(HOUR, per_hour, clock),
            clock: clock.clone(),
        }
    }

    /// Counts what was taken out of the one before as taken out of this one.
    pub(super) fn carry_over(&self, before: &Self) {
        self.minute.carry_over(&before.minute);
        self.hour.carry_over(&before.hour);
    }

    /// Whether both were made for the same numbers.
    pub(super) fn allows_as_much_as(&self, other: &Self) -> bool {
        let cells = |quota: &Self| (quota.minute.cells, quota.hour.cells);
        cells(self) == cells(other)
    }

    /// Takes one question out of it; or says from when on there is one.
    pub(super) fn take(&self) -> Result<(), Instant> {
        let now = self.clock.now();
        // The minute first: it is the one that is spent often, and what it refuses costs no hour.
        self.minute.take(now)?;
        self.hour.take(now)
    }

    /// From when on there is a question to take, if there is none now.
    pub(super) fn spent_until(&self) -> Option<Instant> {
        let now = self.clock.now();
        self.minute.spent_until(now).max(self.hour.spent_until(now))
    }

    /// What is left of it.
    pub(super) fn report(&self) -> QuotaReport {
        QuotaReport {
            minute: self.minute.report(),
            hour: self.hour.report(),
        }
    }

    /// Whether more than half of it is left, once so many questions are taken that are not yet.
    pub(super) fn has_more_than_half_left(&self, promised: usize) -> bool {
        let promised = u32::try_from(promised).unwrap_or(u32::MAX);
        [&self.minute, &self.hour]
            .into_iter()
            .all(|bound| bound.pace.remaining().saturating_sub(promised) > bound.cells / 2)
    }
}

impl Bound {
    fn new(window: Duration, cells: u32, clock: &Clock) -> Self {
        let spare = if cells > SMALL { cells / 4 } else { cells };
        let recent = Recent::new(window, cells.saturating_add(spare), clock.now());
        Self {
            cells,
            pace: Pace::new(window, cells, cells, clock.clone()),
            recent: Mutex::new(recent),
        }
    }

    fn carry_over(&self, before: &Self) {
        let used = before.cells - before.pace.remaining().min(before.cells);
        for _ in 0..used.min(self.cells) {
            // There are so many to take: nothing was taken yet.
            let _ = self.pace.check();
        }
        self.recent().carry_over(&before.recent());
    }

    fn take(&self, now: Instant) -> Result<(), Instant> {
        let mut recent = self.recent();
        if let Some(until) = recent.full_until(now) {
            return Err(until);
        }
        self.pace.check().map_err(|TooSoon { wait }| now + wait)?;
        recent.count(now);
        Ok(())
    }

    fn report(&self) -> Left {
        Left {
            limit: self.cells,
            left: self.pace.remaining(),
        }
    }

    fn spent_until(&self, now: Instant) -> Option<Instant> {
        let wait = self.pace.wait();
        let too_soon = (!wait.is_zero()).then(|| now + wait);
        too_soon.max(self.recent().full_until(now))
    }

    /// A panic while it is held would leave it whole but for one question.
    fn recent(&self) -> MutexGuard<'_, Recent> {
        self.recent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    fn quota(per_minute: u32, per_hour: u32) -> (Quota, Clock) {
        let clock = Clock::standing_at(Timestamp::UNIX_EPOCH);
        (Quota::new(per_minute, per_hour, &clock), clock)
    }

    /// How many questions can be taken within that time, by one who never tires.
    fn taken_within(time: Duration, quota: &Quota, clock: &Clock) -> u32 {
        let end = clock.now() + time;
        let mut taken = 0;
        loop {
            match quota.take() {
                Ok(()) => taken += 1,
                Err(until) if until > end => return taken,
                Err(until) => clock.advance(until.duration_since(clock.now())),
            }
        }
    }

    #[test]
    fn the_default_quotas_can_be_used_up_at_once_and_stay_below_wecoms() {
        let (quota, clock) = quota(8_000, 120_000);
        assert_eq!(taken_within(Duration::ZERO, &quota, &clock), 8_000);
        assert_eq!(taken_within(MINUTE, &quota, &clock), 2_000);

        let (quota, clock) = self::quota(8_000, 120_000);
        assert!(taken_within(HOUR, &quota, &clock) <= 150_000);
    }

    #[test]
    fn a_small_quota_can_be_used_up_at_once_and_comes_back_bit_by_bit() {
        let (quota, clock) = quota(5, 1_000);

        assert_eq!(taken_within(Duration::ZERO, &quota, &clock), 5);
        assert_eq!(taken_within(MINUTE, &quota, &clock), 5);
    }

    #[test]
    fn whichever_is_spent_says_when_there_is_a_question_again() {
        for (per_minute, per_hour, wait_s) in [(3, 100, 20), (100, 3, 1_200)] {
            let (quota, clock) = quota(per_minute, per_hour);
            (0..3).for_each(|_| quota.take().expect("a question"));
            let until = clock.now() + Duration::from_secs(wait_s);

            assert_eq!(quota.spent_until(), Some(until), "{per_minute} {per_hour}");
            assert_eq!(quota.take(), Err(until), "{per_minute} {per_hour}");
            clock.advance(Duration::from_secs(wait_s));
            assert_eq!(quota.spent_until(), None);
            assert_eq!(quota.take(), Ok(()));
        }
    }

    #[test]
    fn what_was_taken_is_taken_out_of_the_next_too() {
        for (per_minute, used, next, left) in [(50, 30, 40, 10), (50, 50, 40, 0), (50, 10, 80, 70)]
        {
            let (before, clock) = quota(per_minute, 1_000);
            (0..used).for_each(|_| before.take().expect("a question"));

            let after = Quota::new(next, 1_000, &clock);
            after.carry_over(&before);

            let case = format!("{used} of {per_minute}, and then {next}");
            assert_eq!(taken_within(Duration::ZERO, &after, &clock), left, "{case}");
        }
    }

    #[test]
    fn half_of_it_is_left_until_half_is_taken_or_promised() {
        let (quota, _) = quota(10, 1_000);
        assert!(quota.has_more_than_half_left(4));
        assert!(!quota.has_more_than_half_left(5));
        (0..4).for_each(|_| quota.take().expect("a question"));
        assert!(quota.has_more_than_half_left(0));
        quota.take().expect("a question");
        assert!(!quota.has_more_than_half_left(0));
    }
}
