//! Remembers answers, and has each question asked once, however many ask it at a time.
//!
//! Three parts: a store that bounds the bytes, a table of flights, and what was purged. The cache
//! knows neither meetings nor HTTP nor WeCom, and does not decide whether an answer will do: it
//! says what it remembers, and brings what is asked for anew. A fault is remembered briefly,
//! beside the answer and never in its place, so that a failing source is not asked again by
//! everybody who comes.

mod flight;
mod kept;
mod near;
mod purges;
mod segment;
mod store;

#[cfg(test)]
mod tests;

use std::hash::Hash;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;
use std::time::Instant;

use arc_swap::ArcSwap;
use tokio_util::task::TaskTracker;

use self::flight::Boarding;
use self::flight::Flights;
use self::flight::Landing;
use self::flight::Ticket;
use self::purges::Purges;
use self::store::Bounds;
use self::store::Brought;
use self::store::Store;
use crate::clock::Clock;
use crate::freshness::Answer;
use crate::metrics::Metrics;

pub use self::flight::Seat;
pub use self::kept::Lent;
pub use self::purges::Thoroughness;

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
    /// The longest time that a question takes.
    pub flight_max: Duration,
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
pub struct Values<K, V, S> {
    /// Bytes that a key takes.
    pub key_bytes: fn(&K) -> usize,
    /// Bytes that a value takes.
    pub bytes: fn(&V) -> usize,
    /// Whether a value is one of those that can be had in any number and are worth little.
    pub is_minor: fn(&V) -> bool,
    /// The other key by which a value that was asked for by this one may be known.
    pub other_name: fn(&K, &V) -> Option<K>,
    /// A value for as long as another holds it.
    pub lend: fn(&V) -> Lent<V>,
    /// Every scope that a key is in, together with what is kept under it; the default, which is
    /// everything, among them.
    pub scopes: fn(&K, Option<&V>) -> Vec<S>,
}

impl<K, V, S> Clone for Values<K, V, S> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<K, V, S> Copy for Values<K, V, S> {}

/// By how much longer something is held on to than for as long as it may be of use: so that it is our
/// clock that decides, and what is on its way has time to land.
const LEEWAY: Duration = Duration::from_secs(2);

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

/// A fault, since when it is known, and until when it is remembered.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Remembered<E> {
    /// Why there is no newer answer.
    pub fault: E,
    /// When it was found out.
    pub since: Instant,
    /// From when on it is worth asking again.
    pub until: Instant,
}

/// What a question brought.
#[derive(Clone, Debug)]
pub struct Fetched<K, V> {
    /// The answer.
    pub answer: Answer<V>,
    /// Another question that is answered as well, and the answer to it. Of the same value, and not
    /// believed for longer.
    pub other_name: Option<(K, Answer<V>)>,
}

/// What comes to those who wait for a question.
#[derive(Clone, Debug)]
pub struct Landed<V, E> {
    /// The answer, or why there is none.
    pub outcome: Result<Answer<V>, E>,
    /// Whether the answer is kept, as it is: not if it is too large, or was purged on its way.
    pub is_kept: bool,
}

