//! What was recalled a moment ago, kept near at hand.
//!
//! The store has to be told whenever something is recalled, as it drops what nobody wants; and that
//! costs more than to find it: a queue goes through all that is kept. Most of what is asked for is asked
//! for again soon, though. So beside the store stands a table, in which most of what it has can be
//! found without its knowledge; and now and then with it, so that it knows what is wanted. That is
//! soon enough: WeCom's quota bounds how fast anything comes that could push that out; and if it is
//! pushed out all the same, it is asked for once more.
//!
//! Nothing is near that the store does not have, but for what nobody would believe any more, and one of
//! two keys that have the same hash there. Whoever changes what it has under a key has that renewed or
//! forgotten here afterwards; and what was recalled before that is not taken in after it.

use std::hash::BuildHasher;
use std::hash::Hash;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::OnceLock;
use std::sync::PoisonError;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering;
use std::time::Instant;

use arc_swap::ArcSwapOption;
use arc_swap::Guard;
use foldhash::quality::RandomState;

use super::kept::Kept;

/// What comes in a second, were all that WeCom lets a corp ask answered with 4 KiB: 150,000 an hour.
const BYTES_PER_SECOND: u64 = 150_000 * 4 * 1024 / 3_600;

/// The store is not told for as long as that takes to push out one of so many parts of it; in whole
/// seconds, of which the first is not.
const PARTS: u64 = 64;

/// There is one place for so many bytes of the store: about as many as there are meetings.
const BYTES_PER_PLACE: u64 = 4 * 1024;

/// Places that are made at a time.
const ROW: usize = 1024;

/// Some of what a store has.
pub(super) struct Near<K, V, E> {
    /// Each is made when one of its places is first looked for: a large cache may stay empty.
    rows: Box<[OnceLock<Row<K, V, E>>]>,
    places: usize,
    /// For how many seconds the store is not told.
    untold_s: u32,
    hashes: RandomState,
    /// The times of the places are since then.
    origin: Instant,
}

type Row<K, V, E> = Box<[Place<K, V, E>]>;

/// Where one of many keys may be found. As large as half a line of the processor's cache: no two are
/// read for one.
#[repr(align(32))]
struct Place<K, V, E> {
    held: ArcSwapOption<Kept<K, V, E>>,
    /// Of the hash of its key: whoever looks for another need not look at it.
    tag: AtomicU32,
    /// Of the hash of the key that was looked for here in vain, the last time.
    missed: AtomicU32,
    /// The second in which it is to be had from the store.
    until_s: AtomicU32,
    /// How often something was to be forgotten here. Held while what is held changes.
    forgotten: Mutex<u32>,
}

/// What was recalled, if anything was. Whoever looks at it holds no count of it.
pub(super) type Recalled<K, V, E> = Guard<Option<Arc<Kept<K, V, E>>>>;

impl<K: Eq + Hash, V, E> Near<K, V, E> {
    /// Beside a store of so many bytes.
    pub(super) fn new(bytes_max: u64, origin: Instant) -> Self {
        let places = usize::try_from(bytes_max / BYTES_PER_PLACE).unwrap_or(usize::MAX);
        let places = places.max(1);
        let rows = places.div_ceil(ROW);
        let untold_s = (bytes_max / PARTS / BYTES_PER_SECOND).max(1);
        Self {
            rows: (0..rows).map(|_| OnceLock::new()).collect(),
            places,
            untold_s: u32::try_from(untold_s).unwrap_or(u32::MAX),
            hashes: RandomState::default(),
            origin,
        }
    }

    /// What is kept under `key`: near, or else as `recall` has it from the store.
    ///
    /// It takes its place if that is free, or when it is had from there twice without another between:
    /// what is asked for once does not push out what is asked for again and again.
    pub(super) fn recall(
        &self,
        key: &K,
        now: Instant,
        recall: impl FnOnce() -> Option<Arc<Kept<K, V, E>>>,
    ) -> Recalled<K, V, E> {
        let (Some(place), tag) = self.place(key) else {
            return Guard::from_inner(recall());
        };
        let now_s = self.second(now);
        let is_free = place.is_free(now_s);
        if !is_free && place.tag.load(Ordering::Relaxed) == tag {
            let held = place.held.load();
            if held.as_ref().is_some_and(|kept| kept.key == *key) {
                return held;
            }
        }
        let takes_place = is_free || place.missed.load(Ordering::Relaxed) == tag;
        let forgotten = takes_place.then(|| *place.forgotten());
        let kept = recall();
        // What the store does not have takes no place from what it has.
        if let Some(kept) = &kept {
            if let Some(forgotten) = forgotten {
                place.hold(tag, kept, self.until_s(now_s), forgotten);
            } else {
                place.missed.store(tag, Ordering::Relaxed);
            }
        }
        Guard::from_inner(kept)
    }

