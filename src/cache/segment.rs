//! One part of the store: what is kept under each key, bounded in bytes.
//!
//! [`moka`] bounds and evicts; whether something is still to be believed is told by the clock of
//! whoever asks. The times given to moka only let it drop early what nobody would believe.
//!
//! moka knows entries by the hashes of their keys, so that a key stands in memory once, in what is
//! kept. Of two keys with the same hash, one is kept.

use std::hash::BuildHasher;
use std::hash::Hash;
use std::sync::Arc;
use std::time::Duration;
use std::time::Instant;

use foldhash::quality::RandomState;
use moka::Expiry;
use moka::notification::RemovalCause;
use moka::policy::EvictionPolicy;

use super::Values;
use super::kept::Kept;
use super::kept::weigh;
use crate::metrics::Eviction;
use crate::metrics::Metrics;

/// A part of the store. Whoever clones it has the same.
pub(super) struct Segment<K, V, E> {
    entries: moka::sync::Cache<u64, Arc<Kept<K, V, E>>, RandomState>,
    /// Whoever may ask for a meeting knows no way to make its name collide with others: the hash
    /// begins with a number of the process.
    hashes: RandomState,
    bytes_max: u64,
}

impl<K, V, E> Segment<K, V, E>
where
    K: Eq + Hash + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
    E: Clone + Send + Sync + 'static,
{
    /// An empty one. `dropped` is told what it drops of its own accord.
    pub(super) fn new<S: 'static>(
        bytes_max: u64,
        policy: EvictionPolicy,
        values: Values<K, V, S>,
        metrics: Metrics,
        dropped: impl Fn(&K) + Send + Sync + 'static,
    ) -> Self {
        let entries = moka::sync::Cache::builder()
            .max_capacity(bytes_max)
            .eviction_policy(policy)
            .weigher(move |_, kept: &Arc<_>| weigh(values, kept))
            .expire_after(Lifetimes)
            .eviction_listener(move |_, kept: Arc<Kept<K, V, E>>, cause| {
                let eviction = match cause {
                    RemovalCause::Expired => Eviction::Expired,
                    RemovalCause::Size => Eviction::Size,
                    // Our own doing.
                    RemovalCause::Explicit | RemovalCause::Replaced => return,
                };
                metrics.evicted(eviction);
                dropped(&kept.key);
            });
        Self {
            entries: entries.build_with_hasher(RandomState::default()),
            hashes: RandomState::default(),
            bytes_max,
        }
    }

    /// What is kept under `key`.
    pub(super) fn get(&self, key: &K) -> Option<Arc<Kept<K, V, E>>> {
        let kept = self.entries.get(&self.hash(key));
        kept.filter(|kept| kept.key == *key)
    }

    /// The same, without that it counts as wanted.
    pub(super) fn has(&self, key: &K) -> bool {
        self.entries.contains_key(&self.hash(key))
    }

    /// Keeps something in place of what was there, for its span of time.
    pub(super) fn insert(&self, kept: Arc<Kept<K, V, E>>) {
        self.entries.insert(self.hash(&kept.key), kept);
    }

    /// Drops what is kept under `key`.
    pub(super) fn remove(&self, key: &K) {
        self.entries.invalidate(&self.hash(key));
    }

    /// Everything that is kept.
    pub(super) fn iter(&self) -> impl Iterator<Item = Arc<Kept<K, V, E>>> {
        self.entries.iter().map(|(_, kept)| kept)
    }

    /// Whether so many bytes could be kept at all.
    pub(super) fn has_room(&self, bytes: u64) -> bool {
        bytes <= self.bytes_max
    }

    /// Has moka do the housekeeping that it puts off.
    pub(super) fn tidy(&self) {
        self.entries.run_pending_tasks();
    }

    /// How much is kept: entries, and the bytes they take, as of the last housekeeping.
    pub(super) fn size(&self) -> (u64, u64) {
        (self.entries.entry_count(), self.entries.weighted_size())
    }

    fn hash(&self, key: &K) -> u64 {
        self.hashes.hash_one(key)
    }
}

impl<K, V, E> Clone for Segment<K, V, E> {
    fn clone(&self) -> Self {
        Self {
            entries: self.entries.clone(),
            hashes: self.hashes.clone(),
            bytes_max: self.bytes_max,
        }
    }
}

/// Tells moka when nobody will believe an entry any more. Always `Some`: with `None`, it would stay
/// until there is no room for it.
struct Lifetimes;

impl<K, V, E> Expiry<u64, Arc<Kept<K, V, E>>> for Lifetimes {
    fn expire_after_create(
        &self,
        _: &u64,
        kept: &Arc<Kept<K, V, E>>,
        _: Instant,
    ) -> Option<Duration> {
        Some(Duration::from_secs(kept.span_s.into()))
    }

    fn expire_after_update(
        &self,
        _: &u64,
        kept: &Arc<Kept<K, V, E>>,
        _: Instant,
        _: Option<Duration>,
    ) -> Option<Duration> {
        Some(Duration::from_secs(kept.span_s.into()))
    }
}

#[cfg(test)]
mod tests {
    use std::hash::Hasher;

    use super::*;

    /// All have the same hash.
    #[derive(Eq, PartialEq)]
    struct Key(u8);

    impl Hash for Key {
        fn hash<H: Hasher>(&self, _: &mut H) {}
    }

    #[test]
    fn of_two_keys_with_the_same_hash_one_is_kept_and_nothing_is_found_under_the_other() {
        let values = Values {
            key_bytes: |_| 1,
            bytes: |()| 1,
            is_minor: |()| false,
            other_name: |_, ()| None,
            lend: |()| Arc::new(|| None),
            scopes: |_, _| vec![()],
        };
        let policy = EvictionPolicy::lru();
        let segment =
            Segment::<Key, (), ()>::new(1 << 20, policy, values, Metrics::default(), |_| {});

        for number in [1, 2, 1] {
            let kept = Kept {
                span_s: 60,
                ..Kept::nothing(Key(number), 0)
            };
            segment.insert(Arc::new(kept));

            let found = [1, 2].map(|number| segment.get(&Key(number)).is_some());
            assert_eq!(found, [number == 1, number == 2]);
            segment.tidy();
            assert_eq!(segment.size().0, 1);
        }
    }
}
