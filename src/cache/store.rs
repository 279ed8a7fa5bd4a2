//! What is remembered, bounded in bytes.
//!
//! There are two segments, so that what weighs little and can be had in any number (that there is
//! nothing under some name) cannot push out what is worth keeping.

use std::collections::HashSet;
use std::hash::Hash;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Duration;
use std::time::Instant;

use moka::policy::EvictionPolicy;

use super::LEEWAY;
use super::Memory;
use super::Remembered;
use super::Values;
use super::kept::Held;
use super::kept::Kept;
use super::kept::weigh;
use super::near::Near;
use super::near::Recalled;
use super::purges::Purges;
use super::purges::Verdict;
use super::segment::Segment;
use crate::freshness::Answer;
use crate::metrics::Metrics;

/// Of the bytes, one in so many is for the minor segment.
const MINOR_SHARE: u64 = 16;

/// The store. One at a time changes it, as the table of flights is held for that; whoever likes looks
/// at it meanwhile, and moka drops of it what it has to.
pub(super) struct Store<K, V, E, S> {
    major: Segment<K, V, E>,
    /// Where [`Values::is_minor`] says so, and for faults that stand beside no answer.
    minor: Segment<K, V, E>,
    /// Some of the major segment's.
    near: Arc<Near<K, V, E>>,
    /// Under which keys something was changed since [`Store::with`] began to copy it; `None` if nobody
    /// does.
    changes: Mutex<Option<HashSet<K>>>,
    values: Values<K, V, S>,
    bounds: Bounds,
    purges: Arc<Purges<S>>,
    metrics: Metrics,
}

/// What bounds a store.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    /// Bytes kept in all.
    pub(super) bytes_max: u64,
    /// How long an answer may be of use after it is no longer fresh.
    pub(super) stale_max: Duration,
    /// How long a fault is remembered.
    pub(super) fault_kept: Duration,
}

/// An answer to keep.
pub(super) struct Brought<V> {
    pub(super) answer: Answer<V>,
    /// Whether its value is lent to its other name.
    pub(super) lends: bool,
    /// How many purges there had been when it was asked for.
    pub(super) epoch: u64,
}