    /// Has this be what is near of its key, if anything is or its place is free: the store has changed.
    pub(super) fn renew(&self, kept: &Arc<Kept<K, V, E>>, now: Instant) {
        if let (Some(place), tag) = self.place(&kept.key) {
            let now_s = self.second(now);
            place.renew(tag, kept, now_s, self.until_s(now_s));
        }
    }

    /// Forgets what is near of `key`: the store has changed.
    pub(super) fn forget(&self, key: &K) {
        if let (Some(place), _) = self.place(key) {
            place.forget(key);
        }
    }

    /// The place of a key, and what tells it there from most others.
    fn place(&self, key: &K) -> (Option<&Place<K, V, E>>, u32) {
        let hash = self.hashes.hash_one(key);
        // As far through the places as the hash is through all hashes.
        let through = (u128::from(hash) * self.places as u128) >> u64::BITS;
        let through = usize::try_from(through).unwrap_or_default();
        let (row, place) = (through / ROW, through % ROW);
        let tag = u32::try_from(hash & u64::from(u32::MAX)).unwrap_or_default();
        (self.row(row).and_then(|row| row.get(place)), tag)
    }

    fn row(&self, number: usize) -> Option<&Row<K, V, E>> {
        let row = self.rows.get(number)?;
        let places = self.places.saturating_sub(number * ROW).min(ROW);
        Some(row.get_or_init(|| (0..places).map(|_| Place::default()).collect()))
    }

    fn second(&self, now: Instant) -> u32 {
        let since = now.saturating_duration_since(self.origin);
        u32::try_from(since.as_secs()).unwrap_or(u32::MAX)
    }

    fn until_s(&self, now_s: u32) -> u32 {
        now_s.saturating_add(self.untold_s)
    }
}

impl<K: Eq, V, E> Place<K, V, E> {
    fn forgotten(&self) -> MutexGuard<'_, u32> {
        self.forgotten
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Holds what was recalled when so often something had been forgotten, unless it has been since.
    fn hold(&self, tag: u32, kept: &Arc<Kept<K, V, E>>, until_s: u32, forgotten: u32) {
        let now_forgotten = self.forgotten();
        if *now_forgotten != forgotten {
            return;
        }
        let is_held = |held: &Arc<_>| Arc::ptr_eq(held, kept);
        if !self.held.load().as_ref().is_some_and(is_held) {
            self.take(tag, kept);
        }
        self.until_s.store(until_s, Ordering::Relaxed);
    }

    /// Holds what the store has from now on, if the place is free or what is held has the same key, and
    /// has nothing taken in that was recalled before.
    fn renew(&self, tag: u32, kept: &Arc<Kept<K, V, E>>, now_s: u32, until_s: u32) {
        let mut forgotten = self.forgotten();
        *forgotten = forgotten.wrapping_add(1);
        let is_meant = |held: &Arc<Kept<K, V, E>>| held.key == kept.key;
        if self.is_free(now_s) || self.held.load().as_ref().is_some_and(is_meant) {
            self.take(tag, kept);
            self.until_s.store(until_s, Ordering::Relaxed);
        }
    }

    fn take(&self, tag: u32, kept: &Arc<Kept<K, V, E>>) {
        self.tag.store(tag, Ordering::Relaxed);
        self.held.store(Some(Arc::clone(kept)));
    }

    fn is_free(&self, now_s: u32) -> bool {
        self.until_s.load(Ordering::Relaxed) <= now_s
    }

    /// Forgets what is held if it has this key, and has nothing taken in that was recalled before.
    fn forget(&self, key: &K) {
        let mut forgotten = self.forgotten();
        *forgotten = forgotten.wrapping_add(1);
        if self
            .held
            .load()
            .as_ref()
            .is_some_and(|held| held.key == *key)
        {
            self.until_s.store(0, Ordering::Relaxed);
            self.held.store(None);
        }
    }
}

