//! What was recalled a moment ago, kept near at hand.
//!
//! The store has to be told whenever something is recalled, as it drops what nobody wants; and that
//! costs more than to find it: a queue goes through all that is kept. A few meetings are asked for
//! again and again, though. These are held in a small table beside it, from which they are had without
//! the store's knowledge; and twice a minute from the store, which then knows that they are wanted.
//! That is soon enough: WeCom's quota bounds how fast anything comes that could push them out; and
//! if one is pushed out all the same, it is asked for once more.
//!
//! Nothing is near that the store does not have, but for what it has dropped as nobody would believe it
//! any more. Whoever changes what it has under a key makes it
//! forgotten here afterwards; and what was recalled before that is not taken in after it.

use std::hash::BuildHasher;
use std::hash::Hash;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::time::Duration;
use std::time::Instant;

use arc_swap::ArcSwapOption;
use foldhash::quality::RandomState;

/// For how long the store is not told.
const NEAR: Duration = Duration::from_secs(30);

/// There is one place for so many bytes of the store. What is held in one takes some 400, beside what
/// the store has of it.
const BYTES_PER_PLACE: u64 = 16 * 1024;

/// Beyond that, most of them would not be asked for again in time.
const PLACES_MAX: usize = 64 * 1024;

/// Values of type `T` by keys of type `K`, for some of the keys.
pub(super) struct Near<K, T> {
    places: Box<[Place<K, T>]>,
    hashes: RandomState,
}

/// Where one of many keys may have its value.
struct Place<K, T> {
    held: ArcSwapOption<Note<K, T>>,
    /// The hash of its key: whoever looks for another need not look at it.
    hash: AtomicU64,
    /// The hash of the key that was looked for here in vain, the last time.
    missed: AtomicU64,
    /// How often something was to be forgotten here. Held while what is held changes.
    forgotten: Mutex<u32>,
}

struct Note<K, T> {
    key: K,
    value: T,
    until: Instant,
}

impl<K: Clone + Eq + Hash, T: Clone> Near<K, T> {
    /// Beside a store of so many bytes.
    pub(super) fn new(bytes_max: u64) -> Self {
        let places = usize::try_from(bytes_max / BYTES_PER_PLACE).unwrap_or(usize::MAX);
        let places = places.clamp(1, PLACES_MAX);
        Self {
            places: (0..places).map(|_| Place::default()).collect(),
            hashes: RandomState::default(),
        }
    }

    /// What is kept under `key`: near, or else as `recall` has it from the store.
    ///
    /// It takes its place when it is had from there twice without another between: what is asked for
    /// once does not push out what is asked for again and again.
    pub(super) fn recall(
        &self,
        key: &K,
        now: Instant,
        recall: impl FnOnce() -> Option<T>,
    ) -> Option<T> {
        let hash = self.hashes.hash_one(key);
        let place = self.place(hash)?;
        if place.hash.load(Ordering::Relaxed) == hash
            && let Some(note) = &*place.held.load()
            && note.key == *key
            && now < note.until
        {
            return Some(note.value.clone());
        }
        let is_second = place.missed.load(Ordering::Relaxed) == hash;
        let forgotten = is_second.then(|| *place.forgotten());
        // What the store does not have takes no place from what it has.
        let value = recall()?;
        if let Some(forgotten) = forgotten {
            let note = Note {
                key: key.clone(),
                value: value.clone(),
                until: now + NEAR,
            };
            place.hold(hash, note, forgotten);
        } else {
            place.missed.store(hash, Ordering::Relaxed);
        }
        Some(value)
    }

    /// Forgets what is near of `key`: the store has changed.
    pub(super) fn forget(&self, key: &K) {
        if let Some(place) = self.place(self.hashes.hash_one(key)) {
            place.forget(|note| note.key == *key);
        }
    }

    /// Forgets everything.
    pub(super) fn clear(&self) {
        for place in &self.places {
            place.forget(|_| true);
        }
    }

    fn place(&self, hash: u64) -> Option<&Place<K, T>> {
        // As far through the places as the hash is through all hashes.
        let through = u128::from(hash) * self.places.len() as u128;
        self.places.get(usize::try_from(through >> u64::BITS).ok()?)
    }
}

