//! What is remembered, bounded in bytes.
//!
//! [`moka`] bounds and evicts; whether something is still to be believed is told by the clock of
//! whoever asks. The times given to moka only let it drop early what nobody would believe.
//!
//! There are two segments, so that what weighs little and can be had in any number (that there is
//! nothing under some name) cannot push out what is worth keeping.

use std::hash::Hash;
use std::sync::Arc;
use std::time::Duration;
use std::time::Instant;

use foldhash::quality::RandomState;
use moka::Expiry;
use moka::notification::RemovalCause;
use moka::ops::compute::Op;
use moka::policy::EvictionPolicy;

use super::Memory;
use super::Remembered;
use super::Values;
use super::kept::Held;
use super::kept::Kept;
use super::kept::weigh;
use super::near::Near;
use super::purges::Purges;
use super::purges::Verdict;
use crate::freshness::Answer;
use crate::metrics::Eviction;
use crate::metrics::Metrics;

/// For how much longer moka keeps what may be of use: its clock is not ours, so it must not be the
/// one that decides, least of all in the moment in which a window ends.
const LEEWAY: Duration = Duration::from_secs(1);

/// Of the bytes, one in so many is for the minor segment.
const MINOR_SHARE: u64 = 16;

/// The store.
pub(super) struct Store<K, V, E, S> {
    major: Segment<K, V, E>,
    /// Where [`Values::is_minor`] says so, and for faults that stand beside no answer.
    minor: Segment<K, V, E>,
    /// Some of the major segment's.
    near: Arc<Near<K, Kept<K, V, E>>>,
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
pub(super) struct Brought<'a, K, V> {
    pub(super) answer: Answer<V>,
    /// The key to which its value is lent.
    pub(super) lent_to: Option<&'a K>,
    /// How many purges there had been when it was asked for.
    pub(super) epoch: u64,
}

