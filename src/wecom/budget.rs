//! How often a question may be repeated: seldom, so that a WeCom that is down is not asked three
//! times as much as one that is well.
//!
//! Every question puts a fifth of a repetition aside, and every repetition takes a whole one. What
//! is put aside is bounded, so a quiet night does not pay for a storm.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use crate::dice::Dice;

/// Questions that pay for one repetition: a budget of 20 %.
const QUESTIONS_A_REPETITION: u32 = 5;

/// Repetitions to begin with: a service that has only just begun has put nothing aside.
const REPETITIONS_FIRST: u32 = 10;

/// Repetitions put aside at most.
const REPETITIONS_MAX: u32 = 100;

/// The pause before the first repetition is up to this, before the second up to twice this.
const PAUSE_MAX: Duration = Duration::from_millis(100);

/// What is put aside for repetitions, in fifths of one.
#[derive(Debug)]
pub(super) struct Budget(Mutex<u32>);

impl Default for Budget {
    fn default() -> Self {
        Self(Mutex::new(REPETITIONS_FIRST * QUESTIONS_A_REPETITION))
    }
}

impl Budget {
    /// Notes that a question was asked for the first time.
    pub(super) fn put_aside(&self) {
        let mut fifths = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *fifths = (*fifths + 1).min(REPETITIONS_MAX * QUESTIONS_A_REPETITION);
    }

    /// Takes one repetition, if there is enough for it.
    pub(super) fn take(&self) -> bool {
        let mut fifths = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let left = fifths.checked_sub(QUESTIONS_A_REPETITION);
        *fifths = left.unwrap_or(*fifths);
        left.is_some()
    }
}

/// How long to wait before the `nth` repetition, counted from 1: anything from nothing to a bound
/// that doubles ("full jitter"), so that those who failed together do not come back together.
pub(super) fn pause(nth: u32, dice: Dice) -> Duration {
    let longest = PAUSE_MAX * 2_u32.saturating_pow(nth.saturating_sub(1));
    longest.mul_f64(dice.throw())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_the_first_few_one_question_in_five_pays_for_a_repetition() {
        let budget = Budget::default();
        let first = (0..1_000).filter(|_| budget.take()).count();
        assert_eq!(first, 10);

        let repeated = (0..1_000).filter(|_| {
            budget.put_aside();
            budget.take()
        });

        assert_eq!(repeated.count(), 200);
    }

    #[test]
    fn a_quiet_night_pays_for_a_hundred_repetitions_and_no_more() {
        let budget = Budget::default();
        (0..1_000_000).for_each(|_| budget.put_aside());

        assert_eq!((0..1_000).filter(|_| budget.take()).count(), 100);
    }

    #[test]
    fn pauses_are_anything_up_to_a_bound_that_doubles() {
        for (nth, throw, pause_ms) in [(1, 0.0, 0), (1, 0.5, 50), (2, 0.5, 100), (3, 0.25, 100)] {
            let expected = Duration::from_millis(pause_ms);
            assert_eq!(pause(nth, Dice::loaded(throw)), expected, "{nth} {throw}");
        }
    }
}
