//! Remembers answers, and has each question asked once, however many ask it at a time.
//!
//! Two parts: a store that bounds the bytes, and a table of flights. The cache
//! knows neither meetings nor HTTP nor WeCom, and does not decide whether an answer will do: it
//! says what it remembers, and brings what is asked for anew. A fault is remembered briefly,
//! beside the answer and never in its place, so that a failing source is not asked again by
//! everybody who comes.

mod flight;
mod store;

#[cfg(test)]
mod tests;

use std::hash::Hash;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::time::Duration;
use std::time::Instant;

use arc_swap::ArcSwap;
use tokio_util::task::TaskTracker;

use self::flight::Boarding;
use self::flight::Flights;
use self::flight::Ticket;
use self::store::Bounds;
use self::store::Store;
use crate::clock::Clock;
use crate::freshness::Answer;
use crate::metrics::Metrics;

pub use self::flight::Seat;

/// How much may be kept, and how much may go on at a time.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes kept in all: of the answers, their keys and their upkeep.
    pub bytes_max: u64,
    /// Questions under way at a time.
    pub flights_max: usize,
    /// Callers who wait for one and the same question.
    pub waiters_max: usize,
    /// How long an answer is kept after it is no longer fresh.
    pub stale_max: Duration,
    /// How long a fault is remembered.
    pub fault_kept: Duration,
}

impl Limits {
    fn bounds(self) -> Bounds {
        let Self {
            bytes_max,
            stale_max,
            fault_kept,
            ..
        } = self;
        Bounds {
            bytes_max,
            stale_max,
            fault_kept,
        }
    }
}

/// What the cache must know of the keys and values it keeps.
#[derive(Debug)]
pub struct Values<K, V> {
    /// Bytes that a key takes.
    pub key_bytes: fn(&K) -> usize,
    /// Bytes that a value takes.
    pub bytes: fn(&V) -> usize,
    /// Whether a value is one of those that can be had in any number and are worth little.
    pub is_minor: fn(&V) -> bool,
}

impl<K, V> Clone for Values<K, V> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<K, V> Copy for Values<K, V> {}

/// What is remembered under one key.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Memory<V, E> {
    /// The last answer, fresh or not.
    pub answer: Option<Answer<V>>,
    /// That asking failed the last time. Boxed, as it is there seldom, and there may be a great many
    /// memories.
    pub fault: Option<Box<Remembered<E>>>,
}

impl<V, E> Memory<V, E> {
    /// The fault, as long as it is too early to ask once more.
    pub fn fault_in_force(&self, now: Instant) -> Option<&Remembered<E>> {
        self.fault.as_deref().filter(|fault| now < fault.until)
    }
}

impl<V, E> Default for Memory<V, E> {
    fn default() -> Self {
        Self {
            answer: None,
            fault: None,
        }
    }
}

/// A fault, and until when it is remembered.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Remembered<E> {
    /// Why there is no newer answer.
    pub fault: E,
    /// From when on it is worth asking again.
    pub until: Instant,
}

/// What a question brought.
#[derive(Clone, Debug)]
pub struct Fetched<K, V> {
    /// The answer.
    pub answer: Answer<V>,
    /// Another question that is answered as well, and the answer to it.
    pub other_name: Option<(K, Answer<V>)>,
}

/// What became of a wish to have something asked.
pub enum Boarded<V, E, S> {
    /// More is under way, or more are waiting, than may be.
    Full,
    /// Somebody else's question is under way: it can be waited for.
    Joined(Seat<Result<Answer<V>, E>>),
    /// It is no longer wished for, given what is remembered by now.
    Settled(S),
    /// The question is under way: it can be waited for, and goes on if nobody does.
    Started(Seat<Result<Answer<V>, E>>),
}

/// What a cache works with besides its limits.
#[derive(Clone, Debug)]
pub struct Surroundings {
    /// The time.
    pub clock: Clock,
    /// Where what happens is counted.
    pub metrics: Metrics,
    /// Where questions are asked.
    pub tasks: TaskTracker,
}

/// Answers of type `V` to questions of type `K`, or faults of type `E`.
pub struct Cache<K, V, E> {
    store: Arc<ArcSwap<Store<K, V, E>>>,
    flights: Arc<Flights<K, Result<Answer<V>, E>>>,
    /// How often answers were dropped, or made stale, on demand.
    epoch: AtomicU64,
    /// Held while answers are dropped, or moved to another store: so that none comes back that way.
    rearranging: Mutex<()>,
    clock: Clock,
    tasks: TaskTracker,
}