impl<K, V, E> Default for Place<K, V, E> {
    fn default() -> Self {
        Self {
            held: ArcSwapOption::empty(),
            tag: AtomicU32::new(0),
            missed: AtomicU32::new(0),
            until_s: AtomicU32::new(0),
            forgotten: Mutex::new(0),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::time::Duration;

    use super::*;
    use crate::clock::Clock;

    /// Of the table below.
    const NEAR: Duration = Duration::from_secs(1);

    /// A table of one place beside a store that has the same number under every key, and is counted.
    struct Shelf {
        near: Near<u8, (), ()>,
        number: Cell<u64>,
        recalled: Cell<u32>,
        now: Instant,
    }

    impl Shelf {
        fn new() -> Self {
            let now = Clock::of_the_machine().now();
            Self {
                near: Near::new(0, now),
                number: Cell::new(1),
                recalled: Cell::new(0),
                now,
            }
        }

        fn recall_after(&self, key: u8, span: Duration) -> Option<u64> {
            let recalled = self.near.recall(&key, self.now + span, || {
                self.recalled.set(self.recalled.get() + 1);
                Some(Arc::new(Kept::nothing(key, self.number.get())))
            });
            number(&recalled)
        }

        /// How often the store was asked while `key` was recalled so many times.
        fn recalled_while(&self, key: u8, times: u32) -> u32 {
            let before = self.recalled.get();
            for _ in 0..times {
                let recalled = self.recall_after(key, Duration::ZERO);
                assert_eq!(recalled, Some(self.number.get()));
            }
            self.recalled.get() - before
        }
    }

    fn number(recalled: &Recalled<u8, (), ()>) -> Option<u64> {
        recalled.as_deref().map(|kept| kept.epoch.number())
    }

    #[test]
    fn a_place_takes_half_a_line_of_the_processors_cache() {
        assert_eq!(size_of::<Place<u8, (), ()>>(), 32);
    }

    #[test]
    fn every_key_has_a_place_however_many_there_are() {
        let now = Clock::of_the_machine().now();
        for bytes_max in [
            0,
            1,
            BYTES_PER_PLACE * 1023,
            BYTES_PER_PLACE * 1025,
            1 << 30,
        ] {
            let near = Near::<u32, (), ()>::new(bytes_max, now);
            for key in 0..1_000 {
                assert!(near.place(&key).0.is_some(), "{key} of {bytes_max} bytes");
            }
        }
    }

    #[test]
    fn the_store_is_told_of_what_is_recalled_again_and_again_now_and_then() {
        let shelf = Shelf::new();

        assert_eq!(shelf.recalled_while(1, 10), 1);
        let instant = Duration::from_nanos(1);
        for (span, recalled) in [
            (NEAR.saturating_sub(instant), 1),
            (NEAR, 2),
            ((2 * NEAR).saturating_sub(instant), 2),
            (2 * NEAR, 3),
        ] {
            shelf.recall_after(1, span);
            assert_eq!(shelf.recalled.get(), recalled, "after {span:?}");
        }
    }

    #[test]
    fn what_is_asked_for_once_does_not_push_out_what_is_asked_for_again_and_again() {
        let shelf = Shelf::new();
        shelf.recalled_while(1, 1);

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
        shelf.recalled_while(2, 1);

        for _ in 0..3 {
            assert_eq!(number(&shelf.near.recall(&3, shelf.now, || None)), None);
        }

        assert_eq!(shelf.recalled_while(1, 1), 0);
        assert_eq!(shelf.recalled_while(2, 2), 1);
    }

    #[test]
    fn what_the_store_is_given_is_near_at_once_and_pushes_nothing_out() {
        let shelf = Shelf::new();
        let renew_after = |key, span| {
            let kept = Kept::nothing(key, shelf.number.get());
            shelf.near.renew(&Arc::new(kept), shelf.now + span);
        };

        for number in 1..4 {
            shelf.number.set(number);
            renew_after(1, Duration::ZERO);
            renew_after(2, Duration::ZERO);
            assert_eq!(shelf.recalled_while(1, 3), 0, "{number}");
        }
        assert_eq!(shelf.recalled_while(2, 1), 1);
        renew_after(2, NEAR);

        assert_eq!(shelf.recall_after(2, NEAR), Some(3));
        assert_eq!(shelf.recalled.get(), 1);
    }

    #[test]
    fn the_larger_the_store_the_seldomer_it_is_told() {
        let now = Clock::of_the_machine().now();
        for (mebibytes, untold_s) in [(0, 1), (16, 1), (256, 24), (3_072, 294)] {
            let near = Near::<u8, (), ()>::new(mebibytes * 1024 * 1024, now);
            assert_eq!(near.untold_s, untold_s, "{mebibytes} MiB");
        }
    }

    #[test]
    fn what_is_forgotten_is_recalled_as_it_is_now() {
        let shelf = Shelf::new();
        shelf.recalled_while(1, 2);

        shelf.number.set(2);
        shelf.near.forget(&1);

        shelf.recalled_while(1, 3);
    }

    #[test]
    fn what_was_recalled_before_something_was_forgotten_is_not_taken_in_after_it() {
        let forget: [fn(&Shelf); 2] = [
            |shelf| shelf.near.forget(&1),
            |shelf| shelf.near.renew(&Arc::new(Kept::nothing(1, 2)), shelf.now),
        ];
        for forget in forget {
            let shelf = Shelf::new();
            let stale = shelf.near.recall(&1, shelf.now, || {
                let kept = Kept::nothing(1, shelf.number.get());
                // The store changes behind this recollection's back.
                shelf.number.set(2);
                forget(&shelf);
                Some(Arc::new(kept))
            });

            assert_eq!(number(&stale), Some(1));
            shelf.recalled_while(1, 3);
        }
    }
}
