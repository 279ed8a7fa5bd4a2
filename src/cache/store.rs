//! What is remembered, bounded in bytes.
//!
//! [`moka`] bounds and evicts; whether something is still to be believed is told by the clock of
//! whoever asks. The times given to moka only let it drop early what nobody would believe.
//!
//! There are two segments, so that what weighs little and can be had in any number (that there is
//! nothing under some name) cannot push out what is worth keeping.

use std::hash::Hash;
use std::time::Duration;
use std::time::Instant;

use moka::Expiry;
use moka::notification::RemovalCause;
use moka::ops::compute::Op;
use moka::policy::EvictionPolicy;

use super::Memory;
use super::Values;
use crate::freshness::Answer;
use crate::metrics::Eviction;
use crate::metrics::Metrics;

/// Bytes that one entry costs besides its key and its value: moka's nodes, its hash table, its
/// queues, and what the allocator rounds up. Measured, see `tests/memory.rs`.
const UPKEEP_BYTES: usize = 900;

/// For how much longer moka keeps what may be of use: its clock is not ours, so it must not be the
/// one that decides, least of all in the moment in which a window ends.
const LEEWAY: Duration = Duration::from_secs(1);

/// Of the bytes, one in so many is for the minor segment.
const MINOR_SHARE: u64 = 16;

/// What is kept under one key, and for how long.
#[derive(Clone)]
struct Kept<V, E> {
    memory: Memory<V, E>,
    kept_for: Duration,
}

