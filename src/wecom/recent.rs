//! How many questions were asked within a window of time that moves on.
//!
//! The window is cut into slices, and a slice counts as a whole as long as any of it may be within:
//! so what is counted is never less than what was asked. Pure: it is told the time.

use std::collections::VecDeque;
use std::time::Duration;
use std::time::Instant;

/// Slices of a window.
const SLICES: u32 = 60;

/// What was asked within a window.
#[derive(Debug)]
pub(super) struct Recent {
    slice: Duration,
    max: u32,
    /// When each slice began in which anything was asked, and how much. In their order, `SLICES` and
    /// one at most.
    counts: VecDeque<(Instant, u32)>,
    sum: u32,
    began: Instant,
}

impl Recent {
    /// Nothing was asked yet, and `max` may be.
    pub(super) fn new(window: Duration, max: u32, now: Instant) -> Self {
        Self {
            slice: window / SLICES,
            max,
            counts: VecDeque::new(),
            sum: 0,
            began: now,
        }
    }

    /// From when on there is room for another, if there is none now.
    pub(super) fn full_until(&mut self, now: Instant) -> Option<Instant> {
        self.forget(now);
        let (oldest, _) = self.counts.front()?;
        (self.sum >= self.max).then(|| self.leaves_at(*oldest))
    }

    /// Counts what another counted in a window of the same length.
    pub(super) fn carry_over(&mut self, before: &Self) {
        self.counts.clone_from(&before.counts);
        self.sum = before.sum;
        self.began = before.began;
    }

    /// Counts one more.
    pub(super) fn count(&mut self, now: Instant) {
        self.sum += 1;
        match self.counts.back_mut() {
            Some((began, count)) if now < *began + self.slice => *count += 1,
            _ => {
                let since = now.saturating_duration_since(self.began).as_nanos();
                let within = since % self.slice.as_nanos().max(1);
                let within = Duration::from_nanos(u64::try_from(within).unwrap_or_default());
                self.counts
                    .push_back((now.checked_sub(within).unwrap_or(now), 1));
            }
        }
    }

    fn forget(&mut self, now: Instant) {
        while let Some(&(began, count)) = self.counts.front() {
            if now < self.leaves_at(began) {
                return;
            }
            self.counts.pop_front();
            self.sum -= count;
        }
    }

    /// When nothing of a slice is within the window any more.
    fn leaves_at(&self, began: Instant) -> Instant {
        began + self.slice * (SLICES + 1)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::clock::Clock;

    const WINDOW: Duration = Duration::from_secs(60);

    proptest! {
        #[test]
        fn no_window_ever_holds_more_than_may_be(
            pauses_ms in prop::collection::vec(0..3_000_u64, 1..400),
            max in 1..40_u32,
        ) {
            let mut now = Clock::of_the_machine().now();
            let mut recent = Recent::new(WINDOW, max, now);
            let mut asked: Vec<Instant> = Vec::new();
            for pause_ms in pauses_ms {
                now += Duration::from_millis(pause_ms);
                if let Some(until) = recent.full_until(now) {
                    prop_assert!(until > now && until <= now + WINDOW + WINDOW / SLICES);
                } else {
                    recent.count(now);
                    asked.push(now);
                }
                let within = asked.iter().filter(|&&at| at + WINDOW > now).count();
                prop_assert!(within <= usize::try_from(max).unwrap_or_default());
                prop_assert!(recent.counts.len() <= 61);
            }
        }
    }

    #[test]
    fn there_is_room_again_when_the_oldest_slice_has_left() {
        let began = Clock::of_the_machine().now();
        let mut recent = Recent::new(WINDOW, 2, began);
        recent.count(began + Duration::from_millis(500));
        recent.count(began + Duration::from_secs(10));

        let full = began + Duration::from_secs(11);
        assert_eq!(
            recent.full_until(full),
            Some(began + Duration::from_secs(61))
        );
        assert_eq!(recent.full_until(began + Duration::from_secs(61)), None);
    }
}