/// What became of a wish to have something asked.
pub enum Boarded<V, E, W> {
    /// More is under way, or more are waiting, than may be.
    Full,
    /// Somebody else's question is under way: it can be waited for.
    Joined(Seat<Landed<V, E>>),
    /// It is no longer wished for, given what is remembered by now.
    Settled(W),
    /// The question is under way: it can be waited for, and goes on if nobody does.
    Started(Seat<Landed<V, E>>),
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

/// Answers of type `V` to questions of type `K`, or faults of type `E`; purged by scopes of type `S`.
pub struct Cache<K, V, E, S> {
    /// Changed, and replaced, while no flight lands.
    store: Arc<ArcSwap<Store<K, V, E, S>>>,
    /// Held by whoever changes the bounds.
    adjusting: Mutex<()>,
    flights: Arc<Flights<K, Landed<V, E>>>,
    purges: Arc<Purges<S>>,
    clock: Clock,
    tasks: TaskTracker,
}

impl<K, V, E, S> Cache<K, V, E, S>
where
    K: Clone + Eq + Hash + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
    E: Clone + Send + Sync + 'static,
    S: Default + Eq + Hash + Send + Sync + 'static,
{
    /// An empty cache.
    pub fn new(limits: Limits, values: Values<K, V, S>, surroundings: Surroundings) -> Self {
        let Surroundings {
            clock,
            metrics,
            tasks,
        } = surroundings;
        let purges = Arc::new(Purges::new());
        purges.kept_for(limits.flight_max + LEEWAY);
        let store = Store::new(
            limits.bounds(),
            values,
            Arc::clone(&purges),
            metrics,
            clock.now(),
        );
        Self {
            store: Arc::new(ArcSwap::from_pointee(store)),
            adjusting: Mutex::new(()),
            flights: Flights::new(limits.flights_max, limits.waiters_max),
            purges,
            clock,
            tasks,
        }
    }

    /// Keeps to other bounds from now on, those on flights aside. What is kept stays, as far as there
    /// is room for it, and what lands meanwhile. One at a time: others wait.
    pub fn adjust(&self, limits: Limits) {
        let _turn = self
            .adjusting
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let (store, now) = (self.store.load_full(), self.clock.now());
        self.purges.kept_for(limits.flight_max + LEEWAY);
        let adjusted = store.with(limits.bounds(), now);
        // What is given up is dropped when nobody has to wait for that any more.
        let _given_up = self.flights.hold(|| {
            let present = self.store.load_full();
            let (adjusted, in_vain) = if Arc::ptr_eq(&store, &present) {
                (adjusted, None)
            } else {
                // Everything was purged meanwhile, and little has come since.
                (present.with(limits.bounds(), now), Some(adjusted))
            };
            present.hand_over(&adjusted, now);
            (self.store.swap(Arc::new(adjusted)), in_vain)
        });
    }

    /// How much is kept: entries, and the bytes they take; as of when it was last tidied.
    pub fn size(&self) -> (u64, u64) {
        self.store.load().size()
    }

    /// Gives back what nobody would believe any more, and what is over the bound. May take a while. It is
    /// done by and by anyway, by those who ask; after a quiet time, the first of them would wait for it.
    pub fn tidy(&self) {
        self.store.load().tidy();
    }

    /// How many wait for the question under way for `key`; `None` if none is.
    pub fn waiting(&self, key: &K) -> Option<usize> {
        self.flights.waiting(key)
    }

    /// How many questions are under way.
    pub fn under_way(&self) -> usize {
        self.flights.under_way()
    }

    /// How many purges there were.
    pub fn epoch(&self) -> u64 {
        self.purges.epoch()
    }

    /// What is remembered and may still be of use at `now`. Waits for no question.
    pub fn recall(&self, key: &K, now: Instant) -> Memory<V, E> {
        self.store.load().recall(key, now)
    }

    /// Has `key` asked for by `fetch`, which is shown what is remembered, unless that is under way
    /// already.
    ///
    /// Before anything is asked, `settle` is shown what is remembered by now: between "this will
    /// not do" and now, somebody else may have had a better answer. What it returns ends the wish.
    pub fn board<F, W>(
        &self,
        key: &K,
        settle: impl FnOnce(Memory<V, E>) -> Option<W>,
        fetch: impl FnOnce(&Memory<V, E>) -> F,
    ) -> Boarded<V, E, W>
    where
        F: Future<Output = Result<Fetched<K, V>, E>> + Send + 'static,
    {
        // Read before the flight is on the table: a purge in between is about too much, not too little.
        let epoch = self.purges.epoch();
        let recalled = || self.recall(key, self.clock.now());
        match self.flights.board(key, || settle(recalled())) {
            Boarding::Full => Boarded::Full,
            Boarding::Joined(seat) => Boarded::Joined(seat),
            Boarding::Settled(settled) => Boarded::Settled(settled),
            Boarding::Started(seat, ticket) => {
                self.fly(ticket, epoch, fetch(&recalled()));
                Boarded::Started(seat)
            }
        }
    }

    /// Has the bytes counted again that are kept under `key`, if it is still the value of which
    /// `is_same` says so: it has grown.
    pub fn reweigh(&self, key: &K, is_same: impl Fn(&V) -> bool) {
        let now = self.clock.now();
        self.flights
            .hold(|| self.store.load().reweigh(key, now, is_same));
    }

    /// Purges every answer in these scopes. An answer on its way is given to those who wait for it,
    /// and nobody joins them, if its key is one of which `may_be_meant` says so: it is kept when it
    /// lands if it turns out not to be in these scopes, and else as little as if it had been there.
    /// Whoever asks from now on has it asked anew.
    pub fn purge(
        &self,
        scopes: Vec<S>,
        thoroughness: Thoroughness,
        may_be_meant: impl Fn(&K) -> bool,
    ) {
        let is_everything = scopes.contains(&S::default()) && thoroughness == Thoroughness::Drop;
        // The marks first: whoever finds no flight to join must find no answer either.
        self.purges.mark(scopes, thoroughness, self.clock.now());
        self.flights.divert(may_be_meant);
        if is_everything {
            let spent = self.flights.hold(|| {
                let empty = self.store.load().emptied(self.clock.now());
                self.store.swap(Arc::new(empty))
            });
            // What it keeps is given back piece by piece: nobody should have to wait for that.
            self.tasks.spawn_blocking(move || drop(spent));
        }
    }

    fn fly<F>(&self, ticket: Ticket<K, Landed<V, E>>, epoch: u64, fetch: F)
    where
        F: Future<Output = Result<Fetched<K, V>, E>> + Send + 'static,
    {
        let (store, clock) = (Arc::clone(&self.store), self.clock.clone());
        self.tasks.spawn(async move {
            let fetched = fetch.await;
            ticket.land(|key, landing| {
                let (store, now) = (store.load(), clock.now());
                match fetched {
                    Ok(fetched) => store.take(key, fetched, epoch, landing, now),
                    Err(fault) => {
                        if !landing.is_diverted {
                            store.keep_fault(key, fault.clone(), now);
                        }
                        Landed {
                            outcome: Err(fault),
                            is_kept: false,
                        }
                    }
                }
            });
        });
    }
}

/// Bytes that what is kept under one key takes with its counts.
#[cfg(test)]
pub(crate) const fn kept_bytes<K, V, E>() -> usize {
    size_of::<kept::Kept<K, V, E>>() + 2 * size_of::<usize>()
}

impl<K, V, E, S> Store<K, V, E, S>
where
    K: Clone + Eq + Hash + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
    E: Clone + Send + Sync + 'static,
    S: Default + Eq + Hash + 'static,
{
    /// Takes in what a flight brought that set out when there had been `epoch` purges.
    fn take(
        &self,
        key: &K,
        fetched: Fetched<K, V>,
        epoch: u64,
        landing: &Landing<'_, K>,
        now: Instant,
    ) -> Landed<V, E> {
        let Fetched { answer, other_name } = fetched;
        // Whoever asks under that name has a question of its own under way: let it land.
        let other_name = other_name.filter(|(name, _)| !(landing.is_under_way)(name));
        let brought = Brought {
            answer: answer.clone(),
            lends: other_name.is_some(),
            epoch,
        };
        let is_kept = if landing.is_diverted {
            self.keep_if_newer(key, brought, now)
        } else {
            self.keep(key, brought, now)
        };
        if let Some((name, answer)) = other_name {
            self.lend(&name, answer, epoch, now);
        }
        Landed {
            outcome: Ok(answer),
            is_kept,
        }
    }
}