/// The store.
pub(super) struct Store<K, V, E> {
    major: Segment<K, V, E>,
    /// Where [`Values::is_minor`] says so, and for faults that stand beside no answer.
    minor: Segment<K, V, E>,
    values: Values<K, V>,
    bounds: Bounds,
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

type Segment<K, V, E> = moka::sync::Cache<K, Kept<V, E>>;

impl<K, V, E> Store<K, V, E>
where
    K: Clone + Eq + Hash + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
    E: Clone + Send + Sync + 'static,
{
    pub(super) fn new(bounds: Bounds, values: Values<K, V>, metrics: Metrics) -> Self {
        let minor_bytes = bounds.bytes_max / MINOR_SHARE;
        let major_bytes = bounds.bytes_max.saturating_sub(minor_bytes);
        // What comes must be kept, were it large and all else in demand: else it would be asked for
        // again and again. Nobody can make meetings up; absences can be, so there it is frequency
        // that decides.
        let major = segment(major_bytes, EvictionPolicy::lru(), values, metrics.clone());
        let minor = segment(
            minor_bytes,
            EvictionPolicy::tiny_lfu(),
            values,
            metrics.clone(),
        );
        Self {
            major,
            minor,
            values,
            bounds,
            metrics,
        }
    }

    /// The same with other bounds. What is kept stays, as far as there is room for it.
    pub(super) fn with(&self, bounds: Bounds, now: Instant) -> Self {
        let Self {
            major,
            minor,
            values,
            metrics,
            ..
        } = self;
        if bounds.bytes_max == self.bounds.bytes_max {
            return Self {
                major: major.clone(),
                minor: minor.clone(),
                values: *values,
                bounds,
                metrics: metrics.clone(),
            };
        }
        let other = Self::new(bounds, *values, metrics.clone());
        for (key, kept) in major.iter().chain(minor.iter()) {
            other.keep(&key, kept.memory, now);
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

    /// How long a fault is remembered.
    pub(super) fn fault_kept(&self) -> Duration {
        self.bounds.fault_kept
    }

    /// What is remembered under `key` and may still be of use at `now`.
    pub(super) fn recall(&self, key: &K, now: Instant) -> Memory<V, E> {
        let Some(kept) = self.major.get(key).or_else(|| self.minor.get(key)) else {
            return Memory::default();
        };
        let Memory { answer, fault } = kept.memory;
        Memory {
            answer: answer.filter(|answer| answer.staleness(now) <= self.bounds.stale_max),
            fault,
        }
    }

    /// Remembers this under `key`, in place of what was there.
    pub(super) fn keep(&self, key: &K, memory: Memory<V, E>, now: Instant) {
        let (here, there) = match &memory.answer {
            Some(answer) if !(self.values.is_minor)(&answer.value) => (&self.major, &self.minor),
            _ => (&self.minor, &self.major),
        };
        let kept_for = self.kept_for(&memory, now);
        there.invalidate(key);
        here.insert(key.clone(), Kept { memory, kept_for });
    }

    /// Remembers this answer under `key`, unless a newer one is there.
    pub(super) fn keep_if_newer(&self, key: &K, answer: Answer<V>, now: Instant) {
        let known = self.recall(key, now).answer;
        if known.is_none_or(|known| known.asked_at() < answer.asked_at()) {
            self.keep(
                key,
                Memory {
                    answer: Some(answer),
                    fault: None,
                },
                now,
            );
        }
    }

    /// Has the bytes under `key` counted again, if it is still `is_same` that is kept there.
    pub(super) fn reweigh(&self, key: &K, now: Instant, is_same: impl Fn(&V) -> bool) {
        self.major
            .entry_by_ref(key)
            .and_compute_with(|entry| match entry {
                Some(entry) => {
                    let Kept { memory, .. } = entry.into_value();
                    if memory
                        .answer
                        .as_ref()
                        .is_some_and(|answer| is_same(&answer.value))
                    {
                        let kept_for = self.kept_for(&memory, now);
                        Op::Put(Kept { memory, kept_for })
                    } else {
                        Op::Nop
                    }
                }
                None => Op::Nop,
            });
    }

    pub(super) fn invalidate(&self, key: &K) {
        self.major.invalidate(key);
        self.minor.invalidate(key);
    }

    /// Every key under which there is an answer of which `is_meant` says so.
    pub(super) fn keys(&self, is_meant: impl Fn(&K, Option<&V>) -> bool) -> Vec<K> {
        let entries = self.major.iter().chain(self.minor.iter());
        let meant = entries.filter(|(key, kept)| {
            is_meant(key, kept.memory.answer.as_ref().map(|answer| &answer.value))
        });
        meant.map(|(key, _)| K::clone(&key)).collect()
    }

    fn kept_for(&self, memory: &Memory<V, E>, now: Instant) -> Duration {
        let answer = memory.answer.as_ref();
        let answer = answer.map(|answer| {
            (answer.lifetime() + self.bounds.stale_max).saturating_sub(answer.age(now))
        });
        let fault = memory.fault.as_ref();
        let fault = fault.map(|fault| fault.until.saturating_duration_since(now));
        answer.max(fault).unwrap_or_default() + LEEWAY
    }
}

fn segment<K, V, E>(
    bytes_max: u64,
    policy: EvictionPolicy,
    values: Values<K, V>,
    metrics: Metrics,
) -> Segment<K, V, E>
where
    K: Eq + Hash + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
    E: Clone + Send + Sync + 'static,
{
    let weigh = move |key: &K, kept: &Kept<V, E>| {
        let answer = kept.memory.answer.as_ref();
        let value_bytes = answer.map_or(0, |answer| (values.bytes)(&answer.value));
        let bytes = (values.key_bytes)(key) + value_bytes + UPKEEP_BYTES;
        u32::try_from(bytes).unwrap_or(u32::MAX)
    };
    moka::sync::Cache::builder()
        .max_capacity(bytes_max)
        .eviction_policy(policy)
        .weigher(weigh)
        .expire_after(Lifetimes)
        .eviction_listener(move |_, _, cause| match cause {
            RemovalCause::Expired => metrics.evicted(Eviction::Expired),
            RemovalCause::Size => metrics.evicted(Eviction::Size),
            // Our own doing.
            RemovalCause::Explicit | RemovalCause::Replaced => {}
        })
        .build()
}

/// Tells moka when nobody will believe an entry any more. Always `Some`: an update that gives
/// `None` would leave the old entry's time in force.
struct Lifetimes;

impl<K, V, E> Expiry<K, Kept<V, E>> for Lifetimes {
    fn expire_after_create(&self, _: &K, kept: &Kept<V, E>, _: Instant) -> Option<Duration> {
        Some(kept.kept_for)
    }

    fn expire_after_update(
        &self,
        _: &K,
        kept: &Kept<V, E>,
        _: Instant,
        _: Option<Duration>,
    ) -> Option<Duration> {
        Some(kept.kept_for)
    }
}