/// Whoever may ask for a meeting knows no way to make its name collide with others: the hash begins
/// with a number of the process.
type Segment<K, V, E> = moka::sync::Cache<K, Kept<K, V, E>, RandomState>;

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
    ) -> Self {
        let minor_bytes = bounds.bytes_max / MINOR_SHARE;
        let major_bytes = bounds.bytes_max.saturating_sub(minor_bytes);
        // What comes must be kept, were it large and all else in demand: else it would be asked for
        // again and again. Nobody can make meetings up; absences can be, so there it is frequency
        // that decides.
        let near = Arc::new(Near::new(major_bytes));
        let dropped = {
            let near = Arc::clone(&near);
            move |key: &K| near.forget(key)
        };
        let counted = metrics.clone();
        let major = segment(major_bytes, EvictionPolicy::lru(), values, counted, dropped);
        let counted = metrics.clone();
        let minor = segment(
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
            values,
            bounds,
            purges,
            metrics,
        }
    }

    /// The same with other bounds. What is kept stays, as far as there is room for it.
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
        let has_room = bounds.bytes_max == self.bounds.bytes_max;
        // What moka was told to drop sooner has to be put there again.
        let has_time = bounds.stale_max <= self.bounds.stale_max;
        if has_room && has_time {
            return Self {
                major: major.clone(),
                minor: minor.clone(),
                near: Arc::clone(near),
                values,
                bounds,
                purges,
                metrics,
            };
        }
        let other = Self::new(bounds, values, purges, metrics);
        for (key, kept) in major.iter().chain(minor.iter()) {
            let kept = self.judged(&key, kept);
            if !kept.is_nothing() {
                other.put(&key, kept, now);
            }
        }
        other
    }

    /// How much is kept: entries, and the bytes they take. Has moka do the housekeeping that it puts
    /// off, so that what is over the bound is gone.
    pub(super) fn size(&self) -> (u64, u64) {
        let Self { major, minor, .. } = self;
        major.run_pending_tasks();
        minor.run_pending_tasks();
        (
            major.entry_count() + minor.entry_count(),
            major.weighted_size() + minor.weighted_size(),
        )
    }

    /// What is remembered under `key` and may still be of use at `now`.
    pub(super) fn recall(&self, key: &K, now: Instant) -> Memory<V, E> {
        self.kept(key, now).map(Kept::memory).unwrap_or_default()
    }

    /// Keeps this answer under `key`, in place of what was there. Whether it is kept as it came.
    pub(super) fn keep(&self, key: &K, brought: Brought<'_, K, V>, now: Instant) -> bool {
        let Brought {
            answer,
            lent_to,
            epoch,
        } = brought;
        let lifetime = answer.lifetime();
        let kept = Kept {
            answer: Some(answer.map(Held::Own)),
            lent_to: lent_to.cloned().map(Arc::new),
            ..Kept::nothing(epoch)
        };
        let kept = self.judged(key, kept);
        let as_it_came = |answer: &Answer<_>| answer.lifetime() == lifetime;
        let is_as_it_came = kept.answer.as_ref().is_some_and(as_it_came);
        self.replace(key, kept, now) && is_as_it_came
    }

    /// The same, unless a newer one is there.
    pub(super) fn keep_if_newer(&self, key: &K, brought: Brought<'_, K, V>, now: Instant) -> bool {
        self.is_news(key, &brought.answer, now) && self.keep(key, brought, now)
    }

    /// Lends the value of this answer to `key`, unless a newer one is there.
    pub(super) fn lend(&self, key: &K, answer: Answer<V>, epoch: u64, now: Instant) {
        if self.is_news(key, &answer, now) {
            let lent = answer.map(|value| Held::Lent((self.values.lend)(&value)));
            let kept = Kept {
                answer: Some(lent),
                ..Kept::nothing(epoch)
            };
            self.replace(key, self.judged(key, kept), now);
        }
    }

    /// Remembers a fault under `key`, beside what is kept there.
    pub(super) fn keep_fault(&self, key: &K, fault: E, now: Instant) {
        let until = now + self.bounds.fault_kept;
        let beside = self.kept(key, now);
        let beside = beside.unwrap_or_else(|| Kept::nothing(self.purges.epoch()));
        let kept = Kept {
            fault: Some(Box::new(Remembered { fault, until })),
            ..beside
        };
        self.put(key, kept, now);
    }

    /// Has the bytes under `key` counted again, if it is still `is_same` that is kept there.
    pub(super) fn reweigh(&self, key: &K, now: Instant, is_same: impl Fn(&V) -> bool) {
        self.change(key, |kept| match &kept.answer.as_ref()?.value {
            Held::Own(value) if is_same(value) => Some(Kept {
                span: self.kept_for(&kept, now),
                ..kept
            }),
            Held::Lent(_) | Held::Own(_) => None,
        });
    }

    /// Drops everything.
    pub(super) fn clear(&self) {
        self.major.invalidate_all();
        self.minor.invalidate_all();
        self.near.clear();
    }

    /// What is kept under `key`, without an answer that is of no use any more.
    fn kept(&self, key: &K, now: Instant) -> Option<Kept<K, V, E>> {
        let major = self.near.recall(key, now, || self.major.get(key));
        let kept = major.or_else(|| self.minor.get(key))?;
        let mut kept = self.judged(key, kept);
        let of_use = |answer: &Answer<_>| answer.staleness(now) <= self.bounds.stale_max;
        kept.answer = kept.answer.filter(of_use);
        Some(kept)
    }

    /// What the purges since then leave of something.
    fn judged(&self, key: &K, kept: Kept<K, V, E>) -> Kept<K, V, E> {
        let epoch = self.purges.epoch();
        let scopes = || {
            let answer = kept.answer.as_ref();
            let value = answer.and_then(|answer| answer.value.value());
            (self.values.scopes)(key, value.as_ref())
        };
        match self.purges.judge(kept.epoch, scopes) {
            Verdict::Dropped => Kept::nothing(epoch),
            Verdict::ExpiredAt(at) => Kept {
                answer: kept.answer.map(|answer| answer.expired(at)),
                fault: None,
                epoch,
                ..kept
            },
            Verdict::Untouched => Kept { epoch, ..kept },
        }
    }

    fn is_news(&self, key: &K, answer: &Answer<V>, now: Instant) -> bool {
        let known = self.recall(key, now).answer;
        known.is_none_or(|known| known.asked_at() < answer.asked_at())
    }

    /// Puts an answer in place of another, unless nothing is left of it. Whether there is room for it.
    fn replace(&self, key: &K, kept: Kept<K, V, E>, now: Instant) -> bool {
        if kept.is_nothing() {
            return false;
        }
        self.endow_borrower(key, now);
        self.put(key, kept, now)
    }

    /// Whoever borrows from `key` owns from now on what it borrowed: it is about to be replaced.
    fn endow_borrower(&self, key: &K, now: Instant) {
        let borrower = self.major.get(key).and_then(|kept| kept.lent_to);
        let Some(borrower) = borrower else {
            return;
        };
        self.change(&borrower, |kept| {
            let Held::Lent(lent) = &kept.answer.as_ref()?.value else {
                return None;
            };
            let value = lent()?;
            let span = self.kept_for(&kept, now);
            let answer = kept.answer.map(|answer| answer.map(|_| Held::Own(value)));
            Some(Kept {
                answer,
                span,
                ..kept
            })
        });
    }

    /// Puts something else under `key`, if `change` makes something else of what is there.
    fn change(&self, key: &K, change: impl FnOnce(Kept<K, V, E>) -> Option<Kept<K, V, E>>) {
        let entry = self.major.entry_by_ref(key);
        entry.and_compute_with(|entry| {
            let kept = entry.map(moka::Entry::into_value);
            kept.and_then(change).map_or(Op::Nop, Op::Put)
        });
        self.near.forget(key);
    }

    /// Puts something under `key` in place of what was there. Whether there is room for it.
    fn put(&self, key: &K, kept: Kept<K, V, E>, now: Instant) -> bool {
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
        there.invalidate(key);
        let bytes = u64::from(weigh(self.values, key, &kept));
        let has_room = here.policy().max_capacity().is_none_or(|max| bytes <= max);
        if has_room {
            let span = self.kept_for(&kept, now);
            self.purges.kept_for(span);
            here.insert(key.clone(), Kept { span, ..kept });
        } else {
            here.invalidate(key);
        }
        self.near.forget(key);
        has_room
    }

    fn kept_for(&self, kept: &Kept<K, V, E>, now: Instant) -> Duration {
        let answer = kept.answer.as_ref();
        let answer = answer.map(|answer| {
            (answer.lifetime() + self.bounds.stale_max).saturating_sub(answer.age(now))
        });
        let fault = kept.fault.as_ref();
        let fault = fault.map(|fault| fault.until.saturating_duration_since(now));
        answer.max(fault).unwrap_or_default() + LEEWAY
    }
}