impl<K, V, E> Cache<K, V, E>
where
    K: Clone + Eq + Hash + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
    E: Clone + Send + Sync + 'static,
{
    /// An empty cache.
    pub fn new(limits: Limits, values: Values<K, V>, surroundings: Surroundings) -> Self {
        let Surroundings {
            clock,
            metrics,
            tasks,
        } = surroundings;
        let store = Store::new(limits.bounds(), values, metrics);
        Self {
            store: Arc::new(ArcSwap::from_pointee(store)),
            flights: Flights::new(limits.flights_max, limits.waiters_max),
            epoch: AtomicU64::new(0),
            rearranging: Mutex::default(),
            clock,
            tasks,
        }
    }

    /// Keeps to other bounds from now on, those on flights aside. What is kept stays, as far as there
    /// is room for it; an answer that lands meanwhile may have to be asked for again.
    pub fn adjust(&self, limits: Limits) {
        let _rearranging = self.rearrange();
        let store = self.store.load().with(limits.bounds(), self.clock.now());
        self.store.store(Arc::new(store));
    }

    /// How much is kept: entries, and the bytes they take.
    pub fn size(&self) -> (u64, u64) {
        self.store.load().size()
    }

    /// How many wait for the question under way for `key`; `None` if none is.
    pub fn waiting(&self, key: &K) -> Option<usize> {
        self.flights.waiting(key)
    }

    /// How many questions are under way.
    pub fn under_way(&self) -> usize {
        self.flights.under_way()
    }

    /// How often answers were dropped, or made stale, on demand.
    pub fn epoch(&self) -> u64 {
        self.epoch.load(Ordering::Relaxed)
    }

    /// Every key under which an answer is kept of which `is_meant` says so. Looks at all of them.
    pub fn keys(&self, is_meant: impl Fn(&K, Option<&V>) -> bool) -> Vec<K> {
        self.store.load().keys(is_meant)
    }

    /// What is remembered and may still be of use. Never waits.
    pub fn recall(&self, key: &K) -> Memory<V, E> {
        self.store.load().recall(key, self.clock.now())
    }

    /// Has `key` asked for by `fetch`, which is shown what is remembered, unless that is under way
    /// already.
    ///
    /// Before anything is asked, `settle` is shown what is remembered by now: between "this will
    /// not do" and now, somebody else may have had a better answer. What it returns ends the wish.
    pub fn board<F, S>(
        &self,
        key: &K,
        settle: impl FnOnce(Memory<V, E>) -> Option<S>,
        fetch: impl FnOnce(&Memory<V, E>) -> F,
    ) -> Boarded<V, E, S>
    where
        F: Future<Output = Result<Fetched<K, V>, E>> + Send + 'static,
    {
        match self.flights.board(key, || settle(self.recall(key))) {
            Boarding::Full => Boarded::Full,
            Boarding::Joined(seat) => Boarded::Joined(seat),
            Boarding::Settled(settled) => Boarded::Settled(settled),
            Boarding::Started(seat, ticket) => {
                self.fly(ticket, fetch(&self.recall(key)));
                Boarded::Started(seat)
            }
        }
    }

    /// Has the bytes counted again that are kept under `key`, if it is still the value of which
    /// `is_same` says so: it has grown.
    pub fn reweigh(&self, key: &K, is_same: impl Fn(&V) -> bool) {
        self.store.load().reweigh(key, self.clock.now(), is_same);
    }

    /// Drops every answer of which `is_meant` says so. An answer on its way is given to those who
    /// wait for it, and not remembered, if its key is one of which `may_be_meant` says so; whoever
    /// asks from now on has it asked anew.
    pub fn invalidate(
        &self,
        may_be_meant: impl Fn(&K) -> bool,
        is_meant: impl Fn(&K, Option<&V>) -> bool,
    ) {
        let _rearranging = self.rearrange();
        self.epoch.fetch_add(1, Ordering::Relaxed);
        self.flights.divert(may_be_meant);
        let store = self.store.load();
        for key in store.keys(is_meant) {
            store.invalidate(&key);
        }
    }

    /// The same, but what is dropped by [`Cache::invalidate`] only becomes stale.
    pub fn expire(
        &self,
        may_be_meant: impl Fn(&K) -> bool,
        is_meant: impl Fn(&K, Option<&V>) -> bool,
    ) {
        let _rearranging = self.rearrange();
        self.epoch.fetch_add(1, Ordering::Relaxed);
        let now = self.clock.now();
        self.flights.divert(may_be_meant);
        let store = self.store.load();
        for key in store.keys(is_meant) {
            let answer = store
                .recall(&key, now)
                .answer
                .map(|answer| answer.expired(now));
            store.keep(
                &key,
                Memory {
                    answer,
                    fault: None,
                },
                now,
            );
        }
    }

    /// A panic while it is held leaves nothing half done that matters: what was not dropped or moved
    /// is there as before.
    fn rearrange(&self) -> MutexGuard<'_, ()> {
        self.rearranging
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn fly<F>(&self, ticket: Ticket<K, Result<Answer<V>, E>>, fetch: F)
    where
        F: Future<Output = Result<Fetched<K, V>, E>> + Send + 'static,
    {
        let (store, clock) = (Arc::clone(&self.store), self.clock.clone());
        self.tasks.spawn(async move {
            let (outcome, other_name) = match fetch.await {
                Ok(Fetched { answer, other_name }) => (Ok(answer), other_name),
                Err(fault) => (Err(fault), None),
            };
            ticket.land(outcome, |key, outcome, is_under_way| {
                let (store, now) = (store.load(), clock.now());
                let memory = match outcome.clone() {
                    Ok(answer) => Memory {
                        answer: Some(answer),
                        fault: None,
                    },
                    Err(fault) => Memory {
                        answer: store.recall(key, now).answer,
                        fault: Some(Box::new(Remembered {
                            fault,
                            until: now + store.fault_kept(),
                        })),
                    },
                };
                store.keep(key, memory, now);
                // Whoever asks under that name has a question of its own under way: let it land.
                let other_name = other_name.filter(|(name, _)| !is_under_way(name));
                if let Some((name, answer)) = other_name {
                    store.keep_if_newer(&name, answer, now);
                }
            });
        });
    }
}