impl<K, T> Place<K, T> {
    fn forgotten(&self) -> MutexGuard<'_, u32> {
        self.forgotten
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Holds what was recalled when so often something had been forgotten, unless it has been since.
    fn hold(&self, hash: u64, note: Note<K, T>, forgotten: u32) {
        let now_forgotten = self.forgotten();
        if *now_forgotten == forgotten {
            self.hash.store(hash, Ordering::Relaxed);
            self.held.store(Some(Arc::new(note)));
        }
    }

    /// Forgets what is held if it is meant, and has nothing taken in that was recalled before.
    fn forget(&self, is_meant: impl FnOnce(&Note<K, T>) -> bool) {
        let mut forgotten = self.forgotten();
        *forgotten = forgotten.wrapping_add(1);
        if self.held.load().as_deref().is_some_and(is_meant) {
            self.held.store(None);
        }
    }
}

impl<K, T> Default for Place<K, T> {
    fn default() -> Self {
        Self {
            held: ArcSwapOption::empty(),
            hash: AtomicU64::new(0),
            missed: AtomicU64::new(0),
            forgotten: Mutex::new(0),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;
    use crate::clock::Clock;

    /// A table of one place beside a store that has `value` under every key, and is counted.
    struct Shelf {
        near: Near<u8, u32>,
        value: Cell<u32>,
        recalled: Cell<u32>,
        now: Instant,
    }

    impl Shelf {
        fn new() -> Self {
            Self {
                near: Near::new(0),
                value: Cell::new(1),
                recalled: Cell::new(0),
                now: Clock::of_the_machine().now(),
            }
        }

        fn recall_after(&self, key: u8, span: Duration) -> Option<u32> {
            self.near.recall(&key, self.now + span, || {
                self.recalled.set(self.recalled.get() + 1);
                Some(self.value.get())
            })
        }

        /// How often the store was asked while `key` was recalled so many times.
        fn recalled_while(&self, key: u8, times: u32) -> u32 {
            let before = self.recalled.get();
            for _ in 0..times {
                assert_eq!(
                    self.recall_after(key, Duration::ZERO),
                    Some(self.value.get())
                );
            }
            self.recalled.get() - before
        }
    }

    #[test]
    fn the_store_is_told_of_what_is_recalled_again_and_again_twice_a_minute() {
        let shelf = Shelf::new();

        assert_eq!(shelf.recalled_while(1, 10), 2);
        let instant = Duration::from_nanos(1);
        for (span, recalled) in [
            (NEAR.saturating_sub(instant), 2),
            (NEAR, 3),
            ((2 * NEAR).saturating_sub(instant), 3),
            (2 * NEAR, 4),
        ] {
            shelf.recall_after(1, span);
            assert_eq!(shelf.recalled.get(), recalled, "after {span:?}");
        }
    }

    #[test]
    fn what_is_asked_for_once_does_not_push_out_what_is_asked_for_again_and_again() {
        let shelf = Shelf::new();
        shelf.recalled_while(1, 2);

        for other in 2..20 {
            assert_eq!(shelf.recalled_while(other, 1), 1);
            assert_eq!(shelf.recalled_while(1, 1), 0);
        }
        assert_eq!(shelf.recalled_while(2, 3), 2);
        assert_eq!(shelf.recalled_while(1, 3), 2);
    }

    #[test]
    fn what_the_store_does_not_have_takes_no_place_from_what_it_has() {
        let shelf = Shelf::new();
        shelf.recalled_while(1, 1);

        for _ in 0..3 {
            assert_eq!(shelf.near.recall(&2, shelf.now, || None), None);
        }

        assert_eq!(shelf.recalled_while(1, 2), 1);
    }

    #[test]
    fn what_is_forgotten_is_recalled_as_it_is_now() {
        let forget: [fn(&Near<u8, u32>); 2] = [|near| near.forget(&1), Near::clear];
        for forget in forget {
            let shelf = Shelf::new();
            shelf.recalled_while(1, 2);

            shelf.value.set(2);
            forget(&shelf.near);

            shelf.recalled_while(1, 3);
        }
    }

    #[test]
    fn what_was_recalled_before_something_was_forgotten_is_not_taken_in_after_it() {
        let shelf = Shelf::new();
        shelf.recalled_while(1, 1);

        let stale = shelf.near.recall(&1, shelf.now, || {
            let value = shelf.value.get();
            // The store changes behind this recollection's back.
            shelf.value.set(2);
            shelf.near.forget(&1);
            Some(value)
        });

        assert_eq!(stale, Some(1));
        shelf.recalled_while(1, 3);
    }
}
