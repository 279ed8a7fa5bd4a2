//! How often a fault is told: at most once a second for each kind, with how many times it happened.
//!
//! A fault that repeats a thousand times a second is one line of the log a second, and none of the
//! thousand is lost: the line says how many it stands for. Pure bookkeeping: whoever asks says what
//! time it is, and writes the line.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;
use std::time::Instant;

/// How long a line stands for what repeats after it.
const INTERVAL: Duration = Duration::from_secs(1);

/// Keys that are counted one by one. Those that come beyond that are counted together.
const KEYS_MAX: usize = 64;

/// Counts what repeats, by key.
#[derive(Debug)]
pub struct Repeats<K> {
    /// Held only to count.
    counts: Mutex<Counts<K>>,
}

#[derive(Debug)]
struct Counts<K> {
    by_key: HashMap<K, Count>,
    /// All the keys that found no place of their own.
    others: Count,
}

/// How often one thing happened, told and untold.
#[derive(Clone, Copy, Debug, Default)]
struct Count {
    /// When it was last told.
    told: Option<Instant>,
    /// How many times it has happened since then.
    untold: u64,
}

impl<K> Default for Repeats<K> {
    fn default() -> Self {
        Self {
            counts: Mutex::new(Counts {
                by_key: HashMap::new(),
                others: Count::default(),
            }),
        }
    }
}

impl<K: Eq + Hash> Repeats<K> {
    /// Notes that `key` has happened. `Some(times)` means that it is to be told now, and how many
    /// times it has happened since it was last told; `None` that it was counted only.
    pub fn note(&self, key: K, now: Instant) -> Option<u64> {
        self.counts
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .of(key, now)
            .note(now)
    }
}

impl<K: Eq + Hash> Counts<K> {
    /// The count that `key` goes to.
    fn of(&mut self, key: K, now: Instant) -> &mut Count {
        if !self.by_key.contains_key(&key) {
            if self.by_key.len() >= KEYS_MAX {
                self.forget_quiet(now);
            }
            if self.by_key.len() >= KEYS_MAX {
                return &mut self.others;
            }
        }
        // A new key may have been one of the others just now: it must not be told again so soon.
        let told = self.others.told;
        self.by_key.entry(key).or_insert(Count { told, untold: 0 })
    }

    /// Gives up the places of keys that would be told at once, were they to happen again: for them
    /// nothing changes. What of them is untold is told with the others.
    fn forget_quiet(&mut self, now: Instant) {
        let Self { by_key, others } = self;
        by_key.retain(|_, count| {
            let is_quiet = count.is_due(now);
            if is_quiet {
                others.untold = others.untold.saturating_add(count.untold);
            }
            !is_quiet
        });
    }
}

impl Count {
    fn note(&mut self, now: Instant) -> Option<u64> {
        self.untold = self.untold.saturating_add(1);
        if !self.is_due(now) {
            return None;
        }
        self.told = Some(now);
        Some(std::mem::take(&mut self.untold))
    }

    fn is_due(&self, now: Instant) -> bool {
        self.told
            .is_none_or(|told| now.saturating_duration_since(told) >= INTERVAL)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::clock::Clock;

    /// How many times everything has happened that was not told yet.
    fn untold<K>(repeats: &Repeats<K>) -> u64 {
        let counts = repeats.counts.lock().expect("no panic");
        let own: u64 = counts.by_key.values().map(|count| count.untold).sum();
        own + counts.others.untold
    }

    fn begin() -> Instant {
        Clock::of_the_machine().now()
    }

    #[test]
    fn the_first_is_told_at_once_and_the_next_within_a_second_only_counted() {
        let (repeats, begin) = (Repeats::default(), begin());
        let at = |milliseconds| begin + Duration::from_millis(milliseconds);

        assert_eq!(repeats.note("a", at(0)), Some(1));
        assert_eq!(repeats.note("a", at(1)), None);
        assert_eq!(repeats.note("a", at(999)), None);
        assert_eq!(repeats.note("a", at(1_000)), Some(3));
        assert_eq!(repeats.note("a", at(1_999)), None);
        assert_eq!(repeats.note("a", at(60_000)), Some(2));
    }

    #[test]
    fn one_key_does_not_silence_another() {
        let (repeats, begin) = (Repeats::default(), begin());

        assert_eq!(repeats.note("a", begin), Some(1));
        assert_eq!(repeats.note("b", begin), Some(1));
        assert_eq!(repeats.note("a", begin), None);
    }

    #[test]
    fn keys_beyond_the_maximum_are_told_as_one() {
        let (repeats, begin) = (Repeats::default(), begin());
        for key in 0..KEYS_MAX {
            assert_eq!(repeats.note(key, begin), Some(1));
        }

        assert_eq!(repeats.note(1_000, begin), Some(1));
        assert_eq!(repeats.note(1_001, begin), None);
        assert_eq!(repeats.note(1_002, begin), None);
        assert_eq!(untold(&repeats), 2);
    }

    #[test]
    fn a_key_that_is_quiet_makes_room_and_what_is_untold_of_it_is_told_with_the_others() {
        let (repeats, begin) = (Repeats::default(), begin());
        for key in 0..KEYS_MAX {
            repeats.note(key, begin);
            repeats.note(key, begin);
        }
        let later = begin + INTERVAL;
        for key in 0..KEYS_MAX {
            assert_eq!(repeats.note(1_000 + key, later), Some(1), "has a place");
        }

        let times = repeats.note(2_000, later).expect("told");

        assert_eq!(times, 1 + KEYS_MAX as u64);
        assert_eq!(untold(&repeats), 0);
    }

    proptest! {
        #[test]
        fn a_key_is_told_once_a_second_at_most_and_nothing_is_lost(
            notes in prop::collection::vec((0_usize..3 * KEYS_MAX, 0_u64..200), 0..2_000),
        ) {
            let (repeats, begin) = (Repeats::default(), begin());
            let mut now = begin;
            let mut last_told = HashMap::new();
            let mut told = 0;
            for &(key, pause) in &notes {
                now += Duration::from_millis(pause / 20);
                let Some(times) = repeats.note(key, now) else { continue };
                told += times;
                if let Some(before) = last_told.insert(key, now) {
                    prop_assert!(now - before >= INTERVAL, "{key} again after {:?}", now - before);
                }
            }
            prop_assert_eq!(told + untold(&repeats), notes.len() as u64);
            prop_assert!(repeats.counts.lock().expect("no panic").by_key.len() <= KEYS_MAX);
        }
    }
}
