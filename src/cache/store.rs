//! What is remembered, bounded in bytes.
//!
//! [`moka`] bounds and evicts; whether something is still to be believed is told by the clock of
//! whoever asks. The times given to moka only let it drop early what nobody would believe.

use std::hash::Hash;
use std::time::Duration;
use std::time::Instant;

use moka::Expiry;

use crate::freshness::Answer;

/// Bytes that one entry costs besides its key and its value: moka's nodes, its hash table, its
/// queues, and what the allocator rounds up.
const UPKEEP_BYTES: usize = 320;

/// What is kept under one key.
#[derive(Clone)]
pub(super) enum Kept<V, E> {
    /// An answer.
    Answer(Answer<V>),
    /// A fault, remembered until then.
    Fault {
        /// Why there is no answer.
        fault: E,
        /// From when on it is worth asking again.
        until: Instant,
        /// How long that is, for moka.
        kept_for: Duration,
    },
}

/// The store.
pub(super) struct Store<K, V, E>(moka::sync::Cache<K, Kept<V, E>>);

impl<K, V, E> Store<K, V, E>
where
    K: Eq + Hash + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
    E: Clone + Send + Sync + 'static,
{
    pub(super) fn new(bytes_max: u64, weigh: fn(&K, &V) -> usize) -> Self {
        let weigher = move |key: &K, kept: &Kept<V, E>| {
            let bytes = match kept {
                Kept::Answer(answer) => weigh(key, &answer.value),
                Kept::Fault { .. } => 0,
            };
            u32::try_from(bytes + UPKEEP_BYTES).unwrap_or(u32::MAX)
        };
        let builder = moka::sync::Cache::builder().max_capacity(bytes_max);
        Self(builder.weigher(weigher).expire_after(Lifetimes).build())
    }

    /// What is kept under `key` and still counts at `now`.
    pub(super) fn fresh(&self, key: &K, now: Instant) -> Option<Result<Answer<V>, E>> {
        match self.0.get(key)? {
            Kept::Answer(answer) => answer.is_fresh(now).then_some(Ok(answer)),
            Kept::Fault { fault, until, .. } => (now < until).then_some(Err(fault)),
        }
    }

    pub(super) fn keep(&self, key: K, kept: Kept<V, E>) {
        self.0.insert(key, kept);
    }

    pub(super) fn invalidate(&self, key: &K) {
        self.0.invalidate(key);
    }

    /// Does the housekeeping that moka puts off, so that what is over the bound is gone.
    #[cfg(test)]
    pub(super) fn settle(&self) -> u64 {
        self.0.run_pending_tasks();
        self.0.weighted_size()
    }
}

/// Tells moka when nobody will believe an entry any more. Always `Some`: an update that gives
/// `None` would leave the old entry's time in force.
struct Lifetimes;

impl<V, E> Kept<V, E> {
    fn kept_for(&self) -> Duration {
        match self {
            Self::Answer(answer) => answer.lifetime(),
            Self::Fault { kept_for, .. } => *kept_for,
        }
    }
}

impl<K, V, E> Expiry<K, Kept<V, E>> for Lifetimes {
    fn expire_after_create(&self, _: &K, kept: &Kept<V, E>, _: Instant) -> Option<Duration> {
        Some(kept.kept_for())
    }

    fn expire_after_update(
        &self,
        _: &K,
        kept: &Kept<V, E>,
        _: Instant,
        _: Option<Duration>,
    ) -> Option<Duration> {
        Some(kept.kept_for())
    }
}