impl<K, V, E, S> Store<K, V, E, S>
where
    K: Clone + Eq + Hash + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
    E: Clone + Send + Sync + 'static,
    S: Default + Eq + Hash + 'static,
{
    pub(super) fn new(
        bounds: Bounds,
        values: Values<K, V, S>,
        purges: Arc<Purges<S>>,
        metrics: Metrics,
        now: Instant,
    ) -> Self {
        let minor_bytes = bounds.bytes_max / MINOR_SHARE;
        let major_bytes = bounds.bytes_max.saturating_sub(minor_bytes);
        // What comes must be kept, were it large and all else in demand: else it would be asked for
        // again and again. Nobody can make meetings up; absences can be, so there it is frequency
        // that decides.
        let near = Arc::new(Near::new(major_bytes, now));
        let dropped = {
            let near = Arc::clone(&near);
            move |key: &K| near.forget(key)
        };
        let counted = metrics.clone();
        let major = Segment::new(major_bytes, EvictionPolicy::lru(), values, counted, dropped);
        let counted = metrics.clone();
        let minor = Segment::new(
            minor_bytes,
            EvictionPolicy::tiny_lfu(),
            values,
            counted,
            |_: &K| {},
        );
        Self {
            major,
            minor,
            near,
            changes: Mutex::new(None),
            values,
            bounds,
            purges,
            metrics,
        }
    }

    /// The same with other bounds. What is kept stays, as far as there is room for it; what is
    /// changed from now on is still to be [handed over](Self::hand_over).
    pub(super) fn with(&self, bounds: Bounds, now: Instant) -> Self {
        let Self {
            major,
            minor,
            near,
            values,
            purges,
            metrics,
            ..
        } = self;
        let (values, purges, metrics) = (*values, Arc::clone(purges), metrics.clone());
        let is_as_large = bounds.bytes_max == self.bounds.bytes_max;
        // What moka was told to drop sooner has to be put there again.
        let has_time = bounds.stale_max <= self.bounds.stale_max;
        if is_as_large && has_time {
            return Self {
                major: major.clone(),
                minor: minor.clone(),
                near: Arc::clone(near),
                changes: Mutex::new(None),
                values,
                bounds,
                purges,
                metrics,
            };
        }
        let other = Self::new(bounds, values, purges, metrics, now);
        *self.changes() = Some(HashSet::new());
        for kept in major.iter().chain(minor.iter()) {
            let kept = self.judged(Arc::unwrap_or_clone(kept));
            if !kept.is_nothing() {
                other.put(kept, now);
            }
        }
        other
    }

    /// Has `other`, which was made of this one, keep what this one keeps where it was changed since.
    pub(super) fn hand_over(&self, other: &Self, now: Instant) {
        let changes = self.changes().take();
        for key in changes.into_iter().flatten() {
            let kept = self.major.get(&key).or_else(|| self.minor.get(&key));
            let kept = kept.map(Arc::unwrap_or_clone).map(|kept| self.judged(kept));
            let epoch = self.purges.epoch();
            other.put(kept.unwrap_or_else(|| Kept::nothing(key, epoch)), now);
        }
    }

    /// Another with the same bounds, in which nothing is kept.
    pub(super) fn emptied(&self, now: Instant) -> Self {
        let purges = Arc::clone(&self.purges);
        Self::new(self.bounds, self.values, purges, self.metrics.clone(), now)
    }

    /// Has moka do the housekeeping that it puts off. All that has expired goes; for what is over the bound,
    /// it takes a tenth of a second at most.
    pub(super) fn tidy(&self) {
        self.major.tidy();
        self.minor.tidy();
    }

    /// How much is kept: entries, and the bytes they take; as of the last housekeeping.
    pub(super) fn size(&self) -> (u64, u64) {
        let (major, minor) = (self.major.size(), self.minor.size());
        (major.0 + minor.0, major.1 + minor.1)
    }

    /// What is remembered under `key` and may still be of use at `now`.
    pub(super) fn recall(&self, key: &K, now: Instant) -> Memory<V, E> {
        let Some(kept) = &*self.kept(key, now) else {
            return Memory::default();
        };
        let purged = self.purged(kept);
        let Memory { answer, fault } = purged.as_ref().unwrap_or(kept).memory();
        Memory {
            answer: answer.filter(|answer| self.is_of_use(answer, now)),
            fault,
        }
    }

    /// Keeps this answer under `key`, in place of what was there. Whether it is kept as it came.
    pub(super) fn keep(&self, key: &K, brought: Brought<V>, now: Instant) -> bool {
        let Brought {
            answer,
            lends,
            epoch,
        } = brought;
        let lifetime = answer.lifetime();
        let kept = Kept {
            answer: Some(answer.map(Held::Own)),
            lends,
            ..Kept::nothing(key.clone(), epoch)
        };
        let kept = self.judged(kept);
        let as_it_came = |answer: &Answer<_>| answer.lifetime() == lifetime;
        let is_as_it_came = kept.answer.as_ref().is_some_and(as_it_came);
        self.replace(kept, now) && is_as_it_came
    }

    /// The same, unless a newer one is there.
    pub(super) fn keep_if_newer(&self, key: &K, brought: Brought<V>, now: Instant) -> bool {
        self.is_news(key, &brought.answer, now) && self.keep(key, brought, now)
    }

    /// Lends the value of this answer to `key`, unless a newer one is there.
    pub(super) fn lend(&self, key: &K, answer: Answer<V>, epoch: u64, now: Instant) {
        if self.is_news(key, &answer, now) {
            let lent = answer.map(|value| Held::Lent((self.values.lend)(&value)));
            let kept = Kept {
                answer: Some(lent),
                ..Kept::nothing(key.clone(), epoch)
            };
            self.replace(self.judged(kept), now);
        }
    }

    /// Remembers a fault under `key`, beside what is kept there.
    pub(super) fn keep_fault(&self, key: &K, fault: E, now: Instant) {
        let until = now + self.bounds.fault_kept;
        let beside = self.kept(key, now).as_deref().cloned();
        let beside = beside.unwrap_or_else(|| Kept::nothing(key.clone(), self.purges.epoch()));
        let beside = self.judged(beside);
        let kept = Kept {
            answer: beside.answer.filter(|answer| self.is_of_use(answer, now)),
            fault: Some(Box::new(Remembered {
                fault,
                since: now,
                until,
            })),
            ..beside
        };
        self.put(kept, now);
    }

    /// Has the bytes under `key` counted again, if it is still `is_same` that is kept there.
    pub(super) fn reweigh(&self, key: &K, now: Instant, is_same: impl Fn(&V) -> bool) {
        self.change(key, now, |kept| match &kept.answer.as_ref()?.value {
            Held::Own(value) if is_same(value) => Some(Kept {
                span_s: self.kept_for_s(&kept, now),
                ..kept
            }),
            Held::Lent(_) | Held::Own(_) => None,
        });
    }

    /// What is kept under `key`.
    fn kept(&self, key: &K, now: Instant) -> Recalled<K, V, E> {
        let recalled = self.near.recall(key, now, || self.major.get(key));
        if recalled.is_some() {
            return recalled;
        }
        self.minor.get(key).into()
    }

    /// Whether an answer may still be of use.
    fn is_of_use<T>(&self, answer: &Answer<T>, now: Instant) -> bool {
        answer.staleness(now) <= self.bounds.stale_max
    }

    /// What the purges since then leave of something.
    fn judged(&self, kept: Kept<K, V, E>) -> Kept<K, V, E> {
        let epoch = self.purges.epoch().into();
        let kept = self.purged(&kept).unwrap_or(kept);
        Kept { epoch, ..kept }
    }

    /// The same, if it is not what it was.
    fn purged(&self, kept: &Kept<K, V, E>) -> Option<Kept<K, V, E>> {
        let Kept { key, epoch, .. } = kept;
        let scopes = || {
            let answer = kept.answer.as_ref();
            let value = answer.and_then(|answer| answer.value.value());
            (self.values.scopes)(key, value.as_ref())
        };
        match self.purges.judge(epoch, scopes) {
            Verdict::Dropped => Some(Kept::nothing(key.clone(), epoch.clone())),
            Verdict::ExpiredAt(at) => {
                let kept = kept.clone();
                Some(Kept {
                    answer: kept.answer.map(|answer| answer.expired(at)),
                    fault: None,
                    ..kept
                })
            }
            Verdict::Untouched => None,
        }
    }

    fn is_news(&self, key: &K, answer: &Answer<V>, now: Instant) -> bool {
        let known = self.recall(key, now).answer;
        known.is_none_or(|known| known.asked_at() < answer.asked_at())
    }

    /// Puts an answer in place of another; nothing, if nothing is left of it. Whether it is kept.
    fn replace(&self, kept: Kept<K, V, E>, now: Instant) -> bool {
        self.endow_borrower(&kept.key, now);
        self.put(kept, now)
    }

    /// Whoever borrows from `key` owns from now on what it borrowed: it is about to be replaced.
    fn endow_borrower(&self, key: &K, now: Instant) {
        let lender = self.major.get(key).filter(|kept| kept.lends);
        let value = lender.and_then(|kept| kept.answer.as_ref()?.value.value());
        let borrower = value.and_then(|value| (self.values.other_name)(key, &value));
        let Some(borrower) = borrower else {
            return;
        };
        self.change(&borrower, now, |kept| {
            let Held::Lent(lent) = &kept.answer.as_ref()?.value else {
                return None;
            };
            let value = lent()?;
            let span_s = self.kept_for_s(&kept, now);
            let answer = kept.answer.map(|answer| answer.map(|_| Held::Own(value)));
            Some(Kept {
                answer,
                span_s,
                ..kept
            })
        });
    }

    /// Puts something else under `key`, if `change` makes something else of what is there.
    fn change(
        &self,
        key: &K,
        now: Instant,
        change: impl FnOnce(Kept<K, V, E>) -> Option<Kept<K, V, E>>,
    ) {
        let changed = self.major.get(key).map(Arc::unwrap_or_clone);
        if let Some(kept) = changed.and_then(change).map(Arc::new) {
            self.major.insert(Arc::clone(&kept));
            self.have_near(&kept, now);
            self.note_change(key);
        }
    }

    /// Puts something in place of what was there under its key; nothing, if it is nothing, or there is
    /// no room for it. Whether it is kept.
    fn put(&self, kept: Kept<K, V, E>, now: Instant) -> bool {
        let is_minor = match kept.answer.as_ref().map(|answer| &answer.value) {
            None => true,
            Some(Held::Lent(_)) => false,
            Some(Held::Own(value)) => (self.values.is_minor)(value),
        };
        let (here, there) = if is_minor {
            (&self.minor, &self.major)
        } else {
            (&self.major, &self.minor)
        };
        let key = kept.key.clone();
        there.remove(&key);
        let has_room = here.has_room(weigh(self.values, &kept).into());
        let is_kept = has_room && !kept.is_nothing();
        if is_kept {
            let span_s = self.kept_for_s(&kept, now);
            self.purges.kept_for(Duration::from_secs(span_s.into()));
            let kept = Arc::new(Kept { span_s, ..kept });
            here.insert(Arc::clone(&kept));
            if is_minor {
                self.near.forget(&key);
            } else {
                self.have_near(&kept, now);
            }
        } else {
            here.remove(&key);
            self.near.forget(&key);
        }
        self.note_change(&key);
        is_kept
    }

    /// Has this be near, as it was put into the major segment; unless it was pushed out at once, of
    /// which nobody would tell again.
    fn have_near(&self, kept: &Arc<Kept<K, V, E>>, now: Instant) {
        self.near.renew(kept, now);
        if !self.major.has(&kept.key) {
            self.near.forget(&kept.key);
        }
    }

    /// Notes that something was changed under `key`, for whoever is copying it.
    fn note_change(&self, key: &K) {
        if let Some(changes) = &mut *self.changes() {
            changes.insert(key.clone());
        }
    }

    /// A panic while it is held leaves it whole.
    fn changes(&self) -> MutexGuard<'_, Option<HashSet<K>>> {
        self.changes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// For how many seconds something may be of use, and a little longer.
    fn kept_for_s(&self, kept: &Kept<K, V, E>, now: Instant) -> u32 {
        let answer = kept.answer.as_ref();
        let answer = answer.map(|answer| {
            (answer.lifetime() + self.bounds.stale_max).saturating_sub(answer.age(now))
        });
        let fault = kept.fault.as_ref();
        let fault = fault.map(|fault| fault.until.saturating_duration_since(now));
        let span = answer.max(fault).unwrap_or_default() + LEEWAY;
        u32::try_from(span.as_secs()).unwrap_or(u32::MAX)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;
    use std::sync::atomic::Ordering;

    use super::*;
    use crate::cache::Thoroughness;

    type Bytes = Store<u8, u8, (), Option<u8>>;

    fn now() -> Instant {
        crate::clock::Clock::of_the_machine().now()
    }

    fn bounds(stale_max_s: u64) -> Bounds {
        Bounds {
            bytes_max: 64 * 1024 * 1024,
            stale_max: Duration::from_secs(stale_max_s),
            fault_kept: Duration::from_secs(1),
        }
    }

    fn store(bounds: Bounds) -> Bytes {
        let values = Values {
            key_bytes: |_| 1,
            // Few have room.
            bytes: |_| 10 * 1024 * 1024,
            is_minor: |_| false,
            other_name: |_, _| None,
            lend: |_| Arc::new(|| None),
            scopes: |_, value| vec![None, value.copied()],
        };
        let purges = Arc::new(Purges::new());
        Store::new(bounds, values, purges, Metrics::default(), now())
    }

    fn keep(store: &Bytes, key: u8, value: u8, now: Instant) {
        let brought = Brought {
            answer: Answer::new(value, now, now, Duration::from_secs(5)),
            lends: false,
            epoch: 0,
        };
        store.keep(&key, brought, now);
    }

    /// Changes the value where it is kept.
    fn put_own(store: &Bytes, key: u8, value: u8) {
        store.change(&key, now(), |kept| {
            let answer = kept.answer.map(|answer| answer.map(|_| Held::Own(value)));
            Some(Kept { answer, ..kept })
        });
    }

    fn recalled(store: &Bytes, key: u8, now: Instant) -> Option<u8> {
        let answer = store.recall(&key, now).answer;
        answer.map(|answer| answer.value)
    }

    #[test]
    fn what_is_recalled_again_and_again_is_what_is_kept_by_now() {
        let (store, now) = (store(bounds(10)), now());
        for value in 0..3 {
            keep(&store, 1, value, now);
            for _ in 0..3 {
                assert_eq!(recalled(&store, 1, now), Some(value));
            }
        }

        store.put(Kept::nothing(1, 0), now);

        assert_eq!(recalled(&store, 1, now), None);
    }

    #[test]
    fn what_is_changed_where_it_is_kept_is_recalled_as_it_is_now() {
        let (store, now) = (store(bounds(10)), now());
        keep(&store, 1, 7, now);
        for _ in 0..3 {
            assert_eq!(recalled(&store, 1, now), Some(7));
        }

        put_own(&store, 1, 8);

        assert_eq!(recalled(&store, 1, now), Some(8));
    }

    #[test]
    fn what_is_pushed_out_is_gone_however_often_it_was_recalled() {
        let (store, now) = (store(bounds(10)), now());
        keep(&store, 1, 7, now);
        for _ in 0..3 {
            assert_eq!(recalled(&store, 1, now), Some(7));
        }

        for key in 2..20 {
            keep(&store, key, 0, now);
        }
        store.tidy();

        assert_eq!(store.major.get(&1).map(|_| ()), None);
        assert_eq!(recalled(&store, 1, now), None);
    }

    /// The same store with other bounds, while something is done to it.
    fn with(store: &Bytes, bounds: Bounds, now: Instant, meanwhile: impl FnOnce()) -> Bytes {
        let other = store.with(bounds, now);
        meanwhile();
        store.hand_over(&other, now);
        other
    }

    #[test]
    fn what_is_changed_while_the_bounds_are_is_kept_as_it_is_now() {
        for (bytes_max, stale_max_s) in [(64, 10), (65, 10), (63, 10), (64, 11)] {
            let (store, now) = (store(bounds(10)), now());
            for key in 1..5 {
                keep(&store, key, 0, now);
            }
            let bounds = Bounds {
                bytes_max: bytes_max * 1024 * 1024,
                ..bounds(stale_max_s)
            };

            let store = with(&store, bounds, now, || {
                keep(&store, 1, 1, now);
                put_own(&store, 2, 2);
                store.keep_fault(&3, (), now);
                store.put(Kept::nothing(4, 0), now);
                keep(&store, 5, 5, now);
            });

            let recalled: Vec<_> = (1..6).map(|key| recalled(&store, key, now)).collect();
            let expected = [Some(1), Some(2), Some(0), None, Some(5)];
            assert_eq!(recalled, expected, "{bounds:?}");
            assert!(store.recall(&3, now).fault.is_some(), "{bounds:?}");
        }
    }

    #[test]
    fn what_a_purge_is_not_about_is_judged_by_it_once() {
        static JUDGED: AtomicUsize = AtomicUsize::new(0);
        let counted: fn(&u8, Option<&u8>) -> Vec<Option<u8>> = |_, value| {
            JUDGED.fetch_add(1, Ordering::SeqCst);
            vec![None, value.copied()]
        };
        let (mut store, now) = (store(bounds(10)), now());
        store.values.scopes = counted;
        keep(&store, 1, 7, now);

        for (purges, scope, expected) in [(1, 5, Some(7)), (2, 6, Some(7)), (3, 7, None)] {
            let scopes = vec![Some(scope)];
            store.purges.mark(scopes, Thoroughness::Drop, now);

            for _ in 0..3 {
                assert_eq!(recalled(&store, 1, now), expected);
                let times = if expected.is_some() {
                    purges
                } else {
                    purges + 2
                };
                assert!(JUDGED.load(Ordering::SeqCst) <= times, "{scope}");
            }
        }
    }

    #[test]
    fn what_was_purged_on_its_way_leaves_nothing_older_in_its_place() {
        let (store, now) = (store(bounds(10)), now());
        keep(&store, 1, 7, now);

        let scopes = vec![Some(8)];
        store.purges.mark(scopes, Thoroughness::Drop, now);
        keep(&store, 1, 8, now);

        assert_eq!(recalled(&store, 1, now), None);
    }

    #[test]
    fn what_is_gone_is_held_nowhere() {
        let gone: [fn(&Bytes, Instant); 3] = [
            |store, now| assert!(!store.put(Kept::nothing(1, 0), now)),
            |store, now| (2..20).for_each(|key| keep(store, key, 0, now)),
            |store, now| keep(store, 1, 1, now),
        ];
        for (number, gone) in gone.into_iter().enumerate() {
            let (store, begin) = (store(bounds(10)), now());
            keep(&store, 1, 7, begin);
            let kept = store.major.get(&1).as_ref().map(Arc::downgrade);
            let kept = kept.expect("kept");
            assert_eq!(recalled(&store, 1, begin), Some(7));

            gone(&store, begin);

            // moka destroys what it drops when no other thread may be looking at it.
            while kept.upgrade().is_some() {
                let took = now() - begin;
                assert!(took < Duration::from_secs(10), "{number}");
                store.tidy();
                recalled(&store, 1, begin);
            }
        }
    }

    #[test]
    fn what_nobody_would_believe_any_more_is_given_back_though_nobody_asks() {
        let store = store(bounds(10));
        let kept = Arc::new(Kept::nothing(1, 0));
        assert_eq!(kept.span_s, 0);
        let held = Arc::downgrade(&kept);
        store.major.insert(kept);

        let begin = now();
        while held.upgrade().is_some() {
            assert!(now() - begin < Duration::from_secs(10));
            store.tidy();
        }
    }

    #[test]
    fn what_was_changed_before_the_bounds_were_is_not_handed_over_again() {
        let (store, now) = (store(bounds(10)), now());
        keep(&store, 1, 1, now);

        for stale_max_s in [11, 12] {
            with(&store, bounds(stale_max_s), now, || keep(&store, 1, 2, now));
            assert!(store.changes().is_none());
            keep(&store, 1, 3, now);
            assert!(store.changes().is_none());
        }
    }

    #[test]
    fn what_is_kept_is_kept_for_longer_if_it_may_be_stale_for_longer() {
        let (store, now) = (store(bounds(10)), now());
        keep(&store, 1, 7, now);

        for (stale_max_s, expected_s) in [(9, 17), (10, 17), (3_600, 3_607)] {
            let store = with(&store, bounds(stale_max_s), now, || {});
            let kept = store.major.get(&1).expect("kept");
            assert_eq!(kept.span_s, expected_s, "{stale_max_s}");
        }
    }
}