fn segment<K, V, E, S>(
    bytes_max: u64,
    policy: EvictionPolicy,
    values: Values<K, V, S>,
    metrics: Metrics,
    dropped: impl Fn(&K) + Send + Sync + 'static,
) -> Segment<K, V, E>
where
    K: Clone + Eq + Hash + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
    E: Clone + Send + Sync + 'static,
    S: 'static,
{
    moka::sync::Cache::builder()
        .max_capacity(bytes_max)
        .eviction_policy(policy)
        .weigher(move |key, kept| weigh(values, key, kept))
        .expire_after(Lifetimes)
        .eviction_listener(move |key, _, cause| {
            let eviction = match cause {
                RemovalCause::Expired => Eviction::Expired,
                RemovalCause::Size => Eviction::Size,
                // Our own doing.
                RemovalCause::Explicit | RemovalCause::Replaced => return,
            };
            metrics.evicted(eviction);
            dropped(&key);
        })
        .build_with_hasher(RandomState::default())
}

/// Tells moka when nobody will believe an entry any more. Always `Some`: an update that gives
/// `None` would leave the old entry's time in force.
struct Lifetimes;

impl<K, V, E> Expiry<K, Kept<K, V, E>> for Lifetimes {
    fn expire_after_create(&self, _: &K, kept: &Kept<K, V, E>, _: Instant) -> Option<Duration> {
        Some(kept.span)
    }

    fn expire_after_update(
        &self,
        _: &K,
        kept: &Kept<K, V, E>,
        _: Instant,
        _: Option<Duration>,
    ) -> Option<Duration> {
        Some(kept.span)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
            lend: |_| Arc::new(|| None),
            scopes: |_, _| vec![],
        };
        let purges = Arc::new(Purges::new());
        Store::new(bounds, values, purges, Metrics::default())
    }

    fn keep(store: &Bytes, key: u8, value: u8, now: Instant) {
        let brought = Brought {
            answer: Answer::new(value, now, now, Duration::from_secs(5)),
            lent_to: None,
            epoch: 0,
        };
        store.keep(&key, brought, now);
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

        store.clear();

        assert_eq!(recalled(&store, 1, now), None);
    }

    #[test]
    fn what_is_changed_where_it_is_kept_is_recalled_as_it_is_now() {
        let (store, now) = (store(bounds(10)), now());
        keep(&store, 1, 7, now);
        for _ in 0..3 {
            assert_eq!(recalled(&store, 1, now), Some(7));
        }

        store.change(&1, |kept| {
            let answer = kept.answer.map(|answer| answer.map(|_| Held::Own(8)));
            Some(Kept { answer, ..kept })
        });

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
        store.size();

        assert_eq!(store.major.get(&1).map(|_| ()), None);
        assert_eq!(recalled(&store, 1, now), None);
    }

    #[test]
    fn what_is_kept_is_kept_for_longer_if_it_may_be_stale_for_longer() {
        let (store, now) = (store(bounds(10)), now());
        keep(&store, 1, 7, now);

        for (stale_max_s, expected_s) in [(9, 16), (10, 16), (3_600, 3_606)] {
            let store = store.with(bounds(stale_max_s), now);
            let kept = store.major.get(&1).expect("kept");
            assert_eq!(kept.span.as_secs(), expected_s, "{stale_max_s}");
        }
    }
}
